package parser

import "slices"

// Children returns the expressions directly below e, in the order they were written.
// Sub-queries are not entered, nor are the ends of a window's frame, which read no row.
func Children(e Expr) []Expr {
	var list []Expr
	eachChild(e, func(x *Expr) { list = append(list, *x) })
	return list
}

// Walk visits e, which may be nil, and what Children gives of it and of them, parents first.
// Where visit returns false, the children of the expression are not visited.
func Walk(e Expr, visit func(Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	eachChild(e, func(x *Expr) { Walk(*x, visit) })
}

// Contains tells whether is holds for e or for an expression that Walk would visit below it.
func Contains(e Expr, is func(Expr) bool) bool {
	found := false
	Walk(e, func(x Expr) bool {
		found = found || is(x)
		return !found
	})
	return found
}

// Replace returns e with every outermost expression for which f gives another one replaced; f
// returns nil for one that stays. e itself is not changed. What Walk does not enter stays as it is.
func Replace(e Expr, f func(Expr) Expr) Expr {
	if e == nil {
		return nil
	}
	if other := f(e); other != nil {
		return other
	}
	c := copyOf(e)
	eachChild(c, func(x *Expr) { *x = Replace(*x, f) })
	return c
}

// eachChild gives f the place of every expression directly below e that is there.
func eachChild(e Expr, f func(*Expr)) {
	switch e := e.(type) {
	case *Unary:
		f(&e.X)
	case *Binary:
		f(&e.X)
		f(&e.Y)
	case *Nary:
		eachOf(e.Terms, f)
	case *In:
		f(&e.X)
		eachOf(e.List, f)
	case *Like:
		f(&e.X)
		f(&e.Pattern)
		ifThere(&e.Escape, f)
	case *Between:
		f(&e.X)
		f(&e.Lo)
		f(&e.Hi)
	case *Case:
		ifThere(&e.Operand, f)
		for i := range e.Whens {
			f(&e.Whens[i].Cond)
			f(&e.Whens[i].Then)
		}
		ifThere(&e.Else, f)
	case *Cast:
		f(&e.X)
	case *Call:
		eachOf(e.Args, f)
		eachOrder(e.OrderBy, f)
		ifThere(&e.Filter, f)
		if e.Over != nil {
			eachOf(e.Over.PartitionBy, f)
			eachOrder(e.Over.OrderBy, f)
		}
	case *Collate:
		f(&e.X)
	case *Interval:
		f(&e.X)
	case *Row:
		eachOf(e.Items, f)
	}
}

func eachOf(list []Expr, f func(*Expr)) {
	for i := range list {
		f(&list[i])
	}
}

func eachOrder(list []Order, f func(*Expr)) {
	for i := range list {
		f(&list[i].Expr)
	}
}

func ifThere(e *Expr, f func(*Expr)) {
	if *e != nil {
		f(e)
	}
}

// copyOf returns a copy of e whose children can be replaced without a change to e. An expression
// without children is returned itself.
func copyOf(e Expr) Expr {
	switch e := e.(type) {
	case *Unary:
		return copied(e)
	case *Binary:
		return copied(e)
	case *Nary:
		c := copied(e)
		c.Terms = slices.Clone(e.Terms)
		return c
	case *In:
		c := copied(e)
		c.List = slices.Clone(e.List)
		return c
	case *Like:
		return copied(e)
	case *Between:
		return copied(e)
	case *Case:
		c := copied(e)
		c.Whens = slices.Clone(e.Whens)
		return c
	case *Cast:
		return copied(e)
	case *Call:
		c := copied(e)
		c.Args = slices.Clone(e.Args)
		c.OrderBy = slices.Clone(e.OrderBy)
		if e.Over != nil {
			c.Over = copied(e.Over)
			c.Over.PartitionBy = slices.Clone(e.Over.PartitionBy)
			c.Over.OrderBy = slices.Clone(e.Over.OrderBy)
		}
		return c
	case *Collate:
		return copied(e)
	case *Interval:
		return copied(e)
	case *Row:
		c := copied(e)
		c.Items = slices.Clone(e.Items)
		return c
	}
	return e
}

func copied[T any](p *T) *T {
	c := *p
	return &c
}
