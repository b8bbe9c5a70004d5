package filestore

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A mountFS tells of a file system of which one directory is mounted from elsewhere.
type mountFS struct {
	vfs.FS
	mount string
	space vfs.Space
	err   error
}

func (m *mountFS) Space(dir string) (vfs.Space, error) {
	s, err := m.FS.Space(dir)
	if err == nil && (dir == m.mount || filepath.Dir(dir) == m.mount) {
		return m.space, m.err
	}
	return s, err
}

func TestNetworkFileSystemIsRefused(t *testing.T) {
	nfs := vfs.Space{Free: -1, Network: true, Kind: "nfs"}
	tests := []struct {
		name    string
		dir     string
		space   vfs.Space
		err     error
		options Options
		refused bool
	}{
		{"a store", "/net/store", nfs, nil, Options{}, true},
		{"a reader", "/net/store", nfs, nil, Options{ReadOnly: true}, true},
		{"a store that is to be made", "/net/a/b/c", nfs, nil, Options{}, true},
		{"allowed", "/net/store", nfs, nil, Options{Network: true}, false},
		{"a local one", "/net/store", vfs.Space{Free: -1, Kind: "fuse.bindfs"}, nil, Options{}, false},
		{"the system does not tell", "/net/store", nfs, errors.New("statfs: not implemented"), Options{}, false},
		{"beside it", "/store", nfs, nil, Options{}, false},
	}
	for _, tt := range tests {
		fsys := &mountFS{FS: vfs.NewMem(), mount: "/net"}
		require.NoError(t, fsys.MkdirAll("/net/store"))
		fsys.space, fsys.err = tt.space, tt.err
		tt.options.FS = fsys
		s, err := Open(tt.dir, tt.options)
		if !tt.refused {
			require.NoError(t, err, tt.name)
			if !tt.options.ReadOnly {
				mustAppend(t, s, "a", engine.Any, one("A")...)
			}
			require.NoError(t, s.Close())
			continue
		}
		var network *engine.NetworkError
		require.ErrorAs(t, err, &network, tt.name)
		assert.Equal(t, &engine.NetworkError{Path: tt.dir, Kind: "nfs"}, network)
		assert.Contains(t, err.Error(), tt.dir)
		names, err := fsys.List("/net/store")
		require.NoError(t, err)
		assert.Empty(t, names, "nothing is written")
		_, err = fsys.Stat("/net/a")
		assert.ErrorIs(t, err, fs.ErrNotExist)
	}
}

// Backups belong elsewhere, also on another machine.
func TestBackupToANetworkFileSystem(t *testing.T) {
	fsys := &mountFS{FS: vfs.NewMem(), mount: "/net", space: vfs.Space{Free: -1, Network: true, Kind: "nfs"}}
	require.NoError(t, fsys.MkdirAll("/net"))
	s := openStore(t, imageDir, Options{FS: fsys})
	for range 2 { // the second adds to the first
		mustAppend(t, s, "a", engine.Any, one("A")...)
		_, err := s.Backup(context.Background(), "/net/backup")
		require.NoError(t, err)
	}
	b := openStore(t, "/net/backup", Options{FS: fsys, Network: true, ReadOnly: true})
	assert.Equal(t, s.ReadIndex().Head(), b.ReadIndex().Head())
}
