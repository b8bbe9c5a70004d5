package value

import (
	"encoding/binary"
	"math"
)

// The bytes in which values are kept in files. The first byte of a value is its kind, and these.
const (
	StoredJSON  = 1 << 6         // it is known to be JSON
	StoredFlag  = 1 << 7         // it is a bool
	StoredKinds = StoredJSON - 1 // the bits that are the kind
)

// AppendStored appends the bytes of a value: its kind, and then a varint of an Int and a Time, eight
// bytes of a Float, and of a text its length as a uvarint and its bytes.
func AppendStored(b []byte, v Value) []byte {
	first := byte(v.Kind)
	if v.JSON {
		first |= StoredJSON
	}
	if v.Flag {
		first |= StoredFlag
	}
	b = append(b, first)
	switch v.Kind {
	case Int, Time:
		b = binary.AppendVarint(b, v.N)
	case Float:
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.F))
	case String, Bytes:
		b = binary.AppendUvarint(b, uint64(len(v.S)))
		b = append(b, v.S...)
	}
	return b
}

// CutStored reads a value from the beginning of bytes that AppendStored has made, and returns what is
// behind it. The text of the value shares the bytes. ok is false if they begin with no value.
func CutStored(b []byte) (v Value, rest []byte, ok bool) {
	if len(b) == 0 {
		return v, b, false
	}
	first := b[0]
	v = Value{Kind: Kind(first & StoredKinds), JSON: first&StoredJSON != 0, Flag: first&StoredFlag != 0}
	b = b[1:]
	switch v.Kind {
	case Null:
		return v, b, true
	case Int, Time:
		n, size := binary.Varint(b)
		if size <= 0 {
			return v, b, false
		}
		v.N = n
		return v, b[size:], true
	case Float:
		if len(b) < 8 {
			return v, b, false
		}
		v.F = math.Float64frombits(binary.LittleEndian.Uint64(b))
		return v, b[8:], v.F == v.F
	case String, Bytes:
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return v, b, false
		}
		if end := size + int(n); n > 0 { // an empty text keeps no bytes alive
			v.S = StringOf(b[size:end:end])
		}
		return v, b[size+int(n):], true
	}
	return v, b, false
}
