//go:build linux

package powercut

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A need is something that a machine must have and allow for a disk to be recorded.
type need struct {
	name  string
	check func(t *testing.T) error // an error for which lacks is true, where the machine does not have it
}

var needs = []need{
	{"root", func(*testing.T) error {
		if os.Getuid() != 0 {
			return fs.ErrPermission
		}
		return nil
	}},
	{"the programs", func(*testing.T) error {
		for _, program := range []string{"mkfs.ext4", "losetup", "mount", "umount", "sync"} {
			if _, err := exec.LookPath(program); err != nil {
				return err
			}
		}
		return nil
	}},
	{"ext4", needExt4},
	{"FUSE", func(*testing.T) error { return opens("/dev/fuse") }},
	{"a loop device", needLoop},
	{"mounting", needMount},
}

// lacks reports whether an error of a check says that the machine does not have something or does not allow it. Any other error
// is a fault, of the machine or of the test.
func lacks(err error) bool {
	return slices.ContainsFunc([]error{fs.ErrNotExist, fs.ErrPermission, exec.ErrNotFound, syscall.ENODEV, syscall.ENXIO, syscall.ENOSYS},
		func(known error) bool { return errors.Is(err, known) })
}

// needExt4 looks for ext4 among what the kernel knows, and loads it if it is a module that is not in use yet.
func needExt4(*testing.T) error {
	_ = exec.Command("modprobe", "ext4").Run() // the list below tells whether it is there
	list, err := os.ReadFile("/proc/filesystems")
	if err == nil && !slices.Contains(strings.Fields(string(list)), "ext4") {
		return syscall.ENODEV
	}
	return err
}

func opens(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// needLoop asks for a free loop device and opens it: a container may have the control and not the devices.
func needLoop(*testing.T) error {
	const getFree = 0x4c82 // LOOP_CTL_GET_FREE
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer control.Close()
	n, _, errno := syscall.Syscall(syscall.SYS_IOCTL, control.Fd(), getFree, 0)
	if errno != 0 {
		return fmt.Errorf("asking for a free loop device: %w", errno)
	}
	return opens(fmt.Sprint("/dev/loop", n))
}

// needMount mounts something that needs nothing but the permission to mount, which root does not have in most containers.
func needMount(t *testing.T) error {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mounting a tmpfs: %w", err)
	}
	return syscall.Unmount(dir, 0)
}

// newTestMachine skips the test where the machine lacks something that it needs. Whatever goes wrong beyond that fails it.
func newTestMachine(t *testing.T) *machine {
	t.Helper()
	for _, n := range needs {
		err := n.check(t)
		if lacks(err) {
			t.Skipf("this machine lacks %s: %v", n.name, err)
		}
		require.NoError(t, err, n.name)
	}
	m, err := newMachine(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.close()) })
	return m
}

// TestOnlyWhatIsMissingSkips: that a machine has no such device is a reason to skip, that something fails is none.
func TestOnlyWhatIsMissingSkips(t *testing.T) {
	for _, err := range []error{opens("/dev/nothing-here"), &fs.PathError{Op: "open", Path: "/dev/fuse", Err: syscall.EPERM}, syscall.EACCES,
		fmt.Errorf("mounting: %w", syscall.EPERM), &exec.Error{Name: "losetup", Err: exec.ErrNotFound}, syscall.ENODEV, syscall.ENXIO} {
		assert.True(t, lacks(err), err)
	}
	for _, err := range []error{nil, errors.New("exit status 1"), &exec.ExitError{}, syscall.EIO, syscall.ENOSPC, syscall.EBUSY, syscall.EINVAL, syscall.EMFILE} {
		assert.False(t, lacks(err), err)
	}
}
