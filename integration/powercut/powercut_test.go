//go:build linux

package powercut

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// An ack is an append that was acknowledged when so many operations had been recorded.
type ack struct {
	operations int
	event      engine.Event
}

func payload(n int) []byte { return fmt.Appendf(nil, `{"n": %d, "text": "%0*d"}`, n, n%700, n) }

// work appends until there are enough acknowledged events, closing and opening the store now and
// then.
func work(t *testing.T, m *machine, events int) (acks []ack) {
	t.Helper()
	options := filestore.Options{SegmentSize: 64 << 10}
	s, err := filestore.Open(filepath.Join(m.dir, "store"), options)
	require.NoError(t, err)
	for n := range events {
		if n%40 == 39 {
			require.NoError(t, s.Close())
			s, err = filestore.Open(filepath.Join(m.dir, "store"), options)
			require.NoError(t, err)
		}
		stream := fmt.Sprint("s-", n%5)
		done, err := s.Append(t.Context(), engine.Append{
			Stream: stream,
			Events: []engine.NewEvent{{Type: "T", Payload: payload(n)}},
		})
		require.NoError(t, err)
		acks = append(acks,
			ack{m.disk.recorded(),
				engine.Event{Position: done.Events[0].Position, Stream: stream, Version: done.Events[0].Version,
					ID: done.Events[0].ID, Payload: payload(n)}})
	}
	require.NoError(t, s.Close())
	return acks
}

// images returns how many disks to try.
func images(t *testing.T) int {
	return testenv.Number(t, "EVENTFOLD_IMAGES", 60)
}

const sector = 512

// cut returns the disk after a power cut behind the first n operations: everything before the last
// flush among them, and of the sectors written since then any.
func (m *machine) cut(r *rand.Rand, n int) []byte {
	image := append([]byte(nil), m.start...)
	m.disk.mu.Lock()
	operations := m.disk.operations[:n] // the kernel may go on adding others
	m.disk.mu.Unlock()
	flushed := n
	for flushed > 0 && operations[flushed-1].data != nil {
		flushed--
	}
	for _, op := range operations[:flushed] {
		copy(image[op.offset:], op.data)
	}
	keep := []int{0, 25, 50, 75, 100}[r.IntN(5)] // percent
	for _, op := range operations[flushed:] {
		for at := 0; at < len(op.data); at += sector {
			if r.IntN(100) < keep {
				copy(image[op.offset+int64(at):], op.data[at:min(at+sector, len(op.data))])
			}
		}
	}
	return image
}

// TestPowerCutsOnExt4 opens the store on many disks that a power cut could have left.
// EVENTFOLD_IMAGES sets how many.
func TestPowerCutsOnExt4(t *testing.T) {
	m := newTestMachine(t)
	acks := work(t, m, 150)
	operations := m.disk.recorded()
	t.Logf("%d operations recorded, %d appends acknowledged", operations, len(acks))
	r := rand.New(rand.NewPCG(testenv.Seed(t), 1))

	dir := t.TempDir()
	n, violations := images(t), 0
	for i := range n {
		at := r.IntN(operations + 1)
		if err := check(t, dir, m.cut(r, at), at, acks); err != nil {
			violations++
			t.Errorf("image %d, cut behind operation %d: %v", i, at, err)
		}
	}
	t.Logf("%d images, %d violations", n, violations)
}

// check mounts an image, which replays the journal, and compares the store on it with what was
// acknowledged before the cut.
func check(t *testing.T, dir string, image []byte, at int, acks []ack) (err error) {
	name, mounted := filepath.Join(dir, "image"), filepath.Join(dir, "mounted")
	require.NoError(t, os.WriteFile(name, image, 0o600))
	require.NoError(t, os.MkdirAll(mounted, 0o700))
	require.NoError(t, command("mount", "-t", "ext4", "-o", "loop", name, mounted))
	defer func() { err = errors.Join(err, command("umount", mounted)) }()

	s, err := filestore.Open(filepath.Join(mounted, "store"), filestore.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	must := 0
	for must < len(acks) && acks[must].operations <= at {
		must++
	}
	c := s.ReadIndex().ReadAll(t.Context(), 0, engine.Forwards)
	defer c.Close()
	n := 0
	for ; c.Next(); n++ {
		got, want := c.Event(), acks[min(n, len(acks)-1)].event
		if n >= len(acks) || got.Position != want.Position || got.Stream != want.Stream ||
			got.Version != want.Version || got.ID != want.ID || string(got.Payload) != string(want.Payload) {
			return fmt.Errorf("event %d is %+v, want %+v", n, got, want)
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	if n < must || n > must+1 {
		return fmt.Errorf("%d events are there, %d were acknowledged", n, must)
	}
	_, err = s.Append(t.Context(), engine.Append{Stream: "after", Events: []engine.NewEvent{{Type: "T"}}})
	return err
}

// TestOneWriteAndOneFlushPerCommit counts what reaches the disk while commits follow each other.
func TestOneWriteAndOneFlushPerCommit(t *testing.T) {
	m := newTestMachine(t)
	s, err := filestore.Open(filepath.Join(m.dir, "store"), filestore.Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	one := engine.Append{Stream: "s", Events: []engine.NewEvent{{Type: "T", Payload: payload(300)}}}
	_, err = s.Append(t.Context(), one)
	require.NoError(t, err)
	require.NoError(t, command("sync", "-f", m.dir))

	const commits = 60
	from := m.disk.recorded()
	for range commits {
		_, err := s.Append(t.Context(), one)
		require.NoError(t, err)
	}
	writes, flushes := m.disk.count(from, m.disk.recorded())
	t.Logf("%d commits: %d writes, %d flushes", commits, writes, flushes)
	assert.Equal(t, commits, writes)
	assert.Equal(t, commits, flushes)
}
