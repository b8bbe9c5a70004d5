package value

import "strings"

// A relation is a set of outcomes of a comparison.
type Comparison uint8

// The outcomes of a comparison of two values, which are sets of one.
const (
	Less Comparison = 1 << iota
	Equal
	Greater
)

// Holds reports whether the outcome, -1, 0 or 1, is in r.
func (r Comparison) Holds(outcome int) Truth { return Truth(r >> uint(outcome+1) & 1) }

// Mirrored is r with the sides exchanged.
func (r Comparison) Mirrored() Comparison { return r&Equal | r>>2&1 | r<<2&Greater }

// Between compares two values, neither of them NULL.
func (r Comparison) Between(a, b Value, coll Collation) Truth {
	if a.Kind == b.Kind {
		switch a.Kind {
		case Int, Time:
			return r.Holds(CompareInts(a.N, b.N))
		case String:
			if coll != Binary {
				break
			}
			if r == Equal {
				return TruthOf(a.S == b.S)
			}
			return r.Holds(strings.Compare(a.S, b.S))
		}
	}
	return r.Holds(Compare(a, b, coll))
}
