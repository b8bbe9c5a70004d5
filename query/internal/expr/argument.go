package expr

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An Argument is what was given for a parameter.
type Argument struct {
	value.Value
	List *List // nil unless a List was given, and then Value is NULL
}

// A List is a List while a statement runs. It does not change, and any number of goroutines use it.
type List struct {
	Absent bool // the List was nil
	Values []value.Value
	JSON   func() (string, error) // makes the JSON array, which most statements do not ask for
}

// value is what the list is outside of an IN.
func (l *List) value(e *Env, pos parser.Pos) value.Value {
	if l.Absent {
		return null
	}
	text, err := l.JSON()
	if err != nil {
		return e.Fail(&fault.Error{Kind: fault.BadArgument, Pos: pos, Msg: err.Error()})
	}
	return value.OfText(text)
}

// IsList reports whether x is an item of an IN for which a slice was given.
func (x *Expr) IsList(e *Env) bool {
	return x.item && x.param <= len(e.Args) && e.Args[x.param-1].List != nil
}

// Elements returns of how many elements x, which is an item of an IN, consists.
func (x *Expr) Elements(e *Env) int {
	if x.IsList(e) {
		return len(e.Args[x.param-1].List.Values)
	}
	return 1
}

// Each calls f with an environment for every element of x: what evaluates x there gets that
// element. Without a slice it is called once, with e itself.
func (x *Expr) Each(e *Env, f func(one *Env)) {
	if !x.IsList(e) {
		f(e)
		return
	}
	one := NewEnv(Env{Ctx: e.Ctx, Args: slices.Clone(e.Args), Now: e.Now})
	for _, v := range e.Args[x.param-1].List.Values {
		if !e.Effort(value.TermEffort + len(v.S)) {
			return
		}
		one.Args[x.param-1], one.Memo = Argument{Value: v}, Memo{}
		if f(one); one.Err != nil {
			e.Fail(one.Err)
			return
		}
	}
}

// checkEach makes of a check of an argument one of every element, if x is an item of an IN.
func (x *Expr) checkEach(check func(*Env) error) func(*Env) error {
	return func(e *Env) (err error) {
		x.Each(e, func(one *Env) {
			if err == nil {
				err = check(one)
			}
		})
		if err == nil {
			err = e.Err
		}
		return err
	}
}

// elementSize is about how many bytes an element of a slice takes: its value, and its place in a
// set or a filter.
const elementSize = 96

// HoldElements holds the elements of the list of an IN, if they are many, and returns how many
// bytes that are. What is refused is an error of e.
func (e *Env) HoldElements(n int) int64 {
	if e.Exec == nil || n <= inFew {
		return 0
	}
	size := int64(n) * elementSize
	if err := e.Exec.Hold(size, "IN"); err != nil {
		e.Fail(err)
	}
	return size
}
