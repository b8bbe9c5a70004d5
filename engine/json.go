package engine

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

// maxJSONDepth is how deep containers may be nested for the fast path of ValidJSON: one bit of a
// word for each.
const maxJSONDepth = 64

// ValidJSON reports whether b is one valid JSON value, exactly as json.Valid does, but several
// times faster and without allocating: strings, of which most payloads consist, are passed over
// eight bytes at a time. It decides which payloads count as JSON.
func ValidJSON(b []byte) bool {
	objects, depth := uint64(0), 0 // the containers that are open, the innermost in the lowest bit: 1 for an object
	for i := jsonSpace(b, 0); uint(i) < uint(len(b)); {
		if c := b[i]; c == '{' || c == '[' {
			if depth == maxJSONDepth {
				return json.Valid(b)
			}
			objects, depth = objects<<1|uint64(c>>5&1), depth+1 // { and [ differ in this bit
			i = jsonSpace(b, i+1)
			if i == len(b) {
				return false
			}
			if b[i] != c+2 { // } and ], which are dealt with below
				if c == '{' {
					i = jsonKey(b, i)
				}
				continue
			}
		} else if i = jsonScalar(b, i); i < 0 {
			return false
		}
		for ended := true; ended; { // the value before i, or the last of an open container
			i = jsonSpace(b, i)
			if depth == 0 {
				return i == len(b)
			}
			if i == len(b) {
				return false
			}
			object := objects&1 == 1
			switch c := b[i]; {
			case c == ',':
				if i, ended = jsonSpace(b, i+1), false; object {
					i = jsonKey(b, i)
				}
			case object && c == '}', !object && c == ']':
				objects, depth, i = objects>>1, depth-1, i+1
			default:
				return false
			}
		}
	}
	return false
}

// The functions below return the index behind what is at b[i], or a negative number if that is not
// there.

// jsonSpace passes over white space.
func jsonSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// jsonKey passes over a member's name, the colon and the spaces around it.
func jsonKey(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i = jsonString(b, i+1); i < 0 {
		return -1
	}
	if i = jsonSpace(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	return jsonSpace(b, i+1)
}

// jsonScalar passes over a string, a number, true, false or null.
func jsonScalar(b []byte, i int) int {
	switch b[i] {
	case '"':
		return jsonString(b, i+1)
	case 't':
		return jsonWord(b, i, "true")
	case 'f':
		return jsonWord(b, i, "false")
	case 'n':
		return jsonWord(b, i, "null")
	}
	return jsonNumber(b, i)
}

func jsonWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

// jsonString passes over the rest of a string, of which i is behind the opening quote.
func jsonString(b []byte, i int) int {
	for {
		for i+8 <= len(b) {
			found := jsonSpecial(binary.LittleEndian.Uint64(b[i:]))
			if found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
			i += 8
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			i++
		}
		switch {
		case i == len(b) || b[i] < ' ':
			return -1
		case b[i] == '"':
			return i + 1
		}
		if i = jsonEscape(b, i+1); i < 0 {
			return -1
		}
	}
}

// jsonSpecial tells which of eight bytes are quotes, backslashes or control characters, by the
// highest bit of each. The lowest such bit is exact; above it there may be too many, because
// subtraction borrows. The trick is in "Bit Twiddling Hacks" (Sean Eron Anderson).
func jsonSpecial(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, escape := x^ones*'"', x^ones*'\\'
	return ((quote-ones)&^quote | (escape-ones)&^escape | (x-ones*' ')&^x) & highs
}

// jsonEscape passes over what follows a backslash.
func jsonEscape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if len(b)-i < 5 {
			return -1
		}
		for _, c := range b[i+1 : i+5] {
			if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f') {
				return -1
			}
		}
		return i + 5
	}
	return -1
}

// jsonNumber passes over a number.
func jsonNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	default:
		if i = jsonDigits(b, i); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i] == '.' {
		if i = jsonDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return jsonDigits(b, i)
	}
	return i
}

// jsonDigits passes over digits, of which there must be one.
func jsonDigits(b []byte, i int) int {
	start := i
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}
