package query

// A Value is one SQL value while a statement runs.
type Value struct {
	kind Kind
	json bool    // a text that is known to be JSON (the result of ->, payload)
	n    int64   // Int; Time: microseconds since 1970 UTC
	f    float64 // Real
	s    string  // Text and Blob; never written to
}

// A Kind is the kind of a Value, in the order in which kinds compare: Null < Int, Real < Time? < Text < Blob.
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
