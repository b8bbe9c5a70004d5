package query

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A List is an argument that is a slice. In the list of an IN it stands for its elements, anywhere else for the text of
// a JSON array, or for NULL if it is nil. Its elements are what database/sql takes, and none is a List.
type List []driver.Value

// An argument is what was given for a parameter.
type argument struct {
	value.Value
	list *listArgument // nil unless a List was given, and then Value is NULL
}

// A listArgument is a List while a statement runs. It does not change, and any number of goroutines use it.
type listArgument struct {
	null   bool // the List was nil
	values []value.Value
	json   func() (string, error) // makes the JSON array, which most statements do not ask for
}

// bindArg turns what was given for a parameter into an argument.
func bindArg(v driver.Value, keep bytesKeeper) (argument, error) {
	if list, ok := v.(List); ok {
		return bindList(list, keep)
	}
	one, err := fromDriver(v, keep)
	return argument{Value: one}, err
}

func bindList(list List, keep bytesKeeper) (argument, error) {
	bound := &listArgument{null: list == nil, values: make([]value.Value, len(list))}
	own := slices.Clone(list)
	for i, v := range list {
		one, err := fromDriver(v, keep)
		if err != nil {
			return argument{}, err
		}
		bound.values[i] = one
		if one.Kind == value.Bytes { // the caller may write to v when the call is over
			own[i] = one.S
		}
	}
	bound.json = sync.OnceValues(own.JSON)
	return argument{list: bound}, nil
}

// JSON returns the text of a JSON array. Bytes are texts there.
func (l List) JSON() (string, error) {
	values := make([]any, len(l))
	for i, v := range l {
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		if text, ok := v.(string); ok && !utf8.ValidString(text) {
			return "", fmt.Errorf("element %d of the slice is not valid UTF-8", i)
		}
		values[i] = v
	}
	text, err := json.Marshal(values)
	return string(text), err
}

// value is what the list is outside of an IN.
func (l *listArgument) value(e *env, pos parser.Pos) value.Value {
	if l.null {
		return null
	}
	text, err := l.json()
	if err != nil {
		return e.fail(&Error{Kind: BadArgument, Pos: pos, Msg: err.Error()})
	}
	return value.OfText(text)
}

// isList reports whether x is an item of an IN for which a slice was given.
func (x *expr) isList(e *env) bool {
	return x.item && x.param <= len(e.args) && e.args[x.param-1].list != nil
}

// elements returns of how many elements x, which is an item of an IN, consists.
func (x *expr) elements(e *env) int {
	if x.isList(e) {
		return len(e.args[x.param-1].list.values)
	}
	return 1
}

// each calls f with an environment for every element of x: what evaluates x there gets that element. Without a slice it is
// called once, with e itself.
func (x *expr) each(e *env, f func(one *env)) {
	if !x.isList(e) {
		f(e)
		return
	}
	one := newEnv(env{ctx: e.ctx, args: slices.Clone(e.args), now: e.now})
	for _, v := range e.args[x.param-1].list.values {
		if !e.Effort(termEffort + len(v.S)) {
			return
		}
		one.args[x.param-1], one.memo = argument{Value: v}, memo{}
		if f(one); one.err != nil {
			e.fail(one.err)
			return
		}
	}
}

// checkEach makes of a check of an argument one of every element, if x is an item of an IN.
func (x *expr) checkEach(check func(*env) error) func(*env) error {
	return func(e *env) (err error) {
		x.each(e, func(one *env) {
			if err == nil {
				err = check(one)
			}
		})
		if err == nil {
			err = e.err
		}
		return err
	}
}

// elementSize is about how many bytes an element of a slice takes: its value, and its place in a set or a filter.
const elementSize = 96

// holdElements holds the elements of the list of an IN, if they are many, and returns how many bytes that are. What is
// refused is an error of e.
func (e *env) holdElements(n int) int64 {
	if e.exec == nil || e.exec.budget == nil || n <= inFew {
		return 0
	}
	size := int64(n) * elementSize
	if err := e.exec.budget.hold(size, "IN"); err != nil {
		e.fail(err)
	}
	return size
}

// fromDriver turns an argument into a Value. Times are cut to microseconds; a nil []byte is NULL, as database/sql hands
// over a nil json.RawMessage.
func fromDriver(v driver.Value, keep bytesKeeper) (value.Value, error) {
	switch v := v.(type) {
	case nil:
		return null, nil
	case int64:
		return value.OfInt(v), nil
	case float64:
		return value.OfReal(v), nil
	case bool:
		truth := value.OfBool(v)
		truth.Flag = true
		return truth, nil
	case string:
		return value.OfText(v), nil
	case []byte:
		if v == nil {
			return null, nil
		}
		return value.OfBlob(keep.text(v)), nil
	case time.Time:
		micros, ok := value.UnixMicro(v)
		if !ok {
			return null, &Error{Kind: BadArgument, Pos: -1, Msg: "the time " + v.String() + " is outside of the years 0000 to 9999"}
		}
		return value.OfTime(micros), nil
	}
	return null, &Error{Kind: BadArgument, Pos: -1, Msg: fmt.Sprintf("an argument cannot be a %T", v)}
}

// copiedArguments is part of every statement that makes no use of knowing for how long arguments are needed.
type copiedArguments struct{}

func (copiedArguments) bind(_ *Session, p parser.Params, given []driver.NamedValue) ([]argument, error) {
	return bindArgs(p, given, nil, bytesKeeper{})
}

// bindArgs appends the arguments of a statement to values, which is empty, in the order of its parameters. It refuses too few,
// too many and unknown ones.
func bindArgs(p parser.Params, args []driver.NamedValue, values []argument, keep bytesKeeper) ([]argument, error) {
	if p.Names != nil {
		return bindNames(p.Names, args, values, keep)
	}
	if len(args) != p.Count {
		return nil, errorf(BadArgument, -1, "the statement takes %d arguments, got %d", p.Count, len(args))
	}
	values = slices.Grow(values, len(args))[:len(args)]
	for i, a := range args {
		if a.Name != "" {
			return nil, errorf(BadArgument, -1, "the statement has no parameter named %q", a.Name)
		}
		v, err := bindArg(a.Value, keep)
		if err != nil {
			return nil, err
		}
		at := i
		if a.Ordinal > 0 {
			at = a.Ordinal - 1
		}
		if at >= len(values) {
			return nil, errorf(BadArgument, -1, "the statement takes %d arguments, got number %d", p.Count, a.Ordinal)
		}
		values[at] = v
	}
	return values, nil
}

func bindNames(names []string, args []driver.NamedValue, values []argument, keep bytesKeeper) ([]argument, error) {
	values = slices.Grow(values, len(names))[:len(names)]
	given := make([]bool, len(names))
	for _, a := range args {
		i := nameIndex(names, a.Name)
		if a.Name == "" {
			return nil, errorf(BadArgument, -1, "the statement has named parameters; pass their values with sql.Named")
		}
		if i < 0 {
			return nil, errorf(BadArgument, -1, "the statement has no parameter named %q", a.Name)
		}
		if given[i] {
			return nil, errorf(BadArgument, -1, "the parameter %q is given twice", a.Name)
		}
		v, err := bindArg(a.Value, keep)
		if err != nil {
			return nil, err
		}
		values[i], given[i] = v, true
	}
	for i, ok := range given {
		if !ok {
			return nil, errorf(BadArgument, -1, "the parameter %q is not given", names[i])
		}
	}
	return values, nil
}

func nameIndex(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}
