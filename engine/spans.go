package engine

import (
	"cmp"
	"slices"
)

// A Span is the positions from From up to, but without, To.
type Span struct{ From, To Position }

// Spans is a set of positions: spans in ascending order that are not empty and do not touch. The
// zero value is the empty set.
type Spans []Span

// Has reports whether the set has p.
func (s Spans) Has(p Position) bool {
	i := s.search(p)
	return i < len(s) && s[i].From <= p
}

// search returns the place of the first span that ends behind p.
func (s Spans) search(p Position) int {
	i, _ := slices.BinarySearchFunc(s, p, func(x Span, p Position) int { return cmp.Compare(x.To, p+1) })
	return i
}

// Count returns the number of positions.
func (s Spans) Count() (n int64) {
	for _, x := range s {
		n += int64(x.To - x.From)
	}
	return n
}

// Add adds the span, which must not begin before the last one does.
func (s *Spans) Add(x Span) {
	if x.From >= x.To {
		return
	}
	if n := len(*s); n > 0 && x.From <= (*s)[n-1].To {
		(*s)[n-1].To = max((*s)[n-1].To, x.To)
		return
	}
	*s = append(*s, x)
}

// Union returns the positions that are in s or in t. It may share memory with one of them.
func (s Spans) Union(t Spans) Spans {
	if len(s) == 0 {
		return t
	}
	if len(t) == 0 {
		return s
	}
	both := make(Spans, 0, len(s)+len(t))
	for len(s) > 0 || len(t) > 0 {
		if len(t) == 0 || len(s) > 0 && s[0].From <= t[0].From {
			both.Add(s[0])
			s = s[1:]
			continue
		}
		both.Add(t[0])
		t = t[1:]
	}
	return both
}

// Within returns the part of the set that lies in the span. It may share memory with s.
func (s Spans) Within(x Span) Spans {
	var part Spans
	for _, y := range s[s.search(x.From):] {
		if y.From >= x.To {
			break
		}
		part.Add(Span{max(y.From, x.From), min(y.To, x.To)})
	}
	return part
}

// Valid reports whether s is as Spans says, with positions from 0 up to, but without, head.
func (s Spans) Valid(head Position) bool {
	end := Position(-1)
	for _, x := range s {
		if x.From <= end || x.From >= x.To || x.To > head {
			return false
		}
		end = x.To
	}
	return true
}
