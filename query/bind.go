package query

import (
	"database/sql/driver"
	"slices"

	"github.com/eventfold/eventfold/parser"
)

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

// param implements paramBinder.
func (c *statementCompiler) param(p *parser.Param) (int, error) {
	if p.Name == "" {
		return p.Index - 1, nil
	}
	i := nameIndex(c.params.Names, p.Name)
	if i < 0 {
		return 0, errorf(BadArgument, p.Pos, "the parameter %q is unknown", p.Name)
	}
	return i, nil
}
