package format

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// A file NAME.state keeps what somebody has derived from the events before a position. It is written
// whole under another name, synced, and renamed; what does not check is made anew. FORMAT.md draws
// it.
//
// These constants are part of the format and must not be changed.
const (
	DerivedSuffix = ".state"
	DerivedTemp   = "state.tmp"
	DerivedMagic  = "EVFDERI1"
	DerivedHead   = 84
	DerivedPiece  = 64 << 10 // of what it holds, bytes at most

	derivedChecked = DerivedHead - 4 // bytes of the head that its checksum covers
	derivedFrame   = 8               // bytes in front of each piece
	maxDerivedName = 64
)

// A Derived is the head of such a file.
type Derived struct {
	Store    uuid.UUID
	Head     engine.Head    // the events before it were looked at, and the chain there
	Erasures engine.Version // of the stream of erasures, up to which it knows what is erased
}

// ErrDerived is why such a file cannot be used.
var ErrDerived = errors.New("the file of what was derived does not check")

// DerivedFileName returns the name of the file of a name, false if there can be no such file: a name
// is 1 to 64 letters from a to z, digits and hyphens.
func DerivedFileName(name string) (file string, ok bool) {
	if name == "" || len(name) > maxDerivedName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", false
	}
	return name + DerivedSuffix, true
}

// ParseDerivedFileName undoes DerivedFileName.
func ParseDerivedFileName(file string) (name string, ok bool) {
	name, ok = strings.CutSuffix(file, DerivedSuffix)
	if ok {
		_, ok = DerivedFileName(name)
	}
	return name, ok
}

// encode returns the head of the file of a name.
func (d *Derived) encode(name string) []byte {
	b := make([]byte, DerivedHead)
	copy(b, DerivedMagic)
	putVersion(b)
	copy(b[16:], d.Store[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(d.Head.Position))
	binary.LittleEndian.PutUint64(b[40:], uint64(d.Erasures))
	copy(b[48:], d.Head.Chain[:])
	binary.LittleEndian.PutUint32(b[derivedChecked:], derivedSum(b, name))
	return b
}

// derivedSum is the checksum of the head of the file of a name, so that no file can stand in for
// another one.
func derivedSum(head []byte, name string) uint32 {
	return crc32.Update(CRC(head[:derivedChecked]), Castagnoli, []byte(name))
}

func decodeDerived(b []byte, name string) (d Derived, ok bool) {
	if string(b[:8]) != DerivedMagic || binary.LittleEndian.Uint32(b[derivedChecked:]) != derivedSum(b, name) {
		return d, false
	}
	if _, err := decoderOf(b, name); err != nil {
		return d, false
	}
	d = Derived{Store: uuid.UUID(b[16:32]), Erasures: engine.Version(binary.LittleEndian.Uint64(b[40:]))}
	d.Head = engine.Head{Position: engine.Position(binary.LittleEndian.Uint64(b[32:])), Chain: [32]byte(b[48:80])}
	return d, d.Head.Position >= 0 && d.Erasures >= engine.NoVersion
}

// A DerivedWriter writes what such a file holds, in pieces with a checksum each. Close ends it, and
// must be called; it does not close what is written to.
type DerivedWriter struct {
	to    io.Writer
	sum   uint32 // of all that was written
	piece []byte // with room for what stands in front of it
	err   error
}

// NewDerivedWriter begins the file of a name.
func NewDerivedWriter(to io.Writer, name string, d Derived) *DerivedWriter {
	w := &DerivedWriter{to: to, piece: make([]byte, derivedFrame, derivedFrame+DerivedPiece)}
	head := d.encode(name)
	w.sum = derivedSum(head, name)
	_, w.err = to.Write(head)
	return w
}

// Write implements io.Writer.
func (w *DerivedWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		room := min(len(p), cap(w.piece)-len(w.piece))
		w.piece = append(w.piece, p[:room]...)
		p, n = p[room:], n+room
		if len(w.piece) == cap(w.piece) {
			w.flush()
		}
	}
	return n, w.err
}

// flush writes the piece.
func (w *DerivedWriter) flush() {
	binary.LittleEndian.PutUint32(w.piece, uint32(len(w.piece)-derivedFrame))
	w.sum = pieceSum(w.sum, w.piece)
	binary.LittleEndian.PutUint32(w.piece[4:], w.sum)
	if w.err == nil {
		_, w.err = w.to.Write(w.piece)
	}
	w.piece = w.piece[:derivedFrame]
}

// pieceSum is the checksum of a piece and of all that comes before it, whose checksum is sum.
func pieceSum(sum uint32, piece []byte) uint32 {
	return crc32.Update(crc32.Update(sum, Castagnoli, piece[:4]), Castagnoli, piece[derivedFrame:])
}

// Close writes what is left, and an empty piece, which says that there are no more.
func (w *DerivedWriter) Close() error {
	if len(w.piece) > derivedFrame {
		w.flush()
	}
	w.flush()
	return w.err
}

// A DerivedReader reads what such a file holds. It gives nothing that does not check, and io.EOF only
// at the end of a whole file; every other end is ErrDerived, or the error of reading.
type DerivedReader struct {
	from  io.Reader
	sum   uint32
	piece []byte
	left  []byte // of the piece
	err   error
}

// NewDerivedReader reads the head of the file of a name.
func NewDerivedReader(from io.Reader, name string) (*DerivedReader, Derived, error) {
	head := make([]byte, DerivedHead)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, Derived{}, cutShort(err)
	}
	d, ok := decodeDerived(head, name)
	if !ok {
		return nil, Derived{}, ErrDerived
	}
	return &DerivedReader{from: from, sum: derivedSum(head, name)}, d, nil
}

// cutShort makes ErrDerived of the end of a file.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrDerived
	}
	return err
}

// Read implements io.Reader.
func (r *DerivedReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 && r.err == nil {
		r.err = r.next()
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	if n == 0 && len(p) > 0 {
		return 0, r.err
	}
	return n, nil
}

// next reads the next piece.
func (r *DerivedReader) next() error {
	if r.piece == nil {
		r.piece = make([]byte, derivedFrame+DerivedPiece)
	}
	if _, err := io.ReadFull(r.from, r.piece[:derivedFrame]); err != nil {
		return cutShort(err)
	}
	size := binary.LittleEndian.Uint32(r.piece)
	if size > DerivedPiece {
		return ErrDerived
	}
	piece := r.piece[:derivedFrame+int(size)]
	if _, err := io.ReadFull(r.from, piece[derivedFrame:]); err != nil {
		return cutShort(err)
	}
	if r.sum = pieceSum(r.sum, piece); r.sum != binary.LittleEndian.Uint32(piece[4:]) {
		return ErrDerived
	}
	r.left = piece[derivedFrame:]
	if size > 0 {
		return nil
	}
	if n, err := io.ReadFull(r.from, make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return errors.Join(ErrDerived, err)
	}
	return io.EOF
}
