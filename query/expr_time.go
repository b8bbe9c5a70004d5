package query

import (
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
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

func (k Kind) isNumber() bool { return k == Int || k == Float }

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
	y.eval = func(e *env) Value {
		v := eval(e)
		if v.kind == Time {
			return e.fail(timeAsNumber(x.pos))
		}
		return v
	}
	return &y, nil
}

// timeDifference compiles l - r, of which at least one is a time: the seconds from r to l, with a fraction. A text beside a time is read as
// in a comparison; one that comes from a row and is no time gives NULL.
func (c *compiler) timeDifference(l, r *expr, pos parser.Pos) (*expr, error) {
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
	x.eval = func(e *env) Value { return difference(left(e), right(e)) }
	return finish(x, l, r), nil
}

// difference is the seconds from b to a, NULL unless both are times.
func difference(a, b Value) Value {
	if a.kind != Time || b.kind != Time {
		return null
	}
	return realValue(float64(a.n-b.n) / float64(second))
}

// computeTimes computes a op b where at least one value is a time, which the static types did not tell.
func computeTimes(e *env, op parser.Op, a, b Value, pos parser.Pos) Value {
	switch {
	case a.kind == Null || b.kind == Null:
		return null
	case op != parser.OpSub || a.kind.isNumber() || b.kind.isNumber():
		return e.fail(timeAsNumber(pos))
	}
	return difference(timeAffinity(a), timeAffinity(b))
}

// compareTimes compares a time with a value of another kind, which the static types did not tell.
func compareTimes(e *env, rel relation, a, b Value, coll collation, pos parser.Pos) truth {
	if a.kind.isNumber() || b.kind.isNumber() {
		e.fail(timeBesideNumber(pos))
		return unknown
	}
	return rel.holds(compareValues(readTime(a, coll), readTime(b, coll), coll))
}

// readTime is what a value is beside a time: a text that holds a time is that time. Spaces at its end do not matter where the
// collation takes texts with and without them for the same.
func readTime(v Value, coll collation) Value {
	if v.kind == String && coll == collRtrim {
		v.s = strings.TrimRight(v.s, " ")
	}
	return timeAffinity(v)
}

// besideTimes is the list as it is compared among itself: beside a time, texts are read as times and numbers are errors.
func (c *compiler) besideTimes(list []*expr) ([]*expr, error) {
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
func (c *compiler) tagsOperand(x *expr) error {
	check := func(v Value) error {
		if v.kind != String && v.kind != Bytes || strings.HasPrefix(v.s, "[") && engine.ValidJSON(bytesOf(v.s)) {
			return nil
		}
		return noTags(v.s, x.pos)
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
		Hint: "write HAS(tags, " + quoteSQL(textValue(text)) + ")"}
}

// checkTagsPattern refuses a LIKE pattern that no JSON array is like.
func checkTagsPattern(x, pattern *expr) error {
	if !x.tags || !pattern.fixed || pattern.value.kind != String || pattern.value.s != "" && strings.IndexByte("[%_", pattern.value.s[0]) >= 0 {
		return nil
	}
	return noTags(strings.Trim(pattern.value.s, "%_"), pattern.pos)
}
