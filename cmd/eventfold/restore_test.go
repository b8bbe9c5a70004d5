package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever kills a restore while the copy gets its name finds nothing there, or a store: never a backup
// in the place of one. The next restore replaces what is left, and nothing of it stays.
func TestARestoreThatIsKilledWhileItsCopyGetsItsNameIsRunAgain(t *testing.T) {
	at := t.TempDir()
	store, backup, dir := filepath.Join(at, "store"), filepath.Join(at, "backup"), filepath.Join(at, "dir")
	fillStore(t, store, 20)
	told, errOut, exit := command(t, "backup", store, backup)
	require.Zero(t, exit, "%s%s", told, errOut)

	_, err := copyBackup(t.Context(), backup, dir+restoring)
	require.NoError(t, err)
	require.NoError(t, setMarkAside(dir)) // and here it is killed
	_, errOut, exit = command(t, "restore", "--no-ledger", backup, dir)
	require.Zero(t, exit, errOut)
	requireSameStores(t, store, dir)
	left, err := filepath.Glob(dir + "*")
	require.NoError(t, err)
	assert.Equal(t, []string{dir}, left)
	assert.NoFileExists(t, filepath.Join(dir, "BACKUP"))

	mark, err := os.ReadFile(filepath.Join(backup, "BACKUP"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+markAside, mark, 0o600)) // or here, when the copy has its name
	_, errOut, exit = command(t, "restore", "--no-ledger", backup, dir)
	assert.Equal(t, exitUsage, exit)
	assert.Contains(t, errOut, "is not empty")
	assert.NoFileExists(t, dir+markAside)
	requireSameStores(t, store, dir)

	other := filepath.Join(at, "other")
	require.NoError(t, os.WriteFile(other+markAside, []byte("precious"), 0o600)) // somebody else's
	_, errOut, exit = command(t, "restore", "--no-ledger", backup, other)
	assert.Equal(t, exitUsage, exit)
	assert.Contains(t, errOut, "is in the way")
	assert.FileExists(t, other+markAside)
	assert.NoDirExists(t, other)
}
