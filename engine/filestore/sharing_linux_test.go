package filestore

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// mountReadOnly makes a directory visible somewhere else, where nothing can be written.
func mountReadOnly(t *testing.T, dir string) string {
	if os.Geteuid() != 0 {
		t.Skip("mounts a directory for reading only, which only root may")
	}
	at := t.TempDir()
	if err := unix.Mount(dir, at, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	require.NoError(t, unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	require.ErrorIs(t, os.WriteFile(filepath.Join(at, "x"), nil, 0o644), unix.EROFS)
	return at
}

// On a read-only file system a store is read and followed, also one that was left by kill -9, and
// appends say why they are refused.
func TestReadOnlyFileSystem(t *testing.T) {
	ctx := context.Background()
	alive := t.TempDir()
	w := openStore(t, alive, Options{SegmentSize: testSegmentSize})
	appendNumbered(t, w, 0, 300)
	crashed := filepath.Join(t.TempDir(), "crashed")
	copyFiles(t, alive, crashed)

	for _, o := range []Options{{ReadOnly: true}, {}} {
		left := mountReadOnly(t, crashed)
		s := openStore(t, left, o)
		got, err := payloads(s)
		require.NoError(t, err)
		require.Equal(t, numbered(300), got)
		_, err = s.Verify(ctx)
		require.NoError(t, err)
		report, err := s.Backup(ctx, filepath.Join(t.TempDir(), "backup"))
		require.NoError(t, err)
		assert.Equal(t, engine.Position(300), report.Head.Position)
		err = try(s, "s0", "1")
		if o.ReadOnly {
			assert.ErrorIs(t, err, engine.ErrReadOnly)
		} else {
			assert.ErrorIs(t, err, unix.EROFS)
			assert.False(t, s.Stats().Poisoned)
		}
		require.NoError(t, s.Close())
	}

	at := mountReadOnly(t, alive)
	var readers []*FileStore
	for _, o := range []Options{{ReadOnly: true}, {}} {
		readers = append(readers, openStore(t, at, o))
	}
	for n := 300; n < 900; n += 150 {
		waits := make(chan error, len(readers))
		for _, r := range readers {
			go func() { waits <- r.Wait(ctx, engine.Position(n+149)) }() // ends when the events are there
		}
		appendNumbered(t, w, n, n+150)
		for _, r := range readers {
			require.NoError(t, <-waits)
			got, err := payloads(r)
			require.NoError(t, err)
			require.Equal(t, numbered(n+150), got)
		}
	}
	require.Greater(t, readers[0].Stats().Segments, 2)
}
