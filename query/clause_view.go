package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// Limits of the views of a statement, those within others included: each use is compiled by itself,
// so that a condition on one of them says nothing of the others.
const (
	maxViewUses  = 64
	maxViewDepth = 16
)

// A viewRelation is the use of a view in FROM.
type viewRelation struct {
	derivedRelation
	view *viewDefinition
	pos  parser.Pos // in the text that uses it
}

// view compiles the use of a view. The view sees nothing of the query that uses it.
func (c *statementCompiler) view(t *parser.Table) (*viewRelation, error) {
	tables, ok := c.catalog.(storeCatalog)
	if !ok || tables.views == nil {
		return nil, errViewsUnknown
	}
	v := tables.views.find(t.Name)
	if v == nil {
		return nil, unknownView(tables.views, t)
	}
	if err := c.checkExpansion(v, t.Pos); err != nil {
		return nil, err
	}
	sel, err := v.parse()
	if err != nil {
		return nil, v.unreadable(err, t.Pos)
	}
	plan, err := c.expandView(v, sel)
	if err != nil {
		return nil, v.fault(err, t.Pos)
	}
	if v.kind == materializedView && plan.keepable == nil {
		plan.cores[0].group.view = v
	}
	plan.wanted = make([]bool, len(plan.columns))
	return &viewRelation{derivedRelation{plan: plan}, v, t.Pos}, nil
}

// unknownView is the error for a name that no view has.
func unknownView(views *viewSet, t *parser.Table) error {
	e := errorf(UnknownTable, t.Pos, "there is no view %s", fault.Quoted(t.Name))
	e.Hint = "SHOW VIEWS lists them; a stream stands in no schema"
	meant := parser.LowerASCII(fault.Short(t.Name))
	for _, v := range views.byName {
		d := parser.EditDistance(meant, parser.LowerASCII(fault.Short(v.name)))
		if d < 3 && d < len(v.name) {
			e.Hint = "did you mean views." + v.name + "?"
		}
	}
	return e
}

// checkExpansion refuses a view that reads itself, and more of them than anybody means.
func (c *statementCompiler) checkExpansion(v *viewDefinition, pos parser.Pos) error {
	for i, outer := range c.within {
		if outer != v {
			continue
		}
		through := make([]string, 0, len(c.within)-i)
		for _, between := range c.within[i+1:] {
			through = append(through, fault.Quoted(between.name))
		}
		if len(through) == 0 {
			return errorf(BadStatement, pos, "view %s reads itself", fault.Quoted(v.name))
		}
		return errorf(BadStatement, pos, "view %s reads itself, through %s", fault.Quoted(v.name),
			strings.Join(through, ", "))
	}
	if len(c.within) == maxViewDepth {
		return errorf(BadStatement, pos, "views stand within each other at most %d deep", maxViewDepth)
	}
	if c.expanded++; c.expanded > maxViewUses {
		return errorf(BadStatement, pos,
			"a statement reads at most %d views, those within other views included", maxViewUses)
	}
	return nil
}

// expandView compiles the SELECT of a view, whose places are those of its own text.
func (c *statementCompiler) expandView(v *viewDefinition, sel *parser.Select) (*selectPlan, error) {
	text, params, checks := c.text, c.params, c.checks
	c.text, c.params, c.checks = v.text, parser.Params{}, nil
	c.within = append(c.within, v)
	defer func() {
		c.text, c.params, c.within = text, params, c.within[:len(c.within)-1]
		c.checks = checks // a definition has no arguments that could be checked
	}()
	unsteady := c.unsteady
	c.unsteady = false
	plan, err := c.compileSelect(sel, queryScope{nested: true})
	if err == nil && v.kind == materializedView {
		plan.keepable = notKeepable(sel, plan, c.unsteady)
	}
	c.unsteady = c.unsteady || unsteady
	return plan, err
}

func (r *viewRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	in, err := r.plan.open(ex, outer)
	if err != nil {
		return nil, r.view.fault(err, r.pos)
	}
	return &viewRows{in, r}, nil
}

func (r *viewRelation) explain(x *explainer) {
	r.plan.explain(x)
	x.step("view", "%s", r.view.name)
}

// viewRows are the rows of a view. Their errors name it.
type viewRows struct {
	rows
	use *viewRelation
}

func (r *viewRows) next(en *expr.Env) (bool, error) {
	ok, err := r.rows.next(en)
	if err != nil {
		err = r.use.view.fault(err, r.use.pos)
	}
	return ok, err
}
