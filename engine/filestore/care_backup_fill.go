package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// fill makes the working directory and the backup in it.
func (b *backup) fill() error {
	if err := b.makeWork(); err != nil {
		return err
	}
	if len(b.index.view.segments) > 0 {
		m, err := b.segments()
		if err != nil {
			return err
		}
		if err := b.takeErased(); err != nil {
			return err
		}
		if err := b.describe(m); err != nil {
			return err
		}
	}
	if err := b.mark(); err != nil {
		return err
	}
	if _, err := b.store.checkHome(); err != nil {
		return err
	}
	return b.checkFilled()
}

// makeWork makes the working directory.
func (b *backup) makeWork() error {
	name, err := b.freeName()
	if err != nil {
		return err
	}
	if err := b.dst.Mkdir(name, b.mode); err != nil {
		return writeError("make "+name, err)
	}
	b.work = name
	return nil
}

// segments puts all segments into the working directory and returns the manifest that lists them.
// The last one is copied up to the head, without a seal, also if it has become complete since.
func (b *backup) segments() (*format.Manifest, error) {
	segs := b.index.view.segments
	b.meter = newMeter(b.ctx, b.index.bytes())
	m := &format.Manifest{Store: b.id(), First: segs[0].base}
	var err error
	if m.Erased, err = b.index.erasedBefore(b.ctx); err != nil {
		return nil, err
	}
	for i, seg := range segs {
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
		last := i+1 == len(segs) || segs[i+1].base >= b.index.head
		var entry format.ManifestSegment
		var err error
		if last {
			entry, err = b.copyStart(seg)
		} else {
			entry, err = seg.sealed.Load().entry(seg), b.takeWhole(seg)
		}
		if err != nil {
			return nil, err
		}
		m.Segments = append(m.Segments, entry)
		b.report.Segments++
		if last {
			break // what follows was added after Backup began
		}
	}
	return m, nil
}

// entry returns what MANIFEST says of a complete segment.
func (s *sealedInfo) entry(seg *segment) format.ManifestSegment {
	return format.ManifestSegment{
		Number:     seg.number,
		Generation: seg.generation,
		Sealed:     true,
		Base:       seg.base,
		End:        s.end,
		Next:       seg.base + engine.Position(s.count),
		LastChain:  s.lastChain,
		Least:      s.least,
		Greatest:   s.greatest,
	}
}

// takeWhole takes a complete segment, from the earlier backup if it has it, and its index file.
func (b *backup) takeWhole(seg *segment) error {
	name := format.SegmentFileName(seg.number, seg.generation)
	from := b.source(seg)
	err := b.take(from, from.seg.name, name)
	if errors.Is(err, fs.ErrNotExist) { // it has been replaced since Backup began, and is still open
		var size int64
		if size, err = from.seg.file.Size(); err == nil {
			err = b.copyTo(from.seg.file, size, vfs.Join(b.work, name))
		}
	}
	if err != nil {
		return err
	}
	err = b.take(from, from.seg.indexName(), filepath.Base(from.seg.indexName()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A backupSource is where a segment is taken from.
type backupSource struct {
	fs   vfs.FS
	seg  *segment
	link bool // its files are in the file system of the target
}

// source returns the segment in the earlier backup if that has it, or else in the store.
func (b *backup) source(seg *segment) backupSource {
	if b.old != nil {
		for _, o := range b.old.index.view.segments {
			if o.number == seg.number && o.header == seg.header && sameEnd(o, seg) {
				return backupSource{b.dst, o, true}
			}
		}
	}
	return backupSource{b.src, seg, b.linking}
}

// sameEnd reports whether two copies of a complete segment have the same last frame. Its checksum
// depends on those of all frames before it, so that copies in which other events are erased differ:
// a generation that a crash has undone has the number of the one that came instead.
func sameEnd(a, b *segment) bool {
	var ends [2][format.FrameTrailerSize]byte
	for i, seg := range []*segment{a, b} {
		sealed := seg.sealed.Load()
		if sealed == nil || sealed.end < format.SegmentHeaderSize+format.MinFrameSize {
			return false
		}
		if n, _ := seg.file.ReadAt(ends[i][:], sealed.end-format.FrameTrailerSize); n < format.FrameTrailerSize {
			return false
		}
	}
	return ends[0] == ends[1]
}

// take links a file into the working directory, or copies it where the system says that it cannot
// be linked.
func (b *backup) take(source backupSource, from, name string) error {
	info, err := source.fs.Stat(from)
	if err != nil {
		return wrap("back up "+from, err)
	}
	to := vfs.Join(b.work, name)
	if source.link {
		err := source.fs.Link(from, to)
		if err == nil {
			b.report.Linked += info.Size
			b.meter.add(info.Size)
			return nil
		}
		if !cannotLink(err) {
			return writeError("link "+to, err)
		}
	}
	src, err := source.fs.Open(from, os.O_RDONLY)
	if err != nil {
		return wrap("back up "+from, err)
	}
	defer src.Close()
	return b.copyTo(src, info.Size, to)
}

// cannotLink reports whether an error means that a file can have no other name there: on another
// file system, on one without links, for a file of somebody else, or because it has too many.
func cannotLink(err error) bool {
	for _, reason := range [...]error{syscall.EXDEV, syscall.EPERM, syscall.EMLINK, errors.ErrUnsupported} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// copyTo copies the first size bytes of a file to one that is not there.
func (b *backup) copyTo(src vfs.File, size int64, to string) error {
	f, err := createNew(b.dst, to)
	if err != nil {
		return writeError("create "+to, err)
	}
	defer f.Close()
	buf := make([]byte, min(size, 1<<20))
	for off := int64(0); off < size; {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		n, err := src.ReadAt(buf[:min(size-off, int64(len(buf)))], off)
		if n == 0 {
			return wrap("read for "+to, errors.Join(err, errSegmentShort))
		}
		if err := vfs.WriteFull(f, buf[:n], off); err != nil {
			return writeError("write "+to, err)
		}
		off += int64(n)
		b.report.Copied += int64(n)
		b.meter.add(int64(n))
	}
	return writeError("sync "+to, f.Fsync())
}

// copyStart copies the last segment up to the head, and checks what it copies.
func (b *backup) copyStart(seg *segment) (format.ManifestSegment, error) {
	s, err := newLogScanner(seg, startOf(&seg.header, 0))
	if err != nil {
		return format.ManifestSegment{}, err
	}
	least := int64(0)
	for s.end.next < b.index.head {
		f, err := s.next()
		if err != nil {
			return format.ManifestSegment{}, wrap("read "+seg.name, err)
		}
		if f == nil {
			return format.ManifestSegment{}, &engine.CorruptError{
				File:      seg.name,
				Segment:   seg.number,
				Offset:    s.end.offset,
				FirstLost: s.end.next,
				NextGood:  nextGood(seg, s.end),
				Reason:    s.why.Error(),
			}
		}
		if least == 0 {
			least = f.Micros
		}
		if err := b.ctx.Err(); err != nil {
			return format.ManifestSegment{}, err
		}
	}
	to := vfs.Join(b.work, format.SegmentFileName(seg.number, seg.generation))
	if err := b.copyTo(seg.file, s.end.offset, to); err != nil {
		return format.ManifestSegment{}, err
	}
	return format.ManifestSegment{Number: seg.number, Generation: seg.generation, Base: seg.base, End: s.end.offset,
		Next: s.end.next, LastChain: s.end.chain, Least: least, Greatest: s.end.micros}, nil
}

// describe writes TAIL and MANIFEST, and makes the names durable.
func (b *backup) describe(m *format.Manifest) error {
	last := &m.Segments[len(m.Segments)-1]
	slot := format.TailSlot{Store: m.Store, Segment: last.Number, Generation: last.Generation, Flags: format.TailClean,
		Offset: last.End, Next: last.Next, Sequence: 1, Chain: last.LastChain}
	tail := make([]byte, 2*format.TailSlotSize)
	slot.Put(tail[format.TailSlotSize:])
	if err := writeNew(b.dst, vfs.Join(b.work, format.TailName), tail); err != nil {
		return err
	}
	if err := writeNew(b.dst, vfs.Join(b.work, format.ManifestName), m.Encode()); err != nil {
		return err
	}
	return writeError("sync "+b.work, b.dst.SyncDir(b.work))
}

// mark writes the file BACKUP, last of all: where it is, the backup is whole.
func (b *backup) mark() error {
	run, err := b.newRun()
	if err != nil {
		return err
	}
	mark := backupMark{store: b.id(), run: run, head: b.report.Head, micros: b.now().UnixMicro()}
	if err := writeNew(b.dst, vfs.Join(b.work, backupName), mark.encode()); err != nil {
		return err
	}
	return writeError("sync "+b.work, b.dst.SyncDir(b.work))
}

// checkFilled opens the backup: its segments must follow each other up to the head, and each must
// have the seal that the store knows. Files that somebody has put in the place of the store's are
// noticed by that.
func (b *backup) checkFilled() error {
	s, err := b.open(b.work)
	if err != nil {
		return wrap("look at the backup that was made", err)
	}
	defer s.Close()
	index := s.current()
	head, err := index.headAt(index.head)
	if err != nil {
		return wrap("look at the backup that was made", err)
	}
	if want := b.report.Head; head != want || index.view.store != b.id() {
		return &engine.HeadError{Expected: want, Actual: head}
	}
	return nil
}
