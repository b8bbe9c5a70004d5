package expr

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// in compiles x [NOT] IN (list) and hands x [NOT] IN (SELECT ...) to the binder.
func (c *compiler) in(e *parser.In) (*Expr, error) {
	if isRow(e.X) {
		return c.inRows(e)
	}
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	if e.Select != nil {
		return c.binder.InSelect(x, e)
	}
	list, err := c.items(e.List)
	if err != nil {
		return nil, err
	}
	return c.inList(x, list, e)
}

// items compiles the list of an IN.
func (c *compiler) items(list []parser.Expr) ([]*Expr, error) {
	out, err := c.exprs(list)
	MarkItems(out, list)
	return out, err
}

// MarkItems tells bare parameters that they stand in the list of an IN.
func MarkItems(items []*Expr, list []parser.Expr) {
	for i, x := range items {
		_, x.item = list[i].(*parser.Param)
	}
}

// inList compiles x [NOT] IN (list). Only x has a say in affinity and collation, as if each item
// were +item, except that a time in the list makes a time of x.
func (c *compiler) inList(x *Expr, list []*Expr, e *parser.In) (*Expr, error) {
	y := &Expr{Type: value.Integer, Pos: e.Pos}
	if len(list) == 0 {
		y.Test = func(*Env) value.Truth { return value.TruthOf(e.Not) }
		return finish(y, x), nil
	}
	var constants []inItem
	var others []func(*Env, value.Value) value.Truth
	y.Nullable = x.Nullable
	for _, item := range list {
		y.Nullable = y.Nullable || item.Nullable
		plain := *item
		if !item.IsTime() || x.IsTime() {
			plain.Affinity = value.AffNone
		}
		plain.explicit, plain.Collate = x.explicit, x.Collate
		m, err := c.match(x, &plain)
		if err != nil {
			return nil, err
		}
		if item.Constant && (!item.IsTime() || x.IsTime()) {
			constants = append(constants, inItem{item, m.right})
		} else {
			others = append(others, m.tester(value.Equal))
		}
	}
	convert := value.Conversion(x.Affinity)
	if x.IsTime() || unchanged(x.Affinity, x.Type) {
		convert = nil
	}
	set := inSetOf(constants, Set{Coll: x.Collate, Dates: x.Type == value.Any})
	y.Test = func(env *Env) value.Truth {
		v := x.Eval(env)
		if v.Kind == value.Null {
			if len(others) == 0 && set(env).size == 0 { // NULL is not in a list of nothing
				return value.TruthOf(e.Not)
			}
			return value.Unknown
		}
		found := inConstants(env, set, v, convert, e.Pos)
		for i := 0; i < len(others) && found != value.Yes; i++ {
			if !env.Effort(value.TermEffort + len(v.S)) {
				return value.Unknown
			}
			found = value.Or(found, others[i](env, v))
		}
		if e.Not {
			return found.Not()
		}
		return found
	}
	return finish(y, append(list, x)...), nil
}

func inConstants(
	e *Env, set func(*Env) *Set, v value.Value, convert func(value.Value) value.Value, pos parser.Pos,
) value.Truth {
	if set == nil {
		return value.No
	}
	if convert != nil {
		v = convert(v)
	}
	s := set(e)
	if s.Mixes(v) {
		e.Fail(ErrTimeBesideNumber(pos))
		return value.Unknown
	}
	return s.Has(v)
}

// A Set is a set of values to look up.
type Set struct {
	few     []value.Value // all values of a short list, searched one by one
	ints    map[int64]struct{}
	texts   map[string]struct{}
	others  map[string]struct{} // by key
	times   map[int64]struct{}
	read    map[int64]struct{} // texts, as the times that they are beside one, if Dates is set
	size    int                // of the list
	Coll    value.Collation
	Dates   bool // what is looked up may be a time, which its type does not tell
	hasNull bool
	numbers bool // there are some
	hasTime bool
}

// inFew is how long a list may be for searching it to beat hashing.
const inFew = 8

// An inItem is a constant item of a list.
type inItem struct {
	item  *Expr // as it is written
	right *Expr // converted for the comparison
}

// inSetOf returns how to get the set of constant items, which begins as empty is; nil if there are
// none.
func inSetOf(items []inItem, empty Set) func(*Env) *Set {
	if len(items) == 0 {
		return nil
	}
	build := func(e *Env) *Set {
		copied := empty
		s := &copied
		for _, item := range items {
			s.size += item.item.Elements(e)
		}
		if size := e.HoldElements(s.size); size > 0 { // until the statement ends
			e.Exec.HoldToEnd(size)
		}
		for _, item := range items {
			item.item.Each(e, func(one *Env) { s.Add(item.right.Eval(one), s.size <= inFew) })
		}
		return s
	}
	for _, item := range items {
		if !item.right.fixed {
			return memoized(build)
		}
	}
	s := build(NewEnv(Env{}))
	return func(*Env) *Set { return s }
}

// Add adds a value. Of a short list, few, values are compared one by one.
func (s *Set) Add(v value.Value, few bool) {
	s.numbers = s.numbers || v.Kind.IsNumber()
	s.hasTime = s.hasTime || v.Kind == value.Time
	switch {
	case v.Kind == value.Null:
		s.hasNull = true
	case few:
		s.few = append(s.few, v)
	case v.Kind == value.Int:
		addTo(&s.ints, v.N)
	case v.Kind == value.Time:
		addTo(&s.times, v.N)
	case v.Kind == value.String && s.Coll == value.Binary:
		addTo(&s.texts, v.S)
		s.addDate(v)
	default:
		addTo(&s.others, string(value.AppendKey(nil, v, s.Coll)))
		s.addDate(v)
	}
}

// addDate notes the time that a text is beside a time.
func (s *Set) addDate(v value.Value) {
	if !s.Dates {
		return
	}
	if t := value.BesideTime(v, s.Coll); t.Kind == value.Time {
		addTo(&s.read, t.N)
	}
}

func addTo[K comparable](m *map[K]struct{}, key K) {
	if *m == nil {
		*m = make(map[K]struct{})
	}
	(*m)[key] = struct{}{}
}

// Mixes reports whether looking up v would compare a time with a number.
func (s *Set) Mixes(v value.Value) bool {
	return v.Kind == value.Time && s.numbers || v.Kind.IsNumber() && s.hasTime
}

// Has looks up v, which is not NULL.
func (s *Set) Has(v value.Value) value.Truth {
	if s.contains(v) {
		return value.Yes
	}
	if s.hasNull {
		return value.Unknown
	}
	return value.No
}

func (s *Set) contains(v value.Value) bool {
	if s.few != nil && s.fewContain(v) {
		return true
	}
	switch {
	case v.Kind == value.Int:
		if holds(s.ints, v.N) {
			return true
		}
	case v.Kind == value.Float:
		if n, ok := value.IsInt(v.F); ok && holds(s.ints, n) {
			return true
		}
	case v.Kind == value.Time:
		return holds(s.times, v.N) || holds(s.read, v.N)
	case v.Kind == value.String && s.Coll == value.Binary && holds(s.texts, v.S):
		return true
	}
	if v.Kind == value.String && s.times != nil {
		if t := value.BesideTime(v, s.Coll); t.Kind == value.Time && holds(s.times, t.N) {
			return true
		}
	}
	if s.others == nil {
		return false
	}
	var buf [64]byte
	_, ok := s.others[string(value.AppendKey(buf[:0], v, s.Coll))]
	return ok
}

func holds[K comparable](m map[K]struct{}, key K) bool {
	_, ok := m[key]
	return ok
}

// fewContain compares v with one value after the other.
func (s *Set) fewContain(v value.Value) bool {
	text := v.Kind == value.String && s.Coll == value.Binary
	for i := range s.few {
		w := &s.few[i]
		switch {
		case text && w.Kind == value.String:
			if v.S == w.S {
				return true
			}
		case (v.Kind == value.Time) != (w.Kind == value.Time):
			a, b := value.BesideTime(v, s.Coll), value.BesideTime(*w, s.Coll)
			if value.Equal.Between(a, b, s.Coll) == value.Yes {
				return true
			}
		case value.Equal.Between(v, *w, s.Coll) == value.Yes:
			return true
		}
	}
	return false
}

// Empty reports whether the set has no values at all, not even NULL.
func (s *Set) Empty() bool {
	return !s.hasNull && len(s.few)+len(s.ints)+len(s.times)+len(s.texts)+len(s.others) == 0
}
