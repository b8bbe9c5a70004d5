//go:build linux

// Package powercut cuts the power under a real ext4. Its tests put ext4 on a loop device whose file is served by this process through
// FUSE: every block that the kernel writes and every flush that it asks for passes by and is recorded. From the record
// they build the disks that a power cut could have left, mount each, and open the store on it.
//
// It needs root that may mount, FUSE, a free loop device and ext4, and is skipped where the machine lacks one of them. It is a module of
// its own so that its dependencies reach nobody else.
package powercut

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// An operation is a write of blocks, or a flush if data is nil.
type operation struct {
	offset int64
	data   []byte
}

// A disk is the file under the loop device. What is written to it is recorded.
type disk struct {
	fs.Inode

	mu         sync.Mutex // protects all below
	image      []byte
	operations []operation
}

var (
	_ fs.NodeGetattrer = (*disk)(nil)
	_ fs.NodeSetattrer = (*disk)(nil)
	_ fs.NodeOpener    = (*disk)(nil)
	_ fs.NodeReader    = (*disk)(nil)
	_ fs.NodeWriter    = (*disk)(nil)
	_ fs.NodeFsyncer   = (*disk)(nil)
)

func (d *disk) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = syscall.S_IFREG|0o600, uint64(len(d.image))
	return 0
}

// Setattr accepts new times and the size that the file has.
func (d *disk) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok && size != uint64(len(d.image)) {
		return syscall.ENOTSUP
	}
	return d.Getattr(ctx, f, out)
}

func (d *disk) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (d *disk) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off >= int64(len(d.image)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dest[:copy(dest, d.image[off:])]), 0
}

func (d *disk) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off+int64(len(data)) > int64(len(d.image)) {
		return 0, syscall.ENOSPC
	}
	copy(d.image[off:], data)
	d.operations = append(d.operations, operation{off, append([]byte(nil), data...)})
	return uint32(len(data)), 0
}

func (d *disk) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.operations = append(d.operations, operation{})
	return 0
}

// recorded returns how many operations there have been.
func (d *disk) recorded() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.operations)
}

// count returns the writes and flushes among the operations from one number to before another.
func (d *disk) count(from, to int) (writes, flushes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, op := range d.operations[from:to] {
		if op.data == nil {
			flushes++
		} else {
			writes++
		}
	}
	return writes, flushes
}

// A root is the directory that holds the disk's file.
type root struct {
	fs.Inode
	disk *disk
}

func (r *root) OnAdd(ctx context.Context) {
	r.AddChild("disk", r.NewPersistentInode(ctx, r.disk, fs.StableAttr{Mode: syscall.S_IFREG}), false)
}

// A machine is a recorded disk with ext4 mounted on it.
type machine struct {
	disk   *disk
	start  []byte // the disk before the first recorded operation
	dir    string // where ext4 is mounted
	server *fuse.Server
	loop   string
}

const diskSize = 40 << 20

// makeFileSystem returns the bytes of a disk with an empty ext4.
func makeFileSystem(dir string) ([]byte, error) {
	name := filepath.Join(dir, "empty")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(name)
	if err := os.Truncate(name, diskSize); err != nil {
		return nil, err
	}
	// Everything that ext4 would initialise in the background is initialised now, so that the record holds only what the store causes.
	if err := command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", name); err != nil {
		return nil, err
	}
	return os.ReadFile(name)
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// newMachine mounts a recorded ext4 below dir.
func newMachine(dir string) (m *machine, err error) {
	empty, err := makeFileSystem(dir)
	if err != nil {
		return nil, err
	}
	m = &machine{disk: &disk{image: append([]byte(nil), empty...)}, dir: filepath.Join(dir, "mounted")}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	served := filepath.Join(dir, "served")
	for _, d := range []string{served, m.dir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	m.server, err = fs.Mount(served, &root{disk: m.disk}, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, Name: "powercut", MaxWrite: 1 << 20}})
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("losetup", "--find", "--show", filepath.Join(served, "disk")).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("losetup: %w: %s", err, out)
	}
	m.loop = strings.TrimSpace(string(out))
	// The journal commits when it is asked to, not every five seconds.
	if err := command("mount", "-t", "ext4", "-o", "noatime,commit=900", m.loop, m.dir); err != nil {
		return nil, err
	}
	if err := command("sync", "-f", m.dir); err != nil {
		return nil, err
	}
	m.disk.mu.Lock()
	m.start, m.disk.operations = append([]byte(nil), m.disk.image...), nil
	m.disk.mu.Unlock()
	return m, nil
}

// close takes apart what newMachine has put together, as far as it came.
func (m *machine) close() error {
	var failed error
	note := func(err error) {
		if err != nil && failed == nil {
			failed = err
		}
	}
	if m.loop != "" {
		_ = exec.Command("umount", m.dir).Run() // it may not have been mounted
		note(command("losetup", "-d", m.loop))
	}
	if m.server != nil {
		note(m.server.Unmount())
	}
	return failed
}
