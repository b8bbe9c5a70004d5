package expr

import (
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A time is what the kind of its value says, not where it stands: it stays one through sub-queries,
// CTEs, CASE, COALESCE, MIN, MAX and LAG. Where the static type tells, the mistakes below are found
// when the statement is prepared, otherwise when it runs. Texts that hold a time, such as those of
// JSON, are texts, except beside a time, where they are read.

// ErrTimeAsNumber is the error for a time that is computed with.
func ErrTimeAsNumber(pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadValue, Pos: pos,
		Msg:  "a time is not a number; only the difference of two times is one, in seconds",
		Hint: "write x + INTERVAL n unit for a later time, unixepoch(x) for its number"}
}

// ErrTimeBesideNumber is the error for a time that is compared with a number.
func ErrTimeBesideNumber(pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadValue, Pos: pos, Msg: "a time cannot be compared with a number",
		Hint: "write from_unixtime(n) for the time n seconds after 1970, unixepoch(x) for the number of a time"}
}

// numberOperand is x as the operand of something that takes numbers: a time is an error.
func numberOperand(x *Expr) (*Expr, error) {
	if x.IsTime() {
		return nil, ErrTimeAsNumber(x.Pos)
	}
	if x.Type != value.Any || x.fixed {
		return x, nil
	}
	y, eval := *x, x.Eval
	y.Test = nil
	y.Eval = func(e *Env) value.Value {
		v := eval(e)
		if v.Kind == value.Time {
			return e.Fail(ErrTimeAsNumber(x.Pos))
		}
		return v
	}
	return &y, nil
}

// timeDifference compiles l - r, of which at least one is a time: the seconds from r to l, with a
// fraction. A text beside a time is read as in a comparison; one that comes from a row and is no
// time gives NULL.
func (c *compiler) timeDifference(l, r *Expr, pos parser.Pos) (*Expr, error) {
	x := &Expr{
		Type: value.Real, Nullable: l.Nullable || r.Nullable || !l.IsTime() || !r.IsTime(), Pos: pos,
	}
	sides := []*Expr{l, r}
	for i, side := range sides {
		if side.IsTime() {
			continue
		}
		if side.Type.IsNumber() {
			return nil, ErrTimeAsNumber(pos)
		}
		var err error
		if sides[i], err = c.readAsTime(side, func() error { return ErrTimeAsNumber(pos) }); err != nil {
			return nil, err
		}
	}
	left, right := sides[0].Eval, sides[1].Eval
	x.Eval = func(e *Env) value.Value { return difference(left(e), right(e)) }
	return finish(x, l, r), nil
}

// difference is the seconds from b to a, NULL unless both are times.
func difference(a, b value.Value) value.Value {
	if a.Kind != value.Time || b.Kind != value.Time {
		return null
	}
	return value.OfReal(float64(a.N-b.N) / float64(value.Second))
}

// computeTimes computes a op b where at least one value is a time, which the static types did not
// tell.
func computeTimes(e *Env, op parser.Op, a, b value.Value, pos parser.Pos) value.Value {
	switch {
	case a.Kind == value.Null || b.Kind == value.Null:
		return null
	case op != parser.OpSub || a.Kind.IsNumber() || b.Kind.IsNumber():
		return e.Fail(ErrTimeAsNumber(pos))
	}
	return difference(value.AsTime(a), value.AsTime(b))
}

// compareTimes compares a time with a value of another kind, which the static types did not tell.
func compareTimes(
	e *Env, rel value.Comparison, a, b value.Value, coll value.Collation, pos parser.Pos,
) value.Truth {
	if a.Kind.IsNumber() || b.Kind.IsNumber() {
		e.Fail(ErrTimeBesideNumber(pos))
		return value.Unknown
	}
	return rel.Holds(value.Compare(value.BesideTime(a, coll), value.BesideTime(b, coll), coll))
}

// besideTimes is the list as it is compared among itself: beside a time, texts are read as times
// and numbers are errors.
func (c *compiler) besideTimes(list []*Expr) ([]*Expr, error) {
	times := 0
	for _, x := range list {
		if x.IsTime() {
			times++
		}
	}
	if times == 0 || times == len(list) {
		return list, nil
	}
	out := make([]*Expr, len(list))
	for i, x := range list {
		out[i] = x
		if x.IsTime() {
			continue
		}
		var err error
		if out[i], err = c.timeOperand(x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tagsOperand checks what the column tags is compared with, as a whole: a text that is no JSON
// array equals no tags. It is an error, since whoever writes it means HAS.
func (c *compiler) tagsOperand(x *Expr) error {
	check := func(v value.Value) error {
		if v.Kind != value.String && v.Kind != value.Bytes || strings.HasPrefix(v.S, "[") &&
			engine.ValidJSON(value.BytesOf(v.S)) {
			return nil
		}
		return noTags(v.S, x.Pos)
	}
	if x.fixed {
		return check(x.value)
	}
	if b, ok := c.binder.(BindChecker); ok && x.Constant {
		b.AtBind(x.checkEach(func(e *Env) error {
			v := x.Eval(e)
			if e.Err != nil {
				return e.Err
			}
			return check(v)
		}))
	}
	return nil
}

func noTags(text string, pos parser.Pos) error {
	if len(text) > 40 {
		text = "..."
	}
	return &fault.Error{Kind: fault.BadValue, Pos: pos,
		Msg:  "tags is a JSON array, which is never like this text",
		Hint: "write HAS(tags, " + value.QuoteSQL(value.OfText(text)) + ")"}
}

// checkTagsPattern refuses a LIKE pattern that no JSON array is like.
func checkTagsPattern(x, pattern *Expr) error {
	if !x.Tags || !pattern.fixed || pattern.value.Kind != value.String || pattern.value.S != "" &&
		strings.IndexByte("[%_", pattern.value.S[0]) >= 0 {
		return nil
	}
	return noTags(strings.Trim(pattern.value.S, "%_"), pattern.Pos)
}

func noTime(v value.Value, pos parser.Pos) error {
	s := v.Text()
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return &fault.Error{Kind: fault.BadValue, Pos: pos, Msg: strconv.Quote(s) + " is no time",
		Hint: "write it as '2026-01-02', '2026-01-02 03:04:05' or '2026-01-02T03:04:05.123456Z'"}
}

// checkTimeLiteral refuses a literal text that is no time, and a literal blob.
func checkTimeLiteral(x *Expr) error {
	if x.fixed && (x.value.Kind == value.String || x.value.Kind == value.Bytes) {
		if _, ok := value.ParseTime(x.value.S); !ok || x.value.Kind == value.Bytes {
			return noTime(x.value, x.Pos)
		}
	}
	return nil
}

// timeOperand is what x becomes when it is compared with a time. A text that is no time is an
// error: of the statement if it is a literal, of the execution if it is a parameter or computed
// from one, and none if it comes from a row. A number is an error wherever it comes from.
func (c *compiler) timeOperand(x *Expr) (*Expr, error) {
	if x.Type.IsNumber() {
		return nil, ErrTimeBesideNumber(x.Pos)
	}
	return c.readAsTime(x, func() error { return ErrTimeBesideNumber(x.Pos) })
}

// readAsTime is x with its texts read as times; number makes the error for a number.
func (c *compiler) readAsTime(x *Expr, number func() error) (*Expr, error) {
	if err := checkTimeLiteral(x); err != nil {
		return nil, err
	}
	eval := x.Eval
	y := *x
	y.Test, y.param = nil, 0
	if x.fixed {
		y.value = value.AsTime(x.value)
		v := y.value
		y.Eval = func(*Env) value.Value { return v }
		return &y, nil
	}
	y.Eval = func(e *Env) value.Value {
		v := eval(e)
		if v.Kind.IsNumber() {
			return e.Fail(number())
		}
		return value.AsTime(v)
	}
	if !x.Constant {
		return &y, nil
	}
	read := y.Eval
	y.Eval = memoized(func(e *Env) value.Value {
		v := read(e)
		if v.Kind == value.String || v.Kind == value.Bytes {
			return e.Fail(noTime(v, x.Pos))
		}
		return v
	})
	if b, ok := c.binder.(BindChecker); ok {
		b.AtBind(x.checkEach(func(e *Env) error {
			y.Eval(e)
			return e.Err
		}))
	}
	return &y, nil
}
