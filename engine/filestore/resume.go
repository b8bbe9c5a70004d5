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
	if s.opt.ReadOnly || s.opt.applying || s.view.Load().erasures == nil || s.isBackup() {
		return
	}
	s.background.Go(func() {
		for wait := minIndexRetry; !s.beginWriting() && s.rest(wait); wait = min(2*wait, maxIndexRetry) {
			if err := s.catchUp(); isFinal(err) || s.view.Load().erasures == nil {
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
	err := s.startWriting(context.Background())
	return err == nil || !isLocked(err) && !errors.Is(err, engine.ErrFull)
}

// startWriting takes the write lock and recovers the log, as the first append does, and appends
// nothing.
func (s *FileStore) startWriting(ctx context.Context) error {
	r, err := s.request(ctx, nil, false)
	if err == nil {
		err = s.enqueue(ctx, r)
	}
	if err != nil {
		r.release()
		return err
	}
	_, err = s.await(ctx, r)
	return err
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
