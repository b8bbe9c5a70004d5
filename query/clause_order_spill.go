package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
)

// An orderSpill keeps rows of ORDER BY that memory does not hold: whenever it is full the rows so far
// are sorted and written as a run; in the end the runs are merged.
type orderSpill struct {
	runs   spilledRuns
	keep   *keeper
	en     *expr.Env
	top    *topRows // of the rows that are in memory
	merged *mergedRuns
}

// spilling lets the rows use the statement's temporary file, if it may have one. A row has so many
// results.
func (s orderedRows) spilling(ex *execution, results int) *orderedRows {
	o := &s
	if ex.spills() {
		o.own = orderSpill{keep: s.keep, runs: spilledRuns{
			ex: ex, clause: "ORDER BY", keys: s.keys, width: [2]int{len(s.keys), results},
		}}
		o.spill = &o.own
	}
	return o
}

// begin has the rows of top written when memory is short, until stop.
func (o *orderSpill) begin(en *expr.Env, top *topRows) {
	if o != nil {
		o.en, o.top = en, top
		o.runs.ex.budget.enlist(o)
	}
}

func (o *orderSpill) stop() {
	if o != nil {
		o.runs.ex.budget.dismiss(o)
	}
}

// used reports whether rows have been written.
func (o *orderSpill) used() bool { return o != nil && len(o.runs.runs) > 0 }

// spillable implements spiller.
func (o *orderSpill) spillable() int64 {
	if len(o.top.rows) == 0 {
		return 0
	}
	return o.keep.taken
}

// spill implements spiller: it makes a run of the rows that are in memory.
func (o *orderSpill) spill() error {
	if err := sortKept(o.en, o.runs.keys, o.top.rows); err != nil {
		return err
	}
	if err := o.runs.begin(); err != nil {
		return err
	}
	for i := range o.top.rows {
		if err := o.runs.add(&o.top.rows[i]); err != nil {
			return err
		}
	}
	if err := o.runs.end(); err != nil {
		return err
	}
	clear(o.top.rows)
	o.top.rows = o.top.rows[:0]
	o.keep.values, o.keep.bytes = nil, nil
	o.keep.release()
	return nil
}

// merge begins to give the rows that were written, and those that are in memory.
func (o *orderSpill) merge(en *expr.Env) (err error) {
	if len(o.top.rows) > 0 {
		if err := o.spill(); err != nil {
			return err
		}
	}
	o.top.rows = nil
	o.merged, err = o.runs.merge(en)
	return err
}

func (o *orderSpill) next(en *expr.Env) (bool, error) {
	row, err := o.merged.next()
	if row == nil || err != nil {
		return false, err
	}
	en.Row.Values = row.values
	return true, nil
}

func (o *orderSpill) close() {
	if o == nil {
		return
	}
	o.stop()
	o.merged.close()
	o.runs.free()
	o.top = nil
}
