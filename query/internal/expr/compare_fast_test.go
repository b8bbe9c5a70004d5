package expr

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// TestComparingWithAKnownValueIsComparing: the ways of their own that a number, a text and a
// parameter have give what the way that all others go gives.
func TestComparingWithAKnownValueIsComparing(t *testing.T) {
	values := []value.Value{
		null, value.OfInt(-1), value.OfInt(0), value.OfInt(7), value.OfReal(0), value.OfReal(6.5), value.OfReal(7),
		value.OfText(""), value.OfText("7"), value.OfText("a"), value.OfText("A"), value.OfText("a "),
		value.OfText("1970-01-01T00:00:00.000007Z"), value.OfBlob("a"), value.OfBlob("7"), value.OfTime(7),
	}
	for op, rel := range relations {
		for _, coll := range []value.Collation{value.Binary, value.Nocase, value.Rtrim} {
			for _, a := range values {
				for _, b := range values {
					compareBothWays(t, op, rel, a, b, coll)
				}
			}
		}
	}
}

func compareBothWays(t *testing.T, op parser.Op, rel value.Comparison, a, b value.Value, coll value.Collation) {
	left, right := fixed(a, 1), fixed(b, 2)
	known := *right
	known.fixed = false
	plain := relateAny(rel, left.Eval, known.Eval, coll, known.Pos)
	param := Expr{Eval: known.Eval, param: 1, Pos: 2}
	for _, fast := range []func(*Env) value.Truth{relate(rel, left, right, coll), relate(rel, left, &param, coll)} {
		one, two := NewEnv(Env{Ctx: context.Background()}), NewEnv(Env{Ctx: context.Background()})
		one.Args = []Argument{{Value: b}}
		got, want := fast(one), plain(two)
		require.Equal(t, two.Err, one.Err, "%v %v %v", a, op, b)
		if two.Err == nil {
			require.Equal(t, want, got, "%v %v %v with %v", a, op, b, coll)
		}
	}
}
