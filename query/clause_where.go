package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// passingRows are those rows that satisfy every condition.
type passingRows struct {
	in    rows
	conds []condition
	seen  int
}

// filtered lets only the rows pass that satisfy the conditions, if there are any.
func filtered(in rows, conds []condition) rows {
	if len(conds) == 0 {
		return in
	}
	return &passingRows{in: in, conds: counted(conds)}
}

func (f *passingRows) next(en *expr.Env) (bool, error) {
	for {
		en.Begin()
		ok, err := f.in.next(en)
		if !ok || err != nil {
			return false, err
		}
		if f.seen++; f.seen%batchRows == 0 {
			if err := en.Ctx.Err(); err != nil {
				return false, err
			}
		}
		pass := allTrue(f.conds, en)
		if en.Err != nil {
			return false, en.Err
		}
		if pass {
			return true, nil
		}
	}
}

func (f *passingRows) close() error { return f.in.close() }

// A condition is a compiled condition: a row passes if it is yes.
type condition = func(*expr.Env) value.Truth

// manyTerms is how many conditions or aggregates of a row are so many that they count as an effort.
const manyTerms = 64

// counted puts before very many conditions one that looks at the context: rows are counted in
// batches otherwise, and such a batch would take seconds.
func counted(conds []condition) []condition {
	if len(conds) <= manyTerms {
		return conds
	}
	n := len(conds) * value.TermEffort
	return append([]condition{func(e *expr.Env) value.Truth { return value.TruthOf(e.Effort(n)) }},
		conds...)
}

func allTrue(conds []condition, en *expr.Env) bool {
	for _, c := range conds {
		if c(en) != value.Yes {
			return false
		}
	}
	return true
}

// conjuncts splits a condition at its ANDs.
func conjuncts(e parser.Expr) []parser.Expr {
	if e == nil {
		return nil
	}
	n, ok := e.(*parser.Nary)
	if !ok || n.Op != parser.OpAnd {
		if list := rowEqualities(e); list != nil {
			return list
		}
		return []parser.Expr{e}
	}
	var list []parser.Expr
	for _, t := range n.Terms {
		list = append(list, conjuncts(t)...)
	}
	return list
}

// markInexact notes that some condition stands above the scans.
func (c *coreScope) markInexact() {
	for i := range c.sources {
		if scan, ok := c.sources[i].rel.(*tableScan); ok {
			scan.inexact = true
		}
	}
}

// placeInLeaf gives source number i the conditions that are about it alone.
func (c *coreScope) placeInLeaf(i int, conds []*pendingCond) (joined, error) {
	src := &c.sources[i]
	rel := joined{relation: src.rel, layout: []int{i}, set: setOf(i, i+1)}
	scan, isScan := src.rel.(*tableScan)
	var cheap, dear, alone []condition
	var texts []string
	for _, w := range conds {
		if err := c.busy(compileWork); err != nil {
			return rel, err
		}
		if w.used || w.opaque || !w.needs.within(rel.set) {
			continue
		}
		x, err := c.part(rel, w).filterScope(w).compile(w.e)
		if err != nil {
			return rel, err
		}
		if costly(w.e) {
			dear = append(dear, x.Condition())
		} else {
			cheap = append(cheap, x.Condition())
		}
		w.used = true
		texts = append(texts, conjunctText(w.e))
		if isScan {
			if !x.Reveals && !x.Volatile && c.scope(w).aboutRow(w.e) {
				alone = append(alone, x.Condition())
			}
			scan.filters = append(scan.filters, conjunctText(w.e))
			if err := c.scope(w).push(leaf{scan: scan, src: src}, w.e); err != nil {
				return rel, err
			}
		} else if err := c.scope(w).pushBelow(src, w.e); err != nil {
			return rel, err
		}
	}
	list := append(cheap, dear...)
	if isScan {
		scan.conds, scan.alone = counted(list), counted(alone)
	} else if len(list) > 0 {
		rel.relation = &filteredRelation{relation: src.rel, conds: list, texts: texts}
	}
	return rel, nil
}

// aboutRow reports whether a condition on a table depends on nothing but the table's row and the
// arguments: it uses no columns of enclosing queries.
func (c *coreScope) aboutRow(e parser.Expr) bool {
	return !parser.Contains(e, func(e parser.Expr) bool {
		if col, ok := e.(*parser.Column); ok {
			i, err := c.find(col)
			return i < 0 || err != nil
		}
		return hasSelect(e)
	})
}

// A filteredRelation drops rows of a function or sub-query in FROM.
type filteredRelation struct {
	relation
	conds []condition
	texts []string
}

// explain tells what the rows must be. Bounds of the tables below may have dropped some before.
func (f *filteredRelation) explain(x *explainer) {
	f.relation.explain(x)
	x.step("filter", "%s", joinTexts(f.texts))
}

func (f *filteredRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	in, err := f.relation.open(ex, outer)
	if err != nil {
		return nil, err
	}
	return filtered(in, f.conds), nil
}

// costly reports whether evaluating a condition takes more than comparing columns: it is evaluated
// after those that do not.
func costly(e parser.Expr) bool {
	return parser.Contains(e, func(e parser.Expr) bool {
		switch e := e.(type) {
		case *parser.Call, *parser.Like:
			return true
		case *parser.Binary:
			return e.Op == parser.OpArrow || e.Op == parser.OpArrowText || e.Op == parser.OpRegexp
		}
		return hasSelect(e)
	})
}
