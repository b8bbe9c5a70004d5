package query

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A Function is a function written in Go that statements call by its name, beside SQL's own.
//
// Parameters may be string, []byte, bool, integers, floats, time.Time, any, json.RawMessage, what
// implements sql.Scanner, and everything else that encoding/json fills, which is given JSON; the last
// may be variadic. Results may be the same, with driver.Valuer for sql.Scanner. A value that a parameter
// cannot take is an error of the statement; numbers and times become texts where a string is wanted. A
// NULL is nil to pointers, any and sql.Scanner; for every other parameter there is no call, and the
// result is NULL. A nil pointer, slice, map or interface as a result is NULL.
//
// What is given may be kept, and what is returned must not be changed any more. A panic becomes a
// [*PanicError]. Functions are called by several goroutines at once, also those of one statement.
type Function struct {
	// Name is an ordinary name of at most 64 letters, digits and underscores, in which case does not
	// count, and none of SQL's own functions.
	Name string
	// Func computes a scalar function: func(args...) T or (T, error). A context.Context may stand
	// before the other parameters: it ends when nobody waits for the statement any more. The writer of
	// the store calls functions in conditions of NO EVENT, with a context that does not end.
	Func any
	// Step and Result, in the place of Func, make an aggregate. Step is func(state *S, args...) or the
	// same with an error as its result, and is called for each row whose first argument is not NULL.
	// Result is func(state *S) T or (T, error). A state begins as the zero S, belongs to one group, and
	// is used by one goroutine at a time. Result may be called several times, and before further calls
	// of Step, where the aggregate has an OVER: it must not change the state. If *S has a method
	// Size() int64, it tells how many bytes the state holds, which count as the query's memory, beside
	// S itself.
	Step, Result any
	// Deterministic promises that the result depends on the arguments alone. Then a call with constant
	// arguments is made once in a statement, and the function may be used in conditions of NO EVENT;
	// otherwise a call is made for each row, and may not.
	Deterministic bool
}

// A PanicError is what a Function has panicked with.
type PanicError struct {
	Function string
	Value    any    // what recover has returned
	Stack    []byte // of the goroutine, as runtime/debug.Stack gives it
}

// Error tells the function and the value.
func (e *PanicError) Error() string { return fmt.Sprintf("%s() has panicked: %v", e.Function, e.Value) }

// Unwrap returns the value of the panic if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Functions are a checked list of functions, which does not change. nil has none.
type Functions struct {
	byName map[string]*goFunction
}

// maxFunctionName is how long the name of a Function may be, in bytes.
const maxFunctionName = 64

// NewFunctions checks functions. The result is nil if there are none.
func NewFunctions(list []Function) (*Functions, error) {
	if len(list) == 0 {
		return nil, nil
	}
	f := &Functions{byName: map[string]*goFunction{}}
	for _, one := range list {
		def, err := newGoFunction(one)
		if err == nil && f.byName[def.name] != nil {
			err = errors.New("there are two of the name")
		}
		if err != nil {
			return nil, fmt.Errorf("function %q: %w", one.Name, err)
		}
		f.byName[def.name] = def
	}
	return f, nil
}

// find returns the function with a name, nil if there is none.
func (f *Functions) find(name string) *goFunction {
	if f == nil {
		return nil
	}
	return f.byName[name]
}

// volatile reports whether there is a function of the name that may give another result each time.
func (f *Functions) volatile(name string) bool {
	g := f.find(name)
	return g != nil && !g.deterministic
}

// A goFunction is a Function whose types are known.
type goFunction struct {
	name          string
	params        []goParam
	variadic      bool // the last parameter takes any number of arguments
	context       bool // a context comes first
	deterministic bool
	call          reflect.Value // Func or Step
	result        goResult
	aggregate     *aggregate   // nil for a scalar function
	state         reflect.Type // of an aggregate: S
	final         reflect.Value
}

var (
	errorType   = reflect.TypeFor[error]()
	contextType = reflect.TypeFor[context.Context]()
)

func newGoFunction(f Function) (*goFunction, error) {
	g := &goFunction{name: parser.LowerASCII(f.Name), deterministic: f.Deterministic}
	if err := checkFunctionName(g.name); err != nil {
		return nil, err
	}
	switch {
	case f.Func != nil && f.Step == nil && f.Result == nil:
		return g, g.setScalar(f.Func)
	case f.Func == nil && f.Step != nil && f.Result != nil:
		return g, g.setAggregate(f.Step, f.Result)
	}
	return nil, errors.New("it takes either Func, or Step and Result")
}

// checkFunctionName refuses what cannot be called, and the names of SQL's own functions.
func checkFunctionName(name string) error {
	if name == "" {
		return errors.New("it has no name")
	}
	if len(name) > maxFunctionName {
		return fmt.Errorf("the name is longer than %d bytes", maxFunctionName)
	}
	for i := range len(name) {
		if c := name[i]; c != '_' && (c < 'a' || c > 'z') && !value.IsDigit(c) {
			return errors.New("a name has letters of ASCII, digits and underscores alone")
		}
	}
	if isBuiltIn(name) {
		return errors.New("SQL has a function of the name")
	}
	parsed, err := parser.Parse("SELECT " + name + "(1)")
	if err != nil {
		return errors.New("the name cannot be called in a statement")
	}
	call, ok := parsed.Statement.(*parser.Select).First.Results[0].Expr.(*parser.Call)
	if !ok || call.Name != name {
		return errors.New("the name means something else in a statement")
	}
	return nil
}

// isBuiltIn reports whether SQL itself has a function of the name.
func isBuiltIn(name string) bool {
	return slices.Contains(expr.Names(), name) || aggregates[name] != nil || windowFuncs[name] != nil ||
		tableFunctions[name] != nil || name == "grouping" || name == "grouping_id"
}

// setScalar takes the signature of Func.
func (g *goFunction) setScalar(f any) error {
	g.call = reflect.ValueOf(f)
	t := g.call.Type()
	if t.Kind() != reflect.Func || g.call.IsNil() {
		return fmt.Errorf("the field Func is a %T, not a function", f)
	}
	first := 0
	if t.NumIn() > 0 && t.In(0) == contextType {
		g.context, first = true, 1
	}
	if err := g.setParams(t, first); err != nil {
		return err
	}
	return g.setResult(t)
}

// setParams takes the parameters of a function from the n-th on.
func (g *goFunction) setParams(t reflect.Type, n int) error {
	g.variadic = t.IsVariadic()
	for i := n; i < t.NumIn(); i++ {
		in := t.In(i)
		if g.variadic && i == t.NumIn()-1 {
			in = in.Elem()
		}
		p, ok := goParamOf(in)
		if !ok {
			return fmt.Errorf("parameter %d is a %s, which no SQL value becomes", i+1, in)
		}
		g.params = append(g.params, p)
	}
	return nil
}

// setResult takes what a function returns: T or (T, error).
func (g *goFunction) setResult(t reflect.Type) error {
	n := t.NumOut()
	if n == 2 && t.Out(1) == errorType {
		n = 1
	}
	if n != 1 || t.Out(0) == errorType {
		return fmt.Errorf("%s must return one value, or one and an error", t)
	}
	var ok bool
	if g.result, ok = goResultOf(t.Out(0)); !ok {
		return fmt.Errorf("the result is a %s, which is no SQL value", t.Out(0))
	}
	return nil
}

// arity is how many arguments the function takes; most is -1 for any number.
func (g *goFunction) arity() (least, most int) {
	if g.variadic {
		return len(g.params) - 1, -1
	}
	return len(g.params), len(g.params)
}

// arguments describes the parameters for SHOW FUNCTIONS.
func (g *goFunction) arguments() string {
	var names []string
	for _, p := range g.params {
		names = append(names, p.typ.SQL())
	}
	if g.variadic {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// values appends Go's values of the arguments to in. null tells that one is NULL that the function
// does not take.
func (g *goFunction) values(
	in []reflect.Value, args []value.Value,
) (out []reflect.Value, null bool, err error) {
	for i, v := range args {
		p := &g.params[min(i, len(g.params)-1)]
		if v.Kind == value.Null && !p.nullable {
			return nil, true, nil
		}
		x, err := p.from(v)
		if err != nil {
			return nil, false, fmt.Errorf("argument %d: %w", i+1, err)
		}
		in = append(in, x)
	}
	return in, false, nil
}

// invoke calls a function of the program. A panic becomes an error.
func (g *goFunction) invoke(f reflect.Value, in []reflect.Value) (out []reflect.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{Function: g.name, Value: r, Stack: debug.Stack()}
		}
	}()
	out = f.Call(in)
	if n := len(out); n > 0 && out[n-1].Type() == errorType && !out[n-1].IsNil() {
		err, _ = out[n-1].Interface().(error)
	}
	return out, err
}

// run calls a scalar function.
func (g *goFunction) run(e *expr.Env, args []value.Value) (value.Value, error) {
	in := make([]reflect.Value, 0, len(args)+1)
	if g.context {
		in = append(in, reflect.ValueOf(e.Ctx))
	}
	in, missing, err := g.values(in, args)
	if missing || err != nil {
		return null, err
	}
	out, err := g.invoke(g.call, in)
	if err != nil {
		return null, err
	}
	return g.result.value(out[0])
}

// goCall compiles a call of a scalar function of the program.
func (s *clauseScope) goCall(g *goFunction, c *parser.Call) (*expr.Expr, error) {
	least, most := g.arity()
	return expr.CompileGo(&expr.GoFunction{
		Name: g.name, Min: least, Max: most, Type: g.result.typ, Deterministic: g.deterministic, Call: g.run,
	}, c, s)
}
