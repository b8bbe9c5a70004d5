package query

import "github.com/eventfold/eventfold/parser"

// in compiles x [NOT] IN (list) and hands x [NOT] IN (SELECT ...) to the binder.
func (c *compiler) in(e *parser.In) (*expr, error) {
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
func (c *compiler) items(list []parser.Expr) ([]*expr, error) {
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
func (c *compiler) inList(x *expr, list []*expr, e *parser.In) (*expr, error) {
	y := &expr{typ: Integer, pos: e.Pos}
	if len(list) == 0 {
		y.test = func(*env) truth { return truthOf(e.Not) }
		return finish(y, x), nil
	}
	var constants []inItem
	var others []func(*env, Value) truth
	y.nullable = x.nullable
	for _, item := range list {
		y.nullable = y.nullable || item.nullable
		plain := *item
		if !item.isTime() || x.isTime() {
			plain.affinity = affNone
		}
		plain.explicit, plain.collate = x.explicit, x.collate
		m, err := c.match(x, &plain)
		if err != nil {
			return nil, err
		}
		if item.constant && (!item.isTime() || x.isTime()) {
			constants = append(constants, inItem{item, m.right})
		} else {
			others = append(others, m.tester(equal))
		}
	}
	convert := conversionFor(x.affinity)
	if x.isTime() || unchanged(x.affinity, x.typ) {
		convert = nil
	}
	set := inSetOf(constants, x.collate)
	y.test = func(env *env) truth {
		v := x.eval(env)
		if v.kind == Null {
			if len(others) == 0 && set(env).size == 0 { // NULL is not in a list of nothing
				return truthOf(e.Not)
			}
			return unknown
		}
		found := inConstants(env, set, v, convert, e.Pos)
		for i := 0; i < len(others) && found != yes; i++ {
			if env.work += termEffort + len(v.s); env.work >= effortStep && !env.wanted() {
				return unknown
			}
			found = or(found, others[i](env, v))
		}
		if e.Not {
			return found.not()
		}
		return found
	}
	return finish(y, append(list, x)...), nil
}

func inConstants(e *env, set func(*env) *inSet, v Value, convert func(Value) Value, pos parser.Pos) truth {
	if set == nil {
		return no
	}
	if convert != nil {
		v = convert(v)
	}
	s := set(e)
	if s.mixes(v) {
		e.fail(timeBesideNumber(pos))
		return unknown
	}
	return s.has(v)
}

// An inSet is a set of values to look up.
type inSet struct {
	few     []Value // all values of a short list, searched one by one
	ints    map[int64]struct{}
	texts   map[string]struct{}
	others  map[string]struct{} // by key
	size    int                 // of the list
	coll    collation
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
func inSetOf(items []inItem, coll collation) func(*env) *inSet {
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
	s := build(new(env))
	return func(*env) *inSet { return s }
}

func (s *inSet) add(v Value, few bool) {
	s.numbers = s.numbers || v.kind.isNumber()
	s.times = s.times || v.kind == Time
	switch {
	case v.kind == Null:
		s.hasNull = true
	case few:
		s.few = append(s.few, v)
	case v.kind == Int:
		addTo(&s.ints, v.n)
	case v.kind == String && s.coll == collBinary:
		addTo(&s.texts, v.s)
	default:
		addTo(&s.others, string(appendKey(nil, v, s.coll)))
	}
}

func addTo[K comparable](m *map[K]struct{}, key K) {
	if *m == nil {
		*m = make(map[K]struct{})
	}
	(*m)[key] = struct{}{}
}

// mixes reports whether looking up v would compare a time with a number.
func (s *inSet) mixes(v Value) bool {
	return v.kind == Time && s.numbers || v.kind.isNumber() && s.times
}

// has looks up v, which is not NULL.
func (s *inSet) has(v Value) truth {
	if s.contains(v) {
		return yes
	}
	if s.hasNull {
		return unknown
	}
	return no
}

func (s *inSet) contains(v Value) bool {
	text := v.kind == String && s.coll == collBinary
	for i := range s.few {
		w := &s.few[i]
		if text && w.kind == String {
			if v.s == w.s {
				return true
			}
		} else if equal.between(v, *w, s.coll) == yes {
			return true
		}
	}
	switch {
	case v.kind == Int:
		if _, ok := s.ints[v.n]; ok {
			return true
		}
	case v.kind == Float:
		if n, ok := isInt(v.f); ok {
			if _, ok := s.ints[n]; ok {
				return true
			}
		}
	case v.kind == String && s.coll == collBinary:
		if _, ok := s.texts[v.s]; ok {
			return true
		}
	case v.kind == Time && s.texts != nil:
		if _, ok := s.texts[v.text()]; ok {
			return true
		}
	}
	if s.others == nil {
		return false
	}
	var buf [64]byte
	_, ok := s.others[string(appendKey(buf[:0], v, s.coll))]
	return ok
}
