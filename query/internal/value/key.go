package value

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
)

// The first byte of a key. Numbers that are equal have the same key whatever their kind, and a Time
// has the key of its text.
const (
	keyNull byte = iota
	keyInt
	keyFloat
	keyTime
	KeyText // of a text that no time is written as
	keyBlob
)

// AppendKey appends a key for GROUP BY, DISTINCT and hash joins: two values have the same key
// exactly if they are equal. Keys carry their length, so that a sequence of keys is a key of the
// sequence. They have no order.
func AppendKey(dst []byte, v Value, c Collation) []byte {
	switch v.Kind {
	case Int:
		return appendKey64(dst, keyInt, uint64(v.N))
	case Float:
		if n, ok := IsInt(v.F); ok {
			return appendKey64(dst, keyInt, uint64(n))
		}
		return appendKey64(dst, keyFloat, math.Float64bits(v.F))
	case Time:
		return appendKey64(dst, keyTime, uint64(v.N))
	case String:
		if c == Rtrim {
			v.S = strings.TrimRight(v.S, " ")
		}
		if micros, ok := canonicalTime(v.S, c); ok {
			return appendKey64(dst, keyTime, uint64(micros))
		}
		return appendTextKey(dst, KeyText, v.S, c)
	case Bytes:
		return appendTextKey(dst, keyBlob, v.S, Binary)
	}
	return append(dst, keyNull)
}

func appendKey64(dst []byte, tag byte, n uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, tag), n)
}

func appendTextKey(dst []byte, tag byte, s string, c Collation) []byte {
	dst = binary.AppendUvarint(append(dst, tag), uint64(len(s)))
	if len(s) > LongKey {
		return appendDigest(dst, s, c)
	}
	if c == Nocase {
		for i := 0; i < len(s); i++ {
			dst = append(dst, LowerTable[s[i]])
		}
		return dst
	}
	return append(dst, s...)
}

// LongKey is how long a text may be to stand in a key. Of a longer one there is a digest, which
// nobody can find a second text for.
const LongKey = 16 << 10

func appendDigest(dst []byte, s string, c Collation) []byte {
	digest := sha256.New()
	for len(s) > 0 {
		n := min(len(s), LongKey)
		part := BytesOf(s[:n])
		if c == Nocase {
			part = BytesOf(Lower(s[:n]))
		}
		digest.Write(part)
		s = s[n:]
	}
	return digest.Sum(dst)
}
