package query

import (
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A time is what the kind of its value says, not where it stands: it stays one through sub-queries, CTEs, CASE, COALESCE, MIN, MAX and
// LAG. Where the static type tells, the mistakes below are found when the statement is prepared, otherwise when it runs. Texts that hold a
// time, such as those of JSON, are texts, except beside a time, where they are read.

// timeAsNumber is the error for a time that is computed with.
func timeAsNumber(pos parser.Pos) error {
	return &Error{Kind: BadValue, Pos: pos, Msg: "a time is not a number; only the difference of two times is one, in seconds",
		Hint: "write x + INTERVAL n unit for a later time, unixepoch(x) for its number"}
}

// timeBesideNumber is the error for a time that is compared with a number.
func timeBesideNumber(pos parser.Pos) error {
	return &Error{Kind: BadValue, Pos: pos, Msg: "a time cannot be compared with a number",
		Hint: "write from_unixtime(n) for the time n seconds after 1970, unixepoch(x) for the number of a time"}
}

func (t Type) isNumber() bool { return t == Integer || t == Real }

// numberOperand is x as the operand of something that takes numbers: a time is an error.
func numberOperand(x *expr) (*expr, error) {
	if x.isTime() {
		return nil, timeAsNumber(x.pos)
	}
	if x.typ != Any || x.fixed {
		return x, nil
	}
	y, eval := *x, x.eval
	y.test = nil
	y.eval = func(e *env) value.Value {
		v := eval(e)
		if v.Kind == value.Time {
			return e.fail(timeAsNumber(x.pos))
		}
		return v
	}
	return &y, nil
}

// timeDifference compiles l - r, of which at least one is a time: the seconds from r to l, with a fraction. A text beside a time is read as
// in a comparison; one that comes from a row and is no time gives NULL.
func (c *exprCompiler) timeDifference(l, r *expr, pos parser.Pos) (*expr, error) {
	x := &expr{typ: Real, nullable: l.nullable || r.nullable || !l.isTime() || !r.isTime(), pos: pos}
	sides := []*expr{l, r}
	for i, side := range sides {
		if side.isTime() {
			continue
		}
		if side.typ.isNumber() {
			return nil, timeAsNumber(pos)
		}
		var err error
		if sides[i], err = c.readAsTime(side, func() error { return timeAsNumber(pos) }); err != nil {
			return nil, err
		}
	}
	left, right := sides[0].eval, sides[1].eval
	x.eval = func(e *env) value.Value { return difference(left(e), right(e)) }
	return finish(x, l, r), nil
}

// difference is the seconds from b to a, NULL unless both are times.
func difference(a, b value.Value) value.Value {
	if a.Kind != value.Time || b.Kind != value.Time {
		return null
	}
	return value.OfReal(float64(a.N-b.N) / float64(value.Second))
}

// computeTimes computes a op b where at least one value is a time, which the static types did not tell.
func computeTimes(e *env, op parser.Op, a, b value.Value, pos parser.Pos) value.Value {
	switch {
	case a.Kind == value.Null || b.Kind == value.Null:
		return null
	case op != parser.OpSub || a.Kind.IsNumber() || b.Kind.IsNumber():
		return e.fail(timeAsNumber(pos))
	}
	return difference(value.AsTime(a), value.AsTime(b))
}

// compareTimes compares a time with a value of another kind, which the static types did not tell.
func compareTimes(e *env, rel value.Comparison, a, b value.Value, coll value.Collation, pos parser.Pos) value.Truth {
	if a.Kind.IsNumber() || b.Kind.IsNumber() {
		e.fail(timeBesideNumber(pos))
		return value.Unknown
	}
	return rel.Holds(value.Compare(value.AsTime(a), value.AsTime(b), coll))
}

// besideTimes is the list as it is compared among itself: beside a time, texts are read as times and numbers are errors.
func (c *exprCompiler) besideTimes(list []*expr) ([]*expr, error) {
	times := 0
	for _, x := range list {
		if x.isTime() {
			times++
		}
	}
	if times == 0 || times == len(list) {
		return list, nil
	}
	out := make([]*expr, len(list))
	for i, x := range list {
		out[i] = x
		if x.isTime() {
			continue
		}
		var err error
		if out[i], err = c.timeOperand(x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tagsOperand checks what the column tags is compared with, as a whole: a text that is no JSON array equals no tags. It is an error, since
// whoever writes it means HAS.
func (c *exprCompiler) tagsOperand(x *expr) error {
	check := func(v value.Value) error {
		if v.Kind != value.String && v.Kind != value.Bytes || strings.HasPrefix(v.S, "[") && engine.ValidJSON(value.BytesOf(v.S)) {
			return nil
		}
		return noTags(v.S, x.pos)
	}
	if x.fixed {
		return check(x.value)
	}
	if b, ok := c.binder.(bindChecker); ok && x.constant {
		b.atBind(x.checkEach(func(e *env) error {
			v := x.eval(e)
			if e.err != nil {
				return e.err
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
	return &Error{Kind: BadValue, Pos: pos, Msg: "tags is a JSON array, which is never like this text",
		Hint: "write HAS(tags, " + value.QuoteSQL(value.OfText(text)) + ")"}
}

// checkTagsPattern refuses a LIKE pattern that no JSON array is like.
func checkTagsPattern(x, pattern *expr) error {
	if !x.tags || !pattern.fixed || pattern.value.Kind != value.String || pattern.value.S != "" && strings.IndexByte("[%_", pattern.value.S[0]) >= 0 {
		return nil
	}
	return noTags(strings.Trim(pattern.value.S, "%_"), pattern.pos)
}

func noTime(v value.Value, pos parser.Pos) error {
	s := v.Text()
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return &Error{Kind: BadValue, Pos: pos, Msg: strconv.Quote(s) + " is no time", Hint: "write it as '2026-01-02', '2026-01-02 03:04:05' or '2026-01-02T03:04:05.123456Z'"}
}

// checkTimeLiteral refuses a literal text that is no time, and a literal blob.
func checkTimeLiteral(x *expr) error {
	if x.fixed && (x.value.Kind == value.String || x.value.Kind == value.Bytes) {
		if _, ok := value.ParseTime(x.value.S); !ok || x.value.Kind == value.Bytes {
			return noTime(x.value, x.pos)
		}
	}
	return nil
}

// timeOperand is what x becomes when it is compared with a time. A text that is no time is an error: of the statement
// if it is a literal, of the execution if it is a parameter or computed from one, and none if it comes from a row.
// A number is an error wherever it comes from.
func (c *exprCompiler) timeOperand(x *expr) (*expr, error) {
	if x.typ.isNumber() {
		return nil, timeBesideNumber(x.pos)
	}
	return c.readAsTime(x, func() error { return timeBesideNumber(x.pos) })
}

// readAsTime is x with its texts read as times; number makes the error for a number.
func (c *exprCompiler) readAsTime(x *expr, number func() error) (*expr, error) {
	if err := checkTimeLiteral(x); err != nil {
		return nil, err
	}
	eval := x.eval
	y := *x
	y.test, y.param = nil, 0
	if x.fixed {
		y.value = value.AsTime(x.value)
		v := y.value
		y.eval = func(*env) value.Value { return v }
		return &y, nil
	}
	y.eval = func(e *env) value.Value {
		v := eval(e)
		if v.Kind.IsNumber() {
			return e.fail(number())
		}
		return value.AsTime(v)
	}
	if !x.constant {
		return &y, nil
	}
	read := y.eval
	y.eval = memoized(func(e *env) value.Value {
		v := read(e)
		if v.Kind == value.String || v.Kind == value.Bytes {
			return e.fail(noTime(v, x.pos))
		}
		return v
	})
	if b, ok := c.binder.(bindChecker); ok {
		b.atBind(x.checkEach(func(e *env) error {
			y.eval(e)
			return e.err
		}))
	}
	return &y, nil
}
