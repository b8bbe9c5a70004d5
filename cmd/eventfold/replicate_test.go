//go:build unix

package main

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
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

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A child is a process of a test. What it prints is read as it comes.
type child struct {
	cmd  *exec.Cmd
	last chan string // the last line, when it has ended
	line chan string // the lines; those that nobody takes are dropped
}

func startChild(t *testing.T, args ...string) *child {
	executable, err := exec.LookPath(args[0])
	require.NoError(t, err)
	c := &child{cmd: exec.Command(executable, args[1:]...), last: make(chan string, 1), line: make(chan string, 1)}
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	go c.read(out) // ends with the process
	return c
}

func (c *child) read(out io.Reader) {
	last := ""
	for scan := bufio.NewScanner(out); scan.Scan(); {
		last = scan.Text()
		select {
		case c.line <- last:
		default:
		}
	}
	c.last <- last
}

// end sends a signal, waits for the end, and returns the last line.
func (c *child) end(t *testing.T, s os.Signal) string {
	require.NoError(t, c.cmd.Process.Signal(s))
	last := <-c.last
	err := c.cmd.Wait()
	if s != syscall.SIGKILL {
		require.NoError(t, err)
	}
	return last
}

// Writer and standby are killed at any moment, again and again. The standby is a prefix of the
// source whenever somebody looks, and has all of it, what was acknowledged at least, when it has
// caught up.
func TestAStandbyFollowsWhoeverIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts and kills processes again and again")
	}
	dir := t.TempDir()
	source, standby := filepath.Join(dir, "source"), filepath.Join(dir, "standby")
	random := rand.New(rand.NewPCG(testenv.Seed(t), 1))
	require.NoError(t, printSQL(source, []string{`INSERT INTO a (type) VALUES ('first')`}))
	acknowledged := int64(0)
	writer, follower := startChild(t, "writer", source), startChild(t, "eventfold", "replicate", source, standby)
	for range testenv.Scale(6, 300) {
		time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		switch random.IntN(3) {
		case 0:
			if last, err := strconv.ParseInt(writer.end(t, syscall.SIGKILL), 10, 64); err == nil {
				acknowledged = last
			}
			writer = startChild(t, "writer", source)
		case 1:
			follower.end(t, syscall.SIGKILL)
			follower = startChild(t, "eventfold", "replicate", source, standby)
		default:
			requirePrefix(t, source, standby)
		}
	}
	if last, err := strconv.ParseInt(writer.end(t, syscall.SIGKILL), 10, 64); err == nil {
		acknowledged = last
	}
	follower.end(t, syscall.SIGKILL)
	follower = startChild(t, "eventfold", "replicate", source, standby)
	assert.Contains(t, <-follower.line, "has caught up")
	follower.end(t, syscall.SIGTERM)
	requireTakesOver(t, source, standby, acknowledged)
}

// requirePrefix looks at the standby from another process than the one that keeps it.
func requirePrefix(t *testing.T, source, standby string) {
	some, err := allOf(standby)
	if err != nil && strings.Contains(err.Error(), "there is no store") {
		return // it has not come to it yet
	}
	require.NoError(t, err)
	all, err := allOf(source)
	require.NoError(t, err)
	require.LessOrEqual(t, len(some), len(all))
	for i := range some {
		want := all[i]
		if want.Redacted && !some[i].Redacted { // the source has been asked to since
			want.Redacted, want.Payload, want.JSON = false, some[i].Payload, some[i].JSON
		}
		require.Equal(t, want, some[i])
	}
}

// requireTakesOver looks at what was killed, and writes to the standby.
func requireTakesOver(t *testing.T, source, standby string, acknowledged int64) {
	want, err := allOf(source)
	require.NoError(t, err)
	got, err := allOf(standby)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Greater(t, int64(len(got)), acknowledged)
	require.NoError(t, printSQL("file:"+standby+"?mode=ro", []string{"VERIFY"}))
	var out strings.Builder
	ctx := context.Background()
	require.Zero(t, run(ctx, []string{"eventfold", "receipt", standby}, strings.NewReader(""), &out, os.Stderr))
	receipt := strings.TrimSpace(out.String())
	verify := []string{"eventfold", "verify", "--receipt", receipt, source}
	require.Zero(t, run(ctx, verify, strings.NewReader(""), io.Discard, os.Stderr))
	require.NoError(t, printSQL(standby, []string{`INSERT INTO a (type) VALUES ('mine')`, "VERIFY"}))
	err = eventfold.Replicate(ctx, source, standby, nil)
	require.ErrorIs(t, err, eventfold.ErrCorrupt, "it follows nobody any more")
}
