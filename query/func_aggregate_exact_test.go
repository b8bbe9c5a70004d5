package query

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// exactAggregates are those that are the same in whichever order and parts their rows come.
var exactAggregates = []string{
	"sum", "total", "avg", "var_pop", "var_samp", "variance", "stddev", "stddev_pop", "stddev_samp",
}

// TestSumsDoNotDependOnTheOrderNorOnParts: every digit is the same, also of numbers that cancel each
// other out, and where the sum of some of them would be too large.
func TestSumsDoNotDependOnTheOrderNorOnParts(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 7))
	kinds := []func() value.Value{
		func() value.Value { return value.OfInt(int64(r.Uint64()) >> r.IntN(64)) },
		func() value.Value { return value.OfReal(float64(r.IntN(100000)) / 100) },
		func() value.Value { return value.OfReal(math.Ldexp(r.Float64()-0.5, r.IntN(2000)-1000)) },
		func() value.Value { return value.OfText(fmt.Sprint(r.IntN(50), "e", r.IntN(40)-20)) },
		func() value.Value {
			return []value.Value{value.OfInt(math.MaxInt64), value.OfInt(math.MinInt64)}[r.IntN(2)]
		},
	}
	for range 200 {
		some := kinds[:1+r.IntN(len(kinds))]
		list := make([]value.Value, 1+r.IntN(30))
		for i := range list {
			list[i] = some[r.IntN(len(some))]()
		}
		for _, name := range exactAggregates {
			c := &aggregateCall{name: name, def: aggregates[name]}
			want, wantErr := inParts(t, c, list, []int{len(list)})
			for range 3 {
				r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				got, err := inParts(t, c, list, []int{r.IntN(len(list) + 1), r.IntN(len(list) + 1), len(list)})
				require.Equal(t, wantErr, err, "%s of %v", name, list)
				require.Equal(t, want, got, "%s of %v", name, list)
			}
		}
	}
}

// inParts aggregates the values up to each of the ends, and merges that.
func inParts(t *testing.T, c *aggregateCall, list []value.Value, ends []int) (value.Value, error) {
	t.Helper()
	keep := newKeeper(&budget{limit: 1 << 30}, "GROUP BY")
	var all aggState
	at := 0
	for _, end := range ends {
		var part aggState
		for ; at < end; at++ {
			require.NoError(t, c.take(&part, keep, list[at:at+1]))
		}
		require.Equal(t, keep.taken, part.size())
		keep.release()
		require.NoError(t, c.def.merge(&all, &part, c))
	}
	v, err := c.def.final(&all, c, (*expr.Env)(nil))
	return v, err
}

// TestASumOfIntegersOverflowsOnlyIfItDoesNotFit, not if the sum of some of them would not.
func TestASumOfIntegersOverflowsOnlyIfItDoesNotFit(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	most := "9223372036854775807"
	for list, want := range map[string]string{
		"(" + most + "), (1), (-1)":                       most,
		"(1), (" + most + "), (-5), (4)":                  most,
		"(" + most + "), (" + most + "), (-" + most + ")": most,
		"(" + most + "), (" + most + "), (0.0)":           "1.8446744073709552e+19",
	} {
		assert.Equal(t, []string{"", want}, sortedRows(t, s, "SELECT SUM(column1) FROM (VALUES "+list+")"), list)
	}
	_, err := runText(t.Context(), s, "SELECT SUM(column1) FROM (VALUES ("+most+"), (1))", nil)
	assert.ErrorContains(t, err, "integer overflow in SUM")
	assert.Equal(t, []string{"", "9.2233720368547758e+18 | 4.6116860184273879e+18"},
		sortedRows(t, s, "SELECT TOTAL(column1), AVG(column1) FROM (VALUES ("+most+"), (1))"))
}

// TestAMaterializedViewHasEveryDigitOfItsDefinition, however many parts its groups were made of, and
// read from the file beside the log.
func TestAMaterializedViewHasEveryDigitOfItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 8))
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	var calls []string
	for _, name := range exactAggregates {
		calls = append(calls, fmt.Sprintf("%s(payload->>'$.x') AS %s", name, name))
	}
	definition := "SELECT type, " + strings.Join(calls, ", ") + " FROM $all WHERE type IN ('a', 'b') GROUP BY type"
	mustRun(t, s, "CREATE MATERIALIZED VIEW m AS "+definition)
	for step := range 40 {
		for range 1 + r.IntN(4) {
			x := math.Ldexp(r.Float64()-0.5, r.IntN(120)-60)
			mustRun(t, s, fmt.Sprintf(`INSERT INTO s (type, payload) VALUES ('%c', '{"x": %v}')`, 'a'+r.IntN(2), x))
		}
		if step%10 == 9 {
			keepNow(t, s)
			forgetViews(s)
		}
		require.Equal(t, sortedRows(t, s, definition), sortedRows(t, s, "SELECT * FROM views.m"), "step %d", step)
	}
}
