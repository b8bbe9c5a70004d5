package crashtest

import (
	"io"
	"math"
	"os"
	"syscall"

	"github.com/eventfold/eventfold/engine/vfs"
)

// A file is an open inode.
type file struct {
	fs       *FS
	node     *inode
	name     string
	writable bool
	seen     int  // of node.errors; errors beyond it are still to be told to this descriptor
	locking  bool // it holds the inode's lock
	closed   bool
}

// begin starts a call on the file.
func (o *file) begin(op Op, off int64, size int) (Fault, func(), error) {
	fault, end := o.fs.begin(Call{Op: op, Name: o.name, Offset: off, Size: size})
	write := op == OpWriteAt || op == OpTruncate || op == OpPreallocate
	var err error
	switch {
	case o.closed:
		err = os.ErrClosed
	case off < 0:
		err = syscall.EINVAL
	case o.node.dir && (write || op == OpReadAt):
		err = syscall.EISDIR
	case write && !o.writable:
		err = syscall.EBADF
	}
	if err != nil {
		err = pathError(op.String(), o.name, err)
	}
	return fault, end, err
}

func (o *file) ReadAt(p []byte, off int64) (int, error) {
	fault, end, err := o.begin(OpReadAt, off, len(p))
	defer end()
	if err != nil {
		return 0, err
	}
	if fault.Err != nil {
		p = p[:min(fault.Part, len(p))]
	}
	n := o.node.cached.readAt(p, off)
	switch {
	case fault.Err == io.EOF:
		return n, io.EOF
	case fault.Err != nil:
		return n, pathError("read", o.name, fault.Err)
	case n < len(p):
		return n, io.EOF
	}
	return n, nil
}

func (m *image) readAt(p []byte, off int64) int {
	if off >= m.size {
		return 0
	}
	p = p[:min(int64(len(p)), m.size-off)]
	for n := 0; n < len(p); {
		at := off + int64(n)
		n += copy(p[n:], m.page(int(at / pageSize)).bytes()[at%pageSize:])
	}
	return len(p)
}

func (o *file) WriteAt(p []byte, off int64) (int, error) {
	fault, end, err := o.begin(OpWriteAt, off, len(p))
	defer end()
	if err != nil {
		return 0, err
	}
	if off > math.MaxInt64-int64(len(p)) {
		return 0, pathError("write", o.name, syscall.EFBIG)
	}
	err, part := fault.Err, p
	if err != nil {
		part = p[:min(fault.Part, len(p))]
	} else if room := o.node.cached.size + o.fs.free() - off; int64(len(p)) > room {
		part, err = p[:max(room, 0)], syscall.ENOSPC
	}
	if len(part) > 0 && !o.fs.dead {
		o.node.write(part, max(off+fault.Misdirect, 0))
		o.fs.changes++
		o.node.modified = o.fs.tick()
	}
	if err != nil {
		return len(part), pathError("write", o.name, err)
	}
	return len(p), nil
}

func (o *file) Truncate(size int64) error {
	return o.resize(OpTruncate, size, func(now int64) int64 { return size })
}

func (o *file) Preallocate(size int64) error {
	return o.resize(OpPreallocate, size, func(now int64) int64 { return max(now, size) })
}

func (o *file) resize(op Op, size int64, want func(now int64) int64) error {
	fault, end, err := o.begin(op, size, 0)
	defer end()
	if err != nil {
		return err
	}
	now := o.node.cached.size
	to := want(now)
	err = fault.Err
	if err == nil && to-now > o.fs.free() {
		err = syscall.ENOSPC
	}
	if err != nil {
		return pathError(op.String(), o.name, err)
	}
	if to != now {
		o.fs.changes++
	}
	o.node.truncate(to)
	o.node.modified = o.fs.tick()
	return nil
}

func (o *file) Fdatasync() error { return sabotageSync(func() error { return o.sync(OpFdatasync) }) }
func (o *file) Fsync() error     { return o.sync(OpFsync) }

func (o *file) sync(op Op) error {
	fault, end, err := o.begin(op, 0, 0)
	defer end()
	if err != nil {
		return err
	}
	if err := o.syncLocked(fault); err != nil {
		return pathError(op.String(), o.name, err)
	}
	return nil
}

func (o *file) syncLocked(fault Fault) error {
	n := o.node
	if len(n.dirty)+len(n.sizes) > 0 {
		o.fs.changes++
	}
	switch {
	case o.fs.dead:
		return fault.Err
	case n.late != nil:
		err := n.late
		n.late = nil
		n.fail(MarkedClean)
		return err
	case fault.Err != nil && fault.Sync == ReportedLate:
		n.fail(MarkedClean)
		n.late = fault.Err
		return nil
	case fault.Err != nil:
		n.fail(fault.Sync)
		return fault.Err
	}
	n.sync()
	if o.seen < n.errors {
		o.seen, n.told = n.errors, n.errors
		return syscall.EIO
	}
	return nil
}

// fail does what a failed sync does. What is left of the unsynced changes is lost for certain; that
// some of them may have reached the disk is modelled by WriteBack, before the sync.
func (n *inode) fail(how SyncFailure) {
	switch how {
	case MarkedClean:
		n.dirty, n.sizes = nil, nil
	case Reverted:
		for _, v := range n.dirty {
			n.cached.set(v.index, n.durable.page(v.index))
		}
		n.cached.cut(n.durable.size)
		n.dirty, n.sizes = nil, nil
	}
}

func (o *file) Size() (int64, error) {
	fault, end, err := o.begin(OpSize, 0, 0)
	defer end()
	if err != nil {
		return 0, err
	}
	if fault.Err != nil {
		return 0, pathError("stat", o.name, fault.Err)
	}
	return o.node.cached.size, nil
}

func (o *file) Info() (vfs.FileInfo, error) {
	fault, end, err := o.begin(OpStat, 0, 0)
	defer end()
	if err != nil {
		return vfs.FileInfo{}, err
	}
	if fault.Err != nil {
		return vfs.FileInfo{}, pathError("stat", o.name, fault.Err)
	}
	return o.fs.info(o.node), nil
}

// TryLock takes the lock that FS.Lock takes.
func (o *file) TryLock() error {
	fault, end, err := o.begin(OpLock, 0, 0)
	defer end()
	if err != nil {
		return err
	}
	if fault.Err != nil {
		return pathError("lock", o.name, fault.Err)
	}
	if o.locking {
		return nil
	}
	if holder, held := o.fs.locks[o.node.id]; held {
		return lockedError(o.name, holder)
	}
	o.fs.locks[o.node.id] = ""
	o.locking = true
	return nil
}

// Close closes the file. It syncs nothing. A failing Close has closed the file all the same.
func (o *file) Close() error {
	fault, end, err := o.begin(OpClose, 0, 0)
	defer end()
	if err != nil {
		return err
	}
	o.closed = true
	if o.locking {
		delete(o.fs.locks, o.node.id)
	}
	o.fs.release(o.node)
	if fault.Err != nil {
		return pathError("close", o.name, fault.Err)
	}
	return nil
}
