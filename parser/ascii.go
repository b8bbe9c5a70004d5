package parser

// LowerASCII returns s with its ASCII letters in lower case and every other byte as it is. Names
// are compared so. It does not allocate where nothing changes.
func LowerASCII(s string) string {
	for i := range len(s) {
		if isUpper(s[i]) {
			return lowerFrom(s, i)
		}
	}
	return s
}

// lowerFrom is LowerASCII for a text whose first capital is at the index.
func lowerFrom(s string, first int) string {
	b := []byte(s)
	for i := first; i < len(b); i++ {
		if isUpper(b[i]) {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
