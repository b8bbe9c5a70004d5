package query

import (
	"math"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A rangeOffset is how far from the current row's value a RANGE reaches: a number, or an interval
// of time.
type rangeOffset struct {
	number   value.Value
	interval *value.Interval // nil for a number
	pos      parser.Pos
}

func newRangeOffset(v value.Value, pos parser.Pos) (rangeOffset, error) {
	o := rangeOffset{pos: pos}
	if n := value.AsNumber(v); n.Kind.IsNumber() && n.Real() >= 0 {
		o.number = n
		return o, nil
	}
	if v.Kind == value.String {
		iv, ok := value.ParseInterval(v.S)
		if ok && iv.Months >= 0 && iv.Micros >= 0 {
			o.interval = &iv
			return o, nil
		}
	}
	return o, errorf(BadValue, pos,
		"the offset of RANGE must be a number or an INTERVAL that is not negative, not '%s'",
		fault.Short(v.Text()))
}

func rangeOfTimes(pos parser.Pos) error {
	e := errorf(BadValue, pos, "RANGE over a time needs an INTERVAL")
	e.Hint = "write INTERVAL 1 DAY, or order by unixepoch(x)"
	return e
}

func rangeOfNumbers(pos parser.Pos) error {
	e := errorf(BadValue, pos, "RANGE with an INTERVAL needs a time in ORDER BY")
	e.Hint = "order by the time, or write a number"
	return e
}

// from returns the value that lies the offset after v, or before it with a negative sign. NULL is
// what no number is (infinity less infinity).
func (o *rangeOffset) from(v value.Value, sign int64) value.Value {
	switch {
	case o.interval != nil:
		iv := value.Interval{Months: sign * o.interval.Months, Micros: sign * o.interval.Micros}
		t := iv.AddTo(v.N)
		if t.Kind == value.Null { // beyond the times that have a text, and so beyond all
			return value.OfTime(sign * math.MaxInt64)
		}
		return t
	case sign < 0:
		return notBeyond(value.Sub.Apply(v, o.number), v, sign)
	}
	return notBeyond(value.Add.Apply(v, o.number), v, sign)
}

// notBeyond returns the value at an offset, or v itself if rounding has led to its other side, as it
// does between an integer above 2^53 and the real number next to it.
func notBeyond(at, v value.Value, sign int64) value.Value {
	if at.Kind != value.Null && int64(value.Compare(at, v, value.Binary))*sign < 0 {
		return v
	}
	return at
}

// rangeEdge returns the edge of a RANGE with an offset: the first row whose value is not before the
// one at the offset, or that is behind it. Beside a NULL, and beside what is no number, an offset
// means nothing: there the frame is of the rows that are equal, as in SQLite.
//
// The rows are looked for near the last edge, as edges mostly move forward. They need not: a month
// before the 30th of March at noon is earlier than one before the 31st in the morning.
func (r *windowRun) rangeEdge(e *edge, i int) int {
	key := &r.call.over.order[0]
	v := r.rangeValue(e, i)
	if v.Kind == value.Null || v.Kind != value.Time && !v.Kind.IsNumber() {
		p := r.peers(i)
		return [...]int{p.lo, p.hi}[e.behind]
	}
	sign := int64(1)
	if (e.kind == parser.Preceding) != key.desc {
		sign = -1
	}
	target := e.by.from(v, sign)
	if target.Kind == value.Null { // all numbers are within it
		target = value.OfReal(math.Inf(1))
		if key.desc == (e.behind == 1) {
			target = value.OfReal(math.Inf(-1))
		}
	}
	e.last = gallop(e.last, len(r.rows), func(j int) bool {
		c := key.compare(r.rangeValue(e, j), target)
		return c < 0 || c == 0 && e.behind == 1
	})
	return e.last
}

// rangeValue is the value of row i in the order of a RANGE with an offset. Beside an interval a
// text is the time that it is read as.
func (r *windowRun) rangeValue(e *edge, i int) value.Value {
	v := r.orderOf(r.rows[i])[0]
	if e.by.interval != nil {
		return value.AsTime(v)
	}
	return v
}

// gallop returns the first of n rows for which before does not hold, which holds for all rows in
// front of that one. It begins at a row that is near it.
func gallop(near, n int, before func(int) bool) int {
	lo, hi := 0, n // before holds for rows below lo, and not from hi on
	for step, at := 1, min(near, n); at > 0; step *= 2 {
		if before(at - 1) {
			lo = at
			break
		}
		hi = at - 1
		at = max(at-step, 0)
	}
	for step := 1; lo < hi; step *= 2 {
		at := min(lo+step, hi) - 1
		if !before(at) {
			hi = at
			break
		}
		lo = at + 1
	}
	for lo < hi {
		if mid := lo + (hi-lo)/2; before(mid) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// checkRange refuses values of the order to which the offset of a RANGE cannot be added.
func (r *windowRun) checkRange() error {
	for _, e := range []*edge{&r.start, &r.end} {
		if e.kind != parser.Preceding && e.kind != parser.Following {
			continue
		}
		check := e.by.checkNumber
		if e.by.interval != nil {
			check = (&timesInOrder{key: &r.call.over.order[0], pos: e.by.pos}).check
		}
		for i := range r.rows {
			if err := check(r.orderOf(r.rows[i])[0]); err != nil {
				return err
			}
			if err := r.check(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *rangeOffset) checkNumber(v value.Value) error {
	if v.Kind == value.Time {
		return rangeOfTimes(o.pos)
	}
	return nil
}

// timesInOrder checks that the values of an order are times, one after the other. Texts that are
// times may have another order than what they mean.
type timesInOrder struct {
	key  *sortKey
	pos  parser.Pos
	last value.Value
}

func (t *timesInOrder) check(v value.Value) error {
	at := value.AsTime(v)
	switch {
	case v.Kind == value.Null:
		return nil
	case at.Kind != value.Time && v.Kind == value.String:
		return errorf(BadValue, t.pos,
			"RANGE with an INTERVAL needs times in ORDER BY, and '%s' is none", fault.Short(v.S))
	case at.Kind != value.Time:
		return rangeOfNumbers(t.pos)
	case t.last.Kind == value.Time && t.key.compare(t.last, at) > 0:
		e := errorf(BadValue, t.pos, "the texts of ORDER BY are not in the order of the times that they mean")
		e.Hint = "order by timestamp(x)"
		return e
	}
	t.last = at
	return nil
}
