package query

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A goState is what one group knows of an aggregate of the program.
type goState struct {
	state reflect.Value // a *S
	held  int64         // bytes that it is known to take
}

// A sizer is a state that tells how many bytes it holds.
type sizer interface{ Size() int64 }

// setAggregate takes the signatures of Step and Result.
func (g *goFunction) setAggregate(step, result any) error {
	g.call, g.final = reflect.ValueOf(step), reflect.ValueOf(result)
	st, rt := g.call.Type(), g.final.Type()
	switch {
	case st.Kind() != reflect.Func || g.call.IsNil() || st.NumIn() < 2 || st.In(0).Kind() != reflect.Pointer ||
		st.NumOut() > 1 || st.NumOut() == 1 && st.Out(0) != errorType:
		return errors.New("the field Step must be func(state *S, arguments...), or the same with an error as its result")
	case rt.Kind() != reflect.Func || g.final.IsNil() || rt.NumIn() != 1 || rt.In(0) != st.In(0):
		return fmt.Errorf("the field Result must be func(%s) T or func(%s) (T, error)", st.In(0), st.In(0))
	}
	g.state = st.In(0).Elem()
	if err := g.setParams(st, 1); err != nil {
		return err
	}
	if err := g.setResult(rt); err != nil {
		return err
	}
	least, most := g.arity()
	if most < 0 {
		most = math.MaxInt
	}
	g.aggregate = &aggregate{
		min: max(least, 1), max: most, hold: g.hold, step: g.step, final: g.finish,
		typ:  func([]*expr.Expr) (Type, bool) { return g.result.typ, true },
		room: func([]value.Value) int { return 0 },
	}
	g.aggregate.sorted = &aggregate{typ: g.aggregate.typ, hold: holdRow, final: finalSorted}
	return nil
}

// hold gives a row to a state, and accounts for what it takes more.
func (g *goFunction) hold(s *aggState, c *aggregateCall, v []value.Value, keep *keeper) error {
	before := s.size()
	if err := g.step(s, c, v[:c.values]); err != nil {
		return err
	}
	for i := range v { // which were copied
		keep.budget.discard(int64(len(v[i].S)))
	}
	if more := s.size() - before; more != 0 {
		return keep.account(more)
	}
	return nil
}

// step gives a row to a state. It is called for rows whose first argument is not NULL; one with
// another NULL that Step does not take is left out, too.
func (g *goFunction) step(s *aggState, c *aggregateCall, v []value.Value) error {
	if s.program == nil {
		s.program = &goState{state: reflect.New(g.state)}
	}
	in := make([]reflect.Value, 1, len(v)+1)
	in[0] = s.program.state
	in, missing, err := g.values(in, v)
	if missing {
		return nil
	}
	if err == nil {
		_, err = g.invoke(g.call, in)
	}
	if err == nil {
		s.program.held, err = g.size(s.program.state)
	}
	if err != nil {
		return &Error{Kind: BadValue, Pos: c.pos, Msg: g.name + "()", Err: err}
	}
	return nil
}

// size is how many bytes a state takes.
func (g *goFunction) size(state reflect.Value) (n int64, err error) {
	n = int64(g.state.Size())
	if _, ok := state.Interface().(sizer); !ok {
		return n, nil
	}
	out, err := g.invoke(state.MethodByName("Size"), nil)
	if err != nil {
		return n, err
	}
	return n + max(out[0].Int(), 0), nil
}

// finish gives the result of a state.
func (g *goFunction) finish(s *aggState, c *aggregateCall, en *expr.Env) (value.Value, error) {
	state := reflect.New(g.state)
	if s.program != nil {
		state = s.program.state
	}
	out, err := g.invoke(g.final, []reflect.Value{state})
	var v value.Value
	if err == nil {
		v, err = g.result.value(out[0])
	}
	if err != nil {
		return null, &Error{Kind: BadValue, Pos: c.pos, Msg: g.name + "()", Err: err}
	}
	if !en.Room(len(v.S)) {
		return null, en.Err
	}
	return v, nil
}
