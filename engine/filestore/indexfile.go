package filestore

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

// An index file holds what a memIndex knows of the events of one segment, or of the first events of the active one.
// It is derived: it can be rebuilt from the segment at any time and is then the same, byte for byte.
//
// The file is a row of blocks of 4096 bytes: 4092 bytes of content and their CRC32C, seeded with the place of the block.
// Sections are runs of the content, addressed as if the checksums were not there. The last block is the footer.
// FORMAT.md draws it.
const (
	indexMagic   = "EVFOLDX\n"
	indexVersion = 1

	indexFlagOrdered = 1 // there are ids of version 7
	indexFlagOthers  = 2 // there are other ids
	indexFlagRun     = 4 // an index of several segments, see indexRun

	indexGroup = 64 // events of a group in columns and in the frame table

	indexTableAt = 160 // of the section table in the footer
)

// The sections of an index file.
const (
	sectionOffsetGroups = iota
	sectionOffsets
	sectionTimeGroups
	sectionTimes
	sectionFrames
	sectionIDs
	sectionIDFilter
	sectionKeys // the first of sectionsPerKeys for every dictionary

	sectionsPerKeys = 4
	indexSections   = sectionKeys + 3*sectionsPerKeys
)

// The sections of one dictionary, counted from its first.
const (
	keysLeaves = iota
	keysFences
	keysPostings
	keysFilter
)

// An indexMeta says which events an index file is about. A file with another one is of no use.
type indexMeta struct {
	store      uuid.UUID
	number     int64  // of the segment
	generation uint32 // of the segment
	base       engine.Position
	count      uint32   // events
	end        int64    // offset in the segment behind their last frame
	chain      [32]byte // chain value there
}

// A section is a run of content.
type section struct{ start, size uint64 }

// An indexFooter is the decoded last block.
type indexFooter struct {
	indexMeta
	span     format.IDSpan
	run      bool
	blocks   uint32 // of the file, the footer included
	sections [indexSections]section
}

// encode returns the content of the footer's block.
func (f *indexFooter) encode() []byte {
	b := make([]byte, indexBlockPayload)
	copy(b, indexMagic)
	binary.LittleEndian.PutUint32(b[8:], indexVersion)
	binary.LittleEndian.PutUint32(b[12:], f.generation)
	copy(b[16:], f.store[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(f.number))
	binary.LittleEndian.PutUint64(b[40:], uint64(f.base))
	binary.LittleEndian.PutUint64(b[48:], uint64(f.end))
	copy(b[56:], f.chain[:])
	binary.LittleEndian.PutUint32(b[88:], f.count)
	if f.span.Ordered {
		b[92] |= indexFlagOrdered
	}
	if f.span.Others {
		b[92] |= indexFlagOthers
	}
	if f.run {
		b[92] |= indexFlagRun
	}
	copy(b[96:], f.span.Least[:])
	copy(b[112:], f.span.Most[:])
	binary.LittleEndian.PutUint32(b[128:], f.blocks)
	binary.LittleEndian.PutUint32(b[132:], indexSections)
	for i, s := range f.sections {
		binary.LittleEndian.PutUint64(b[indexTableAt+16*i:], s.start)
		binary.LittleEndian.PutUint64(b[indexTableAt+16*i+8:], s.size)
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

// decodeIndexFooter decodes the last block of a file with so many blocks. Its CRC has been checked.
func decodeIndexFooter(b []byte, blocks uint32) (*indexFooter, error) {
	if string(b[:8]) != indexMagic {
		return nil, errIndexMagic
	}
	if binary.LittleEndian.Uint32(b[8:]) != indexVersion || binary.LittleEndian.Uint32(b[132:]) != indexSections {
		return nil, errIndexVersion
	}
	f := &indexFooter{blocks: binary.LittleEndian.Uint32(b[128:])}
	if f.blocks != blocks {
		return nil, errIndexSize
	}
	f.generation = binary.LittleEndian.Uint32(b[12:])
	copy(f.store[:], b[16:])
	f.number = int64(binary.LittleEndian.Uint64(b[32:]))
	f.base = engine.Position(binary.LittleEndian.Uint64(b[40:]))
	f.end = int64(binary.LittleEndian.Uint64(b[48:]))
	copy(f.chain[:], b[56:])
	f.count = binary.LittleEndian.Uint32(b[88:])
	f.span.Ordered, f.span.Others = b[92]&indexFlagOrdered != 0, b[92]&indexFlagOthers != 0
	f.run = b[92]&indexFlagRun != 0
	copy(f.span.Least[:], b[96:])
	copy(f.span.Most[:], b[112:])
	for i := range f.sections {
		f.sections[i] = section{binary.LittleEndian.Uint64(b[indexTableAt+16*i:]), binary.LittleEndian.Uint64(b[indexTableAt+16*i+8:])}
	}
	return f, f.check()
}

// check reports whether the sections lie in the file one after another and have the sizes that the number of events asks for.
func (f *indexFooter) check() error {
	end := uint64(f.blocks-1) * indexBlockPayload
	var at uint64
	for _, s := range f.sections {
		if s.start < at || s.start > end || s.size > end-s.start {
			return errIndexSections
		}
		at = s.start + s.size
	}
	groups := (uint64(f.count) + indexGroup - 1) / indexGroup
	if f.run {
		groups = 0
	}
	ok := f.sections[sectionOffsetGroups].size == groups*columnGroupSize &&
		f.sections[sectionTimeGroups].size == groups*columnGroupSize &&
		f.sections[sectionFrames].size == groups*frameEntrySize &&
		f.sections[sectionIDs].size == uint64(f.count)*idEntrySize &&
		f.sections[sectionIDFilter].size%format.BloomBlock == 0
	for d := range int(dictionaries) {
		at := sectionKeys + d*sectionsPerKeys
		ok = ok && f.keysFit(dictionary(d)) && f.sections[at+keysLeaves].start%indexBlockPayload == 0 && f.sections[at+keysLeaves].size%indexBlockPayload == 0 &&
			f.sections[at+keysFilter].size%format.BloomBlock == 0
	}
	if !ok || !f.run && int64(f.count) > format.MostEvents(f.end) {
		return errIndexSections
	}
	return nil
}

// keysFit reports whether the parts of a dictionary are as large as they can be for so many events.
func (f *indexFooter) keysFit(d dictionary) bool {
	size := func(part int) uint64 { return f.sections[keysSection(d, part)].size }
	keys := uint64(f.count) // at most
	if d == byTag {
		keys *= engine.MaxTags
	}
	leaves := size(keysLeaves) / indexBlockPayload
	return leaves <= keys/leastLeafKeys+1 &&
		size(keysFences) <= 8+4*(leaves+1)+leaves*math.MaxUint8 &&
		size(keysFilter) <= (keys*format.BloomBitsPerKey/(format.BloomBlock*8)+1)*format.BloomBlock &&
		size(keysPostings) <= keys*(binary.MaxVarintLen32+1)
}

// leastLeafKeys is how many keys a leaf that is not the last one of its dictionary has at least.
const leastLeafKeys = (indexBlockPayload-64)/leafEntryMost - 1

// blockSeed returns the CRC with which those of the blocks of a file begin, so that a block of another file does not check.
func (m *indexMeta) blockSeed() uint32 {
	var b [28]byte
	copy(b[:], m.store[:])
	binary.LittleEndian.PutUint64(b[16:], uint64(m.number))
	binary.LittleEndian.PutUint32(b[24:], m.generation)
	return crc32.Checksum(b[:], format.Castagnoli)
}

// blockCRC returns the checksum of a block's content at its place.
func blockCRC(seed, block uint32, content []byte) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], block)
	return crc32.Update(crc32.Update(seed, format.Castagnoli, b[:]), format.Castagnoli, content)
}

// An indexDamage reports that an index file cannot be used. The events are not harmed: the index can be rebuilt from them.
type indexDamage struct {
	file  string
	block int64 // -1 if the whole file is meant
	err   error
}

func (e *indexDamage) Error() string {
	if e.block < 0 {
		return fmt.Sprintf("index file %s: %v", e.file, e.err)
	}
	return fmt.Sprintf("index file %s, block %d: %v", e.file, e.block, e.err)
}

func (e *indexDamage) Unwrap() error { return e.err }
