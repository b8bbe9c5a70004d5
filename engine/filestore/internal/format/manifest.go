package format

import (
	"encoding/binary"
	"errors"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// The file MANIFEST lists the segments. It is written whole under another name, synced, and
// renamed. It may lag behind the log, which then tells the rest itself; it never leads. FORMAT.md
// draws it.
//
// These constants are part of the format and must not be changed.
const (
	ManifestName   = "MANIFEST"
	ManifestTemp   = "MANIFEST.tmp"
	ManifestMagic  = "EVFMANI1"
	ManifestHead   = 48
	ManifestEntry  = 88
	manifestSealed = 1 // entry flag: the segment gets no more events

	MaxManifestSize = 256 << 20
)

// A Manifest is a decoded MANIFEST.
type Manifest struct {
	Store    uuid.UUID
	First    engine.Position // everything before it has been given up
	Erased   engine.Position // all erasures that events before it tell of are done
	Segments []ManifestSegment
}

// A ManifestSegment is what MANIFEST says of a segment. Of the active one, end and chain are those
// of some moment in the past.
type ManifestSegment struct {
	Number     int64
	Generation uint32
	Sealed     bool
	Base       engine.Position
	End        int64           // offset behind the last frame that is no seal
	Next       engine.Position // behind its last event
	LastChain  [32]byte
	Least      int64 // recorded_at of the first and the last event, microseconds
	Greatest   int64
}

// Encode returns the bytes of the file.
func (m *Manifest) Encode() []byte {
	b := make([]byte, ManifestHead, ManifestHead+len(m.Segments)*ManifestEntry+4)
	copy(b, ManifestMagic)
	putVersion(b)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(m.Segments)))
	copy(b[16:], m.Store[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(m.First))
	binary.LittleEndian.PutUint64(b[40:], uint64(m.Erased))
	for i := range m.Segments {
		b = m.Segments[i].appendTo(b)
	}
	return binary.LittleEndian.AppendUint32(b, CRC(b))
}

func (s *ManifestSegment) appendTo(b []byte) []byte {
	var flags uint32
	if s.Sealed {
		flags = manifestSealed
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Number))
	b = binary.LittleEndian.AppendUint32(b, s.Generation)
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Base))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Next))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.End))
	b = append(b, s.LastChain[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Least))
	return binary.LittleEndian.AppendUint64(b, uint64(s.Greatest))
}

// Why a MANIFEST cannot be used. It is then made anew from the segments.
var ErrManifest = errors.New("MANIFEST is damaged")

// DecodeManifest decodes a MANIFEST. The error is ErrManifest or, for a newer format, a
// *FormatError.
func DecodeManifest(b []byte, name string) (*Manifest, error) {
	if len(b) < ManifestHead+4 || string(b[:8]) != ManifestMagic ||
		binary.LittleEndian.Uint32(b[len(b)-4:]) != CRC(b[:len(b)-4]) {
		return nil, ErrManifest
	}
	d, err := decoderOf(b, name)
	if err != nil {
		return nil, err
	}
	return d.manifest(b)
}

func decodeManifest1(b []byte) (*Manifest, error) {
	n := int64(binary.LittleEndian.Uint32(b[12:]))
	if n == 0 || int64(len(b)) != ManifestHead+n*ManifestEntry+4 {
		return nil, ErrManifest
	}
	m := &Manifest{
		Store:    uuid.UUID(b[16:32]),
		First:    engine.Position(binary.LittleEndian.Uint64(b[32:])),
		Erased:   engine.Position(binary.LittleEndian.Uint64(b[40:])),
		Segments: make([]ManifestSegment, n),
	}
	for i := range m.Segments {
		m.Segments[i].decode(b[ManifestHead+i*ManifestEntry:])
		if i > 0 && m.Segments[i].Number != m.Segments[i-1].Number+1 || !m.Segments[i].fits() {
			return nil, ErrManifest
		}
	}
	return m, nil
}

// fits reports whether a segment can have so many events in so many bytes. Of one that gets more
// events nothing is relied on.
func (s *ManifestSegment) fits() bool {
	if s.Number <= 0 || !s.Sealed {
		return s.Number > 0
	}
	sized := s.End >= SegmentHeaderSize && s.End <= 2*MaxSegmentSize
	return sized && s.Base >= 0 && s.Next >= s.Base && int64(s.Next-s.Base) <= MostEvents(s.End)
}

func (s *ManifestSegment) decode(b []byte) {
	*s = ManifestSegment{
		Number:     int64(binary.LittleEndian.Uint64(b)),
		Generation: binary.LittleEndian.Uint32(b[8:]),
		Sealed:     binary.LittleEndian.Uint32(b[12:])&manifestSealed != 0,
		Base:       engine.Position(binary.LittleEndian.Uint64(b[16:])),
		Next:       engine.Position(binary.LittleEndian.Uint64(b[24:])),
		End:        int64(binary.LittleEndian.Uint64(b[32:])),
		LastChain:  [32]byte(b[40:72]),
		Least:      int64(binary.LittleEndian.Uint64(b[72:])),
		Greatest:   int64(binary.LittleEndian.Uint64(b[80:])),
	}
}

// ManifestPiece is how much of a MANIFEST is read at once, bytes.
const ManifestPiece = ManifestHead + 1024*ManifestEntry

// MayBeManifest reports whether the first bytes of a file of the size given can be those of a
// manifest: the numbers of its segments have no gaps. A file of holes, which takes no room on the
// disk, cannot.
func MayBeManifest(b []byte, size int64) bool {
	if len(b) < ManifestHead {
		return int64(len(b)) == size
	}
	n := int64(binary.LittleEndian.Uint32(b[12:]))
	if string(b[:8]) != ManifestMagic || size != ManifestHead+n*ManifestEntry+4 {
		return false
	}
	last := (len(b) - ManifestHead) / ManifestEntry
	if last < 2 {
		return true
	}
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(b[ManifestHead+i*ManifestEntry:]) }
	return number(last-1) == number(0)+uint64(last-1)
}

// Segment returns what the manifest says of a segment, nil if nothing.
func (m *Manifest) Segment(number int64) *ManifestSegment {
	if m == nil || number < m.Segments[0].Number || number > m.Last() {
		return nil
	}
	return &m.Segments[number-m.Segments[0].Number]
}

// Last returns the number of the last segment, 0 without a manifest.
func (m *Manifest) Last() int64 {
	if m == nil {
		return 0
	}
	return m.Segments[len(m.Segments)-1].Number
}
