package filestore

import (
	"errors"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// This file is what the writer does to write nothing into files that the store's names do not lead
// to.

// anchor notes what the names must lead to from now on: the files that are open and locked.
func (w *writer) anchor(lock *writeLock) error {
	tail, err := w.log.tail.file.Info()
	if err != nil {
		return wrap("open TAIL", err)
	}
	names := w.s.names
	if !tail.SameFile(lock.tail) {
		return names.found(&engine.MovedError{Path: vfs.Join(w.s.dir, format.TailName), Replaced: true})
	}
	w.unlock = lock
	names.hold(lockName, lock.lock)
	names.hold(format.TailName, tail)
	if err := w.anchorSegment(); err != nil {
		return err
	}
	return names.lookNow()
}

// anchorSegment notes the last segment.
func (w *writer) anchorSegment() error {
	info, err := w.log.file.Info()
	if err != nil {
		return wrap("open "+w.log.last().name, err)
	}
	w.segment = anchor{
		vfs.Join(w.s.names.dir, format.SegmentFileName(w.log.last().number, w.log.last().generation)), info,
	}
	return nil
}

// giveBack undoes what ready has done of taking the log over, after an error.
func (w *writer) giveBack(lock *writeLock) {
	if w.log != nil {
		w.log.close(true)
		w.log = nil
	}
	w.s.names.drop(lockName)
	lock.Close()
}

// inPlace looks whether the last segment is where its name leads to, and now and then at the other
// names. If not, the writer leaves.
func (w *writer) inPlace() error {
	names := w.s.names
	err := names.err()
	if err == nil {
		err = w.segmentInPlace()
	}
	if err == nil {
		return w.look()
	}
	w.leave(err)
	return err
}

// segmentInPlace looks at the last segment, which whoever restores files into the directory cuts.
func (w *writer) segmentInPlace() error {
	names := w.s.names
	info, err := names.fs.Stat(w.segment.name)
	if err != nil {
		return names.lookAt(&w.segment)
	}
	if !info.SameFile(w.segment.info) || info.Size < w.segment.info.Size {
		return names.found(&engine.MovedError{Path: w.segment.name, Replaced: true})
	}
	return nil
}

// look looks at all names if that has not been done for lookInterval. If one leads elsewhere the
// writer leaves.
func (w *writer) look() error {
	names := w.s.names
	due := time.Since(names.began)-time.Duration(names.last.Load()) >= lookInterval
	err := names.look()
	if err == nil && due {
		err = w.segmentInPlace()
	}
	if err == nil && due && !w.log.tail.untouched() {
		err = names.found(&engine.MovedError{Path: vfs.Join(names.dir, format.TailName), Replaced: true})
	}
	if err != nil {
		w.leave(err)
	}
	return err
}

// leave ends writing for good: the store's files are elsewhere, and whoever has them now may write
// to them.
func (w *writer) leave(moved error) {
	if w.poison != nil {
		return
	}
	w.poison = moved
	l := w.log
	if l.durable.offset < l.end.offset {
		_ = l.sync() // what was acknowledged without, for those who find the files
	}
	w.s.indexer.stop()
	w.closeErr = wrap("close", l.close(true))
	w.unlock.Close()
	w.s.news.alarm()
}

// hasMoved reports whether the writer has left.
func (w *writer) hasMoved() bool {
	var moved *engine.MovedError
	return errors.As(w.poison, &moved)
}

// refusal returns what to answer to those whose events were not written, once nothing is written
// any more.
func (w *writer) refusal() error {
	if w.hasMoved() {
		return w.poison
	}
	return engine.ErrPoisoned
}
