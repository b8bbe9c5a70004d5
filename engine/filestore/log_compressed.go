package filestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A compressedFile reads a compressed segment as if it were not compressed: offsets are those of
// the bytes as they were written, and the header has no word of compression. It cannot be written
// to.
//
// A block that is damaged reads as zeros, after a second attempt, so that no frame and no record in
// it checks and whoever reads meets damage where it is, as in a segment that is not compressed, and
// can go on behind it.
type compressedFile struct {
	file   vfs.File
	name   string
	place  format.Place // of the segment
	layout format.PackedLayout
	ends   []uint32 // of each block, its end behind the first page of the file
	crcs   []uint32
	cache  *plainCache
	ID     uint32 // of the file in the cache
}

var _ vfs.File = (*compressedFile)(nil)

// unpack returns f and h, the header of f, as they are to be used: of a compressed segment, a file
// that reads it, and the header it had. Otherwise the error is ErrLayout, ErrMap, a *FormatError,
// or one of reading; f stays open.
func (c *plainCache) unpack(f vfs.File, h format.SegmentHeader, name string) (vfs.File, format.SegmentHeader, error) {
	if h.Incompatible&format.FeatureCompressed == 0 {
		return f, h, nil
	}
	page := make([]byte, format.SegmentHeaderSize)
	n, err := f.ReadAt(page, 0)
	if n < len(page) && vfs.IgnoreEOF(err) != nil {
		return f, h, fmt.Errorf("eventfold: read %s: %w", name, err)
	}
	z := &compressedFile{
		file:  f,
		name:  name,
		place: format.Place{Store: h.Store, Segment: h.Number},
		cache: c,
		ID:    c.files.Add(1),
	}
	if z.layout, err = format.DecodeLayout(page[:n], name); err != nil {
		return f, h, err
	}
	if err := z.readMap(); err != nil {
		return f, h, err
	}
	return z, h.Unpacked(), nil
}

// readMap reads the map of the blocks.
func (z *compressedFile) readMap() error {
	b := make([]byte, int(z.layout.Blocks)*format.PackedEntry)
	for _, at := range z.layout.Maps {
		n, err := z.file.ReadAt(b, at)
		if n < len(b) && vfs.IgnoreEOF(err) != nil {
			return fmt.Errorf("eventfold: read %s: %w", z.name, err)
		}
		if n == len(b) && format.CRC(b) == z.layout.MapCRC && z.decodeMap(b) {
			return nil
		}
	}
	return format.ErrMap
}

// decodeMap decodes the map, whose checksum is right.
func (z *compressedFile) decodeMap(b []byte) bool {
	z.ends, z.crcs = make([]uint32, z.layout.Blocks), make([]uint32, z.layout.Blocks)
	end := int64(0)
	for i := range z.ends {
		stored := int64(binary.LittleEndian.Uint32(b[i*format.PackedEntry:]))
		end += stored
		if stored > int64(z.plainSize(i)) || end > format.MaxPackedEnd {
			return false
		}
		z.ends[i], z.crcs[i] = uint32(end), binary.LittleEndian.Uint32(b[i*format.PackedEntry+4:])
	}
	return true
}

// plainSize returns how many bytes of the segment are in block i.
func (z *compressedFile) plainSize(i int) int {
	return int(min(z.layout.Block, z.layout.Size-format.SegmentHeaderSize-int64(i)*z.layout.Block))
}

// Size returns the size of the segment before it was compressed.
func (z *compressedFile) Size() (int64, error) { return z.layout.Size, nil }

// Close closes the file.
func (z *compressedFile) Close() error { return z.file.Close() }

// ReadAt reads bytes of the segment. An error is one of reading, not of what was read.
func (z *compressedFile) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, &fs.PathError{Op: "read", Path: z.name, Err: fs.ErrInvalid}
	}
	for n < len(p) && err == nil {
		at, got := off+int64(n), 0
		switch {
		case at >= z.layout.Size:
			err = io.EOF
		case at < format.SegmentHeaderSize:
			got, err = z.readHeader(p[n:], at)
		default:
			got, err = z.readBlock(p[n:], at-format.SegmentHeaderSize)
		}
		n += got
	}
	return n, err
}

// readHeader reads from the first page as it was. A damaged one reads as zeros.
func (z *compressedFile) readHeader(p []byte, off int64) (int, error) {
	page := make([]byte, format.SegmentHeaderSize)
	h, err := readSegmentHeader(z.file, z.name)
	if err == nil {
		h = h.Unpacked()
		page = h.Encode()
	} else if !errors.Is(err, format.ErrSegmentMagic) && !errors.Is(err, format.ErrSegmentCRC) {
		return 0, err
	}
	return copy(p, page[off:]), nil
}

// readBlock reads from the block that has the byte at off, which counts from the end of the first
// page. A whole block is not kept in the cache: who reads so much goes on to the next.
func (z *compressedFile) readBlock(p []byte, off int64) (int, error) {
	i, skip := int(off/z.layout.Block), int(off%z.layout.Block)
	size := z.plainSize(i)
	if n, ok := z.readCached(p, off); ok {
		return n, nil
	}
	if skip == 0 && len(p) >= size {
		_, err := z.plain(i, p[:size:size])
		return size, err
	}
	buf := z.cache.buffer()
	defer z.cache.buffers.Put(buf)
	ok, err := z.plain(i, buf[:size:size])
	if err != nil {
		return 0, err
	}
	if ok {
		z.keep(buf[:size], off-int64(skip))
	}
	return copy(p, buf[skip:size]), nil
}

// readCached reads from the piece of a block that has the byte at off, if the cache has it. Blocks
// of all sizes are cached in pieces of PackedBlockSize.
func (z *compressedFile) readCached(p []byte, off int64) (int, bool) {
	skip := off % format.PackedBlockSize
	size := min(format.PackedBlockSize, z.layout.Size-format.SegmentHeaderSize-(off-skip))
	held, ok := z.cache.blocks.Get(z.pieceAt(off), int(size))
	if !ok {
		return 0, false
	}
	defer held.Release()
	return copy(p, held.Block[skip:]), true
}

// keep puts a block, which begins at off, into the cache.
func (z *compressedFile) keep(block []byte, off int64) {
	for piece := range slices.Chunk(block, format.PackedBlockSize) {
		held := z.cache.blocks.Put(z.pieceAt(off), piece)
		held.Release()
		off += int64(len(piece))
	}
}

// pieceAt returns the key in the cache of the piece that has the byte at off.
func (z *compressedFile) pieceAt(off int64) uint64 {
	return uint64(z.ID)<<32 | uint64(off/format.PackedBlockSize)
}

// plain puts the content of block i into b, which has its size. ok is false if the block is
// damaged; then b is zero.
func (z *compressedFile) plain(i int, b []byte) (ok bool, err error) {
	begin := uint32(0)
	if i > 0 {
		begin = z.ends[i-1]
	}
	buf := z.cache.buffer()
	defer z.cache.buffers.Put(buf)
	stored := buf[:z.ends[i]-begin]
	at := z.place
	at.Offset = format.SegmentHeaderSize + int64(i)*z.layout.Block
	for range 2 { // what does not check is read once more
		n, err := z.file.ReadAt(stored, format.SegmentHeaderSize+int64(begin))
		if n < len(stored) && vfs.IgnoreEOF(err) != nil {
			return false, err
		}
		if n == len(stored) && format.PackedCRC(at, stored) == z.crcs[i] && z.cache.decode(stored, b) {
			return true, nil
		}
	}
	clear(b)
	return false, nil
}

// notForWriting returns the error of every method that would change the file.
func (z *compressedFile) notForWriting(op string) error {
	return &fs.PathError{Op: op, Path: z.name, Err: fs.ErrPermission}
}

// WriteAt fails: a complete segment never changes.
func (z *compressedFile) WriteAt([]byte, int64) (int, error) { return 0, z.notForWriting("write") }

// Truncate fails.
func (z *compressedFile) Truncate(int64) error { return z.notForWriting("truncate") }

// Preallocate fails.
func (z *compressedFile) Preallocate(int64) error { return z.notForWriting("preallocate") }

// Info describes the file as it is stored.
func (z *compressedFile) Info() (vfs.FileInfo, error) { return z.file.Info() }

// TryLock takes the lock of the file.
func (z *compressedFile) TryLock() error { return z.file.TryLock() }

// Fdatasync does nothing: there is nothing to make durable.
func (z *compressedFile) Fdatasync() error { return nil }

// Fsync does nothing.
func (z *compressedFile) Fsync() error { return nil }
