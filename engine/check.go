package engine

import (
	"strings"
	"unicode/utf8"
)

// A NameFault is what is wrong with the name of a stream or of a type, or with a tag.
type NameFault uint8

// The faults, in the order in which they are looked for.
const (
	NameOK       NameFault = iota
	NameEmpty              // has no byte
	NameTooLong            // has more than MaxStreamSize, MaxTypeSize or MaxTagSize bytes
	NameReserved           // of a stream: begins with $
	NameNotUTF8
	NameHasNUL
)

// CheckStream says what is wrong with the name of a stream.
func CheckStream(name string) NameFault {
	if len(name) <= MaxStreamSize && strings.HasPrefix(name, "$") {
		return NameReserved
	}
	return checkName(name, MaxStreamSize)
}

// CheckType says what is wrong with the type of an event.
func CheckType(name string) NameFault { return checkName(name, MaxTypeSize) }

// CheckTag says what is wrong with a tag.
func CheckTag(tag string) NameFault { return checkName(tag, MaxTagSize) }

func checkName(name string, limit int) NameFault {
	switch {
	case name == "":
		return NameEmpty
	case len(name) > limit:
		return NameTooLong
	case !utf8.ValidString(name):
		return NameNotUTF8
	case strings.IndexByte(name, 0) >= 0:
		return NameHasNUL
	}
	return NameOK
}
