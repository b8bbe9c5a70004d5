package query

import (
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/jsontext"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

func malformedJSON(pos parser.Pos) error {
	return &Error{Kind: BadValue, Pos: pos, Msg: "malformed JSON"}
}

// longestPathTold is how many bytes of a path an error repeats.
const longestPathTold = 100

func badPath(path string, pos parser.Pos) error {
	err := jsonpath.ErrSyntax
	if strings.Count(path, ".")+strings.Count(path, "[") > jsonpath.MaxSteps {
		err = jsonpath.ErrLong
	}
	if len(path) > longestPathTold {
		path = path[:longestPathTold] + "..."
	}
	return &Error{Kind: BadArgument, Pos: pos, Msg: "bad JSON path " + strconv.Quote(path), Err: err}
}

// document returns v as a JSON document; ok is false if there is none: v is NULL or a blob that is not JSON, as a payload
// may be. A text that is not known to be JSON is checked, and an error if it is neither JSON nor JSON5, of which the document is
// the JSON that it means.
func document(e *env, v value.Value, pos parser.Pos) (doc string, ok bool) {
	if !e.Effort(len(v.S)) {
		return "", false
	}
	switch {
	case v.JSON:
		return v.S, true
	case v.Kind == value.Null:
		return "", false
	case v.Kind == value.Bytes:
		return v.S, engine.ValidJSON(value.BytesOf(v.S))
	}
	s := v.Text()
	if engine.ValidJSON(value.BytesOf(s)) {
		return s, true
	}
	if s, ok = fromJSON5(e, s); !ok {
		e.fail(malformedJSON(pos))
	}
	return s, ok
}

// fromJSON5 returns JSON5 as JSON; ok is false if it is neither, or if it is longer than a text may be.
func fromJSON5(e *env, s string) (doc string, ok bool) {
	out, ok := jsontext.FromJSON5(s, e.TextLimit())
	if !ok {
		return "", false
	}
	return value.StringOf(out), e.Hold(len(out))
}

// arrow compiles chains of -> and ->>. Constant steps that follow each other become one path.
func (c *exprCompiler) arrow(e *parser.Binary) (*expr, error) {
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
	steps := &jsonpath.Path{}
	for i := len(chain) - 1; i >= 0; i-- {
		b := chain[i]
		label, err := c.expr(b.Y)
		if err != nil {
			return nil, err
		}
		if label.fixed && label.value.Kind != value.Null {
			p, err := jsonpath.ParseLabel(label.value)
			if err != nil {
				return nil, badPath(label.value.Text(), label.pos)
			}
			if len(steps.Steps)+len(p.Steps) > jsonpath.MaxSteps {
				return nil, &Error{Kind: BadArgument, Pos: label.pos, Msg: "bad JSON path", Err: jsonpath.ErrLong}
			}
			if steps = steps.Then(p); i > 0 {
				continue
			}
			return c.constantPath(x, steps, b, isColumn)
		}
		if x, err = c.constantPath(x, steps, nil, isColumn); err != nil {
			return nil, err
		}
		x, steps, isColumn = computedPath(x, label, b), &jsonpath.Path{}, false
	}
	return x, nil
}

// constantPath compiles x -> path or x ->> path. Without an operator it is an inner part of a chain.
func (c *exprCompiler) constantPath(x *expr, p *jsonpath.Path, op *parser.Binary, isColumn bool) (*expr, error) {
	as, pos := asJSON, x.pos
	if op != nil {
		as, pos = arrowReading(op), op.Pos
	} else if len(p.Steps) == 0 {
		return x, nil
	}
	if b, ok := c.binder.(pathBinder); ok && isColumn {
		if y, err := b.path(x, p, as); y != nil || err != nil {
			return y, err
		}
	}
	y := &expr{typ: as.typ, nullable: true, pos: pos}
	y.eval = func(e *env) value.Value {
		doc, ok := document(e, x.eval(e), x.pos)
		if !ok {
			return null
		}
		return e.taken(as.value(p.ExtractFor(&e.Meter, doc)), doc)
	}
	return finish(y, x), nil
}

// A reading is what is made of the JSON that a path leads to.
type reading struct {
	typ   Type
	value func(jsonpath.Raw) value.Value
}

var (
	asJSON = reading{JSON, jsonpath.Raw.JSON} // ->
	asText = reading{Any, jsonpath.Raw.Text}  // ->>
	asSQL  = reading{Any, jsonpath.Raw.SQL}   // json_extract
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
	y.eval = func(e *env) value.Value {
		v := x.eval(e)
		l := label.eval(e)
		doc, ok := document(e, v, x.pos)
		if !ok || l.Kind == value.Null {
			return null
		}
		p, err := jsonpath.ParseLabel(l)
		if err != nil {
			return e.fail(badPath(l.Text(), label.pos))
		}
		return e.taken(as.value(p.ExtractFor(&e.Meter, doc)), doc)
	}
	return finish(y, x, label)
}
