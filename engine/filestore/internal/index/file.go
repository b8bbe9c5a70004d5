package index

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine/filestore/internal/clock"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
	"github.com/google/uuid"
)

// A File answers from an index file. Blocks come through the store's cache, every block read from
// the disk is checked; fences and, while there is room, filters are read at first use and stay in
// memory. An answer that cannot be given because the file is damaged is an *Damage.
type File struct {
	Footer
	Name  string
	File  vfs.File
	Cache *BlockCache
	ID    uint32 // of the file in the cache
	CRC   uint32 // with which those of the blocks begin
	seed  uint64 // of the hashes

	loading  sync.Mutex // held by whoever reads fences or a filter
	fences   [Dictionaries]atomic.Pointer[fenceTable]
	Filters  [Dictionaries + 1]atomic.Pointer[filter] // the last is that of the ids
	reserved int64                                    // bytes of filters in memory; under loading
}

// ErrOther is why a file that is whole is not the index that is asked for.
var ErrOther = errors.New("it is the index of another segment, or of an earlier state of this one")

// OpenFile opens the index file of the events that m describes. A file that is about other events,
// or has no footer that checks, is an *Damage.
func OpenFile(fsys vfs.FS, name string, m Meta, cache *BlockCache) (*File, error) {
	x, err := OpenAnyFile(fsys, name, m, cache)
	if err != nil {
		return nil, err
	}
	if x.Meta != m {
		return nil, errors.Join(&Damage{name, -1, ErrOther}, x.Close())
	}
	return x, nil
}

// OpenAnyFile opens an index file of the segment that m names. It may be about fewer or more events
// than m says.
func OpenAnyFile(fsys vfs.FS, name string, m Meta, cache *BlockCache) (*File, error) {
	f, err := vfs.OpenToRead(fsys, name)
	if err != nil {
		return nil, err
	}
	x := &File{
		Name:  name,
		File:  f,
		Cache: cache,
		ID:    cache.NewFile(),
		CRC:   m.BlockSeed(),
		seed:  format.IndexSeed(m.Store),
	}
	if err := x.readFooter(m); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	x.File = cache.Opened.Add(f, func() (vfs.File, error) { return x.again(fsys) })
	return x, nil
}

func (x *File) readFooter(m Meta) error {
	size, err := x.File.Size()
	if err != nil {
		return x.Damage(-1, err)
	}
	if size == 0 || size%BlockSize != 0 || size/BlockSize > 1<<31 {
		return x.Damage(-1, errIndexSize)
	}
	blocks := uint32(size / BlockSize)
	block := make([]byte, BlockSize)
	if err := x.readBlock(blocks-1, block); err != nil {
		return err
	}
	footer, err := DecodeFooter(block, blocks)
	if err != nil {
		return x.Damage(int64(blocks-1), err)
	}
	if footer.Store != m.Store || footer.Number != m.Number || footer.Generation != m.Generation ||
		footer.Base != m.Base {
		return x.Damage(-1, ErrOther)
	}
	x.Footer = *footer
	return nil
}

// again opens the file once more. It is an *Damage if it has been replaced by another one.
func (x *File) again(fsys vfs.FS) (vfs.File, error) {
	f, err := vfs.OpenToRead(fsys, x.Name)
	if err != nil {
		return nil, err
	}
	y := &File{Name: x.Name, File: f, CRC: x.CRC}
	if err = y.readFooter(x.Meta); err == nil && y.Footer != x.Footer {
		err = x.Damage(-1, ErrOther)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close releases the file and the memory. Calls that come later, or run now, may return
// fs.ErrClosed.
func (x *File) Close() error {
	x.loading.Lock()
	x.Cache.ReleaseFilter(x.reserved)
	x.reserved = 0
	x.loading.Unlock()
	return x.File.Close()
}

// Damage says what is wrong with a block, or with the file if block is -1.
func (x *File) Damage(block int64, err error) error {
	if errors.Is(err, fs.ErrClosed) {
		return err
	}
	return &Damage{x.Name, block, err}
}

var (
	errIndexCRC    = errors.New("its checksum does not fit")
	errIndexDecode = errors.New("its content makes no sense")
)

// readBlock reads a block from the disk and checks it.
func (x *File) readBlock(block uint32, into []byte) error {
	n, err := x.File.ReadAt(into, int64(block)*BlockSize)
	if n < BlockSize {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return x.Damage(int64(block), err)
	}
	content := into[:BlockPayload]
	if binary.LittleEndian.Uint32(into[BlockPayload:]) != BlockCRC(x.CRC, block, content) &&
		!sabotage.On(sabotage.IndexWithoutCRC) {
		return x.Damage(int64(block), errIndexCRC)
	}
	return nil
}

// A blockReader reads the content of an index file for one goroutine. It holds at most one block.
// done releases it.
type blockReader struct {
	x     *File
	block uint32
	held  clock.Held
	split [64]byte            // content that lies in two blocks
	key   [math.MaxUint8]byte // of a leafCursor
}

// blockReaders are those that nobody uses; their buffers would otherwise be made for every
// question.
var blockReaders = sync.Pool{New: func() any { return new(blockReader) }}

// Reader returns a reader, of which done must be called.
func (x *File) Reader() *blockReader {
	r := blockReaders.Get().(*blockReader)
	r.x = x
	return r
}

func (r *blockReader) Done() {
	r.held.Release()
	r.x = nil
	blockReaders.Put(r)
}

// blockBuffers are for blocks on their way from the disk to the cache.
var blockBuffers = sync.Pool{New: func() any { return new([BlockSize]byte) }}

// load returns the content of a block. It stays as it is until the next load, or done.
func (r *blockReader) load(block uint32) ([]byte, error) {
	if r.held.Block != nil && r.block == block {
		return r.held.Block, nil
	}
	r.held.Release()
	r.block = block
	var ok bool
	if r.held, ok = r.x.Cache.Get(r.x.ID, block); ok {
		return r.held.Block, nil
	}
	buffer := blockBuffers.Get().(*[BlockSize]byte)
	if err := r.x.readBlock(block, buffer[:]); err != nil {
		blockBuffers.Put(buffer)
		return nil, err
	}
	r.held = r.x.Cache.Put(r.x.ID, block, buffer[:BlockPayload])
	if !r.held.Own() {
		blockBuffers.Put(buffer)
	}
	return r.held.Block, nil
}

// bytes returns the n bytes of content at an address of a section. They stay as they are until the
// next call. n is at most len(r.split).
func (r *blockReader) bytes(section int, at uint64, n int) ([]byte, error) {
	s := r.x.Sections[section]
	if at > s.Size || uint64(n) > s.Size-at {
		return nil, r.x.Damage(int64((s.Start+at)/BlockPayload), errIndexDecode)
	}
	b, err := r.from(section, at)
	if err != nil || len(b) >= n {
		return b[:min(n, len(b))], err
	}
	have := copy(r.split[:], b)
	if b, err = r.from(section, at+uint64(have)); err != nil {
		return nil, err
	}
	copy(r.split[have:n], b)
	return r.split[:n], nil
}

// from returns the content from an address of a section to the end of the block or of the section.
func (r *blockReader) from(section int, at uint64) ([]byte, error) {
	s := r.x.Sections[section]
	address := s.Start + at
	b, err := r.load(uint32(address / BlockPayload))
	if err != nil {
		return nil, err
	}
	b = b[address%BlockPayload:]
	return b[:min(uint64(len(b)), s.Size-at)], nil
}

// All reads a whole section into new memory. That grows with what has been read and checked: a
// section's size alone, in a file of holes, takes none.
func (r *blockReader) All(section int) ([]byte, error) {
	out := make([]byte, 0, min(r.x.Sections[section].Size, indexReadFirst))
	for uint64(len(out)) < r.x.Sections[section].Size {
		b, err := r.from(section, uint64(len(out)))
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}

// indexReadFirst is how much memory a section gets before anything of it has been read, in bytes.
const indexReadFirst = 256 << 10

// garbled says that content which checks makes no sense.
func (r *blockReader) garbled() error { return r.x.Damage(int64(r.block), errIndexDecode) }

// column returns the number of event ord from a column.
func (r *blockReader) column(groups, data int, ord uint32) (uint64, error) {
	base, at, width, err := r.group(groups, ord/Group)
	if err != nil {
		return 0, err
	}
	return r.member(data, base, at, width, ord%Group)
}

// group returns the first number of a group and where its differences are.
func (r *blockReader) group(section int, g uint32) (base, at uint64, width int, err error) {
	b, err := r.bytes(section, uint64(g)*columnGroupSize, columnGroupSize)
	if err != nil {
		return 0, 0, 0, err
	}
	base, at = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	if width = int(at & 255); width > 8 {
		return 0, 0, 0, r.garbled()
	}
	return base, at >> 8, width, nil
}

func (r *blockReader) member(section int, base, at uint64, width int, i uint32) (uint64, error) {
	if width == 0 {
		return base, nil
	}
	b, err := r.bytes(section, at+uint64(i)*uint64(width), width)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	return base + binary.LittleEndian.Uint64(wide[:]), nil
}

// Offset implements Index.
func (x *File) Offset(ord uint32) (int64, error) {
	if ord >= x.Count() {
		return 0, noOrdinal(ord, x.Count())
	}
	r := x.Reader()
	defer r.Done()
	off, err := r.column(sectionOffsetGroups, sectionOffsets, ord)
	return int64(off), err
}

// RecordedAt implements Index.
func (x *File) RecordedAt(ord uint32) (int64, error) {
	if ord >= x.Count() {
		return 0, noOrdinal(ord, x.Count())
	}
	r := x.Reader()
	defer r.Done()
	micros, err := r.column(sectionTimeGroups, sectionTimes, ord)
	return int64(micros), err
}

// Count returns the number of events.
func (x *File) Count() uint32 { return x.Meta.Count }

// Frame implements Index.
func (x *File) Frame(ord uint32) (off int64, first uint32, err error) {
	if ord >= x.Count() {
		return 0, 0, noOrdinal(ord, x.Count())
	}
	r := x.Reader()
	defer r.Done()
	b, err := r.bytes(sectionFrames, uint64(ord/Group)*frameEntrySize, frameEntrySize)
	if err != nil {
		return 0, 0, err
	}
	off, first = int64(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint32(b[4:])
	if first > ord {
		return 0, 0, r.garbled()
	}
	return off, first, nil
}

// Since implements Index.
func (x *File) Since(micros int64, limit uint32) (uint32, error) {
	r := x.Reader()
	defer r.Done()
	limit = min(limit, x.Count())
	groups := int((limit + Group - 1) / Group)
	var failed error
	g := sort.Search(groups, func(g int) bool { // the first group that begins at or after micros
		base, _, _, err := r.group(sectionTimeGroups, uint32(g))
		failed = errors.Join(failed, err)
		return int64(base) >= micros
	})
	if failed != nil || g == 0 {
		return 0, failed
	}
	first := uint32(g-1) * Group
	base, at, width, err := r.group(sectionTimeGroups, uint32(g-1))
	if err != nil {
		return 0, err
	}
	i := sort.Search(int(min(Group, limit-first)), func(i int) bool {
		t, err := r.member(sectionTimes, base, at, width, uint32(i))
		failed = errors.Join(failed, err)
		return int64(t) >= micros
	})
	return first + uint32(i), failed
}

func (x *File) idSpan() format.IDSpan { return x.span }

// Candidates implements Index.
func (x *File) Candidates(id uuid.UUID, limit uint32, dst []uint32) ([]uint32, error) {
	if !x.span.MayHold(&id) || x.Count() == 0 {
		return dst, nil
	}
	r := x.Reader()
	defer r.Done()
	fingerprint := uint32(format.HashID(x.seed, &id) >> 32)
	if !format.IsOrdered(&id) {
		if has, err := r.mayHave(idFilter, format.IDFilterHash(fingerprint)); !has || err != nil {
			return dst, err
		}
	}
	for i, err := r.findID(fingerprint); ; i++ {
		if err != nil {
			return dst, err
		}
		if i == x.Count() {
			return dst, nil
		}
		var f, ord uint32
		if f, ord, err = r.idEntry(i); err == nil && f != fingerprint {
			return dst, nil
		}
		if err == nil && ord < limit {
			dst = append(dst, ord)
		}
	}
}

func (r *blockReader) idEntry(i uint32) (fingerprint, ord uint32, err error) {
	b, err := r.bytes(sectionIDs, uint64(i)*idEntrySize, idEntrySize)
	if err != nil {
		return 0, 0, err
	}
	return binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), nil
}

// findID returns the number of the first id entry whose fingerprint is not less. Fingerprints are
// spread evenly, so the search begins where the entry must be, give or take the square root of
// their number.
func (r *blockReader) findID(fingerprint uint32) (uint32, error) {
	n := int64(r.x.Count())
	guess := int64(uint64(fingerprint) * uint64(n) >> 32)
	var failed error
	notLess := func(i int64) bool {
		f, _, err := r.idEntry(uint32(i))
		failed = errors.Join(failed, err)
		return err != nil || f >= fingerprint
	}
	lo, hi := guess, guess
	for step := int64(32); lo > 0 && notLess(lo-1); step *= 2 {
		hi, lo = lo-1, max(0, lo-step)
	}
	if lo == guess { // the entry before the guess is less: search behind it
		for step := int64(32); hi < n && !notLess(hi); step *= 2 {
			lo, hi = hi+1, min(n, hi+step)
		}
	}
	i := lo + int64(sort.Search(int(hi-lo), func(i int) bool { return notLess(lo + int64(i)) }))
	return uint32(i), failed
}

func (x *File) fingerprints(dst []uint64) ([]uint64, error) {
	r := x.Reader()
	defer r.Done()
	for i := range x.Count() {
		f, ord, err := r.idEntry(i)
		if err != nil {
			return dst, err
		}
		dst = append(dst, uint64(f)<<32|uint64(ord))
	}
	return dst, nil
}

// idFilter is the number of the filter of ids, behind those of the dictionaries.
const idFilter = Dictionaries

func filterSection(d Dictionary) int {
	if d == idFilter {
		return SectionIDFilter
	}
	return KeysSection(d, KeysFilter)
}

// A filter is a Bloom filter in memory, or the knowledge that it stays on the disk.
type filter struct{ Bits []byte } // nil if it stays on the disk

// mayHave asks a filter for a hash.
func (r *blockReader) mayHave(d Dictionary, hash uint64) (bool, error) {
	f := r.x.Filters[d].Load()
	if f == nil {
		var err error
		if f, err = r.loadFilter(d); err != nil {
			return false, err
		}
	}
	section := filterSection(d)
	size := int(r.x.Sections[section].Size)
	if size == 0 {
		return false, nil // a filter of no keys
	}
	at := format.BloomPlace(hash, size)
	if f.Bits != nil {
		return format.BloomHas(f.Bits[at:], hash), nil
	}
	b, err := r.bytes(section, uint64(at), format.BloomBlock)
	return err == nil && format.BloomHas(b, hash), err
}

// Excludes reports whether a filter that is in memory proves that the file has no key with the
// hash.
func (x *File) Excludes(d Dictionary, hash uint64) bool {
	f := x.Filters[d].Load()
	return f != nil && len(f.Bits) > 0 && !format.BloomHas(f.Bits[format.BloomPlace(hash, len(f.Bits)):], hash)
}

// loadFilter decides whether a filter is kept in memory, and reads it if so.
func (r *blockReader) loadFilter(d Dictionary) (*filter, error) {
	x := r.x
	x.loading.Lock()
	defer x.loading.Unlock()
	if f := x.Filters[d].Load(); f != nil {
		return f, nil
	}
	f := &filter{}
	size := int64(x.Sections[filterSection(d)].Size)
	if x.Cache.ReserveFilter(size, x.Run) {
		bits, err := r.All(filterSection(d))
		if err != nil {
			x.Cache.ReleaseFilter(size)
			return nil, err
		}
		f.Bits = bits
		x.reserved += size
	}
	x.Filters[d].Store(f)
	return f, nil
}
