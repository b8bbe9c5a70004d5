package expr

import (
	"unicode/utf8"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// like compiles x [NOT] LIKE pattern [ESCAPE escape], and ILIKE.
func (c *compiler) like(e *parser.Like) (*Expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	pattern, err := c.expr(e.Pattern)
	if err != nil {
		return nil, err
	}
	operands := []*Expr{x, pattern}
	if e.Escape != nil {
		escape, err := c.expr(e.Escape)
		if err != nil {
			return nil, err
		}
		operands = append(operands, escape)
	}
	return likeExpr(operands, e.Not, e.Fold, e.Pos)
}

// blobPattern stands for a pattern that is a blob. LIKE is about texts: a blob is like nothing and
// nothing is like a blob, not even NULL.
var blobPattern = &value.Like{Never: true}

// likeExpr compiles LIKE for x, a pattern and perhaps an escape character, or ILIKE.
func likeExpr(operands []*Expr, negate, fold bool, pos parser.Pos) (*Expr, error) {
	x := operands[0]
	if err := checkTagsPattern(x, operands[1]); err != nil {
		return nil, err
	}
	pattern, err := likePatternOf(operands[1:], fold, pos)
	if err != nil {
		return nil, err
	}
	y := &Expr{Type: value.Integer, Pos: pos}
	for _, o := range operands {
		y.Nullable = y.Nullable || o.Nullable
	}
	y.Test = func(e *Env) value.Truth {
		v := x.Eval(e)
		if v.Kind == value.Bytes {
			return value.TruthOf(negate)
		}
		p := pattern(e)
		switch {
		case p == blobPattern:
			return value.TruthOf(negate)
		case p == nil || v.Kind == value.Null:
			return value.Unknown
		}
		s := v.S
		if v.Kind < value.String {
			s = v.Text()
		}
		if !e.Effort(len(s)) {
			return value.Unknown
		}
		return value.TruthOf(p.Match(&e.Meter, s) != negate)
	}
	return finish(y, operands...), nil
}

// likePatternOf returns how to get the pattern; nil stands for NULL. What can be compiled early is.
func likePatternOf(
	operands []*Expr, fold bool, pos parser.Pos,
) (func(*Env) *value.Like, error) {
	compute := func(e *Env) *value.Like {
		p, err := likePatternFrom(e, operands, fold, pos)
		if err != nil {
			e.Fail(err)
		}
		return p
	}
	constant, known := true, true
	for _, o := range operands {
		constant, known = constant && o.Constant, known && o.fixed
	}
	if known && len(operands[0].value.S) <= foldText {
		p, err := likePatternFrom(folding(), operands, fold, pos)
		return func(*Env) *value.Like { return p }, err
	}
	if constant {
		return memoized(compute), nil
	}
	return compute, nil
}

func likePatternFrom(
	e *Env, operands []*Expr, fold bool, pos parser.Pos,
) (*value.Like, error) {
	escape := rune(-1)
	if len(operands) > 1 {
		v := operands[1].Eval(e)
		if v.Kind == value.Null {
			if operands[0].Eval(e).Kind == value.Bytes {
				return blobPattern, nil
			}
			return nil, nil
		}
		s := v.Text()
		if utf8.RuneCountInString(s) != 1 {
			return nil, &fault.Error{
				Kind: fault.BadArgument, Pos: operands[1].Pos, Msg: "ESCAPE takes a single character",
			}
		}
		escape, _ = utf8.DecodeRuneInString(s)
	}
	v := operands[0].Eval(e)
	switch v.Kind {
	case value.Null:
		return nil, nil
	case value.Bytes:
		return blobPattern, nil
	}
	s := v.Text()
	if len(s) > value.MaxPattern {
		return nil, longPattern(pos)
	}
	if !e.Effort(len(s)) {
		return nil, e.Err
	}
	p := value.CompileLike(s, escape)
	if fold {
		p = value.CompileILike(&e.Meter, s, escape)
	}
	if !e.Hold(len(s) + len(p.Parts)*value.LikePartSize) {
		return nil, e.Err
	}
	return &p, nil
}

func longPattern(pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadArgument, Pos: pos,
		Msg: "the pattern is longer than 50000 bytes"}
}
