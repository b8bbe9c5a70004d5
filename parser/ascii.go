package parser

import "github.com/eventfold/eventfold/internal/ascii"

// LowerASCII returns s with its ASCII letters in lower case and every other byte as it is. Names
// are compared so. It does not allocate where nothing changes.
func LowerASCII(s string) string { return ascii.Lower(s) }
