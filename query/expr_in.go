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
	set := inSetOf(constants, inSet{coll: x.collate, dates: x.typ == Any})
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
	times   map[int64]struct{}
	read    map[int64]struct{} // texts, as the times that they are beside one, if dates is set
	size    int                // of the list
	coll    collation
	dates   bool // what is looked up may be a time, which its type does not tell
	hasNull bool
	numbers bool // there are some
	hasTime bool
}

// inFew is how long a list may be for searching it to beat hashing.
const inFew = 8

// An inItem is a constant item of a list.
type inItem struct {
	item  *expr // as it is written
	right *expr // converted for the comparison
}

// inSetOf returns how to get the set of constant items, which begins as empty is; nil if there are none.
func inSetOf(items []inItem, empty inSet) func(*env) *inSet {
	if len(items) == 0 {
		return nil
	}
	build := func(e *env) *inSet {
		copied := empty
		s := &copied
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
	s.hasTime = s.hasTime || v.kind == Time
	switch {
	case v.kind == Null:
		s.hasNull = true
	case few:
		s.few = append(s.few, v)
	case v.kind == Int:
		addTo(&s.ints, v.n)
	case v.kind == Time:
		addTo(&s.times, v.n)
	case v.kind == String && s.coll == collBinary:
		addTo(&s.texts, v.s)
		s.addDate(v)
	default:
		addTo(&s.others, string(appendKey(nil, v, s.coll)))
		s.addDate(v)
	}
}

// addDate notes the time that a text is beside a time.
func (s *inSet) addDate(v Value) {
	if !s.dates {
		return
	}
	if t := readTime(v, s.coll); t.kind == Time {
		addTo(&s.read, t.n)
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
	return v.kind == Time && s.numbers || v.kind.isNumber() && s.hasTime
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
	if s.few != nil && s.fewContain(v) {
		return true
	}
	switch {
	case v.kind == Int:
		if holds(s.ints, v.n) {
			return true
		}
	case v.kind == Float:
		if n, ok := isInt(v.f); ok && holds(s.ints, n) {
			return true
		}
	case v.kind == Time:
		return holds(s.times, v.n) || holds(s.read, v.n)
	case v.kind == String && s.coll == collBinary && holds(s.texts, v.s):
		return true
	}
	if v.kind == String && s.times != nil {
		if t := readTime(v, s.coll); t.kind == Time && holds(s.times, t.n) {
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

func holds[K comparable](m map[K]struct{}, key K) bool {
	_, ok := m[key]
	return ok
}

// fewContain compares v with one value after the other.
func (s *inSet) fewContain(v Value) bool {
	text := v.kind == String && s.coll == collBinary
	for i := range s.few {
		w := &s.few[i]
		switch {
		case text && w.kind == String:
			if v.s == w.s {
				return true
			}
		case (v.kind == Time) != (w.kind == Time):
			if equal.between(readTime(v, s.coll), readTime(*w, s.coll), s.coll) == yes {
				return true
			}
		case equal.between(v, *w, s.coll) == yes:
			return true
		}
	}
	return false
}
