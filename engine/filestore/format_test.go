package filestore

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// freeze writes testdata/v1 anew. That is right only before format 1 is released: from then on a
// store that looks different is a new format, in a directory of its own, and this version goes on
// reading the old one.
var freeze = flag.Bool("freeze", false, "write the frozen store of the current format")

const frozenDir = "testdata/v1"

// frozenBatches are the appends that make the frozen store: every shape of event, and enough of
// them for three segments.
func frozenBatches() [][]engine.Append {
	id := func(n int) uuid.UUID {
		return uuid.UUID{0, 1, 2, 3, 4, 5, 0x70, 7, 0x80, 9, 10, 11, 12, 13, byte(n >> 8), byte(n)}
	}
	batches := [][]engine.Append{
		{{Stream: "account-7", Events: []engine.NewEvent{
			{ID: id(1), Type: "Opened", Payload: []byte(`{"owner": "Ada"}`), Metadata: []byte(`{"by": "web"}`),
				Tags: []string{"owner:ada", "bank"}},
			{ID: id(2), Type: "Deposited", Payload: []byte(`{"amount": 40}`)},
		}}},
		{
			{Stream: "account-7", Events: []engine.NewEvent{{
				ID:      id(3),
				Type:    "Withdrawn",
				Payload: []byte(`{"amount": 10}`),
			}}},
			{Stream: "konto-ü", Events: []engine.NewEvent{{ID: id(4), Type: "Geöffnet"}}},
		},
		{{Stream: "blobs", Events: []engine.NewEvent{
			{ID: id(5), Type: "Empty", Payload: []byte{}},
			{ID: uuid.UUID{0x90, 6: 0x40, 8: 0x80, 15: 6}, Type: "Binary", Payload: []byte{0, 255, 10, 0},
				Metadata: []byte("not JSON")},
		}}},
	}
	for n := 7; n < 300; n++ {
		batches = append(batches, []engine.Append{{Stream: fmt.Sprintf("sensor-%d", n%11), Events: []engine.NewEvent{
			{ID: id(n), Type: "Measured", Payload: fmt.Appendf(nil, `{"celsius": %d}`, n%40),
				Tags: []string{fmt.Sprintf("room:%d", n%5)}},
		}}})
	}
	return batches
}

// makeFrozen makes the frozen store with a clock and random numbers of its own.
func makeFrozen(t testing.TB) image {
	fsys := vfs.NewMem()
	now := time.UnixMilli(1_750_000_000_000)
	s := openStore(t, imageDir, Options{
		FS: fsys, SegmentSize: testSegmentSize, Prealloc: PreallocNone,
		Rand: rand.NewChaCha8([32]byte{1}),
		Now:  func() time.Time { now = now.Add(1234567 * time.Nanosecond); return now },
	})
	for _, batch := range frozenBatches() {
		_, err := s.Append(context.Background(), batch...)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	img := takeImage(t, fsys)
	maps.DeleteFunc(img, func(name string, _ []byte) bool {
		return name == lockName || strings.HasSuffix(name, ".idx")
	})
	return img
}

// TestFrozenStore reads a store that was written when format 1 was made.
func TestFrozenStore(t *testing.T) {
	if *freeze {
		require.NoError(t, os.MkdirAll(frozenDir, 0o755))
		for name, b := range makeFrozen(t) {
			require.NoError(t, os.WriteFile(filepath.Join(frozenDir, name), b, 0o644))
		}
	}
	s := openStore(t, frozenDir, Options{ReadOnly: true})
	report := s.OpenReport()
	assert.Empty(t, report.String())
	assert.Equal(t, 3, s.Stats().Segments)
	c := s.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)
	defer c.Close()
	position, recorded := engine.Position(0), time.Time{}
	versions := map[string]engine.Version{}
	for _, batch := range frozenBatches() {
		for _, a := range batch {
			for _, want := range a.Events {
				require.True(t, c.Next(), "%v", c.Err())
				e := c.Event()
				require.Equal(t, position, e.Position)
				require.Equal(t, a.Stream, e.Stream)
				require.Equal(t, versions[a.Stream], e.Version)
				requireSameContent(t, &want, e)
				require.False(t, e.RecordedAt.Before(recorded))
				position, recorded = position+1, e.RecordedAt
				versions[a.Stream]++
			}
		}
	}
	require.False(t, c.Next())
	require.NoError(t, c.Err())
}

func requireSameContent(t testing.TB, want *engine.NewEvent, e *engine.Event) {
	metadata := want.Metadata
	if metadata == nil {
		metadata = []byte("{}")
	}
	tags := slices.Clone(want.Tags)
	slices.Sort(tags)
	require.Equal(t, want.ID, e.ID)
	require.Equal(t, want.Type, e.Type)
	require.Equal(t, want.Payload, e.Payload)
	require.Equal(t, metadata, e.Metadata)
	require.Equal(t, tags, e.Tags)
	require.Equal(t, len(want.Payload) > 0 && want.Payload[0] == '{', e.JSON)
	require.False(t, e.Redacted)
}

// The bytes that this version writes for the same events are those of the frozen store.
func TestFormatIsFrozen(t *testing.T) {
	made := makeFrozen(t)
	entries, err := os.ReadDir(frozenDir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(frozenDir, e.Name()))
		require.NoError(t, err)
		assert.True(t, string(b) == string(made[e.Name()]), "%s differs", e.Name())
		names = append(names, e.Name())
	}
	assert.Equal(t, slices.Sorted(maps.Keys(made)), names)
}
