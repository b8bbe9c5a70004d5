package query

import (
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A resolver finds the columns of an enclosing query for a sub-query. The expression it returns is
// evaluated in the enclosing query's environment. found is false if no enclosing query has the
// column.
type resolver interface {
	resolve(c *parser.Column) (e *expr.Expr, found bool, err error)
}

// A queryScope is what a SELECT sees of its surroundings.
type queryScope struct {
	parent  resolver // nil at the top
	ctes    *withName
	onOuter func() // called when a column of an enclosing query is used
	nested  bool   // a sub-query of any kind
	depth   int    // how many queries enclose it whose rows it can see

	split     *semiSplit // of a sub-query that is split for a [semiJoin]; nil for every other
	recursion *recursion // of the name of WITH RECURSIVE whose SELECT this is itself, otherwise nil
	live      *liveScope // of the SELECT that FOLLOW follows; nil for every other

	constant bool // only constants may be used: no columns and no sub-queries
	rowWise  bool // only the row and the arguments may be used: no sub-queries and no clock
}

// usesOuter notes that the query, and those around it down to a depth, depend on the rows of an
// enclosing one.
func (q *queryScope) usesOuter(depth int) {
	for q.depth >= depth {
		if q.onOuter != nil {
			q.onOuter()
		}
		s, ok := q.parent.(*clauseScope)
		if !ok {
			return
		}
		q = &s.queryScope
	}
}

// A coreScope compiles one SELECT core.
type coreScope struct {
	*statementCompiler
	queryScope
	core      *parser.Core
	from      relation
	sources   []fromItem      // whose names can be used
	layout    []fromItem      // of from's rows: whose columns stand in them, in this order; nil for sources
	results   []parser.Result // with stars expanded
	aggregate bool            // has GROUP BY or an aggregate function
	groups    map[string]int  // the key of a GROUP BY expression to its slot
	keys      []*expr.Expr    // the GROUP BY expressions, and the number of the set if there are sets
	keyTrees  []parser.Expr   // what keys were compiled from
	sets      []groupSet      // of ROLLUP, CUBE and GROUPING SETS; nil for none
	aggs      []*aggregateCall
	aggSlots  map[string]int
	windows   []*windowCall
	winSlots  map[string]int
	plan      *windowPlan      // nil without window functions
	named     []*parser.Window // of WINDOW
	qualify   parser.Expr      // with the windows that WINDOW names; nil without QUALIFY
	// of DISTINCT ON, with the windows that WINDOW names
	distinctOn []parser.Expr
	ordinals   map[*expr.Expr]int // the ordinals of the columns that expressions read
	places     map[string]int     // of results, by their keys; made when it is needed first
	nesting    bool               // some expression has a sub-query
	semis      *[]*semiJoin       // of the sub-queries
	subplans   *[]*subPlan        // the sub-queries in expressions

	joins   map[*parser.Join]*joinNames
	sharing bool                // some join has USING or NATURAL
	merged  map[int]parser.Expr // by ordinal: what the column is without its table, after RIGHT and FULL JOIN
}

// sourceMark begins the table of the columns that stand for an ordinal of the whole of FROM: those
// of a star, which may be ambiguous by name.
const sourceMark = "\x00ordinal "

// ordinalName is the table of the column that stands for an ordinal of the whole of FROM.
func ordinalName(i int) string { return sourceMark + strconv.Itoa(i) }

// A clauseScope is where in a core an expression stands, which decides what it may use. It
// implements binder and resolver.
type clauseScope struct {
	*coreScope
	clause    string // for error texts
	grouped   bool   // rows are groups
	aggregate bool   // aggregates may be used
	window    bool   // window functions may be used
	aliases   bool   // names of results may be used
}

// The scopes of the clauses.
func (c *coreScope) whereScope() *clauseScope {
	return &clauseScope{coreScope: c, clause: "WHERE", aliases: true}
}
func (c *coreScope) onScope() *clauseScope { return &clauseScope{coreScope: c, clause: "ON"} }
func (c *coreScope) groupScope() *clauseScope {
	return &clauseScope{coreScope: c, clause: "GROUP BY", aliases: true}
}
func (c *coreScope) argumentScope() *clauseScope {
	return &clauseScope{coreScope: c, clause: "an aggregate's arguments"}
}
func (c *coreScope) havingScope() *clauseScope {
	return &clauseScope{coreScope: c, clause: "HAVING", grouped: true, aggregate: true, aliases: true}
}
func (c *coreScope) resultScope() *clauseScope {
	return &clauseScope{
		coreScope: c, clause: "SELECT", grouped: c.aggregate, aggregate: true, window: true,
	}
}
func (c *coreScope) orderScope() *clauseScope {
	return &clauseScope{coreScope: c, clause: "ORDER BY", grouped: c.aggregate, aggregate: true,
		window: true, aliases: true}
}
func (c *coreScope) windowScope() *clauseScope {
	return &clauseScope{coreScope: c, clause: "OVER", grouped: c.aggregate, aggregate: true}
}

// compile compiles an expression of this clause.
func (s *clauseScope) compile(e parser.Expr) (*expr.Expr, error) {
	if err := s.busy(compileWork); err != nil {
		return nil, err
	}
	if s.grouped {
		if s.aliases {
			e = s.expandAliases(e)
		}
		e = parser.Replace(e, s.groupColumn)
	}
	x, err := expr.Compile(e, s)
	if err == nil && (x.Clock || x.Reveals || x.Foreign) {
		s.unsteady = true
	}
	s.reveals = s.reveals || err == nil && x.Reveals
	if err == nil && s.rowWise && x.Clock {
		unsteady := errorf(BadStatement, e.At(),
			"the condition of NO EVENT cannot depend on the time at which it is evaluated")
		unsteady.Hint = mayBeNow
		return nil, unsteady
	}
	if err == nil && s.rowWise && x.Reveals {
		return nil, errorf(BadStatement, e.At(),
			"the condition of NO EVENT cannot open sealed values; a tag with blind(value) can be looked for")
	}
	if err == nil && s.rowWise && x.Volatile {
		return nil, errorf(BadStatement, e.At(),
			"the condition of NO EVENT calls a function that is not declared deterministic")
	}
	return x, err
}

// key identifies an expression within the core, whatever its columns are called in the text.
func (c *coreScope) key(e parser.Expr) string {
	if c.err != nil {
		return ""
	}
	key := keyOf(e, func(col *parser.Column) string {
		if col.Table == groupMark {
			return "group " + col.Name
		}
		if i, err := c.find(col); err == nil && i >= 0 {
			return "column " + strconv.Itoa(i)
		}
		return "name " + strconv.Quote(parser.LowerASCII(col.Table)) + strconv.Quote(parser.LowerASCII(col.Name))
	})
	c.busy(len(key)) // whoever compiles next gets its error
	return key
}

// find returns the ordinal of a column in the whole of FROM, -1 if it has none.
func (c *coreScope) find(col *parser.Column) (int, error) {
	if at, ok := strings.CutPrefix(col.Table, sourceMark); ok {
		return strconv.Atoi(at)
	}
	found, hidden, clash := -1, false, false
	for k := range c.sources {
		src := &c.sources[k]
		if col.Table != "" && !sameName(src.name, col.Table) {
			continue
		}
		i := src.find(col.Name)
		if i < 0 || col.Table == "" && src.merged[parser.LowerASCII(col.Name)] {
			continue
		}
		switch isHidden := src.columns[i].hidden; {
		case found < 0 || hidden && !isHidden: // one that is part of * comes before one that is not
			found, hidden, clash = src.offset+i, isHidden, false
		case hidden == isHidden:
			clash = true
		}
	}
	if clash {
		return -1, errorf(BadStatement, col.Pos,
			"column %s is ambiguous: more than one table has it", fault.Quoted(col.Name))
	}
	return found, nil
}

// place returns the ordinal in from's rows of a column, of which the ordinal in the whole of FROM
// is given. Joins may have put the sources into another order.
func (c *coreScope) place(ordinal int) int {
	layout := c.layout
	if layout == nil {
		layout = c.sources
	}
	at := 0
	for k := range layout {
		if i := ordinal - layout[k].offset; i >= 0 && i < len(layout[k].columns) {
			return at + i
		}
		at += len(layout[k].columns)
	}
	panic("query: a column of a source that is not part of the row")
}

// Column implements binder.
func (s *clauseScope) Column(c *parser.Column) (*expr.Expr, error) {
	e, found, err := s.resolve(c)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, s.unknown(c)
	}
	at := *e
	at.Pos = c.Pos
	if i, err := s.find(c); err == nil && i >= 0 {
		s.ordinals[&at] = s.place(i)
	}
	return &at, nil
}

// resolve implements resolver: own columns, then names of results, then the columns of enclosing
// queries.
func (s *clauseScope) resolve(c *parser.Column) (*expr.Expr, bool, error) {
	if c.Table == groupMark {
		slot, _ := strconv.Atoi(c.Name)
		return s.groupKey(slot), true, nil
	}
	i, err := s.find(c)
	if err != nil {
		return nil, false, err
	}
	if e := s.mergedName(c); e != nil { // of a sub-query: those of the query itself have been replaced
		x, err := s.compile(e)
		return x, err == nil, err
	}
	if i >= 0 {
		return s.own(c, i)
	}
	if s.aliases && c.Table == "" {
		if e, ok, err := s.alias(c); ok || err != nil {
			return e, ok, err
		}
	}
	if e, ok, err := s.followColumn(c); ok || err != nil {
		return e, ok, err
	}
	return s.outer(c)
}

// own reads a column of the core's own tables, or the group's value of it.
func (s *clauseScope) own(c *parser.Column, i int) (*expr.Expr, bool, error) {
	if !s.grouped {
		return s.from.bind(s.place(i)), true, nil
	}
	if slot, ok := s.groups[s.key(c)]; ok {
		return s.groupKey(slot), true, nil
	}
	e := errorf(BadStatement, c.Pos,
		"column %s is neither grouped nor aggregated", fault.Quoted(c.Name))
	e.Hint = "name it in GROUP BY, or take MIN, MAX, FIRST or LAST of it"
	return nil, false, e
}

// alias compiles the result that has the name.
func (s *clauseScope) alias(c *parser.Column) (*expr.Expr, bool, error) {
	name := parser.LowerASCII(c.Name)
	for _, r := range s.results {
		if r.Alias == "" || parser.LowerASCII(r.Alias) != name {
			continue
		}
		plain := *s
		plain.aliases = false // names of results are not known among the results
		e, err := plain.compile(r.Expr)
		return e, err == nil, err
	}
	return nil, false, nil
}

// outer reads a column of an enclosing query.
func (q *queryScope) outer(c *parser.Column) (*expr.Expr, bool, error) {
	if q.parent == nil {
		return nil, false, nil
	}
	inner, found, err := q.parent.resolve(c)
	if !found || err != nil {
		return nil, false, err
	}
	if q.onOuter != nil {
		q.onOuter()
	}
	e := *inner
	e.Constant = false
	e.Eval = func(en *expr.Env) value.Value { return inner.Eval(en.Row.Outer) }
	return &e, true, nil
}

// Call implements binder: aggregates and window functions; everything else is a scalar function.
func (s *clauseScope) Call(c *parser.Call) (*expr.Expr, bool, error) {
	if c.Over != nil {
		if !s.window {
			return nil, true, errorf(BadStatement, c.Pos, "window functions cannot be used in %s", s.clause)
		}
		e, err := s.windowFunction(c)
		return e, true, err
	}
	if !s.isAggregate(c) {
		return s.special(c)
	}
	if !s.aggregate {
		return nil, true, errorf(BadStatement, c.Pos,
			"aggregate %s() cannot be used in %s", strings.ToUpper(c.Name), s.clause)
	}
	e, err := s.aggregateFunction(c)
	return e, true, err
}

// special compiles the functions that want to know more than their arguments' values.
func (s *clauseScope) special(c *parser.Call) (*expr.Expr, bool, error) {
	if c.Name == "grouping" || c.Name == "grouping_id" {
		return s.grouping(c)
	}
	if len(c.OrderBy) > 0 {
		e := errorf(BadStatement, c.Pos,
			"%s() is no aggregate: it takes no ORDER BY", strings.ToUpper(c.Name))
		e.Hint = expr.FunctionHints()[c.Name]
		return nil, true, e
	}
	if windowFuncs[c.Name] != nil {
		return nil, true, errorf(BadStatement, c.Pos,
			"%s() needs an OVER clause", strings.ToUpper(c.Name))
	}
	if c.Name == "has" && !s.grouped {
		return s.hasTag(c)
	}
	if f := s.functions.find(c.Name); f != nil {
		x, err := s.goCall(f, c)
		return x, true, err
	}
	return nil, false, nil
}

// constants returns a scope for expressions without a table, which stand within a query.
func (c *statementCompiler) constants(clause string, q queryScope) *clauseScope {
	return &clauseScope{clause: clause, coreScope: &coreScope{
		statementCompiler: c, queryScope: q, core: &parser.Core{}, from: one{}, ordinals: map[*expr.Expr]int{},
	}}
}

// onlyConstants is the scope of what no query surrounds.
var onlyConstants = queryScope{constant: true}
