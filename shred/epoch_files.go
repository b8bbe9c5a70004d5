package shred

import (
	"bytes"
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/eventfold/eventfold/engine/vfs"
)

// EpochFiles keep epoch keys in a directory of their own, a file for each epoch: one, and for the
// length of an erasure two. The file system must have hard links.
//
// What is promised: after an erasure, no copy of the keyring that was made before can be opened with
// the files that are there. The file of the old epoch is overwritten, synced and removed. What is
// not promised: that the disk does not hold the old 32 bytes somewhere (flash cells, file systems
// that write elsewhere, snapshots); if that matters, keep the directory on an encrypted disk, or
// epoch keys in a KMS. And nobody must make backups of the directory that outlive an erasure: who
// has an old copy of it and an old copy of the keyring has all keys of that time, less only the
// passphrase. So back it up apart from the keyring, one copy, replaced after every erasure: if the
// files are lost, everything is forgotten.
//
// With a passphrase the keys in the files are encrypted, by AES-256-GCM under what PBKDF2 with
// SHA-256 makes of it.
type EpochFiles struct {
	fsys       vfs.FS
	dir        string
	passphrase string
	iterations int

	mu sync.Mutex // one call at a time
}

// How much work a passphrase takes. Files say how much theirs took, within limits.
const (
	iterations    = 600_000
	maxIterations = 10_000_000
)

// OpenEpochFiles opens the epoch keys in a directory, which is made if it is missing. It must be its
// owner's alone, and neither in a store nor in a keyring. passphrase may be empty. A wrong one shows
// when a key is read.
func OpenEpochFiles(dir, passphrase string) (*EpochFiles, error) {
	return openEpochFiles(vfs.OS(), dir, passphrase)
}

func openEpochFiles(fsys vfs.FS, dir, passphrase string) (*EpochFiles, error) {
	dir, err := privateDirectory(fsys, dir, true)
	if err != nil {
		return nil, err
	}
	return &EpochFiles{fsys: fsys, dir: dir, passphrase: passphrase, iterations: iterations}, nil
}

// epochFile is what a file holds, as JSON.
type epochFile struct {
	Version    int    `json:"eventfold_epoch"`
	Iterations int    `json:"iterations,omitempty"` // 0 without a passphrase
	Salt       []byte `json:"salt,omitempty"`
	Key        []byte `json:"key"` // encrypted if there is a passphrase
}

const (
	epochVersion  = 1
	epochSuffix   = ".epoch"
	epochTemp     = ".new"
	maxEpochBytes = 4096
)

// Make implements EpochKeys.
func (e *EpochFiles) Make(ctx context.Context, epoch string) ([keySize]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	secret, err := e.get(ctx, epoch)
	if !errors.Is(err, ErrNoEpoch) {
		return secret, err
	}
	secret = newSecret()
	text, err := e.pack(epoch, secret)
	if err != nil {
		return secret, err
	}
	name := e.name(epoch)
	unique := vfs.Join(e.dir, newName()+epochTemp)
	err = vfs.WriteNew(e.fsys, unique, func(f vfs.File) error { return vfs.WriteFull(f, text, 0) })
	if err != nil {
		return secret, err
	}
	err = e.fsys.Link(unique, name) // which, unlike a rename, replaces no key that another process has made
	removed := e.fsys.Remove(unique)
	if errors.Is(err, fs.ErrExist) {
		return e.get(ctx, epoch)
	}
	return secret, errors.Join(err, removed, e.fsys.SyncDir(e.dir))
}

// Get implements EpochKeys.
func (e *EpochFiles) Get(ctx context.Context, epoch string) ([keySize]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.get(ctx, epoch)
}

func (e *EpochFiles) get(ctx context.Context, epoch string) (secret [keySize]byte, err error) {
	if err := errors.Join(ctx.Err(), checkEpoch(epoch)); err != nil {
		return secret, err
	}
	text, err := vfs.ReadFile(e.fsys, e.name(epoch), maxEpochBytes)
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.IndexByte(text, 0) >= 0 {
		return secret, &EpochError{Epoch: epoch} // one with zeros is being destroyed
	}
	if err != nil {
		return secret, err
	}
	return e.unpack(epoch, text)
}

// Destroy implements EpochKeys.
func (e *EpochFiles) Destroy(ctx context.Context, epoch string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := errors.Join(ctx.Err(), checkEpoch(epoch)); err != nil {
		return err
	}
	name := e.name(epoch)
	f, err := vfs.OpenFile(e.fsys, name, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return e.fsys.SyncDir(e.dir) // it may have been removed, and not durably
	}
	if err != nil {
		return err
	}
	if err := errors.Join(blank(f), f.Close()); err != nil {
		return err
	}
	if err := e.fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // another process was faster
		return err
	}
	return e.fsys.SyncDir(e.dir)
}

// blank overwrites a file.
func blank(f vfs.File) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	if err := vfs.WriteFull(f, make([]byte, min(size, maxEpochBytes)), 0); err != nil {
		return err
	}
	return f.Fsync()
}

// name returns the file of an epoch.
func (e *EpochFiles) name(epoch string) string { return vfs.Join(e.dir, epoch+epochSuffix) }

// checkEpoch refuses what no keyring calls an epoch, and what is no name of a file.
func checkEpoch(epoch string) error {
	if len(epoch) != 32 || strings.Trim(epoch, "0123456789abcdef") != "" {
		return &ArgumentError{What: "name of an epoch", Reason: "is not 32 hexadecimal digits"}
	}
	return nil
}

// pack makes the text of a file.
func (e *EpochFiles) pack(epoch string, secret [keySize]byte) ([]byte, error) {
	file := epochFile{Version: epochVersion, Key: secret[:]}
	if e.passphrase != "" {
		file.Salt = make([]byte, 16)
		rand.Read(file.Salt)
		file.Iterations = e.iterations
		lock, err := e.lock(file)
		if err != nil {
			return nil, err
		}
		file.Key = encrypt(lock, secret[:], bind("EVFEPOCH1", 0, epoch))
	}
	text, err := json.Marshal(file)
	return append(text, '\n'), err
}

// unpack reads the text of a file.
func (e *EpochFiles) unpack(epoch string, text []byte) (secret [keySize]byte, err error) {
	damaged := func(reason string) error { return &DamagedError{Path: e.name(epoch), Reason: reason} }
	var file epochFile
	if err := json.Unmarshal(text, &file); err != nil {
		return secret, damaged("is no file of an epoch key")
	}
	if file.Version != epochVersion {
		return secret, damaged("is of a later version")
	}
	switch {
	case file.Iterations < 0 || file.Iterations > maxIterations:
		return secret, damaged("asks for too much work")
	case file.Iterations > 0 && e.passphrase == "":
		return secret, &ArgumentError{What: "passphrase", Reason: "is missing: " + e.name(epoch) + " needs it"}
	case file.Iterations == 0 && e.passphrase != "":
		return secret, &ArgumentError{What: "passphrase", Reason: "is given: " + e.name(epoch) + " has none"}
	case file.Iterations > 0:
		lock, err := e.lock(file)
		if err != nil {
			return secret, err
		}
		var ok bool
		if file.Key, ok = decrypt(lock, file.Key, bind("EVFEPOCH1", 0, epoch)); !ok {
			return secret, &ArgumentError{What: "passphrase", Reason: "is not that of " + e.name(epoch)}
		}
	}
	if copy(secret[:], file.Key) != keySize || len(file.Key) != keySize {
		return secret, damaged("is no file of an epoch key")
	}
	return secret, nil
}

// lock makes a key of the passphrase.
func (e *EpochFiles) lock(file epochFile) (lock [keySize]byte, err error) {
	b, err := pbkdf2.Key(sha256.New, e.passphrase, file.Salt, file.Iterations, keySize)
	copy(lock[:], b)
	return lock, err
}
