package filestore

import "unsafe"

// bytesOf returns the bytes of s without copying them. They must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// textOf returns b as a string that shares its memory. Nobody writes to a block while somebody may look at it.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
