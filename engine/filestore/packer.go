package filestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/klauspost/compress/zstd"
)

// A packer compresses one segment. It holds two blocks and the map in memory, and what the compression itself needs.
type packer struct {
	encoder *zstd.Encoder
	plain   []byte
	packed  []byte
	entries []byte // the map
	end     int64  // of what has been written
}

func newPacker() (*packer, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithWindowSize(packedBlockSize), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("eventfold: compress: %w", err)
	}
	return &packer{encoder: encoder, plain: make([]byte, packedBlockSize)}, nil
}

// pack writes the first size bytes of a segment to f, compressed, under the header h, and makes f durable.
func (p *packer) pack(ctx context.Context, f vfs.File, seg *segment, h *segmentHeader, size int64) error {
	defer p.encoder.Close()
	p.end = segmentHeaderSize
	at := place{store: h.store, segment: h.number, offset: segmentHeaderSize}
	for at.offset < size {
		if err := ctx.Err(); err != nil {
			return err
		}
		plain := p.plain[:min(packedBlockSize, size-at.offset)]
		if n, err := seg.file.ReadAt(plain, at.offset); n < len(plain) {
			return wrap("compress "+seg.name, errors.Join(errSegmentShort, vfs.IgnoreEOF(err)))
		}
		if err := p.block(f, plain, at); err != nil {
			return writeError("compress "+seg.name, err)
		}
		at.offset += int64(len(plain))
	}
	return writeError("compress "+seg.name, p.finish(f, h, size))
}

// block writes one block. One that does not get smaller is stored as it is; its size tells.
func (p *packer) block(f vfs.File, plain []byte, at place) error {
	p.packed = p.encoder.EncodeAll(plain, p.packed[:0])
	stored := p.packed
	if len(stored) >= len(plain) {
		stored = plain
	}
	if err := vfs.WriteFull(f, stored, p.end); err != nil {
		return err
	}
	p.entries = binary.LittleEndian.AppendUint32(p.entries, uint32(len(stored)))
	p.entries = binary.LittleEndian.AppendUint32(p.entries, packedCRC(at, stored))
	p.end += int64(len(stored))
	return nil
}

// finish writes map and header.
func (p *packer) finish(f vfs.File, h *segmentHeader, size int64) error {
	l := packedLayout{size: size, blocks: uint32(len(p.entries) / packedEntry), mapCRC: crc32c(p.entries)}
	l.maps[0] = alignUp(p.end, pageSize)
	l.maps[1] = alignUp(l.maps[0]+int64(len(p.entries)), pageSize)
	for _, at := range l.maps {
		if err := vfs.WriteFull(f, p.entries, at); err != nil {
			return err
		}
	}
	page := h.encode()
	l.put(page)
	if err := vfs.WriteFull(f, page, 0); err != nil {
		return err
	}
	return f.Fsync()
}
