package jsonpath

import (
	"slices"

	"github.com/eventfold/eventfold/query/internal/value"
)

// Many reports whether p has a [*] in it: it may lead to several values, which Each gives, and Extract
// does not.
func (p *Path) Many() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.kind == stepAll })
}

// Each calls f for all values that p leads to, in the order of the document, until it returns false.
// What is no array has no elements.
func (p *Path) Each(m *value.Meter, doc string, f func(Raw) bool) {
	each(m, doc, SkipBlanks(doc, 0), p.Steps, f)
}

// each goes on from the value at i. It is false if the rest is not wanted.
func each(m *value.Meter, doc string, i int, steps []Step, f func(Raw) bool) bool {
	for s := range steps {
		if steps[s].kind == stepAll {
			return eachElement(m, doc, i, steps[s+1:], f)
		}
		to := steps[s].find(doc, i)
		if to < 0 {
			return m.Effort(1)
		}
		if !m.Effort(to - i) {
			return false
		}
		i = to
	}
	end := ValueEnd(doc, i)
	return end < 0 || m.Effort(end-i) && f(Raw(doc[i:end]))
}

func eachElement(m *value.Meter, doc string, i int, steps []Step, f func(Raw) bool) bool {
	for at := FindElement(doc, i, 0); at >= 0; {
		if !each(m, doc, at, steps, f) {
			return false
		}
		next := NextItem(doc, at)
		if next < 0 {
			break
		}
		if !m.Effort(next - at) {
			return false
		}
		at = next
	}
	return true
}

// Keys is a JSON array of the keys of an object, as they stand; of anything else it is empty, and of
// nothing NULL.
func (r Raw) Keys() value.Value {
	if r == "" {
		return value.Value{}
	}
	doc, b := string(r), []byte{'['}
	if doc[0] == '{' {
		for i := SkipBlanks(doc, 1); i >= 0 && i < len(doc) && doc[i] == '"'; {
			end, _ := KeyEnd(doc, i+1)
			if end < 0 {
				break
			}
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = append(b, doc[i:end]...)
			if i = AfterColon(doc, end); i >= 0 {
				i = NextItem(doc, i)
			}
		}
	}
	return value.OfJSON(value.StringOf(append(b, ']')))
}
