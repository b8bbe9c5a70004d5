package query

import (
	"database/sql/driver"
	"fmt"
	"math"
	"time"
)

// A Value is one SQL value while a statement runs. The zero Value is NULL.
type Value struct {
	kind Kind
	json bool    // a text that is known to be JSON (the result of ->, payload)
	flag bool    // an Int that is a bool in Go, which is true or false where JSON is stored
	n    int64   // Int; Time: microseconds since 1970 UTC
	f    float64 // Float; never a NaN
	s    string  // String and Bytes; never written to
}

// A Kind is the kind of a Value, in the order in which kinds compare: Null < Int and Float < Time and String < Bytes.
type Kind uint8

// The kinds of value. A Time is recorded_at or a value derived from it; in text context it is 2026-01-02T03:04:05.123456Z.
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

func intValue(n int64) Value   { return Value{kind: Int, n: n} }
func textValue(s string) Value { return Value{kind: String, s: s} }
func blobValue(s string) Value { return Value{kind: Bytes, s: s} }
func jsonValue(s string) Value { return Value{kind: String, json: true, s: s} }

// timeValue is a point in time, in microseconds since 1970 UTC.
func timeValue(micros int64) Value { return Value{kind: Time, n: micros} }

// realValue is a number with a fraction. SQL has no NaN: it becomes NULL.
func realValue(f float64) Value {
	if f != f {
		return null
	}
	return Value{kind: Float, f: f}
}

func boolValue(b bool) Value {
	if b {
		return Value{kind: Int, n: 1}
	}
	return Value{kind: Int}
}

// isNull reports whether v is NULL.
func (v Value) isNull() bool { return v.kind == Null }

// text returns v as CAST(v AS TEXT) would, "" for NULL.
func (v Value) text() string {
	switch v.kind {
	case Int:
		return formatInt(v.n)
	case Float:
		return formatReal(v.f)
	case Time:
		return formatTime(v.n)
	}
	return v.s
}

// typeName returns what typeof(v) is. A Time is a text to everyone who asks.
func (v Value) typeName() string {
	return [...]string{Null: "null", Int: "integer", Float: "real", Time: "text", String: "text", Bytes: "blob"}[v.kind]
}

// staticType returns the Type of a value that is known.
func (v Value) staticType() Type {
	if v.json {
		return JSON
	}
	return [...]Type{Null: Any, Int: Integer, Float: Real, Time: Timestamp, String: Text, Bytes: Blob}[v.kind]
}

// fromDriver turns an argument into a Value. Times are cut to microseconds; a nil []byte is NULL, as database/sql hands
// over a nil json.RawMessage.
func fromDriver(v driver.Value, keep bytesKeeper) (Value, error) {
	switch v := v.(type) {
	case nil:
		return null, nil
	case int64:
		return intValue(v), nil
	case float64:
		return realValue(v), nil
	case bool:
		truth := boolValue(v)
		truth.flag = true
		return truth, nil
	case string:
		return textValue(v), nil
	case []byte:
		if v == nil {
			return null, nil
		}
		return blobValue(keep.text(v)), nil
	case time.Time:
		micros, ok := unixMicro(v)
		if !ok {
			return null, &Error{Kind: BadArgument, Pos: -1, Msg: "the time " + v.String() + " is outside of the years 0000 to 9999"}
		}
		return timeValue(micros), nil
	}
	return null, &Error{Kind: BadArgument, Pos: -1, Msg: fmt.Sprintf("an argument cannot be a %T", v)}
}

// toDriver turns v, a value of a column of type t, into what database/sql takes. JSON texts are []byte, or string if
// jsonText says so. The []byte it returns is the caller's.
func toDriver(v Value, t Type, jsonText bool) driver.Value {
	switch v.kind {
	case Int:
		if t == Real {
			return float64(v.n)
		}
		return v.n
	case Float:
		return v.f
	case Time:
		if t == Text {
			return formatTime(v.n)
		}
		return time.UnixMicro(v.n).UTC()
	case String:
		if t == Blob || t == JSON && !jsonText {
			return []byte(v.s)
		}
		return v.s
	case Bytes:
		return []byte(v.s)
	}
	return nil
}

// unixMicro returns t in microseconds since 1970; ok is false where its text would not have four digits for the year.
func unixMicro(t time.Time) (micros int64, ok bool) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return 0, false
	}
	return t.UnixMicro(), true
}

// isInt returns f as an integer if it is one and fits.
func isInt(f float64) (int64, bool) {
	if f >= -9223372036854775808.0 && f < 9223372036854775808.0 && f == math.Trunc(f) {
		return int64(f), true
	}
	return 0, false
}
