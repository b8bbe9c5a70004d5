package query

import (
	"slices"
	"strconv"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// projectedRows compute the results and the sort keys of the rows of a core.
type projectedRows struct {
	in   rows
	en   *expr.Env // of the row that is read
	plan *corePlan
	row  []value.Value
}

func (p *projectedRows) next(en *expr.Env) (bool, error) {
	ok, err := p.advance()
	if !ok || err != nil {
		return false, err
	}
	en.Row.Values, err = p.results()
	return err == nil, err
}

func (p *projectedRows) advance() (bool, error) {
	p.en.Begin()
	return p.in.next(p.en)
}

func (p *projectedRows) results() ([]value.Value, error) {
	for i, e := range p.plan.results {
		if e != nil {
			p.row[i] = e.Eval(p.en)
		}
	}
	return p.row, p.en.Err
}

func (p *projectedRows) sortKeys(dst []value.Value) error {
	for i := range p.plan.order {
		dst[i] = p.plan.order[i].e.Eval(p.en)
	}
	return p.en.Err
}

func (p *projectedRows) close() error { return p.in.close() }

// A projection gives rows whose sort keys and results are computed separately, so that a row which
// is dropped for its keys is never computed.
type projection interface {
	rows
	// advance moves to the next row.
	advance() (bool, error)
	// sortKeys computes the current row's sort keys.
	sortKeys(dst []value.Value) error
	// results computes the current row. The slice is reused.
	results() ([]value.Value, error)
}

// expandResults replaces the stars of the SELECT list by columns.
func (c *coreScope) expandResults() error {
	for _, r := range c.core.Results {
		if len(c.results) > maxColumns {
			return errorf(BadStatement, r.Pos, "a SELECT gives at most %d columns", maxColumns)
		}
		if !r.Star {
			c.results = append(c.results, r)
			continue
		}
		if len(c.sources) == 0 {
			return errorf(BadStatement, r.Pos, "* needs a FROM")
		}
		if r.StarTable != "" && !c.hasSource(r.StarTable) {
			return errorf(UnknownTable, r.Pos,
				"there is no table %s in this query", fault.Quoted(r.StarTable))
		}
		list, err := c.starResults(r)
		if err != nil {
			return err
		}
		c.results = append(c.results, list...)
	}
	return nil
}

// usesAggregates reports whether the results, QUALIFY or ORDER BY have an aggregate function.
func (c *coreScope) usesAggregates(order []parser.Order) bool {
	return c.uses(order, func(call *parser.Call) bool { return call.Over == nil && c.isAggregate(call) })
}

// usesWindows reports whether the results, QUALIFY or ORDER BY have a window function.
func (c *coreScope) usesWindows(order []parser.Order) bool {
	return c.uses(order, func(call *parser.Call) bool { return call.Over != nil })
}

// uses reports whether the results, QUALIFY or ORDER BY have such a call.
func (c *coreScope) uses(order []parser.Order, is func(*parser.Call) bool) bool {
	found := func(e parser.Expr) bool {
		return parser.Contains(e, func(e parser.Expr) bool {
			call, ok := e.(*parser.Call)
			return ok && is(call)
		})
	}
	return found(c.qualify) ||
		slices.ContainsFunc(c.results, func(r parser.Result) bool { return found(r.Expr) }) ||
		slices.ContainsFunc(c.withDistinctOn(order), func(o parser.Order) bool { return found(o.Expr) })
}

func (c *coreScope) compileResults(p *corePlan) error {
	scan, ok := c.from.(*tableScan)
	defer func() {
		if ok {
			scan.collect = nil
		}
	}()
	for i, r := range c.results {
		if ok {
			scan.collect = make([]bool, len(scan.columns))
			p.reads = append(p.reads, scan.collect)
		}
		x, err := c.resultScope().compile(r.Expr)
		if err != nil {
			return err
		}
		if x.Type == EventType {
			if err := c.checkEvent(r); err != nil {
				return err
			}
		}
		_, bare := r.Expr.(*parser.Column)
		p.results, p.bare = append(p.results, x), append(p.bare, bare)
		p.origins = append(p.origins, c.originOf(r.Expr))
		p.slots = append(p.slots, c.slotOf(r.Expr))
		p.columns = append(p.columns, tableColumn{
			Column:   Column{Name: c.resultName(r, i), Type: x.Type, Nullable: x.Nullable},
			affinity: x.Affinity, collate: x.Collate, tags: x.Tags,
		})
	}
	return nil
}

// checkEvent allows the pseudo-column event only as a result of its own, read directly from an
// event table.
func (c *coreScope) checkEvent(r parser.Result) error {
	_, plain := r.Expr.(*parser.Column)
	_, direct := c.from.(*tableScan)
	if plain && direct && !c.aggregate && !c.core.Distinct && !c.nested {
		return nil
	}
	return errorf(Unsupported, r.Pos,
		"the column event can only be read directly from an event table: "+
			"no sub-query, join, grouping, DISTINCT or window")
}

// resultName names a result column: its alias, the column's name, or the expression as it was
// written.
func (c *coreScope) resultName(r parser.Result, i int) string {
	if r.Alias != "" {
		return r.Alias
	}
	if col, ok := r.Expr.(*parser.Column); ok {
		if at, err := c.find(col); err == nil && at >= 0 {
			return c.from.schema()[c.place(at)].Name
		}
		return col.Name
	}
	if r.Text != "" {
		return r.Text
	}
	return "column" + strconv.Itoa(i+1)
}

// resultPlaces tells which result has a key, the first of several.
func (c *coreScope) resultPlaces() map[string]int {
	if c.places == nil {
		c.places = make(map[string]int, len(c.results))
		for i, r := range c.results {
			if key := c.key(r.Expr); !has(c.places, key) {
				c.places[key] = i
			}
		}
	}
	return c.places
}

func has[K comparable, V any](m map[K]V, key K) bool {
	_, ok := m[key]
	return ok
}
