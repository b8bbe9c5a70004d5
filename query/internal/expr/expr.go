// Package expr compiles expressions into closures and evaluates them. It knows scalar functions,
// operators and the environment of an evaluation; what a column, an aggregate or a sub-query is, it
// asks its [Binder].
package expr

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An Expr is a compiled expression. It never changes and is shared by all who run the plan.
type Expr struct {
	Eval     func(*Env) value.Value
	Test     func(*Env) value.Truth // what eval gives, as a condition; nil where eval is all there is (see condition)
	Type     value.Type             // static type
	Nullable bool                   // may be NULL
	Affinity value.Affinity         // of a column or CAST, for comparisons
	Collate  value.Collation        // explicit, or of the column
	Column   bool                   // it reads a column of FROM
	explicit bool                   // collate was written with COLLATE, here or in an operand
	Constant bool                   // depends on no row: literals, parameters and functions of them
	fixed    bool                   // constant and known now: value holds it
	value    value.Value            // if fixed
	Clock    bool                   // depends on the statement's instant: now(), date('now')
	Reveals  bool                   // opens sealed values
	Foreign  bool                   // calls a function of the program
	Volatile bool                   // calls one that may give another result each time
	keyed    bool                   // needs the keyring, which only a statement that runs has
	param    int                    // a bare parameter: its place in env.args, from 1; 0 for anything else
	item     bool                   // a bare parameter in the list of an IN: a slice stands for its elements
	Tags     bool                   // the column tags of an event, wherever it has come through
	Pos      parser.Pos
}

// Condition returns x as a condition: what WHERE, HAVING, ON, CASE and FILTER evaluate.
func (x *Expr) Condition() func(*Env) value.Truth {
	if x.Test != nil {
		return x.Test
	}
	if x.fixed {
		t := x.value.Truth()
		return func(*Env) value.Truth { return t }
	}
	eval := x.Eval
	return func(e *Env) value.Truth { return eval(e).Truth() }
}

// Stored returns an expression that reads a value of x which was computed before.
func (x *Expr) Stored(read func(*Env) value.Value) *Expr {
	y := *x
	y.Eval, y.Test = read, nil
	y.Constant, y.fixed, y.param, y.item = false, false, 0, false
	return &y
}

// IsTime reports whether texts compared with x are parsed as times.
func (x *Expr) IsTime() bool { return x.Affinity == value.AffTime || x.Type == value.Timestamp }

// A Binder resolves what an expression alone cannot: columns, aggregates, windows and sub-queries.
// Who compiles statements implements it.
type Binder interface {
	Column(c *parser.Column) (*Expr, error)
	// Call is asked first about every function call; handled is false for scalar functions.
	Call(c *parser.Call) (e *Expr, handled bool, err error)
	Subquery(s *parser.Subquery) (*Expr, error)
	Exists(s *parser.Exists) (*Expr, error)
	// InSelect compiles x [NOT] IN (SELECT ...).
	InSelect(x *Expr, in *parser.In) (*Expr, error)
}

// What a Binder may offer besides.
type (
	// A ParamBinder knows named parameters. Without it only numbered ones compile.
	ParamBinder interface {
		// Param returns the index into Env.Args, from 0, of a parameter with a name.
		Param(p *parser.Param) (int, error)
	}
	// A PathBinder shares the extraction of JSON paths: each distinct path of a row is looked up once.
	PathBinder interface {
		// Path is asked about column -> 'constant path', column ->> 'constant path' and json_extract,
		// chains included. col is what Column returned. A nil result means that the compiler shall do it
		// itself.
		Path(col *Expr, p *jsonpath.Path, as Reading) (*Expr, error)
	}
	// A BindChecker runs checks of the arguments before the first row: a text that is compared with a
	// time must be one. Without it they run when the expression is first evaluated.
	BindChecker interface {
		AtBind(check func(*Env) error)
	}
)

// Compile compiles an expression of the tree. Errors are *fault.Error.
func Compile(e parser.Expr, b Binder) (*Expr, error) {
	return (&compiler{binder: b}).expr(e)
}

// A compiler turns trees into closures. It lives for one call of Compile.
type compiler struct {
	binder Binder
}

// expr compiles one node. Trees are at most as deep as the parser lets them be, so that recursion
// is safe.
func (c *compiler) expr(e parser.Expr) (*Expr, error) {
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
		return c.binder.Subquery(e)
	case *parser.Exists:
		return c.binder.Exists(e)
	case *parser.Collate:
		return c.collate(e)
	case *parser.Interval:
		return c.interval(e)
	case *parser.Row:
		return nil, errRow(e.Pos)
	}
	return nil, &fault.Error{Kind: fault.BadStatement, Pos: -1,
		Msg: "an expression of an unknown kind"}
}

// exprs compiles several nodes.
func (c *compiler) exprs(list []parser.Expr) ([]*Expr, error) {
	out := make([]*Expr, len(list))
	for i, e := range list {
		x, err := c.expr(e)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

func literal(l *parser.Literal) (*Expr, error) {
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
	return nil, &fault.Error{Kind: fault.BadStatement, Pos: l.Pos, Msg: "a literal of an unknown kind"}
}

// fixed is an expression whose value is known.
func fixed(v value.Value, pos parser.Pos) *Expr {
	return &Expr{
		Eval: func(*Env) value.Value { return v }, Type: staticType(v), Nullable: v.IsNull(),
		Constant: true, fixed: true, value: v, Pos: pos,
	}
}

// param compiles a placeholder. Its value is one of the execution's arguments, so its type is not
// known.
func (c *compiler) param(p *parser.Param) (*Expr, error) {
	i := p.Index - 1
	if p.Name != "" {
		b, ok := c.binder.(ParamBinder)
		if !ok {
			return nil, &fault.Error{
				Kind: fault.BadArgument, Pos: p.Pos, Msg: "no parameter is named " + p.Name,
			}
		}
		var err error
		if i, err = b.Param(p); err != nil {
			return nil, err
		}
	}
	eval := func(e *Env) value.Value {
		if i < 0 || i >= len(e.Args) {
			return e.Fail(&fault.Error{Kind: fault.BadArgument, Pos: p.Pos, Msg: "the argument is missing"})
		}
		if list := e.Args[i].List; list != nil {
			return list.value(e, p.Pos)
		}
		return e.Args[i].Value
	}
	return &Expr{
		Eval: eval, Type: value.Any, Nullable: true, Constant: true, param: i + 1, Pos: p.Pos,
	}, nil
}

// column asks the binder. Names such as CURRENT_TIMESTAMP, which are written without parentheses,
// give way to columns.
func (c *compiler) column(col *parser.Column) (*Expr, error) {
	x, err := c.binder.Column(col)
	if err == nil || col.Table != "" || col.Quoted {
		return x, err
	}
	if name := parser.LowerASCII(col.Name); bareFunctions[name] {
		return c.call(&parser.Call{Pos: col.Pos, Name: name})
	}
	return nil, err
}

// collate compiles x COLLATE name.
func (c *compiler) collate(e *parser.Collate) (*Expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	coll, ok := value.Collations[e.Name]
	if !ok {
		return nil, &fault.Error{Kind: fault.Unsupported, Pos: e.Pos, Msg: "no such collation: " + e.Name,
			Hint: "there are BINARY, NOCASE and RTRIM"}
	}
	y := *x
	y.Collate, y.explicit = coll, true
	return &y, nil
}

// finish completes a node made of operands: whether it is constant and which collation it carries.
// What is known at this time is computed at this time, what depends on arguments or the instant
// once per execution.
func finish(x *Expr, operands ...*Expr) *Expr {
	x.Constant = true
	known := !x.Clock && !x.keyed
	for _, o := range operands {
		x.Constant = x.Constant && o.Constant
		x.Clock = x.Clock || o.Clock
		x.Reveals = x.Reveals || o.Reveals
		x.Foreign = x.Foreign || o.Foreign
		x.Volatile = x.Volatile || o.Volatile
		known = known && o.fixed
		if o.explicit && !x.explicit {
			x.Collate, x.explicit = o.Collate, true
		}
	}
	if x.Eval == nil {
		test := x.Test
		x.Eval = func(e *Env) value.Value { return test(e).Value() }
	}
	x.Constant = x.Constant && !x.Volatile
	if !x.Constant {
		return x
	}
	if known {
		return fold(x)
	}
	return once(x)
}

// staticType returns the Type of a value that is known.
func staticType(v value.Value) value.Type {
	if v.JSON {
		return value.JSON
	}
	return [...]value.Type{value.Null: value.Any, value.Int: value.Integer, value.Float: value.Real,
		value.Time: value.Timestamp, value.String: value.Text, value.Bytes: value.Blob}[v.Kind]
}
