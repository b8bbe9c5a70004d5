package query

import (
	"context"
	"time"

	"github.com/eventfold/eventfold/parser"
)

// An env is the state in which expressions of one running statement are evaluated. One goroutine uses it.
type env struct {
	ctx  context.Context
	args []argument
	now  time.Time  // one instant per statement
	row  rowSource  // what the current row's columns are read from; set by the operator that evaluates
	err  error      // the first error of an evaluation; the operator checks it once per row or batch
	memo memo       // what is remembered without an execution, and of rows
	call []Value    // arguments of the functions being called, the innermost last
	exec *execution // what the statement's operators and sub-queries share

	made, held int64 // bytes of texts that were made for the current row, and how many of them the budget knows of
	work       int   // bytes that were looked at since the context was
	before     *env  // made before this one by the same execution
}

// fail remembers the first error of an evaluation and gives NULL in its place.
func (e *env) fail(err error) Value {
	if e.err == nil {
		e.err = err
	}
	e.work = effortStep // nothing that asks is worth its effort any more
	return null
}

// A rowSource is the current row of an operator: a batch of events with an index, or a slice of values.
type rowSource struct {
	batch  *tableBatch // columnar input
	i      int         // row of the batch
	values []Value     // row-wise input: results of operators, groups, joins
	outer  *env        // the enclosing query of a correlated sub-query; nil for none
}

// An expr is a compiled expression. It never changes and is shared by all who run the plan.
type expr struct {
	eval     func(*env) Value
	test     func(*env) truth // what eval gives, as a condition; nil where eval is all there is (see condition)
	typ      Type             // static type
	nullable bool             // may be NULL
	affinity affinity         // of a column or CAST, for comparisons
	collate  collation        // explicit, or of the column
	explicit bool             // collate was written with COLLATE, here or in an operand
	constant bool             // depends on no row: literals, parameters and functions of them
	fixed    bool             // constant and known now: value holds it
	value    Value            // if fixed
	clock    bool             // depends on the statement's instant: now(), date('now')
	param    int              // a bare parameter: its place in env.args, from 1; 0 for anything else
	item     bool             // a bare parameter in the list of an IN: a slice stands for its elements
	tags     bool             // the column tags of an event, wherever it has come through
	pos      parser.Pos
}

// A truth is the value of a condition.
type truth uint8

const (
	no truth = iota
	yes
	unknown
)

func (t truth) value() Value {
	if t == unknown {
		return null
	}
	return Value{kind: Int, n: int64(t)}
}

func (t truth) not() truth {
	if t == unknown {
		return unknown
	}
	return t ^ 1
}

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// condition returns x as a condition: what WHERE, HAVING, ON, CASE and FILTER evaluate.
func (x *expr) condition() func(*env) truth {
	if x.test != nil {
		return x.test
	}
	if x.fixed {
		t := x.value.truth()
		return func(*env) truth { return t }
	}
	eval := x.eval
	return func(e *env) truth { return eval(e).truth() }
}

// truth returns v as a condition: NULL is unknown, numbers are true unless zero, texts count by their numeric prefix.
func (v Value) truth() truth {
	switch v.kind {
	case Null:
		return unknown
	case Int:
		return truthOf(v.n != 0)
	case Float:
		return truthOf(v.f != 0)
	}
	return truthOf(toReal(v) != 0)
}

// isTime reports whether texts compared with x are parsed as times.
func (x *expr) isTime() bool { return x.affinity == affTime || x.typ == Timestamp }

type affinity uint8

const (
	affNone affinity = iota
	affInteger
	affReal
	affText
	affNumeric
	affTime // recorded_at: text compared with it is parsed as a time
	affBlob // of a column without a type and CAST AS BLOB: nothing is converted, not even beside a column of type TEXT
)

type collation uint8

const (
	collBinary collation = iota
	collNocase
	collRtrim // blanks at the end do not count
)

// collations are the collations by name.
var collations = map[string]collation{"BINARY": collBinary, "NOCASE": collNocase, "RTRIM": collRtrim}

// A binder resolves what an expression alone cannot: columns, aggregates, windows and sub-queries.
// The planner implements it; the scalar compiler calls it.
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
		path(col *expr, p *jsonPath, as reading) (*expr, error)
	}
	// A bindChecker runs checks of the arguments before the first row: a text that is compared with a time must be one.
	// Without it they run when the expression is first evaluated.
	bindChecker interface {
		atBind(check func(*env) error)
	}
)

// compileExpr compiles an expression of the tree. Errors are *Error.
func compileExpr(e parser.Expr, b binder) (*expr, error) {
	return (&compiler{binder: b}).expr(e)
}

// A compiler turns trees into closures. It lives for one call of compileExpr.
type compiler struct {
	binder binder
}

// expr compiles one node. Trees are at most as deep as the parser lets them be, so that recursion is safe.
func (c *compiler) expr(e parser.Expr) (*expr, error) {
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
func (c *compiler) exprs(list []parser.Expr) ([]*expr, error) {
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
		return fixed(intValue(v), l.Pos), nil
	case float64:
		return fixed(realValue(v), l.Pos), nil
	case string:
		return fixed(textValue(v), l.Pos), nil
	case []byte:
		return fixed(blobValue(string(v)), l.Pos), nil
	case bool:
		return fixed(boolValue(v), l.Pos), nil
	}
	return nil, &Error{Kind: BadStatement, Pos: l.Pos, Msg: "a literal of an unknown kind"}
}

// fixed is an expression whose value is known.
func fixed(v Value, pos parser.Pos) *expr {
	return &expr{
		eval: func(*env) Value { return v }, typ: v.staticType(), nullable: v.isNull(),
		constant: true, fixed: true, value: v, pos: pos,
	}
}

// param compiles a placeholder. Its value is one of the execution's arguments, so its type is not known.
func (c *compiler) param(p *parser.Param) (*expr, error) {
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
	eval := func(e *env) Value {
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
func (c *compiler) column(col *parser.Column) (*expr, error) {
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
func (c *compiler) collate(e *parser.Collate) (*expr, error) {
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
		x.eval = func(e *env) Value { return test(e).value() }
	}
	if !x.constant {
		return x
	}
	if known {
		return fold(x)
	}
	return once(x)
}
