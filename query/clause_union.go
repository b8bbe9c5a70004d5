package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

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
			return errorf(BadStatement, u.Core.Pos,
				"the SELECTs of a UNION have %d and %d columns", len(p.columns), len(core.columns))
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
		return nil, errorf(BadStatement, sel.OrderBy[maxColumns].Expr.At(),
			"ORDER BY has at most %d terms", maxColumns)
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
	return 0, errorf(BadStatement, e.At(),
		"ORDER BY of a UNION takes names or numbers of result columns")
}

// openUnion chains the cores of a UNION. One without ALL drops repeated rows of everything before
// it, too.
func (p *selectPlan) openUnion(ex *execution, outer *expr.Env) (rows, error) {
	var op rows
	for i, core := range p.cores {
		next := &coreRows{core: core, ex: ex, outer: outer}
		if i == 0 {
			op = next
			continue
		}
		op = &unionRows{parts: []rows{op, next}}
		if !p.all[i] {
			op = newDistinct(&plainProjection{rows: op, en: ex.env(outer)}, p.columns, ex, "UNION")
		}
	}
	return op, nil
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

// A plainProjection makes a projection of rows that are results already: the order of a UNION is by
// its columns.
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
