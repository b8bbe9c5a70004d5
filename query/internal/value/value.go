// Package value has the values that SQL computes with, and what can be done with them without
// knowing a statement: numbers and their texts, the order of values and the keys by which equal
// ones are found, affinities and collations, times and intervals, LIKE, GLOB and printf. Its rules
// are SQLite's, but for times, which SQLite does not have.
package value

import (
	"math"
	"time"
)

// A Value is one SQL value while a statement runs. The zero Value is NULL.
type Value struct {
	Kind Kind
	JSON bool    // a text that is known to be JSON (the result of ->, payload)
	Flag bool    // an Int that is a bool in Go, which is true or false where JSON is stored
	N    int64   // Int; Time: microseconds since 1970 UTC
	F    float64 // Float; never a NaN
	S    string  // String and Bytes; never written to
}

// A Kind is the kind of a Value, in the order in which kinds compare: Null < Int and Float < Time
// and String < Bytes.
type Kind uint8

// The kinds of value. A Time is recorded_at or a value derived from it; in text context it is
// 2026-01-02T03:04:05.123456Z.
const (
	Null Kind = iota
	Int
	Float
	Time
	String
	Bytes
)

// null is SQL's NULL.
var null = Value{}

// OfInt is an integer.
func OfInt(n int64) Value { return Value{Kind: Int, N: n} }

// OfText is a text.
func OfText(s string) Value { return Value{Kind: String, S: s} }

// OfBlob is a blob, whose bytes s holds.
func OfBlob(s string) Value { return Value{Kind: Bytes, S: s} }

// OfJSON is a text that is known to be JSON.
func OfJSON(s string) Value { return Value{Kind: String, JSON: true, S: s} }

// OfTime is a point in time, in microseconds since 1970 UTC.
func OfTime(micros int64) Value { return Value{Kind: Time, N: micros} }

// OfReal is a number with a fraction. SQL has no NaN: it becomes NULL.
func OfReal(f float64) Value {
	if f != f {
		return null
	}
	return Value{Kind: Float, F: f}
}

// OfBool is 1 or 0.
func OfBool(b bool) Value {
	if b {
		return Value{Kind: Int, N: 1}
	}
	return Value{Kind: Int}
}

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.Kind == Null }

// Text returns v as CAST(v AS TEXT) would, "" for NULL.
func (v Value) Text() string {
	switch v.Kind {
	case Int:
		return formatInt(v.N)
	case Float:
		return FormatReal(v.F)
	case Time:
		return FormatTime(v.N)
	}
	return v.S
}

// TypeName returns what typeof(v) is. A Time is a text to everyone who asks.
func (v Value) TypeName() string {
	return [...]string{
		Null: "null", Int: "integer", Float: "real", Time: "text", String: "text", Bytes: "blob",
	}[v.Kind]
}

// UnixMicro returns t in microseconds since 1970; ok is false where its text would not have four
// digits for the year.
func UnixMicro(t time.Time) (micros int64, ok bool) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return 0, false
	}
	return t.UnixMicro(), true
}

// IsInt returns f as an integer if it is one and fits.
func IsInt(f float64) (int64, bool) {
	if f >= -9223372036854775808.0 && f < 9223372036854775808.0 && f == math.Trunc(f) {
		return int64(f), true
	}
	return 0, false
}

// Real returns a number as a float64.
func (v Value) Real() float64 {
	if v.Kind == Int {
		return float64(v.N)
	}
	return v.F
}

// AppendText appends v's text.
func AppendText(dst []byte, v Value) []byte {
	switch v.Kind {
	case String, Bytes:
		return append(dst, v.S...)
	case Float:
		return appendReal(dst, v.F)
	}
	return append(dst, v.Text()...)
}

// class is the place of a kind in the order of kinds.
func (k Kind) class() uint8 {
	return [...]uint8{Null: 0, Int: 1, Float: 1, Time: 2, String: 2, Bytes: 3}[k]
}

// IsNumber reports whether values of the kind are numbers.
func (k Kind) IsNumber() bool { return k == Int || k == Float }
