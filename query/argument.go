package query

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A List is an argument that is a slice. In the list of an IN it stands for its elements, anywhere
// else for the text of a JSON array, or for NULL if it is nil. Its elements are what database/sql
// takes, and none is a List.
type List []driver.Value

// bindArg turns what was given for a parameter into an argument.
func bindArg(v driver.Value, keep bytesKeeper) (expr.Argument, error) {
	if list, ok := v.(List); ok {
		return bindList(list, keep)
	}
	one, err := value.FromDriver(v, keep.text)
	if err != nil {
		return expr.Argument{}, badArgument(err)
	}
	return expr.Argument{Value: one}, nil
}

func badArgument(err error) error {
	return &Error{Kind: BadArgument, Pos: -1, Msg: err.Error()}
}

func bindList(list List, keep bytesKeeper) (expr.Argument, error) {
	bound := &expr.List{Absent: list == nil, Values: make([]value.Value, len(list))}
	own := slices.Clone(list)
	for i, v := range list {
		one, err := value.FromDriver(v, keep.text)
		if err != nil {
			return expr.Argument{}, badArgument(err)
		}
		bound.Values[i] = one
		if one.Kind == value.Bytes { // the caller may write to v when the call is over
			own[i] = one.S
		}
	}
	bound.JSON = sync.OnceValues(own.JSON)
	return expr.Argument{List: bound}, nil
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

// copiedArguments is part of every statement that makes no use of knowing for how long arguments
// are needed.
type copiedArguments struct{}

func (copiedArguments) bind(_ *Session, p parser.Params,
	given []driver.NamedValue) ([]expr.Argument, error) {
	return bindArgs(p, given, nil, bytesKeeper{})
}

// bindArgs appends the arguments of a statement to values, which is empty, in the order of its
// parameters. It refuses too few, too many and unknown ones.
func bindArgs(
	p parser.Params, args []driver.NamedValue, values []expr.Argument, keep bytesKeeper,
) ([]expr.Argument, error) {
	if p.Names != nil {
		return bindNames(p.Names, args, values, keep)
	}
	if len(args) != p.Count {
		return nil, errorf(BadArgument, -1,
			"the statement takes %d arguments, got %d", p.Count, len(args))
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
			return nil, errorf(BadArgument, -1,
				"the statement takes %d arguments, got number %d", p.Count, a.Ordinal)
		}
		values[at] = v
	}
	return values, nil
}

func bindNames(
	names []string, args []driver.NamedValue, values []expr.Argument, keep bytesKeeper,
) ([]expr.Argument, error) {
	values = slices.Grow(values, len(names))[:len(names)]
	given := make([]bool, len(names))
	for _, a := range args {
		i := nameIndex(names, a.Name)
		if a.Name == "" {
			return nil, errorf(BadArgument, -1,
				"the statement has named parameters; pass their values with sql.Named")
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
