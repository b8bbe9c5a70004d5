package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A selectPlan is a compiled SELECT: one core or several joined by UNION and its like, in an order,
// cut by LIMIT.
type selectPlan struct {
	cores     []*corePlan
	ops       []compoundOp        // of core i > 0: how it is joined to those before it
	compared  [][]value.Collation // of core i > 0: how its columns are compared with those before it
	columns   []tableColumn
	order     []sortKey // on the rows of several cores; a single core has its own
	limit     *limitPlan
	recursion *recursion // of a name of WITH RECURSIVE that reads itself, otherwise nil
	outer     bool       // reads columns of an enclosing query
	wanted    []bool     // of a sub-query in FROM: the results that are read; nil for all

	keepable error // of a materialised view: why its groups cannot be kept, nil if they can
}

// prune drops the results that nobody reads, and with them the columns that only they need. It is
// called once, when the statement has been compiled.
func (p *selectPlan) prune() {
	for _, core := range p.cores {
		scan := scanOf(core.from)
		simple := len(p.cores) == 1 && !core.distinct && core.group == nil && p.wanted != nil
		for i := range core.results {
			if simple && !p.wanted[i] && !core.sortsBy(i) {
				core.results[i] = nil
				continue
			}
			if scan != nil {
				scan.needAll(core.reads[i])
			}
		}
	}
}

// sortsBy reports whether ORDER BY names the result.
func (p *corePlan) sortsBy(i int) bool {
	for _, k := range p.order {
		if k.result == i {
			return true
		}
	}
	return false
}

// A corePlan is a compiled SELECT ... FROM ... WHERE ... GROUP BY ... HAVING ... QUALIFY.
type corePlan struct {
	from     relation
	where    []condition // what could not be pushed into a table
	group    *groupPlan  // nil without grouping
	having   []condition
	windows  *windowPlan // nil without window functions
	qualify  []condition
	results  []*expr.Expr // nil for one that nobody reads
	reads    [][]bool     // by result, where FROM is a table: the columns that it reads
	bare     []bool       // by result: it is a column and nothing else
	origins  []origin     // by result
	slots    []int        // by result, in a view that groups: which GROUP BY expression it is, -1 for none
	columns  []tableColumn
	distinct bool
	on       []*expr.Expr // DISTINCT ON (...), nil without
	order    []sortKey
	nested   bool          // some expression has a sub-query
	leaves   bool          // with FOLLOW over groups: a row may leave the result again
	semis    []*semiJoin   // of the sub-queries, for EXPLAIN
	subplans []*subPlan    // the sub-queries in expressions, for EXPLAIN
	directed *directedScan // ORDER BY that the scan itself can give, nil if it cannot
	texts    coreTexts
}

// coreTexts are what EXPLAIN says of the steps.
type coreTexts struct{ where, group, having, qualify, on, order string }

// compileSelect compiles a SELECT wherever it stands.
func (c *statementCompiler) compileSelect(sel *parser.Select, q queryScope) (*selectPlan, error) {
	p := &selectPlan{}
	onOuter := q.onOuter
	q.onOuter = func() {
		p.outer = true
		if onOuter != nil {
			onOuter()
		}
	}
	if q.nested && sel.AsOf != nil {
		return nil, errorf(BadStatement, sel.AsOf.At(),
			"AS OF POSITION holds for the whole statement and stands at its end, not in a sub-query")
	}
	if q.nested && sel.Follow {
		return nil, errorf(BadStatement, sel.Pos, "FOLLOW cannot be used in a sub-query")
	}
	if err := c.addCTEs(sel, &q); err != nil {
		return nil, err
	}
	if err := c.addCores(p, sel, q); err != nil {
		return nil, err
	}
	limit, err := c.compileLimit(sel.Limit, sel.Offset, q)
	p.limit = limit
	c.selects = append(c.selects, p)
	return p, err
}

// compileCore compiles one SELECT core with the ORDER BY that belongs to it.
func (c *statementCompiler) compileCore(
	core *parser.Core, order []parser.Order, q queryScope,
) (*corePlan, error) {
	cc := &coreScope{
		statementCompiler: c, queryScope: q, core: core,
		groups: map[string]int{}, aggSlots: map[string]int{}, winSlots: map[string]int{},
		ordinals: map[*expr.Expr]int{}, semis: new([]*semiJoin),
		subplans: new([]*subPlan),
	}
	return cc.compile(order)
}

func (c *coreScope) compile(order []parser.Order) (*corePlan, error) {
	for _, compile := range []func() error{c.compileSources, c.splitWhere, c.expandResults} {
		if err := compile(); err != nil {
			return nil, err
		}
	}
	order, err := c.nameWindows(order)
	if err != nil {
		return nil, err
	}
	order = c.replaceMerged(order)
	if err := c.followResults(order); err != nil {
		return nil, err
	}
	c.aggregate = c.core.Groups() || c.core.Having != nil || c.usesAggregates(order)
	p := &corePlan{distinct: c.core.Distinct}
	if err := c.compileFrom(p, order); err != nil {
		return nil, err
	}
	if err := c.compileGroupBy(); err != nil {
		return nil, err
	}
	if err := c.compileResults(p); err != nil {
		return nil, err
	}
	if err := c.compileOrder(p, order); err != nil {
		return nil, err
	}
	for _, compile := range []func(*corePlan) error{
		c.compileDistinctOn, c.compileHaving, c.compileQualify, c.checkWindows,
	} {
		if err := compile(p); err != nil {
			return nil, err
		}
	}
	if c.aggregate {
		c.keepOrder(p)
		p.group = newGroupPlan(c, p.where)
	}
	if len(c.windows) > 0 {
		p.windows = newWindowPlan(c)
	}
	p.directed, p.nested, p.semis = c.direct(p, order), c.nesting, *c.semis
	p.subplans = *c.subplans
	c.walkStreams(p)
	if scan, ok := p.from.(*tableScan); ok && scan.events() != nil {
		scan.repeats = c.dropsRepeats(p)
	}
	if c.live != nil {
		c.live.alongLog = c.isAlongLog(p, order)
	}
	p.texts.group = c.groupText()
	return p, c.checkFollowed(p)
}

// Limits of a SELECT.
const (
	maxColumns = 2000 // results, terms of ORDER BY, terms of GROUP BY
	maxTables  = 64   // items of FROM
)

// open starts a SELECT. Its rows are in en.row.values, one value per column.
func (p *selectPlan) open(ex *execution, outer *expr.Env) (rows, error) {
	limit, offset, err := p.limit.window(ex, outer)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		return noRows{}, nil
	}
	if len(p.cores) == 1 {
		if offset > 0 {
			op, done, err := p.cores[0].openBehind(ex, outer, limit, offset)
			if done || err != nil {
				return limited(op, limit, 0), err
			}
		}
		op, err := p.cores[0].open(ex, outer, wanted(limit, offset))
		if err != nil {
			return nil, err
		}
		return limited(op, limit, offset), nil
	}
	if p.recursion != nil {
		return limited(p.openRecursive(ex, outer), limit, offset), nil
	}
	op := p.openCompound(ex, outer, len(p.cores))
	if len(p.order) > 0 {
		op = orderedRows{
			in: &plainProjection{rows: op, en: ex.env(outer), keys: p.order}, keys: p.order,
			limit: wanted(limit, offset), keep: newKeeper(ex.budget, "ORDER BY"),
		}.spilling(ex, len(p.columns))
	}
	return limited(op, limit, offset), nil
}

// open starts a core, from which no more than limit rows will be read; -1 means all of them.
func (p *corePlan) open(ex *execution, outer *expr.Env, limit int64) (rows, error) {
	if err := ex.ctx.Err(); err != nil { // sub-queries within each other are many more than rows
		return nil, err
	}
	sorted := len(p.order) > 0
	in, err := p.windows.openStreams(ex, outer)
	streams := in != nil
	if !streams && err == nil {
		in, err = p.openFrom(ex, outer, limit, &sorted)
	}
	if err != nil {
		return nil, err
	}
	if p.group != nil {
		in = filtered(&groupedRows{plan: p.group, ex: ex, outer: outer,
			row: make([]value.Value, len(p.group.keys)+len(p.group.aggs))}, p.having)
	} else {
		in = filtered(in, p.where)
	}
	if p.windows != nil {
		in = filtered(p.windows.open(ex, outer, in, streams), p.qualify)
	}
	projected := &projectedRows{
		in: in, en: ex.env(outer), plan: p, row: make([]value.Value, len(p.results)),
	}
	var rows projection = projected
	switch {
	case p.on != nil:
		return p.openFirst(ex, projected, sorted), nil
	case p.distinct:
		rows = newDistinct(rows, newRowKeys(p.columns), ex, "DISTINCT", len(p.order))
	}
	if !sorted {
		return rows, nil
	}
	ex.keepEvents = true
	return orderedRows{in: rows, keys: p.order, limit: limit,
		keep: newKeeper(ex.budget, "ORDER BY")}.spilling(ex, len(p.results)), nil
}

// openFrom starts FROM. It clears sorted if the rows come in the order of ORDER BY already.
func (p *corePlan) openFrom(
	ex *execution, outer *expr.Env, limit int64, sorted *bool,
) (rows, error) {
	if p.group != nil { // which opens FROM itself
		return noRows{}, nil
	}
	if d := p.directed; d != nil && len(ex.own) == 0 {
		*sorted = false
		return d.open(ex, outer, limit)
	}
	if scan, ok := p.from.(*tableScan); ok && !*sorted {
		return scan.openLimited(ex, outer, false, p.scanLimit(limit))
	}
	return p.from.open(ex, outer)
}

// scanLimit is the limit as a hint for a scan: without conditions that drop rows it reads no more
// than that.
func (p *corePlan) scanLimit(limit int64) int64 {
	if limit < 0 || len(p.where) > 0 || p.distinct || p.windows != nil {
		return 0
	}
	return limit
}

func (p *selectPlan) explain(x *explainer) {
	switch {
	case len(p.cores) == 1:
		p.cores[0].explain(x, p.limitText(x, true))
	case p.recursion != nil:
		p.explainRecursive(x)
	default:
		p.explainCores(x, 0, len(p.cores))
	}
	if len(p.order) > 0 && p.recursion == nil {
		x.step("sort", "%d columns", len(p.order))
	}
	if text := p.limitText(x, true); text != "" {
		x.step("limit", "%s", text)
	}
}

func (p *corePlan) explain(x *explainer, limit string) {
	sorted := len(p.order) > 0
	if p.directed != nil && len(x.ex.own) == 0 {
		sorted = false
		p.directed.scan.explainScan(x, p.directed.backwards)
	} else {
		p.from.explain(x)
	}
	if len(p.where) > 0 {
		x.step("filter", "%s", p.texts.where)
	}
	for _, j := range p.semis {
		j.explain(x)
	}
	for _, sub := range p.subplans {
		sub.explain(x)
	}
	if p.group != nil {
		p.group.explain(x, p.texts.group)
	}
	if p.texts.having != "" {
		x.step("having", "%s", p.texts.having)
	}
	if p.windows != nil {
		p.windows.explain(x)
	}
	if p.texts.qualify != "" {
		x.step("qualify", "%s", p.texts.qualify)
	}
	switch {
	case p.on != nil:
		p.explainFirst(x, sorted)
		return
	case p.distinct:
		x.step("distinct", "by hash")
	}
	if !sorted {
		return
	}
	if limit == "" || strings.HasPrefix(limit, "all") {
		x.step("sort", "by %s", p.texts.order)
		return
	}
	x.step("top", "%s by %s", limit, p.texts.order)
}
