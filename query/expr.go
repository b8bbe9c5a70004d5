package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An expr is a compiled expression. It never changes and is shared by all who run the plan.
type expr struct {
	eval     func(*env) value.Value
	test     func(*env) value.Truth // what eval gives, as a condition; nil where eval is all there is (see condition)
	typ      Type                   // static type
	nullable bool                   // may be NULL
	affinity value.Affinity         // of a column or CAST, for comparisons
	collate  value.Collation        // explicit, or of the column
	explicit bool                   // collate was written with COLLATE, here or in an operand
	constant bool                   // depends on no row: literals, parameters and functions of them
	fixed    bool                   // constant and known now: value holds it
	value    value.Value            // if fixed
	clock    bool                   // depends on the statement's instant: now(), date('now')
	param    int                    // a bare parameter: its place in env.args, from 1; 0 for anything else
	item     bool                   // a bare parameter in the list of an IN: a slice stands for its elements
	tags     bool                   // the column tags of an event, wherever it has come through
	pos      parser.Pos
}

// condition returns x as a condition: what WHERE, HAVING, ON, CASE and FILTER evaluate.
func (x *expr) condition() func(*env) value.Truth {
	if x.test != nil {
		return x.test
	}
	if x.fixed {
		t := x.value.Truth()
		return func(*env) value.Truth { return t }
	}
	eval := x.eval
	return func(e *env) value.Truth { return eval(e).Truth() }
}

// isTime reports whether texts compared with x are parsed as times.
func (x *expr) isTime() bool { return x.affinity == value.AffTime || x.typ == Timestamp }

// collations are the collations by name.
var collations = map[string]value.Collation{"BINARY": value.Binary, "NOCASE": value.Nocase, "RTRIM": value.Rtrim}

// A binder resolves what an expression alone cannot: columns, aggregates, windows and sub-queries.
// A clauseScope implements it; the exprCompiler calls it.
type binder interface {
	column(c *parser.Column) (*expr, error)
	// call is asked first about every function call; handled is false for scalar functions.
	call(c *parser.Call) (e *expr, handled bool, err error)
	subquery(s *parser.Subquery) (*expr, error)
	exists(s *parser.Exists) (*expr, error)
	// inSelect compiles x [NOT] IN (SELECT ...).
	inSelect(x *expr, in *parser.In) (*expr, error)
}

// What a binder may offer besides.
type (
	// A paramBinder knows named parameters. Without it only numbered ones compile.
	paramBinder interface {
		// param returns the index into env.args, from 0, of a parameter with a name.
		param(p *parser.Param) (int, error)
	}
	// A pathBinder shares the extraction of JSON paths: each distinct path of a row is looked up once.
	pathBinder interface {
		// path is asked about column -> 'constant path', column ->> 'constant path' and json_extract, chains included.
		// col is what column returned. A nil result means that the compiler shall do it itself.
		path(col *expr, p *jsonpath.Path, as reading) (*expr, error)
	}
	// A bindChecker runs checks of the arguments before the first row: a text that is compared with a time must be one.
	// Without it they run when the expression is first evaluated.
	bindChecker interface {
		atBind(check func(*env) error)
	}
)

// compileExpr compiles an expression of the tree. Errors are *Error.
func compileExpr(e parser.Expr, b binder) (*expr, error) {
	return (&exprCompiler{binder: b}).expr(e)
}

// A compiler turns trees into closures. It lives for one call of compileExpr.
type exprCompiler struct {
	binder binder
}

// expr compiles one node. Trees are at most as deep as the parser lets them be, so that recursion is safe.
func (c *exprCompiler) expr(e parser.Expr) (*expr, error) {
	switch e := e.(type) {
	case *parser.Literal:
		return literal(e)
	case *parser.Param:
		return c.param(e)
	case *parser.Column:
		return c.column(e)
	case *parser.Unary:
		return c.unary(e)
	case *parser.Binary:
		return c.binary(e)
	case *parser.Nary:
		return c.nary(e)
	case *parser.In:
		return c.in(e)
	case *parser.Like:
		return c.like(e)
	case *parser.Between:
		return c.between(e)
	case *parser.Case:
		return c.caseOf(e)
	case *parser.Cast:
		return c.cast(e)
	case *parser.Call:
		return c.call(e)
	case *parser.Subquery:
		return c.binder.subquery(e)
	case *parser.Exists:
		return c.binder.exists(e)
	case *parser.Collate:
		return c.collate(e)
	case *parser.Interval:
		return c.interval(e)
	}
	return nil, &Error{Kind: BadStatement, Pos: -1, Msg: "an expression of an unknown kind"}
}

// exprs compiles several nodes.
func (c *exprCompiler) exprs(list []parser.Expr) ([]*expr, error) {
	out := make([]*expr, len(list))
	for i, e := range list {
		x, err := c.expr(e)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

func literal(l *parser.Literal) (*expr, error) {
	switch v := l.Value.(type) {
	case nil:
		return fixed(null, l.Pos), nil
	case int64:
		return fixed(value.OfInt(v), l.Pos), nil
	case float64:
		return fixed(value.OfReal(v), l.Pos), nil
	case string:
		return fixed(value.OfText(v), l.Pos), nil
	case []byte:
		return fixed(value.OfBlob(string(v)), l.Pos), nil
	case bool:
		return fixed(value.OfBool(v), l.Pos), nil
	}
	return nil, &Error{Kind: BadStatement, Pos: l.Pos, Msg: "a literal of an unknown kind"}
}

// fixed is an expression whose value is known.
func fixed(v value.Value, pos parser.Pos) *expr {
	return &expr{
		eval: func(*env) value.Value { return v }, typ: staticType(v), nullable: v.IsNull(),
		constant: true, fixed: true, value: v, pos: pos,
	}
}

// param compiles a placeholder. Its value is one of the execution's arguments, so its type is not known.
func (c *exprCompiler) param(p *parser.Param) (*expr, error) {
	i := p.Index - 1
	if p.Name != "" {
		b, ok := c.binder.(paramBinder)
		if !ok {
			return nil, &Error{Kind: BadArgument, Pos: p.Pos, Msg: "no parameter is named " + p.Name}
		}
		var err error
		if i, err = b.param(p); err != nil {
			return nil, err
		}
	}
	eval := func(e *env) value.Value {
		if i < 0 || i >= len(e.args) {
			return e.fail(&Error{Kind: BadArgument, Pos: p.Pos, Msg: "the argument is missing"})
		}
		if list := e.args[i].list; list != nil {
			return list.value(e, p.Pos)
		}
		return e.args[i].Value
	}
	return &expr{eval: eval, typ: Any, nullable: true, constant: true, param: i + 1, pos: p.Pos}, nil
}

// column asks the binder. Names such as CURRENT_TIMESTAMP, which are written without parentheses, give way to columns.
func (c *exprCompiler) column(col *parser.Column) (*expr, error) {
	x, err := c.binder.column(col)
	if err == nil || col.Table != "" || col.Quoted {
		return x, err
	}
	if name := parser.LowerASCII(col.Name); bareFunctions[name] {
		return c.call(&parser.Call{Pos: col.Pos, Name: name})
	}
	return nil, err
}

// collate compiles x COLLATE name.
func (c *exprCompiler) collate(e *parser.Collate) (*expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	coll, ok := collations[e.Name]
	if !ok {
		return nil, &Error{Kind: Unsupported, Pos: e.Pos, Msg: "no such collation: " + e.Name, Hint: "there are BINARY, NOCASE and RTRIM"}
	}
	y := *x
	y.collate, y.explicit = coll, true
	return &y, nil
}

// finish completes a node made of operands: whether it is constant and which collation it carries.
// What is known at this time is computed at this time, what depends on arguments or the instant once per execution.
func finish(x *expr, operands ...*expr) *expr {
	x.constant = true
	known := !x.clock
	for _, o := range operands {
		x.constant = x.constant && o.constant
		x.clock = x.clock || o.clock
		known = known && o.fixed
		if o.explicit && !x.explicit {
			x.collate, x.explicit = o.collate, true
		}
	}
	if x.eval == nil {
		test := x.test
		x.eval = func(e *env) value.Value { return test(e).Value() }
	}
	if !x.constant {
		return x
	}
	if known {
		return fold(x)
	}
	return once(x)
}

// staticType returns the Type of a value that is known.
func staticType(v value.Value) Type {
	if v.JSON {
		return JSON
	}
	return [...]Type{value.Null: Any, value.Int: Integer, value.Float: Real, value.Time: Timestamp, value.String: Text, value.Bytes: Blob}[v.Kind]
}
