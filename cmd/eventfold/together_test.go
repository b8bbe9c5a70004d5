//go:build !windows

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// begun starts a command that opens a pipe, and returns it and the other end of the pipe when it has.
func begun(t *testing.T, pipe string, args ...string) (*process, *os.File) {
	t.Helper()
	c := newProcess(t, args...)
	require.NoError(t, c.Start())
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { w.Close() })
	return c, w
}

// finished runs a command to its end, and returns its exit code and what it has told.
func finished(t *testing.T, args ...string) (code int, told string) {
	t.Helper()
	c := newProcess(t, args...)
	require.NoError(t, c.Start())
	code = c.exitCode()
	return code, c.told.String()
}

// The first one has copied the backup and waits for the ledger: a second one would put its own copy in
// the place of that, without what the ledger says.
func TestOfTwoRestoresIntoOneDirectoryOneIsRefused(t *testing.T) {
	dir, store := t.TempDir(), smallStore(t)
	backup, ledger := filepath.Join(dir, "backup"), filepath.Join(dir, "ledger")
	pipe, restored := filepath.Join(dir, "pipe"), filepath.Join(dir, "restored")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, args := range [][]string{
		{"backup", store, backup},
		{"erase", "--reason", "x", "--ledger", ledger, store, "FROM $all WHERE TRUE"},
	} {
		code, told := finished(t, args...)
		require.Zero(t, code, told)
	}
	first, w := begun(t, pipe, "restore", "--ledger", pipe, backup, restored)
	for _, flag := range []string{"--no-ledger", "--ledger=" + ledger} {
		code, told := finished(t, "restore", flag, backup, restored)
		assert.Equal(t, exitConflict, code, told)
		assert.Contains(t, told, fmt.Sprintf("%s is being restored to by process %d on ", restored, first.Process.Pid))
	}
	text, err := os.ReadFile(ledger)
	require.NoError(t, err)
	_, err = w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Equal(t, exitOK, first.exitCode(), first.told.String())
	assert.Equal(t, "0", answerOf(t, restored, "SELECT COUNT(*) FROM $all WHERE payload IS NOT NULL AND stream NOT LIKE '$%'"))
	left, err := filepath.Glob(restored + ".*")
	require.NoError(t, err)
	assert.Empty(t, left)

	code, told := finished(t, "restore", "--no-ledger", backup, restored)
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, told, "is not empty")
}

// The first one waits for more and has the write lock.
func TestOfTwoImportsIntoOneStoreOneIsRefusedOrWaits(t *testing.T) {
	dir := t.TempDir()
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	pipe, file := filepath.Join(dir, "pipe.ndjson"), filepath.Join(dir, "file.ndjson")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	fillStore(t, source, 5000)
	code, told := finished(t, "export", source, file)
	require.Zero(t, code, told)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	first, w := begun(t, pipe, "import", "file:"+dest, pipe)
	end := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	_, err = w.Write(text[:end]) // more than pipes and buffers hold: some is appended
	require.NoError(t, err)
	code, told = finished(t, "import", "file:"+dest+"?busy_timeout=1ms", file)
	assert.Equal(t, exitConflict, code, told)
	assert.Contains(t, told, fmt.Sprint(first.Process.Pid))
	second := newProcess(t, "import", "file:"+dest+"?busy_timeout=10m", file)
	require.NoError(t, second.Start())
	_, err = w.Write(text[end:])
	require.NoError(t, err)
	require.NoError(t, w.Close())
	assert.Equal(t, exitOK, first.exitCode(), first.told.String())
	assert.Equal(t, exitOK, second.exitCode(), second.told.String())
	requireSameStores(t, source, dest)
}

// together starts commands at one moment, and returns their exit codes and what they have told.
func together(t *testing.T, commands ...[]string) (codes []int, told []string) {
	t.Helper()
	var all []*process
	for _, args := range commands {
		c := newProcess(t, args...)
		c.Stdout = io.Discard
		all = append(all, c)
	}
	for _, c := range all {
		require.NoError(t, c.Start())
	}
	for _, c := range all {
		codes = append(codes, c.exitCode())
		told = append(told, strings.TrimSpace(c.told.String()))
	}
	return codes, told
}

// requireOneOf requires that somebody has done his work, and that the others were told that it is being
// done.
func requireOneOf(t *testing.T, codes []int, told []string) {
	t.Helper()
	require.Contains(t, codes, exitOK, told)
	for i, code := range codes {
		if code != exitOK {
			require.Equal(t, exitConflict, code, told[i])
		}
	}
}

func TestCopiesAtOneMomentMakeOneCopy(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	fillStore(t, source, 300)
	for i := range 4 {
		to := filepath.Join(dir, fmt.Sprint("copy-", i))
		one := []string{"copy", source, to}
		codes, told := together(t, one, one, one)
		requireOneOf(t, codes, told)
		code, text := finished(t, "copy", source, to)
		require.Zero(t, code, text)
		requireSameStores(t, source, to)
		code, text = finished(t, "verify", to)
		require.Zero(t, code, text)
		left, err := filepath.Glob(filepath.Join(dir, ".*"))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

// What is restored meanwhile is the earlier backup or the later one.
func TestARestoreOfABackupThatIsMadeAnewIsOneOfBoth(t *testing.T) {
	dir := t.TempDir()
	source, backup := filepath.Join(dir, "source"), filepath.Join(dir, "backup")
	fillStore(t, source, 300)
	code, told := finished(t, "backup", source, backup)
	require.Zero(t, code, told)
	for i := range 4 {
		before, after := 300*(i+1), 300*(i+2)
		fillStore(t, source, after)
		restored := filepath.Join(dir, fmt.Sprint("restored-", i))
		codes, told := together(t, []string{"restore", "--no-ledger", backup, restored}, []string{"backup", source, backup})
		require.Zero(t, codes[1], told[1])
		if codes[0] != exitOK {
			require.Equal(t, exitConflict, codes[0], told[0])
			require.NoDirExists(t, restored)
			continue
		}
		n := answerOf(t, restored, "SELECT COUNT(*) FROM $all")
		require.Contains(t, []string{fmt.Sprint(before), fmt.Sprint(after)}, n)
		code, text := finished(t, "verify", restored)
		require.Zero(t, code, text)
	}
	requireFree(t, backup)
}

// requireFree requires that nobody has a lock, so that a store can be made of the backup.
func requireFree(t *testing.T, backup string) {
	code, told := finished(t, "restore", "--no-ledger", backup, backup+"-again")
	require.Zero(t, code, told)
}
