package spill

import (
	"context"
	"encoding/binary"
)

// A List keeps records in their order. They are written, and then read as often as one likes.
type List struct {
	file   *File
	blocks []Block
	buf    []byte // of the block to come
	count  int64
	most   int // bytes of the longest block
}

// NewList returns an empty list of a file.
func (f *File) NewList() *List { return &List{file: f} }

// Count returns how many records there are.
func (l *List) Count() int64 { return l.count }

// Longest returns how many bytes reading the list takes: those of its longest block, with its seal.
func (l *List) Longest() int64 { return int64(l.most) }

// Append adds a record. It keeps none of it in memory but for what is less than one block.
func (l *List) Append(ctx context.Context, record []byte) error {
	if need := len(record) + binary.MaxVarintLen32; len(l.buf) > 0 && len(l.buf)+need > l.file.Slot() {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	if l.buf == nil {
		l.buf = make([]byte, 0, l.file.Slot())
	}
	l.buf = binary.AppendUvarint(l.buf, uint64(len(record)))
	l.buf = append(l.buf, record...)
	l.count++
	if len(l.buf) >= l.file.Slot() {
		return l.flush(ctx)
	}
	return nil
}

func (l *List) flush(ctx context.Context) error {
	block, err := l.file.Write(ctx, l.buf)
	if err != nil {
		return err
	}
	l.blocks, l.most = append(l.blocks, block), max(l.most, len(l.buf)+Overhead)
	if l.buf = l.buf[:0]; cap(l.buf) > 2*l.file.Slot() {
		l.buf = nil
	}
	return nil
}

// Finish writes what is still in memory. No record is added after it.
func (l *List) Finish(ctx context.Context) error {
	if len(l.buf) > 0 {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	l.buf = nil
	return nil
}

// Free gives up the records. The list is empty then.
func (l *List) Free() {
	for _, b := range l.blocks {
		l.file.Free(b)
	}
	l.blocks, l.buf, l.count, l.most = nil, nil, 0, 0
}

// A Reader gives the records of a list.
type Reader struct {
	list  *List
	next  int // block
	buf   []byte
	rest  []byte
	fresh bool
	again []byte // the last record
	back  bool   // it is the next one
}

// Read begins at the first record. fresh says that each block has memory of its own, so that a record
// lasts for as long as somebody has it; otherwise until the next one is read.
func (l *List) Read(fresh bool) *Reader { return &Reader{list: l, fresh: fresh} }

// Next returns the next record; ok is false behind the last one.
func (r *Reader) Next(ctx context.Context) (record []byte, ok bool, err error) {
	if r.back {
		r.back = false
		return r.again, true, nil
	}
	if len(r.rest) == 0 {
		if r.next >= len(r.list.blocks) {
			r.buf = nil
			return nil, false, nil
		}
		if r.fresh {
			r.buf = nil
		}
		r.buf, err = r.list.file.Read(ctx, r.list.blocks[r.next], r.buf)
		if err != nil {
			return nil, false, err
		}
		r.next++
		r.rest = r.buf
	}
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		return nil, false, r.list.file.fault(ErrDamaged)
	}
	end := size + int(n)
	record, r.rest = r.rest[size:end:end], r.rest[end:]
	r.again = record
	return record, true, nil
}

// Blocks returns how many blocks have been read.
func (r *Reader) Blocks() int { return r.next }

// Back makes the last record the next one again.
func (r *Reader) Back() { r.back = true }

// Sibling returns an empty list of the same file.
func (l *List) Sibling() *List { return l.file.NewList() }
