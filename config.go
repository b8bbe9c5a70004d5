package eventfold

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/query"
	"github.com/eventfold/eventfold/shred"
)

// A Config says how a store is opened. The zero value with a Path is what most programs want.
type Config struct {
	// Path is the directory of the store. With Memory it is the name of a store in memory that
	// every Connector of this process shares, or "" for one that is the Connector's own.
	Path string
	// Mode says what may be done to the store.
	Mode Mode
	// BusyTimeout is how long an append waits for the write lock while another process holds it. 0
	// means filestore.DefaultBusyTimeout, which is five seconds; a negative duration means not at
	// all.
	BusyTimeout time.Duration
	// QueryMemory is how many bytes one query may hold: rows that it sorts, groups and joins, and
	// the texts that it makes. One text may take a quarter of it. 0 means query.DefaultMemory,
	// which is 256 MiB.
	QueryMemory int64
	// Spill is how many bytes of a temporary file one query may use for what QueryMemory does not hold:
	// rows that it sorts, groups and joins. 0 means query.DefaultSpill, which is 4 GiB; a negative
	// number means none: such a query ends with ErrMemory. docs/sql.md says which can go on.
	Spill int64
	// SpillDir is the directory for these files. "" means the system's for temporary files (os.TempDir).
	// A file has no name there while it is used, and what it holds is encrypted with a key that nobody
	// has once the query has ended.
	SpillDir string
	// JSONText makes the JSON columns come out as string instead of []byte.
	JSONText bool
	// JSONRequire refuses a payload that is not JSON, as encoding/json understands it. Without it
	// such a payload is stored as the bytes that it is. It is about INSERT; Store.Append takes what
	// it is given.
	JSONRequire bool
	// Backup allows BACKUP TO with mode ReadOnly and in read-only transactions too, which may write
	// nothing otherwise.
	Backup bool
	// Actor says who erases: what ERASE and FORGET SUBJECT write down beside the reason, for ever and
	// for every reader. It has at most engine.MaxActorSize bytes; "" is nobody in particular.
	Actor string
	// Expect is a head of the store that is known from elsewhere, such as an earlier Head of
	// filestore.FileStore or of a backup; the zero Head is none. A store whose chain at that
	// position is another one, or which is shorter, is refused with a *HeadError.
	Expect engine.Head

	// Begin allows BEGIN as a statement by itself, whose transaction stays open on the connection:
	// for programs that pin a sql.Conn. Otherwise it is an error, because the next statement may
	// run on another connection of the pool, where it would be committed by itself.
	Begin bool

	// Serializable makes transactions that are begun without a level serializable, instead of giving
	// them just a snapshot.
	Serializable bool

	// The fields that follow belong to the store, not to the connection: all Connectors of one
	// store in one process must give them alike.

	// Sync says when an append is acknowledged.
	Sync filestore.SyncMode
	// SyncInterval is the longest time between syncs with filestore.SyncInterval. 0 means
	// filestore.DefaultSyncInterval, which is 10 milliseconds.
	SyncInterval time.Duration
	// SegmentSize is the size in bytes of every file of the log, from filestore.MinSegmentSize to
	// filestore.MaxSegmentSize. 0 lets it grow with the store.
	SegmentSize int64
	// QueueLength is the number of appends that may wait for the writer before their callers do. 0
	// means filestore.DefaultQueueLength, which is 4,096.
	QueueLength int
	// Now is the clock of the store, by which recorded_at is given, and of SQL's now(). nil means
	// time.Now. It has no place in a DSN. Of two Connectors of one store either both give a clock
	// or none does; the clock of whoever opens the store first is the one that counts.
	Now func() time.Time
	// MaxEventSize limits type, payload, metadata and tags of one event, in bytes, from
	// engine.MinEventLimit to engine.MaxEventLimit. 0 means engine.DefaultMaxEventSize, which is 1
	// MiB.
	MaxEventSize int
	// Compress says how sealed segments are stored.
	Compress filestore.Compression
	// CompressCache is how many bytes of compressed segments are kept in memory as they were before
	// they were compressed: see filestore.Options. 0 means filestore.DefaultCompressCache, which is 4
	// MiB.
	CompressCache int64
	// Prealloc says how room for the next segment is made.
	Prealloc filestore.Prealloc
	// Memory is how many bytes all queries of the store in this process may hold together. Each
	// takes what it holds, beyond its first 64 KiB, from here. 0 means query.DefaultStoreMemory,
	// which is 1 GiB.
	Memory int64
	// ViewMemory is how many bytes the groups of one materialized view may take in this process, out of
	// Memory. A view that needs more is computed whenever it is read, and $views says so. 0 means
	// query.DefaultViewMemory, which is 256 MiB.
	ViewMemory int64
	// Network opens a store on a network file system too, which is refused otherwise: see
	// filestore.Options.
	Network bool

	// Store, if not nil, is used instead of the store at Path, which is then ignored together with
	// the fields above it. Who opened it closes it, after the *sql.DB. It has no place in a DSN.
	Store engine.Store

	// Keyring, if not nil, is what reveal(), blind() and FORGET SUBJECT use. It has no place in a DSN.
	// A shred.File must be neither in the store's directory nor around it. Who opened it closes it,
	// after the *sql.DB.
	Keyring shred.Keyring

	// Logger, if not nil, is told what happens to the store: that it was opened, repaired and closed,
	// and errors that are about the store rather than about a statement, each kind at most once a
	// minute; docs/tools.md has the list. It is told no statement and no content of events. It has no
	// place in a DSN. Of several Connectors of one store that of whoever opens it first counts. Its
	// handler must not use this store.
	Logger *slog.Logger

	// Functions are functions of the program that statements of this Connector call by their names,
	// beside those of RegisterFunction. They have no place in a DSN.
	Functions []Function

	remote    *Remote // instead of the store at Path, which is its name; only ParseDSN sets it
	remoteKey string  // the DSN: equal ones are one store
}

// A Mode says what may be done to a store.
type Mode uint8

// The modes.
const (
	ReadWriteCreate Mode = iota // mode=rwc: read, append, and create the store if it is not there
	ReadWrite                   // mode=rw: read and append; the store must be there
	// mode=ro: only read; works on a read-only file system and writes nothing to the store, nor
	// elsewhere unless Backup allows it or a query needs a temporary file (Spill); the store must be
	// there
	ReadOnly
	Memory // mode=memory: read and append in memory; gone when nothing uses it any more
)

// normal makes the path :memory: what it stands for.
func (c Config) normal() Config {
	if c.Path == memoryPath && (c.Mode == ReadWriteCreate || c.Mode == Memory) {
		c.Path, c.Mode = "", Memory
	}
	return c
}

// busyTimeout returns how long an append waits for the write lock.
func (c Config) busyTimeout() time.Duration {
	switch {
	case c.BusyTimeout == 0:
		return filestore.DefaultBusyTimeout
	case c.BusyTimeout < 0:
		return 0
	}
	return c.BusyTimeout
}

// spill returns where a query keeps what its memory does not hold.
func (c Config) spill(space *query.SpillSpace) query.Spill {
	if c.Spill < 0 {
		return query.Spill{}
	}
	return query.Spill{Space: space, Dir: c.SpillDir, Limit: c.Spill}
}

// describe names the store in an error.
func (c Config) describe() string {
	if c.Mode == Memory {
		return fmt.Sprintf("the memory store %q", c.Path)
	}
	return c.Path
}

// validate checks what the types of the fields leave open.
func (c Config) validate() error {
	if c.Store != nil {
		return nil
	}
	if c.remote != nil {
		return c.checkRemote()
	}
	switch {
	case strings.ContainsRune(c.Path, 0):
		return fmt.Errorf("the path contains a NUL")
	case c.Path == "" && c.Mode != Memory:
		return fmt.Errorf("no path; a store in memory has the mode Memory")
	case c.Path == memoryPath:
		return fmt.Errorf("%s allows no other mode than memory", memoryPath)
	}
	for _, k := range dsnKeys {
		if k.check == nil {
			continue
		}
		if err := k.check(c); err != nil {
			return err
		}
	}
	return nil
}

// agree checks that another Config may use the store which this one has opened.
func (c Config) agree(other Config) error {
	for _, k := range dsnKeys {
		if k.shared && k.value(c) != k.value(other) {
			return other.contradicts(k.name, k.value(c), k.value(other))
		}
	}
	if (c.Now == nil) != (other.Now == nil) {
		return other.contradicts("Now", clockOf(c), clockOf(other))
	}
	return nil
}

// contradicts is the error of a Config whose store is open with another value.
func (c Config) contradicts(name, have, want string) error {
	return fault(ErrConfig, "open", "%s is already open in this process with %s=%s, not %s=%s",
		c.describe(), name, have, name, want)
}

// clockOf says whose clock a Config has.
func clockOf(c Config) string {
	if c.Now == nil {
		return "time.Now"
	}
	return "a clock of its own"
}

// engineOptions are what a Config means to the embedded engine. The time to wait for the lock is
// the connection's own matter (see connStore), so that the engine never waits for it.
func (c Config) engineOptions() (path string, o filestore.Options) {
	o = filestore.Options{
		ReadOnly:    c.Mode == ReadOnly,
		MustExist:   c.Mode == ReadWrite || c.Mode == ReadOnly,
		BusyTimeout: -1,
		Now:         c.Now,
	}
	for _, k := range dsnKeys {
		if k.apply != nil {
			k.apply(c, &o)
		}
	}
	if c.Mode == Memory {
		o.FS, o.BackupFS = vfs.NewMem(), vfs.OS()
		return "memory", o
	}
	return c.Path, o
}
