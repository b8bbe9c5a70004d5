package value

// LowerTable folds the letters A to Z and nothing else.
var LowerTable = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			t[i] = byte(i) + 'a' - 'A'
		}
	}
	return t
}()

// UpperTable makes capitals of the letters a to z and changes nothing else.
var UpperTable = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'a' && i <= 'z' {
			t[i] = byte(i) - 'a' + 'A'
		}
	}
	return t
}()

// Lower folds the letters A to Z of a text. It does not allocate where nothing changes.
func Lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return MapBytes(s, &LowerTable)
		}
	}
	return s
}

// MapBytes replaces each byte by the table's.
func MapBytes(s string, table *[256]byte) string {
	b := make([]byte, len(s))
	for i := range b {
		b[i] = table[s[i]]
	}
	return string(b)
}

// IsDigit reports whether c is one of 0 to 9.
func IsDigit(c byte) bool { return c >= '0' && c <= '9' }

// HexDigit returns the value of a hexadecimal digit, -1 for anything else.
func HexDigit(c byte) int {
	switch {
	case IsDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// DigitsEnd returns where the digits that begin at i end, i if there are none.
func DigitsEnd(s string, i int) int {
	for i < len(s) && IsDigit(s[i]) {
		i++
	}
	return i
}

// ExponentEnd returns the end of an exponent at i, or i if there is none.
func ExponentEnd(s string, i int) int {
	if i >= len(s) || s[i]|0x20 != 'e' {
		return i
	}
	j := i + 1
	if j < len(s) && (s[j] == '-' || s[j] == '+') {
		j++
	}
	if end := DigitsEnd(s, j); end > j {
		return end
	}
	return i
}
