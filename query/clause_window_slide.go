package query

import (
	"github.com/eventfold/eventfold/parser"
)

// aggregate computes an aggregate over every row's frame.
func (r *windowRun) aggregate() error {
	for i := range r.slides {
		r.slides[i].reset(0)
	}
	var seen stretches
	last := null
	for i := range r.rows {
		if now := r.stretches(i); i == 0 || now != seen {
			seen = now
			state, err := r.state(now)
			if err != nil {
				return err
			}
			v, err := r.call.agg.result(state, r.op.en)
			if err != nil {
				return err
			}
			if last, err = r.stays(state, v, last); err != nil {
				return err
			}
			r.op.en.Begin()
		}
		r.set(i, last)
		if err := r.check(i); err != nil {
			return err
		}
	}
	return nil
}

// merges reports whether states of parts of a frame can be put together, at a cost that does not
// grow with the parts.
func (c *aggregateCall) merges() bool { return c.inParts() && !c.def.grows }

// state returns the aggregate of the rows of the stretches. It lasts until the next call.
func (r *windowRun) state(now stretches) (*aggState, error) {
	call := r.call.agg
	if !call.merges() && r.call.frame.exclude != parser.ExcludeNoOthers {
		return r.slides[0].gather(now)
	}
	parts := r.parts[:0]
	for i := range now {
		s := &r.slides[i]
		if err := s.move(now[i]); err != nil {
			return nil, err
		}
		if s.lo < s.mid {
			parts = append(parts, &s.front[s.mid-1-s.lo])
		}
		if s.mid < s.hi {
			parts = append(parts, &s.back)
		}
	}
	switch len(parts) {
	case 0:
		r.sum = aggState{}
		return &r.sum, nil
	case 1:
		return parts[0], nil
	}
	r.sum = *parts[0]
	for _, part := range parts[1:] {
		if err := call.def.merge(&r.sum, part, call); err != nil {
			return nil, err
		}
	}
	return &r.sum, nil
}

// A slider is the aggregate of a stretch whose ends mostly move forward. It is a queue made of two
// stacks: what comes in at the end is added to one state; when what is in front has to go, there
// are states of the rest of the first stack already. So a row is added twice, however many frames
// it is in. An aggregate whose states cannot be merged is computed anew where a stretch begins later
// than the last one.
type slider struct {
	run *windowRun
	stretch
	mid   int        // where the second stack begins
	front []aggState // of the rows from mid-1-k to mid, by k; it may begin before lo
	back  aggState   // of the rows from mid to hi
	keep  *keeper
}

// move goes on to another stretch.
func (s *slider) move(to stretch) error {
	if to.lo == to.hi || to.lo < s.mid-len(s.front) || to.hi < s.hi || to.lo > s.hi {
		s.reset(to.lo)
	}
	if to.lo > s.mid || to.lo > s.lo && !s.run.call.agg.merges() {
		if err := s.turn(to); err != nil {
			return err
		}
	}
	s.lo = to.lo
	for ; s.hi < to.hi; s.hi++ {
		if err := s.add(&s.back, s.hi); err != nil {
			return err
		}
	}
	return nil
}

// reset makes the stretch empty.
func (s *slider) reset(at int) {
	clear(s.front)
	s.front, s.back = s.front[:0], aggState{}
	s.lo, s.mid, s.hi = at, at, at
	s.keep.release()
}

// turn makes states of all rows that are in the stretch to begin with, if they can be merged.
func (s *slider) turn(to stretch) error {
	s.reset(to.lo)
	call := s.run.call.agg
	if !call.merges() {
		return nil
	}
	for i := to.hi - 1; i >= to.lo; i-- {
		if err := s.keep.account(aggStateSize); err != nil {
			return err
		}
		n := len(s.front)
		s.front = append(s.front, aggState{})
		if err := s.add(&s.front[n], i); err != nil {
			return err
		}
		if n > 0 {
			before := s.front[n].sums()
			if err := call.def.merge(&s.front[n], &s.front[n-1], call); err != nil {
				return err
			}
			if err := s.keep.account(s.front[n].sums() - before); err != nil {
				return err
			}
		}
	}
	s.mid, s.hi = to.hi, to.hi
	return nil
}

// gather aggregates the rows of several stretches.
func (s *slider) gather(all stretches) (*aggState, error) {
	s.reset(0)
	for _, part := range all {
		for i := part.lo; i < part.hi; i++ {
			if err := s.add(&s.back, i); err != nil {
				return nil, err
			}
		}
	}
	return &s.back, nil
}

// add gives row i of the partition to a state.
func (s *slider) add(state *aggState, i int) error {
	r := s.run
	r.op.en.Row.Values = r.op.rows[r.rows[i]]
	if err := r.call.agg.add(state, r.op.en, s.keep, r.buf); err != nil {
		return err
	}
	r.op.en.Begin()
	r.steps++
	return r.check(r.steps)
}
