package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The aggregates that give the value of one row. All can be computed in parts.
var valueAggregates = map[string]*aggregate{
	"min": {min: 1, max: 1, typ: argType, holds: true,
		step: stepMin, merge: mergeMin, final: finalValue},
	"max": {min: 1, max: 1, typ: argType, holds: true,
		step: stepMax, merge: mergeMax, final: finalValue},
	"first": {min: 1, max: 1, typ: argType, holds: true,
		step: stepFirst, merge: mergeFirst, final: finalValue, sorted: firstSorted},
	"last": {min: 1, max: 1, typ: argType, holds: true,
		step: stepLast, merge: mergeLast, final: finalValue, sorted: lastSorted},
	"max_by": {min: 2, max: 2, typ: argType, holds: true, extreme: greatest,
		step: stepExtreme, merge: mergeFirstSorted, final: finalKept},
	"min_by": {min: 2, max: 2, typ: argType, holds: true, extreme: least,
		step: stepExtreme, merge: mergeFirstSorted, final: finalKept},
}

// An extreme says whether the second argument of an aggregate tells which row's first it gives.
type extreme uint8

const (
	noExtreme extreme = iota
	greatest
	least
)

// FIRST and LAST with ORDER BY: of rows that are equal in the order, the first and the last.
var (
	firstSorted = &aggregate{typ: argType, holds: true,
		step: stepFirstSorted, merge: mergeFirstSorted, final: finalKept}
	lastSorted = &aggregate{typ: argType, holds: true,
		step: stepLastSorted, merge: mergeLastSorted, final: finalKept}
)

func stepMin(s *aggState, c *aggregateCall, v []value.Value) error {
	if s.n == 0 || value.Compare(v[0], s.value, c.collate) < 0 {
		s.set(v[0])
	}
	s.n++
	return nil
}

func stepMax(s *aggState, c *aggregateCall, v []value.Value) error {
	if s.n == 0 || value.Compare(v[0], s.value, c.collate) > 0 {
		s.set(v[0])
	}
	s.n++
	return nil
}

// set keeps a value. A text is copied, so that it does not keep alive the block it was read from.
func (s *aggState) set(v value.Value) {
	if v.S != "" {
		s.reuse(len(v.S))
		s.text = append(s.text, v.S...)
		v.S = value.StringOf(s.text)
	}
	s.value = v
}

// reuse empties the text, and gives up its room if that is much more than is needed.
func (s *aggState) reuse(need int) {
	if cap(s.text) > keptBytes && cap(s.text)/4 > need {
		s.text = nil
	}
	s.text = s.text[:0]
}

func mergeMin(s, after *aggState, c *aggregateCall) error {
	return mergeValue(s, after,
		func() bool { return value.Compare(after.value, s.value, c.collate) < 0 })
}

func mergeMax(s, after *aggState, c *aggregateCall) error {
	return mergeValue(s, after,
		func() bool { return value.Compare(after.value, s.value, c.collate) > 0 })
}

// mergeValue takes the later part's value if the earlier has none, or if it is better.
func mergeValue(s, after *aggState, better func() bool) error {
	if after.n > 0 && (s.n == 0 || better()) {
		s.value, s.text, s.held = after.value, after.text, after.held
	}
	s.n += after.n
	return nil
}

func stepFirst(s *aggState, _ *aggregateCall, v []value.Value) error {
	if s.n == 0 {
		s.set(v[0])
	}
	s.n++
	return nil
}

func stepLast(s *aggState, _ *aggregateCall, v []value.Value) error {
	s.set(v[0])
	s.n++
	return nil
}

func mergeFirst(s, after *aggState, _ *aggregateCall) error {
	return mergeValue(s, after, func() bool { return false })
}

func mergeLast(s, after *aggState, _ *aggregateCall) error {
	return mergeValue(s, after, func() bool { return true })
}

func finalValue(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	return s.value, nil
}

// stepExtreme keeps the row whose second argument is the greatest or the least, of equal ones the
// first. A row in which it is NULL does not count.
func stepExtreme(s *aggState, c *aggregateCall, v []value.Value) error {
	if v[1].IsNull() {
		return nil
	}
	return stepFirstSorted(s, c, v)
}

func stepFirstSorted(s *aggState, c *aggregateCall, v []value.Value) error {
	if s.n == 0 || compareKeys(c.order, v[c.keysAt:], s.held.rows[c.keysAt:]) < 0 {
		s.keepRow(v)
	}
	s.n++
	return nil
}

func stepLastSorted(s *aggState, c *aggregateCall, v []value.Value) error {
	if s.n == 0 || compareKeys(c.order, v[c.keysAt:], s.held.rows[c.keysAt:]) >= 0 {
		s.keepRow(v)
	}
	s.n++
	return nil
}

// keepRow keeps the values of a row in place of those of another.
func (s *aggState) keepRow(v []value.Value) {
	if s.held == nil {
		s.held = &heldRows{rows: make([]value.Value, len(v)),
			bytes: heldRowsSize + int64(len(v))*valueSize}
	}
	need := 0
	for i := range v {
		need += len(v[i].S)
	}
	s.reuse(need)
	if cap(s.text) < need {
		s.text = make([]byte, 0, need+need/4) // so that no part of it moves below
	}
	for i, x := range v {
		if x.S != "" {
			at := len(s.text)
			s.text = append(s.text, x.S...)
			x.S = value.StringOf(s.text[at:])
		}
		s.held.rows[i] = x
	}
}

func mergeFirstSorted(s, after *aggState, c *aggregateCall) error {
	return mergeValue(s, after, func() bool {
		return compareKeys(c.order, after.held.rows[c.keysAt:], s.held.rows[c.keysAt:]) < 0
	})
}

func mergeLastSorted(s, after *aggState, c *aggregateCall) error {
	return mergeValue(s, after, func() bool {
		return compareKeys(c.order, after.held.rows[c.keysAt:], s.held.rows[c.keysAt:]) >= 0
	})
}

// finalKept gives the first value of the row that is kept.
func finalKept(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	if s.n == 0 {
		return null, nil
	}
	return s.held.rows[0], nil
}
