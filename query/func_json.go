package query

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/jsontext"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/effort"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// pathOf returns the path that an argument of a function holds; it must begin with $. A NULL gives no path.
func pathOf(e *env, x *expr) *jsonpath.Path {
	v := x.eval(e)
	if v.Kind == value.Null || e.err != nil {
		return nil
	}
	p, err := jsonpath.Parse(v.Text())
	if err != nil {
		e.fail(badPath(v.Text(), x.pos))
		return nil
	}
	return p
}

// pathArgument returns how to get the path of an argument; a constant one is compiled once.
func pathArgument(x *expr) (func(*env) *jsonpath.Path, error) {
	if x.fixed {
		e := newEnv(env{})
		p := pathOf(e, x)
		return func(*env) *jsonpath.Path { return p }, e.err
	}
	compute := func(e *env) *jsonpath.Path { return pathOf(e, x) }
	if x.constant {
		return memoized(compute), nil
	}
	return compute, nil
}

// jsonExtract compiles json_extract(x, path, ...): with one path the value, with several an array of the values.
func (c *exprCompiler) jsonExtract(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	paths := make([]func(*env) *jsonpath.Path, len(args)-1)
	for i := range paths {
		var err error
		if paths[i], err = pathArgument(args[i+1]); err != nil {
			return nil, err
		}
	}
	x := args[0]
	y := &expr{typ: f.typ, nullable: true, pos: pos}
	y.eval = func(e *env) value.Value {
		doc, ok := document(e, x.eval(e), x.pos)
		if !ok {
			return null
		}
		if len(paths) == 1 {
			p := paths[0](e)
			if p == nil {
				return null
			}
			return e.taken(p.ExtractFor(&e.Meter, doc).SQL(), doc)
		}
		return extractArray(e, doc, paths)
	}
	if len(paths) > 1 {
		y.typ = JSON
	}
	return finish(y, args...), nil
}

// sharedExtract lets the binder share json_extract(column, 'path'), which is column ->> 'path' except that the result may
// be JSON to other functions. It returns nil for anything else.
func (c *exprCompiler) sharedExtract(e *parser.Call, args []*expr) (*expr, error) {
	b, ok := c.binder.(pathBinder)
	if _, isColumn := e.Args[0].(*parser.Column); !ok || !isColumn || len(args) != 2 || !args[1].fixed || args[1].value.IsNull() {
		return nil, nil
	}
	p, err := jsonpath.Parse(args[1].value.Text())
	if err != nil {
		return nil, badPath(args[1].value.Text(), args[1].pos)
	}
	x, err := b.path(args[0], p, asSQL)
	if x == nil || err != nil {
		return nil, err
	}
	y := *x
	y.pos = e.Pos
	return &y, nil
}

// extractArray is the JSON array of what several paths lead to, null for nothing. A NULL path makes it NULL.
func extractArray(e *env, doc string, paths []func(*env) *jsonpath.Path) value.Value {
	t := textMaker{e: e, b: []byte{'['}}
	for i, path := range paths {
		p := path(e)
		if p == nil || !e.Effort(len(doc)) {
			return null
		}
		if i > 0 {
			t.b = append(t.b, ',')
		}
		raw := p.ExtractFor(&e.Meter, doc)
		if raw == "" {
			raw = "null"
		}
		if !t.fits(len(raw)) {
			return null
		}
		t.grow(len(raw))
		t.b = append(t.b, jsontext.Compact(string(raw))...)
	}
	return t.json("]")
}

// json ends a JSON text.
func (t *textMaker) json(end string) value.Value {
	t.b = append(t.b, end...)
	if !t.e.Room(len(t.b)) {
		return null
	}
	return value.OfJSON(value.StringOf(t.b))
}

// addJSON appends a value as json_array and json_object take it; ok is false for a blob, which JSON cannot hold.
func (t *textMaker) addJSON(v value.Value) (ok bool) {
	size := len(v.S)
	if v.Kind == value.String && !v.JSON && size > effort.SmallPiece {
		size = jsontext.QuotedSize(v.S)
	}
	if t.fits(size) {
		t.grow(size)
		t.b, ok = jsonpath.AppendValue(t.b, v)
	}
	return ok || t.e.err != nil
}

// jsonAt compiles json_type(x[, path]) and json_array_length(x[, path]).
func (c *exprCompiler) jsonAt(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	path := func(*env) *jsonpath.Path { return &jsonpath.Path{} }
	if len(args) > 1 {
		var err error
		if path, err = pathArgument(args[1]); err != nil {
			return nil, err
		}
	}
	x, answer := args[0], f.ofJSON
	y := &expr{typ: f.typ, nullable: true, pos: pos}
	y.eval = func(e *env) value.Value {
		doc, ok := document(e, x.eval(e), x.pos)
		if !ok {
			return null
		}
		p := path(e)
		if p == nil {
			return null
		}
		return e.taken(answer(p.ExtractFor(&e.Meter, doc)), doc)
	}
	return finish(y, args...), nil
}

// jsonMake compiles json_array and json_object.
func (c *exprCompiler) jsonMake(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	object := f.name == "json_object"
	if object && len(args)%2 != 0 {
		return nil, &Error{Kind: BadArgument, Pos: pos, Msg: "json_object takes keys and values in pairs"}
	}
	y := &expr{typ: JSON, pos: pos}
	y.eval = func(e *env) value.Value {
		t, end := textMaker{e: e, b: []byte{'['}}, "]"
		if object {
			t.b[0], end = '{', "}"
		}
		for i, a := range args {
			v := a.eval(e)
			key := object && i%2 == 0
			if key && v.Kind != value.String {
				return e.fail(&Error{Kind: BadValue, Pos: a.pos, Msg: "the keys of json_object are texts"})
			}
			if key && i > 0 || !object && i > 0 {
				t.b = append(t.b, ',')
			} else if i > 0 {
				t.b = append(t.b, ':')
			}
			if key {
				v.JSON = false
			}
			if !t.addJSON(v) {
				return e.fail(&Error{Kind: BadValue, Pos: a.pos, Msg: "JSON cannot hold a blob"})
			}
			if e.err != nil {
				e.err = at(e.err, pos)
				return null
			}
		}
		return t.json(end)
	}
	return finish(y, args...), nil
}

// jsonQuote compiles json_quote(x).
func (c *exprCompiler) jsonQuote(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	x := args[0]
	y := &expr{typ: JSON, pos: pos}
	y.eval = func(e *env) value.Value {
		t := textMaker{e: e}
		if !t.addJSON(x.eval(e)) {
			return e.fail(&Error{Kind: BadValue, Pos: pos, Msg: "JSON cannot hold a blob"})
		}
		return t.json("")
	}
	return finish(y, args...), nil
}

// has compiles has(tags, tag): whether a JSON array holds a text.
func (c *exprCompiler) has(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	list, tag := args[0], args[1]
	y := &expr{typ: Integer, nullable: list.nullable || tag.nullable, pos: pos}
	y.test = func(e *env) value.Truth {
		v, t := list.eval(e), tag.eval(e)
		if v.Kind == value.Null || t.Kind == value.Null {
			return value.Unknown
		}
		doc, ok := document(e, v, list.pos)
		if !ok {
			return value.No
		}
		return value.TruthOf(jsontext.HasText(doc, t.Text()))
	}
	return finish(y, args...), nil
}

// compileJSON is json(x): x checked and without blanks.
func compileJSON(_ *exprCompiler, _ *function, args []*expr, pos parser.Pos) (*expr, error) {
	x := args[0]
	y := &expr{typ: JSON, nullable: true, pos: pos}
	y.eval = func(e *env) value.Value {
		doc, ok := document(e, x.eval(e), x.pos)
		if !ok {
			return null
		}
		return e.taken((&jsonpath.Path{}).Extract(doc).JSON(), doc)
	}
	return finish(y, args...), nil
}

// What the second argument of json_valid may ask for. There is no JSONB here: nothing is it.
const (
	flagJSON  = 1
	flagJSON5 = 2
	flagsMax  = 15
)

// jsonValidFunc reports whether a text or a blob is JSON, or with the flag 2 JSON5. A number is.
func jsonValidFunc(e *env, args []value.Value) value.Value {
	v, flags := args[0], int64(flagJSON)
	if len(args) > 1 {
		if flags = value.ToInt(args[1]); flags < 1 || flags > flagsMax {
			return funcError(e, "the flags of json_valid are a number from 1 to 15")
		}
	}
	if v.Kind == value.Null {
		return null
	}
	if flags&(flagJSON|flagJSON5) == 0 {
		return value.OfBool(false)
	}
	ok := v.JSON || engine.ValidJSON(value.BytesOf(v.Text()))
	if !ok && flags&flagJSON5 != 0 {
		_, ok = fromJSON5(e, v.Text())
	}
	return value.OfBool(ok)
}

var jsonFunctions = []function{
	{name: "json", min: 1, max: 1, typ: JSON, nulls: nullMaybe, compile: compileJSON},
	{name: "json_valid", min: 1, max: 2, typ: Integer, nulls: nullOwn, fn: jsonValidFunc},
	{name: "json_extract", min: 2, max: -1, compile: (*exprCompiler).jsonExtract},
	{name: "json_type", min: 1, max: 2, typ: Text, compile: (*exprCompiler).jsonAt, ofJSON: jsonpath.Raw.Kind},
	{name: "json_array_length", min: 1, max: 2, typ: Integer, compile: (*exprCompiler).jsonAt, ofJSON: jsonpath.Raw.Length},
	{name: "json_quote", min: 1, max: 1, typ: JSON, compile: (*exprCompiler).jsonQuote},
	{name: "json_array", min: 0, max: -1, typ: JSON, compile: (*exprCompiler).jsonMake},
	{name: "json_object", min: 0, max: -1, typ: JSON, compile: (*exprCompiler).jsonMake},
}
