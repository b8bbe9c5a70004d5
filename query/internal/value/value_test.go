package value

import (
	"bytes"
	"math"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// someValues are values near each other's borders, in the order of ORDER BY. Those in one group are
// equal.
var someValues = [][]Value{
	{null},
	{OfReal(math.Inf(-1))},
	{OfReal(-1e300)},
	{OfInt(math.MinInt64), OfReal(-9223372036854775808)},
	{OfInt(-1), OfReal(-1)},
	{OfReal(-0.5)},
	{OfInt(0), OfReal(0), OfReal(math.Copysign(0, -1))},
	{OfReal(5e-324)},
	{OfInt(1), OfReal(1)},
	{OfReal(1.5)},
	{OfInt(1 << 53), OfReal(1 << 53)},
	{OfInt(1<<53 + 1)},
	{OfInt(math.MaxInt64)},
	{OfReal(9223372036854775808)},
	{OfReal(math.Inf(1))},
	{OfText("")},
	{OfText("1")},
	{OfText("1969-12-31T23:59:59.999999Z"), OfTime(-1)},
	{OfText("2026-01-02")},
	{OfText("2026-01-02T03:04:05.123456Z"), OfTime(time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC).UnixMicro())},
	{OfText("2026-02-30T03:04:05.123456Z")}, // looks like a time and is none
	{OfText("A")},
	{OfText("a")},
	{OfText("a\x00")},
	{OfText("ab")},
	{OfText("é")},
	{OfBlob("")},
	{OfBlob("1")},
	{OfBlob("a")},
}

func TestCompareValues(t *testing.T) {
	for i, group := range someValues {
		for _, v := range group {
			for j, other := range someValues {
				for _, w := range other {
					assert.Equal(t, CompareInts(int64(i), int64(j)), Compare(v, w, Binary), "%v %v", v, w)
				}
			}
		}
	}
	assert.Zero(t, Compare(OfText("aBc"), OfText("AbC"), Nocase))
	assert.Equal(t, -1, Compare(OfText("ab"), OfText("ABC"), Nocase))
	assert.Equal(t, 1, Compare(OfText("b"), OfText("Abc"), Nocase))
	assert.Equal(t, 1, Compare(OfBlob("a"), OfBlob("A"), Nocase), "blobs have no case")
}

// Values have the same key exactly if they are equal, and keys put together tell where one ends.
func TestKeys(t *testing.T) {
	for i, group := range someValues {
		for _, v := range group {
			for j, other := range someValues {
				for _, w := range other {
					a, b := AppendKey(nil, v, Binary), AppendKey(nil, w, Binary)
					assert.Equal(t, i == j, bytes.Equal(a, b), "%v %v", v, w)
				}
			}
		}
	}
	assert.Equal(t, AppendKey(nil, OfText("aB"), Nocase), AppendKey(nil, OfText("Ab"), Nocase))
	r := rand.New(rand.NewSource(1))
	seen := make(map[string][]int)
	for range 20000 {
		var key []byte
		var row []int
		for range r.Intn(4) {
			i := r.Intn(len(someValues))
			row = append(row, i)
			key = AppendKey(key, someValues[i][r.Intn(len(someValues[i]))], Binary)
		}
		if before, ok := seen[string(key)]; ok && !slices.Equal(before, row) {
			t.Fatalf("%v and %v have the same key", before, row)
		}
		seen[string(key)] = row
	}
}

// The order of values is an order: random triples obey it, in both collations.
func TestOrderIsTransitive(t *testing.T) {
	var all []Value
	for _, group := range someValues {
		all = append(all, group...)
	}
	r := rand.New(rand.NewSource(2))
	for range 20000 {
		a, b, c := all[r.Intn(len(all))], all[r.Intn(len(all))], all[r.Intn(len(all))]
		coll := Collation(r.Intn(2))
		require.Equal(t, -Compare(b, a, coll), Compare(a, b, coll), "%v %v", a, b)
		if Compare(a, b, coll) <= 0 && Compare(b, c, coll) <= 0 {
			require.LessOrEqual(t, Compare(a, c, coll), 0, "%v %v %v", a, b, c)
		}
	}
}
