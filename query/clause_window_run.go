package query

import (
	"unsafe"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A windowRun computes one function, partition after partition.
type windowRun struct {
	*partition
	call       *windowCall
	start, end edge
	ranged     bool // the frame is a RANGE with an offset

	// Of an aggregate.
	slides [len(stretches{})]slider
	parts  [2 * len(stretches{})]*aggState // room for the states of a frame's parts,
	sum    aggState                        // and for all of them together
	buf    []value.Value                   // room for arguments
	steps  int                             // rows given to states
	shared *byte                           // the text of a state that results share

	present []int // of a function with IGNORE NULLS: the rows where its argument is not NULL
	room    int   // of present, accounted for
}

func newWindowRun(p *partition, call *windowCall) (*windowRun, error) {
	r := &windowRun{partition: p, call: call}
	var err error
	if r.start, err = r.newEdge(call.frame.start, 0); err != nil {
		return nil, err
	}
	if r.end, err = r.newEdge(call.frame.end, 1); err != nil {
		return nil, err
	}
	for _, b := range []frameBound{call.frame.start, call.frame.end} {
		r.ranged = r.ranged || b.offset != nil && call.frame.unit == parser.FrameRange
	}
	if call.agg != nil {
		r.buf = make([]value.Value, len(call.agg.args))
		for i := range r.slides {
			r.slides[i] = slider{run: r, keep: newKeeper(p.op.keep.budget, "OVER")}
		}
	}
	return r, nil
}

// close gives back what the run holds.
func (r *windowRun) close() {
	for i := range r.slides {
		if s := &r.slides[i]; s.keep != nil {
			s.keep.release()
		}
	}
}

// compute computes the function for the rows of the partition.
func (r *windowRun) compute() error {
	r.start.last, r.end.last = 0, 0
	if r.call.frame.grouped() || r.call.fn != nil && r.call.fn.groups {
		if err := r.findGroups(); err != nil {
			return err
		}
	}
	if r.ranged {
		if err := r.checkRange(); err != nil {
			return err
		}
	}
	if r.call.fn != nil {
		return r.call.fn.compute(r)
	}
	return r.aggregate()
}

// set gives row i of the partition its result.
func (r *windowRun) set(i int, v value.Value) { r.op.rows[r.rows[i]][r.call.slot] = v }

// stays returns the result of a state as a value that stays what it is when the state changes. Rows
// that follow each other often have the same.
func (r *windowRun) stays(s *aggState, v, last value.Value) (value.Value, error) {
	switch {
	case v.S == "":
		return v, nil
	case r.call.agg.def.grows && isTextOf(s, v): // which is never written to where it was given out
		if at := unsafe.SliceData(s.text); r.shared != at {
			r.shared = at
			return v, r.op.keep.account(s.size())
		}
		return v, nil
	case v.S == last.S:
		v.S = last.S
		return v, nil
	}
	return r.op.keep.value(v)
}

// isTextOf reports whether a value is the text of a state, all of it and in its place.
func isTextOf(s *aggState, v value.Value) bool {
	return len(v.S) == len(s.text) && unsafe.StringData(v.S) == unsafe.SliceData(s.text)
}
