package filestore

import (
	"encoding/binary"
	"errors"
	"os"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// The file BACKUP tells a backup from a store that somebody uses: it says of which store the backup
// is, and where it ends. Once something has been appended the store does not end there any more, so
// that nobody needs to remove the file. It is written last. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	backupName    = "BACKUP"
	backupMagic   = "EVFBACK1"
	backupSize    = 96
	backupCRCAt   = 92
	maxBackupSize = 4096 // that is read
)

// A backupMark is a decoded file BACKUP.
type backupMark struct {
	store  uuid.UUID // zero of a store that nothing was ever appended to
	run    uuid.UUID // random
	head   engine.Head
	micros int64 // when the backup was made, since 1970
}

func (m *backupMark) encode() []byte {
	b := make([]byte, backupSize)
	copy(b, backupMagic)
	copy(b[8:], m.store[:])
	copy(b[24:], m.run[:])
	binary.LittleEndian.PutUint64(b[40:], uint64(m.head.Position))
	copy(b[48:], m.head.Chain[:])
	binary.LittleEndian.PutUint64(b[80:], uint64(m.micros))
	binary.LittleEndian.PutUint32(b[backupCRCAt:], format.CRC(b[:backupCRCAt]))
	return b
}

var errBackupMark = errors.New("it is not what a backup has written")

// readBackupMark reads the file BACKUP in dir.
func readBackupMark(fsys vfs.FS, dir string) (*backupMark, error) {
	b, err := vfs.ReadFile(fsys, vfs.Join(dir, backupName), maxBackupSize)
	if err != nil {
		return nil, err
	}
	if len(b) != backupSize || string(b[:8]) != backupMagic ||
		binary.LittleEndian.Uint32(b[backupCRCAt:]) != format.CRC(b[:backupCRCAt]) {
		return nil, errBackupMark
	}
	return &backupMark{
		store:  uuid.UUID(b[8:24]),
		run:    uuid.UUID(b[24:40]),
		head:   engine.Head{Position: engine.Position(binary.LittleEndian.Uint64(b[40:])), Chain: [32]byte(b[48:80])},
		micros: int64(binary.LittleEndian.Uint64(b[80:])),
	}, nil
}

// writeNew makes a file that was not there, durably but for its name.
func writeNew(fsys vfs.FS, name string, content []byte) error {
	f, err := createNew(fsys, name)
	if err != nil {
		return writeError("create "+name, err)
	}
	err = vfs.WriteFull(f, content, 0)
	if err == nil {
		err = f.Fsync()
	}
	if errClose := f.Close(); err == nil {
		err = errClose
	}
	return writeError("write "+name, err)
}

// createNew makes a file that was not there.
func createNew(fsys vfs.FS, name string) (vfs.File, error) {
	return fsys.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}
