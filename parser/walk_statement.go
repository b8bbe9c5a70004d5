package parser

// WalkStatement visits every expression of a statement, parents first: those in its sub-queries
// too, and parameters that stand for the name of a table.
func WalkStatement(s Statement, visit func(Expr)) { statementWalker(visit).statement(s) }

// A statementWalker is what WalkStatement calls for every expression.
type statementWalker func(Expr)

func (w statementWalker) statement(s Statement) {
	switch s := s.(type) {
	case *Select:
		w.query(s)
	case *Insert:
		w.source(s.Into)
		for _, row := range s.Rows {
			w.exprs(row...)
		}
		w.expectations(s.Expect)
	case *Guard:
		w.source(s.Table)
		w.expectations(s.Expect)
	case *Show:
		w.exprs(s.Like, s.Limit)
	case *Explain:
		w.statement(s.Statement)
	case *Backup:
		w.exprs(s.To)
	}
}

func (w statementWalker) query(s *Select) {
	if s == nil {
		return
	}
	for _, cte := range s.With {
		w.query(cte.Select)
	}
	w.core(s.First)
	for _, u := range s.Unions {
		w.core(u.Core)
	}
	eachOrder(s.OrderBy, w.at)
	w.exprs(s.Limit, s.Offset, s.AsOf)
}

func (w statementWalker) core(c *Core) {
	for _, r := range c.Results {
		w.exprs(r.Expr)
	}
	w.source(c.From)
	w.exprs(c.Where)
	w.exprs(c.GroupBy...)
	w.exprs(c.Having)
}

func (w statementWalker) source(s Source) {
	switch s := s.(type) {
	case *Table:
		if s.Param != nil {
			w(s.Param)
		}
	case *Derived:
		w.query(s.Select)
	case *Join:
		w.source(s.Left)
		w.source(s.Right)
		w.exprs(s.On)
	}
}

func (w statementWalker) expectations(list []Expectation) {
	for _, e := range list {
		w.exprs(e.Version, e.Where, e.After)
	}
}

// exprs walks expressions, any of which may be nil.
func (w statementWalker) exprs(list ...Expr) { eachOf(list, w.at) }

func (w statementWalker) at(e *Expr) {
	if *e == nil {
		return
	}
	w(*e)
	eachChild(*e, w.at)
	switch e := (*e).(type) {
	case *In:
		w.query(e.Select)
	case *Subquery:
		w.query(e.Select)
	case *Exists:
		w.query(e.Select)
	case *Call:
		if e.Over != nil && e.Over.Frame != nil {
			w.exprs(e.Over.Frame.Start.Offset, e.Over.Frame.End.Offset)
		}
	}
}
