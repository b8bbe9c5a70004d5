package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A compoundOp is how a core is joined to those before it.
type compoundOp struct {
	parser.CompoundOp
	all bool
}

// String returns the operator as it is written.
func (o compoundOp) String() string {
	if o.all {
		return o.CompoundOp.String() + " ALL"
	}
	return o.CompoundOp.String()
}

// a is the word of the operator behind its article.
func (o compoundOp) a() string {
	if o.CompoundOp == parser.CompoundUnion {
		return "a UNION"
	}
	return "an " + o.CompoundOp.String()
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
	p.cores, p.ops, p.compared = []*corePlan{first}, []compoundOp{{}}, [][]value.Collation{nil}
	p.columns = append([]tableColumn(nil), first.columns...)
	collated := make([]bool, len(p.columns))
	for i := range collated {
		collated[i] = first.collated(i)
	}
	for _, u := range sel.Unions {
		if err := c.addCore(p, u, q); err != nil {
			return err
		}
		last := p.cores[len(p.cores)-1]
		for i := range p.columns {
			if !collated[i] {
				p.columns[i].collate, collated[i] = last.columns[i].collate, last.collated(i)
			}
		}
		p.compared = append(p.compared, newRowKeys(p.columns).collates)
	}
	if len(sel.Unions) == 0 {
		return nil
	}
	if q.recursion != nil && q.recursion.first > 0 {
		p.recursion = q.recursion
	}
	if err := c.refuseEvents(p, sel); err != nil {
		return err
	}
	p.order, err = c.compoundOrder(sel, p)
	return err
}

// collated reports whether a result has a collation, as columns do, and what COLLATE stands behind.
// A column of a compound query has that of the first SELECT where it has one; what stands behind an
// operator has no say in what it compares.
func (p *corePlan) collated(i int) bool {
	return p.bare[i] || p.columns[i].collate != value.Binary
}

// addCore compiles a further core.
func (c *statementCompiler) addCore(p *selectPlan, u parser.Union, q queryScope) error {
	op := compoundOp{u.Op, u.All}
	if q.recursion != nil {
		if err := q.recursion.begin(p.columns); err != nil {
			return err
		}
	}
	core, err := c.compileCore(u.Core, nil, q)
	if err != nil {
		return err
	}
	if len(core.columns) != len(p.columns) {
		return errorf(BadStatement, u.Core.Pos,
			"the SELECTs of %s have %d and %d columns", op.a(), len(p.columns), len(core.columns))
	}
	if q.recursion != nil {
		if err := q.recursion.end(len(p.cores), op, core, u.Core); err != nil {
			return err
		}
	}
	p.cores, p.ops = append(p.cores, core), append(p.ops, op)
	for i := range p.columns {
		p.columns[i] = op.mergeColumns(p.columns[i], core.columns[i])
	}
	return nil
}

// refuseEvents refuses the pseudo-column event where rows are kept and compared.
func (c *statementCompiler) refuseEvents(p *selectPlan, sel *parser.Select) error {
	for _, core := range p.cores {
		for _, col := range core.columns {
			if col.Type == EventType {
				op := p.ops[len(p.ops)-1]
				return errorf(Unsupported, sel.Pos, "the column event cannot be used in %s", op.a())
			}
		}
	}
	return nil
}

// mergeColumns gives the type of a column of a compound query. Only a UNION has values of both.
func (o compoundOp) mergeColumns(a, b tableColumn) tableColumn {
	if a.affinity != b.affinity {
		a.affinity = value.AffNone
	}
	if o.CompoundOp != parser.CompoundUnion {
		return a
	}
	if a.Type != b.Type {
		a.Type = Any
	}
	a.Nullable = a.Nullable || b.Nullable
	return a
}

// compoundOrder compiles ORDER BY of a compound query: its terms are names, numbers or texts of
// result columns.
func (c *statementCompiler) compoundOrder(sel *parser.Select, p *selectPlan) ([]sortKey, error) {
	var keys []sortKey
	if len(sel.OrderBy) > maxColumns {
		return nil, errorf(BadStatement, sel.OrderBy[maxColumns].Expr.At(),
			"ORDER BY has at most %d terms", maxColumns)
	}
	for _, o := range sel.OrderBy {
		e, coll := splitCollate(o.Expr)
		i, err := compoundColumn(sel, p, e)
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

func compoundColumn(sel *parser.Select, p *selectPlan, e parser.Expr) (int, error) {
	if n, ok := ordinal(e); ok {
		if n < 1 || n > int64(len(p.columns)) {
			return 0, errorf(BadStatement, e.At(),
				"ORDER BY %d: the result has %d columns", n, len(p.columns))
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
	return 0, errorf(BadStatement, e.At(), "ORDER BY of %s takes names or numbers of result columns",
		p.ops[len(p.ops)-1].a())
}

// openCompound chains the first n cores of a compound query. A UNION without ALL drops repeated
// rows of everything before it, too.
func (p *selectPlan) openCompound(ex *execution, outer *expr.Env, n int) rows {
	var op rows
	for i, core := range p.cores[:n] {
		next := &coreRows{core: core, ex: ex, outer: outer}
		switch o := p.ops[i]; {
		case i == 0:
			op = next
		case o.CompoundOp != parser.CompoundUnion:
			op = &comparedRows{op: o, left: op, right: next, ex: ex, outer: outer,
				keys: &rowKeys{collates: p.compared[i]}, keep: newKeeper(ex.budget, o.CompoundOp.String())}
		case o.all:
			op = &unionRows{parts: []rows{op, next}}
		default:
			op = &unionRows{parts: []rows{op, next}}
			op = newDistinct(&plainProjection{rows: op, en: ex.env(outer)}, &rowKeys{collates: p.compared[i]}, ex, "UNION", 0)
		}
	}
	return op
}

// coreRows open a core when its first row is asked for.
type coreRows struct {
	core  *corePlan
	ex    *execution
	outer *expr.Env
	in    rows
}

func (c *coreRows) next(en *expr.Env) (bool, error) {
	if c.in == nil {
		in, err := c.core.open(c.ex, c.outer, -1)
		if err != nil {
			return false, err
		}
		c.in = in
	}
	return c.in.next(en)
}

func (c *coreRows) close() error {
	if c.in == nil {
		return nil
	}
	return c.in.close()
}

// unionRows give some rows after others.
type unionRows struct {
	parts []rows
	at    int
}

func (c *unionRows) next(en *expr.Env) (bool, error) {
	for ; c.at < len(c.parts); c.at++ {
		ok, err := c.parts[c.at].next(en)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (c *unionRows) close() error {
	var first error
	for _, p := range c.parts {
		if err := p.close(); first == nil {
			first = err
		}
	}
	return first
}

// comparedRows are the rows of INTERSECT and EXCEPT: those on the left that are, or are not, on the
// right, whose rows are read first and kept as keys.
type comparedRows struct {
	op          compoundOp
	left, right rows
	ex          *execution
	outer       *expr.Env
	keys        *rowKeys
	keep        *keeper
	// How often a row stands on the right; with ALL, less those that rows on the left have used up.
	// Without it, an EXCEPT adds what it has given, and an INTERSECT takes it away. Nil before the
	// right is read.
	counts map[string]int64
}

func (c *comparedRows) next(en *expr.Env) (bool, error) {
	if c.counts == nil {
		if err := c.readRight(); err != nil {
			return false, err
		}
	}
	if c.op.CompoundOp == parser.CompoundIntersect && len(c.counts) == 0 {
		return false, nil
	}
	for {
		ok, err := c.left.next(en)
		if !ok || err != nil {
			return false, err
		}
		key, err := c.keys.of(en, en.Row.Values)
		if err != nil {
			return false, err
		}
		if gives, err := c.gives(key); gives || err != nil {
			return gives, err
		}
	}
}

// readRight counts the rows on the right.
func (c *comparedRows) readRight() error {
	c.counts = map[string]int64{}
	en := c.ex.env(c.outer)
	for {
		en.Begin()
		ok, err := c.right.next(en)
		if !ok || err != nil {
			return err
		}
		key, err := c.keys.of(en, en.Row.Values)
		if err != nil {
			return err
		}
		n := c.counts[string(key)]
		switch {
		case n == 0:
			err = c.add(key)
		case c.op.all:
			c.counts[string(key)] = n + 1
		}
		if err != nil {
			return err
		}
	}
}

// gives reports whether a row of the left is given.
func (c *comparedRows) gives(key []byte) (bool, error) {
	intersect := c.op.CompoundOp == parser.CompoundIntersect
	switch n := c.counts[string(key)]; {
	case n > 0 && !intersect && !c.op.all:
		return false, nil
	case n == 1:
		delete(c.counts, string(key))
		return intersect, nil
	case n > 1:
		c.counts[string(key)] = n - 1
		return intersect, nil
	case intersect:
		return false, nil
	case c.op.all:
		return true, nil
	}
	return true, c.add(key)
}

func (c *comparedRows) add(key []byte) error {
	c.counts[string(key)] = 1
	return c.keep.account(int64(len(key)) + keySize)
}

func (c *comparedRows) close() error {
	err := c.left.close()
	if rerr := c.right.close(); err == nil {
		err = rerr
	}
	c.counts = map[string]int64{}
	c.keep.release()
	return err
}

// A plainProjection makes a projection of rows that are results already: the order of a compound
// query is by its columns.
type plainProjection struct {
	rows
	en   *expr.Env
	keys []sortKey
}

func (r *plainProjection) advance() (bool, error) {
	r.en.Begin()
	return r.rows.next(r.en)
}

func (r *plainProjection) results() ([]value.Value, error) { return r.en.Row.Values, nil }

func (r *plainProjection) sortKeys(dst []value.Value) error {
	for i := range r.keys {
		dst[i] = r.en.Row.Values[r.keys[i].result]
	}
	return nil
}

// explainCores tells of cores from to to of a compound query.
func (p *selectPlan) explainCores(x *explainer, from, to int) {
	for i := from; i < to; i++ {
		x.depth++
		p.cores[i].explain(x, "")
		x.depth--
		if i > from {
			x.step(parser.LowerASCII(p.ops[i].String()), "the rows before and these")
		}
	}
}
