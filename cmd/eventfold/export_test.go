package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/cmd/eventfold/internal/transfer"
)

// command runs a command line and returns what it writes, and its exit code.
func command(t *testing.T, args ...string) (out, errOut string, exit int) {
	var o, e bytes.Buffer
	exit = run(t.Context(), append([]string{"eventfold"}, args...), strings.NewReader(""), &o, &e)
	return o.String(), e.String(), exit
}

// Several exports to one file begin at one moment. Each of them that ends well has written the whole
// file, and the others say that somebody else is at it.
func TestExportsToOneFileDoNotMix(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	fillStore(t, store, 3000)
	for _, name := range []string{"e.ndjson", "e.csv.zst", "e.parquet", "e.sqlite"} {
		file := filepath.Join(dir, name)
		var all sync.WaitGroup
		var codes [4]int
		var told [4]string
		for i := range codes {
			all.Go(func() { _, told[i], codes[i] = command(t, "export", store, file) })
		}
		all.Wait()
		assert.Contains(t, codes, exitOK, "%s: %v", name, told)
		for i, code := range codes {
			if code != exitOK {
				assert.Equal(t, exitConflict, code, told[i])
				assert.Contains(t, told[i], "is being exported to by ")
			}
		}
		_, errOut, exit := command(t, "import", file+".store", file)
		require.Zero(t, exit, errOut)
		requireSameStores(t, store, file+".store")
		left, err := filepath.Glob(file + ".part*")
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}

// What an export was about to give its name when it was killed goes with the next one to the same file,
// and nothing else does.
func TestAnExportRemovesTheCheckpointsThatAKilledOneHasLeft(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	fillStore(t, store, 10)
	for _, name := range []string{"odd [*?] e.csv", "e.parquet", "e.sqlite"} {
		file := filepath.Join(dir, name)
		left := []string{file + ".part.json.eventfold-123456.tmp", file + ".part.lines.part.json.eventfold-1.tmp"}
		others := []string{file + ".part.json.1.tmp", file + ".eventfold-1.tmp", file + "2.part.json.eventfold-1.tmp",
			file + ".part.json.eventfold-.tmp"}
		for _, path := range append(left, others...) {
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		}
		_, errOut, exit := command(t, "export", store, file)
		require.Zero(t, exit, errOut)
		for _, path := range left {
			assert.NoFileExists(t, path)
		}
		for _, path := range others {
			assert.FileExists(t, path)
		}
	}
}

func TestAnExportSaysWhoIsAtItsFile(t *testing.T) {
	dir := t.TempDir()
	store, file := filepath.Join(dir, "store"), filepath.Join(dir, "e.csv")
	require.NoError(t, printSQL(store, []string{`INSERT INTO s (type) VALUES ('T')`}))
	link := filepath.Join(dir, "link.csv")
	require.NoError(t, os.Symlink("e.csv", link))
	lock, err := transfer.Lock(file)
	require.NoError(t, err)
	for _, name := range []string{file, link} {
		for _, flag := range []string{"--restart", "--json"} {
			_, errOut, exit := command(t, "export", flag, store, name)
			assert.Equal(t, exitConflict, exit)
			assert.Contains(t, errOut, fmt.Sprintf("e.csv is being exported to by process %d on ", os.Getpid()))
		}
	}
	require.NoFileExists(t, file)
	require.NoError(t, lock.Close())
	require.NoFileExists(t, file+".part.lock")
	_, errOut, exit := command(t, "export", store, link)
	require.Zero(t, exit, errOut)
	require.FileExists(t, file)
}
