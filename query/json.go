package query

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

func malformedJSON(pos parser.Pos) error {
	return &Error{Kind: BadValue, Pos: pos, Msg: "malformed JSON"}
}

// longestPathTold is how many bytes of a path an error repeats.
const longestPathTold = 100

func badPath(path string, pos parser.Pos) error {
	err := errPath
	if strings.Count(path, ".")+strings.Count(path, "[") > maxPathSteps {
		err = errLongPath
	}
	if len(path) > longestPathTold {
		path = path[:longestPathTold] + "..."
	}
	return &Error{Kind: BadArgument, Pos: pos, Msg: "bad JSON path " + strconv.Quote(path), Err: err}
}

// document returns v as a JSON document; ok is false if there is none: v is NULL or a blob that is not JSON, as a payload
// may be. A text that is not known to be JSON is checked, and an error if it is neither JSON nor JSON5, of which the document is
// the JSON that it means.
func document(e *env, v Value, pos parser.Pos) (doc string, ok bool) {
	if !e.effort(len(v.s)) {
		return "", false
	}
	switch {
	case v.json:
		return v.s, true
	case v.kind == Null:
		return "", false
	case v.kind == Bytes:
		return v.s, engine.ValidJSON(bytesOf(v.s))
	}
	s := v.text()
	if engine.ValidJSON(bytesOf(s)) {
		return s, true
	}
	if s, ok = fromJSON5(e, s); !ok {
		e.fail(malformedJSON(pos))
	}
	return s, ok
}

// arrow compiles chains of -> and ->>. Constant steps that follow each other become one path.
func (c *compiler) arrow(e *parser.Binary) (*expr, error) {
	chain := []*parser.Binary{e}
	for {
		inner, ok := chain[len(chain)-1].X.(*parser.Binary)
		if !ok || inner.Op != parser.OpArrow {
			break
		}
		chain = append(chain, inner)
	}
	leaf := chain[len(chain)-1].X
	x, err := c.expr(leaf)
	if err != nil {
		return nil, err
	}
	_, isColumn := leaf.(*parser.Column)
	steps := &jsonPath{}
	for i := len(chain) - 1; i >= 0; i-- {
		b := chain[i]
		label, err := c.expr(b.Y)
		if err != nil {
			return nil, err
		}
		if label.fixed && label.value.kind != Null {
			p, err := parseLabel(label.value)
			if err != nil {
				return nil, badPath(label.value.text(), label.pos)
			}
			if len(steps.steps)+len(p.steps) > maxPathSteps {
				return nil, &Error{Kind: BadArgument, Pos: label.pos, Msg: "bad JSON path", Err: errLongPath}
			}
			if steps = steps.then(p); i > 0 {
				continue
			}
			return c.constantPath(x, steps, b, isColumn)
		}
		if x, err = c.constantPath(x, steps, nil, isColumn); err != nil {
			return nil, err
		}
		x, steps, isColumn = computedPath(x, label, b), &jsonPath{}, false
	}
	return x, nil
}

// constantPath compiles x -> path or x ->> path. Without an operator it is an inner part of a chain.
func (c *compiler) constantPath(x *expr, p *jsonPath, op *parser.Binary, isColumn bool) (*expr, error) {
	as, pos := asJSON, x.pos
	if op != nil {
		as, pos = arrowReading(op), op.Pos
	} else if len(p.steps) == 0 {
		return x, nil
	}
	if b, ok := c.binder.(pathBinder); ok && isColumn {
		if y, err := b.path(x, p, as); y != nil || err != nil {
			return y, err
		}
	}
	y := &expr{typ: as.typ, nullable: true, pos: pos}
	y.eval = func(e *env) Value {
		doc, ok := document(e, x.eval(e), x.pos)
		if !ok {
			return null
		}
		return e.taken(as.value(p.extractFor(e, doc)), doc)
	}
	return finish(y, x), nil
}

// A reading is what is made of the JSON that a path leads to.
type reading struct {
	typ   Type
	value func(rawJSON) Value
}

var (
	asJSON = reading{JSON, rawJSON.json} // ->
	asText = reading{Any, rawJSON.text}  // ->>
	asSQL  = reading{Any, rawJSON.sql}   // json_extract
)

func arrowReading(op *parser.Binary) reading {
	if op.Op == parser.OpArrowText {
		return asText
	}
	return asJSON
}

// computedPath compiles x -> label for a label that is not known now.
func computedPath(x, label *expr, op *parser.Binary) *expr {
	as := arrowReading(op)
	y := &expr{typ: as.typ, nullable: true, pos: op.Pos}
	y.eval = func(e *env) Value {
		v := x.eval(e)
		l := label.eval(e)
		doc, ok := document(e, v, x.pos)
		if !ok || l.kind == Null {
			return null
		}
		p, err := parseLabel(l)
		if err != nil {
			return e.fail(badPath(l.text(), label.pos))
		}
		return e.taken(as.value(p.extractFor(e, doc)), doc)
	}
	return finish(y, x, label)
}

// quoteJSON returns s as a JSON string.
func quoteJSON(s string) string { return string(appendQuotedJSON(nil, s)) }

// appendQuotedJSON appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func appendQuotedJSON(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			if short := shortEscapes[c]; short != 0 {
				dst = append(dst, '\\', short)
			} else {
				dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			}
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += size - 1
		}
		i++
	}
	return append(dst, '"')
}

var shortEscapes = [' ']byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// jsonNumber returns a number as JSON. JSON has no infinities; they are written as a number that is read as one.
func jsonNumber(v Value) string {
	if v.kind == Float && math.IsInf(v.f, 0) {
		if v.f < 0 {
			return "-9.0e+999"
		}
		return "9.0e+999"
	}
	return v.text()
}

// appendJSON appends a value as json_array and json_object take it: what is JSON stands as it is, texts are quoted.
func appendJSON(dst []byte, v Value) ([]byte, bool) {
	switch {
	case v.kind == Null:
		return append(dst, "null"...), true
	case v.kind == Int || v.kind == Float:
		return append(dst, jsonNumber(v)...), true
	case v.json:
		return append(dst, compactJSON(v.s)...), true
	case v.kind == Bytes:
		return dst, false
	}
	return appendQuotedJSON(dst, v.text()), true
}

// jsonKinds are the names of json_type by the first byte of a value; numbers are integer or real.
var jsonKinds = [256]string{'"': "text", '{': "object", '[': "array", 't': "true", 'f': "false", 'n': "null"}

func jsonKind(r rawJSON) Value {
	if r == "" {
		return null
	}
	if kind := jsonKinds[r[0]]; kind != "" {
		return textValue(kind)
	}
	if numericPrefix(string(r)).real {
		return textValue("real")
	}
	return textValue("integer")
}

// pathOf returns the path that an argument of a function holds; it must begin with $. A NULL gives no path.
func pathOf(e *env, x *expr) *jsonPath {
	v := x.eval(e)
	if v.kind == Null || e.err != nil {
		return nil
	}
	p, err := parsePath(v.text())
	if err != nil {
		e.fail(badPath(v.text(), x.pos))
		return nil
	}
	return p
}

// pathArgument returns how to get the path of an argument; a constant one is compiled once.
func pathArgument(x *expr) (func(*env) *jsonPath, error) {
	if x.fixed {
		e := &env{}
		p := pathOf(e, x)
		return func(*env) *jsonPath { return p }, e.err
	}
	compute := func(e *env) *jsonPath { return pathOf(e, x) }
	if x.constant {
		return memoized(compute), nil
	}
	return compute, nil
}

// jsonExtract compiles json_extract(x, path, ...): with one path the value, with several an array of the values.
func (c *compiler) jsonExtract(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	paths := make([]func(*env) *jsonPath, len(args)-1)
	for i := range paths {
		var err error
		if paths[i], err = pathArgument(args[i+1]); err != nil {
			return nil, err
		}
	}
	x := args[0]
	y := &expr{typ: f.typ, nullable: true, pos: pos}
	y.eval = func(e *env) Value {
		doc, ok := document(e, x.eval(e), x.pos)
		if !ok {
			return null
		}
		if len(paths) == 1 {
			p := paths[0](e)
			if p == nil {
				return null
			}
			return e.taken(p.extractFor(e, doc).sql(), doc)
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
func (c *compiler) sharedExtract(e *parser.Call, args []*expr) (*expr, error) {
	b, ok := c.binder.(pathBinder)
	if _, isColumn := e.Args[0].(*parser.Column); !ok || !isColumn || len(args) != 2 || !args[1].fixed || args[1].value.isNull() {
		return nil, nil
	}
	p, err := parsePath(args[1].value.text())
	if err != nil {
		return nil, badPath(args[1].value.text(), args[1].pos)
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
func extractArray(e *env, doc string, paths []func(*env) *jsonPath) Value {
	t := textMaker{e: e, b: []byte{'['}}
	for i, path := range paths {
		p := path(e)
		if p == nil || !e.effort(len(doc)) {
			return null
		}
		if i > 0 {
			t.b = append(t.b, ',')
		}
		raw := p.extractFor(e, doc)
		if raw == "" {
			raw = "null"
		}
		if !t.fits(len(raw)) {
			return null
		}
		t.grow(len(raw))
		t.b = append(t.b, compactJSON(string(raw))...)
	}
	return t.json("]")
}

// json ends a JSON text.
func (t *textMaker) json(end string) Value {
	t.b = append(t.b, end...)
	if !t.e.room(len(t.b)) {
		return null
	}
	return jsonValue(stringOf(t.b))
}

// addJSON appends a value as json_array and json_object take it; ok is false for a blob, which JSON cannot hold.
func (t *textMaker) addJSON(v Value) (ok bool) {
	size := len(v.s)
	if v.kind == String && !v.json && size > smallPiece {
		size = quotedSize(v.s)
	}
	if t.fits(size) {
		t.grow(size)
		t.b, ok = appendJSON(t.b, v)
	}
	return ok || t.e.err != nil
}

// quotedSize is about how long a text is as a JSON string, and never less.
func quotedSize(s string) int {
	n := len(s) + 2
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ':
			n += 5
		case c == '"' || c == '\\':
			n++
		}
	}
	return n
}

// jsonAt compiles json_type(x[, path]) and json_array_length(x[, path]).
func (c *compiler) jsonAt(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	path := func(*env) *jsonPath { return &jsonPath{} }
	if len(args) > 1 {
		var err error
		if path, err = pathArgument(args[1]); err != nil {
			return nil, err
		}
	}
	x, answer := args[0], f.ofJSON
	y := &expr{typ: f.typ, nullable: true, pos: pos}
	y.eval = func(e *env) Value {
		doc, ok := document(e, x.eval(e), x.pos)
		if !ok {
			return null
		}
		p := path(e)
		if p == nil {
			return null
		}
		return e.taken(answer(p.extractFor(e, doc)), doc)
	}
	return finish(y, args...), nil
}

// jsonLength is the number of elements of an array, 0 for anything else, NULL for nothing.
func jsonLength(r rawJSON) Value {
	if r == "" {
		return null
	}
	return intValue(countElements(string(r), 0))
}

// jsonMake compiles json_array and json_object.
func (c *compiler) jsonMake(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	object := f.name == "json_object"
	if object && len(args)%2 != 0 {
		return nil, &Error{Kind: BadArgument, Pos: pos, Msg: "json_object takes keys and values in pairs"}
	}
	y := &expr{typ: JSON, pos: pos}
	y.eval = func(e *env) Value {
		t, end := textMaker{e: e, b: []byte{'['}}, "]"
		if object {
			t.b[0], end = '{', "}"
		}
		for i, a := range args {
			v := a.eval(e)
			key := object && i%2 == 0
			if key && v.kind != String {
				return e.fail(&Error{Kind: BadValue, Pos: a.pos, Msg: "the keys of json_object are texts"})
			}
			if key && i > 0 || !object && i > 0 {
				t.b = append(t.b, ',')
			} else if i > 0 {
				t.b = append(t.b, ':')
			}
			if key {
				v.json = false
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
func (c *compiler) jsonQuote(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	x := args[0]
	y := &expr{typ: JSON, pos: pos}
	y.eval = func(e *env) Value {
		t := textMaker{e: e}
		if !t.addJSON(x.eval(e)) {
			return e.fail(&Error{Kind: BadValue, Pos: pos, Msg: "JSON cannot hold a blob"})
		}
		return t.json("")
	}
	return finish(y, args...), nil
}

// has compiles has(tags, tag): whether a JSON array holds a text.
func (c *compiler) has(f *function, args []*expr, pos parser.Pos) (*expr, error) {
	list, tag := args[0], args[1]
	y := &expr{typ: Integer, nullable: list.nullable || tag.nullable, pos: pos}
	y.test = func(e *env) truth {
		v, t := list.eval(e), tag.eval(e)
		if v.kind == Null || t.kind == Null {
			return unknown
		}
		doc, ok := document(e, v, list.pos)
		if !ok {
			return no
		}
		return truthOf(hasText(doc, t.text()))
	}
	return finish(y, args...), nil
}

func hasText(doc, text string) bool {
	for i := findElement(doc, skipBlanks(doc, 0), 0); i >= 0; i = nextItem(doc, i) {
		if doc[i] != '"' {
			continue
		}
		if end := stringEnd(doc, i+1); end > 0 && unescape(doc[i+1:end-1]) == text {
			return true
		}
	}
	return false
}

// compileJSON is json(x): x checked and without blanks.
func compileJSON(_ *compiler, _ *function, args []*expr, pos parser.Pos) (*expr, error) {
	x := args[0]
	y := &expr{typ: JSON, nullable: true, pos: pos}
	y.eval = func(e *env) Value {
		doc, ok := document(e, x.eval(e), x.pos)
		if !ok {
			return null
		}
		return e.taken((&jsonPath{}).extract(doc).json(), doc)
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
func jsonValidFunc(e *env, args []Value) Value {
	v, flags := args[0], int64(flagJSON)
	if len(args) > 1 {
		if flags = toInt(args[1]); flags < 1 || flags > flagsMax {
			return funcError(e, "the flags of json_valid are a number from 1 to 15")
		}
	}
	if v.kind == Null {
		return null
	}
	if flags&(flagJSON|flagJSON5) == 0 {
		return boolValue(false)
	}
	ok := v.json || engine.ValidJSON(bytesOf(v.text()))
	if !ok && flags&flagJSON5 != 0 {
		_, ok = fromJSON5(e, v.text())
	}
	return boolValue(ok)
}
