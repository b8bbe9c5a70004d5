package query

import (
	"database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/query/internal/value"
)

func TestToDriver(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)
	tests := []struct {
		v        value.Value
		typ      Type
		jsonText bool
		want     driver.Value
	}{
		{null, Integer, false, nil},
		{value.OfInt(1), Integer, false, int64(1)},
		{value.OfInt(1), Real, false, 1.0},
		{value.OfReal(1.5), Integer, false, 1.5},
		{value.OfText("x"), Text, false, "x"},
		{value.OfText("x"), Any, false, "x"},
		{value.OfJSON("{}"), JSON, false, []byte("{}")},
		{value.OfJSON("{}"), JSON, true, "{}"},
		{value.OfJSON("{}"), Text, false, "{}"},
		{value.OfBlob("x"), JSON, true, []byte("x")},
		{value.OfBlob("x"), Blob, false, []byte("x")},
		{value.OfTime(at.UnixMicro()), Timestamp, false, at},
		{value.OfTime(at.UnixMicro()), Any, false, at},
		{value.OfTime(at.UnixMicro()), Text, false, "2026-01-02T03:04:05.123456Z"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, toDriver(tt.v, tt.typ, tt.jsonText), "%v as %v", tt.v, tt.typ)
	}
}
