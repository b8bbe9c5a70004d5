package crashtest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A real file system of 8 MB fills up, because of the store and because of a neighbour, and gets
// room again (T6).
func TestDiskFullOnTmpfs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts a tmpfs, which only root may")
	}
	mount := t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("mount a tmpfs: %v", err)
	}
	defer unix.Unmount(mount, unix.MNT_DETACH)
	ctx, dir, neighbour := t.Context(), filepath.Join(mount, "store"), filepath.Join(mount, "neighbour")
	cycles, full := testenv.Scale(5, 200), 0
	o, g := crashtest.NewOracle(true), crashtest.NewGenerator(testenv.Seed(t))
	options := filestore.Options{SegmentSize: 64 << 10}
	s, err := filestore.Open(dir, options)
	require.NoError(t, err)
	for cycle := range cycles {
		require.NoError(t, os.WriteFile(neighbour, make([]byte, 7<<20-usedBelow(t, dir)), 0o600))
		for refused := 0; refused < 3; {
			_, err := o.Append(ctx, s, g.Append(g.IntN(20_000)))
			if errors.Is(err, engine.ErrFull) {
				refused++
				full++
			} else {
				require.NoError(t, err, "cycle %d", cycle)
			}
		}
		require.NoError(t, o.Check(ctx, s), "cycle %d, full", cycle)
		if cycle%4 == 3 {
			s.Close()
			s, err = filestore.Open(dir, options)
			require.NoError(t, err, "cycle %d, opened while full", cycle)
			require.NoError(t, o.Check(ctx, s), "cycle %d, opened while full", cycle)
		}
		require.NoError(t, os.Remove(neighbour))
		_, err := o.Append(ctx, s, g.Append(100))
		require.NoError(t, err, "cycle %d, with room again", cycle)
		require.NoError(t, o.Check(ctx, s), "cycle %d, with room again", cycle)
		if usedBelow(t, dir) > 5<<20 {
			require.NoError(t, s.Close())
			require.NoError(t, os.RemoveAll(dir))
			o = crashtest.NewOracle(true)
			s, err = filestore.Open(dir, options)
			require.NoError(t, err)
		}
	}
	require.NoError(t, s.Close())
	report(t, "T6, tmpfs",
		fmt.Sprintf("%d times full, %d appends refused, acknowledged and lost: 0", cycles, full))
}

func usedBelow(t *testing.T, dir string) (n int) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return 0
	}
	require.NoError(t, err)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += int(info.Size())
		}
	}
	return n
}
