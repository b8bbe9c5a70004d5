package exact

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/big"
)

// ErrBytes is why bytes are no sum.
var ErrBytes = errors.New("no sum of real numbers")

// The parts of a sum that are written, where they are not zero.
const (
	hasHi byte = 1 << iota
	hasLo
	hasWide
	isNegative // of what is wide
	hasBeyond
	knownParts = 1<<iota - 1
)

// Append appends the sum to bytes, as Read reads it.
func (s *Sum) Append(b []byte) []byte {
	at, parts := len(b), byte(0)
	b = append(b, 0)
	float := func(has byte, f float64) {
		if bits := math.Float64bits(f); bits != 0 {
			parts |= has
			b = binary.LittleEndian.AppendUint64(b, bits)
		}
	}
	float(hasHi, s.hi)
	float(hasLo, s.lo)
	float(hasBeyond, s.beyond())
	if s.wide != nil && s.wide.sum.Sign() != 0 {
		parts |= hasWide
		if s.wide.sum.Signbit() {
			parts |= isNegative
		}
		b = appendBig(b, &s.wide.sum)
	}
	b[at] = parts
	return b
}

// appendBig appends a number but for its sign: an integer, and the power of 2 that it is multiplied by.
func appendBig(b []byte, x *big.Float) []byte {
	power := x.MantExp(nil) - int(x.MinPrec())
	whole, _ := newBig().SetMantExp(x, -power).Int(nil)
	digits := whole.Bytes()
	b = binary.AppendVarint(b, int64(power))
	b = binary.AppendUvarint(b, uint64(len(digits)))
	return append(b, digits...)
}

// Read reads a sum. Its errors are ErrBytes, or those of reading and of package binary.
func Read(from *bufio.Reader) (s Sum, err error) {
	parts, err := from.ReadByte()
	if err != nil {
		return s, err
	}
	if parts&^knownParts != 0 {
		return s, ErrBytes
	}
	var beyond float64
	for _, part := range []struct {
		has    byte
		to     *float64
		finite bool
	}{{hasHi, &s.hi, true}, {hasLo, &s.lo, true}, {hasBeyond, &beyond, false}} {
		if parts&part.has == 0 {
			continue
		}
		if *part.to, err = readFloat(from); err != nil {
			return s, err
		}
		if finite(*part.to) != part.finite {
			return s, ErrBytes
		}
	}
	if beyond != 0 {
		s.own().beyond = beyond
	}
	if parts&hasWide != 0 {
		err = s.readWide(from, parts&isNegative != 0)
	}
	return s, err
}

func (s *Sum) readWide(from *bufio.Reader, negative bool) error {
	power, err := binary.ReadVarint(from)
	if err != nil {
		return err
	}
	n, err := binary.ReadUvarint(from)
	if err != nil {
		return err
	}
	if power < 2*least || power > 2*greatest || n > bits/8 {
		return ErrBytes
	}
	digits := make([]byte, n)
	if _, err := io.ReadFull(from, digits); err != nil {
		return err
	}
	x := newBig().SetInt(new(big.Int).SetBytes(digits))
	if negative {
		x.Neg(x)
	}
	s.own().sum.SetMantExp(x, int(power))
	return nil
}

func readFloat(from *bufio.Reader) (float64, error) {
	var b [8]byte
	_, err := io.ReadFull(from, b[:])
	return math.Float64frombits(binary.LittleEndian.Uint64(b[:])), err
}
