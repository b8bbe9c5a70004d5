package query

import (
	"container/heap"
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A sortKey is one term of ORDER BY.
type sortKey struct {
	result     int   // the result column that it names, -1 if it is an expression of its own
	e          *expr // nil for a column of a UNION
	desc       bool
	nullsFirst bool
	collate    value.Collation
}

func newSortKey(o parser.Order, result int, e *expr, c value.Collation) sortKey {
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

// orderedRows are the rows of a projection in the order of ORDER BY. With a limit they keep only that many.
// Rows with equal keys keep the order in which they came.
type orderedRows struct {
	in    projection
	keys  []sortKey
	limit int64 // rows that will be read, -1 for all
	keep  *keeper
	rows  []sortedRow
	at    int
	built bool
}

// A projection gives rows whose sort keys and results are computed separately, so that a row which is dropped for its
// keys is never computed.
type projection interface {
	rows
	// advance moves to the next row.
	advance() (bool, error)
	// sortKeys computes the current row's sort keys.
	sortKeys(dst []value.Value) error
	// results computes the current row. The slice is reused.
	results() ([]value.Value, error)
}

type sortedRow struct {
	keys   []value.Value
	values []value.Value
	serial int
}

func (s *orderedRows) next(en *env) (bool, error) {
	if !s.built {
		s.built = true
		if err := s.build(en); err != nil {
			return false, err
		}
	}
	if s.at >= len(s.rows) {
		return false, nil
	}
	en.row.values = s.rows[s.at].values
	s.at++
	return true, nil
}

func (s *orderedRows) close() error {
	s.rows = nil
	s.keep.release()
	return s.in.close()
}

func (s *orderedRows) build(en *env) error {
	if s.limit == 0 {
		return nil
	}
	top := &topRows{keys: s.keys}
	if err := s.read(en, top); err != nil {
		return err
	}
	s.rows = top.rows
	slices.SortFunc(s.rows, func(a, b sortedRow) int {
		if !en.Effort(sortEffort(a.keys, b.keys)) {
			return 0
		}
		if c := compareKeys(s.keys, a.keys, b.keys); c != 0 {
			return c
		}
		return a.serial - b.serial
	})
	return en.err
}

// sortEffort is about how many bytes comparing two rows looks at, and some for the comparison itself.
func sortEffort(a, b []value.Value) int {
	n := termEffort
	for i := range a {
		n += min(len(a[i].S), len(b[i].S))
	}
	return n
}

// read puts the rows that will be read, in no order, into top.
func (s *orderedRows) read(en *env, top *topRows) error {
	keys := make([]value.Value, len(s.keys))
	for serial := 0; ; serial++ {
		if serial%batchRows == 0 {
			if err := en.ctx.Err(); err != nil {
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
			return en.err
		}
		full := s.limit >= 0 && int64(len(top.rows)) >= s.limit
		if full && compareKeys(s.keys, keys, top.rows[0].keys) >= 0 {
			continue
		}
		row, err := s.keepRow(keys, serial)
		if err != nil {
			return err
		}
		s.add(top, row, full)
	}
}

func (s *orderedRows) keepRow(keys []value.Value, serial int) (sortedRow, error) {
	values, err := s.in.results()
	if err != nil {
		return sortedRow{}, err
	}
	row := sortedRow{serial: serial}
	if row.keys, err = s.keep.row(keys); err != nil {
		return row, err
	}
	row.values, err = s.keep.row(values)
	return row, err
}

// add puts a row among those that are kept; if there are as many as will be read, the last of them goes.
func (s *orderedRows) add(top *topRows, row sortedRow, full bool) {
	switch {
	case s.limit < 0:
		top.rows = append(top.rows, row)
	case full:
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

func (t *topRows) Len() int { return len(t.rows) }
func (t *topRows) Less(i, j int) bool {
	if c := compareKeys(t.keys, t.rows[i].keys, t.rows[j].keys); c != 0 {
		return c > 0
	}
	return t.rows[i].serial > t.rows[j].serial
}
func (t *topRows) Swap(i, j int) { t.rows[i], t.rows[j] = t.rows[j], t.rows[i] }
func (t *topRows) Push(x any)    { t.rows = append(t.rows, x.(sortedRow)) }
func (t *topRows) Pop() any {
	last := t.rows[len(t.rows)-1]
	t.rows = t.rows[:len(t.rows)-1]
	return last
}
