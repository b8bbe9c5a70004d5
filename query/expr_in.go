package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// in compiles x [NOT] IN (list) and hands x [NOT] IN (SELECT ...) to the binder.
func (c *exprCompiler) in(e *parser.In) (*expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	if e.Select != nil {
		return c.binder.inSelect(x, e)
	}
	list, err := c.items(e.List)
	if err != nil {
		return nil, err
	}
	return c.inList(x, list, e)
}

// items compiles the list of an IN.
func (c *exprCompiler) items(list []parser.Expr) ([]*expr, error) {
	out, err := c.exprs(list)
	markItems(out, list)
	return out, err
}

// markItems tells bare parameters that they stand in the list of an IN.
func markItems(items []*expr, list []parser.Expr) {
	for i, x := range items {
		_, x.item = list[i].(*parser.Param)
	}
}

// inList compiles x [NOT] IN (list). Only x has a say in affinity and collation, as if each item were +item,
// except that a time in the list makes a time of x.
func (c *exprCompiler) inList(x *expr, list []*expr, e *parser.In) (*expr, error) {
	y := &expr{typ: Integer, pos: e.Pos}
	if len(list) == 0 {
		y.test = func(*env) value.Truth { return value.TruthOf(e.Not) }
		return finish(y, x), nil
	}
	var constants []inItem
	var others []func(*env, value.Value) value.Truth
	y.nullable = x.nullable
	for _, item := range list {
		y.nullable = y.nullable || item.nullable
		plain := *item
		if !item.isTime() || x.isTime() {
			plain.affinity = value.AffNone
		}
		plain.explicit, plain.collate = x.explicit, x.collate
		m, err := c.match(x, &plain)
		if err != nil {
			return nil, err
		}
		if item.constant && (!item.isTime() || x.isTime()) {
			constants = append(constants, inItem{item, m.right})
		} else {
			others = append(others, m.tester(value.Equal))
		}
	}
	convert := value.Conversion(x.affinity)
	if x.isTime() || unchanged(x.affinity, x.typ) {
		convert = nil
	}
	set := inSetOf(constants, x.collate)
	y.test = func(env *env) value.Truth {
		v := x.eval(env)
		if v.Kind == value.Null {
			if len(others) == 0 && set(env).size == 0 { // NULL is not in a list of nothing
				return value.TruthOf(e.Not)
			}
			return value.Unknown
		}
		found := inConstants(env, set, v, convert, e.Pos)
		for i := 0; i < len(others) && found != value.Yes; i++ {
			if !env.Effort(termEffort + len(v.S)) {
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

func inConstants(e *env, set func(*env) *inSet, v value.Value, convert func(value.Value) value.Value, pos parser.Pos) value.Truth {
	if set == nil {
		return value.No
	}
	if convert != nil {
		v = convert(v)
	}
	s := set(e)
	if s.mixes(v) {
		e.fail(timeBesideNumber(pos))
		return value.Unknown
	}
	return s.has(v)
}

// An inSet is a set of values to look up.
type inSet struct {
	few     []value.Value // all values of a short list, searched one by one
	ints    map[int64]struct{}
	texts   map[string]struct{}
	others  map[string]struct{} // by key
	size    int                 // of the list
	coll    value.Collation
	hasNull bool
	numbers bool // there are some
	times   bool
}

// inFew is how long a list may be for searching it to beat hashing.
const inFew = 8

// An inItem is a constant item of a list.
type inItem struct {
	item  *expr // as it is written
	right *expr // converted for the comparison
}

// inSetOf returns how to get the set of constant items; nil if there are none.
func inSetOf(items []inItem, coll value.Collation) func(*env) *inSet {
	if len(items) == 0 {
		return nil
	}
	build := func(e *env) *inSet {
		s := &inSet{coll: coll}
		for _, item := range items {
			s.size += item.item.elements(e)
		}
		if size := e.holdElements(s.size); size > 0 { // until the statement ends
			e.exec.elements += size
		}
		for _, item := range items {
			item.item.each(e, func(one *env) { s.add(item.right.eval(one), s.size <= inFew) })
		}
		return s
	}
	for _, item := range items {
		if !item.right.fixed {
			return memoized(build)
		}
	}
	s := build(newEnv(env{}))
	return func(*env) *inSet { return s }
}

func (s *inSet) add(v value.Value, few bool) {
	s.numbers = s.numbers || v.Kind.IsNumber()
	s.times = s.times || v.Kind == value.Time
	switch {
	case v.Kind == value.Null:
		s.hasNull = true
	case few:
		s.few = append(s.few, v)
	case v.Kind == value.Int:
		addTo(&s.ints, v.N)
	case v.Kind == value.String && s.coll == value.Binary:
		addTo(&s.texts, v.S)
	default:
		addTo(&s.others, string(value.AppendKey(nil, v, s.coll)))
	}
}

func addTo[K comparable](m *map[K]struct{}, key K) {
	if *m == nil {
		*m = make(map[K]struct{})
	}
	(*m)[key] = struct{}{}
}

// mixes reports whether looking up v would compare a time with a number.
func (s *inSet) mixes(v value.Value) bool {
	return v.Kind == value.Time && s.numbers || v.Kind.IsNumber() && s.times
}

// has looks up v, which is not NULL.
func (s *inSet) has(v value.Value) value.Truth {
	if s.contains(v) {
		return value.Yes
	}
	if s.hasNull {
		return value.Unknown
	}
	return value.No
}

func (s *inSet) contains(v value.Value) bool {
	text := v.Kind == value.String && s.coll == value.Binary
	for i := range s.few {
		w := &s.few[i]
		if text && w.Kind == value.String {
			if v.S == w.S {
				return true
			}
		} else if value.Equal.Between(v, *w, s.coll) == value.Yes {
			return true
		}
	}
	switch {
	case v.Kind == value.Int:
		if _, ok := s.ints[v.N]; ok {
			return true
		}
	case v.Kind == value.Float:
		if n, ok := value.IsInt(v.F); ok {
			if _, ok := s.ints[n]; ok {
				return true
			}
		}
	case v.Kind == value.String && s.coll == value.Binary:
		if _, ok := s.texts[v.S]; ok {
			return true
		}
	case v.Kind == value.Time && s.texts != nil:
		if _, ok := s.texts[v.Text()]; ok {
			return true
		}
	}
	if s.others == nil {
		return false
	}
	var buf [64]byte
	_, ok := s.others[string(value.AppendKey(buf[:0], v, s.coll))]
	return ok
}

// empty reports whether the set has no values at all, not even NULL.
func (s *inSet) empty() bool {
	return !s.hasNull && len(s.few)+len(s.ints)+len(s.texts)+len(s.others) == 0
}
