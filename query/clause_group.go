package query

import (
	"strconv"
	"strings"
	"unsafe"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A groupPlan is GROUP BY and the aggregates of a core. Its rows hold the values of the GROUP BY
// expressions, then those of the aggregates.
type groupPlan struct {
	keys     []*expr.Expr
	aggs     []*aggregateCall
	from     relation
	where    []condition
	shortcut *shortcut  // how the result may be had without reading events, nil if there is no way
	parallel bool       // the rows may be aggregated in parts
	args     int        // the greatest number of arguments
	fleeting bool       // nothing of a row outlives it: groups copy their keys, and states what they keep
	byType   bool       // the only key is the column type
	weighed  *weighing  // how rows may stand for many events, nil if there is no way
	byStream streamKey  // the column stream of $all is one of the keys
	sets     []groupSet // nil: all keys are grouped by together

	view   *viewDefinition // of whose groups some are kept, nil for none
	equals []keptEqual     // conditions of the query on that view
}

func newGroupPlan(c *coreScope, where []condition) *groupPlan {
	p := &groupPlan{where: where, keys: c.keys, aggs: c.aggs, from: c.from, sets: c.sets,
		parallel: !c.nesting && len(where) == 0, fleeting: !c.nesting}
	p.byType = len(p.keys) == 1 && c.isScanOfEvents() && c.isGroupColumn("type")
	for _, a := range p.aggs {
		p.args = max(p.args, len(a.args))
		p.parallel = p.parallel && a.inParts()
	}
	p.byStream, p.shortcut = c.streamKey(p), c.shortcut(p)
	p.weighed = c.weighing(p)
	return p
}

// A group is one row of a groupTable.
type group struct {
	keys []value.Value
	aggs []aggState
	live *liveGroup // with FOLLOW, what was told of the group
}

// A groupTable groups rows. One goroutine uses it.
type groupTable struct {
	plan   *groupPlan
	keep   *keeper
	weigh  bool     // rows have weights
	groups []*group // in the order of their first rows
	byKey  map[string]*group
	whole  *group                  // without GROUP BY, and for one stream of a feed, the only group
	one    bool                    // all rows are of the group of the first
	recent *[recentTexts]knownText // groups whose only key is a type, by where its text is; nil before the first
	key    []byte
	values []value.Value
	all    []value.Value // the keys of a row, of which each set has some
	buf    []value.Value
}

func newGroupTable(p *groupPlan, b *budget) *groupTable {
	return &groupTable{
		plan: p, keep: newKeeper(b, "GROUP BY"), byKey: map[string]*group{},
		values: make([]value.Value, len(p.keys)), buf: make([]value.Value, p.args),
	}
}

// add gives the current row of en to its group.
func (t *groupTable) add(en *expr.Env) error {
	if t.plan.sets != nil {
		return t.addToSets(en)
	}
	g, err := t.find(en)
	if err != nil {
		return err
	}
	return t.aggregate(g, en)
}

// aggregate gives the current row of en to a group.
func (t *groupTable) aggregate(g *group, en *expr.Env) error {
	if n := len(t.plan.aggs); n > manyTerms && !en.Effort(n*value.TermEffort) {
		return en.Err
	}
	if t.weigh {
		return t.aggregateWeighed(g, en)
	}
	for i, a := range t.plan.aggs {
		if a.state != i {
			continue // another call adds to it
		}
		if err := a.add(&g.aggs[i], en, t.keep, t.buf); err != nil {
			return err
		}
	}
	return nil
}

// find returns the group of the current row.
func (t *groupTable) find(en *expr.Env) (*group, error) {
	if t.whole != nil {
		return t.whole, nil
	}
	for i, k := range t.plan.keys {
		t.values[i] = k.Eval(en)
	}
	if en.Err != nil {
		return nil, en.Err
	}
	var known *knownText
	if t.plan.byType && t.values[0].Kind == value.String {
		if known = t.known(t.values[0].S); known.is(t.values[0].S) {
			return known.group, nil
		}
	}
	g, err := t.lookUp(en)
	if err != nil {
		return nil, err
	}
	if len(t.values) == 0 || t.one {
		t.whole = g
	}
	if known != nil {
		*known = knownText{t.values[0].S, g}
	}
	return g, nil
}

// lookUp returns the group of the keys in values.
func (t *groupTable) lookUp(en *expr.Env) (*group, error) {
	t.key = t.key[:0]
	for i, v := range t.values {
		if !en.Effort(len(v.S)) {
			return nil, en.Err
		}
		t.key = value.AppendKey(t.key, v, t.plan.keys[i].Collate)
	}
	if g, ok := t.byKey[string(t.key)]; ok {
		return g, nil
	}
	return t.insert(string(t.key), t.values)
}

const aggStateSize = int64(unsafe.Sizeof(aggState{}))

func (t *groupTable) insert(key string, values []value.Value) (*group, error) {
	kept, err := t.keep.row(values)
	if err != nil {
		return nil, err
	}
	g := &group{keys: kept, aggs: make([]aggState, len(t.plan.aggs))}
	t.byKey[key] = g
	t.groups = append(t.groups, g)
	return g, t.keep.account(g.size(len(key)))
}

// size is how many bytes a group takes that is found under a key of so many, without what its keys and
// its states hold.
func (g *group) size(key int) int64 { return int64(key) + 128 + int64(len(g.aggs))*aggStateSize }

// merge adds the groups of the rows that come after those of t.
func (t *groupTable) merge(after *groupTable) error {
	t.keep.taken += after.keep.taken
	for _, g := range after.groups {
		key := t.key[:0]
		for i, v := range g.keys {
			key = value.AppendKey(key, v, t.plan.keys[i].Collate)
		}
		t.key = key
		into, ok := t.byKey[string(key)]
		if !ok {
			t.byKey[string(key)] = g
			t.groups = append(t.groups, g)
			continue
		}
		for i, a := range t.plan.aggs {
			both := into.aggs[i].size() + g.aggs[i].size()
			if err := a.def.merge(&into.aggs[i], &g.aggs[i], a); err != nil {
				return err
			}
			switch gone := both - into.aggs[i].size(); {
			case gone > 0:
				t.keep.drop(gone)
			case gone < 0: // a sum needs more room than those that it is of
				if err := t.keep.account(-gone); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// groupedRows give a row per group.
type groupedRows struct {
	plan  *groupPlan
	ex    *execution
	outer *expr.Env
	table *groupTable
	feed  *groupFeed // gives the groups of one stream after those of another; nil if all are in table
	at    int
	row   []value.Value
	spill *groupSpill // gives the rows, if they were grouped by way of a file
	own   *keeper     // of groups of a materialised view that only this statement uses; nil for none

	// lasting is the snapshot of FOLLOW, which goes on to add to the groups: none is shared with what is
	// kept, and what is erased behind it is still in them. It is nil for other statements.
	lasting engine.ReadIndex
}

func (g *groupedRows) next(en *expr.Env) (bool, error) {
	if g.table == nil {
		if err := g.build(); err != nil {
			return false, err
		}
		if err := g.table.addEmptySets(en); err != nil {
			return false, err
		}
	}
	if g.spill != nil {
		return g.spill.next(en)
	}
	for g.at >= len(g.table.groups) {
		more, err := g.feed.fill(g.table)
		if !more || err != nil {
			return false, err
		}
		g.at = 0
	}
	group := g.table.groups[g.at]
	g.at++
	copy(g.row, group.keys)
	for i, a := range g.plan.aggs {
		v, err := a.result(&group.aggs[a.state], en)
		if err != nil {
			return false, err
		}
		g.row[len(group.keys)+i] = v
	}
	en.Row.Values = g.row
	return true, nil
}

// build reads all rows.
func (g *groupedRows) build() error {
	g.table = newGroupTable(g.plan, g.ex.budget)
	if g.plan.view != nil {
		done, err := g.fillKept()
		if err != nil {
			return err
		}
		if done {
			return g.whole()
		}
	}
	if g.plan.shortcut != nil {
		done, err := g.plan.shortcut.fill(g)
		if done || err != nil {
			return g.orSpilled(err)
		}
	}
	if err := g.read(); err != nil {
		return err
	}
	return g.whole()
}

// whole sees to it that there is a group without GROUP BY.
func (g *groupedRows) whole() error {
	if len(g.plan.keys) == 0 && len(g.table.groups) == 0 {
		_, err := g.table.insert("", nil)
		return err
	}
	return nil
}

func (g *groupedRows) read() error {
	if done, err := g.readWeighed(); done || err != nil {
		return g.orSpilled(err)
	}
	if done, err := g.readStreams(indexedColumns); done || err != nil {
		return err
	}
	return g.orSpilled(g.orByStream(g.readAll()))
}

func (g *groupedRows) readAll() error {
	if done, err := g.readParts(); done || err != nil {
		return err
	}
	defer g.ex.leave(g.ex.envs)
	in, err := g.open()
	if err != nil {
		return err
	}
	err = readInto(g.table, filtered(in, g.plan.where), g.ex.env(g.outer))
	if cerr := in.close(); err == nil {
		err = cerr
	}
	return err
}

// readInto gives every row to a group table.
func readInto(t *groupTable, in rows, en *expr.Env) error {
	for n := 1; ; n++ {
		en.Begin()
		ok, err := in.next(en)
		if !ok || err != nil {
			return err
		}
		if err := t.add(en); err != nil {
			return err
		}
		if n%batchRows == 0 {
			if err := en.Ctx.Err(); err != nil {
				return err
			}
		}
	}
}

func (g *groupedRows) close() error {
	err := g.feed.close()
	if g.table != nil {
		g.table.keep.release()
		g.table.groups, g.table.byKey = nil, nil
	}
	g.spill.close()
	g.dropOwn()
	return err
}

// groupMark is the table of the columns that stand for GROUP BY expressions. No text of a user can
// name it.
const groupMark = "\x00group"

// compileGroupBy compiles the GROUP BY list, each item of which is an alias, an ordinal or an
// expression.
func (c *coreScope) compileGroupBy() error {
	list := c.groupTerms()
	if len(list) > maxColumns {
		return errorf(BadStatement, list[maxColumns].At(), "GROUP BY has at most %d terms", maxColumns)
	}
	slots := make([]int, len(list))
	for i, e := range list {
		if !c.core.GroupAll {
			var err error
			if e, err = c.groupItem(e); err != nil {
				return err
			}
		}
		x, err := c.groupScope().compile(e)
		if err != nil {
			return err
		}
		if x.Type == EventType {
			return errorf(Unsupported, e.At(), "the column event cannot be grouped by")
		}
		c.keyTrees = append(c.keyTrees, e)
		key := c.key(e)
		if _, twice := c.groups[key]; !twice {
			c.groups[key] = len(c.keys)
			c.keys = append(c.keys, x)
		}
		slots[i] = c.groups[key]
	}
	return c.compileGroupSets(slots)
}

// groupTerms are the expressions of GROUP BY. ALL means the results that are no aggregates, and no
// constants, by which nothing is grouped.
func (c *coreScope) groupTerms() []parser.Expr {
	if !c.core.GroupAll {
		return c.core.GroupBy
	}
	var list []parser.Expr
	for _, r := range c.results {
		reads, computed := false, false
		parser.Walk(r.Expr, func(e parser.Expr) bool {
			_, column := e.(*parser.Column)
			reads = reads || column || hasSelect(e)
			call, ok := e.(*parser.Call)
			computed = computed || ok && (call.Over != nil || c.isAggregate(call))
			return true
		})
		if reads && !computed {
			list = append(list, r.Expr)
		}
	}
	return list
}

// groupItem resolves an ordinal or an alias of GROUP BY to the expression of the result, and
// aliases within an expression.
func (c *coreScope) groupItem(e parser.Expr) (parser.Expr, error) {
	if n, ok := ordinal(e); ok {
		if n < 1 || n > int64(len(c.results)) {
			return nil, errorf(BadStatement, e.At(),
				"GROUP BY %d: the result has %d columns", n, len(c.results))
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

// needsAlias decides what a name in GROUP BY means that is both a column and the alias of the
// result e. It is the column, unless the result could then not be given, because it reads columns
// that are not grouped.
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
			aggregate = aggregate || x.Over != nil || c.isAggregate(x)
		case *parser.Column:
			i, err := c.find(x)
			missing = missing || err == nil && i >= 0 && !grouped[c.key(x)]
		}
		return !aggregate && !grouped[c.key(e)]
	})
	return missing && !aggregate
}

// expandAliases puts the results in the places of their names, in a clause whose rows are groups. A
// column that is grouped by is meant before a result of its name; one that is not could not stand
// there.
func (s *clauseScope) expandAliases(e parser.Expr) parser.Expr {
	return parser.Replace(e, func(x parser.Expr) parser.Expr {
		switch x := x.(type) {
		case *parser.Call:
			if x.Over == nil && s.isAggregate(x) {
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

// groupColumn gives the column that stands for a GROUP BY expression, or nil.
// An aggregate's arguments are evaluated before grouping, so it is left as it is.
func (s *clauseScope) groupColumn(e parser.Expr) parser.Expr {
	switch x := e.(type) {
	case *parser.Literal, *parser.Param:
		return nil
	case *parser.Call:
		if x.Over == nil && s.isAggregate(x) {
			return x
		}
	case *parser.Column:
		if x.Table == groupMark {
			return x
		}
	}
	slot, ok := s.groups[s.key(e)]
	if !ok {
		return nil
	}
	return &parser.Column{Pos: e.At(), Table: groupMark, Name: strconv.Itoa(slot)}
}

// groupSlot returns the slot of a GROUP BY expression, which groupColumn has replaced, or of the
// result that has a name.
func (s *clauseScope) groupSlot(e parser.Expr) (slot int, ok bool) {
	col, ok := e.(*parser.Column)
	if !ok {
		return 0, false
	}
	if col.Table != groupMark {
		r := s.aliased(col)
		if r != nil {
			slot, ok = s.groups[s.key(r)]
		}
		return slot, ok && r != nil
	}
	slot, err := strconv.Atoi(col.Name)
	return slot, err == nil
}

// slotOf returns which GROUP BY expression of a view a result is, -1 for none.
func (c *coreScope) slotOf(e parser.Expr) int {
	if (len(c.within) > 0 || c.following) && len(c.groups) > 0 {
		if slot, ok := c.groups[c.key(e)]; ok {
			return slot
		}
	}
	return -1
}

// groupKey reads the value of a GROUP BY expression.
func (c *coreScope) groupKey(slot int) *expr.Expr {
	return c.keys[slot].Stored(slotExpr(slot))
}

func (g *groupPlan) explain(x *explainer, keys string) {
	var aggs []string
	for _, a := range g.aggs {
		aggs = append(aggs, a.text)
	}
	what := strings.Join(aggs, ", ")
	switch {
	case len(g.keys) == 0:
		x.step("aggregate", "%s", what)
	case what == "":
		x.step("hash aggregate", "by %s", keys)
	default:
		x.step("hash aggregate", "%s by %s%s", what, keys, g.streamsText(x))
	}
	if g.view != nil && g.explainKept(x) {
		return
	}
	if s := g.shortcut; s != nil && len(x.ex.own) == 0 && (s.exact == nil || !s.exact.inexact) {
		x.step("shortcut", "%s", s.text)
		return
	}
	if g.weighed != nil {
		g.weighed.explain(x)
	}
}

func (c *coreScope) compileHaving(p *corePlan) error {
	for _, e := range conjuncts(c.core.Having) {
		x, err := c.havingScope().compile(e)
		if err != nil {
			return err
		}
		p.having = append(p.having, x.Condition())
	}
	p.texts.having = exprText(c.core.Having)
	return nil
}

// isScanOfEvents reports whether FROM is an event table alone.
func (c *coreScope) isScanOfEvents() bool {
	scan, ok := c.from.(*tableScan)
	return ok && scan.events() != nil
}

// isGroupColumn reports whether the only GROUP BY expression is the column.
func (c *coreScope) isGroupColumn(name string) bool {
	_, ok := c.groups[c.key(&parser.Column{Table: c.sources[0].name, Name: name})]
	return ok
}
