package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// nameWindows puts the windows that WINDOW names in the places of their names: in the results, in
// QUALIFY, DISTINCT ON, and in ORDER BY, which it returns.
func (c *coreScope) nameWindows(order []parser.Order) ([]parser.Order, error) {
	known := namedWindows{byName: map[string]*parser.Window{}}
	for _, n := range c.core.Windows {
		w, err := known.whole(n.Window)
		if err != nil {
			return nil, err
		}
		known.byName[parser.LowerASCII(n.Name.Text)] = w
		c.named = append(c.named, w)
	}
	var err error
	for i := range c.results {
		if c.results[i].Expr, err = known.replace(c.results[i].Expr); err != nil {
			return nil, err
		}
	}
	if c.qualify, err = known.replace(c.core.Qualify); err != nil {
		return nil, err
	}
	for _, e := range c.core.DistinctOn {
		if e, err = known.replace(e); err != nil {
			return nil, err
		}
		c.distinctOn = append(c.distinctOn, e)
	}
	out := make([]parser.Order, len(order))
	for i, o := range order {
		if o.Expr, err = known.replace(o.Expr); err != nil {
			return nil, err
		}
		out[i] = o
	}
	return out, nil
}

// namedWindows are the windows of a WINDOW.
type namedWindows struct {
	byName map[string]*parser.Window // by their names in lower case
	terms  int                       // of those that have been put in the places of names
}

// maxNamedTerms is how many terms the windows may have that are put in the places of names. Written
// out, a statement could not have more.
const maxNamedTerms = 100_000

// replace returns the expression with whole windows behind every OVER.
func (n *namedWindows) replace(e parser.Expr) (parser.Expr, error) {
	if !parser.Contains(e, refersToWindow) {
		return e, nil
	}
	var failed error
	out := parser.Replace(e, func(x parser.Expr) parser.Expr {
		switch {
		case failed != nil:
			return x
		case !refersToWindow(x):
			return nil
		}
		call := *x.(*parser.Call)
		call.Over, failed = n.whole(call.Over)
		return &call
	})
	return out, failed
}

// refersToWindow tells whether an expression is a call whose OVER names a window.
func refersToWindow(e parser.Expr) bool {
	call, ok := e.(*parser.Call)
	return ok && call.Over != nil && (call.Over.Name.Text != "" || call.Over.Base.Text != "")
}

// whole returns a window with all that it takes from another one. As in SQLite and PostgreSQL, what
// goes on with a window takes its PARTITION BY, may order it, and gives it a frame.
func (n *namedWindows) whole(w *parser.Window) (*parser.Window, error) {
	name := w.Name
	if name.Text == "" {
		name = w.Base
	}
	if name.Text == "" {
		return w, nil
	}
	base := n.byName[parser.LowerASCII(name.Text)]
	quoted := fault.Quoted(name.Text)
	if base == nil {
		e := errorf(BadStatement, name.Pos, "there is no window %s", quoted)
		e.Hint = "WINDOW " + name.Text + " AS (...) behind HAVING names one, in front of those that use it"
		return nil, e
	}
	if n.terms += termsOf(base); n.terms > maxNamedTerms {
		return nil, errorf(BadStatement, name.Pos,
			"the windows that names stand for come to more than %d terms", maxNamedTerms)
	}
	switch {
	case w.Name.Text != "":
		return base, nil
	case len(w.PartitionBy) > 0:
		return nil, errorf(BadStatement, w.PartitionBy[0].At(),
			"PARTITION BY cannot be added to the window %s, only ORDER BY and a frame can", quoted)
	case len(w.OrderBy) > 0 && len(base.OrderBy) > 0:
		return nil, errorf(BadStatement, w.OrderBy[0].Expr.At(),
			"the window %s has an ORDER BY already", quoted)
	case base.Frame != nil:
		e := errorf(BadStatement, name.Pos, "the window %s has a frame already", quoted)
		e.Hint = "OVER " + name.Text + " without parentheses takes it as it is"
		return nil, e
	}
	whole := *w
	whole.Base, whole.PartitionBy = parser.Name{}, base.PartitionBy
	if len(w.OrderBy) == 0 {
		whole.OrderBy = base.OrderBy
	}
	return &whole, nil
}

// termsOf counts the expressions that a window consists of.
func termsOf(w *parser.Window) (n int) {
	parser.Walk(&parser.Call{Over: w}, func(parser.Expr) bool {
		n++
		return true
	})
	return n
}

// checkWindows refuses mistakes in a WINDOW also where nothing uses it.
func (c *coreScope) checkWindows(*corePlan) error {
	for _, w := range c.named {
		if _, _, err := c.resultScope().compileWindow(w); err != nil {
			return err
		}
	}
	return nil
}
