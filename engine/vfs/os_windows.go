package vfs

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// osOpen opens a file in such a way that it can be renamed and removed while it is open, as the
// rest of the package expects and os.OpenFile does not allow.
func osOpen(name string, flag int) (*os.File, error) {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	access, disposition := uint32(windows.GENERIC_READ), uint32(windows.OPEN_EXISTING)
	if flag&os.O_RDWR != 0 {
		access |= windows.GENERIC_WRITE
	}
	switch {
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		disposition = windows.CREATE_NEW
	case flag&os.O_CREATE != 0:
		disposition = windows.OPEN_ALWAYS
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	const attributes = windows.FILE_ATTRIBUTE_NORMAL | windows.FILE_FLAG_BACKUP_SEMANTICS // directories too
	h, err := windows.CreateFile(p, access, share, nil, disposition, attributes, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(h), name)
	// such as NUL and COM1, which are names everywhere
	if kind, err := windows.GetFileType(h); err == nil && kind != windows.FILE_TYPE_DISK {
		f.Close()
		return nil, NotAFile(name, os.ModeDevice)
	}
	return f, nil
}

// lockOffset is the upper half of where the one locked byte is. Locks of Windows are mandatory, so
// that it must lie far behind what others want to read, in segments too.
const lockOffset = 1 << 20

func tryLock(f *os.File) (bool, error) {
	at := windows.Overlapped{OffsetHigh: lockOffset}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "LockFileEx", Path: f.Name(), Err: err}
	}
	return true, nil
}

func fileIdentity(name string, _ os.FileInfo) (device, inode uint64, err error) {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, 0, err
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	h, err := windows.CreateFile(p, 0, share, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return 0, 0, &os.PathError{Op: "CreateFile", Path: name, Err: err}
	}
	defer windows.CloseHandle(h)
	return handleIdentity(h, name)
}

// openIdentity is fileIdentity of an open file.
func openIdentity(f *os.File, _ os.FileInfo) (device, inode uint64, err error) {
	return handleIdentity(windows.Handle(f.Fd()), f.Name())
}

func handleIdentity(h windows.Handle, name string) (device, inode uint64, err error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(h, &info); err != nil {
		return 0, 0, &os.PathError{Op: "GetFileInformationByHandle", Path: name, Err: err}
	}
	return uint64(info.VolumeSerialNumber), uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow), nil
}

func osSpace(dir string) (Space, error) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Space{}, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return Space{}, err
	}
	s := Space{Free: int64(min(free, 1<<62))}
	volume := make([]uint16, windows.MAX_PATH+1)
	if err := windows.GetVolumePathName(p, &volume[0], uint32(len(volume))); err != nil {
		return s, nil // the kind of volume is nice to know, no more
	}
	s.Network = windows.GetDriveType(&volume[0]) == windows.DRIVE_REMOTE
	var flags uint32
	kind := make([]uint16, windows.MAX_PATH+1)
	if windows.GetVolumeInformation(&volume[0], nil, 0, nil, nil, &flags, &kind[0], uint32(len(kind))) == nil {
		s.CopyOnWrite = windows.UTF16ToString(kind) == "ReFS"
		s.ReadOnly = flags&windows.FILE_READ_ONLY_VOLUME != 0
	}
	return s, nil
}

// unixErrors are the errors that callers know by their Unix names.
var unixErrors = map[windows.Errno]syscall.Errno{
	windows.ERROR_DISK_FULL:           syscall.ENOSPC,
	windows.ERROR_HANDLE_DISK_FULL:    syscall.ENOSPC,
	windows.ERROR_WRITE_PROTECT:       syscall.EROFS,
	windows.ERROR_TOO_MANY_OPEN_FILES: syscall.EMFILE,
	windows.ERROR_DIRECTORY:           syscall.ENOTDIR,
	windows.ERROR_NOT_SAME_DEVICE:     syscall.EXDEV,
	windows.ERROR_TOO_MANY_LINKS:      syscall.EMLINK,
	windows.ERROR_NOT_SUPPORTED:       syscall.ENOTSUP,
	windows.ERROR_INVALID_FUNCTION:    syscall.ENOTSUP, // of a link, on FAT
}

// osError makes an error of Windows match its Unix name too.
func osError(err error) error {
	var number windows.Errno
	if !errors.As(err, &number) {
		return err
	}
	if unix, ok := unixErrors[number]; ok {
		return fmt.Errorf("%w (%w)", err, unix)
	}
	return err
}
