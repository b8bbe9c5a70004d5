package value

import (
	"strings"
)

// A Collation is how texts are compared.
type Collation uint8

// The collations. Nocase folds the letters A to Z only.
const (
	Binary Collation = iota
	Nocase
	Rtrim // blanks at the end do not count
)

func compareTexts(a, b string, c Collation) int {
	switch c {
	case Nocase:
		return compareNocase(a, b)
	case Rtrim:
		return strings.Compare(strings.TrimRight(a, " "), strings.TrimRight(b, " "))
	}
	return strings.Compare(a, b)
}

// compareNocase folds the letters A to Z only.
func compareNocase(a, b string) int {
	n := min(len(a), len(b))
	for i := 0; i < n; i++ {
		if x, y := LowerTable[a[i]], LowerTable[b[i]]; x != y {
			return CompareInts(int64(x), int64(y))
		}
	}
	return CompareInts(int64(len(a)), int64(len(b)))
}

// Collations are the collations by name.
var Collations = map[string]Collation{"BINARY": Binary, "NOCASE": Nocase, "RTRIM": Rtrim}
