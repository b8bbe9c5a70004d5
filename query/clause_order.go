package query

import (
	"container/heap"
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A sortKey is one term of ORDER BY.
type sortKey struct {
	result     int        // the result column that it names, -1 if it is an expression of its own
	e          *expr.Expr // nil for a column of a UNION
	desc       bool
	nullsFirst bool
	collate    value.Collation
}

func newSortKey(o parser.Order, result int, e *expr.Expr, c value.Collation) sortKey {
	k := sortKey{result: result, e: e, desc: o.Desc, nullsFirst: !o.Desc, collate: c}
	switch o.Nulls {
	case parser.NullsFirst:
		k.nullsFirst = true
	case parser.NullsLast:
		k.nullsFirst = false
	}
	return k
}

// compare orders two values of the term.
func (k *sortKey) compare(a, b value.Value) int {
	if a.Kind == value.Null || b.Kind == value.Null {
		switch {
		case a.Kind == b.Kind:
			return 0
		case (a.Kind == value.Null) == k.nullsFirst:
			return -1
		}
		return 1
	}
	c := value.Compare(a, b, k.collate)
	if k.desc {
		return -c
	}
	return c
}

// compareKeys orders two rows by their sort keys.
func compareKeys(keys []sortKey, a, b []value.Value) int {
	for i := range keys {
		if c := keys[i].compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// orderedRows are the rows of a projection in the order of ORDER BY. With a limit they keep only
// that many. Rows with equal keys keep the order in which they came.
type orderedRows struct {
	in    projection
	keys  []sortKey
	limit int64 // rows that will be read, -1 for all
	keep  *keeper
	rows  []sortedRow
	at    int
	built bool
	spill *orderSpill // nil if no file may be used
	own   orderSpill
}

type sortedRow struct {
	keys   []value.Value
	values []value.Value
	serial int
}

func (s *orderedRows) next(en *expr.Env) (bool, error) {
	if !s.built {
		s.built = true
		if err := s.build(en); err != nil {
			return false, err
		}
	}
	if s.spill.used() {
		return s.spill.next(en)
	}
	if s.at >= len(s.rows) {
		return false, nil
	}
	en.Row.Values = s.rows[s.at].values
	s.at++
	return true, nil
}

func (s *orderedRows) close() error {
	s.rows = nil
	s.spill.close()
	s.keep.release()
	return s.in.close()
}

func (s *orderedRows) build(en *expr.Env) error {
	if s.limit == 0 {
		return nil
	}
	top := &topRows{keys: s.keys}
	s.spill.begin(en, top)
	err := s.read(en, top)
	s.spill.stop()
	if err != nil {
		return err
	}
	if s.spill.used() {
		return s.spill.merge(en)
	}
	s.rows = top.rows
	return sortKept(en, s.keys, s.rows)
}

// sortKept sorts rows by their keys, and rows with equal keys as they came.
func sortKept(en *expr.Env, keys []sortKey, rows []sortedRow) error {
	slices.SortFunc(rows, func(a, b sortedRow) int {
		if !en.Effort(sortEffort(a.keys, b.keys)) {
			return 0
		}
		if c := compareKeys(keys, a.keys, b.keys); c != 0 {
			return c
		}
		return a.serial - b.serial
	})
	return en.Err
}

// sortEffort is about how many bytes comparing two rows looks at, and some for the comparison
// itself.
func sortEffort(a, b []value.Value) int {
	n := value.TermEffort
	for i := range a {
		n += min(len(a[i].S), len(b[i].S))
	}
	return n
}

// read puts the rows that will be read, in no order, into top.
func (s *orderedRows) read(en *expr.Env, top *topRows) error {
	keys := make([]value.Value, len(s.keys))
	for serial := 0; ; serial++ {
		if serial%batchRows == 0 {
			if err := en.Ctx.Err(); err != nil {
				return err
			}
		}
		ok, err := s.in.advance()
		if !ok || err != nil {
			return err
		}
		if err := s.in.sortKeys(keys); err != nil {
			return err
		}
		if !en.Effort(sortEffort(keys, keys)) {
			return en.Err
		}
		full := s.limit >= 0 && int64(len(top.rows)) >= s.limit
		if full && compareKeys(s.keys, keys, top.rows[0].keys) >= 0 {
			continue
		}
		row, err := s.keepRow(keys, serial)
		if err != nil {
			return err
		}
		s.add(top, row)
	}
}

func (s *orderedRows) keepRow(keys []value.Value, serial int) (sortedRow, error) {
	values, err := s.in.results()
	if err != nil {
		return sortedRow{}, err
	}
	row := sortedRow{serial: serial}
	row.keys, row.values, err = s.keep.two(keys, values)
	return row, err
}

// add puts a row among those that are kept; if there are as many as will be read, the last of them
// goes.
func (s *orderedRows) add(top *topRows, row sortedRow) {
	switch {
	case s.limit < 0:
		top.rows = append(top.rows, row)
	case int64(len(top.rows)) >= s.limit:
		s.keep.forget(top.rows[0].keys)
		s.keep.forget(top.rows[0].values)
		top.rows[0] = row
		heap.Fix(top, 0)
	default:
		heap.Push(top, row)
	}
}

// topRows is a heap whose root is the row that comes last.
type topRows struct {
	keys []sortKey
	rows []sortedRow
}

// Len implements heap.Interface, as do the methods that follow.
func (t *topRows) Len() int { return len(t.rows) }

// Less puts the row that comes last first.
func (t *topRows) Less(i, j int) bool {
	if c := compareKeys(t.keys, t.rows[i].keys, t.rows[j].keys); c != 0 {
		return c > 0
	}
	return t.rows[i].serial > t.rows[j].serial
}

// Swap implements heap.Interface.
func (t *topRows) Swap(i, j int) { t.rows[i], t.rows[j] = t.rows[j], t.rows[i] }

// Push implements heap.Interface.
func (t *topRows) Push(x any) { t.rows = append(t.rows, x.(sortedRow)) }

// Pop implements heap.Interface.
func (t *topRows) Pop() any {
	last := t.rows[len(t.rows)-1]
	t.rows = t.rows[:len(t.rows)-1]
	return last
}

// ordinal returns the number of an integer literal, which in GROUP BY and ORDER BY means a result
// column; a plus may stand before it. One that does not fit into 32 bits is a constant like any
// other, as in SQLite.
func ordinal(e parser.Expr) (int64, bool) {
	for {
		plus, ok := e.(*parser.Unary)
		if !ok || plus.Op != parser.OpPlus {
			break
		}
		e = plus.X
	}
	lit, ok := e.(*parser.Literal)
	if !ok {
		return 0, false
	}
	n, ok := lit.Value.(int64)
	return n, ok && n == int64(int32(n))
}

// compileOrder compiles ORDER BY. A term is the name of a result, a number, or an expression.
func (c *coreScope) compileOrder(p *corePlan, order []parser.Order) error {
	if len(order) > maxColumns {
		return errorf(BadStatement, order[maxColumns].Expr.At(),
			"ORDER BY has at most %d terms", maxColumns)
	}
	for _, o := range order {
		e, coll := splitCollate(o.Expr)
		i, err := c.orderResult(e)
		if err != nil {
			return err
		}
		if i >= 0 {
			if coll == nil {
				coll = &p.results[i].Collate
			}
			p.order = append(p.order, newSortKey(o, i, p.results[i], *coll))
			continue
		}
		x, err := c.orderScope().compile(o.Expr)
		if err != nil {
			return err
		}
		if x.Type == EventType {
			return errorf(Unsupported, e.At(), "the column event has no order")
		}
		p.order = append(p.order, newSortKey(o, -1, x, x.Collate))
	}
	p.texts.order = orderText(order)
	return nil
}

// orderResult returns the result column that an ORDER BY term names, -1 if it is an expression of
// its own.
func (c *coreScope) orderResult(e parser.Expr) (int, error) {
	if n, ok := ordinal(e); ok {
		if n < 1 || n > int64(len(c.results)) {
			return 0, errorf(BadStatement, e.At(),
				"ORDER BY %d: the result has %d columns", n, len(c.results))
		}
		return int(n) - 1, nil
	}
	if col, ok := e.(*parser.Column); ok && col.Table == "" {
		for i, r := range c.results {
			if r.Alias != "" && sameName(r.Alias, col.Name) {
				return i, nil
			}
		}
	}
	if _, ok := e.(*parser.Column); !ok { // a plain column is as cheap to read again
		if i, ok := c.resultPlaces()[c.key(e)]; ok {
			return i, c.err
		}
	}
	return -1, nil
}

// splitCollate takes COLLATE off an ORDER BY term that is otherwise a column or a number. Of
// several, the last counts.
func splitCollate(e parser.Expr) (term parser.Expr, coll *value.Collation) {
	for {
		col, ok := e.(*parser.Collate)
		if !ok {
			return e, coll
		}
		if coll == nil {
			c := value.Collations[col.Name]
			coll = &c
		}
		e = col.X
	}
}
