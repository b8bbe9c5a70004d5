package eventfold

import (
	"slices"
	"sync"

	"github.com/eventfold/eventfold/query"
)

// A Function is a function written in Go that statements call by its name. Config.Functions and
// [RegisterFunction] take it.
type Function = query.Function

// A PanicError is what a Function has panicked with. It is behind the *Error of the statement.
type PanicError = query.PanicError

// registered are the functions that RegisterFunction was given. They are replaced and never changed.
var registered struct {
	mu      sync.Mutex // protects the fields below
	list    []Function
	checked *query.Functions // the same, for all Connectors without others: they share their plans
}

// RegisterFunction adds a scalar function to all databases that the process opens from then on, by DSN
// too. fn is what Function.Func takes; or it is a Function, whose name is then replaced by name if that
// is not "". What cannot be a function is refused, as is a name that SQL or an earlier call has: see
// [Function].
func RegisterFunction(name string, fn any) error {
	f, ok := fn.(Function)
	if !ok {
		f = Function{Func: fn}
	}
	if name != "" {
		f.Name = name
	}
	registered.mu.Lock()
	defer registered.mu.Unlock()
	list := append(slices.Clip(registered.list), f)
	checked, err := query.NewFunctions(list)
	if err != nil {
		return &Error{Code: ErrConfig, Op: "register", Err: err}
	}
	registered.list, registered.checked = list, checked
	return nil
}

// Aggregate returns a Function of the name whose states are of type S. step is func(state *S, args...),
// or the same with an error as its result; result is called behind all rows: see [Function].
func Aggregate[S, T any](name string, step any, result func(state *S) (T, error)) Function {
	return Function{Name: name, Step: step, Result: result}
}

// functionsOf returns the functions of a Config and those that are registered.
func functionsOf(c Config) (*query.Functions, error) {
	registered.mu.Lock()
	list, checked := registered.list, registered.checked
	registered.mu.Unlock()
	if len(c.Functions) == 0 {
		return checked, nil
	}
	return query.NewFunctions(slices.Concat(list, c.Functions))
}
