package query

import (
	"database/sql/driver"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/value"
)

func TestFromDriver(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 1999, time.FixedZone("", 7200))
	tests := []struct {
		in   driver.Value
		want value.Value
	}{
		{nil, null},
		{int64(-3), value.OfInt(-3)},
		{2.5, value.OfReal(2.5)},
		{math.NaN(), null},
		{true, value.Value{Kind: value.Int, N: 1, Flag: true}},
		{false, value.Value{Kind: value.Int, Flag: true}},
		{"x", value.OfText("x")},
		{[]byte("x"), value.OfBlob("x")},
		{[]byte{}, value.OfBlob("")},
		{[]byte(nil), null},
		{noon, value.OfTime(time.Date(2026, 1, 2, 10, 0, 0, 1000, time.UTC).UnixMicro())},
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
	assert.Equal(t, "mine", v.S, "the argument is copied")
}
