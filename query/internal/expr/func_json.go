package expr

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// pathOf returns the path that an argument of a function holds; it must begin with $. A NULL gives
// no path.
func pathOf(e *Env, x *Expr) *jsonpath.Path {
	v := x.Eval(e)
	if v.Kind == value.Null || e.Err != nil {
		return nil
	}
	p, err := jsonpath.Parse(v.Text())
	if err != nil {
		e.Fail(badPath(v.Text(), x.Pos))
		return nil
	}
	return p
}

// pathArgument returns how to get the path of an argument; a constant one is compiled once.
func pathArgument(x *Expr) (func(*Env) *jsonpath.Path, error) {
	if x.fixed {
		e := NewEnv(Env{})
		p := pathOf(e, x)
		return func(*Env) *jsonpath.Path { return p }, e.Err
	}
	compute := func(e *Env) *jsonpath.Path { return pathOf(e, x) }
	if x.Constant {
		return memoized(compute), nil
	}
	return compute, nil
}

// jsonExtract compiles json_extract(x, path, ...): with one path the value, with several an array
// of the values.
func (c *compiler) jsonExtract(f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	paths := make([]func(*Env) *jsonpath.Path, len(args)-1)
	for i := range paths {
		var err error
		if paths[i], err = pathArgument(args[i+1]); err != nil {
			return nil, err
		}
	}
	x := args[0]
	y := &Expr{Type: f.typ, Nullable: true, Pos: pos}
	y.Eval = func(e *Env) value.Value {
		doc, ok := document(e, x.Eval(e), x.Pos)
		if !ok {
			return null
		}
		if len(paths) == 1 {
			p := paths[0](e)
			if p == nil {
				return null
			}
			return e.Taken(e.extract(p, doc).SQL(), doc)
		}
		return extractArray(e, doc, paths)
	}
	if len(paths) > 1 {
		y.Type = value.JSON
	}
	return finish(y, args...), nil
}

// sharedExtract lets the binder share json_extract(column, 'path'), which is column ->> 'path'
// except that the result may be JSON to other functions. It returns nil for anything else.
func (c *compiler) sharedExtract(e *parser.Call, args []*Expr) (*Expr, error) {
	b, ok := c.binder.(PathBinder)
	if _, isColumn := e.Args[0].(*parser.Column); !ok || !isColumn || len(args) != 2 ||
		!args[1].fixed || args[1].value.IsNull() {
		return nil, nil
	}
	p, err := jsonpath.Parse(args[1].value.Text())
	if err != nil {
		return nil, badPath(args[1].value.Text(), args[1].Pos)
	}
	x, err := b.Path(args[0], p, asSQL)
	if x == nil || err != nil {
		return nil, err
	}
	y := *x
	y.Pos = e.Pos
	return &y, nil
}

// extractArray is the JSON array of what several paths lead to, null for nothing. A NULL path makes
// it NULL.
func extractArray(e *Env, doc string, paths []func(*Env) *jsonpath.Path) value.Value {
	t := textMaker{e: e, b: []byte{'['}}
	for i, path := range paths {
		p := path(e)
		if p == nil || !e.Effort(len(doc)) {
			return null
		}
		if i > 0 {
			t.b = append(t.b, ',')
		}
		raw := e.extract(p, doc)
		if raw == "" {
			raw = "null"
		}
		if !t.fits(len(raw)) {
			return null
		}
		t.grow(len(raw))
		t.b = append(t.b, jsonpath.Compact(string(raw))...)
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

// addJSON appends a value as json_array and json_object take it; ok is false for a blob, which JSON
// cannot hold.
func (t *textMaker) addJSON(v value.Value) (ok bool) {
	size := len(v.S)
	if v.Kind == value.String && !v.JSON && size > value.SmallPiece {
		size = jsonpath.QuotedSize(v.S)
	}
	if t.fits(size) {
		t.grow(size)
		t.b, ok = jsonpath.AppendValue(t.b, v)
	}
	return ok || t.e.Err != nil
}

// jsonAt compiles json_type(x[, path]) and json_array_length(x[, path]).
func (c *compiler) jsonAt(f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	path := func(*Env) *jsonpath.Path { return &jsonpath.Path{} }
	if len(args) > 1 {
		var err error
		if path, err = pathArgument(args[1]); err != nil {
			return nil, err
		}
	}
	x, answer := args[0], f.ofJSON
	y := &Expr{Type: f.typ, Nullable: true, Pos: pos}
	y.Eval = func(e *Env) value.Value {
		doc, ok := document(e, x.Eval(e), x.Pos)
		if !ok {
			return null
		}
		p := path(e)
		if p == nil {
			return null
		}
		return e.Taken(answer(e.extract(p, doc)), doc)
	}
	return finish(y, args...), nil
}

// jsonMake compiles json_array and json_object.
func (c *compiler) jsonMake(f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	object := f.name == "json_object"
	if object && len(args)%2 != 0 {
		return nil, &fault.Error{
			Kind: fault.BadArgument, Pos: pos, Msg: "json_object takes keys and values in pairs",
		}
	}
	y := &Expr{Type: value.JSON, Pos: pos}
	y.Eval = func(e *Env) value.Value {
		t, end := textMaker{e: e, b: []byte{'['}}, "]"
		if object {
			t.b[0], end = '{', "}"
		}
		for i, a := range args {
			v := a.Eval(e)
			key := object && i%2 == 0
			if key && v.Kind != value.String {
				return e.Fail(&fault.Error{
					Kind: fault.BadValue, Pos: a.Pos, Msg: "the keys of json_object are texts",
				})
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
				return e.Fail(&fault.Error{Kind: fault.BadValue, Pos: a.Pos, Msg: "JSON cannot hold a blob"})
			}
			if e.Err != nil {
				e.Err = fault.At(e.Err, pos)
				return null
			}
		}
		return t.json(end)
	}
	return finish(y, args...), nil
}

// jsonQuote compiles json_quote(x).
func (c *compiler) jsonQuote(f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	x := args[0]
	y := &Expr{Type: value.JSON, Pos: pos}
	y.Eval = func(e *Env) value.Value {
		t := textMaker{e: e}
		if !t.addJSON(x.Eval(e)) {
			return e.Fail(&fault.Error{Kind: fault.BadValue, Pos: pos, Msg: "JSON cannot hold a blob"})
		}
		return t.json("")
	}
	return finish(y, args...), nil
}

// has compiles has(tags, tag): whether a JSON array holds a text.
func (c *compiler) has(f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	list, tag := args[0], args[1]
	y := &Expr{Type: value.Integer, Nullable: list.Nullable || tag.Nullable, Pos: pos}
	y.Test = func(e *Env) value.Truth {
		v, t := list.Eval(e), tag.Eval(e)
		if v.Kind == value.Null || t.Kind == value.Null {
			return value.Unknown
		}
		doc, ok := document(e, v, list.Pos)
		if !ok {
			return value.No
		}
		return value.TruthOf(jsonpath.HasText(doc, t.Text()))
	}
	return finish(y, args...), nil
}

// compileJSON is json(x): x checked and without blanks.
func compileJSON(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	x := args[0]
	y := &Expr{Type: value.JSON, Nullable: true, Pos: pos}
	y.Eval = func(e *Env) value.Value {
		doc, ok := document(e, x.Eval(e), x.Pos)
		if !ok {
			return null
		}
		return e.Taken((&jsonpath.Path{}).Extract(doc).JSON(), doc)
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
func jsonValidFunc(e *Env, args []value.Value) value.Value {
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
	{name: "json", min: 1, max: 1, typ: value.JSON, nulls: nullMaybe, compile: compileJSON},
	{name: "json_valid", min: 1, max: 2, typ: value.Integer, nulls: nullOwn, fn: jsonValidFunc},
	{name: "json_extract", min: 2, max: -1, compile: (*compiler).jsonExtract},
	{name: "json_type", min: 1, max: 2, typ: value.Text, compile: (*compiler).jsonAt,
		ofJSON: jsonpath.Raw.Kind},
	{name: "json_keys", min: 1, max: 2, typ: value.JSON, compile: (*compiler).jsonAt,
		ofJSON: jsonpath.Raw.Keys},
	{name: "json_array_length", min: 1, max: 2, typ: value.Integer, compile: (*compiler).jsonAt,
		ofJSON: jsonpath.Raw.Length},
	{name: "json_quote", min: 1, max: 1, typ: value.JSON, compile: (*compiler).jsonQuote},
	{name: "json_array", min: 0, max: -1, typ: value.JSON, compile: (*compiler).jsonMake},
	{name: "json_object", min: 0, max: -1, typ: value.JSON, compile: (*compiler).jsonMake},
}
