package eventfold_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/vfs"
)

// roomForSpills skips a test where the disk has hardly more room than temporary files leave free.
func roomForSpills(t *testing.T, dir string) {
	if space, err := vfs.OS().Space(dir); err == nil && space.Free >= 0 && space.Free < 1<<30 {
		t.Skip("temporary files leave a part of the disk free, and this one has little more")
	}
}

// TestAQueryLargerThanItsMemoryGoesOnInAFile, of a store on the disk, of one that is only read, and of
// one in memory; no file is left, neither in the store nor where they are made.
func TestAQueryLargerThanItsMemoryGoesOnInAFile(t *testing.T) {
	dir, temp := t.TempDir(), t.TempDir()
	roomForSpills(t, temp)
	seed(t, openDB(t, dir), 3000)
	inMemory := openDB(t, ":memory:?query_memory=64KiB&spill_dir="+temp)
	seed(t, inMemory, 3000)
	const sorted = `SELECT payload FROM $all ORDER BY payload, position`
	want := column[string](t, openDB(t, dir), sorted)
	require.Len(t, want, 3000)
	names := func(dir string) (list []string) {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	before := names(dir)
	small := openDB(t, dir+"?query_memory=64KiB&spill_dir="+temp)
	assert.Equal(t, want, column[string](t, small, sorted))
	assert.Positive(t, one[int64](t, small, `SELECT value FROM $stats WHERE name = 'spilled_bytes'`))
	assert.Equal(t, want, column[string](t, openDB(t, dir+"?mode=ro&query_memory=64KiB&spill_dir="+temp), sorted))
	assert.Equal(t, want, column[string](t, inMemory, sorted))
	assert.Equal(t, before, names(dir))
	assert.Empty(t, names(temp))
}

// TestASpillThatCannotBeSaysWhy: its limit, or what the system says of its directory.
func TestASpillThatCannotBeSaysWhy(t *testing.T) {
	dir := t.TempDir()
	roomForSpills(t, os.TempDir())
	seed(t, openDB(t, dir), 3000)
	const sorted = `SELECT payload FROM $all ORDER BY payload`

	_, err := openDB(t, dir+"?query_memory=64KiB&spill=96KiB").Exec(sorted)
	var e *eventfold.SpillError
	require.ErrorIs(t, err, eventfold.ErrMemory)
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Spent)
	assert.Equal(t, []any{"ORDER BY", int64(96 << 10)}, []any{e.Clause, e.Limit})
	assert.ErrorContains(t, err, "raise spill or query_memory")

	missing := filepath.Join(dir, "missing")
	_, err = openDB(t, dir+"?query_memory=64KiB&spill_dir="+missing).Exec(sorted)
	require.ErrorIs(t, err, eventfold.ErrMemory)
	require.ErrorIs(t, err, syscall.ENOENT)
	require.ErrorAs(t, err, &e)
	assert.Equal(t, missing, e.Dir)
	assert.ErrorContains(t, err, "spill_dir names another directory")
}
