//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// fillStore makes a store of n events, each of a time of its own.
func fillStore(t *testing.T, dir string, n int) {
	m, err := filestore.OpenImport(dir, filestore.Options{})
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	at := time.UnixMicro(1_700_000_000_000_000)
	for i := range n {
		var id [16]byte
		for j := range id {
			id[j] = byte(random.Uint32())
		}
		at = at.Add(time.Duration(random.IntN(3)) * time.Microsecond)
		e := engine.Event{Position: engine.Position(i), Stream: fmt.Sprintf("order-%d", i/5), ID: id, RecordedAt: at,
			Type: fmt.Sprintf("T%d", i%9), Payload: fmt.Appendf(nil, `{"n": %d, "customer": "c-%d", "total": %d.5}`, i, i%997, i%311)}
		require.NoError(t, m.Add(t.Context(), e))
	}
	_, err = m.Finish(t.Context())
	require.NoError(t, err)
}

// killedRun runs a command, kills it after a while, and runs it again until it has come to its end.
// It returns how long that took, without what was killed, and the most memory that it had.
func killedRun(t *testing.T, random *rand.Rand, longest time.Duration, args ...string) (took time.Duration, memory int64) {
	executable, err := exec.LookPath("eventfold")
	require.NoError(t, err)
	for kills := 0; ; kills++ {
		c := exec.Command(executable, args...)
		began := time.Now()
		require.NoError(t, c.Start())
		if kills < 3 {
			stop := time.AfterFunc(time.Duration(random.Int64N(int64(longest))), func() { _ = c.Process.Kill() })
			defer stop.Stop()
		}
		err := c.Wait()
		if err == nil {
			usage := c.ProcessState.SysUsage().(*syscall.Rusage)
			return time.Since(began), int64(usage.Maxrss)
		}
		status := c.ProcessState.Sys().(syscall.WaitStatus)
		require.True(t, status.Signaled(), "%v: %v", args, err)
	}
}

// Each step is killed three times. With EVENTFOLD_TORTURE=1 there are a million events, and rate and
// memory are told.
func TestWhatIsKilledHalfWayGoesOn(t *testing.T) {
	n := testenv.Scale(1500, 1_000_000)
	random := rand.New(rand.NewPCG(testenv.Seed(t), 3))
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	fillStore(t, source, n)
	longest := time.Duration(n) * 20 * time.Microsecond
	tell := func(what string, took time.Duration, memory int64) {
		t.Logf("%-28s %9.0f events/s, %4d MiB", what, float64(n)/took.Seconds(), memory>>10)
	}
	for _, name := range []string{"e.ndjson", "e.csv", "e.ndjson.gz", "e.ndjson.zst", "e.parquet", "e.sqlite"} {
		file, back := filepath.Join(dir, name), filepath.Join(dir, name+".store")
		took, memory := killedRun(t, random, longest, "export", source, file)
		tell("export "+name, took, memory)
		took, memory = killedRun(t, random, 3*longest, "import", back, file)
		tell("import "+name, took, memory)
		requireSameStores(t, source, back)
	}
	took, memory := killedRun(t, random, longest, "copy", source, filepath.Join(dir, "copy"))
	tell("copy", took, memory)
	requireSameStores(t, source, filepath.Join(dir, "copy"))
}

// requireSameStores compares event by event.
func requireSameStores(t *testing.T, a, b string) {
	open := func(dir string) (engine.Cursor, func()) {
		s, err := filestore.Open(dir, filestore.Options{ReadOnly: true})
		require.NoError(t, err)
		c := s.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)
		return c, func() { c.Close(); s.Close() }
	}
	x, closeX := open(a)
	defer closeX()
	y, closeY := open(b)
	defer closeY()
	for x.Next() {
		require.True(t, y.Next())
		if !sameEvent(x.Event(), y.Event()) {
			require.Equal(t, x.Event(), y.Event())
		}
	}
	require.NoError(t, x.Err())
	require.False(t, y.Next())
	require.NoError(t, y.Err())
}

func sameEvent(a, b *eventfold.Event) bool {
	return a.Position == b.Position && a.Version == b.Version && a.ID == b.ID && a.Stream == b.Stream && a.Type == b.Type &&
		string(a.Payload) == string(b.Payload) && string(a.Metadata) == string(b.Metadata) && a.RecordedAt.Equal(b.RecordedAt) &&
		len(a.Tags) == len(b.Tags) && a.Redacted == b.Redacted
}
