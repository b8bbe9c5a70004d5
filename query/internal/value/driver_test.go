package value

import (
	"database/sql/driver"
	"math"
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
		{int64(-3), OfInt(-3)},
		{2.5, OfReal(2.5)},
		{math.NaN(), null},
		{true, Value{Kind: Int, N: 1, Flag: true}},
		{false, Value{Kind: Int, Flag: true}},
		{"x", OfText("x")},
		{[]byte("x"), OfBlob("x")},
		{[]byte{}, OfBlob("")},
		{[]byte(nil), null},
		{noon, OfTime(time.Date(2026, 1, 2, 10, 0, 0, 1000, time.UTC).UnixMicro())},
	}
	for _, tt := range tests {
		got, err := FromDriver(tt.in, copied)
		require.NoError(t, err)
		assert.Equal(t, tt.want, got, "%#v", tt.in)
	}
	for _, bad := range []driver.Value{int32(1), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err := FromDriver(bad, copied)
		assert.Error(t, err)
	}
	b := []byte("mine")
	v, err := FromDriver(b, copied)
	require.NoError(t, err)
	b[0] = 'X'
	assert.Equal(t, "mine", v.S, "the argument is copied")
}

func copied(b []byte) string { return string(b) }
