package expr

import (
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

func malformedJSON(pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadValue, Pos: pos, Msg: "malformed JSON"}
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
	return &fault.Error{
		Kind: fault.BadArgument, Pos: pos, Msg: "bad JSON path " + strconv.Quote(path), Err: err,
	}
}

// document returns v as a JSON document; ok is false if there is none: v is NULL or a blob that is
// not JSON, as a payload may be. A text that is not known to be JSON is checked, and an error if it
// is neither JSON nor JSON5, of which the document is the JSON that it means.
func document(e *Env, v value.Value, pos parser.Pos) (doc string, ok bool) {
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
		e.Fail(malformedJSON(pos))
	}
	return s, ok
}

// fromJSON5 returns JSON5 as JSON; ok is false if it is neither, or if it is longer than a text may
// be.
func fromJSON5(e *Env, s string) (doc string, ok bool) {
	out, ok := jsonpath.FromJSON5(&e.Meter, s)
	return value.StringOf(out), ok
}

// arrow compiles chains of -> and ->>. Constant steps that follow each other become one path.
func (c *compiler) arrow(e *parser.Binary) (*Expr, error) {
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
				return nil, badPath(label.value.Text(), label.Pos)
			}
			if len(steps.Steps)+len(p.Steps) > jsonpath.MaxSteps {
				return nil, &fault.Error{
					Kind: fault.BadArgument, Pos: label.Pos, Msg: "bad JSON path", Err: jsonpath.ErrLong,
				}
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

// constantPath compiles x -> path or x ->> path. Without an operator it is an inner part of a
// chain.
func (c *compiler) constantPath(
	x *Expr, p *jsonpath.Path, op *parser.Binary, isColumn bool,
) (*Expr, error) {
	as, pos := asJSON, x.Pos
	if op != nil {
		as, pos = arrowReading(op), op.Pos
	} else if len(p.Steps) == 0 {
		return x, nil
	}
	if b, ok := c.binder.(PathBinder); ok && isColumn {
		if y, err := b.Path(x, p, as); y != nil || err != nil {
			return y, err
		}
	}
	y := &Expr{Type: as.Type, Nullable: true, Pos: pos}
	y.Eval = func(e *Env) value.Value {
		doc, ok := document(e, x.Eval(e), x.Pos)
		if !ok {
			return null
		}
		return e.Taken(as.Value(e.extract(p, doc)), doc)
	}
	return finish(y, x), nil
}

// extract returns what a path leads to; with [*] an array of all of it, which is made.
func (e *Env) extract(p *jsonpath.Path, doc string) jsonpath.Raw {
	if !p.Many() {
		return p.ExtractFor(&e.Meter, doc)
	}
	t := textMaker{e: e, b: []byte{'['}}
	p.Each(&e.Meter, doc, func(r jsonpath.Raw) bool {
		if !t.fits(len(r) + 1) {
			return false
		}
		if t.grow(len(r) + 1); len(t.b) > 1 {
			t.b = append(t.b, ',')
		}
		t.b = append(t.b, jsonpath.Compact(string(r))...)
		return true
	})
	if e.Err != nil {
		return ""
	}
	return jsonpath.Raw(value.StringOf(append(t.b, ']')))
}

// A Reading is what is made of the JSON that a path leads to.
type Reading struct {
	Type  value.Type
	Value func(jsonpath.Raw) value.Value
}

var (
	asJSON = Reading{value.JSON, jsonpath.Raw.JSON} // ->
	asText = Reading{value.Any, jsonpath.Raw.Text}  // ->>
	asSQL  = Reading{value.Any, jsonpath.Raw.SQL}   // json_extract
)

func arrowReading(op *parser.Binary) Reading {
	if op.Op == parser.OpArrowText {
		return asText
	}
	return asJSON
}

// computedPath compiles x -> label for a label that is not known now.
func computedPath(x, label *Expr, op *parser.Binary) *Expr {
	as := arrowReading(op)
	y := &Expr{Type: as.Type, Nullable: true, Pos: op.Pos}
	y.Eval = func(e *Env) value.Value {
		v := x.Eval(e)
		l := label.Eval(e)
		doc, ok := document(e, v, x.Pos)
		if !ok || l.Kind == value.Null {
			return null
		}
		p, err := jsonpath.ParseLabel(l)
		if err != nil {
			return e.Fail(badPath(l.Text(), label.Pos))
		}
		return e.Taken(as.Value(e.extract(p, doc)), doc)
	}
	return finish(y, x, label)
}
