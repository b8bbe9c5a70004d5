package query

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A tableScan reads one table. Conditions on the table alone are pushed into it: as bounds, which
// let the table read less, and as a filter, which decides.
type tableScan struct {
	def       table
	alias     string // "" for none
	columns   []tableColumn
	need      []bool // columns that are read
	collect   []bool // where bind notes a column instead, while it is not known whether it will be read; nil for need
	bounds    []*bound
	conds     []condition
	alone     []condition // those of conds that depend on the row and the arguments alone
	place     readPlace   // where it stands
	filters   []string    // the conditions as text, for EXPLAIN
	inexact   bool        // some condition is not a bound
	backwards bool        // read from the end
	semis     []*semiJoin // that are answered stream by stream if the scan is read so, whose order does not matter
	stride    *stride     // a condition that tells the positions apart; nil for none
	repeats   bool        // the query gives the same if equal rows come once; see table_scan_names.go
	paths     *pathSet    // JSON paths that are looked up once per row
}

func newTableScan(def table) *tableScan {
	schema := def.schema()
	return &tableScan{def: def, columns: schema, need: make([]bool, len(schema)), paths: newPathSet()}
}

func (s *tableScan) schema() []tableColumn { return s.columns }

// scanOf returns the scan that a relation is, nil if it is something else.
func scanOf(in relation) *tableScan {
	switch in := in.(type) {
	case *tableScan:
		return in
	case *followedRelation:
		return in.tableScan
	}
	return nil
}

// events returns the event table that the scan reads, nil if it is another kind of table.
func (s *tableScan) events() *eventTable {
	t, _ := s.def.(*eventTable)
	return t
}

func (s *tableScan) bind(i int) *expr.Expr {
	s.use(i)
	if s.events() != nil {
		return boundColumn(s.columns[i], eventColumns[i].eval)
	}
	return boundColumn(s.columns[i],
		func(en *expr.Env) value.Value { return en.Row.Batch.Columns[i][en.Row.I] })
}

// use notes that column i is read.
func (s *tableScan) use(i int) {
	if s.collect != nil {
		s.collect[i] = true
		return
	}
	s.need[i] = true
}

// needAll notes that the columns of a set are read.
func (s *tableScan) needAll(set []bool) {
	for i, used := range set {
		s.need[i] = s.need[i] || used
	}
}

// needed lists the ordinals of the columns that are read.
func (s *tableScan) needed() []int {
	var list []int
	for i, needed := range s.need {
		if needed {
			list = append(list, i)
		}
	}
	return list
}

func (s *tableScan) open(ex *execution, outer *expr.Env) (rows, error) {
	if in, err := s.openWalks(ex, outer); in != nil || err != nil {
		return in, err
	}
	what, err := s.narrowNow(ex, outer)
	if err != nil {
		return nil, err
	}
	if what.empty {
		return &noRows{}, nil
	}
	return s.openBounds(ex, scanBounds{Filter: what.filter(s.backwards), seen: what.seen})
}

// openBounds starts reading the rows within the bounds.
func (s *tableScan) openBounds(ex *execution, b scanBounds) (rows, error) {
	defer s.opening(ex)()
	src, err := s.source(ex, b)
	if err != nil {
		return nil, err
	}
	return &scannedRows{src: src, conds: s.conds}, nil
}

// source is what the rows come from.
func (s *tableScan) source(ex *execution, b scanBounds) (batches, error) {
	if s.repeats {
		if column := s.namesOf(ex, b.Filter); column >= 0 {
			return s.names(ex, column, b)
		}
	}
	if every, rest, ok := s.strideNow(ex, b.Filter); ok {
		return s.jump(ex, every, rest, b), nil
	}
	return s.def.scan(ex, s.needed(), b)
}

// filter is what an event table is asked for: the narrowing, and the table's stream if it has one.
func (s *tableScan) filter(what *narrowing) engine.Filter {
	return s.events().filter(what.filter(false))
}

// columnSet is what the engine must read of an event table.
func (s *tableScan) columnSet() engine.ColumnSet { return columnSet(s.needed()) }

// narrowNow evaluates the bounds for a scan of nothing but the execution's snapshot.
func (s *tableScan) narrowNow(ex *execution, outer *expr.Env) (*narrowing, error) {
	what, err := s.narrow(ex, outer)
	if err != nil {
		return nil, err
	}
	what.seen = s.sees(ex, what)
	if ex.since > 0 { // there are few events, perhaps, and many streams
		return what, nil
	}
	if err = s.listStreams(ex, what); err == nil && what.empty {
		what.seen.toEnd() // there is no stream that LIKE matches
	}
	return what, err
}

// narrow evaluates the bounds.
func (s *tableScan) narrow(ex *execution, outer *expr.Env) (*narrowing, error) {
	what := newNarrowing()
	if ex.since > 0 {
		what.narrowTo(&what.position, int64(ex.since), math.MaxInt64)
	}
	if len(s.bounds) == 0 {
		return what, nil
	}
	en := ex.env(outer)
	for _, b := range s.bounds {
		if b.pushed {
			if !ex.keeping {
				b.applyPushed(what, ex.env(outer))
			}
			continue
		}
		b.apply(what, en)
		if en.Err != nil {
			return nil, en.Err
		}
	}
	return what, ex.ctx.Err()
}

// scannedRows are the rows of batches that satisfy the conditions.
type scannedRows struct {
	src   batches
	conds []condition
	batch *expr.Batch
	i     int
}

func (s *scannedRows) next(en *expr.Env) (bool, error) {
	for {
		en.Begin()
		if s.batch == nil || s.i+1 >= s.batch.Len {
			if err := s.advance(en); err != nil || s.batch == nil {
				return false, err
			}
		} else {
			s.i++
		}
		en.Row.I = s.i
		if len(s.conds) == 0 {
			return true, nil
		}
		pass := allTrue(s.conds, en)
		if en.Err != nil {
			return false, en.Err
		}
		if pass {
			return true, nil
		}
	}
}

// advance fetches the next batch.
func (s *scannedRows) advance(en *expr.Env) error {
	if err := en.Ctx.Err(); err != nil {
		return err
	}
	batch, err := s.src.next()
	s.batch, s.i = batch, 0
	en.Row.Batch = batch
	return err
}

func (s *scannedRows) close() error { return s.src.close() }

// openLimited starts a scan in a direction from which no more than limit rows will be read; 0 means
// that nothing is known.
func (s *tableScan) openLimited(
	ex *execution, outer *expr.Env, backwards bool, limit int64,
) (rows, error) {
	what, err := s.narrowNow(ex, outer)
	if err != nil {
		return nil, err
	}
	if what.empty {
		return noRows{}, nil
	}
	f := what.filter(backwards)
	if limit > 0 && limit < math.MaxInt32 && !s.inexact && !what.inexact {
		f.Limit = int(limit)
	}
	return s.openBounds(ex, scanBounds{Filter: f, seen: what.seen})
}

func (s *tableScan) explain(x *explainer) { s.explainScan(x, false) }

func (s *tableScan) explainScan(x *explainer, backwards bool) {
	what, err := s.withoutOuter().narrowNow(x.ex, nil)
	if err != nil {
		x.err = err
		return
	}
	var b strings.Builder
	b.WriteString(s.def.name())
	if s.alias != "" {
		b.WriteString(" AS " + s.alias)
	}
	what.describe(&b, x.ex.index.Head())
	if backwards {
		b.WriteString(" backwards")
	}
	kind := "scan"
	if t := s.events(); t != nil && !what.empty {
		if !t.all || what.streams != nil || what.types != nil || what.tags != nil || what.any != nil ||
			what.ids != nil {
			kind = "index scan"
		}
		if s.repeats && s.namesOf(x.ex, what.filter(false)) >= 0 {
			kind = "index scan"
			b.WriteString(", every name once from the index")
		} else {
			b.WriteString(s.estimate(x, what) + s.strideText(x.ex, what))
		}
	}
	if names := s.readNames(); names != "" && !what.empty {
		b.WriteString(", reads " + names + s.indexedText(x, what))
	}
	x.step(kind, "%s", b.String())
	if len(s.filters) > 0 {
		x.step("filter", "%s", strings.Join(s.filters, " AND "))
	}
}

// withoutOuter is the scan with only those bounds that do not depend on the row of an enclosing query
// or of a table before a LATERAL one: EXPLAIN has no such row.
func (s *tableScan) withoutOuter() *tableScan {
	outer := func(b *bound) bool { return b.readsOuter() }
	if !slices.ContainsFunc(s.bounds, outer) {
		return s
	}
	plain := *s
	plain.bounds = slices.DeleteFunc(slices.Clone(s.bounds), outer)
	return &plain
}

// readsOuter reports whether an operand of the bound, or of one of its alternatives, depends on the
// row of an enclosing query.
func (b *bound) readsOuter() bool {
	for _, parts := range b.alternatives {
		if slices.ContainsFunc(parts, (*bound).readsOuter) {
			return true
		}
	}
	return slices.ContainsFunc(b.operands, func(x *expr.Expr) bool { return !x.Constant })
}

// readNames lists the columns that the scan reads.
func (s *tableScan) readNames() string {
	var names []string
	for _, i := range s.needed() {
		names = append(names, s.columns[i].Name)
	}
	return strings.Join(names, ", ")
}

// indexedText tells EXPLAIN that what is read stands in the indexes.
func (s *tableScan) indexedText(x *explainer, what *narrowing) string {
	if s.events() == nil {
		return ""
	}
	index, ok := quiet(x.ex.index).(engine.IndexedScanner)
	if !ok || !index.ScansIndexes(s.filter(what), s.columnSet()) {
		return ""
	}
	return " from the indexes"
}

// estimate says how many events the indexes let the scan look at.
func (s *tableScan) estimate(x *explainer, what *narrowing) string {
	n, ok, err := s.atMost(x.ex, x.ex.index, what)
	if err != nil {
		x.err = err
	}
	if !ok || err != nil {
		return ""
	}
	return fmt.Sprintf(", at most %d events", n)
}

// atMost is how many events the indexes let the scan look at; ok is false if counting those would
// read events.
func (s *tableScan) atMost(
	ex *execution, index engine.ReadIndex, what *narrowing,
) (n int64, ok bool, err error) {
	f := s.filter(what)
	if f.IDs != nil || f.Any != nil || f.Prefix != "" || f.MinVersion > 0 || f.HasMaxVersion ||
		!f.Since.IsZero() || !f.Before.IsZero() || len(f.Tags)+len(f.Types) > 1 {
		return 0, false, nil
	}
	n, err = index.Count(ex.ctx, f)
	return n, err == nil, err
}
