package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A frame tells which rows of the partition a function sees, relative to the current row.
type frame struct {
	unit       parser.FrameUnit
	start, end frameBound
	exclude    parser.Exclusion
}

type frameBound struct {
	kind   parser.BoundKind
	offset *expr.Expr // for Preceding and Following
}

// defaultFrame is from the first row of the partition to the last one that is equal to the current.
var defaultFrame = frame{
	start: frameBound{kind: parser.UnboundedPreceding}, end: frameBound{kind: parser.CurrentRow},
}

// grouped tells whether the frame asks which rows are equal in the order.
func (f *frame) grouped() bool {
	return f.unit != parser.FrameRows || f.exclude >= parser.ExcludeGroup
}

// compileFrame compiles the frame of a window with an order.
func (s *clauseScope) compileFrame(w *parser.Window, order []sortKey) (frame, error) {
	if w.Frame == nil {
		return defaultFrame, nil
	}
	f := frame{unit: w.Frame.Unit, exclude: w.Frame.Exclude}
	for _, b := range []struct {
		from parser.Bound
		to   *frameBound
	}{{w.Frame.Start, &f.start}, {w.Frame.End, &f.end}} {
		b.to.kind = b.from.Kind
		if b.from.Offset == nil {
			continue
		}
		x, err := expr.Compile(b.from.Offset, s)
		if err != nil {
			return f, err
		}
		if !x.Constant {
			return f, errorf(BadStatement, b.from.Offset.At(), "the offset of a frame must be a constant")
		}
		b.to.offset = x
		if err := checkOffset(f.unit, b.from.Offset, x, order); err != nil {
			return f, err
		}
	}
	return f, nil
}

// checkOffset refuses offsets that their types tell to be impossible.
func checkOffset(unit parser.FrameUnit, from parser.Expr, x *expr.Expr, order []sortKey) error {
	_, interval := from.(*parser.Interval)
	if unit != parser.FrameRange {
		if interval {
			return errorf(BadStatement, from.At(),
				"ROWS and GROUPS count with integers; an INTERVAL stands behind RANGE")
		}
		return nil
	}
	if len(order) != 1 {
		e := errorf(BadStatement, from.At(), "RANGE with an offset needs exactly one term in ORDER BY")
		e.Hint = "ROWS and GROUPS count rows in any order"
		return e
	}
	key := order[0].e
	switch {
	case key.IsTime() && x.Type.IsNumber():
		return rangeOfTimes(from.At())
	case key.Type.IsNumber() && interval:
		return rangeOfNumbers(from.At())
	}
	return nil
}

// A stretch is the rows [lo, hi) of a partition.
type stretch struct{ lo, hi int }

// stretches are the rows that a function sees, in their order. EXCLUDE cuts a frame into as many.
type stretches [3]stretch

// frame returns the frame of row i before EXCLUDE.
func (r *windowRun) frame(i int) stretch {
	n := len(r.rows)
	lo, hi := r.edge(&r.start, i), r.edge(&r.end, i)
	lo, hi = min(max(lo, 0), n), min(max(hi, 0), n)
	return stretch{lo, max(lo, hi)}
}

// stretches returns what row i sees.
func (r *windowRun) stretches(i int) stretches {
	f := r.frame(i)
	if r.call.frame.exclude == parser.ExcludeNoOthers {
		return stretches{f}
	}
	out, kept := stretch{i, i + 1}, stretch{i, i}
	if r.call.frame.exclude != parser.ExcludeCurrentRow {
		out = r.peers(i)
	}
	if r.call.frame.exclude == parser.ExcludeTies && i >= f.lo && i < f.hi {
		kept = stretch{i, i + 1}
	}
	before := stretch{f.lo, max(f.lo, min(f.hi, out.lo))}
	behind := max(f.lo, out.hi)
	return stretches{before, kept, {behind, max(behind, f.hi)}}
}

// An edge is one end of the frames of a run: the first row of a frame, or the first behind it.
type edge struct {
	kind   parser.BoundKind
	behind int   // 0 for a frame's first row, 1 for the first behind it
	offset int64 // for ROWS and GROUPS
	by     rangeOffset
	last   int // where a RANGE was found last, near which the next one is looked for
}

// edge returns where the frame of row i begins or ends. It may lie outside of the partition.
func (r *windowRun) edge(e *edge, i int) int {
	n := len(r.rows)
	by := int(min(e.offset, int64(n)))
	unit := r.call.frame.unit
	switch e.kind {
	case parser.UnboundedPreceding:
		return 0
	case parser.UnboundedFollowing:
		return n
	case parser.Preceding:
		by = -by
	case parser.CurrentRow:
		if unit == parser.FrameRange {
			unit = parser.FrameGroups
		}
	}
	switch unit {
	case parser.FrameRows:
		return i + by + e.behind
	case parser.FrameGroups:
		group := r.group(i) + by + e.behind
		return r.groups[min(max(group, 0), len(r.groups)-1)]
	}
	return r.rangeEdge(e, i)
}

// newEdge evaluates one end of the frame.
func (r *windowRun) newEdge(b frameBound, behind int) (edge, error) {
	e := edge{kind: b.kind, behind: behind}
	if b.offset == nil {
		return e, nil
	}
	en := r.op.en
	v := b.offset.Eval(en)
	if en.Err != nil {
		return e, en.Err
	}
	if r.call.frame.unit == parser.FrameRange {
		var err error
		e.by, err = newRangeOffset(v, b.offset.Pos)
		return e, err
	}
	v = value.AsNumber(v)
	if v.Kind != value.Int || v.N < 0 {
		return e, errorf(BadValue, r.call.pos,
			"the offset of a frame must be an integer that is not negative")
	}
	e.offset = v.N
	return e, nil
}
