package expr

import (
	"fmt"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A RowBinder is a [Binder] that knows sub-queries of several columns beside row values.
type RowBinder interface {
	// SubqueryRow compiles a sub-query that stands for a row: the columns tell types only, and row
	// gives the values, NULLs if the sub-query has no row.
	SubqueryRow(s *parser.Subquery) (columns []*Expr, row func(*Env) []value.Value, err error)
	// InSelectRow compiles (a, b) [NOT] IN (SELECT ...).
	InSelectRow(x []*Expr, in *parser.In) (*Expr, error)
}

// errRow is the error for a row value in a place where one value stands.
func errRow(pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadStatement, Pos: pos,
		Msg:  "a row of several values stands only beside another one in a comparison",
		Hint: "write (a, b) = (1, 2), or compare the values one by one"}
}

// rowArgument is the error for a row value that is an argument of a function.
func rowArgument(call *parser.Call, pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadStatement, Pos: pos,
		Msg:  call.Name + "() takes values, and no rows of several",
		Hint: "write the values without parentheses of their own: " + call.Name + "(a, b)"}
}

func isRow(e parser.Expr) bool {
	_, ok := e.(*parser.Row)
	return ok
}

// isWide reports whether an expression is a sub-query whose text shows several columns.
func isWide(e parser.Expr) bool {
	q, ok := e.(*parser.Subquery)
	if !ok {
		return false
	}
	first := q.Select.First
	return len(first.Results) > 1 || len(first.Values) > 0 && len(first.Values[0]) > 1
}

// A rowSide is one side of a comparison of rows: expressions, or a sub-query, whose columns tell
// types only.
type rowSide struct {
	items []*Expr
	row   func(*Env) []value.Value // of a sub-query; nil for expressions
	pos   parser.Pos
}

func (c *compiler) rowSide(e parser.Expr) (side rowSide, err error) {
	side.pos = e.At()
	switch e := e.(type) {
	case *parser.Row:
		side.items, err = c.exprs(e.Items)
		return side, err
	case *parser.Subquery:
		if b, ok := c.binder.(RowBinder); ok {
			side.items, side.row, err = b.SubqueryRow(e)
			return side, err
		}
	}
	return side, &fault.Error{Kind: fault.BadStatement, Pos: e.At(),
		Msg: "a row of several values cannot be compared with one value"}
}

// rows compiles a comparison of which one side is a row.
func (c *compiler) rows(e *parser.Binary) (*Expr, error) {
	_, compares := relations[e.Op]
	if !compares && e.Op != parser.OpIs && e.Op != parser.OpIsNot {
		if isRow(e.X) {
			return nil, errRow(e.X.At())
		}
		return nil, errRow(e.Y.At())
	}
	l, err := c.rowSide(e.X)
	if err != nil {
		return nil, err
	}
	r, err := c.rowSide(e.Y)
	if err != nil {
		return nil, err
	}
	return c.compareRows(e.Op, l, r, e.Pos)
}

// compareRows compares two sides.
func (c *compiler) compareRows(op parser.Op, l, r rowSide, pos parser.Pos) (*Expr, error) {
	m, err := c.matchRows(l, r)
	if err != nil {
		return nil, err
	}
	test := m.equal
	switch op {
	case parser.OpIs, parser.OpIsNot:
		test = m.same
	case parser.OpEq, parser.OpNe:
	default:
		test = m.ordered(relations[op])
	}
	negate := op == parser.OpNe || op == parser.OpIsNot
	x := &Expr{Type: value.Integer, Pos: pos}
	x.Test = func(e *Env) value.Truth {
		var left []value.Value
		if l.row != nil {
			left = l.row(e)
		}
		if r.row != nil {
			e.sub = r.row(e)
		}
		t := test(e, left)
		if negate {
			return t.Not()
		}
		return t
	}
	operands := append(append([]*Expr(nil), l.items...), r.items...)
	for _, o := range operands {
		x.Nullable = x.Nullable || o.Nullable && op != parser.OpIs && op != parser.OpIsNot
	}
	return finish(x, operands...), nil
}

// A rowMatch is how two rows are compared, value by value.
type rowMatch struct {
	left  []*Expr
	parts []match
}

// matchRows applies the rules of comparing to each pair of values.
func (c *compiler) matchRows(l, r rowSide) (*rowMatch, error) {
	if len(l.items) != len(r.items) {
		return nil, &fault.Error{Kind: fault.BadStatement, Pos: r.pos, Msg: fmt.Sprintf(
			"rows of %d and %d values cannot be compared", len(l.items), len(r.items))}
	}
	m := &rowMatch{left: l.items}
	for i, x := range l.items {
		y := r.items[i]
		if r.row != nil {
			y = slotOf(y, i)
		}
		part, err := c.match(x, y)
		if err != nil {
			return nil, err
		}
		m.parts = append(m.parts, part)
	}
	return m, nil
}

// slotOf is x read from value i of the row that is compared.
func slotOf(x *Expr, i int) *Expr {
	y := *x
	y.Test, y.Constant, y.fixed, y.param = nil, false, false, 0
	y.Eval = func(e *Env) value.Value { return e.sub[i] }
	return &y
}

// leftAt is value i of the left side, of which row is given if it is a sub-query.
func (m *rowMatch) leftAt(e *Env, row []value.Value, i int) value.Value {
	v := null
	if row != nil {
		v = row[i]
	} else {
		v = m.left[i].Eval(e)
	}
	e.Effort(value.TermEffort + len(v.S))
	return v
}

// equal is row = row: not true as soon as one pair differs, and not known if one cannot be compared.
func (m *rowMatch) equal(e *Env, row []value.Value) value.Truth {
	all := value.Yes
	for i, part := range m.parts {
		switch part.tester(value.Equal)(e, m.leftAt(e, row, i)) {
		case value.No:
			return value.No
		case value.Unknown:
			all = value.Unknown
		}
	}
	return all
}

// same is row IS row.
func (m *rowMatch) same(e *Env, row []value.Value) value.Truth {
	for i, part := range m.parts {
		a := m.leftAt(e, row, i)
		b := part.right.Eval(e)
		if a.IsNull() && b.IsNull() {
			continue
		}
		if a.IsNull() || b.IsNull() || part.tester(value.Equal)(e, a) != value.Yes {
			return value.No
		}
	}
	return value.Yes
}

// ordered returns how rows are ordered: by the first pair that differs.
func (m *rowMatch) ordered(rel value.Comparison) func(*Env, []value.Value) value.Truth {
	return func(e *Env, row []value.Value) value.Truth {
		for i, part := range m.parts {
			a := m.leftAt(e, row, i)
			if i == len(m.parts)-1 {
				return part.tester(rel)(e, a)
			}
			switch part.tester(value.Equal)(e, a) {
			case value.Unknown:
				return value.Unknown
			case value.No:
				return part.tester(rel&^value.Equal)(e, a)
			}
		}
		return value.Unknown
	}
}

// inRows compiles (a, b) [NOT] IN.
func (c *compiler) inRows(e *parser.In) (*Expr, error) {
	l, err := c.rowSide(e.X)
	if err != nil {
		return nil, err
	}
	if e.Select != nil {
		if b, ok := c.binder.(RowBinder); ok {
			return b.InSelectRow(l.items, e)
		}
		return nil, errRow(e.X.At())
	}
	y := &Expr{Type: value.Integer, Pos: e.Pos}
	operands := l.items
	var tests []func(*Env) value.Truth
	for _, item := range e.List {
		r, err := c.rowSide(item)
		if err != nil {
			return nil, err
		}
		x, err := c.compareRows(parser.OpEq, l, r, e.Pos)
		if err != nil {
			return nil, err
		}
		tests, operands = append(tests, x.Condition()), append(operands, x)
		y.Nullable = y.Nullable || x.Nullable
	}
	some := disjunction(tests)
	y.Test = func(env *Env) value.Truth {
		found := some(env)
		if e.Not {
			return found.Not()
		}
		return found
	}
	return finish(y, operands...), nil
}

// MatchRows returns how a row is compared with another one by =, the types of whose values those of
// expressions tell.
func MatchRows(b Binder, x, y []*Expr, pos parser.Pos) (
	func(e *Env, a, b []value.Value) value.Truth, error,
) {
	c := &compiler{binder: b}
	given := func(*Env) []value.Value { return nil }
	m, err := c.matchRows(rowSide{items: x, pos: pos}, rowSide{items: y, row: given, pos: pos})
	if err != nil {
		return nil, err
	}
	return func(e *Env, a, b []value.Value) value.Truth {
		e.sub = b
		return m.equal(e, a)
	}, nil
}

// rowsBetween is (a, b) [NOT] BETWEEN lo AND hi as what it stands for.
func rowsBetween(e *parser.Between) parser.Expr {
	var both parser.Expr = &parser.Nary{Op: parser.OpAnd, Terms: []parser.Expr{
		&parser.Binary{Pos: e.Pos, Op: parser.OpGe, X: e.X, Y: e.Lo},
		&parser.Binary{Pos: e.Pos, Op: parser.OpLe, X: e.X, Y: e.Hi},
	}}
	if e.Not {
		both = &parser.Unary{Pos: e.Pos, Op: parser.OpNot, X: both}
	}
	return both
}

// rowsCase is CASE (a, b) WHEN ... as what it stands for.
func rowsCase(e *parser.Case) parser.Expr {
	plain := *e
	plain.Operand, plain.Whens = nil, nil
	for _, w := range e.Whens {
		w.Cond = &parser.Binary{Pos: w.Cond.At(), Op: parser.OpEq, X: e.Operand, Y: w.Cond}
		plain.Whens = append(plain.Whens, w)
	}
	return &plain
}
