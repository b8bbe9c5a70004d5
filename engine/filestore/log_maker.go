package filestore

import (
	"errors"
	"io/fs"
	"os"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
)

// nextTemp is the file that becomes the next segment. It is prepared while the segment before it
// fills up.
const nextTemp = "next.tmp"

var errStopped = errors.New("stopped")

// A segmentMaker makes segment files.
type segmentMaker struct {
	fs       vfs.FS
	dir      string
	prealloc Prealloc // resolved: not PreallocAuto
}

// prepare makes next.tmp with room for capacity bytes, and makes that room durable. Zeros are
// written as pace allows, at once if it is nil. prepare returns errStopped when the pace is
// stopped.
func (m *segmentMaker) prepare(capacity int64, pace *zeroPace) (vfs.File, error) {
	f, err := vfs.CreateEmpty(m.fs, vfs.Join(m.dir, nextTemp))
	if err != nil {
		return nil, err
	}
	switch m.prealloc {
	case PreallocZero:
		// Blocks are reserved first, so that a disk that is about to be full tells early. A file
		// system that cannot do that has room or not.
		if err = f.Preallocate(capacity); err == nil || !vfs.IsFull(err) {
			err = layZeros(f, capacity, pace)
		}
	case PreallocReserve:
		err = f.Preallocate(capacity)
	}
	if err == nil {
		err = f.Fsync()
	}
	if err != nil {
		f.Close()
		m.discard()
		return nil, err
	}
	return f, nil
}

// discard removes next.tmp, if it is there.
func (m *segmentMaker) discard() error {
	err := m.fs.Remove(vfs.Join(m.dir, nextTemp))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// name gives next.tmp, which is f, its header and then, when all of it is durable, its name. It
// closes f. When it returns nil the segment is durably there. named tells whether the name may be
// there, durable or not.
func (m *segmentMaker) name(f vfs.File, h *format.SegmentHeader) (named bool, err error) {
	name := vfs.Join(m.dir, format.SegmentFileName(h.Number, h.Generation))
	if sabotage.On(sabotage.HeaderAfterRename) {
		if named, err := m.rename(f, name); err != nil {
			return named, err
		}
		if f, err = m.fs.Open(name, os.O_RDWR); err != nil {
			return true, err
		}
		err = writeHeader(f, h)
		f.Close()
		return true, err
	}
	if err := writeHeader(f, h); err != nil {
		f.Close()
		return false, err
	}
	return m.rename(f, name)
}

// rename closes next.tmp, which is f, and gives it its name, durably. (Some systems do not rename a
// file that is open.)
func (m *segmentMaker) rename(f vfs.File, name string) (named bool, err error) {
	if err := f.Close(); err != nil {
		return false, err
	}
	if err := m.fs.Rename(vfs.Join(m.dir, nextTemp), name); err != nil {
		return false, err
	}
	return true, m.fs.SyncDir(m.dir)
}

// writeHeader writes the first page of a segment and makes the file durable.
func writeHeader(f vfs.File, h *format.SegmentHeader) error {
	if err := vfs.WriteFull(f, h.Encode(), 0); err != nil {
		return err
	}
	return f.Fsync()
}

// zeroChunk is how many zeros are written and synced at a time: little enough not to hold up a
// commit for long.
const zeroChunk = 256 << 10

// layZeros fills a new file with zeros, as pace allows.
func layZeros(f vfs.File, capacity int64, pace *zeroPace) error {
	for off := int64(0); off < capacity; {
		end := min(off+zeroChunk, capacity)
		if err := pace.until(end); err != nil {
			return err
		}
		if err := writeZeros(f, off, end); err != nil {
			return err
		}
		if pace != nil {
			if err := vfs.WriteBack(f, off, end-off); err != nil {
				return err
			}
		}
		off = end
	}
	return nil
}

// zeros is what writeZeros writes. Nobody writes to it.
var zeros [zeroChunk]byte

// writeZeros writes zeros from off up to end.
func writeZeros(f vfs.File, off, end int64) error {
	for off < end {
		n := min(end-off, int64(len(zeros)))
		if err := vfs.WriteFull(f, zeros[:n], off); err != nil {
			return err
		}
		off += n
	}
	return nil
}
