package query

import (
	"fmt"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A stride is a condition "position % every = rest": the events that satisfy it are found by counting.
type stride struct{ every, rest *expr.Expr }

// Below which distance it is less work to read what lies between two events than to go to the second
// one: if nothing of them is read but their positions, and otherwise.
const (
	shortStride = 4
	farStride   = 256
)

// noteStride notes that a condition on the leaf is a stride.
func (c *coreScope) noteStride(l leaf, cond parser.Expr) error {
	eq, ok := cond.(*parser.Binary)
	if !ok || eq.Op != parser.OpEq || l.scan.events() == nil || !l.scan.events().all || l.scan.stride != nil {
		return nil
	}
	rem, rest := eq.X, eq.Y
	if m, ok := rem.(*parser.Binary); !ok || m.Op != parser.OpMod {
		rem, rest = rest, rem
	}
	m, ok := rem.(*parser.Binary)
	if !ok || m.Op != parser.OpMod || c.leafColumn(l, m.X) != ordPosition {
		return nil
	}
	operands, err := c.operands(m.Y, rest)
	if operands == nil || err != nil {
		return err
	}
	if operands[0].Constant && operands[1].Constant {
		l.scan.stride = &stride{operands[0], operands[1]}
	}
	return nil
}

// strideNow evaluates the stride for a scan with a filter; ok is false if it leads to no events, or to
// more than are of use.
func (s *tableScan) strideNow(ex *execution, f engine.Filter) (every, rest int64, ok bool) {
	if s.stride == nil || !onlyPositions(&f) || len(ex.own) > 0 || ex.since > 0 || ex.keeping || ex.following != nil {
		return 0, 0, false
	}
	en := ex.env(nil)
	n, k := s.stride.every.Eval(en), s.stride.rest.Eval(en)
	if en.Err != nil || n.Kind != value.Int || k.Kind != value.Int || k.N < 0 || k.N >= n.N {
		return 0, 0, false
	}
	if s.columnSet() == 0 {
		return n.N, k.N, n.N >= shortStride
	}
	return n.N, k.N, n.N >= farStride
}

// onlyPositions reports whether the filter asks for nothing but positions: no index leads to fewer
// events.
func onlyPositions(f *engine.Filter) bool {
	return f.Streams == nil && f.Prefix == "" && f.Types == nil && f.Tags == nil && f.IDs == nil && f.Any == nil &&
		f.MinVersion == 0 && !f.HasMaxVersion && f.Since.IsZero() && f.Before.IsZero()
}

// strideText tells EXPLAIN of the stride.
func (s *tableScan) strideText(ex *execution, what *narrowing) string {
	every, rest, ok := s.strideNow(ex, what.filter(false))
	if !ok {
		return ""
	}
	return fmt.Sprintf(", every position that is %d modulo %d", rest, every)
}

// jump starts reading only the events of the stride.
func (s *tableScan) jump(ex *execution, every, rest int64, b scanBounds) batches {
	b.seen.toEnd()
	end := int64(ex.index.Head())
	if b.To > 0 {
		end = min(end, int64(b.To))
	}
	first := int64(b.From) - int64(b.From)%every + rest
	if first < int64(b.From) {
		first += every
	}
	j := &jumpBatches{ex: ex, what: s.events().filter(b.Filter), columns: s.columnSet(), at: first, step: every}
	if first < end {
		j.left = (end-1-first)/every + 1
	}
	if b.Direction == engine.Backwards {
		j.at, j.step = first+(j.left-1)*every, -every
	}
	return j
}

// jumpBatches are the events at positions that are equally far from each other.
type jumpBatches struct {
	ex      *execution
	what    engine.Filter
	columns engine.ColumnSet
	at      int64 // the next position
	step    int64 // to the one behind it
	left    int64 // how many there are
	cursor  engine.BatchCursor
	batch   expr.Batch
	events  engine.Batch
}

func (j *jumpBatches) next() (*expr.Batch, error) {
	j.batch.Serial++
	if j.columns == 0 {
		return j.nextPositions(), nil
	}
	for j.left > 0 {
		if err := j.close(); err != nil {
			return nil, err
		}
		p := engine.Position(j.take())
		j.what.From, j.what.To, j.what.Limit = p, p+1, 1
		j.cursor = quiet(j.ex.index).Scan(j.ex.ctx, j.what, j.columns)
		if b := j.cursor.Next(); b != nil {
			j.batch.Len, j.batch.Events = b.Len, b
			return &j.batch, nil
		}
		if err := j.cursor.Err(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// nextPositions gives many of them at a time.
func (j *jumpBatches) nextPositions() *expr.Batch {
	j.events.Reset()
	for j.left > 0 && j.events.Len < batchRows {
		j.events.Positions = append(j.events.Positions, engine.Position(j.take()))
		j.events.Len++
	}
	j.ex.counters.examined.Add(int64(j.events.Len))
	if j.events.Len == 0 {
		return nil
	}
	j.batch.Len, j.batch.Events = j.events.Len, &j.events
	return &j.batch
}

// take takes the next position.
func (j *jumpBatches) take() int64 {
	p := j.at
	j.at += j.step
	j.left--
	return p
}

func (j *jumpBatches) close() error {
	if j.cursor == nil {
		return nil
	}
	events, _ := j.cursor.Examined()
	j.ex.counters.examined.Add(events)
	err := j.cursor.Close()
	j.cursor = nil
	return err
}
