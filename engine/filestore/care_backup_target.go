package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
)

// checkTarget follows the links of the target's name, and looks at what is there and around it. It
// changes nothing on the disk.
func (b *backup) checkTarget() error {
	if err := b.resolve(); err != nil {
		return err
	}
	if err := b.checkAround(); err != nil {
		return err
	}
	for range 10 {
		before, errBefore := b.dst.Stat(b.dir)
		e, err := b.lookAt(b.dir)
		e.close()
		after, errAfter := b.dst.Stat(b.dir)
		replaced := !sameFile(before, after) || !before.Modified.Equal(after.Modified)
		if err == nil || !replaced || isFailure(errBefore) || isFailure(errAfter) {
			return err
		}
	}
	return &engine.LockedError{Path: b.dir, Backup: true} // another backup has taken its place each time
}

// isFailure reports whether an error says more than that there is nothing.
func isFailure(err error) bool { return err != nil && !errors.Is(err, fs.ErrNotExist) }

// resolve makes the target's name absolute and follows links. The target may be missing, the
// directory that is to hold it may not: on a disk that is not mounted a backup would not be where
// it is looked for.
func (b *backup) resolve() error {
	name := filepath.Clean(b.dir)
	whole, err := b.dst.Resolve(name)
	if errors.Is(err, fs.ErrNotExist) && whole == "" {
		return &BackupError{Path: name, Reason: "has no directory that could hold it, make that first", Err: err}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap("back up to "+name, err)
	}
	b.dir = whole
	return nil
}

// checkAround refuses a target that is the store's directory, or lies in it or in another store, or
// around the store.
func (b *backup) checkAround() error {
	home, info, known := b.homeOf()
	for dir := b.dir; ; dir = vfs.Parent(dir) {
		at, err := b.dst.Stat(dir)
		if known && (dir == home || err == nil && sameFile(at, info)) {
			reason := "lies in the store"
			if dir == b.dir {
				reason = "is the store itself"
			}
			return &BackupError{Path: b.dir, Reason: reason}
		}
		if dir != b.dir && holdsStore(b.dst, dir) {
			return &BackupError{Path: b.dir, Reason: "lies in the store " + dir}
		}
		if vfs.Parent(dir) == dir {
			break
		}
	}
	target, err := b.dst.Stat(b.dir)
	if err != nil || !known {
		return nil
	}
	for dir := home; ; dir = vfs.Parent(dir) {
		if at, err := b.dst.Stat(dir); err == nil && sameFile(at, target) {
			return &BackupError{Path: b.dir, Reason: "holds the store itself"}
		}
		if vfs.Parent(dir) == dir {
			return nil
		}
	}
}

// homeOf returns the store's directory, if it is in the file system of the target.
func (b *backup) homeOf() (name string, info vfs.FileInfo, known bool) {
	if !b.linking {
		return "", info, false
	}
	name, err := b.src.Resolve(b.store.dir)
	if err == nil {
		info, err = b.src.Stat(name)
	}
	return name, info, err == nil
}

// holdsStore reports whether a directory holds an event store, by the first bytes of the files that
// every store has.
func holdsStore(fsys vfs.FS, dir string) bool {
	for _, file := range []struct {
		name, magic string
		at          []int64
	}{
		{format.ManifestName, format.ManifestMagic, []int64{0}},
		{format.TailName, format.TailMagic, []int64{0, format.TailSlotSize}},
		{format.SegmentFileName(1, 0), format.SegmentMagic, []int64{0, format.SegmentSecondCopy}},
		{backupName, backupMagic, []int64{0}},
	} {
		f, err := fsys.Open(vfs.Join(dir, file.name), 0)
		if err != nil {
			continue
		}
		found := false
		for _, at := range file.at {
			b := make([]byte, len(file.magic))
			n, _ := f.ReadAt(b, at)
			found = found || string(b[:n]) == file.magic
		}
		f.Close()
		if found {
			return true
		}
	}
	return false
}

// An earlierBackup is a backup that is there already, and open.
type earlierBackup struct {
	dir    string
	names  []string // of its files
	head   engine.Head
	store  *FileStore // nil once it is closed
	index  *readIndex
	fs     vfs.FS
	lock   io.Closer // its write lock, or nil
	locker bool      // there was no lock file
}

// close closes the files of the backup, if there is one. Its lock stays.
func (e *earlierBackup) close() {
	if e != nil && e.store != nil {
		e.store.Close()
		e.store = nil
	}
}

// unlock gives up the lock of the backup.
func (e *earlierBackup) unlock() {
	if e.lock != nil {
		e.lock.Close()
		e.lock = nil
	}
}

// giveUp leaves the backup as it was, if it is still there.
func (e *earlierBackup) giveUp() {
	if e == nil {
		return
	}
	e.close()
	if e.lock != nil && e.locker {
		e.fs.Remove(vfs.Join(e.dir, lockName))
	}
	e.unlock()
}

// openEarlier opens the backup that is at the target, if there is one. Until its lock is given up
// nobody else writes to it.
func (b *backup) openEarlier() error {
	e, err := b.lookAt(b.dir)
	e.close()
	if err != nil || e == nil {
		return err
	}
	lock, err := b.dst.Lock(vfs.Join(b.dir, lockName), vfs.LockHolder(b.now()))
	if err != nil {
		return err
	}
	locker := !slices.Contains(e.names, lockName)
	if e, err = b.lookAt(b.dir); err != nil || e == nil {
		(&earlierBackup{dir: b.dir, fs: b.dst, lock: lock, locker: locker}).giveUp()
		return err
	}
	e.lock, e.locker = lock, locker
	b.old, b.report.Earlier = e, e.head
	return nil
}

// lookAt looks at a directory that a backup is to take the place of. It returns nil if it is
// missing or empty, the open backup if it holds one of this store, to which nothing has been added,
// and otherwise an error that says what is there.
func (b *backup) lookAt(dir string) (*earlierBackup, error) {
	info, err := b.dst.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("back up to "+dir, err)
	}
	if !info.Dir {
		return nil, &BackupError{Path: dir, Reason: "is a file, not a directory"}
	}
	names, err := b.dst.List(dir)
	if err != nil {
		return nil, wrap("back up to "+dir, err)
	}
	if len(names) == 0 {
		return nil, nil
	}
	mark, err := readBackupMark(b.dst, dir)
	if err != nil {
		return nil, b.refusal(dir, names, err)
	}
	if i := slices.IndexFunc(names, isForeign); i >= 0 {
		return nil, &BackupError{Path: dir, Reason: "holds a file that is not of the backup (" + names[i] + ")"}
	}
	if mark.store != b.id() && mark.head != (engine.Head{}) {
		return nil, &BackupError{Path: dir, Reason: "holds a backup of another store"}
	}
	return b.openBackup(dir, names, mark)
}

// refusal says what is in a directory that holds no backup.
func (b *backup) refusal(dir string, names []string, err error) error {
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return &BackupError{Path: dir, Reason: "holds a damaged file " + backupName, Err: err}
	case holdsStore(b.dst, dir):
		return &BackupError{Path: dir, Reason: "holds a store that is no backup"}
	}
	return &BackupError{Path: dir, Reason: "holds other files (" + names[0] + ")"}
}

// isForeign reports whether a file of that name can be no file of a backup that somebody has opened
// or not.
func isForeign(name string) bool {
	switch name {
	case backupName, format.ManifestName, format.ManifestTemp, format.TailName, format.ErasedName, format.ErasedTemp,
		format.DerivedTemp, lockName, nextTemp, compressTemp, eraseTemp:
		return false
	}
	if stem, ok := strings.CutSuffix(strings.TrimSuffix(name, ".tmp"), ".idx"); ok {
		_, _, segment := format.ParseSegmentFileName(stem + ".log")
		_, _, run := index.ParseRunName(stem + ".idx")
		return !segment && !run
	}
	_, _, segment := format.ParseSegmentFileName(name)
	_, derived := format.ParseDerivedFileName(name)
	return !segment && !derived
}

// openBackup opens the backup in dir and checks it.
func (b *backup) openBackup(dir string, names []string, mark *backupMark) (*earlierBackup, error) {
	s, err := b.open(dir)
	if err != nil {
		return nil, err
	}
	e := &earlierBackup{dir: dir, names: names, head: mark.head, store: s, index: s.current(), fs: b.dst}
	if err := b.checkBackup(e, mark); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// open opens a backup for reading.
func (b *backup) open(dir string) (*FileStore, error) {
	o := Options{FS: b.dst, ReadOnly: true, Network: true}
	if b.linking {
		o.files = b.store.files // few files may be open, and they share them
	}
	return Open(dir, o)
}

// checkBackup checks that a backup is as it was made and a prefix of the log.
func (b *backup) checkBackup(e *earlierBackup, mark *backupMark) error {
	got, err := e.index.headAt(e.index.head)
	if err != nil {
		return err
	}
	if got != mark.head {
		return &BackupError{Path: e.dir,
			Reason: "is a store that was restored, and something has been appended to it since",
			Err:    &engine.HeadError{Expected: mark.head, Actual: got}}
	}
	if e.index.view.store != mark.store {
		return &BackupError{Path: e.dir, Reason: "holds another store than its file " + backupName + " names"}
	}
	latest := b.store.ReadIndex().(*readIndex) // another backup may have been made since Backup began
	want, err := latest.headAt(got.Position)
	if err != nil {
		return err
	}
	if got != want {
		return &BackupError{Path: e.dir,
			Reason: fmt.Sprintf("holds events that the store does not (its head is %d)", got.Position),
			Err:    &engine.HeadError{Expected: want, Actual: got}}
	}
	return nil
}
