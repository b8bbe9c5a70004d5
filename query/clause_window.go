package query

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A windowCall is one window function of a core.
type windowCall struct {
	name      string
	fn        *windowFunc    // nil for an aggregate
	agg       *aggregateCall // nil for the functions of windowFuncs
	args      []*expr.Expr
	partition []*expr.Expr
	order     []sortKey
	frame     frame
	pos       parser.Pos
	text      string
}

// A frame tells which rows of the partition a function sees, relative to the current row.
type frame struct {
	rows       bool // counts rows; otherwise rows with equal keys belong together
	start, end frameBound
}

type frameBound struct {
	kind   parser.BoundKind
	offset *expr.Expr // for Preceding and Following
}

// defaultFrame is from the first row of the partition to the last one that is equal to the current.
var defaultFrame = frame{
	start: frameBound{kind: parser.UnboundedPreceding}, end: frameBound{kind: parser.CurrentRow},
}

// windowFunction compiles a call with OVER, or finds the equal one that the core has already.
func (s *clauseScope) windowFunction(c *parser.Call) (*expr.Expr, error) {
	call, typ, nullable, err := s.newWindowCall(c)
	if err != nil {
		return nil, err
	}
	key := s.key(c)
	slot, known := s.winSlots[key]
	if !known {
		slot = len(s.windows)
		s.winSlots[key] = slot
		s.windows = append(s.windows, call)
	}
	core := s.coreScope
	plan := core.windowPlan()
	return &expr.Expr{
		Eval: func(en *expr.Env) value.Value { return en.Row.Values[plan.base+slot] },
		Type: typ, Nullable: nullable, Pos: c.Pos,
	}, nil
}

func (s *clauseScope) newWindowCall(
	c *parser.Call,
) (call *windowCall, t Type, nullable bool, err error) {
	inner := s.windowScope()
	call = &windowCall{name: c.Name, pos: c.Pos, text: exprText(c), frame: defaultFrame}
	plain := *c
	plain.Over = nil
	switch {
	case s.isAggregate(&plain):
		err = s.windowAggregateCall(call, &plain)
		if err == nil {
			t, nullable = call.agg.def.typ(call.agg.args)
		}
	case windowFuncs[c.Name] != nil:
		call.fn = windowFuncs[c.Name]
		if call.args, err = inner.compileAll(c.Args); err == nil {
			err = call.check(c)
		}
		if err == nil {
			t, nullable = call.fn.typ(call.args)
		}
	default:
		err = errorf(UnknownFunction, c.Pos, "there is no window function %s()", strings.ToUpper(c.Name))
	}
	if err != nil {
		return nil, 0, false, err
	}
	if call.partition, err = inner.compileAll(c.Over.PartitionBy); err != nil {
		return nil, 0, false, err
	}
	for _, o := range c.Over.OrderBy {
		x, err := inner.compile(o.Expr)
		if err != nil {
			return nil, 0, false, err
		}
		call.order = append(call.order, newSortKey(o, -1, x, x.Collate))
	}
	err = inner.compileFrame(call, c.Over.Frame)
	return call, t, nullable, err
}

func (c *windowCall) check(call *parser.Call) error {
	name := strings.ToUpper(call.Name)
	switch {
	case len(call.Args) < c.fn.min || len(call.Args) > c.fn.max || call.Star:
		return errorf(BadArgument, call.Pos,
			"%s() has %d arguments, which is the wrong number", name, len(call.Args))
	case call.Distinct:
		return errorf(Unsupported, call.Pos, "DISTINCT cannot be used in a window function")
	case len(call.OrderBy) > 0:
		return errorf(BadStatement, call.Pos, "%s() is ordered by the ORDER BY behind OVER", name)
	case call.Filter != nil:
		return errorf(Unsupported, call.Pos,
			"FILTER can be used with aggregates only, not with %s()", name)
	}
	return nil
}

// windowAggregateCall compiles an aggregate with OVER. Its arguments are evaluated where OVER's
// are.
func (s *clauseScope) windowAggregateCall(call *windowCall, plain *parser.Call) error {
	if plain.Distinct {
		return errorf(Unsupported, plain.Pos, "DISTINCT cannot be used in a window function")
	}
	agg, err := s.newAggregateCall(plain, s.windowScope())
	call.agg = agg
	return err
}

func (s *clauseScope) compileAll(list []parser.Expr) ([]*expr.Expr, error) {
	var out []*expr.Expr
	for _, e := range list {
		x, err := s.compile(e)
		if err != nil {
			return nil, err
		}
		if x.Type == EventType {
			return nil, errorf(Unsupported, e.At(), "the column event cannot be used in a window function")
		}
		out = append(out, x)
	}
	return out, nil
}

func (s *clauseScope) compileFrame(call *windowCall, f *parser.Frame) error {
	if f == nil {
		return nil
	}
	call.frame.rows = f.Rows
	for _, b := range []struct {
		from parser.Bound
		to   *frameBound
	}{{f.Start, &call.frame.start}, {f.End, &call.frame.end}} {
		b.to.kind = b.from.Kind
		if b.from.Offset == nil {
			continue
		}
		if !f.Rows {
			return errorf(Unsupported, b.from.Offset.At(), "RANGE with an offset is not supported; use ROWS")
		}
		x, err := expr.Compile(b.from.Offset, s)
		if err != nil {
			return err
		}
		if !x.Constant {
			return errorf(BadStatement, b.from.Offset.At(), "the offset of a frame must be a constant")
		}
		b.to.offset = x
	}
	if f.Start.Kind == parser.UnboundedFollowing || f.End.Kind == parser.UnboundedPreceding ||
		f.Start.Kind > f.End.Kind {
		return errorf(BadStatement, call.pos, "the frame ends before it begins")
	}
	return nil
}

// A windowPlan computes the window functions of a core. Its rows are those that it is given, with
// the functions' values behind.
type windowPlan struct {
	calls []*windowCall
	base  int // slots of a row that it is given
}

// windowPlan returns the plan that expressions of the core refer to, which is filled when the core
// has been compiled.
func (c *coreScope) windowPlan() *windowPlan {
	if c.plan == nil {
		c.plan = &windowPlan{}
	}
	return c.plan
}

func newWindowPlan(c *coreScope) *windowPlan {
	p := c.windowPlan()
	p.calls = c.windows
	if c.aggregate {
		p.base = len(c.keys) + len(c.aggs)
	} else if m, ok := c.from.(*copiedRelation); ok { // otherwise there is no FROM
		p.base = len(m.reads)
	}
	return p
}

func (p *windowPlan) open(ex *execution, outer *expr.Env, in rows) rows {
	return &windowedRows{plan: p, in: in, en: ex.env(outer), keep: newKeeper(ex.budget, "OVER")}
}

// windowedRows read all rows, compute the functions and give the rows in the order in which they
// came.
type windowedRows struct {
	plan  *windowPlan
	in    rows
	en    *expr.Env
	keep  *keeper
	rows  [][]value.Value
	at    int
	built bool
}

func (w *windowedRows) next(en *expr.Env) (bool, error) {
	if !w.built {
		w.built = true
		if err := w.build(); err != nil {
			return false, err
		}
	}
	if w.at >= len(w.rows) {
		return false, nil
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

func (w *windowedRows) build() error {
	row := make([]value.Value, w.plan.base+len(w.plan.calls))
	for n := 0; ; n++ {
		w.en.Begin()
		ok, err := w.in.next(w.en)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		copy(row, w.en.Row.Values[:w.plan.base])
		kept, err := w.keep.row(row)
		if err != nil {
			return err
		}
		w.rows = append(w.rows, kept)
	}
	for i, call := range w.plan.calls {
		if err := w.compute(call, w.plan.base+i); err != nil {
			return err
		}
	}
	return nil
}

// compute computes one function for all rows, into a slot.
func (w *windowedRows) compute(call *windowCall, slot int) error {
	sorted, err := w.sort(call)
	if err != nil {
		return err
	}
	part := &partition{op: w, call: call, slot: slot}
	if err := part.bounds(); err != nil {
		return err
	}
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && sameKeys(call.partition, sorted[from].partition, sorted[to].partition) {
			to++
		}
		part.rows, part.peersLo, part.peersHi = sorted[from:to], 0, 0
		if call.fn != nil {
			err = call.fn.compute(part, call)
		} else {
			err = windowAggregate(part, call)
		}
		if err != nil {
			return err
		}
		from = to
	}
	return w.en.Err
}

// A windowRow is one row as a function sees it.
type windowRow struct {
	row       int // in windowedRows.rows
	partition []value.Value
	order     []value.Value
}

// sort orders the rows by partition and by the function's ORDER BY.
func (w *windowedRows) sort(call *windowCall) ([]windowRow, error) {
	rows := make([]windowRow, len(w.rows))
	if err := w.keep.account(int64(len(rows)) * int64(56+valueSize*(len(call.partition)+len(call.order)))); err != nil {
		return nil, err
	}
	w.en.Begin()
	for i := range rows {
		w.en.Row.Values = w.rows[i]
		rows[i].row = i
		rows[i].partition = evalAll(call.partition, w.en)
		rows[i].order = make([]value.Value, len(call.order))
		for k := range call.order {
			rows[i].order[k] = call.order[k].e.Eval(w.en)
		}
		if w.en.Err != nil {
			return nil, w.en.Err
		}
		if i%batchRows == 0 {
			if err := w.en.Ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	if err := w.keep.account(w.en.Unmade(0)); err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b windowRow) int {
		if !w.en.Effort(sortEffort(a.partition, b.partition) + sortEffort(a.order, b.order)) {
			return 0
		}
		for i, e := range call.partition {
			if c := value.Compare(a.partition[i], b.partition[i], e.Collate); c != 0 {
				return c
			}
		}
		return compareKeys(call.order, a.order, b.order)
	})
	return rows, w.en.Err
}

func evalAll(list []*expr.Expr, en *expr.Env) []value.Value {
	out := make([]value.Value, len(list))
	for i, e := range list {
		out[i] = e.Eval(en)
	}
	return out
}

func sameKeys(keys []*expr.Expr, a, b []value.Value) bool {
	for i, e := range keys {
		if value.Compare(a[i], b[i], e.Collate) != 0 {
			return false
		}
	}
	return true
}

// A partition is the rows that a function sees together, in order.
type partition struct {
	op         *windowedRows
	call       *windowCall
	rows       []windowRow
	slot       int
	start, end int64 // the frame's offsets, for Preceding and Following

	peersLo, peersHi int // the rows that peers gave last
}

// bounds evaluates the offsets of the frame.
func (p *partition) bounds() error {
	for _, b := range []struct {
		from frameBound
		to   *int64
	}{{p.call.frame.start, &p.start}, {p.call.frame.end, &p.end}} {
		if b.from.offset == nil {
			continue
		}
		v := value.AsNumber(b.from.offset.Eval(p.op.en))
		if p.op.en.Err != nil {
			return p.op.en.Err
		}
		if v.Kind != value.Int || v.N < 0 {
			return errorf(BadValue, p.call.pos,
				"the offset of a frame must be an integer that is not negative")
		}
		*b.to = v.N
	}
	return nil
}

// eval evaluates an expression on row i of the partition.
func (p *partition) eval(e *expr.Expr, i int) value.Value {
	p.op.en.Row.Values = p.op.rows[p.rows[i].row]
	v := e.Eval(p.op.en)
	if n := p.op.en.Unmade(0); n > 0 { // the row keeps it
		if err := p.op.keep.account(n); err != nil {
			p.op.en.Fail(err)
		}
	}
	return v
}

// set gives row i of the partition its result.
func (p *partition) set(i int, v value.Value) { p.op.rows[p.rows[i].row][p.slot] = v }

// keepValue returns a value that an aggregate's state holds, which changes, as one that stays. Rows
// that follow each other often have the same.
func (p *partition) keepValue(v, last value.Value) (value.Value, error) {
	if v.S == "" {
		return v, nil
	}
	if v.S == last.S {
		v.S = last.S
		return v, nil
	}
	return p.op.keep.value(v)
}

// peer reports whether rows i and j are equal in the function's order.
func (p *partition) peer(i, j int) bool {
	return compareKeys(p.call.order, p.rows[i].order, p.rows[j].order) == 0
}

// peers returns the rows [lo, hi) that are equal to row i.
func (p *partition) peers(i int) (lo, hi int) {
	if i >= p.peersLo && i < p.peersHi {
		return p.peersLo, p.peersHi
	}
	lo, hi = i, i+1
	for lo > 0 && p.peer(lo-1, i) {
		lo--
	}
	for hi < len(p.rows) && p.peer(i, hi) {
		hi++
	}
	p.peersLo, p.peersHi = lo, hi
	return lo, hi
}

// frame returns the rows [lo, hi) that row i sees.
func (p *partition) frame(i int) (lo, hi int) {
	f, n := &p.call.frame, len(p.rows)
	switch f.start.kind {
	case parser.UnboundedPreceding:
		lo = 0
	case parser.Preceding:
		lo = i - int(min(p.start, int64(n)))
	case parser.CurrentRow:
		lo = i
		if !f.rows {
			lo, _ = p.peers(i)
		}
	case parser.Following:
		lo = i + int(min(p.start, int64(n)))
	}
	switch f.end.kind {
	case parser.Preceding:
		hi = i - int(min(p.end, int64(n))) + 1
	case parser.CurrentRow:
		hi = i + 1
		if !f.rows {
			_, hi = p.peers(i)
		}
	case parser.Following:
		hi = i + int(min(p.end, int64(n))) + 1
	case parser.UnboundedFollowing:
		hi = n
	}
	lo, hi = min(max(lo, 0), n), min(max(hi, 0), n)
	return lo, max(lo, hi)
}

// check honours the context within a partition.
func (p *partition) check(i int) error {
	if i%batchRows == 0 {
		return p.op.en.Ctx.Err()
	}
	return nil
}

// A copiedRelation copies the columns that are read into a row of values, for who keeps rows.
type copiedRelation struct {
	in    relation
	slots map[int]int  // ordinal to slot
	reads []*expr.Expr // by slot
}

func newCopiedRelation(in relation) *copiedRelation {
	return &copiedRelation{in: in, slots: map[int]int{}}
}

func (m *copiedRelation) schema() []tableColumn { return m.in.schema() }

func (m *copiedRelation) bind(i int) *expr.Expr {
	slot, ok := m.slots[i]
	if !ok {
		slot = len(m.reads)
		m.slots[i] = slot
		m.reads = append(m.reads, m.in.bind(i))
	}
	return boundColumn(m.in.schema()[i], slotExpr(slot))
}

func (m *copiedRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	in, err := m.in.open(ex, outer)
	if err != nil {
		return nil, err
	}
	return &copiedRows{
		in: in, en: ex.env(outer), reads: m.reads, row: make([]value.Value, len(m.reads)),
	}, nil
}

func (m *copiedRelation) explain(x *explainer) { m.in.explain(x) }

type copiedRows struct {
	in    rows
	en    *expr.Env
	reads []*expr.Expr
	row   []value.Value
}

func (m *copiedRows) next(en *expr.Env) (bool, error) {
	m.en.Begin()
	ok, err := m.in.next(m.en)
	if !ok || err != nil {
		return false, err
	}
	for i, e := range m.reads {
		m.row[i] = e.Eval(m.en)
	}
	en.Row.Values = m.row
	return true, m.en.Err
}

func (m *copiedRows) close() error { return m.in.close() }
