package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
)

// An index file holds what a Memory knows of the events of one segment, or of the first events of
// the active one. It is derived: it can be rebuilt from the segment at any time and is then the
// same, byte for byte.
//
// The file is a row of blocks of 4096 bytes: 4092 bytes of content and their CRC32C, seeded with
// the place of the block. Sections are runs of the content, addressed as if the checksums were not
// there. The last block is the footer. FORMAT.md draws it.
const (
	indexMagic   = "EVFOLDX\n"
	indexVersion = 1

	indexFlagOrdered = 1 // there are ids of version 7
	indexFlagOthers  = 2 // there are other ids
	indexFlagRun     = 4 // an index of several segments, see Run

	Group = 64 // events of a group in columns and in the frame table

	TableAt = 160 // of the section table in the footer
)

// The sections of an index file.
const (
	sectionOffsetGroups = iota
	sectionOffsets
	sectionTimeGroups
	sectionTimes
	sectionFrames
	sectionIDs
	SectionIDFilter
	SectionKeys // the first of SectionsPerKeys for every dictionary

	SectionsPerKeys = 4
	indexSections   = SectionKeys + int(Dictionaries)*SectionsPerKeys
)

// The sections of one dictionary, counted from its first.
const (
	KeysLeaves = iota
	KeysFences
	KeysPostings
	KeysFilter
)

// A Meta says which events an index file is about. A file with another one is of no use.
type Meta struct {
	Store      uuid.UUID
	Number     int64  // of the segment
	Generation uint32 // of the segment
	Base       engine.Position
	Count      uint32   // events
	End        int64    // offset in the segment behind their last frame
	Chain      [32]byte // chain value there
}

// A section is a run of content.
type section struct{ Start, Size uint64 }

// A Footer is the decoded last block.
type Footer struct {
	Meta
	span     format.IDSpan
	Run      bool
	Blocks   uint32 // of the file, the footer included
	Sections [indexSections]section
}

// Encode returns the content of the footer's block.
func (f *Footer) Encode() []byte {
	b := make([]byte, BlockPayload)
	copy(b, indexMagic)
	binary.LittleEndian.PutUint32(b[8:], indexVersion)
	binary.LittleEndian.PutUint32(b[12:], f.Generation)
	copy(b[16:], f.Store[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(f.Number))
	binary.LittleEndian.PutUint64(b[40:], uint64(f.Base))
	binary.LittleEndian.PutUint64(b[48:], uint64(f.End))
	copy(b[56:], f.Chain[:])
	binary.LittleEndian.PutUint32(b[88:], f.Count)
	if f.span.Ordered {
		b[92] |= indexFlagOrdered
	}
	if f.span.Others {
		b[92] |= indexFlagOthers
	}
	if f.Run {
		b[92] |= indexFlagRun
	}
	copy(b[96:], f.span.Least[:])
	copy(b[112:], f.span.Most[:])
	binary.LittleEndian.PutUint32(b[128:], f.Blocks)
	binary.LittleEndian.PutUint32(b[132:], uint32(indexSections))
	for i, s := range f.Sections {
		binary.LittleEndian.PutUint64(b[TableAt+16*i:], s.Start)
		binary.LittleEndian.PutUint64(b[TableAt+16*i+8:], s.Size)
	}
	return b
}

// Why a footer is not one.
var (
	errIndexMagic    = errors.New("it is not an index file")
	errIndexVersion  = errors.New("it is of another version")
	errIndexSize     = errors.New("it has another size than its footer says")
	errIndexSections = errors.New("its sections are not where they can be")
)

// DecodeFooter decodes the last block of a file with so many blocks. Its CRC has been checked.
func DecodeFooter(b []byte, blocks uint32) (*Footer, error) {
	if string(b[:8]) != indexMagic {
		return nil, errIndexMagic
	}
	if binary.LittleEndian.Uint32(b[8:]) != indexVersion ||
		binary.LittleEndian.Uint32(b[132:]) != uint32(indexSections) {
		return nil, errIndexVersion
	}
	f := &Footer{Blocks: binary.LittleEndian.Uint32(b[128:])}
	if f.Blocks != blocks {
		return nil, errIndexSize
	}
	f.Generation = binary.LittleEndian.Uint32(b[12:])
	copy(f.Store[:], b[16:])
	f.Number = int64(binary.LittleEndian.Uint64(b[32:]))
	f.Base = engine.Position(binary.LittleEndian.Uint64(b[40:]))
	f.End = int64(binary.LittleEndian.Uint64(b[48:]))
	copy(f.Chain[:], b[56:])
	f.Count = binary.LittleEndian.Uint32(b[88:])
	f.span.Ordered, f.span.Others = b[92]&indexFlagOrdered != 0, b[92]&indexFlagOthers != 0
	f.Run = b[92]&indexFlagRun != 0
	copy(f.span.Least[:], b[96:])
	copy(f.span.Most[:], b[112:])
	for i := range f.Sections {
		f.Sections[i] = section{
			binary.LittleEndian.Uint64(b[TableAt+16*i:]), binary.LittleEndian.Uint64(b[TableAt+16*i+8:]),
		}
	}
	return f, f.check()
}

// check reports whether the sections lie in the file one after another and have the sizes that the
// number of events asks for.
func (f *Footer) check() error {
	end := uint64(f.Blocks-1) * BlockPayload
	var at uint64
	for _, s := range f.Sections {
		if s.Start < at || s.Start > end || s.Size > end-s.Start {
			return errIndexSections
		}
		at = s.Start + s.Size
	}
	groups := (uint64(f.Count) + Group - 1) / Group
	if f.Run {
		groups = 0
	}
	ok := f.Sections[sectionOffsetGroups].Size == groups*columnGroupSize &&
		f.Sections[sectionTimeGroups].Size == groups*columnGroupSize &&
		f.Sections[sectionFrames].Size == groups*frameEntrySize &&
		f.Sections[sectionIDs].Size == uint64(f.Count)*idEntrySize &&
		filterFits(f.Sections[SectionIDFilter].Size, uint64(f.Count))
	for d := range int(Dictionaries) {
		at := SectionKeys + d*SectionsPerKeys
		leaves := f.Sections[at+KeysLeaves]
		ok = ok && f.keysFit(Dictionary(d)) && leaves.Start%BlockPayload == 0 && leaves.Size%BlockPayload == 0
	}
	if !ok || !f.Run && int64(f.Count) > format.MostEvents(f.End) {
		return errIndexSections
	}
	return nil
}

// keysFit reports whether the parts of a dictionary are as large as they can be for so many events.
func (f *Footer) keysFit(d Dictionary) bool {
	size := func(part int) uint64 { return f.Sections[KeysSection(d, part)].Size }
	keys := uint64(f.Count) * maxKeys[d] // at most
	leaves := size(KeysLeaves) / BlockPayload
	return leaves <= keys/minLeafKeys+1 &&
		size(KeysFences) <= 8+4*(leaves+1)+leaves*math.MaxUint8 &&
		filterFits(size(KeysFilter), keys) &&
		size(KeysPostings) <= keys*(binary.MaxVarintLen32+1)
}

// filterFits reports whether a filter is made of whole blocks, and no more of them than so many
// keys ask for.
func filterFits(size, keys uint64) bool {
	return size%format.BloomBlock == 0 &&
		size <= (keys*format.BloomBitsPerKey/(format.BloomBlock*8)+1)*format.BloomBlock
}

// minLeafKeys is how many keys a leaf that is not the last one of its dictionary has at least.
const minLeafKeys = (BlockPayload-64)/maxLeafEntry - 1

// BlockSeed returns the CRC with which those of the blocks of a file begin, so that a block of
// another file does not check.
func (m *Meta) BlockSeed() uint32 {
	var b [28]byte
	copy(b[:], m.Store[:])
	binary.LittleEndian.PutUint64(b[16:], uint64(m.Number))
	binary.LittleEndian.PutUint32(b[24:], m.Generation)
	return crc32.Checksum(b[:], format.Castagnoli)
}

// BlockCRC returns the checksum of a block's content at its place.
func BlockCRC(seed, block uint32, content []byte) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], block)
	return crc32.Update(crc32.Update(seed, format.Castagnoli, b[:]), format.Castagnoli, content)
}

// A Damage reports that an index file cannot be used. The events are not harmed: the index can be
// rebuilt from them.
type Damage struct {
	File  string
	Block int64 // -1 if the whole file is meant
	Err   error
}

// Error names the file and, if one is known, the block.
func (e *Damage) Error() string {
	if e.Block < 0 {
		return fmt.Sprintf("index file %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("index file %s, block %d: %v", e.File, e.Block, e.Err)
}

// Unwrap returns what is wrong with the file.
func (e *Damage) Unwrap() error { return e.Err }
