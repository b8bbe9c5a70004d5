package filestore

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
)

// MayDerive implements [engine.Deriver].
func (s *FileStore) MayDerive() bool {
	return s.writing.Load() && !s.closed.Load() && !s.poisoned.Load() && !s.opt.applying
}

// WriteDerived implements [engine.Deriver]. A file is written under files, and so are they removed
// when something is erased: what did not know of an erasure either has its file before that, or none.
func (s *FileStore) WriteDerived(
	ctx context.Context, name string, d engine.Derived, write func(to io.Writer) error,
) error {
	file, ok := format.DerivedFileName(name)
	switch {
	case !ok:
		return invalidDerived(name)
	case s.closed.Load():
		return engine.ErrClosed
	case !s.MayDerive():
		return engine.ErrReadOnly
	}
	s.deriveds.files.Lock()
	defer s.deriveds.files.Unlock()
	if s.closed.Load() { // Close lets go of the write lock when it has held files
		return engine.ErrClosed
	}
	head, err := s.derivedFrom(d)
	if err != nil {
		return err
	}
	if err := s.names.lookNow(); err != nil { // it would be written beside another log
		return err
	}
	temp := vfs.Join(s.dir, format.DerivedTemp)
	err = vfs.WriteNew(s.fs, temp, func(f vfs.File) error {
		return writeDerivedFile(&fileWriter{ctx: ctx, closed: &s.closed, f: f}, name, head, write)
	})
	if err == nil {
		err = renameOverDir(s.fs, temp, vfs.Join(s.dir, file))
	}
	if err != nil {
		_ = s.fs.Remove(temp) // the next one removes it in any case
		return writeError("write "+file, err)
	}
	return writeError("sync "+s.dir, s.fs.SyncDir(s.dir))
}

func invalidDerived(name string) error {
	return &engine.InvalidError{Append: -1, Event: -1, Field: "name", Reason: "is none of what can be derived: " + name}
}

// derivedFrom returns the head of a file, or ErrStaleDerived.
func (s *FileStore) derivedFrom(d engine.Derived) (h format.Derived, err error) {
	index := s.current()
	if d.Position <= 0 || d.Position > index.head || index.view.erasures != nil {
		return h, engine.ErrStaleDerived
	}
	head, err := index.headAt(d.Position)
	if err != nil {
		return h, err
	}
	erasures, err := index.erasuresVersion()
	if err != nil {
		return h, err
	}
	if head.Position != d.Position || erasures != d.Erasures {
		return h, engine.ErrStaleDerived
	}
	return format.Derived{Store: index.view.store, Head: head, Erasures: erasures}, nil
}

// erasuresVersion returns the version of the stream that tells of erasures.
func (r *readIndex) erasuresVersion() (engine.Version, error) {
	v, some, err := r.StreamVersion(engine.ErasuresStream)
	if !some {
		v = engine.NoVersion
	}
	return v, err
}

func writeDerivedFile(
	f *fileWriter, name string, head format.Derived, write func(to io.Writer) error,
) error {
	to := bufio.NewWriterSize(f, 4*format.DerivedPiece)
	w := format.NewDerivedWriter(to, name, head)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return to.Flush()
}

// A fileWriter writes a file from its beginning on, as long as its context lasts and the store is
// open.
type fileWriter struct {
	ctx    context.Context
	closed *atomic.Bool
	f      vfs.File
	at     int64
}

func (w *fileWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if w.closed.Load() {
		return 0, engine.ErrClosed
	}
	err := vfs.WriteFull(w.f, p, w.at)
	if err != nil {
		return 0, err
	}
	w.at += int64(len(p))
	return len(p), nil
}

// ReadDerived implements [engine.Deriver].
func (s *FileStore) ReadDerived(
	ctx context.Context, name string, read func(d engine.Derived, from io.Reader) error,
) error {
	file, ok := format.DerivedFileName(name)
	if !ok {
		return invalidDerived(name)
	}
	if s.closed.Load() {
		return engine.ErrClosed
	}
	index := s.current()
	f, err := vfs.OpenToRead(s.fs, vfs.Join(s.dir, file))
	if err != nil {
		return errors.Join(engine.ErrNoDerived, err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return errors.Join(engine.ErrNoDerived, err)
	}
	r, d, err := format.NewDerivedReader(bufio.NewReaderSize(io.NewSectionReader(f, 0, size), format.DerivedPiece), name)
	if err != nil {
		return errors.Join(engine.ErrNoDerived, err)
	}
	if len(index.view.segments) == 0 || d.Store != index.view.store || d.Head.Position > index.head {
		return engine.ErrNoDerived
	}
	head, err := index.headAt(d.Head.Position)
	if err != nil {
		return err
	}
	if head != d.Head {
		return engine.ErrNoDerived
	}
	if err := read(engine.Derived{Position: d.Head.Position, Erasures: d.Erasures}, r); err != nil {
		return errors.Join(engine.ErrNoDerived, err)
	}
	return nil
}

// RemoveDerived implements [engine.Deriver].
func (s *FileStore) RemoveDerived(ctx context.Context, keep func(name string) bool) error {
	if !s.MayDerive() {
		return engine.ErrReadOnly
	}
	return s.removeDerived(ctx, keep)
}

// removeDerived removes the files of names that are not to be kept, and what is left of one that
// somebody has begun. It reports what could not be removed.
func (s *FileStore) removeDerived(ctx context.Context, keep func(name string) bool) error {
	s.deriveds.files.Lock()
	defer s.deriveds.files.Unlock()
	files, err := s.fs.List(s.dir)
	if err != nil {
		return wrap("list "+s.dir, err)
	}
	removed := false
	for _, file := range files {
		name, ok := format.ParseDerivedFileName(file)
		if file != format.DerivedTemp && (!ok || keep(name)) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.removeFile(vfs.Join(s.dir, file)); err != nil {
			return wrap("remove "+file, err)
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return writeError("sync "+s.dir, s.fs.SyncDir(s.dir))
}

// removeFile removes a file, if it is there. A directory is nothing that the store has made: it stays.
func (s *FileStore) removeFile(name string) error {
	err := s.fs.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if info, errStat := s.fs.Stat(name); errStat == nil && info.Dir {
		return nil
	}
	return err
}

// mayDeriveFrom reports whether the file of a name may hold something that was derived from one of
// these events.
func (s *FileStore) mayDeriveFrom(name string, erased engine.Spans) bool {
	file, ok := format.DerivedFileName(name)
	if !ok || len(erased) == 0 {
		return false
	}
	head := make([]byte, format.DerivedHead)
	f, err := vfs.OpenToRead(s.fs, vfs.Join(s.dir, file))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	_, d, err := format.NewDerivedReader(io.NewSectionReader(f, 0, int64(len(head))), name)
	return err != nil || d.Head.Position > erased[0].From
}

// forgetFiles removes every file that may hold something derived from what is erased.
func (s *FileStore) forgetFiles(ctx context.Context, erased engine.Spans) error {
	if sabotage.On(sabotage.EraseForgetsDerived) {
		return nil
	}
	return s.removeDerived(ctx, func(name string) bool { return !s.mayDeriveFrom(name, erased) })
}

// holdsDerived reports whether a file of the directory may hold something derived from one of these
// events.
func (s *FileStore) holdsDerived(file string, erased engine.Spans) bool {
	if file == format.DerivedTemp {
		return true
	}
	name, ok := format.ParseDerivedFileName(file)
	return ok && s.mayDeriveFrom(name, erased)
}
