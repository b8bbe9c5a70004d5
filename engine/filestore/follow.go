package filestore

import (
	"errors"
	"io/fs"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// catchUp lets readers see what other processes have written to the log, all that was durable when
// it was called. An error that ends following for good is returned by every later call too, and one
// that stays by every call until it has gone; readers keep what they have seen.
func (s *FileStore) catchUp() error {
	begun := s.looksBegun.Load()
	s.looking.Lock()
	defer s.looking.Unlock()
	if s.looksBegun.Load() > begun { // somebody else has looked since, which is as good
		return s.lookErr
	}
	s.looksBegun.Add(1)
	if !s.following.TryLock() {
		return nil // the writer is being started: it has the lock, and reads all that there is
	}
	defer s.following.Unlock()
	s.lookErr = s.lasting(s.look())
	return s.lookErr
}

// Those who follow are told when so many looks in a row have failed, each so long after the one before
// at least: the system may be out of files for a moment, or another process change the log while it
// is read.
const (
	maxLookFailures = 5
	failedPause     = 100 * time.Millisecond
)

// lasting returns the error of a look if trying again is no use, or has been none.
func (s *FileStore) lasting(err error) error {
	if err == nil || isFinal(err) {
		s.failures.Store(0)
		return err
	}
	if now := time.Now(); now.Sub(s.failed) >= failedPause {
		s.failures.Add(1)
		s.failed = now
	}
	if s.failures.Load() < maxLookFailures {
		return nil
	}
	return wrap("follow "+s.dir, err)
}

// isFinal reports whether an error of following is one that does not pass.
func isFinal(err error) bool {
	var corrupt *engine.CorruptError
	var moved *engine.MovedError
	return errors.As(err, &corrupt) || errors.As(err, &moved)
}

// look is catchUp for whoever holds following.
func (s *FileStore) look() error {
	if s.writing.Load() || s.closed.Load() {
		return nil
	}
	if s.followErr != nil {
		return s.followErr
	}
	if err := s.names.look(); err != nil {
		return err
	}
	if news, err := s.hasNews(); err != nil || !news {
		return errors.Join(err, s.names.err())
	}
	s.gather()
	err := s.log.refresh()
	for range 2 {
		if errors.Is(err, errGone) { // a file was replaced while it was looked for
			err = s.log.refresh()
		}
	}
	var corrupt *engine.CorruptError
	if errors.As(err, &corrupt) {
		s.followErr = err
	}
	if err != nil {
		s.log.slots = nil // so that this is tried again
	}
	if len(s.log.segments) == 0 {
		return err
	}
	if err := s.readErasuresPatiently(); err != nil {
		if errors.As(err, &corrupt) {
			s.followErr = err
		}
		s.log.slots = nil // so that this is tried again
		return err
	}
	s.publish(s.log, s.log.end.next, s.log.gathered.content())
	s.log.gathered = nil
	return err // what was read before it can be seen
}

// gather lets the log note what is in the events that it reads, for those who wait for some of them.
// What an earlier look has read and not let readers see goes on being gathered, or nobody knows of it.
func (s *FileStore) gather() {
	if s.news.waiting.Load() > 0 && int64(s.log.end.next) == s.durable.Load() {
		s.log.gathered = newGathering()
	}
}

// hasNews reports whether TAIL has changed since it was read last.
func (s *FileStore) hasNews() (bool, error) {
	if s.tailFile == nil {
		if err := s.openTail(); err != nil || s.tailFile == nil {
			return false, err
		}
	}
	slots, err := readTail(s.tailFile)
	if err != nil {
		return false, wrap("read "+format.TailName, err)
	}
	if len(slots) == 0 {
		return false, nil
	}
	if s.log.store != uuid.Nil && slots[0].Store != s.log.store { // another store was restored into the files
		s.names.found(&engine.MovedError{Path: vfs.Join(s.dir, format.TailName), Replaced: true})
		return false, nil
	}
	return len(s.log.slots) == 0 || slots[0] != s.log.slots[0], nil
}

// openTail opens TAIL, to watch it, if it is there.
func (s *FileStore) openTail() error {
	if err := s.holdDir(); err != nil {
		return err
	}
	f, err := vfs.OpenToRead(s.fs, vfs.Join(s.dir, format.TailName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wrap("open "+format.TailName, err)
	}
	info, err := f.Info()
	if err != nil {
		f.Close()
		return wrap("open "+format.TailName, err)
	}
	s.tailFile = f
	s.names.hold(format.TailName, info)
	return nil
}
