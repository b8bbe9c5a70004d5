package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A withName is one name that WITH has defined, with those that were defined before it.
// Its plan is compiled once, however often the name is used.
type withName struct {
	up        *withName
	name      string
	plan      *selectPlan // nil while it is compiled, when only a recursion can use the name
	recursion *recursion  // WITH RECURSIVE, otherwise nil
	depth     int         // of the query that has the WITH
	splitting int         // how many sub-queries that are split are around its WITH
	uses      int         // counted while the statement is compiled
}

// find returns what a table's name stands for, nil if WITH does not define it.
func (s *withName) find(t *parser.Table) *withName {
	if t.Schema != "" || t.Param != nil {
		return nil
	}
	for ; s != nil; s = s.up {
		if sameName(s.name, t.Name) {
			return s
		}
	}
	return nil
}

// addCTEs compiles WITH and puts its names into the scope. A body sees the names before it, and
// its own behind RECURSIVE.
func (c *statementCompiler) addCTEs(sel *parser.Select, q *queryScope) error {
	for i := range sel.With {
		cte := &sel.With[i]
		for _, other := range sel.With[:i] {
			if sameName(other.Name, cte.Name) {
				return errorf(BadStatement, cte.Pos, "WITH defines %s twice", fault.Quoted(cte.Name))
			}
		}
		inner := queryScope{parent: q.parent, ctes: q.ctes, nested: true, depth: q.depth}
		w := &withName{up: q.ctes, name: cte.Name, depth: q.depth, splitting: c.splitting}
		var err error
		if sel.Recursive {
			err = c.compileRecursive(w, cte, inner)
		} else {
			w.plan, err = c.compileSelect(cte.Select, inner)
		}
		if err == nil {
			err = renameColumns(cte, w.plan.columns)
		}
		if err != nil {
			return err
		}
		w.plan.wanted = make([]bool, len(w.plan.columns))
		q.ctes = w
	}
	return nil
}

// renameColumns gives columns the names that WITH has for them, if it has any.
func renameColumns(cte *parser.CTE, columns []tableColumn) error {
	names := cte.Columns
	if len(names) == 0 {
		return nil
	}
	if len(names) != len(columns) {
		return errorf(BadStatement, names[0].Pos, "WITH names %d columns of %s, whose SELECT gives %d",
			len(names), fault.Quoted(cte.Name), len(columns))
	}
	for i, n := range names {
		columns[i].Name = n.Text
	}
	return nil
}

// A withRelation is the use of a name of WITH in FROM. The rows of a name that is used once stream;
// those of one that is used more often are computed once and kept, unless they depend on the row of
// an enclosing query.
type withRelation struct {
	cte *withName
	up  int // how many queries the one that has the WITH is further out
}

func (t *withRelation) schema() []tableColumn { return t.cte.plan.columns }

func (t *withRelation) bind(i int) *expr.Expr {
	t.cte.plan.wanted[i] = true
	return boundColumn(t.cte.plan.columns[i], slotExpr(i))
}

func (t *withRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	for range t.up {
		outer = outer.Row.Outer
	}
	if t.cte.uses < 2 || t.cte.plan.outer {
		return t.cte.plan.open(ex, outer)
	}
	rows, ok := ex.ctes[t.cte]
	if !ok {
		var err error
		if rows, err = t.compute(ex); err != nil {
			return nil, err
		}
		if ex.ctes == nil {
			ex.ctes = map[*withName][][]value.Value{}
		}
		ex.ctes[t.cte] = rows
	}
	return &listedRows{rows: rows}, nil
}

// compute reads all rows of the name's SELECT.
func (t *withRelation) compute(ex *execution) (rows [][]value.Value, err error) {
	defer ex.leave(ex.envs)
	op, err := t.cte.plan.open(ex, nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := op.close(); err == nil {
			err = cerr
		}
	}()
	en, keep := ex.env(nil), newKeeper(ex.budget, "WITH")
	for {
		ok, err := op.next(en)
		if !ok || err != nil {
			return rows, err
		}
		row, err := keep.row(en.Row.Values)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

func (t *withRelation) explain(x *explainer) {
	kept := t.cte.uses > 1 && !t.cte.plan.outer
	// Names that are used twice by one another are too many to be told again and again.
	if t.cte.uses > 1 && x.told[t.cte] {
		x.step("with", "%s, as above", t.cte.name)
		return
	}
	if x.told == nil {
		x.told = map[*withName]bool{}
	}
	x.told[t.cte] = true
	t.cte.plan.explain(x)
	if kept {
		x.step("with", "%s, kept for %d uses", t.cte.name, t.cte.uses)
	}
}
