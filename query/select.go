package query

import (
	"slices"
	"strconv"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A selectPlan is a compiled SELECT: one core or several joined by UNION, in an order, cut by LIMIT.
type selectPlan struct {
	cores   []*corePlan
	all     []bool // of core i > 0: joined by UNION ALL
	columns []tableColumn
	order   []sortKey // on the rows of a UNION; a single core has its own
	limit   *limitPlan
	outer   bool   // reads columns of an enclosing query
	wanted  []bool // of a sub-query in FROM: the results that are read; nil for all
}

// prune drops the results that nobody reads, and with them the columns that only they need. It is called once, when the
// statement has been compiled.
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

// A corePlan is a compiled SELECT ... FROM ... WHERE ... GROUP BY ... HAVING.
type corePlan struct {
	from     relation
	where    []condition // what could not be pushed into a table
	group    *groupPlan  // nil without grouping
	having   []condition
	windows  *windowPlan // nil without window functions
	results  []*expr     // nil for one that nobody reads
	reads    [][]bool    // by result, where FROM is a table: the columns that it reads
	bare     []bool      // by result: it is a column and nothing else
	columns  []tableColumn
	distinct bool
	order    []sortKey
	directed *directedScan // ORDER BY that the scan itself can give, nil if it cannot
	texts    coreTexts
}

// coreTexts are what EXPLAIN says of the steps.
type coreTexts struct{ where, group, having, order string }

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
		return nil, errorf(BadStatement, sel.AsOf.At(), "AS OF POSITION holds for the whole statement and stands at its end, not in a sub-query")
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

func (c *statementCompiler) addCores(p *selectPlan, sel *parser.Select, q queryScope) error {
	order := sel.OrderBy
	if len(sel.Unions) > 0 {
		order = nil
	}
	first, err := c.compileCore(sel.First, order, q)
	if err != nil {
		return err
	}
	p.cores, p.all = []*corePlan{first}, []bool{false}
	p.columns = append([]tableColumn(nil), first.columns...)
	for _, u := range sel.Unions {
		core, err := c.compileCore(u.Core, nil, q)
		if err != nil {
			return err
		}
		if len(core.columns) != len(p.columns) {
			return errorf(BadStatement, u.Core.Pos, "the SELECTs of a UNION have %d and %d columns", len(p.columns), len(core.columns))
		}
		p.cores, p.all = append(p.cores, core), append(p.all, u.All)
		for i := range p.columns {
			p.columns[i] = mergeColumns(p.columns[i], core.columns[i])
		}
	}
	if len(sel.Unions) == 0 {
		return nil
	}
	if err := c.refuseEvents(p, sel); err != nil {
		return err
	}
	p.order, err = c.unionOrder(sel, p)
	return err
}

// refuseEvents refuses the pseudo-column event where rows are kept and compared.
func (c *statementCompiler) refuseEvents(p *selectPlan, sel *parser.Select) error {
	for _, core := range p.cores {
		for _, col := range core.columns {
			if col.Type == EventType {
				return errorf(Unsupported, sel.Pos, "the column event cannot be used in a UNION")
			}
		}
	}
	return nil
}

// mergeColumns gives the type of a column of a UNION.
func mergeColumns(a, b tableColumn) tableColumn {
	if a.Type != b.Type {
		a.Type = Any
	}
	if a.affinity != b.affinity {
		a.affinity = value.AffNone
	}
	a.Nullable = a.Nullable || b.Nullable
	return a
}

// unionOrder compiles ORDER BY of a UNION: its terms are names, numbers or texts of result columns.
func (c *statementCompiler) unionOrder(sel *parser.Select, p *selectPlan) ([]sortKey, error) {
	var keys []sortKey
	if len(sel.OrderBy) > maxColumns {
		return nil, errorf(BadStatement, sel.OrderBy[maxColumns].Expr.At(), "ORDER BY has at most %d terms", maxColumns)
	}
	for _, o := range sel.OrderBy {
		e, coll := splitCollate(o.Expr)
		i, err := unionColumn(sel, p, e)
		if err != nil {
			return nil, err
		}
		if coll == nil {
			coll = &p.columns[i].collate
		}
		keys = append(keys, newSortKey(o, i, nil, *coll))
	}
	return keys, nil
}

func unionColumn(sel *parser.Select, p *selectPlan, e parser.Expr) (int, error) {
	if n, ok := ordinal(e); ok {
		if n < 1 || n > int64(len(p.columns)) {
			return 0, errorf(BadStatement, e.At(), "ORDER BY %d: the result has %d columns", n, len(p.columns))
		}
		return int(n) - 1, nil
	}
	if col, ok := e.(*parser.Column); ok && col.Table == "" {
		for i := range p.columns {
			if sameName(p.columns[i].Name, col.Name) {
				return i, nil
			}
		}
	}
	identity := func(col *parser.Column) string { return parser.LowerASCII(col.Name) }
	key := keyOf(e, identity)
	for i, r := range sel.First.Results {
		if len(sel.First.Results) == len(p.columns) && r.Expr != nil && keyOf(r.Expr, identity) == key {
			return i, nil
		}
	}
	return 0, errorf(BadStatement, e.At(), "ORDER BY of a UNION takes names or numbers of result columns")
}

// splitCollate takes COLLATE off an ORDER BY term that is otherwise a column or a number. Of several, the last counts.
func splitCollate(e parser.Expr) (term parser.Expr, coll *value.Collation) {
	for {
		col, ok := e.(*parser.Collate)
		if !ok {
			return e, coll
		}
		if coll == nil {
			c := collations[col.Name]
			coll = &c
		}
		e = col.X
	}
}

// compileCore compiles one SELECT core with the ORDER BY that belongs to it.
func (c *statementCompiler) compileCore(core *parser.Core, order []parser.Order, q queryScope) (*corePlan, error) {
	cc := &coreScope{
		statementCompiler: c, queryScope: q, core: core,
		groups: map[string]int{}, aggSlots: map[string]int{}, winSlots: map[string]int{}, ordinals: map[*expr]int{},
	}
	return cc.compile(order)
}

func (c *coreScope) compile(order []parser.Order) (*corePlan, error) {
	if err := c.collectSources(c.core.From); err != nil {
		return nil, err
	}
	if c.core.From != nil {
		c.mergeUsing(c.core.From, new(int))
	}
	if err := c.expandResults(); err != nil {
		return nil, err
	}
	c.aggregate = len(c.core.GroupBy) > 0 || c.core.Having != nil || c.usesAggregates(order)
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
	if err := c.compileHaving(p); err != nil {
		return nil, err
	}
	if c.aggregate {
		p.group = newGroupPlan(c, p.where)
	}
	if len(c.windows) > 0 {
		p.windows = newWindowPlan(c)
	}
	p.directed = c.direct(p, order)
	p.texts.group = exprTexts(c.core.GroupBy)
	return p, nil
}

// Limits of a SELECT.
const (
	maxColumns = 2000 // results, terms of ORDER BY, terms of GROUP BY
	maxTables  = 64   // items of FROM
)

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
			return errorf(UnknownTable, r.Pos, "there is no table %s in this query", quoted(r.StarTable))
		}
		for i := range c.sources {
			if r.StarTable == "" || sameName(c.sources[i].name, r.StarTable) {
				c.results = append(c.results, c.sources[i].star(r)...)
			}
		}
	}
	return nil
}

// star lists the columns of a source for a star in the SELECT list.
func (s *fromItem) star(r parser.Result) []parser.Result {
	var list []parser.Result
	for i, col := range s.columns {
		if col.hidden || r.StarTable == "" && s.merged[parser.LowerASCII(col.Name)] {
			continue
		}
		at := &parser.Column{Pos: r.Pos, Table: ordinalName(s.offset + i), Name: col.Name}
		list = append(list, parser.Result{Pos: r.Pos, Expr: at, Text: col.Name})
	}
	return list
}

// usesAggregates reports whether the results or ORDER BY have an aggregate function.
func (c *coreScope) usesAggregates(order []parser.Order) bool {
	return c.uses(order, func(call *parser.Call) bool { return call.Over == nil && isAggregate(call) })
}

// usesWindows reports whether the results or ORDER BY have a window function.
func (c *coreScope) usesWindows(order []parser.Order) bool {
	return c.uses(order, func(call *parser.Call) bool { return call.Over != nil })
}

// uses reports whether the results or ORDER BY have such a call.
func (c *coreScope) uses(order []parser.Order, is func(*parser.Call) bool) bool {
	found := func(e parser.Expr) bool {
		return parser.Contains(e, func(e parser.Expr) bool {
			call, ok := e.(*parser.Call)
			return ok && is(call)
		})
	}
	return slices.ContainsFunc(c.results, func(r parser.Result) bool { return found(r.Expr) }) ||
		slices.ContainsFunc(order, func(o parser.Order) bool { return found(o.Expr) })
}

// compileGroupBy compiles the GROUP BY list, each item of which is an alias, an ordinal or an expression.
func (c *coreScope) compileGroupBy() error {
	if list := c.core.GroupBy; len(list) > maxColumns {
		return errorf(BadStatement, list[maxColumns].At(), "GROUP BY has at most %d terms", maxColumns)
	}
	for _, e := range c.core.GroupBy {
		e, err := c.groupItem(e)
		if err != nil {
			return err
		}
		x, err := c.groupScope().compile(e)
		if err != nil {
			return err
		}
		if x.typ == EventType {
			return errorf(Unsupported, e.At(), "the column event cannot be grouped by")
		}
		key := c.key(e)
		if _, twice := c.groups[key]; !twice {
			c.groups[key] = len(c.keys)
			c.keys = append(c.keys, x)
		}
	}
	return nil
}

// groupItem resolves an ordinal or an alias of GROUP BY to the expression of the result, and aliases within an expression.
func (c *coreScope) groupItem(e parser.Expr) (parser.Expr, error) {
	if n, ok := ordinal(e); ok {
		if n < 1 || n > int64(len(c.results)) {
			return nil, errorf(BadStatement, e.At(), "GROUP BY %d: the result has %d columns", n, len(c.results))
		}
		return c.results[n-1].Expr, nil
	}
	var failed error
	e = parser.Replace(e, func(x parser.Expr) parser.Expr {
		col, ok := x.(*parser.Column)
		if !ok {
			return nil
		}
		i, err := c.find(col)
		if err != nil {
			failed = err
			return x
		}
		r := c.aliased(col)
		if r == nil || i >= 0 && (x != e || !c.needsAlias(r)) {
			return x
		}
		return r
	})
	return e, failed
}

// aliased returns the expression of the result with the name, nil if there is none.
func (c *coreScope) aliased(col *parser.Column) parser.Expr {
	if col.Table != "" {
		return nil
	}
	for _, r := range c.results {
		if r.Alias != "" && sameName(r.Alias, col.Name) {
			return r.Expr
		}
	}
	return nil
}

// needsAlias decides what a name in GROUP BY means that is both a column and the alias of the result e. It is the column, unless
// the result could then not be given, because it reads columns that are not grouped.
func (c *coreScope) needsAlias(e parser.Expr) bool {
	grouped := map[string]bool{}
	for _, g := range c.core.GroupBy {
		if n, ok := ordinal(g); ok && n >= 1 && n <= int64(len(c.results)) {
			g = c.results[n-1].Expr
		}
		grouped[c.key(g)] = true
	}
	missing, aggregate := false, false
	parser.Walk(e, func(e parser.Expr) bool {
		switch x := e.(type) {
		case *parser.Literal, *parser.Param:
			return false
		case *parser.Call:
			aggregate = aggregate || x.Over != nil || isAggregate(x)
		case *parser.Column:
			i, err := c.find(x)
			missing = missing || err == nil && i >= 0 && !grouped[c.key(x)]
		}
		return !aggregate && !grouped[c.key(e)]
	})
	return missing && !aggregate
}

// expandAliases puts the results in the places of their names, in a clause whose rows are groups. A column that is grouped by is meant
// before a result of its name; one that is not could not stand there.
func (s *clauseScope) expandAliases(e parser.Expr) parser.Expr {
	return parser.Replace(e, func(x parser.Expr) parser.Expr {
		switch x := x.(type) {
		case *parser.Call:
			if x.Over == nil && isAggregate(x) {
				return x
			}
		case *parser.Column:
			if _, grouped := s.groups[s.key(x)]; grouped {
				return x
			}
			if r := s.aliased(x); r != nil {
				return r
			}
		}
		return nil
	})
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
		if x.typ == EventType {
			if err := c.checkEvent(r); err != nil {
				return err
			}
		}
		_, bare := r.Expr.(*parser.Column)
		p.results, p.bare = append(p.results, x), append(p.bare, bare)
		p.columns = append(p.columns, tableColumn{
			Column:   Column{Name: c.resultName(r, i), Type: x.typ, Nullable: x.nullable},
			affinity: x.affinity, collate: x.collate, tags: x.tags,
		})
	}
	return nil
}

// checkEvent allows the pseudo-column event only as a result of its own, read directly from an event table.
func (c *coreScope) checkEvent(r parser.Result) error {
	_, plain := r.Expr.(*parser.Column)
	_, direct := c.from.(*tableScan)
	if plain && direct && !c.aggregate && !c.core.Distinct && !c.nested {
		return nil
	}
	return errorf(Unsupported, r.Pos, "the column event can only be read directly from an event table: no sub-query, join, grouping, DISTINCT or window")
}

// resultName names a result column: its alias, the column's name, or the expression as it was written.
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

func (c *coreScope) compileHaving(p *corePlan) error {
	for _, e := range conjuncts(c.core.Having) {
		x, err := c.havingScope().compile(e)
		if err != nil {
			return err
		}
		p.having = append(p.having, x.condition())
	}
	p.texts.having = exprText(c.core.Having)
	return nil
}

// compileOrder compiles ORDER BY. A term is the name of a result, a number, or an expression.
func (c *coreScope) compileOrder(p *corePlan, order []parser.Order) error {
	if len(order) > maxColumns {
		return errorf(BadStatement, order[maxColumns].Expr.At(), "ORDER BY has at most %d terms", maxColumns)
	}
	for _, o := range order {
		e, coll := splitCollate(o.Expr)
		i, err := c.orderResult(e)
		if err != nil {
			return err
		}
		if i >= 0 {
			if coll == nil {
				coll = &p.results[i].collate
			}
			p.order = append(p.order, newSortKey(o, i, p.results[i], *coll))
			continue
		}
		x, err := c.orderScope().compile(o.Expr)
		if err != nil {
			return err
		}
		if x.typ == EventType {
			return errorf(Unsupported, e.At(), "the column event has no order")
		}
		p.order = append(p.order, newSortKey(o, -1, x, x.collate))
	}
	p.texts.order = orderText(order)
	return nil
}

// orderResult returns the result column that an ORDER BY term names, -1 if it is an expression of its own.
func (c *coreScope) orderResult(e parser.Expr) (int, error) {
	if n, ok := ordinal(e); ok {
		if n < 1 || n > int64(len(c.results)) {
			return 0, errorf(BadStatement, e.At(), "ORDER BY %d: the result has %d columns", n, len(c.results))
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
