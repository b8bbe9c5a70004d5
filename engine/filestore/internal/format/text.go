package format

import "unsafe"

// BytesOf returns the bytes of s without copying them. They must not be changed.
func BytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// TextOf returns b as a string that shares its memory. Nobody writes to a block while somebody may
// look at it.
func TextOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
