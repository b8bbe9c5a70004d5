package filestore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// What Backup makes beside its target, and how it knows it again: the lock of the target, whose
// name is made of the target's, and working directories. The name of a working directory holds a
// random number and a hash of that, the target's name and the id of the store, so that nothing has
// it that a backup of this store to this target has not made. FORMAT.md says how they are made.
const (
	backupPrefix = ".eventfold-"
	backupLock   = ".lock"
)

// lockTarget takes the lock of the target, which one backup at a time holds, of whatever store.
func (b *backup) lockTarget() (unlock func(), err error) {
	hash := sha256.Sum256([]byte("eventfold backup lock\x00" + filepath.Base(b.dir)))
	name := vfs.Join(vfs.Parent(b.dir), backupPrefix+hex.EncodeToString(hash[:12])+backupLock)
	if err := checkLockFile(b.dst, name); err != nil {
		return nil, err
	}
	lock, err := b.dst.Lock(name, vfs.LockHolder(b.now()))
	var locked *engine.LockedError
	if errors.As(err, &locked) {
		locked.Path, locked.Backup = b.dir, true
		return nil, err
	}
	if err != nil {
		return nil, writeError("lock the backup "+b.dir, err)
	}
	return func() {
		err := b.dst.Remove(name) // before others can lock it; who waits for it finds that it has no name
		lock.Close()
		if err != nil && runtime.GOOS == "windows" { // which removes no open file, and so none that somebody has locked
			b.dst.Remove(name)
		}
	}, nil
}

// checkLockFile refuses a file that is in the place of a lock and holds something else.
func checkLockFile(fsys vfs.FS, name string) error {
	text, err := vfs.ReadFile(fsys, name, maxBackupSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	holder := strings.TrimSpace(strings.Trim(string(text), "\x00"))
	if err != nil || holder != "" && vfs.ParseLockHolder(holder).PID == 0 {
		return &BackupError{Path: name, Reason: "is in the place of a lock and holds something else", Err: err}
	}
	return nil
}

// workName returns the name of a working directory for a backup of the store with that id to dir.
func workName(dir string, store, run uuid.UUID) string {
	random := hex.EncodeToString(run[:8])
	hash := sha256.Sum256([]byte("eventfold backup work\x00" + string(store[:]) + random + filepath.Base(dir)))
	return backupPrefix + random + "-" + hex.EncodeToString(hash[:12])
}

// isWorkName reports whether a backup of the store to dir has given the name.
func isWorkName(name, dir string, store uuid.UUID) bool {
	random, _, _ := strings.Cut(strings.TrimPrefix(name, backupPrefix), "-")
	run, err := hex.DecodeString(random)
	return err == nil && len(run) == 8 && name == workName(dir, store, uuid.UUID(slices.Concat(run, make([]byte, 8))))
}

// freeName returns a name for a working directory that nothing has.
func (b *backup) freeName() (string, error) {
	for {
		run, err := b.newRun()
		if err != nil {
			return "", err
		}
		name := vfs.Join(vfs.Parent(b.dir), workName(b.dir, b.id(), run))
		if _, err := b.dst.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		} else if err != nil {
			return "", wrap("look for "+name, err)
		}
	}
}

// leftovers returns the working directories of backups to the target that were not ended. The lock
// of the target is held, and so nobody uses them.
func (b *backup) leftovers() []string {
	names, err := b.dst.List(vfs.Parent(b.dir))
	if err != nil {
		return nil
	}
	var left []string
	for _, name := range names {
		if isWorkName(name, b.dir, b.id()) || isWorkName(name, b.dir, uuid.Nil) {
			left = append(left, vfs.Join(vfs.Parent(b.dir), name))
		}
	}
	return left
}

// putBack gives the target's name to the backup that had it, or was about to get it, when a process
// died. Of several the longest one is taken.
func (b *backup) putBack() error {
	if _, err := b.dst.Stat(b.dir); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	best, head := "", engine.Position(-1)
	for _, dir := range b.leftovers() {
		e, err := b.lookAt(dir)
		e.close()
		if err == nil && e != nil && e.head.Position > head {
			best, head = dir, e.head.Position
		}
	}
	if best == "" {
		return nil
	}
	return writeError("put back "+b.dir, b.dst.Rename(best, b.dir))
}

// removeUnfinished removes what backups that were not ended have left, but for whole ones: until
// there is a new one these may be all that there is.
func (b *backup) removeUnfinished() {
	for _, dir := range b.leftovers() {
		names, err := b.dst.List(dir)
		if err != nil || slices.Contains(names, lockName) {
			continue
		}
		_, err = readBackupMark(b.dst, dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errBackupMark) {
			removeBackup(b.dst, dir, names)
		}
	}
}

// removeFinished removes the backup that was at the target before, and whatever else has been left.
// Somebody may have found a whole backup under its working name, and use it: that stays.
func (b *backup) removeFinished() {
	for _, dir := range b.leftovers() {
		e, err := b.lookAt(dir)
		e.close()
		if err != nil {
			continue
		}
		names := []string(nil)
		if e != nil {
			names = e.names
		}
		if slices.Contains(names, lockName) && !b.unused(dir) {
			continue
		}
		removeBackup(b.dst, dir, names)
	}
}

// unused reports whether nobody writes to a store.
func (b *backup) unused(dir string) bool {
	lock, err := b.dst.Lock(vfs.Join(dir, lockName), vfs.LockHolder(b.now()))
	if err != nil {
		return false
	}
	lock.Close()
	return true
}

// removeBackup removes a directory and the files in it, all of which a backup has made. A directory
// with any other file it leaves alone.
//
// First the lock file goes, then the file BACKUP, each durably: what a power cut leaves of a
// directory without these is no backup any more, and is known as such.
func removeBackup(fsys vfs.FS, dir string, names []string) {
	if slices.ContainsFunc(names, isForeign) {
		return
	}
	for _, first := range []string{lockName, backupName} {
		if !slices.Contains(names, first) {
			continue
		}
		if fsys.Remove(vfs.Join(dir, first)) != nil || fsys.SyncDir(dir) != nil {
			return
		}
	}
	for _, name := range names {
		if name != lockName && name != backupName {
			fsys.Remove(vfs.Join(dir, name))
		}
	}
	fsys.Remove(dir)
}

// place gives the finished backup its name.
func (b *backup) place() error {
	if b.old != nil {
		if err := b.replace(); err != nil {
			return err
		}
	} else if err := b.move(); err != nil {
		return err
	}
	b.work = ""
	return writeError("sync "+vfs.Parent(b.dir), b.dst.SyncDir(vfs.Parent(b.dir)))
}

// move moves the working directory to a name that nothing has, or an empty directory. Neither call
// changes a name that has come into being meanwhile.
func (b *backup) move() error {
	info, err := b.dst.Stat(b.dir)
	empty := err == nil && info.Dir
	if empty {
		if err := b.dst.Remove(b.dir); err != nil {
			return &BackupError{Path: b.dir, Reason: "cannot be replaced, name a directory in it", Err: err}
		}
	}
	if err = b.dst.Rename(b.work, b.dir); err == nil {
		return nil
	}
	if empty {
		b.dst.Mkdir(b.dir, b.mode)
	}
	if errors.Is(err, fs.ErrExist) {
		return &BackupError{Path: b.dir, Reason: "was made by somebody else meanwhile", Err: err}
	}
	return writeError("move the backup to "+b.dir, err)
}

// replace puts the working directory in the place of the earlier backup, which then has a working
// name and can be removed. Where the system can exchange two names there is a backup at the target
// at any moment, and elsewhere but between two calls.
//
// The lock of the earlier backup is held as long as the system lets it: nobody may append to it
// after it was looked at.
func (b *backup) replace() error {
	b.old.close()
	if runtime.GOOS == "windows" { // which moves no directory in which a file is open
		b.old.unlock()
	}
	err := b.dst.Exchange(b.work, b.dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return b.replaceByTwo()
	}
	if err != nil {
		return writeError("move the backup to "+b.dir, err)
	}
	if err := b.checkMoved(b.work); err != nil {
		return errors.Join(err, b.dst.Exchange(b.work, b.dir))
	}
	b.old.dir = b.work
	b.old.unlock()
	return nil
}

// checkMoved checks that what was moved from the target is the earlier backup still: without its
// lock somebody may have appended to it, or somebody may have moved another directory there.
func (b *backup) checkMoved(dir string) error {
	e, err := b.lookAt(dir)
	e.close()
	if err == nil && (e == nil || e.head != b.old.head) {
		err = &BackupError{Path: b.dir, Reason: "was changed by somebody else meanwhile"}
	}
	return err
}

// replaceByTwo replaces the earlier backup by two calls, between which the target is missing.
// Should the process die there, putBack puts one back.
func (b *backup) replaceByTwo() error {
	aside, err := b.freeName()
	if err != nil {
		return err
	}
	if err := b.dst.Rename(b.dir, aside); err != nil {
		return writeError("move "+b.dir, err)
	}
	err = b.checkMoved(aside)
	if err == nil {
		err = writeError("move the backup to "+b.dir, b.dst.Rename(b.work, b.dir))
	}
	if err != nil {
		return errors.Join(err, b.dst.Rename(aside, b.dir))
	}
	b.old.dir = aside
	b.old.unlock()
	return nil
}
