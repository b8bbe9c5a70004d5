package viewstate

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/eventfold/eventfold/query/internal/exact"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A Decoder reads what an Encoder has written. Its errors are ErrState, or those of reading.
type Decoder struct {
	from  *bufio.Reader
	shape Shape
	left  uint64 // levels to come
	at    int64  // where the next level begins
	texts []byte // of the group that was read last
	ends  []int  // of its texts
}

// NewDecoder reads up to the first level of a view.
func NewDecoder(from io.Reader, s Shape) (*Decoder, error) {
	d := &Decoder{from: bufio.NewReaderSize(from, 32<<10), shape: s}
	var definition [32]byte
	if _, err := io.ReadFull(d.from, definition[:]); err != nil {
		return nil, short(err)
	}
	if definition != s.Definition {
		return nil, ErrState
	}
	for _, want := range []int{Version, s.Keys, s.States} {
		n, err := d.number()
		if err != nil {
			return nil, err
		}
		if n != uint64(want) {
			return nil, ErrState
		}
	}
	var err error
	if d.left, err = d.number(); err == nil && d.left > maxLevels {
		err = ErrState
	}
	return d, err
}

// short makes ErrState of the end.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrState
	}
	return err
}

// Level reads the head of the next level, whose groups are to be read then. ok is false behind the
// last one, at the end of what is read.
func (d *Decoder) Level() (l Level, ok bool, err error) {
	if d.left == 0 {
		return l, false, d.end()
	}
	d.left--
	for _, n := range []*int64{&l.From, &l.To, &l.Groups} {
		u, err := d.number()
		if err != nil {
			return l, false, err
		}
		if u > math.MaxInt64 {
			return l, false, ErrState
		}
		*n = int64(u)
	}
	if l.From != d.at || l.To <= l.From || l.Groups > l.To-l.From {
		return l, false, ErrState
	}
	d.at = l.To
	return l, true, nil
}

// end reports whether everything has been read.
func (d *Decoder) end() error {
	_, err := d.from.ReadByte()
	switch {
	case err == nil:
		return ErrState
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// Group reads the next group of the level into g, whose slices must have the lengths of the shape.
// Texts are good until the next call.
func (d *Decoder) Group(g *Group) (err error) {
	d.texts, d.ends = d.texts[:0], d.ends[:0]
	for i := range g.Keys {
		if g.Keys[i], err = d.value(); err != nil {
			return err
		}
	}
	for i := range g.States {
		if g.States[i], err = d.state(); err != nil {
			return err
		}
	}
	d.place(g)
	return nil
}

// place gives the values their texts, which have all been read by now.
func (d *Decoder) place(g *Group) {
	next, at := 0, 0
	give := func(v *value.Value) {
		if v.Kind == value.String || v.Kind == value.Bytes {
			v.S = value.StringOf(d.texts[at:d.ends[next]])
			at = d.ends[next]
			next++
		}
	}
	for i := range g.Keys {
		give(&g.Keys[i])
	}
	for i := range g.States {
		give(&g.States[i].Value)
	}
}

func (d *Decoder) state() (s State, err error) {
	parts, err := d.from.ReadByte()
	if err != nil {
		return s, short(err)
	}
	if parts&^knownParts != 0 {
		return s, ErrState
	}
	s.Real = parts&hasReal != 0
	for _, part := range []struct {
		has byte
		to  *int64
	}{{hasN, &s.N}, {hasSum, &s.Sum}, {hasWraps, &s.Wraps}} {
		if parts&part.has == 0 {
			continue
		}
		if *part.to, err = d.signed(); err != nil {
			return s, err
		}
	}
	if parts&hasTotal != 0 {
		if s.Total, err = d.sum(); err != nil {
			return s, err
		}
	}
	if parts&hasSquares != 0 {
		sum, err := d.sum()
		if err != nil {
			return s, err
		}
		s.Squares = &sum
	}
	if parts&hasValue != 0 {
		s.Value, err = d.value()
	}
	return s, err
}

func (d *Decoder) sum() (exact.Sum, error) {
	s, err := exact.Read(d.from)
	if errors.Is(err, exact.ErrBytes) {
		err = ErrState
	}
	return s, d.fault(err)
}

func (d *Decoder) value() (v value.Value, err error) {
	first, err := d.from.ReadByte()
	if err != nil {
		return v, short(err)
	}
	v = value.Value{Kind: value.Kind(first & value.StoredKinds), JSON: first&value.StoredJSON != 0,
		Flag: first&value.StoredFlag != 0}
	switch v.Kind {
	case value.Null:
	case value.Int, value.Time:
		v.N, err = d.signed()
	case value.Float:
		v.F, err = d.float()
		if v.F != v.F {
			err = ErrState
		}
	case value.String, value.Bytes:
		err = d.text()
	default:
		err = ErrState
	}
	return v, err
}

// text reads a text behind those of the group. Room is made as it comes.
func (d *Decoder) text() error {
	n, err := d.number()
	if err != nil {
		return err
	}
	if n > value.MaxText {
		return ErrState
	}
	for left := int(n); left > 0; {
		part, at := min(left, flushAt), len(d.texts)
		d.texts = append(d.texts, make([]byte, part)...)
		if _, err := io.ReadFull(d.from, d.texts[at:]); err != nil {
			return short(err)
		}
		left -= part
	}
	d.ends = append(d.ends, len(d.texts))
	return nil
}

func (d *Decoder) number() (uint64, error) {
	n, err := binary.ReadUvarint(d.from)
	return n, d.fault(err)
}

func (d *Decoder) signed() (int64, error) {
	n, err := binary.ReadVarint(d.from)
	return n, d.fault(err)
}

var errOverflow = errors.New("binary: varint overflows a 64-bit integer")

// fault makes ErrState of a number that is cut or too large.
func (d *Decoder) fault(err error) error {
	if err != nil && err.Error() == errOverflow.Error() {
		return ErrState
	}
	return short(err)
}

func (d *Decoder) float() (float64, error) {
	var b [8]byte
	_, err := io.ReadFull(d.from, b[:])
	return math.Float64frombits(binary.LittleEndian.Uint64(b[:])), short(err)
}
