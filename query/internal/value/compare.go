package value

import (
	"strings"
)

// Compare orders two values as ORDER BY does: NULL < numbers < texts < blobs, -1, 0 or 1. Times
// among themselves are ordered by time, beside anything else they are the texts that they are read
// as.
func Compare(a, b Value, c Collation) int {
	if a.Kind == b.Kind {
		switch a.Kind {
		case Int, Time:
			return CompareInts(a.N, b.N)
		case Float:
			return CompareFloats(a.F, b.F)
		case String:
			return compareTexts(a.S, b.S, c)
		case Bytes:
			return strings.Compare(a.S, b.S)
		}
		return 0
	}
	if ca, cb := a.Kind.class(), b.Kind.class(); ca != cb {
		return CompareInts(int64(ca), int64(cb))
	}
	switch {
	case a.Kind == Int: // and b is a Float
		return compareIntFloat(a.N, b.F)
	case b.Kind == Int:
		return -compareIntFloat(b.N, a.F)
	}
	return compareTexts(a.Text(), b.Text(), c) // a Time and a text
}

// CompareInts returns -1, 0 or 1.
func CompareInts(a, b int64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// CompareFloats returns -1, 0 or 1. Neither is a NaN.
func CompareFloats(a, b float64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// compareIntFloat is exact, also where an int64 has more digits than a float64.
func compareIntFloat(n int64, f float64) int {
	if f < -9223372036854775808.0 {
		return 1
	}
	if f >= 9223372036854775808.0 {
		return -1
	}
	whole := int64(f)
	if n != whole {
		return CompareInts(n, whole)
	}
	return CompareFloats(float64(n), f)
}
