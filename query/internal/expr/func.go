package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A function is one scalar function. Exactly one of f0 to f3, fn and compile says what it does.
type function struct {
	name     string
	min, max int // how many arguments it takes; max < 0 for any number
	typ      value.Type
	nulls    nullRule
	numeric  bool // its arguments are numbers, and a time is none

	f0      func(e *Env) value.Value
	f1      func(e *Env, a value.Value) value.Value
	f2      func(e *Env, a, b value.Value) value.Value
	f3      func(e *Env, a, b, c value.Value) value.Value
	fn      func(e *Env, args []value.Value) value.Value
	compile func(c *compiler, f *function, args []*Expr, pos parser.Pos) (*Expr, error)
	ofJSON  func(jsonpath.Raw) value.Value // for jsonAt
}

// A nullRule says how a function treats NULLs.
type nullRule uint8

const (
	nullIn    nullRule = iota // NULL if an argument is, and only then
	nullMaybe                 // NULL if an argument is, and for other reasons
	nullNever                 // gets NULLs as arguments, and is never NULL
	nullOwn                   // gets NULLs as arguments, and may be NULL
)

// functions are all scalar functions by name.
var functions map[string]*function

func init() { // not an initializer: has and its like refer back to the compiler
	functions = make(map[string]*function)
	for i := range mathFunctions {
		mathFunctions[i].numeric = true
	}
	for _, table := range [][]function{
		generalFunctions, textFunctions, shapeFunctions, regexpFunctions, hashFunctions, mathFunctions,
		timeFunctions, jsonFunctions, sealedFunctions,
	} {
		for i := range table {
			functions[table[i].name] = &table[i]
		}
	}
	for alias, name := range functionAliases {
		f := *functions[name]
		f.name = alias
		functions[alias] = &f
	}
}

// Names lists the names of all scalar functions, in no order.
func Names() []string { return slices.Collect(maps.Keys(functions)) }

// Arity tells how many arguments the function of a name takes; most is negative for any number.
func Arity(name string) (least, most int) { return functions[name].min, functions[name].max }

// functionAliases are further names, most of them of other databases.
var functionAliases = map[string]string{
	"if": "iif", "substring": "substr", "mid": "substr", "char_length": "length", "character_length": "length",
	"lcase": "lower", "ucase": "upper", "ceiling": "ceil", "power": "pow", "format": "printf",
	"current_timestamp": "now", "localtimestamp": "now", "datepart": "date_part", "extract": "date_part",
	"session_user": "current_user", "user": "current_user", "current_database": "database",
	"schema": "database", "current_schema": "database",
	"json_array_size": "json_array_length", "datediff": "date_diff",
}

// bareFunctions may be written without parentheses.
var bareFunctions = map[string]bool{
	"current_timestamp": true, "current_date": true, "current_time": true, "localtimestamp": true,
	"current_user": true, "session_user": true,
}

// call compiles a call of a function. The binder is asked first: aggregates and window functions
// are its.
func (c *compiler) call(e *parser.Call) (*Expr, error) {
	if x, handled, err := c.binder.Call(e); handled || err != nil {
		return x, err
	}
	f, ok := functions[e.Name]
	if !ok {
		return nil, unknownFunction(e)
	}
	if err := f.checkCall(e); err != nil {
		return nil, err
	}
	for _, a := range e.Args {
		if isRow(a) {
			return nil, rowArgument(e, a.At())
		}
	}
	args, err := c.arguments(e)
	if err != nil {
		return nil, hintUnit(e, err)
	}
	if e.Name == "json_extract" {
		if x, err := c.sharedExtract(e, args); x != nil || err != nil {
			return x, err
		}
	}
	if f.numeric {
		for i, a := range args {
			if args[i], err = numberOperand(a); err != nil {
				return nil, err
			}
		}
	}
	if f.compile != nil {
		return f.compile(c, f, args, e.Pos)
	}
	x := f.plain(args, e.Pos)
	x.Clock = usesClock(f, args)
	return finish(x, args...), nil
}

// arguments compiles the arguments of a call.
func (c *compiler) arguments(e *parser.Call) ([]*Expr, error) {
	if e.Name != "reveal" || len(e.Args) != 1 {
		return c.exprs(e.Args)
	}
	all, err := placeSealed(e)
	if err != nil {
		return nil, err
	}
	args, err := c.exprs(all)
	if f, ok := err.(*fault.Error); ok && f.Pos == e.Pos { // there is no stream or type beside the value
		f.Hint = revealHint
	}
	return args, err
}

// arity says how many arguments f takes.
func (f *function) arity() string {
	switch {
	case f.max < 0:
		return fmt.Sprintf("%d or more arguments", f.min)
	case f.max == f.min && f.min == 1:
		return "1 argument"
	case f.max == f.min:
		return fmt.Sprintf("%d arguments", f.min)
	}
	return fmt.Sprintf("%d to %d arguments", f.min, f.max)
}

// plain is a call of a function that needs nothing but its arguments' values.
func (f *function) plain(args []*Expr, pos parser.Pos) *Expr {
	x := &Expr{Type: f.typ, Pos: pos, Nullable: f.nulls == nullMaybe || f.nulls == nullOwn}
	for _, a := range args {
		x.Nullable = x.Nullable || a.Nullable && f.nulls != nullNever
	}
	strict := f.nulls == nullIn || f.nulls == nullMaybe
	switch {
	case f.f0 != nil:
		x.Eval = f.f0
	case f.f1 != nil:
		x.Eval = callOne(f.f1, args[0].Eval, strict)
	case f.f2 != nil:
		x.Eval = callTwo(f.f2, args[0].Eval, args[1].Eval, strict)
	case f.f3 != nil:
		x.Eval = callThree(f.f3, args, strict)
	default:
		x.Eval = callMany(f.fn, args, strict)
	}
	if pos >= 0 {
		x.Eval = withPos(x.Eval, pos)
	}
	return x
}

// withPos gives errors of a function, which do not know where it stands, their place.
func withPos(eval func(*Env) value.Value, pos parser.Pos) func(*Env) value.Value {
	return func(e *Env) value.Value {
		if e.Err != nil {
			return eval(e)
		}
		v := eval(e)
		if e.Err != nil {
			if err, ok := e.Err.(*fault.Error); ok && err.Pos < 0 {
				placed := *err
				placed.Pos = pos
				e.Err = &placed
			}
		}
		return v
	}
}

func callOne(
	f func(*Env, value.Value) value.Value, a func(*Env) value.Value, strict bool,
) func(*Env) value.Value {
	return func(e *Env) value.Value {
		v := a(e)
		if strict && v.Kind == value.Null || !e.Effort(len(v.S)) {
			return null
		}
		return f(e, v)
	}
}

func callTwo(
	f func(*Env, value.Value, value.Value) value.Value, a, b func(*Env) value.Value, strict bool,
) func(*Env) value.Value {
	return func(e *Env) value.Value {
		v, w := a(e), b(e)
		if strict && (v.Kind == value.Null || w.Kind == value.Null) || !e.Effort(len(v.S)+len(w.S)) {
			return null
		}
		return f(e, v, w)
	}
}

// callThree calls a function whose last arguments may be missing; they are NULL then.
func callThree(
	f func(*Env, value.Value, value.Value, value.Value) value.Value, args []*Expr, strict bool,
) func(*Env) value.Value {
	return func(e *Env) value.Value {
		var v [3]value.Value
		for i, a := range args {
			v[i] = a.Eval(e)
			if strict && v[i].Kind == value.Null || !e.Effort(len(v[i].S)) {
				return null
			}
		}
		return f(e, v[0], v[1], v[2])
	}
}

// callMany calls a function with any number of arguments. They lie on the env's stack while it
// runs.
func callMany(
	f func(*Env, []value.Value) value.Value, args []*Expr, strict bool,
) func(*Env) value.Value {
	return func(e *Env) value.Value {
		base := len(e.call)
		for _, a := range args {
			v := a.Eval(e)
			if strict && v.Kind == value.Null || !e.Effort(len(v.S)) {
				e.call = e.call[:base]
				return null
			}
			e.call = append(e.call, v)
		}
		v := f(e, e.call[base:])
		e.call = e.call[:base]
		return v
	}
}

// funcError is an error of a function, which does not know where it stands.
func funcError(e *Env, msg string) value.Value {
	return e.Fail(&fault.Error{Kind: fault.BadValue, Pos: -1, Msg: msg})
}

// longestName is how long a name may be that is taken for a misspelt one.
const longestName = 40

// unknownFunction is the error for a name that is no function, with a hint if it is close to one or
// known elsewhere.
func unknownFunction(e *parser.Call) error {
	err := &fault.Error{
		Kind: fault.UnknownFunction, Pos: e.Pos, Msg: "no such function: " + fault.Short(e.Name) + "()",
	}
	if hint, ok := functionHints[e.Name]; ok {
		err.Hint = hint
		return err
	}
	if len(e.Name) > longestName {
		return err
	}
	best, distance := "", 3
	for name := range functions {
		if d := parser.EditDistance(e.Name, name); d < distance || d == distance && best != "" &&
			name < best {
			best, distance = name, d
		}
	}
	if best != "" && distance < len(e.Name) {
		err.Hint = "did you mean " + best + "()?"
	}
	if strings.HasPrefix(e.Name, "$__") || strings.HasPrefix(e.Name, "__") {
		err.Hint = "a Grafana macro was not expanded"
	}
	return err
}
