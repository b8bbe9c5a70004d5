package crashtest

import "errors"

// An Op is one method of vfs.FS or vfs.File.
type Op uint8

// The operations. Those from OpWriteAt on change what a crash may leave.
const (
	OpList Op = iota
	OpStat
	OpSpace
	OpLock
	OpReadAt
	OpSize
	OpClose
	OpOpen
	OpWriteAt
	OpTruncate
	OpPreallocate
	OpFdatasync
	OpFsync
	OpSyncDir
	OpRename
	OpLink
	OpRemove
	OpMkdirAll
	OpMkdir
	OpExchange
	ops
)

var opNames = [ops]string{
	"list", "stat", "space", "lock", "read", "size", "close", "open", "write", "truncate", "preallocate", "fdatasync",
	"fsync",
	"syncdir", "rename", "link", "remove", "mkdirall", "mkdir", "exchange",
}

// String implements fmt.Stringer.
func (o Op) String() string { return opNames[o] }

// changes reports whether the operation changes what a crash may leave. Opening can, by creating a
// file.
func (o Op) changes() bool { return o >= OpOpen }

// Syncs reports whether the operation makes something durable.
func (o Op) Syncs() bool { return o == OpFdatasync || o == OpFsync || o == OpSyncDir }

// A Call is one call of an operation.
type Call struct {
	N      int // how many calls there were before it; not set in Before
	Op     Op
	Name   string // of the file or directory
	Offset int64  // of a read or write; the new size of a truncation or preallocation
	Size   int    // bytes to read or write
}

// A Fault says how a call fails. The zero value lets it be.
type Fault struct {
	// Err is what the call returns. Everything but reads, writes and syncs then has no effect.
	Err error
	// Part is the number of bytes that a failing read or write transfers.
	Part int
	// Sync is what a failing sync of a file leaves.
	Sync SyncFailure
	// Misdirect is added to the offset of a write that reports success: right bytes, wrong place.
	Misdirect int64
}

// A SyncFailure is what a failed sync leaves. In all of them any part of what was unsynced may have
// become durable.
type SyncFailure uint8

const (
	// StaysDirty leaves all as it was: the next sync tries again. No system that was looked at does
	// it; it is what programs that repeat a failed sync hope for.
	StaysDirty SyncFailure = iota
	// MarkedClean leaves the new content in the cache, and the next sync succeeds without having
	// written it (ext4, XFS).
	MarkedClean
	// Reverted puts the old content back into the cache (btrfs).
	Reverted
	// ReportedLate returns success, having written nothing; the next sync of the file fails (ext4
	// with data=journal). Fault.Err is what that next one returns.
	ReportedLate
)

var errDead = errors.New("crashtest: the process that used this file system is dead")
