package filestore

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// tailBuffers are for reading TAIL, which every ReadIndex of a store that does not write does.
var tailBuffers = sync.Pool{New: func() any { return new([format.TailSlotSize + format.TailBytes]byte) }}

// readTail returns the slots of an open TAIL that check, the newest first.
func readTail(f vfs.File) ([]format.TailSlot, error) {
	b := tailBuffers.Get().(*[format.TailSlotSize + format.TailBytes]byte)
	defer tailBuffers.Put(b)
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var slots []format.TailSlot
	for at := 0; at+format.TailBytes <= n; at += format.TailSlotSize {
		if t, ok := format.DecodeTailSlot(b[at:]); ok {
			slots = append(slots, t)
		}
	}
	if len(slots) == 2 && slots[1].Sequence > slots[0].Sequence {
		slots[0], slots[1] = slots[1], slots[0]
	}
	return slots, nil
}

// A tailWriter writes TAIL. It belongs to the writer.
type tailWriter struct {
	file vfs.File
	last format.TailSlot // as written
	buf  [format.TailBytes]byte
	dirt bool // written since the last sync
}

// openTailWriter opens TAIL for writing, creating it if need be.
func openTailWriter(fs vfs.FS, dir string, store uuid.UUID) (*tailWriter, error) {
	f, err := vfs.OpenFile(fs, vfs.Join(dir, format.TailName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	w := &tailWriter{file: f, last: format.TailSlot{Store: store}}
	slots, err := readTail(f)
	if err == nil {
		err = w.makeRoom()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	for _, t := range slots {
		w.last.Sequence = max(w.last.Sequence, t.Sequence)
	}
	return w, nil
}

// makeRoom gives the file both its pages, so that no later write changes its size.
func (w *tailWriter) makeRoom() error {
	size, err := w.file.Size()
	if err != nil || size >= 2*format.TailSlotSize {
		return err
	}
	if err := vfs.WriteFull(w.file, make([]byte, 2*format.TailSlotSize-size), size); err != nil {
		return err
	}
	return w.file.Fsync()
}

// write writes the next slot: everything before durable is.
func (w *tailWriter) write(segment int64, generation uint32, flags uint32, durable *logEnd) error {
	w.last.Segment, w.last.Generation, w.last.Flags = segment, generation, flags
	w.last.Offset, w.last.Next, w.last.Chain = durable.offset, durable.next, durable.chain
	w.last.Sequence++
	w.last.Put(w.buf[:])
	w.dirt = true
	return vfs.WriteFull(w.file, w.buf[:], int64(w.last.Sequence%2)*format.TailSlotSize)
}

// sync makes the slots durable, if they are not.
func (w *tailWriter) sync() error {
	if !w.dirt {
		return nil
	}
	w.dirt = false
	return w.file.Fdatasync()
}

// untouched reports whether the slot written last is still there, unless it cannot be read: nobody
// else writes to TAIL while the write lock is held, but whoever restores files into the directory
// does.
func (w *tailWriter) untouched() bool {
	var b [format.TailBytes]byte
	if n, err := w.file.ReadAt(b[:], int64(w.last.Sequence%2)*format.TailSlotSize); n < len(b) {
		return err != nil && !errors.Is(err, io.EOF)
	}
	return b == w.buf
}
