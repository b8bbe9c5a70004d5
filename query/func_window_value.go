package query

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/query/internal/value"
)

func windowLag(r *windowRun) error { return r.shift(-1) }

func windowLead(r *windowRun) error { return r.shift(1) }

// shift gives every row the value of the row that is so many rows before or after it in the
// partition, of those whose value is not NULL with IGNORE NULLS.
func (r *windowRun) shift(sign int64) error {
	held := int64(len(r.rows)) * valueSize
	if err := r.keep.account(held); err != nil {
		return err
	}
	defer r.keep.drop(held)
	values := make([]value.Value, len(r.rows))
	for i := range r.rows {
		values[i] = r.eval(r.call.args[0], i)
		if err := r.check(i); err != nil {
			return err
		}
	}
	if r.call.ignoreNulls {
		if err := r.findPresent(func(i int) value.Value { return values[i] }); err != nil {
			return err
		}
	}
	for i := range r.rows {
		if err := r.check(i); err != nil {
			return err
		}
		by, err := r.shiftOf(i)
		if err != nil {
			return err
		}
		switch at := r.shifted(i, sign*by); {
		case at >= 0 && at < int64(len(values)):
			r.set(i, values[at])
		case len(r.call.args) == 3:
			r.set(i, r.eval(r.call.args[2], i))
		default:
			r.set(i, null)
		}
	}
	return r.op.en.Err
}

// shiftOf returns the second argument of LAG and LEAD, 1 without one.
func (r *windowRun) shiftOf(i int) (int64, error) {
	if len(r.call.args) < 2 {
		return 1, nil
	}
	by := value.AsNumber(r.eval(r.call.args[1], i))
	if by.Kind != value.Int {
		return 0, errorf(BadValue, r.call.pos,
			"the offset of %s() must be an integer", strings.ToUpper(r.call.name))
	}
	return by.N, nil
}

// shifted returns the row that is so many rows behind row i, which may lie outside of the
// partition.
func (r *windowRun) shifted(i int, by int64) int64 {
	n := int64(len(r.rows))
	by = min(max(by, -n), n)
	if !r.call.ignoreNulls || by == 0 {
		return int64(i) + by
	}
	at, found := slices.BinarySearch(r.present, i) // the first that is not before row i
	to := int64(at) + by
	if by > 0 && !found {
		to--
	}
	if to < 0 || to >= int64(len(r.present)) {
		return -1
	}
	return int64(r.present[to])
}

// findPresent finds the rows of the partition whose value is not NULL.
func (r *windowRun) findPresent(of func(i int) value.Value) error {
	r.present = r.present[:0]
	for i := range r.rows {
		if of(i).Kind != value.Null {
			r.present = append(r.present, i)
		}
		if err := r.check(i); err != nil {
			return err
		}
	}
	more := cap(r.present) - r.room
	r.room += more
	return r.keep.account(8 * int64(more))
}

func windowFirstValue(r *windowRun) error {
	return r.pick(func(_ int, s stretches) (int, error) { return s.nth(0), nil })
}

func windowLastValue(r *windowRun) error {
	return r.pick(func(_ int, s stretches) (int, error) { return s.last(), nil })
}

func windowNthValue(r *windowRun) error {
	return r.pick(func(i int, s stretches) (int, error) {
		n, err := r.positive(1, i)
		return s.nth(n - 1), err
	})
}

// nth returns the row of the stretches before which there are n, -1 if there are not so many.
func (s *stretches) nth(n int64) int {
	for _, part := range s {
		size := int64(part.hi - part.lo)
		if n < size {
			return part.lo + int(n)
		}
		n -= size
	}
	return -1
}

// last returns the last row of the stretches, -1 if there is none.
func (s *stretches) last() int {
	for _, part := range slices.Backward(s[:]) {
		if part.lo < part.hi {
			return part.hi - 1
		}
	}
	return -1
}

// pick gives every row the value of one row of its frame, NULL for -1. With IGNORE NULLS the rows
// of the frame are those whose value is not NULL.
func (r *windowRun) pick(which func(i int, s stretches) (int, error)) error {
	x := r.call.args[0]
	if r.call.ignoreNulls {
		if err := r.findPresent(func(i int) value.Value { return r.eval(x, i) }); err != nil {
			return err
		}
	}
	last, v := -1, null
	for i := range r.rows {
		at, err := which(i, r.presentOf(r.stretches(i)))
		if err != nil {
			return err
		}
		if at >= 0 && r.call.ignoreNulls {
			at = r.present[at]
		}
		if at != last {
			last, v = at, null
			if at >= 0 {
				v = r.eval(x, at)
			}
		}
		r.set(i, v)
		if err := r.check(i); err != nil {
			return err
		}
	}
	return r.op.en.Err
}

// presentOf turns stretches of rows into those of present with IGNORE NULLS.
func (r *windowRun) presentOf(s stretches) stretches {
	if r.call.ignoreNulls {
		for i := range s {
			s[i].lo, _ = slices.BinarySearch(r.present, s[i].lo)
			s[i].hi, _ = slices.BinarySearch(r.present, s[i].hi)
		}
	}
	return s
}

// positive evaluates an argument on row i, which must be a positive integer.
func (r *windowRun) positive(arg, i int) (int64, error) {
	v := value.AsNumber(r.eval(r.call.args[arg], i))
	if r.op.en.Err != nil {
		return 0, r.op.en.Err
	}
	if v.Kind == value.Float {
		if n, whole := value.IsInt(v.F); whole {
			v = value.OfInt(n)
		}
	}
	if v.Kind != value.Int || v.N < 1 {
		return 0, errorf(BadValue, r.call.args[arg].Pos, "%s() takes a positive integer here",
			strings.ToUpper(r.call.name))
	}
	return v.N, nil
}
