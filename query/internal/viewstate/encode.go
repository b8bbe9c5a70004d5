package viewstate

import (
	"encoding/binary"
	"io"

	"github.com/eventfold/eventfold/query/internal/exact"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An Encoder writes levels, each followed by its groups. The first error of writing is Flush's.
type Encoder struct {
	to  io.Writer
	buf []byte
	err error
}

// flushAt is how much an Encoder gathers before it writes, bytes.
const flushAt = 32 << 10

// NewEncoder begins with so many levels to come.
func NewEncoder(to io.Writer, s Shape, levels int) *Encoder {
	e := &Encoder{to: to}
	e.buf = append(e.buf, s.Definition[:]...)
	for _, n := range []int{Version, s.Keys, s.States, levels} {
		e.buf = binary.AppendUvarint(e.buf, uint64(n))
	}
	return e
}

// Level begins a level.
func (e *Encoder) Level(l Level) {
	for _, n := range []int64{l.From, l.To, l.Groups} {
		e.buf = binary.AppendUvarint(e.buf, uint64(n))
	}
}

// Group writes the next group of the level.
func (e *Encoder) Group(g *Group) error {
	for _, v := range g.Keys {
		e.value(v)
	}
	for i := range g.States {
		e.state(&g.States[i])
	}
	if len(e.buf) >= flushAt {
		return e.Flush()
	}
	return e.err
}

// Flush writes what was gathered.
func (e *Encoder) Flush() error {
	if e.err == nil {
		_, e.err = e.to.Write(e.buf)
	}
	e.buf = e.buf[:0]
	return e.err
}

func (e *Encoder) state(s *State) {
	at, parts := len(e.buf), byte(0)
	e.buf = append(e.buf, 0)
	if s.N != 0 {
		parts |= hasN
		e.buf = binary.AppendVarint(e.buf, s.N)
	}
	if s.Sum != 0 {
		parts |= hasSum
		e.buf = binary.AppendVarint(e.buf, s.Sum)
	}
	if s.Wraps != 0 {
		parts |= hasWraps
		e.buf = binary.AppendVarint(e.buf, s.Wraps)
	}
	if s.Real {
		parts |= hasReal
	}
	if s.Total != (exact.Sum{}) {
		parts |= hasTotal
		e.buf = s.Total.Append(e.buf)
	}
	if s.Squares != nil {
		parts |= hasSquares
		e.buf = s.Squares.Append(e.buf)
	}
	if s.Value != (value.Value{}) {
		parts |= hasValue
		e.value(s.Value)
	}
	e.buf[at] = parts
}

func (e *Encoder) value(v value.Value) { e.buf = value.AppendStored(e.buf, v) }
