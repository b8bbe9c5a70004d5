package filestore

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// lockName is the file that says which process writes.
const lockName = "LOCK"

// A writeLock keeps every other writer away from the files of a store, whatever is done to their
// names. It is the locks of LOCK, which tells who holds it; of the directory, which stays when LOCK
// is removed; and of TAIL, which a copy of the directory made of hard links shares with it. The
// last segment has one too: see logState.claim. Whoever lacks one of them does not write.
type writeLock struct {
	held []io.Closer
	lock vfs.FileInfo // of LOCK
	tail vfs.FileInfo // of TAIL
}

// Close gives the locks back.
func (l *writeLock) Close() error {
	for _, c := range l.held {
		c.Close()
	}
	return nil
}

// tryLock takes the locks, or none of them. It never waits.
func (s *FileStore) tryLock() (*writeLock, error) {
	l := &writeLock{}
	if err := l.take(s.fs, s.dir, vfs.LockHolder(s.opt.Now())); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *writeLock) take(fsys vfs.FS, dir, holder string) error {
	lock, err := fsys.Lock(vfs.Join(dir, lockName), holder)
	if errors.Is(err, syscall.EISDIR) {
		return vfs.NotAFile(vfs.Join(dir, lockName), os.ModeDir)
	}
	if err != nil {
		return err
	}
	l.held = append(l.held, lock)
	if l.lock, err = infoOfLock(fsys, vfs.Join(dir, lockName), lock); err != nil {
		return err
	}
	d, err := fsys.Open(dir, os.O_RDONLY)
	if err != nil {
		return err
	}
	l.held = append(l.held, d)
	if err := d.TryLock(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	tail, err := vfs.OpenFile(fsys, vfs.Join(dir, format.TailName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	l.held = append(l.held, tail)
	if err := tail.TryLock(); err != nil {
		return err
	}
	l.tail, err = tail.Info()
	return err
}

// infoOfLock describes the lock file that is held. An FS that does not tell is asked what the name
// leads to.
func infoOfLock(fsys vfs.FS, name string, lock io.Closer) (vfs.FileInfo, error) {
	if l, ok := lock.(interface{ Info() (vfs.FileInfo, error) }); ok {
		return l.Info()
	}
	return fsys.Stat(name)
}

// lock takes the write lock, waiting for it until the time is up or stop is closed.
func (s *FileStore) lock(wait time.Duration, stop <-chan struct{}) (*writeLock, error) {
	deadline := time.Now().Add(wait)
	pause := time.Millisecond
	for {
		l, err := s.tryLock()
		if !isLocked(err) || !time.Now().Add(pause).Before(deadline) {
			return l, err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-stop:
			t.Stop()
			return nil, err
		}
		pause = min(2*pause, 50*time.Millisecond)
	}
}

func isLocked(err error) bool {
	var busy *engine.LockedError
	return errors.As(err, &busy)
}

// claim opens the last segment for writing and takes its lock, which a copy of the directory made
// of hard links shares with this one. It is kept in l.claimed, until another segment is claimed or
// the log is closed. The segment may have grown until then: the caller reads it again.
func (l *logState) claim() error {
	if len(l.segments) == 0 {
		return nil
	}
	name := l.last().name
	if l.claimed != nil && l.claimedName == name {
		return nil
	}
	f, err := vfs.OpenFile(l.fs, name, os.O_RDWR)
	if err != nil {
		return writeError("open "+name, err)
	}
	if err := f.TryLock(); err != nil {
		f.Close()
		return err
	}
	l.unclaim()
	l.claimed, l.claimedName = f, name
	return nil
}

// unclaim gives the lock of the last segment back.
func (l *logState) unclaim() {
	if l.claimed != nil {
		l.claimed.Close()
		l.claimed, l.claimedName = nil, ""
	}
}
