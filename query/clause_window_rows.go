package query

import (
	"slices"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// windowedRows read all rows, compute the functions and give the rows in the order in which they
// came. If they come stream by stream, and no partition has rows of two, they do so with a few
// streams after the other.
type windowedRows struct {
	plan    *windowPlan
	in      rows
	en      *expr.Env
	keep    *keeper
	streams bool          // the rows come stream by stream
	ahead   []value.Value // a row of the next streams that has been read already, nil for none
	row     []value.Value // room
	rows    [][]value.Value
	at      int
	some    bool // there were rows of streams before
	built   bool // no more rows are to be read
}

func (w *windowedRows) next(en *expr.Env) (bool, error) {
	for w.at >= len(w.rows) {
		if w.built {
			return false, nil
		}
		if err := w.build(); err != nil {
			w.built = true
			return false, err
		}
	}
	en.Row.Values = w.rows[w.at]
	w.at++
	return true, nil
}

func (w *windowedRows) close() error {
	w.rows = nil
	w.keep.release()
	return w.in.close()
}

// build makes the rows those of the next streams, or all of them.
func (w *windowedRows) build() error {
	w.keep.giveBack()
	w.rows, w.at = w.rows[:0], 0
	if err := w.read(); err != nil {
		return err
	}
	if w.some && len(w.rows) == 0 {
		return w.en.Err
	}
	w.some = true
	for _, calls := range w.plan.orders {
		if err := w.compute(calls); err != nil {
			return err
		}
	}
	return w.en.Err
}

// read keeps the rows to be computed together.
func (w *windowedRows) read() error {
	if w.row == nil {
		w.row = make([]value.Value, w.plan.base+len(w.plan.calls))
	}
	if w.ahead != nil {
		if err := w.hold(w.ahead); err != nil {
			return err
		}
		w.ahead = nil
	}
	for {
		w.en.Begin()
		ok, err := w.in.next(w.en)
		if err != nil {
			return err
		}
		if !ok {
			w.built = true
			return nil
		}
		copy(w.row, w.en.Row.Values[:w.plan.base])
		if w.streams && len(w.rows) >= batchRows && w.begins(w.row) {
			w.ahead = cloneRow(w.row)
			return nil
		}
		if err := w.hold(w.row); err != nil {
			return err
		}
	}
}

// hold keeps a copy of a row.
func (w *windowedRows) hold(row []value.Value) error {
	kept, err := w.keep.row(row)
	w.rows = append(w.rows, kept)
	return err
}

// compute computes functions that divide and order the rows alike.
func (w *windowedRows) compute(calls []*windowCall) error {
	part := &partition{op: w, over: &calls[0].over, keep: newKeeper(w.keep.budget, "OVER")}
	defer part.keep.release()
	sorted, err := w.sort(part)
	if err != nil {
		return err
	}
	runs := make([]*windowRun, len(calls))
	for i, call := range calls {
		if runs[i], err = newWindowRun(part, call); err != nil {
			return err
		}
		defer runs[i].close()
	}
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && part.comparePartitions(sorted[from], sorted[to]) == 0 {
			to++
		}
		part.begin(sorted[from:to])
		for _, run := range runs {
			if err := run.compute(); err != nil {
				return err
			}
		}
		from = to
	}
	return w.en.Err
}

// sort returns the numbers of the rows, ordered by partition and by the functions' ORDER BY.
func (w *windowedRows) sort(part *partition) ([]int, error) {
	over := part.over
	if part.natural = w.streams && over.natural; part.natural {
		return w.inOrder(part)
	}
	part.width = len(over.partition) + len(over.order)
	if err := part.keep.account(int64(len(w.rows)) * int64(8+valueSize*part.width)); err != nil {
		return nil, err
	}
	rows := make([]int, len(w.rows))
	part.keys = make([]value.Value, len(w.rows)*part.width)
	w.en.Begin()
	for i := range rows {
		rows[i] = i
		w.en.Row.Values = w.rows[i]
		if err := over.evaluate(w.en, part.partitionOf(i), part.orderOf(i)); err != nil {
			return nil, err
		}
		if i%batchRows == 0 {
			if err := w.en.Ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	if err := part.keep.account(w.en.Unmade(0)); err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		if !w.en.Effort(sortEffort(part.keysOf(a), part.keysOf(b))) {
			return 0
		}
		if c := part.comparePartitions(a, b); c != 0 {
			return c
		}
		return compareKeys(over.order, part.orderOf(a), part.orderOf(b))
	})
	return rows, w.en.Err
}

// evaluate evaluates what the current row is divided and ordered by.
func (o *windowOrder) evaluate(en *expr.Env, partition, order []value.Value) error {
	for i, e := range o.partition {
		partition[i] = e.Eval(en)
	}
	for i := range o.order {
		order[i] = o.order[i].e.Eval(en)
	}
	return en.Err
}

// A partition is the rows that a function sees together, in order.
type partition struct {
	op      *windowedRows
	over    *windowOrder
	rows    []int         // their numbers in windowedRows.rows
	keys    []value.Value // of all rows by their numbers: what they are divided and ordered by
	width   int           // keys of a row
	natural bool          // the rows come in order, so that there are no keys
	keep    *keeper       // what is held until the functions are computed
	groups  []int         // where rows that are equal in the order begin, and the number of rows; empty until it is needed
	at      int           // the group of the row that was asked for last
	room    int           // of groups, accounted for
}

// begin goes on with the rows of another partition.
func (p *partition) begin(rows []int) {
	p.rows, p.groups, p.at = rows, p.groups[:0], 0
}

// keysOf returns what the row with a number is divided and ordered by.
func (p *partition) keysOf(row int) []value.Value {
	return p.keys[row*p.width : (row+1)*p.width]
}

func (p *partition) partitionOf(row int) []value.Value {
	return p.keysOf(row)[:len(p.over.partition)]
}

func (p *partition) orderOf(row int) []value.Value {
	return p.keysOf(row)[len(p.over.partition):]
}

// comparePartitions is 0 if the rows with two numbers belong to one partition.
func (p *partition) comparePartitions(a, b int) int {
	if p.natural {
		return p.op.compareStreams(p.op.rows[a], p.op.rows[b])
	}
	x, y := p.partitionOf(a), p.partitionOf(b)
	for i, e := range p.over.partition {
		if c := value.Compare(x[i], y[i], e.Collate); c != 0 {
			return c
		}
	}
	return 0
}

// eval evaluates an expression on row i of the partition.
func (p *partition) eval(e *expr.Expr, i int) value.Value {
	p.op.en.Row.Values = p.op.rows[p.rows[i]]
	v := e.Eval(p.op.en)
	if n := p.op.en.Unmade(0); n > 0 { // the row keeps it
		if err := p.op.keep.account(n); err != nil {
			p.op.en.Fail(err)
		}
	}
	return v
}

// findGroups finds the rows that are equal in the order.
func (p *partition) findGroups() error {
	if len(p.groups) > 0 {
		return nil
	}
	p.groups = append(p.groups, 0)
	for i := 1; i < len(p.rows); i++ {
		if p.natural && len(p.over.order) > 0 ||
			!p.natural && compareKeys(p.over.order, p.orderOf(p.rows[i-1]), p.orderOf(p.rows[i])) != 0 {
			p.groups = append(p.groups, i)
		}
		if err := p.check(i); err != nil {
			return err
		}
	}
	p.groups = append(p.groups, len(p.rows))
	more := cap(p.groups) - p.room
	p.room += more
	return p.keep.account(8 * int64(more))
}

// group returns the number of the group that row i belongs to.
func (p *partition) group(i int) int {
	for i >= p.groups[p.at+1] {
		p.at++
	}
	if i < p.groups[p.at] { // another function begins, or the same at a row before
		at, found := slices.BinarySearch(p.groups, i)
		if !found {
			at--
		}
		p.at = at
	}
	return p.at
}

// peers returns the rows that are equal to row i.
func (p *partition) peers(i int) stretch {
	g := p.group(i)
	return stretch{p.groups[g], p.groups[g+1]}
}

// check honours the context within a partition.
func (p *partition) check(i int) error {
	if i%batchRows == 0 {
		return p.op.en.Ctx.Err()
	}
	return nil
}
