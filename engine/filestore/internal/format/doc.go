// Package format has the bytes of an embedded store's files: what encodes and decodes them, and
// nothing that reads or writes a file. FORMAT.md, beside it, draws them and says how a torn write
// is told from damage.
//
// Whatever it is given, a decoder returns an error or what was encoded; lengths are bounded by what
// is there before anything is allocated.
package format
