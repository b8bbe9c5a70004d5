package filestore

import (
	"errors"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// catchUp lets readers see what other processes have written to the log, all that was durable when
// it was called. An error that ends following for good is returned by every later call too; readers
// keep what they have seen.
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
	s.lookErr = s.look()
	return s.lookErr
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
	if !s.hasNews() {
		return s.names.err()
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
		return s.followErr
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
	return s.followErr
}

// gather lets the log note what is in the events that it reads, for those who wait for some of them.
// What an earlier look has read and not let readers see goes on being gathered, or nobody knows of it.
func (s *FileStore) gather() {
	if s.news.waiting.Load() > 0 && int64(s.log.end.next) == s.durable.Load() {
		s.log.gathered = newGathering()
	}
}

// hasNews reports whether TAIL has changed since it was read last.
func (s *FileStore) hasNews() bool {
	if s.tailFile == nil && !s.openTail() {
		return false
	}
	slots, err := readTail(s.tailFile)
	if err != nil || len(slots) == 0 {
		return false
	}
	if s.log.store != uuid.Nil && slots[0].Store != s.log.store { // another store was restored into the files
		s.names.found(&engine.MovedError{Path: vfs.Join(s.dir, format.TailName), Replaced: true})
		return false
	}
	return len(s.log.slots) == 0 || slots[0] != s.log.slots[0]
}

// openTail opens TAIL, to watch it, and reports whether it is there.
func (s *FileStore) openTail() bool {
	if s.holdDir() != nil {
		return false
	}
	f, err := vfs.OpenToRead(s.fs, vfs.Join(s.dir, format.TailName))
	if err != nil {
		return false
	}
	info, err := f.Info()
	if err != nil {
		f.Close()
		return false
	}
	s.tailFile = f
	s.names.hold(format.TailName, info)
	return true
}
