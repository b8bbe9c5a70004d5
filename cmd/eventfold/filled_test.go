package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// fillStore makes a store of n events, or makes it larger.
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
		payload := fmt.Appendf(nil, `{"n": %d, "customer": "c-%d", "total": %d.5}`, i, i%997, i%311)
		e := engine.Event{Position: engine.Position(i), Stream: fmt.Sprintf("order-%d", i/5), ID: id, RecordedAt: at,
			Type: fmt.Sprintf("T%d", i%9), Payload: payload}
		require.NoError(t, m.Add(t.Context(), e))
	}
	_, err = m.Finish(t.Context())
	require.NoError(t, err)
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
	return a.Position == b.Position && a.Version == b.Version && a.ID == b.ID && a.Stream == b.Stream &&
		a.Type == b.Type && string(a.Payload) == string(b.Payload) && string(a.Metadata) == string(b.Metadata) &&
		a.RecordedAt.Equal(b.RecordedAt) && slices.Equal(a.Tags, b.Tags) && a.Redacted == b.Redacted
}
