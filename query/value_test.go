package query

import (
	"bytes"
	"database/sql/driver"
	"math"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFromDriver(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 1999, time.FixedZone("", 7200))
	tests := []struct {
		in   driver.Value
		want Value
	}{
		{nil, null},
		{int64(-3), intValue(-3)},
		{2.5, realValue(2.5)},
		{math.NaN(), null},
		{true, Value{kind: Int, n: 1, flag: true}},
		{false, Value{kind: Int, flag: true}},
		{"x", textValue("x")},
		{[]byte("x"), blobValue("x")},
		{[]byte{}, blobValue("")},
		{[]byte(nil), null},
		{noon, timeValue(time.Date(2026, 1, 2, 10, 0, 0, 1000, time.UTC).UnixMicro())},
	}
	for _, tt := range tests {
		got, err := fromDriver(tt.in, bytesKeeper{})
		require.NoError(t, err)
		assert.Equal(t, tt.want, got, "%#v", tt.in)
	}
	for _, bad := range []driver.Value{int32(1), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err := fromDriver(bad, bytesKeeper{})
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, BadArgument, e.Kind)
	}
	b := []byte("mine")
	v, err := fromDriver(b, bytesKeeper{})
	require.NoError(t, err)
	b[0] = 'X'
	assert.Equal(t, "mine", v.s, "the argument is copied")
}

func TestToDriver(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)
	tests := []struct {
		v        Value
		typ      Type
		jsonText bool
		want     driver.Value
	}{
		{null, Integer, false, nil},
		{intValue(1), Integer, false, int64(1)},
		{intValue(1), Real, false, 1.0},
		{realValue(1.5), Integer, false, 1.5},
		{textValue("x"), Text, false, "x"},
		{textValue("x"), Any, false, "x"},
		{jsonValue("{}"), JSON, false, []byte("{}")},
		{jsonValue("{}"), JSON, true, "{}"},
		{jsonValue("{}"), Text, false, "{}"},
		{blobValue("x"), JSON, true, []byte("x")},
		{blobValue("x"), Blob, false, []byte("x")},
		{timeValue(at.UnixMicro()), Timestamp, false, at},
		{timeValue(at.UnixMicro()), Any, false, at},
		{timeValue(at.UnixMicro()), Text, false, "2026-01-02T03:04:05.123456Z"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, toDriver(tt.v, tt.typ, tt.jsonText), "%v as %v", tt.v, tt.typ)
	}
}

// someValues are values near each other's borders, in the order of ORDER BY. Those in one group are equal.
var someValues = [][]Value{
	{null},
	{realValue(math.Inf(-1))},
	{realValue(-1e300)},
	{intValue(math.MinInt64), realValue(-9223372036854775808)},
	{intValue(-1), realValue(-1)},
	{realValue(-0.5)},
	{intValue(0), realValue(0), realValue(math.Copysign(0, -1))},
	{realValue(5e-324)},
	{intValue(1), realValue(1)},
	{realValue(1.5)},
	{intValue(1 << 53), realValue(1 << 53)},
	{intValue(1<<53 + 1)},
	{intValue(math.MaxInt64)},
	{realValue(9223372036854775808)},
	{realValue(math.Inf(1))},
	{textValue("")},
	{textValue("1")},
	{textValue("1969-12-31T23:59:59.999999Z"), timeValue(-1)},
	{textValue("2026-01-02")},
	{textValue("2026-01-02T03:04:05.123456Z"), timeValue(time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC).UnixMicro())},
	{textValue("2026-02-30T03:04:05.123456Z")}, // looks like a time and is none
	{textValue("A")},
	{textValue("a")},
	{textValue("a\x00")},
	{textValue("ab")},
	{textValue("é")},
	{blobValue("")},
	{blobValue("1")},
	{blobValue("a")},
}

func TestCompareValues(t *testing.T) {
	for i, group := range someValues {
		for _, v := range group {
			for j, other := range someValues {
				for _, w := range other {
					assert.Equal(t, compareInts(int64(i), int64(j)), compareValues(v, w, collBinary), "%v %v", v, w)
				}
			}
		}
	}
	assert.Zero(t, compareValues(textValue("aBc"), textValue("AbC"), collNocase))
	assert.Equal(t, -1, compareValues(textValue("ab"), textValue("ABC"), collNocase))
	assert.Equal(t, 1, compareValues(textValue("b"), textValue("Abc"), collNocase))
	assert.Equal(t, 1, compareValues(blobValue("a"), blobValue("A"), collNocase), "blobs have no case")
}

// Values have the same key exactly if they are equal, and keys put together tell where one ends.
func TestKeys(t *testing.T) {
	for i, group := range someValues {
		for _, v := range group {
			for j, other := range someValues {
				for _, w := range other {
					a, b := appendKey(nil, v, collBinary), appendKey(nil, w, collBinary)
					assert.Equal(t, i == j, bytes.Equal(a, b), "%v %v", v, w)
				}
			}
		}
	}
	assert.Equal(t, appendKey(nil, textValue("aB"), collNocase), appendKey(nil, textValue("Ab"), collNocase))
	r := rand.New(rand.NewSource(1))
	seen := make(map[string][]int)
	for range 20000 {
		var key []byte
		var row []int
		for range r.Intn(4) {
			i := r.Intn(len(someValues))
			row = append(row, i)
			key = appendKey(key, someValues[i][r.Intn(len(someValues[i]))], collBinary)
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
		coll := collation(r.Intn(2))
		require.Equal(t, -compareValues(b, a, coll), compareValues(a, b, coll), "%v %v", a, b)
		if compareValues(a, b, coll) <= 0 && compareValues(b, c, coll) <= 0 {
			require.LessOrEqual(t, compareValues(a, c, coll), 0, "%v %v %v", a, b, c)
		}
	}
}
