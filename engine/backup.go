package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A BackupReport tells what Backup has done.
type BackupReport struct {
	Head     Head // of the backup: it holds everything before
	Segments int
	Copied   int64 // bytes
	Linked   int64 // bytes of files that the store, or the earlier backup, and this backup share
	Earlier  Head  // of the backup that was there before
}

// Backup copies the log as it is when Backup begins into the directory dir, while appends and reads go on. The backup is a store: Open
// restores it. Its head is the report's, and equals the store's head at that position.
//
// If dir holds an earlier backup of this store, only what has been added since is copied, and the new backup takes its place; if it holds
// anything else, or a log that is not a prefix of this one (a [*HeadError]), Backup refuses and changes nothing.
// Complete segments, which never change, are linked and not copied where the file system can do that: a backup that is to survive the disk
// belongs on another one.
//
// It is made beside dir, in dir + ".new", and takes its place by two renames, with the earlier one at dir + ".old" in between.
func (s *FileStore) Backup(ctx context.Context, dir string) (BackupReport, error) {
	if s.closed.Load() {
		return BackupReport{}, ErrClosed
	}
	index := s.ReadIndex().(*readIndex)
	if len(index.view.segments) == 0 {
		return BackupReport{}, errors.New("eventfold: the store is empty, there is nothing to back up")
	}
	head, err := index.headAt(index.head)
	if err != nil {
		return BackupReport{}, err
	}
	b := &backup{ctx: ctx, fs: s.fs, index: index, dir: dir, work: dir + ".new", report: BackupReport{Head: head}}
	if err := b.run(); err != nil {
		b.remove(b.work)
		return BackupReport{}, err
	}
	return b.report, nil
}

// A backup is one run of Backup.
type backup struct {
	ctx    context.Context
	fs     FS
	index  *readIndex
	dir    string
	work   string
	report BackupReport
	old    *readIndex // the earlier backup, or nil
}

func (b *backup) run() error {
	release, err := b.openEarlier()
	if err != nil {
		return err
	}
	err = b.fill()
	release() // some systems do not rename a directory in which a file is open
	if err != nil {
		return err
	}
	return writeError("back up", b.moveIntoPlace())
}

// openEarlier opens the backup that is in dir, if there is one, and checks that it is a prefix of the log. Until release is called
// nobody else writes to it.
func (b *backup) openEarlier() (release func(), err error) {
	if _, err := b.fs.Stat(b.dir); errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if s, err := b.openStore(); err != nil {
		return nil, err
	} else if err := s.Close(); err != nil {
		return nil, err
	}
	lock, err := b.fs.Lock(joinPath(b.dir, lockName), lockHolder(time.Now()))
	if err != nil {
		return nil, err
	}
	s, err := b.openStore()
	if err == nil {
		b.old = s.current()
		release = func() { s.Close(); lock.Close() }
		if err = b.checkPrefix(); err == nil {
			return release, nil
		}
		s.Close()
	}
	lock.Close()
	return nil, err
}

// openStore opens the store in dir, which must be this one.
func (b *backup) openStore() (*FileStore, error) {
	s, err := Open(b.dir, Options{FS: b.fs, ReadOnly: true, Network: true})
	if err != nil {
		return nil, err
	}
	v := s.current().view
	switch {
	case len(v.segments) == 0:
		err = &FormatError{File: b.dir, Reason: "is there, and holds no backup"}
	case v.store != b.index.view.store:
		err = &FormatError{File: b.dir, Reason: "holds another store"}
	default:
		return s, nil
	}
	s.Close()
	return nil, err
}

// checkPrefix checks that the earlier backup is a prefix of the log.
func (b *backup) checkPrefix() error {
	got, err := b.old.headAt(b.old.head)
	if err != nil {
		return err
	}
	want, err := b.index.headAt(got.Position)
	if err != nil {
		return err
	}
	if got != want {
		return &HeadError{Expected: want, Actual: got}
	}
	b.report.Earlier = got
	return nil
}

// fill fills the working directory.
func (b *backup) fill() error {
	if err := b.remove(b.work); err != nil {
		return wrap("remove "+b.work, err)
	}
	if err := b.fs.MkdirAll(b.work); err != nil {
		return writeError("make "+b.work, err)
	}
	m, err := b.segments()
	if err != nil {
		return err
	}
	return b.describe(m)
}

// segments puts all segments into the working directory and returns the manifest that lists them. The last one is copied up to the head,
// without a seal, also if it has become complete since.
func (b *backup) segments() (*manifest, error) {
	segs := b.index.view.segments
	m := &manifest{store: b.index.view.store, first: segs[0].base}
	for i, seg := range segs {
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
		last := i+1 == len(segs) || segs[i+1].base >= b.index.head
		var entry manifestSegment
		var err error
		if last {
			entry, err = b.copyStart(seg)
		} else {
			entry, err = seg.sealed.Load().entry(seg), b.takeWhole(seg)
		}
		if err != nil {
			return nil, err
		}
		m.segments = append(m.segments, entry)
		b.report.Segments++
		if last {
			break // what follows was added after Backup began
		}
	}
	return m, nil
}

// entry returns what MANIFEST says of a complete segment.
func (s *sealedInfo) entry(seg *segment) manifestSegment {
	return manifestSegment{number: seg.number, generation: seg.generation, sealed: true, base: seg.base, end: s.end,
		next: seg.base + Position(s.count), lastChain: s.lastChain, least: s.least, greatest: s.greatest}
}

// takeWhole takes a complete segment, from the earlier backup if it has it, and its index file.
func (b *backup) takeWhole(seg *segment) error {
	name := segmentFileName(seg.number, seg.generation)
	src := seg
	if b.old != nil {
		for _, o := range b.old.view.segments {
			if o.number == seg.number && o.generation == seg.generation && o.sealed.Load() != nil {
				src = o
			}
		}
	}
	err := b.take(src.name, name)
	if errors.Is(err, fs.ErrNotExist) { // it has been replaced since Backup began, and is still open
		var size int64
		if size, err = src.file.Size(); err == nil {
			err = b.copyTo(src.file, size, joinPath(b.work, name))
		}
	}
	if err != nil {
		return err
	}
	err = b.take(src.indexName(), filepath.Base(src.indexName()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// take links a file into the working directory, or copies it.
func (b *backup) take(from, name string) error {
	info, err := b.fs.Stat(from)
	if err != nil {
		return wrap("back up "+from, err)
	}
	to := joinPath(b.work, name)
	if err := b.fs.Link(from, to); err == nil {
		b.report.Linked += info.Size
		return nil
	}
	src, err := b.fs.Open(from, os.O_RDONLY)
	if err != nil {
		return wrap("back up "+from, err)
	}
	defer src.Close()
	return b.copyTo(src, info.Size, to)
}

// copyTo copies the first size bytes of a file.
func (b *backup) copyTo(src File, size int64, to string) error {
	f, err := createEmpty(b.fs, to)
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
		if err := writeFull(f, buf[:n], off); err != nil {
			return writeError("write "+to, err)
		}
		off += int64(n)
		b.report.Copied += int64(n)
	}
	return writeError("sync "+to, f.Fsync())
}

// copyStart copies the last segment up to the head, and checks what it copies.
func (b *backup) copyStart(seg *segment) (manifestSegment, error) {
	s, err := newLogScanner(seg, startOf(&seg.header, 0))
	if err != nil {
		return manifestSegment{}, err
	}
	least := int64(0)
	for s.end.next < b.index.head {
		f, err := s.next()
		if err != nil {
			return manifestSegment{}, wrap("read "+seg.name, err)
		}
		if f == nil {
			return manifestSegment{}, &CorruptError{File: seg.name, Segment: seg.number, Offset: s.end.offset, FirstLost: s.end.next,
				NextGood: nextGood(seg, s.end), Reason: s.why.Error()}
		}
		if least == 0 {
			least = f.micros
		}
		if err := b.ctx.Err(); err != nil {
			return manifestSegment{}, err
		}
	}
	to := joinPath(b.work, segmentFileName(seg.number, seg.generation))
	if err := b.copyTo(seg.file, s.end.offset, to); err != nil {
		return manifestSegment{}, err
	}
	return manifestSegment{number: seg.number, generation: seg.generation, base: seg.base, end: s.end.offset, next: s.end.next,
		lastChain: s.end.chain, least: least, greatest: s.end.micros}, nil
}

// describe writes TAIL and MANIFEST, and makes the names durable.
func (b *backup) describe(m *manifest) error {
	last := &m.segments[len(m.segments)-1]
	t, err := openTailWriter(b.fs, b.work, m.store)
	if err != nil {
		return writeError("write TAIL", err)
	}
	defer t.file.Close()
	end := logEnd{offset: last.end, next: last.next, chain: last.lastChain}
	if err := t.write(last.number, last.generation, tailClean, &end); err != nil {
		return writeError("write TAIL", err)
	}
	if err := t.file.Fsync(); err != nil {
		return writeError("sync TAIL", err)
	}
	if end.next != b.report.Head.Position || end.chain != b.report.Head.Chain {
		return fmt.Errorf("eventfold: the backup ends at position %d, not at %d", end.next, b.report.Head.Position)
	}
	return writeError("write MANIFEST", m.write(b.fs, b.work))
}

// moveIntoPlace gives the finished backup its name.
func (b *backup) moveIntoPlace() error {
	aside := b.dir + ".old"
	if err := b.remove(aside); err != nil {
		return err
	}
	if b.old != nil {
		if err := b.fs.Rename(b.dir, aside); err != nil {
			return err
		}
	}
	if err := b.fs.Rename(b.work, b.dir); err != nil {
		if b.old != nil {
			return errors.Join(err, b.fs.Rename(aside, b.dir))
		}
		return err
	}
	if err := syncNames(b.fs, parentOf(b.dir)); err != nil {
		return err
	}
	if b.old == nil {
		return nil
	}
	return b.remove(aside)
}

// remove removes a directory of files, if it is there.
func (b *backup) remove(dir string) error {
	names, err := b.fs.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := b.fs.Remove(joinPath(dir, name)); err != nil {
			return err
		}
	}
	return b.fs.Remove(dir)
}
