//go:build !windows

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A process is eventfold as one of its own.
type process struct {
	*exec.Cmd
	told bytes.Buffer // its standard error
}

// newProcess prepares eventfold with arguments. It is killed if it takes minutes.
func newProcess(t *testing.T, args ...string) *process {
	t.Helper()
	executable, err := exec.LookPath("eventfold")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	c := &process{Cmd: exec.CommandContext(ctx, executable, args...)}
	c.Stderr = &c.told
	return c
}

// exitCode waits for the end.
func (c *process) exitCode() int {
	_ = c.Wait()
	return c.ProcessState.ExitCode()
}

// unread returns a pipe that nobody reads.
func unread(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// answerOf runs a query whose answer is one value.
func answerOf(t *testing.T, store, text string) string {
	t.Helper()
	out, err := newProcess(t, "query", "-o", "csv", store, text).Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, 2)
	return lines[1]
}

// Head has seen enough of what append tells; the events behind that are appended all the same.
func TestAppendAppendsAllThatItReadsAlthoughNobodyReadsWhatItTells(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	input := strings.Repeat(`{"type": "A"}`+"\n", 3000)
	c := newProcess(t, "append", "--create", "--json", "--batch", "100", store, "s")
	c.Stdin, c.Stdout = strings.NewReader(input), unread(t)
	require.NoError(t, c.Start())
	assert.Equal(t, exitOK, c.exitCode())
	assert.Empty(t, c.told.String())
	assert.Equal(t, "3000", answerOf(t, store, "SELECT COUNT(*) FROM s"))

	c = newProcess(t, "append", "-v", store, "s")
	c.Stdin, c.Stdout = strings.NewReader(input+`{"tipe": "A"}`+"\n"), unread(t)
	require.NoError(t, c.Start())
	assert.Equal(t, exitError, c.exitCode())
	assert.Contains(t, c.told.String(), "line 3001 of the input")
	assert.Contains(t, c.told.String(), "3,000 events appended")
	assert.Equal(t, "6000", answerOf(t, store, "SELECT COUNT(*) FROM s"))
}

// What a positions file is full for is an error, but behind the last event.
func TestAppendTellsInTheEndWhatItCouldNotTell(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full, a device without space")
	}
	defer full.Close()
	store := filepath.Join(t.TempDir(), "store")
	c := newProcess(t, "append", "--create", "--json", "--batch", "100", store, "s")
	c.Stdin, c.Stdout = strings.NewReader(strings.Repeat(`{"type": "A"}`+"\n", 1000)), full
	require.NoError(t, c.Start())
	assert.Equal(t, exitError, c.exitCode())
	assert.Contains(t, c.told.String(), "no space left")
	assert.Contains(t, c.told.String(), "1,000 events appended")
	assert.Equal(t, "1000", answerOf(t, store, "SELECT COUNT(*) FROM s"))
}

func TestWhatDoesNotHappenBecauseNobodyReadsIsTold(t *testing.T) {
	const many = "SELECT value FROM generate_series(1, 100000)"
	const insert = "INSERT INTO new (type) VALUES ('A')"
	tests := []struct {
		name, text string
		write      bool
		exit       int
		told       string // "" is nothing
		stored     string
	}{
		{"an open transaction", "BEGIN; " + insert + "; " + many + "; COMMIT", true,
			exitError, "nothing of the open transaction is stored", "0"},
		{"a statement behind", many + "; " + insert, true,
			exitError, "the statements behind that were not run", "0"},
		{"nothing", insert + "; " + many, true, exitOK, "", "1"},
		{"nothing, for who only reads", many + "; " + many, false, exitOK, "", "0"},
		{"another error", insert + "; " + insert + " EXPECTING NO STREAM", true,
			exitConflict, "expected no stream", "1"},
		{"another error in a transaction", "BEGIN; " + insert + "; SELECT nothing FROM $all; COMMIT", true,
			exitError, "(nothing of the open transaction is stored)", "0"},
	}
	for _, tt := range tests {
		for _, name := range []string{"query", "shell"} {
			store := smallStore(t)
			args := []string{name, "-o", "csv", store}
			if tt.write {
				args = append(args, "--write")
			}
			c := newProcess(t, args...)
			c.Stdin, c.Stdout = strings.NewReader(tt.text), unread(t)
			require.NoError(t, c.Start())
			assert.Equal(t, tt.exit, c.exitCode(), "%s: %s: %s", name, tt.name, c.told.String())
			if tt.told == "" {
				assert.Empty(t, c.told.String(), "%s: %s", name, tt.name)
			}
			assert.Contains(t, c.told.String(), tt.told, "%s: %s", name, tt.name)
			assert.Equal(t, tt.stored, answerOf(t, store, "SELECT COUNT(*) FROM new"), "%s: %s", name, tt.name)
		}
	}
}

// A shell whose results nobody reads says whether statements are left, and not what only looks so. They
// come one by one, when the shell has failed already.
func TestAShellWhoseReaderHasGoneKnowsWhatIsLeft(t *testing.T) {
	const many = "SELECT value FROM generate_series(1, 100000);\n"
	const insert = "INSERT INTO new (type) VALUES ('A');\n"
	const told = "the statements behind that were not run"
	tests := []struct {
		name string
		rest []string
		told string // "" is nothing
	}{
		{"nothing", nil, ""},
		{"blanks", []string{"\n\n", "   \n"}, ""},
		{"comments", []string{"-- the end\n/* of\n", insert, "it */\n;\n"}, ""},
		{"commands", []string{".mode csv\n", "\\d\n", ".timer on\n"}, ""},
		{"a statement behind the end", []string{".quit\n", insert}, ""},
		{"a statement", []string{insert}, told},
		{"a statement without its semicolon", []string{"\n", strings.TrimSuffix(insert, ";\n")}, told},
		{"a statement behind others that are none", []string{"\n;\n", ".mode csv\n", "-- so\n", insert}, told},
		{"a file of statements", []string{".read more.sql\n"}, told},
		{"the same by its short name", []string{"\\i more.sql\n"}, told},
	}
	for _, tt := range tests {
		store := smallStore(t)
		r, w, err := os.Pipe()
		require.NoError(t, err)
		c := newProcess(t, "shell", "--write", "-o", "csv", store)
		c.Stdin, c.Stdout = r, unread(t)
		require.NoError(t, c.Start())
		require.NoError(t, r.Close())
		for _, text := range append([]string{many}, tt.rest...) {
			_, _ = w.WriteString(text) // which fails where the shell does not read it any more
		}
		require.NoError(t, w.Close())
		code := c.exitCode()
		if tt.told == "" {
			assert.Empty(t, c.told.String(), tt.name)
			assert.Equal(t, exitOK, code, tt.name)
			continue
		}
		assert.Equal(t, exitError, code, tt.name)
		assert.Contains(t, c.told.String(), tt.told, tt.name)
	}
}

func TestASignalEndsAShellThatLooksForWhatIsLeft(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	c := newProcess(t, "shell", "--write", "-o", "csv", smallStore(t))
	c.Stdin, c.Stdout = r, unread(t)
	require.NoError(t, c.Start())
	require.NoError(t, r.Close())
	_, err = w.WriteString("SELECT value FROM generate_series(1, 100000);\n" + strings.Repeat("\n", 1<<21))
	require.NoError(t, err) // more than a pipe holds: it looks behind the statement
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, exitError, c.exitCode())
	assert.Contains(t, c.told.String(), "interrupted")
	require.NoError(t, w.Close())
}

func TestASignalEndsWhatWaitsForInput(t *testing.T) {
	store := smallStore(t)
	for _, args := range [][]string{
		{"query", store}, {"query", "--file", "-", store}, {"shell", store}, {"append", store, "s"},
		{"import", "--format", "ndjson", store, "-"},
	} {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		c := newProcess(t, args...)
		c.Stdin = r
		require.NoError(t, c.Start())
		require.NoError(t, r.Close())
		_, err = w.WriteString(strings.Repeat(" ", 1<<21)) // more than a pipe holds: it has begun to read
		require.NoError(t, err)
		require.NoError(t, c.Process.Signal(syscall.SIGTERM))
		assert.Equal(t, exitError, c.exitCode(), args)
		assert.Contains(t, c.told.String(), "interrupted", args)
		require.NoError(t, w.Close())
	}
}

// A pipe with a name is opened as soon as both ends are, and then gives nothing.
func TestASignalEndsWhatWaitsForAPipeWithAName(t *testing.T) {
	dir, store := t.TempDir(), smallStore(t)
	pipe, backup := filepath.Join(dir, "pipe"), filepath.Join(dir, "backup")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, newProcess(t, "backup", store, backup).Run())
	for _, args := range [][]string{
		{"query", "--file", pipe, store}, {"shell", store}, {"import", "--format", "ndjson", store, pipe},
		{"import", "--format", "csv", store, pipe}, {"erase", "--apply-ledger", pipe, store},
		{"restore", "--ledger", pipe, backup, filepath.Join(dir, "new")}, {"retain", store, pipe},
		{"verify", "--receipt", pipe, store},
	} {
		c := newProcess(t, args...)
		c.Stdin = strings.NewReader(".read " + pipe + "\n")
		require.NoError(t, c.Start())
		w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // when the command has opened the other end
		require.NoError(t, err)
		require.NoError(t, c.Process.Signal(syscall.SIGTERM))
		assert.Equal(t, exitError, c.exitCode(), args)
		assert.Contains(t, c.told.String(), "interrupted", args)
		require.NoError(t, w.Close())
	}
}

func TestAnOpenOfAPipeThatNobodyOpensEndsWithItsContext(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	_, err := openInput(ctx, pipe)
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, pipe)
	other, err := os.OpenFile(pipe, os.O_RDWR, 0) // so that nobody waits for it any more
	require.NoError(t, err)
	require.NoError(t, other.Close())
}

// What comes out of a pipe with a name is imported whole.
func TestAnImportReadsAPipeWithAName(t *testing.T) {
	dir, store := t.TempDir(), smallStore(t)
	pipe := filepath.Join(dir, "pipe.csv")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	c := newProcess(t, "import", filepath.Join(dir, "new"), pipe)
	require.NoError(t, c.Start())
	out, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	require.NoError(t, err)
	exported := newProcess(t, "export", "--format", "csv", store)
	exported.Stdout = out
	require.NoError(t, exported.Run(), exported.told.String())
	require.NoError(t, out.Close())
	assert.Equal(t, exitOK, c.exitCode(), c.told.String())
	requireSameStores(t, store, filepath.Join(dir, "new"))

	c = newProcess(t, "import", "--format", "parquet", filepath.Join(dir, "other"), pipe)
	require.NoError(t, c.Start())
	assert.Equal(t, exitUsage, c.exitCode())
	assert.Contains(t, c.told.String(), "is no file, which parquet is read from")
}

func TestAReadOfALedgerEndsWithItsContext(t *testing.T) {
	in, _ := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ledger, err := openLedger(ctx, in, "-")
	require.NoError(t, err)
	time.AfterFunc(time.Millisecond, cancel)
	_, err = ledger.Read(make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, in.Close())
}

// How far it has come is told beside the signal.
func TestAnInterruptedAppendTellsWhatIsStored(t *testing.T) {
	c := newProcess(t, "append", "-v", smallStore(t), "s")
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	_, err = in.Write([]byte(`{"type": "A"}` + "\n"))
	require.NoError(t, err)
	_, err = out.Read(make([]byte, 1)) // it is told as soon as it is appended
	require.NoError(t, err)
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, exitError, c.exitCode())
	assert.Equal(t, "eventfold: interrupted (1 event before it: 1 event appended, at position 3)\n", c.told.String())
}

func TestAnErrorBesideASignalIsTold(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{context.Canceled, "eventfold: interrupted\n"},
		{&os.PathError{Op: "read", Path: "x", Err: context.Canceled}, "eventfold: read x: interrupted\n"},
		{cancelled{}, "eventfold: interrupted: the lock was waited for\n"},
	}
	for _, tt := range tests {
		var out strings.Builder
		tellError(&out, false, tt.err)
		assert.Equal(t, tt.want, out.String())
	}
}

// A cancelled error is one whose text does not say so.
type cancelled struct{}

func (cancelled) Error() string { return "the lock was waited for" }
func (cancelled) Unwrap() error { return context.Canceled }

// Nohup starts commands with SIGHUP ignored, and a shell those behind & with SIGINT, too.
func TestSignalsThatWereIgnoredAtTheStartStayIgnored(t *testing.T) {
	store := smallStore(t)
	executable, err := exec.LookPath("eventfold")
	require.NoError(t, err)
	c := newProcess(t)
	c.Path, err = exec.LookPath("sh")
	require.NoError(t, err)
	c.Args = []string{"sh", "-c", `trap "" HUP INT; exec "$0" tail -f -n 1 -o csv "$1"`, executable, store}
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := &untilText{t: t, from: out}
	lines.await("cart 1,0,Cleared")
	for n, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		require.NoError(t, c.Process.Signal(s))
		require.NoError(t, printSQL(store, []string{`INSERT INTO n` + strconv.Itoa(n) + ` (type) VALUES ('New')`}))
		lines.await("n" + strconv.Itoa(n) + ",0,New")
	}
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, exitOK, c.exitCode(), c.told.String())
}

// A batch is bounded by its bytes as well, and what is to be one append is refused as a whole.
func TestABatchIsBoundedByItsBytes(t *testing.T) {
	give := func(sizes ...int) <-chan *incoming {
		events := make(chan *incoming, len(sizes))
		for _, size := range sizes {
			events <- &incoming{size: size}
		}
		close(events)
		return events
	}
	const half = largestBatch / 2
	events := give(half, half, half, 1)
	a := &appending{batch: 500}
	batch, more := a.gather(t.Context(), events)
	assert.Len(t, batch, 2)
	assert.True(t, more)
	batch, more = a.gather(t.Context(), events)
	assert.Len(t, batch, 2)
	assert.False(t, more)
	a.batch = 0
	batch, more = a.gather(t.Context(), give(half, half, half, 1))
	assert.Len(t, batch, 4)
	assert.False(t, more)
}
