package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// A BackupError reports that Backup has refused. Nothing was changed; an earlier backup in the
// directory is as it was.
type BackupError struct {
	Path   string // of the directory that stands in the way
	Reason string
	Err    error // what was met, or nil
}

// Error implements error.
func (e *BackupError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("eventfold: no backup to %s: it %s: %s", e.Path, e.Reason, plainText(e.Err))
	}
	return fmt.Sprintf("eventfold: no backup to %s: it %s", e.Path, e.Reason)
}

// Unwrap returns what was met.
func (e *BackupError) Unwrap() error { return e.Err }

// Backup copies the log as it is when Backup begins into the directory dir, while appends and reads
// go on. The backup is a store: Open restores it. Its head is the report's, and equals the store's
// head at that position. The backup of a store without events has none.
//
// The directory that dir names, or a link leads to, may be missing, though the one that holds it
// may not; it may be empty; and it may hold an earlier backup of this store, to which nothing has
// been appended: then only what has been added since is copied, and the new backup takes its place.
// Anything else is refused with a [*BackupError], before anything is changed: other files, another
// store, a store that was restored and has been appended to, the store itself, and what lies in or
// around a store. While another backup to dir is made, or a process writes to what is there, the
// error is a [*LockedError].
//
// Complete segments, which never change, are linked and not copied where the file system can do
// that: a backup that is to survive the disk belongs on another one. Directory and files may be
// read by those who may read the store's directory.
//
// Backup works in a directory of its own beside dir. What a process that died has left there is
// removed by the next backup to dir, or put back if it is the earlier backup. FORMAT.md says how
// such a directory is told from others.
//
// Backup writes also if the store is open for reading only: who may call it is for the caller to
// say.
func (s *FileStore) Backup(ctx context.Context, dir string) (engine.BackupReport, error) {
	if s.closed.Load() {
		return engine.BackupReport{}, engine.ErrClosed
	}
	b, err := s.newBackup(ctx, dir)
	if err == nil {
		err = b.run()
	}
	if err != nil {
		return engine.BackupReport{}, err
	}
	return b.report, nil
}

// A backup is one run of Backup.
type backup struct {
	ctx     context.Context
	store   *FileStore
	src     vfs.FS
	dst     vfs.FS
	linking bool // src and dst are the same, so that files of the store can be linked
	index   *readIndex
	mode    fs.FileMode // of directories that are made
	dir     string      // the target; once it has been resolved without links
	work    string      // the working directory, once it has been made
	old     *earlierBackup
	meter   *meter
	report  engine.BackupReport
}

func (s *FileStore) newBackup(ctx context.Context, dir string) (*backup, error) {
	b := &backup{ctx: ctx, store: s, src: s.fs, dst: s.opt.BackupFS, dir: dir}
	if b.dst == nil {
		b.dst, b.linking = s.opt.FS, true
	}
	info, err := s.checkHome()
	b.mode = info.Mode | 0o700
	if err == nil {
		err = b.snapshot()
	}
	return b, err
}

// snapshot decides what is backed up: what is there now.
func (b *backup) snapshot() (err error) {
	b.index = b.store.ReadIndex().(*readIndex)
	b.report.Head, err = b.index.headAt(b.index.head)
	return err
}

// id returns the id of the store, which one without events need not have.
func (b *backup) id() uuid.UUID { return b.index.view.store }

// run makes the backup. Everything is looked at before the first change, and once more under the
// lock.
func (b *backup) run() error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	if err := b.checkTarget(); err != nil {
		return err
	}
	unlock, err := b.lockTarget()
	if err != nil {
		return err
	}
	defer unlock()
	if err := b.snapshot(); err != nil { // an earlier backup may have ended since the last one
		return err
	}
	return b.make()
}

// make makes the backup. The lock of the target is held.
func (b *backup) make() error {
	if err := b.putBack(); err != nil {
		return err
	}
	if err := b.openEarlier(); err != nil {
		return err
	}
	defer b.old.giveUp()
	b.removeUnfinished()
	if err := b.fill(); err != nil {
		b.discard()
		return err
	}
	if err := b.place(); err != nil {
		b.discard()
		return err
	}
	b.removeFinished()
	return nil
}

// discard removes the working directory. What cannot be removed is for the next backup.
func (b *backup) discard() {
	if b.work == "" {
		return
	}
	if names, err := b.dst.List(b.work); err == nil {
		removeBackup(b.dst, b.work, names)
	}
}

// checkHome returns the store's directory, which must be the one that was opened. A store that
// nothing was appended to need not have one.
func (s *FileStore) checkHome() (vfs.FileInfo, error) {
	if err := s.Moved(); err != nil {
		return vfs.FileInfo{}, err
	}
	info, err := s.fs.Stat(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return vfs.FileInfo{}, nil
	}
	return info, wrap("look at the directory of the store", err)
}

// sameFile reports whether two names lead to the same file. Without inodes nobody knows, and the
// answer is no.
func sameFile(a, b vfs.FileInfo) bool {
	return a.Device == b.Device && a.Inode == b.Inode && a.Inode != 0
}

// newRun returns a random id.
func (b *backup) newRun() (uuid.UUID, error) {
	id, err := b.store.newStoreID()
	return id, wrap("make the id of a backup", err)
}

// now returns the time for people.
func (b *backup) now() time.Time { return b.store.opt.Now() }

// plainText is the text of an error without what all begin with, to stand in another one.
func plainText(err error) string { return strings.TrimPrefix(err.Error(), "eventfold: ") }
