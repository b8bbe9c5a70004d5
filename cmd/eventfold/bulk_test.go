//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
)

// A bulk is a test that kills commands.
type bulk struct {
	*testing.T
	events int
	every  time.Duration // after how long an export makes durable what it has
	kills  int           // of each command
}

// kill runs a command that kills itself after so many events of what it tells of.
func (b *bulk) kill(what string, after int, args ...string) {
	c := b.command("mortal", args...)
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s:%d", dieAt, what, after), fmt.Sprintf("%s=%s", saveEvery, b.every))
	told, err := c.CombinedOutput()
	require.Error(b, err, "%v came to its end: %s", args, told)
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	require.True(b, status.Signaled() && status.Signal() == syscall.SIGKILL, "%v: %v: %s", args, err, told)
}

func (b *bulk) command(name string, args ...string) *exec.Cmd {
	executable, err := exec.LookPath(name)
	require.NoError(b, err)
	return exec.Command(executable, args...)
}

// run runs a command to its end, tells how fast that was and how much memory it took, and returns what
// it has told.
func (b *bulk) run(args ...string) string {
	c := b.command("eventfold", args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	began := time.Now()
	require.NoError(b, c.Start())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }() // it is waited for below
	memory := ""
	for {
		select {
		case err := <-ended:
			require.NoError(b, err, "%s", &out)
			b.Logf("%-8s %-14s %9.0f events/s, memory %s", args[0], filepath.Base(args[len(args)-1]),
				float64(b.events)/time.Since(began).Seconds(), memory)
			return out.String()
		case <-time.After(10 * time.Millisecond):
			if m := memoryOf(c.Process.Pid); m != "" {
				memory = m
			}
		}
	}
}

// memoryOf returns the most memory that a process has had, "" if the system does not tell. What the
// system tells of a process that has ended is also that of the one that has started it.
func memoryOf(pid int) string {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// Whatever is killed half way goes on when it is run again: an export from what it had made durable,
// an import without doing anything twice, a copy from its head. With EVENTFOLD_TORTURE=1 there are a
// million events. Rate and memory are told of each run that comes to its end: of an export or import
// behind kills, too, and of one from the beginning ("whole").
func TestWhatIsKilledHalfWayGoesOn(t *testing.T) {
	all := bulk{T: t, events: max(120, testenv.Scale(120, 1_000_000)), kills: 2} // imports collect a few
	if testenv.Long() {
		all.every, all.kills = 100*time.Millisecond, 3
	}
	source := filepath.Join(t.TempDir(), "source")
	fillStore(t, source, all.events)
	for _, name := range []string{"e.ndjson", "e.csv", "e.ndjson.gz", "e.ndjson.zst", "e.parquet", "e.sqlite"} {
		t.Run(name, func(t *testing.T) {
			b := all
			b.T = t
			b.goesOn(source, name)
		})
	}
}

// goesOn exports a store to a file of this name, and imports that, both with kills.
func (b *bulk) goesOn(source, name string) {
	dir := b.TempDir() // a million events are a lot: what is of one format is gone with it
	file, back := filepath.Join(dir, name), filepath.Join(dir, name+".store")
	b.exportWithKills(source, file)
	b.importWithKills(back, file)
	requireSameStores(b.T, source, back)
	whole := filepath.Join(dir, "whole-"+name)
	if name == "e.ndjson" || name == "e.csv" { // the others consist of pieces
		b.run("export", source, whole)
		require.Equal(b, sumOf(b.T, whole), sumOf(b.T, file))
	} else if testenv.Long() {
		b.run("export", source, whole)
	}
	if testenv.Long() && name == "e.ndjson" {
		b.run("import", whole+".store", whole)
	}
}

// A copy that is behind takes over frames, and is killed before it says that it is done.
func TestACopyThatIsKilledGoesOn(t *testing.T) {
	b := &bulk{T: t, events: testenv.Scale(120, 1_000_000)}
	source, to := filepath.Join(t.TempDir(), "source"), filepath.Join(t.TempDir(), "copy")
	quarter := b.events / 4
	fillStore(t, source, quarter)
	b.run("copy", source, to) // as a backup
	for i := range 3 {
		fillStore(t, source, quarter*(i+2))
		b.kill("copy", quarter*(i+1)+1, "copy", source, to)
	}
	b.run("copy", source, to)
	requireSameStores(t, source, to)
}

// exportWithKills exports, and is killed now and then: each time it goes on from the event before the
// one that it has been killed at, because it makes each durable; or somewhere before.
func (b *bulk) exportWithKills(source, file string) {
	quarter := b.events / 4
	for range b.kills {
		b.kill("export", quarter, "export", source, file)
		require.NoFileExists(b, file)
	}
	least := b.kills * (quarter - 1)
	if strings.HasSuffix(file, ".parquet") {
		b.kill("convert", b.events/2, "export", source, file)
		require.NoFileExists(b, file)
		least = b.events
	}
	var result struct {
		Events, From int
		Resumed      bool
	}
	require.NoError(b, json.Unmarshal([]byte(b.run("export", "--json", source, file)), &result))
	require.True(b, result.Resumed)
	require.Equal(b, b.events, result.From+result.Events)
	if b.every == 0 {
		require.Equal(b, least, result.From)
	}
	left, err := filepath.Glob(file + ".part*")
	require.NoError(b, err)
	require.Empty(b, left)
}

// importWithKills imports, and is killed now and then, further on each time.
func (b *bulk) importWithKills(store, file string) {
	for i := range b.kills {
		b.kill("import", (i+1)*b.events/4, "import", store, file)
	}
	var result struct{ Read, Appended, Present int }
	require.NoError(b, json.Unmarshal([]byte(b.run("import", "--json", store, file)), &result))
	require.Equal(b, b.events, result.Read)
	require.Equal(b, b.events, result.Appended+result.Present)
	require.Positive(b, result.Present, "what the killed ones have imported was there")
}

// sumOf returns the sum of a file.
func sumOf(t *testing.T, name string) (sum [sha256.Size]byte) {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	require.NoError(t, err)
	return [sha256.Size]byte(h.Sum(nil))
}
