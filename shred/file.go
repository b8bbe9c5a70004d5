package shred

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/eventfold/eventfold/engine/vfs"
)

// A File is a keyring in a directory of its own, for one process that makes and erases keys and any
// number of others that read. All keys are in memory: a million subjects take some 300 MB there and
// 200 MB on the disk, and are written anew, which takes seconds, whenever one is erased. For more
// there is [SQL].
//
// The directory is the owner's alone (0700, its files 0600), and is refused in a store or a backup
// of one, so that no copy of the events has the keys. A key that Key has returned is durable. What
// a crash has left of an erasure, the next OpenFile finishes.
type File struct {
	fsys     vfs.FS
	dir      string
	path     string // of the file KEYS
	epochs   EpochKeys
	readOnly bool
	now      func() time.Time
	lock     io.Closer // nil for reading only

	mu     sync.RWMutex // protects all below
	state  *fileState
	dirty  bool // a write has failed: the file is written anew before it is changed again
	closed bool
}

// FileOptions say how a keyring in files is opened.
type FileOptions struct {
	Dir    string    // of the keyring
	Epochs EpochKeys // those of this keyring alone; EpochFiles must be elsewhere
	// Create makes the keyring if it is not there. A program that has one already leaves it out: with
	// a keyring that is lost, and made anew, every subject would be one that never had a key.
	Create bool
	// ReadOnly opens a keyring that another process may have open: keys are read, with all that the
	// other one does at once, and none is made or erased.
	ReadOnly bool
}

// What is in the directory of a keyring.
const (
	keysName = "KEYS"
	keysTemp = "KEYS.new"
	keysLock = "keyring.lock"
)

// OpenFile opens a keyring in files. If another process, or this one, has it open for writing the
// error is an *engine.LockedError. A keyring that is an old copy, from before an erasure, is an
// [*EpochError].
func OpenFile(ctx context.Context, o FileOptions) (*File, error) { return openFile(ctx, vfs.OS(), o) }

func openFile(ctx context.Context, fsys vfs.FS, o FileOptions) (*File, error) {
	if o.Epochs == nil {
		return nil, &ArgumentError{What: "field Epochs", Reason: "is missing: it says who keeps the epoch keys"}
	}
	dir, err := privateDirectory(fsys, o.Dir, o.Create && !o.ReadOnly)
	if err != nil {
		return nil, err
	}
	if e, ok := o.Epochs.(*EpochFiles); ok {
		if err := apart(dir, e.dir, "the epoch keys"); err != nil {
			return nil, err
		}
	}
	f := &File{fsys: fsys, dir: dir, path: vfs.Join(dir, keysName), epochs: o.Epochs,
		readOnly: o.ReadOnly, now: time.Now}
	if o.ReadOnly {
		f.state, err = f.read(ctx)
		return f, err
	}
	if f.lock, err = fsys.Lock(vfs.Join(dir, keysLock), vfs.LockHolder(f.now())); err != nil {
		return nil, err
	}
	if err := f.open(ctx, o.Create); err != nil {
		f.lock.Close()
		return nil, err
	}
	return f, nil
}

// open reads the keyring, or makes it, and finishes what was begun.
func (f *File) open(ctx context.Context, create bool) error {
	if err := f.fsys.Remove(vfs.Join(f.dir, keysTemp)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err := f.fsys.Stat(f.path)
	if create && errors.Is(err, fs.ErrNotExist) {
		return f.create(ctx)
	}
	if err != nil {
		return err
	}
	if f.state, err = f.read(ctx); err != nil {
		return err
	}
	f.dirty = f.state.torn
	if err := f.finish(ctx); err != nil {
		return err
	}
	return f.mark()
}

// create makes a keyring. Its first record, the pepper, is there from the beginning, so that no
// backup is without the epoch that it is of.
func (f *File) create(ctx context.Context) error {
	names, err := f.fsys.List(f.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != keysLock {
			return &DirectoryError{f.dir, "it holds other files, such as " + name}
		}
	}
	epoch := epochKey{name: newName()}
	if epoch.secret, err = f.epochs.Make(ctx, epoch.name); err != nil {
		return err
	}
	f.state = &fileState{all: map[string]*subjectKeys{
		pepper: {revision: 1, secret: newSecret()},
	}}
	return f.rewrite(epoch, "")
}

// read reads the file, once more if an erasure has ended its epoch meanwhile.
func (f *File) read(ctx context.Context) (*fileState, error) {
	s, err := readState(ctx, f.fsys, f.path, f.epochs)
	for range 10 {
		if !errors.Is(err, ErrNoEpoch) || !f.readOnly {
			break
		}
		s, err = readState(ctx, f.fsys, f.path, f.epochs)
	}
	return s, err
}

// Key implements Keyring.
func (f *File) Key(ctx context.Context, subject string, create bool) (Key, error) {
	if err := errors.Join(ctx.Err(), checkSubject(subject)); err != nil {
		return Key{}, err
	}
	if f.readOnly {
		if err := f.refresh(ctx); err != nil {
			return Key{}, err
		}
	}
	f.mu.RLock()
	k, err := f.find(subject)
	f.mu.RUnlock()
	if !create || !errors.Is(err, ErrNoKey) {
		return k, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if k, err := f.find(subject); !errors.Is(err, ErrNoKey) {
		return k, err // another goroutine was faster
	}
	return f.add(Key{Subject: subject, Revision: 1, Secret: newSecret()})
}

// find looks a key up. The lock is held.
func (f *File) find(subject string) (Key, error) {
	if f.closed {
		return Key{}, ErrClosed
	}
	s := f.state.all[subject]
	if s == nil {
		return Key{}, &NoKeyError{Subject: subject}
	}
	return s.key(subject)
}

// add makes a new key durable. The lock is held.
func (f *File) add(k Key) (Key, error) {
	if f.readOnly {
		return Key{}, ErrReadOnly
	}
	if err := f.append(keyRecord(k)); err != nil {
		return Key{}, err
	}
	return f.find(k.Subject)
}

// Allow implements Keyring.
func (f *File) Allow(ctx context.Context, subject string) error {
	if err := errors.Join(ctx.Err(), checkPerson(subject)); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var forgotten *ForgottenError
	_, err := f.find(subject)
	switch {
	case f.readOnly:
		return ErrReadOnly
	case !errors.As(err, &forgotten):
		return err
	}
	if err := f.finish(ctx); err != nil {
		return err
	}
	_, err = f.add(Key{Subject: subject, Revision: forgotten.Revision + 1, Secret: newSecret()})
	return err
}

// Apart returns an error if the keyring is in a directory, or that in it: a store's must be
// elsewhere.
func (f *File) Apart(dir string) error {
	found, err := f.fsys.Resolve(dir)
	if found == "" {
		return err
	}
	return apart(f.dir, found, "the events")
}

// Close closes the keyring. Calling it again does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	var err error
	if !f.readOnly && !f.dirty {
		err = f.mark()
	}
	f.closed, f.state = true, nil
	if f.lock == nil {
		return err
	}
	return errors.Join(err, f.lock.Close())
}

// mark ends what was appended, so that no damage of it is taken for something else. The lock is
// held.
func (f *File) mark() error {
	if f.state.marked {
		return nil
	}
	return f.append(record{})
}

// refresh reads what another process has changed.
func (f *File) refresh(ctx context.Context) error {
	now, err := f.fsys.Stat(f.path)
	if err != nil {
		return err
	}
	f.mu.RLock()
	same := f.closed || f.state.seen == now
	f.mu.RUnlock()
	if same {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.state.seen == now {
		return nil
	}
	if f.grown(now) {
		return nil
	}
	s, err := f.read(ctx)
	if err == nil {
		f.state = s
	}
	return err
}

// grown reads the lines that were appended, and tells whether that is all that has happened. The
// lock is held.
func (f *File) grown(now vfs.FileInfo) bool {
	if !f.state.seen.SameFile(now) || now.Size < f.state.size {
		return false
	}
	text, seen, err := readFrom(f.fsys, f.path, f.state.size)
	if err != nil || !seen.SameFile(now) || f.state.add(f.path, text) != nil {
		return false
	}
	f.state.seen = seen
	return true
}

// append makes a record durable and does what it says. The lock is held.
func (f *File) append(r record) error {
	if f.dirty {
		if err := f.rewrite(f.state.epoch, f.state.previous); err != nil {
			return err
		}
	}
	line, err := f.state.epoch.line(f.state.lines+1, r)
	if err != nil {
		return err
	}
	if err := f.write(line); err != nil {
		return err
	}
	f.state.lines++
	f.state.size += int64(len(line))
	f.state.marked = r.Subject == ""
	if !f.state.marked && !apply(f.state.all, r) {
		return damagedLine(f.path, f.state.lines)
	}
	return nil
}

// write appends a line to the file. The lock is held.
func (f *File) write(line []byte) error {
	file, err := vfs.OpenFile(f.fsys, f.path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Info()
	switch {
	case err != nil:
		return err
	case !info.SameFile(f.state.seen) || info.Size != f.state.size:
		return &DamagedError{Path: f.path, Reason: "was changed or replaced while this process has it open"}
	}
	f.dirty = true // until it is certain that the line is there
	if err := vfs.WriteFull(file, line, f.state.size); err != nil {
		return err
	}
	if err := vfs.SyncData(file); err != nil {
		return err
	}
	f.dirty = false
	return nil
}

// rewrite writes the file anew, of an epoch, and makes that the keyring's. The lock is held.
func (f *File) rewrite(epoch epochKey, previous string) error {
	text, lines, err := f.state.text(epoch, previous)
	if err != nil {
		return err
	}
	temp := vfs.Join(f.dir, keysTemp)
	err = vfs.WriteNew(f.fsys, temp, func(file vfs.File) error { return vfs.WriteFull(file, text, 0) })
	if err != nil {
		return err
	}
	f.dirty = true // until it is certain which of the two is there
	if err := f.fsys.Rename(temp, f.path); err != nil {
		return err
	}
	if err := f.fsys.SyncDir(f.dir); err != nil {
		return err
	}
	seen, err := f.fsys.Stat(f.path)
	if err != nil {
		return err
	}
	s := f.state
	if s.epoch, s.previous = epoch, previous; epoch.name == s.next {
		s.next = ""
	}
	s.lines, s.size, s.seen, s.torn, s.marked = lines, int64(len(text)), seen, false, true
	f.dirty = false
	return nil
}
