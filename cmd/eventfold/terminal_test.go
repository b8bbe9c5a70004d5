//go:build !windows

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestATableIsAsWideAsTheTerminal(t *testing.T) {
	x := atTerminal(t, []string{"NO_COLOR=1"}, "query", smallStore(t),
		"SELECT stream, '"+strings.Repeat("wide ", 100)+"' AS w FROM $all WHERE position = 0")
	x.await("(1 row)")
	assert.Equal(t, exitOK, x.end())
	x = atTerminal(t, []string{"NO_COLOR=1"}, "query", smallStore(t),
		"SELECT '"+strings.Repeat("wide ", 100)+"' AS w; SELECT 'end' AS z")
	x.await("wide")
	x.await("…\r\n")
	x.await("end")
	assert.Equal(t, exitOK, x.end())
}

func TestALongResultGoesToThePager(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	x := atTerminal(t, []string{"PAGER=cat >" + seen}, "query", smallStore(t), "SELECT value FROM generate_series(1, 100)")
	assert.Equal(t, exitOK, x.end())
	b, err := os.ReadFile(seen)
	require.NoError(t, err)
	assert.Contains(t, string(b), "(100 rows)")
	x = atTerminal(t, []string{"PAGER=true"}, "query", smallStore(t), "SELECT value FROM generate_series(1, 100000)")
	assert.Equal(t, exitOK, x.end(), "who leaves the pager has seen enough")
}

// Head has seen enough: that is no error, and the store is closed as ever.
func TestAReaderThatGoesAwayIsNoError(t *testing.T) {
	executable, err := exec.LookPath("eventfold")
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), executable, "query", "-o", "csv", smallStore(t),
		"SELECT value FROM generate_series(1, 1000000)")
	var told strings.Builder
	c.Stderr = &told
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	_, err = io.ReadFull(out, make([]byte, 100))
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.NoError(t, c.Wait())
	assert.Empty(t, told.String())
}

// Tail shows each event as it comes, and a signal is how it ends.
func TestTailFollowsUntilASignal(t *testing.T) {
	store := smallStore(t)
	executable, err := exec.LookPath("eventfold")
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), executable, "tail", "-f", "-n", "1", "--stream", "order-*", "-o", "csv", store)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := &untilText{t: t, from: out}
	assert.NotContains(t, lines.await("order-2,0,Placed"), "order-1", "it is not the last one")
	require.NoError(t, printSQL(store, []string{`INSERT INTO order-3 (type) VALUES ('New')`}))
	lines.await("order-3,0,New")
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	require.NoError(t, c.Wait())
}

// An untilText reads what a command writes.
type untilText struct {
	t    *testing.T
	from io.Reader
}

// await reads until a text has come, and returns what came before it.
func (u *untilText) await(text string) string {
	u.t.Helper()
	seen, b := "", make([]byte, 1000)
	for !strings.Contains(seen, text) {
		n, err := u.from.Read(b)
		require.NoError(u.t, err, "%q is not in %q", text, seen)
		seen += string(b[:n])
	}
	return seen
}
