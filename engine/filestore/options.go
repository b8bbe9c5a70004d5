package filestore

import (
	"io"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// Bounds and defaults of Options.
const (
	MinSegmentSize      = format.MinSegmentSize // the least Options.SegmentSize, in bytes
	MaxSegmentSize      = format.MaxSegmentSize // the greatest Options.SegmentSize, in bytes
	DefaultQueueLength  = 4096
	DefaultSyncInterval = 10 * time.Millisecond
	DefaultBusyTimeout  = 5 * time.Second

	DefaultCompressCache = 4 << 20  // bytes
	MinCompressCache     = 1 << 20  // the least Options.CompressCache, in bytes
	MaxCompressCache     = 16 << 30 // the greatest
)

// Options say how a store is opened. The zero value is what most programs want.
type Options struct {
	// ReadOnly opens for reading only: nothing is ever written, not even a lock. It works on a
	// read-only file system.
	ReadOnly bool
	// MustExist refuses to open a directory that does not hold a store.
	MustExist bool
	// BusyTimeout is how long the first append waits for another process's write lock. 0 means
	// DefaultBusyTimeout, negative not at all.
	BusyTimeout time.Duration
	// Sync says when an append is acknowledged.
	Sync SyncMode
	// SyncInterval is the longest time between syncs with SyncInterval. 0 means
	// DefaultSyncInterval.
	SyncInterval time.Duration
	// MaxEventSize limits type, payload, metadata and tags of one event, in bytes: MinEventLimit to
	// MaxEventLimit. 0 means DefaultMaxEventSize.
	MaxEventSize int
	// Prealloc says how room for the next segment is made.
	Prealloc Prealloc
	// Compress says how sealed segments are stored.
	Compress Compression
	// CompressCache is how many bytes of compressed segments are kept in memory as they were before
	// they were compressed, whoever reads them. 0 means DefaultCompressCache. The memory is taken
	// piece by piece, when compressed segments are read.
	CompressCache int64
	// SegmentSize is the capacity of every segment in bytes. 0 lets it grow with the store: 1, 4,
	// 16, 64, then 128 MiB.
	SegmentSize int64
	// QueueLength is the number of appends that may wait for the writer. 0 means
	// DefaultQueueLength.
	QueueLength int
	// Expect, if not nil, refuses to open a store whose chain at that position is another one, or
	// which is shorter.
	Expect *engine.Head
	// Network opens a store on a network file system too. Without it that is a *NetworkError,
	// because locks, syncs and caches of such a file system do not keep what eventfold promises. It
	// is right if no other machine opens the store, and the server syncs what it is told to.
	Network bool
	// FS is the file system. nil means the operating system's.
	FS vfs.FS
	// BackupFS is the file system that Backup writes to. nil means FS.
	BackupFS vfs.FS
	// Now is the clock. nil means time.Now.
	Now func() time.Time
	// Rand gives nonces, event ids, and the seed of the salts. nil means crypto/rand.
	Rand io.Reader

	mending bool // see logState
	// applying says that whoever has opened the store carries out erasures himself: ApplyErasures, a
	// Standby, an Import.
	applying     bool
	files        *vfs.FileCache // nil means the one of the FS
	maxIndexSize int64          // 0 means defaultMaxIndexSize
}

// A SyncMode says when an append is acknowledged.
type SyncMode uint8

const (
	// SyncAlways acknowledges when the append is durable.
	SyncAlways SyncMode = iota
	// SyncInterval acknowledges when the append is written and syncs at least every
	// Options.SyncInterval: a power cut may lose that much. A crash of the process loses nothing.
	SyncInterval
)

// Prealloc says how room for a segment is made before it is used.
type Prealloc uint8

const (
	// PreallocAuto is PreallocZero, or PreallocNone on a copy-on-write file system.
	PreallocAuto Prealloc = iota
	// PreallocZero writes zeros: a commit is then one write and one flush. While commits are large
	// it reserves blocks.
	PreallocZero
	// PreallocReserve reserves blocks without writing them.
	PreallocReserve
	// PreallocNone lets the file grow.
	PreallocNone
)

// Compression says how sealed segments are stored.
type Compression uint8

const (
	// CompressNone stores sealed segments as they were written.
	CompressNone Compression = iota
	// CompressZstd stores the blocks of sealed segments compressed. A segment is compressed in the
	// background after it was sealed and indexed, and needs room for its new file until the old one
	// is removed. Without the option compressed segments can be read all the same, and remain
	// compressed.
	CompressZstd
)
