package index

import (
	"context"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// An Source is an index that can be written to a file: it knows all of the first count events of a
// segment. Index files of equal events are equal whatever source they are written from.
type Source interface {
	Index
	// count returns the number of events.
	Count() uint32
	// fingerprints appends fingerprint<<32 | ordinal of the ids of all events, in any order.
	fingerprints(dst []uint64) ([]uint64, error)
	// IDSpan returns the bounds of the ids of all events.
	idSpan() format.IDSpan
}

// WriteFile writes the index of the events that m describes, which are those that src knows, under
// the name given. The file gets its name when it is complete and synced. src must not get more
// events meanwhile. After an error there is no new file; one that had the name before is as it was.
// If ctx ends first that is the error.
func WriteFile(ctx context.Context, fs vfs.FS, name string, src Source, m Meta) error {
	return ReplaceFile(fs, name, func(f vfs.File) error { return writeIndex(ctx, f, src, m) })
}

// ReplaceFile lets write fill an empty file, syncs it and gives it its name.
func ReplaceFile(fs vfs.FS, name string, write func(f vfs.File) error) error {
	tmp := name + ".tmp"
	err := vfs.WriteNew(fs, tmp, write)
	if err != nil {
		return err
	}
	if err = fs.Rename(tmp, name); err != nil {
		_ = fs.Remove(tmp) // the next attempt overwrites it in any case
	}
	return err
}

// An indexWriter writes the blocks of an index file one after another. After its first error it
// does nothing.
type indexWriter struct {
	ctx    context.Context
	file   vfs.File
	seed   uint32
	footer Footer
	at     uint64 // address of the next byte of content
	out    []byte // blocks not written yet, the last of them without its CRC
	outAt  int64  // offset in the file of out
	err    error
}

const indexWriteSize = 64 * BlockSize

var errIndexSource = errors.New("eventfold: the index to be written knows other events")

func writeIndex(ctx context.Context, f vfs.File, src Source, m Meta) error {
	if src.Count() != m.Count {
		return errIndexSource
	}
	w := newIndexWriter(ctx, f, m)
	w.footer.span = src.idSpan()
	w.column(sectionOffsetGroups, sectionOffsets, m.Count, func(ord uint32) (uint64, error) {
		off, err := src.Offset(ord)
		return uint64(off), err
	})
	w.column(sectionTimeGroups, sectionTimes, m.Count, func(ord uint32) (uint64, error) {
		micros, err := src.RecordedAt(ord)
		return uint64(micros), err
	})
	w.frames(src)
	w.ids(src)
	for d := range Dictionaries {
		w.keys(d, src)
	}
	w.finish()
	return w.err
}

func newIndexWriter(ctx context.Context, f vfs.File, m Meta) *indexWriter {
	w := &indexWriter{ctx: ctx, file: f, seed: m.BlockSeed(), out: make([]byte, 0, indexWriteSize)}
	w.footer.Meta = m
	return w
}

// write appends content.
func (w *indexWriter) write(p []byte) {
	w.at += uint64(len(p))
	for len(p) > 0 && w.err == nil {
		room := BlockPayload - len(w.out)%BlockSize
		n := min(room, len(p))
		w.out = append(w.out, p[:n]...)
		p = p[n:]
		if n == room {
			w.endBlock()
		}
	}
}

// endBlock appends the checksum of the block that has become full.
func (w *indexWriter) endBlock() {
	block := uint32((w.outAt + int64(len(w.out))) / BlockSize)
	content := w.out[len(w.out)-BlockPayload:]
	w.out = binary.LittleEndian.AppendUint32(w.out, BlockCRC(w.seed, block, content))
	if len(w.out) == indexWriteSize {
		w.flush()
	}
}

func (w *indexWriter) flush() {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil || len(w.out) == 0 {
		return
	}
	_, w.err = w.file.WriteAt(w.out, w.outAt)
	w.outAt += int64(len(w.out))
	w.out = w.out[:0]
}

// pad fills the block with zeros, unless it is empty.
func (w *indexWriter) pad() {
	if in := w.at % BlockPayload; in > 0 {
		w.write(make([]byte, BlockPayload-in))
	}
}

func (w *indexWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// begin and end stand around the writing of a section's content.
func (w *indexWriter) begin(i int) { w.footer.Sections[i].Start = w.at }
func (w *indexWriter) end(i int)   { w.footer.Sections[i].Size = w.at - w.footer.Sections[i].Start }

// section writes content as a section.
func (w *indexWriter) section(i int, content []byte) {
	w.footer.Sections[i] = section{w.at, uint64(len(content))}
	w.write(content)
}

func (w *indexWriter) finish() {
	w.pad()
	w.footer.Blocks = uint32(w.at/BlockPayload) + 1
	w.write(w.footer.Encode())
	w.flush()
}

// A column holds one number per event, never decreasing, in groups of Group events. Of a group
// there is in one section its first number, u64, and address<<8 | width, u64; and in another, at
// that address, for every event the difference from the first number in width bytes.
const columnGroupSize = 16

func (w *indexWriter) column(groupsAt, at int, count uint32, value func(ord uint32) (uint64, error)) {
	var groups, data []byte
	var group [Group]uint64
	for first := uint32(0); first < count; first += Group {
		n := min(Group, count-first)
		for i := range n {
			v, err := value(first + i)
			if err != nil {
				w.fail(err)
				return
			}
			group[i] = v
		}
		width := (bits.Len64(group[n-1]-group[0]) + 7) / 8
		groups = binary.LittleEndian.AppendUint64(groups, group[0])
		groups = binary.LittleEndian.AppendUint64(groups, uint64(len(data))<<8|uint64(width))
		for _, v := range group[:n] {
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], v-group[0])
			data = append(data, b[:width]...)
		}
	}
	w.section(groupsAt, groups)
	w.section(at, data)
}

// frameEntrySize is the size of an entry of the frame table: offset and first ordinal, u32 each, of
// the last frame that begins at or before the first event of a group.
const frameEntrySize = 8

func (w *indexWriter) frames(src Source) {
	var table []byte
	for ord := uint32(0); ord < w.footer.Count; ord += Group {
		off, first, err := src.Frame(ord)
		if err != nil {
			w.fail(err)
			return
		}
		table = binary.LittleEndian.AppendUint32(table, uint32(off))
		table = binary.LittleEndian.AppendUint32(table, first)
	}
	w.section(sectionFrames, table)
}

// idEntrySize is the size of an id's entry: fingerprint and ordinal, u32 each, sorted.
const idEntrySize = 8

func (w *indexWriter) ids(src Source) {
	all, err := src.fingerprints(make([]uint64, 0, w.footer.Count))
	if err != nil {
		w.fail(err)
		return
	}
	slices.Sort(all)
	w.idSections(func(yield func(id uint64) bool) error {
		for _, id := range all {
			if !yield(id) {
				break
			}
		}
		return nil
	})
}

// idSections writes the ids and their filter. each yields fingerprint<<32 | ordinal of all events,
// sorted; it is called twice.
func (w *indexWriter) idSections(each func(yield func(id uint64) bool) error) {
	w.begin(sectionIDs)
	err := each(func(id uint64) bool {
		var b [idEntrySize]byte
		binary.LittleEndian.PutUint32(b[:], uint32(id>>32))
		binary.LittleEndian.PutUint32(b[4:], uint32(id))
		w.write(b[:])
		return w.err == nil
	})
	w.end(sectionIDs)
	w.begin(SectionIDFilter)
	if err == nil && w.footer.span.Others { // ids of version 7 are excluded by the span
		err = w.idFilter(each)
	}
	w.end(SectionIDFilter)
	if err != nil {
		w.fail(err)
	}
}

// idFilter writes the filter of the ids, block by block.
func (w *indexWriter) idFilter(each func(yield func(id uint64) bool) error) error {
	var block [format.BloomBlock]byte
	place, size := 0, format.BloomSize(int(w.footer.Count))
	next := func() {
		w.write(block[:])
		clear(block[:])
		place += format.BloomBlock
	}
	err := each(func(id uint64) bool {
		hash := format.IDFilterHash(uint32(id >> 32))
		for place < format.BloomPlace(hash, size) {
			next()
		}
		format.BloomAdd(block[:], hash)
		return w.err == nil
	})
	for place < size && err == nil && w.err == nil {
		next()
	}
	return err
}
