package engine

import (
	"errors"
	"os"
)

// catchUp looks whether another process has written to the log, and lets readers see what is promised to be durable.
// An error that ends following for good is returned by every later call too; readers keep what they have seen.
func (s *FileStore) catchUp() error {
	if !s.following.TryLock() {
		return nil // somebody else is looking
	}
	defer s.following.Unlock()
	if s.writing.Load() || s.closed.Load() {
		return nil
	}
	if s.followErr != nil || !s.hasNews() {
		return s.followErr
	}
	err := s.log.refresh()
	for range 2 {
		if errors.Is(err, errGone) { // a file was replaced while it was looked for
			err = s.log.refresh()
		}
	}
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		s.followErr = err
	}
	if len(s.log.segments) > 0 {
		s.publish(s.log, s.log.end.next)
	}
	return s.followErr
}

// hasNews reports whether TAIL has changed since it was read last.
func (s *FileStore) hasNews() bool {
	if s.tail == nil {
		f, err := s.fs.Open(joinPath(s.dir, tailName), os.O_RDONLY)
		if err != nil {
			return false
		}
		s.tail = f
	}
	slots, err := readTail(s.tail)
	if err != nil || len(slots) == 0 {
		return false
	}
	return len(s.log.tail) == 0 || slots[0] != s.log.tail[0]
}
