package value

import "strings"

// An Affinity is what a comparison may make of the other side's value, because of the column or
// CAST on this side.
type Affinity uint8

// The affinities.
const (
	AffNone Affinity = iota
	AffInteger
	AffReal
	AffText
	AffNumeric
	AffTime // recorded_at: text compared with it is parsed as a time
	AffBlob // of a column without a type and CAST AS BLOB: nothing is converted, not even beside a column of type TEXT
)

// AsNumber turns a text that is a number, and nothing else, into that number.
func AsNumber(v Value) Value {
	if v.Kind != String {
		return v
	}
	if p := NumericPrefix(v.S); p.whole {
		return p.Value()
	}
	return v
}

// AsText turns numbers into texts. A time remains one, beside which the text is read.
func AsText(v Value) Value {
	switch v.Kind {
	case Int, Float:
		return OfText(v.Text())
	}
	return v
}

// AsTime makes a time of a text that is compared with a time; texts that are no times are compared
// as texts.
func AsTime(v Value) Value {
	if v.Kind == String {
		if micros, ok := ParseTime(v.S); ok {
			return OfTime(micros)
		}
	}
	return v
}

// CommonAffinity is the affinity that a comparison applies to both sides.
func CommonAffinity(a, b Affinity) Affinity {
	switch {
	case a == AffNone:
		return b
	case b == AffNone:
		return a
	case a.Numeric() || b.Numeric():
		return AffNumeric
	}
	return AffNone
}

// Conversion returns what an affinity does to a value, nil for nothing.
func Conversion(a Affinity) func(Value) Value {
	switch {
	case a.Numeric():
		return AsNumber
	case a == AffText:
		return AsText
	case a == AffTime:
		return AsTime
	}
	return nil
}

// Numeric reports whether texts become numbers.
func (a Affinity) Numeric() bool { return a == AffInteger || a == AffReal || a == AffNumeric }

// BesideTime is what a value is beside a time: a text that holds a time is that time. Spaces at its
// end do not matter where the collation takes texts with and without them for the same.
func BesideTime(v Value, c Collation) Value {
	if v.Kind == String && c == Rtrim {
		v.S = strings.TrimRight(v.S, " ")
	}
	return AsTime(v)
}
