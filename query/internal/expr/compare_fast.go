package expr

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The ways of comparing with a known number, a known text and a parameter, which is what most
// conditions do. BenchmarkCompare holds them: they take half of the time that relateAny takes.

// relateInt compares with a known integer.
func relateInt(
	rel value.Comparison, left func(*Env) value.Value, b value.Value, pos parser.Pos,
) func(*Env) value.Truth {
	return func(e *Env) value.Truth {
		a := left(e)
		switch a.Kind {
		case value.Int:
			return rel.Holds(value.CompareInts(a.N, b.N))
		case value.Null:
			return value.Unknown
		case value.Time:
			return compareTimes(e, rel, a, b, value.Binary, pos)
		}
		return rel.Holds(value.Compare(a, b, value.Binary))
	}
}

// equalText compares with a known text, byte by byte.
func equalText(left func(*Env) value.Value, s string) func(*Env) value.Truth {
	asTime := value.AsTime(value.OfText(s))
	return func(e *Env) value.Truth {
		a := left(e)
		switch a.Kind {
		case value.String:
			return value.TruthOf(a.S == s)
		case value.Null:
			return value.Unknown
		case value.Time:
			return value.TruthOf(a == asTime)
		}
		return value.No
	}
}

// relateParam looks at the argument in its place: integers and texts are compared there. The right
// side's conversion may be left out: two texts of which the left one has been converted and is
// still a text are equal only as texts.
func relateParam(rel value.Comparison, l, r *Expr, coll value.Collation) func(*Env) value.Truth {
	left, i := l.Eval, r.param-1
	others := relateAny(rel, left, r.Eval, coll, r.Pos)
	texts := coll == value.Binary && rel == value.Equal
	return func(e *Env) value.Truth {
		if uint(i) < uint(len(e.Args)) {
			switch b := &e.Args[i].Value; {
			case b.Kind == value.Int:
				if a := left(e); a.Kind == value.Int {
					return rel.Holds(value.CompareInts(a.N, b.N))
				}
			case b.Kind == value.String && texts:
				if a := left(e); a.Kind == value.String {
					return value.TruthOf(a.S == b.S)
				}
			}
		}
		return others(e)
	}
}
