package filestore

import (
	"context"
	"errors"
	"time"

	"github.com/eventfold/eventfold/engine"
)

// resume sees to it that erasures go on which an earlier process has left undone: it takes the write
// lock, as the first append does, and then the eraser has work. While another process has the lock,
// that one does it.
//
// A backup is left as it is, until something is appended to it.
//
// Close ends its goroutine and waits for it.
func (s *FileStore) resume() {
	if s.opt.ReadOnly || s.view.Load().erasures == nil || s.isBackup() {
		return
	}
	s.background.Go(func() {
		for wait := minIndexRetry; !s.beginWriting() && s.rest(wait); wait = min(2*wait, maxIndexRetry) {
			if s.catchUp() != nil || s.view.Load().erasures == nil {
				return
			}
		}
	})
}

// isBackup reports whether the store is a backup to which nothing has been appended.
func (s *FileStore) isBackup() bool {
	mark, err := readBackupMark(s.fs, s.dir)
	return err == nil && mark.head.Position == engine.Position(s.durable.Load())
}

// beginWriting starts the writer without appending anything, and reports whether there is no use in
// trying again.
func (s *FileStore) beginWriting() (decided bool) {
	r, err := s.request(context.Background(), nil, false)
	if err == nil {
		err = s.enqueue(context.Background(), r)
	}
	if err != nil {
		r.release()
		return true // the store is being closed
	}
	_, err = s.await(context.Background(), r)
	return err == nil || !isLocked(err) && !errors.Is(err, engine.ErrFull)
}

// rest waits, and reports whether the store is still open.
func (s *FileStore) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.closing:
		return false
	}
}
