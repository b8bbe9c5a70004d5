package filestore

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// tailBuffers are for reading TAIL, which every ReadIndex of a store that does not write does.
var tailBuffers = sync.Pool{New: func() any { return new([tailSlotSize + tailBytes]byte) }}

// readTail returns the slots of an open TAIL that check, the newest first.
func readTail(f vfs.File) ([]tailSlot, error) {
	b := tailBuffers.Get().(*[tailSlotSize + tailBytes]byte)
	defer tailBuffers.Put(b)
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var slots []tailSlot
	for at := 0; at+tailBytes <= n; at += tailSlotSize {
		if t, ok := decodeTailSlot(b[at:]); ok {
			slots = append(slots, t)
		}
	}
	if len(slots) == 2 && slots[1].sequence > slots[0].sequence {
		slots[0], slots[1] = slots[1], slots[0]
	}
	return slots, nil
}

// A tailWriter writes TAIL. It belongs to the writer.
type tailWriter struct {
	file vfs.File
	last tailSlot // as written
	buf  [tailBytes]byte
	dirt bool // written since the last sync
}

// openTailWriter opens TAIL for writing, creating it if need be.
func openTailWriter(fs vfs.FS, dir string, store uuid.UUID) (*tailWriter, error) {
	f, err := vfs.OpenFile(fs, vfs.Join(dir, tailName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	w := &tailWriter{file: f, last: tailSlot{store: store}}
	slots, err := readTail(f)
	if err == nil {
		err = w.makeRoom()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	for _, t := range slots {
		w.last.sequence = max(w.last.sequence, t.sequence)
	}
	return w, nil
}

// makeRoom gives the file both its pages, so that no later write changes its size.
func (w *tailWriter) makeRoom() error {
	size, err := w.file.Size()
	if err != nil || size >= 2*tailSlotSize {
		return err
	}
	if err := vfs.WriteFull(w.file, make([]byte, 2*tailSlotSize-size), size); err != nil {
		return err
	}
	return w.file.Fsync()
}

// write writes the next slot: everything before durable is.
func (w *tailWriter) write(segment int64, generation uint32, flags uint32, durable *logEnd) error {
	w.last.segment, w.last.generation, w.last.flags = segment, generation, flags
	w.last.offset, w.last.next, w.last.chain = durable.offset, durable.next, durable.chain
	w.last.sequence++
	w.last.put(w.buf[:])
	w.dirt = true
	return vfs.WriteFull(w.file, w.buf[:], int64(w.last.sequence%2)*tailSlotSize)
}

// sync makes the slots durable, if they are not.
func (w *tailWriter) sync() error {
	if !w.dirt {
		return nil
	}
	w.dirt = false
	return w.file.Fdatasync()
}

// untouched reports whether the slot written last is still there, unless it cannot be read: nobody else writes to TAIL while the write lock is held, but
// whoever restores files into the directory does.
func (w *tailWriter) untouched() bool {
	var b [tailBytes]byte
	if n, err := w.file.ReadAt(b[:], int64(w.last.sequence%2)*tailSlotSize); n < len(b) {
		return err != nil && !errors.Is(err, io.EOF)
	}
	return b == w.buf
}
