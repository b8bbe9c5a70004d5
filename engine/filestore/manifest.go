package filestore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// The file MANIFEST lists the segments. It is written whole under another name, synced, and renamed. It may lag behind the log, which
// then tells the rest itself; it never leads. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	manifestName   = "MANIFEST"
	manifestTemp   = "MANIFEST.tmp"
	manifestMagic  = "EVFMANI1"
	manifestHead   = 48
	manifestEntry  = 88
	manifestSealed = 1 // entry flag: the segment gets no more events

	maxManifestSize = 256 << 20
)

// A manifest is a decoded MANIFEST.
type manifest struct {
	store    uuid.UUID
	first    engine.Position // everything before it has been given up
	segments []manifestSegment
}

// A manifestSegment is what MANIFEST says of a segment. Of the active one, end and chain are those of some moment in the past.
type manifestSegment struct {
	number     int64
	generation uint32
	sealed     bool
	base       engine.Position
	end        int64           // offset behind the last frame that is no seal
	next       engine.Position // behind its last event
	lastChain  [32]byte
	least      int64 // recorded_at of the first and the last event, microseconds
	greatest   int64
}

func (m *manifest) encode() []byte {
	b := make([]byte, manifestHead, manifestHead+len(m.segments)*manifestEntry+4)
	copy(b, manifestMagic)
	binary.LittleEndian.PutUint16(b[8:], formatMajor)
	binary.LittleEndian.PutUint16(b[10:], formatMinor)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(m.segments)))
	copy(b[16:], m.store[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(m.first))
	for i := range m.segments {
		b = m.segments[i].appendTo(b)
	}
	return binary.LittleEndian.AppendUint32(b, crc32c(b))
}

func (s *manifestSegment) appendTo(b []byte) []byte {
	var flags uint32
	if s.sealed {
		flags = manifestSealed
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(s.number))
	b = binary.LittleEndian.AppendUint32(b, s.generation)
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.base))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.next))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.end))
	b = append(b, s.lastChain[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.least))
	return binary.LittleEndian.AppendUint64(b, uint64(s.greatest))
}

// Why a MANIFEST cannot be used. It is then made anew from the segments.
var errManifest = errors.New("MANIFEST is damaged")

// decodeManifest decodes a MANIFEST. The error is errManifest or, for a newer format, a *FormatError.
func decodeManifest(b []byte, name string) (*manifest, error) {
	if len(b) < manifestHead+4 || string(b[:8]) != manifestMagic ||
		binary.LittleEndian.Uint32(b[len(b)-4:]) != crc32c(b[:len(b)-4]) {
		return nil, errManifest
	}
	if major, minor := binary.LittleEndian.Uint16(b[8:]), binary.LittleEndian.Uint16(b[10:]); major != formatMajor {
		return nil, &engine.FormatError{File: name, Reason: fmt.Sprintf(
			"has format %d.%d, this version of eventfold knows %d.%d", major, minor, formatMajor, formatMinor)}
	}
	n := int64(binary.LittleEndian.Uint32(b[12:]))
	if n == 0 || int64(len(b)) != manifestHead+n*manifestEntry+4 {
		return nil, errManifest
	}
	m := &manifest{
		store:    uuid.UUID(b[16:32]),
		first:    engine.Position(binary.LittleEndian.Uint64(b[32:])),
		segments: make([]manifestSegment, n),
	}
	for i := range m.segments {
		m.segments[i].decode(b[manifestHead+i*manifestEntry:])
		if i > 0 && m.segments[i].number != m.segments[i-1].number+1 || !m.segments[i].fits() {
			return nil, errManifest
		}
	}
	return m, nil
}

// fits reports whether a segment can have so many events in so many bytes. Of one that gets more events nothing is relied on.
func (s *manifestSegment) fits() bool {
	return s.number > 0 && !s.sealed || s.number > 0 && s.base >= 0 && s.next >= s.base && s.end >= segmentHeaderSize && s.end <= 2*maxSegmentSize &&
		int64(s.next-s.base) <= mostEvents(s.end)
}

func (s *manifestSegment) decode(b []byte) {
	*s = manifestSegment{
		number:     int64(binary.LittleEndian.Uint64(b)),
		generation: binary.LittleEndian.Uint32(b[8:]),
		sealed:     binary.LittleEndian.Uint32(b[12:])&manifestSealed != 0,
		base:       engine.Position(binary.LittleEndian.Uint64(b[16:])),
		next:       engine.Position(binary.LittleEndian.Uint64(b[24:])),
		end:        int64(binary.LittleEndian.Uint64(b[32:])),
		lastChain:  [32]byte(b[40:72]),
		least:      int64(binary.LittleEndian.Uint64(b[72:])),
		greatest:   int64(binary.LittleEndian.Uint64(b[80:])),
	}
}

// manifestPiece is how much of a MANIFEST is read at once, bytes.
const manifestPiece = manifestHead + 1024*manifestEntry

// mayBeManifest reports whether the first bytes of a file of the size given can be those of a manifest: the numbers of its segments have no gaps.
// A file of holes, which takes no room on the disk, cannot.
func mayBeManifest(b []byte, size int64) bool {
	if len(b) < manifestHead {
		return int64(len(b)) == size
	}
	if n := int64(binary.LittleEndian.Uint32(b[12:])); string(b[:8]) != manifestMagic || size != manifestHead+n*manifestEntry+4 {
		return false
	}
	last := (len(b) - manifestHead) / manifestEntry
	if last < 2 {
		return true
	}
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(b[manifestHead+i*manifestEntry:]) }
	return number(last-1) == number(0)+uint64(last-1)
}

// segment returns what the manifest says of a segment, nil if nothing.
func (m *manifest) segment(number int64) *manifestSegment {
	if m == nil || number < m.segments[0].number || number > m.last() {
		return nil
	}
	return &m.segments[number-m.segments[0].number]
}

// last returns the number of the last segment, 0 without a manifest.
func (m *manifest) last() int64 {
	if m == nil {
		return 0
	}
	return m.segments[len(m.segments)-1].number
}
