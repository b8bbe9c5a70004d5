package jsonpath

import (
	"math"

	"github.com/eventfold/eventfold/query/internal/value"
)

// Number returns a number as JSON. JSON has no infinities; they are written as a number that is
// read as one.
func Number(v value.Value) string {
	if v.Kind == value.Float && math.IsInf(v.F, 0) {
		if v.F < 0 {
			return "-9.0e+999"
		}
		return "9.0e+999"
	}
	return v.Text()
}

// AppendValue appends a value as json_array and json_object take it: what is JSON stands as it is,
// texts are quoted.
func AppendValue(dst []byte, v value.Value) ([]byte, bool) {
	switch {
	case v.Kind == value.Null:
		return append(dst, "null"...), true
	case v.Kind == value.Int || v.Kind == value.Float:
		return append(dst, Number(v)...), true
	case v.JSON:
		return append(dst, Compact(v.S)...), true
	case v.Kind == value.Bytes:
		return dst, false
	}
	return AppendQuoted(dst, v.Text()), true
}
