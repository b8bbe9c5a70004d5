package query

import (
	"container/heap"
	"encoding/binary"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/spill"
	"github.com/eventfold/eventfold/query/internal/value"
)

// mostMerged is how many runs are merged at a time. More would make their blocks small reads all over
// the file.
const mostMerged = 64

// spilledRuns are rows in the statement's file, in runs each of which is in order.
type spilledRuns struct {
	ex     *execution
	clause string
	keys   []sortKey // rows are in their order, those with equal keys in that of their serials
	width  [2]int    // how many keys and values a row has
	runs   []*spill.List
	open   bool // the last run is being written
	record []byte
}

// begin begins a run.
func (r *spilledRuns) begin() error {
	f, err := r.ex.spillFile(r.clause)
	if err != nil {
		return err
	}
	r.ex.budget.owe(r.ex.budget.slot())
	r.runs, r.open = append(r.runs, f.NewList()), true
	return nil
}

// drop gives up the run that is being written, if there is one.
func (r *spilledRuns) drop() {
	if !r.open {
		return
	}
	last := len(r.runs) - 1
	r.runs[last].Free()
	r.runs, r.open = r.runs[:last], false
	r.ex.budget.release(r.ex.budget.slot())
}

// add adds the next row of the run.
func (r *spilledRuns) add(row *sortedRow) error {
	b := binary.AppendUvarint(r.record[:0], uint64(row.serial))
	b = appendValues(b, row.keys)
	r.record = appendValues(b, row.values)
	return spillFault(r.runs[len(r.runs)-1].Append(r.ex.ctx, r.record), r.clause)
}

// end ends the run. A run without rows is none.
func (r *spilledRuns) end() error {
	last := len(r.runs) - 1
	if r.runs[last].Count() == 0 {
		r.drop()
		return nil
	}
	if err := r.runs[last].Finish(r.ex.ctx); err != nil {
		return spillFault(err, r.clause)
	}
	r.open = false
	r.ex.budget.release(r.ex.budget.slot())
	return nil
}

// merge returns the rows of all runs in their order. en is whose work it is to compare them.
func (r *spilledRuns) merge(en *expr.Env) (*mergedRuns, error) {
	block := r.ex.budget.blockOf(r.runs...)
	blocks, err := r.ex.budget.spareBlocks(mostMerged+1, block, r.clause)
	if err != nil {
		r.ex.budget.release(int64(blocks) * block)
		return nil, err
	}
	m := &mergedRuns{from: r, en: en, held: int64(blocks) * block}
	for most := max(blocks-1, 2); len(r.runs) > most; {
		if err := r.mergeOnce(en, most); err != nil {
			m.close()
			return nil, err
		}
	}
	if err := m.open(r.runs, true); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// mergeOnce makes one run of each group of most runs that follow each other.
func (r *spilledRuns) mergeOnce(en *expr.Env, most int) error {
	var longer []*spill.List
	for runs := r.runs; len(runs) > 0; {
		n := min(most, len(runs))
		m := &mergedRuns{from: r, en: en}
		if err := m.open(runs[:n], false); err != nil {
			return err
		}
		list := runs[0].Sibling()
		longer = append(longer, list)
		for {
			record, ok, err := m.nextRecord()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if err := list.Append(r.ex.ctx, record); err != nil {
				return spillFault(err, r.clause)
			}
		}
		if err := list.Finish(r.ex.ctx); err != nil {
			return spillFault(err, r.clause)
		}
		for _, run := range runs[:n] {
			run.Free()
		}
		runs = runs[n:]
	}
	r.runs = longer
	return nil
}

// A mergedRuns gives the rows of runs in order. It is a heap whose root is the run with the next row.
type mergedRuns struct {
	from  *spilledRuns
	en    *expr.Env
	heads []*runHead
	held  int64
	begun bool
	fresh bool
}

// A runHead is the next row of a run.
type runHead struct {
	in     *spill.Reader
	number int // of the run
	record []byte
	row    sortedRow
}

// open begins to read runs. fresh says that the texts of a row last for as long as somebody has them.
func (m *mergedRuns) open(runs []*spill.List, fresh bool) error {
	m.fresh = fresh
	for i, run := range runs {
		h := &runHead{in: run.Read(fresh), number: i}
		h.row.keys = make([]value.Value, m.from.width[0])
		h.row.values = make([]value.Value, m.from.width[1])
		ok, err := m.advance(h)
		if err != nil {
			return err
		}
		if ok {
			m.heads = append(m.heads, h)
		}
	}
	heap.Init(m)
	return m.en.Err
}

// advance reads the next row of a run.
func (m *mergedRuns) advance(h *runHead) (ok bool, err error) {
	blocks := h.in.Blocks()
	h.record, ok, err = h.in.Next(m.from.ex.ctx)
	if !ok || err != nil {
		return false, spillFault(err, m.from.clause)
	}
	if m.fresh && h.in.Blocks() > blocks {
		m.from.ex.budget.discard(max(m.from.ex.budget.slot(), int64(len(h.record))))
	}
	serial, n := binary.Uvarint(h.record)
	if n <= 0 {
		return false, spillFault(&SpillError{Err: spill.ErrDamaged}, m.from.clause)
	}
	h.row.serial = int(serial)
	rest, err := cutValues(h.record[n:], h.row.keys)
	if err == nil {
		_, err = cutValues(rest, h.row.values)
	}
	return err == nil, spillFault(err, m.from.clause)
}

// next returns the next row, which lasts until the one after it is asked for; nil behind the last, when
// the runs are given up.
func (m *mergedRuns) next() (*sortedRow, error) {
	_, ok, err := m.nextRecord()
	if err != nil {
		return nil, err
	}
	if !ok {
		m.close()
		return nil, nil
	}
	return &m.heads[0].row, nil
}

// nextRecord is next for the bytes of a row.
func (m *mergedRuns) nextRecord() ([]byte, bool, error) {
	if m.begun && len(m.heads) > 0 {
		ok, err := m.advance(m.heads[0])
		if err != nil {
			return nil, false, err
		}
		if ok {
			heap.Fix(m, 0)
		} else {
			heap.Pop(m)
		}
	}
	m.begun = true
	if len(m.heads) == 0 || m.en.Err != nil {
		return nil, false, m.en.Err
	}
	return m.heads[0].record, true, nil
}

// close gives up the runs.
func (m *mergedRuns) close() {
	if m == nil {
		return
	}
	m.heads = nil
	m.from.free()
	m.from.ex.budget.release(m.held)
	m.held = 0
}

// free gives up all runs.
func (r *spilledRuns) free() {
	r.drop()
	for _, run := range r.runs {
		run.Free()
	}
	r.runs = nil
}

// Len implements heap.Interface, as do the methods that follow.
func (m *mergedRuns) Len() int { return len(m.heads) }

// Less puts the run with the next row first; of rows that nothing else tells apart, those of the run
// that was written first.
func (m *mergedRuns) Less(i, j int) bool {
	a, b := m.heads[i], m.heads[j]
	if !m.en.Effort(sortEffort(a.row.keys, b.row.keys)) {
		return false
	}
	if c := compareKeys(m.from.keys, a.row.keys, b.row.keys); c != 0 {
		return c < 0
	}
	if a.row.serial != b.row.serial {
		return a.row.serial < b.row.serial
	}
	return a.number < b.number
}

// Swap implements heap.Interface.
func (m *mergedRuns) Swap(i, j int) { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }

// Push implements heap.Interface.
func (m *mergedRuns) Push(x any) { m.heads = append(m.heads, x.(*runHead)) }

// Pop implements heap.Interface.
func (m *mergedRuns) Pop() any {
	last := m.heads[len(m.heads)-1]
	m.heads = m.heads[:len(m.heads)-1]
	return last
}
