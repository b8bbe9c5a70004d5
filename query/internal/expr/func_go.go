package expr

import (
	"errors"
	"fmt"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A GoFunction is a scalar function of the program.
type GoFunction struct {
	Name          string
	Min, Max      int // how many arguments it takes; Max < 0 for any number
	Type          value.Type
	Deterministic bool
	// Call computes the function, of arguments that may be NULL.
	Call func(e *Env, args []value.Value) (value.Value, error)
}

// CompileGo compiles a call of a function of the program. It is never computed before the statement
// runs; only one that is deterministic is constant with constant arguments.
func CompileGo(f *GoFunction, e *parser.Call, b Binder) (*Expr, error) {
	own := &function{name: f.Name, min: f.Min, max: f.Max, typ: f.Type, nulls: nullOwn}
	if err := own.checkCall(e); err != nil {
		return nil, err
	}
	args, err := (&compiler{binder: b}).exprs(e.Args)
	if err != nil {
		return nil, err
	}
	for _, a := range args {
		if a.Type == value.EventType {
			return nil, &fault.Error{Kind: fault.Unsupported, Pos: a.Pos,
				Msg: "the column event cannot be given to a function"}
		}
	}
	own.fn = func(e *Env, args []value.Value) value.Value {
		size := 0
		for _, a := range args { // which are copied
			size += len(a.S)
		}
		if e.Err != nil || !e.Hold(size) || !e.Effort(size) {
			return null
		}
		v, err := f.Call(e, args)
		switch {
		case err != nil:
			return e.failGo(f.Name, err)
		case !e.Room(len(v.S)):
			return null
		}
		return v
	}
	x := own.plain(args, e.Pos)
	x.keyed, x.Foreign, x.Volatile = true, true, !f.Deterministic
	return finish(x, args...), nil
}

// failGo is Fail for an error of a function of the program. That of a context stays itself.
func (e *Env) failGo(name string, err error) value.Value {
	if ended := e.Ctx.Err(); ended != nil && errors.Is(err, ended) {
		return e.Fail(ended)
	}
	return e.Fail(&fault.Error{Kind: fault.BadValue, Pos: -1, Msg: name + "()", Err: err})
}

// checkCall checks a call's form and how many arguments it has.
func (f *function) checkCall(e *parser.Call) error {
	if e.Star || e.Distinct || e.Filter != nil || e.Over != nil {
		return &fault.Error{Kind: fault.BadStatement, Pos: e.Pos,
			Msg: e.Name + "() is a plain function: it takes no *, DISTINCT, FILTER or OVER"}
	}
	if n := len(e.Args); n < f.min || f.max >= 0 && n > f.max {
		return &fault.Error{Kind: fault.BadArgument, Pos: e.Pos,
			Msg: fmt.Sprintf("%s() takes %s, not %d", e.Name, f.arity(), n)}
	}
	return nil
}
