package jetstream_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
)

const secret = "what nobody may know any more"

// appendSecrets appends three events, of which the one at position 1 has the secret.
func appendSecrets(t *testing.T, s engine.Store) {
	t.Helper()
	for _, payload := range []string{`"first"`, `"` + secret + `"`, `"last"`} {
		_, err := s.Append(t.Context(), engine.Append{Stream: "a",
			Events: []engine.NewEvent{{Type: "t", Payload: []byte(payload), Metadata: []byte(`{"m":1}`)}}})
		require.NoError(t, err)
	}
}

func erase(from, to engine.Position) engine.Append {
	return engine.Append{Erase: &engine.Erasure{Events: engine.Spans{{From: from, To: to}}, Reason: "ticket 114"}}
}

// awaitDone waits until the erasures are done as a node sees it.
func awaitDone(t *testing.T, s *jetstream.Store, n int) {
	t.Helper()
	eventually(t, func() bool {
		list, err := s.Erasures(t.Context())
		require.NoError(t, err)
		done := 0
		for _, e := range list {
			if !e.DoneAt.IsZero() {
				done++
			}
		}
		return done == n
	}, "the erasures are not done")
}

// holdsSecret reports whether some file below a directory has the secret. What is written anew meanwhile
// changes its name: it is looked at under the new one.
func holdsSecret(t *testing.T, dir string) (found bool) {
	for gone := true; gone; {
		gone = false
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				gone = true
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				gone = true
				return nil
			}
			found = found || bytes.Contains(b, []byte(secret))
			return err
		}))
	}
	return found
}

// erasures: what one node erases is gone from every node's copy, those that are made later included,
// and all nodes still have one log and one receipt.
func erasures(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	other := config
	other.Local = t.TempDir()
	second, err := jetstream.Open(t.Context(), other)
	require.NoError(t, err)
	defer second.Close()
	appendSecrets(t, s)
	require.NoError(t, second.Wait(t.Context(), 2))
	require.True(t, holdsSecret(t, config.Local))
	require.True(t, holdsSecret(t, other.Local))

	done, err := s.Append(t.Context(), erase(1, 2))
	require.NoError(t, err)
	events := readAll(t, s)
	assert.True(t, events[1].Redacted, "when Append has returned nobody sees it")
	assert.Nil(t, events[1].Payload)
	require.NoError(t, second.Wait(t.Context(), done.Events[0].Position))
	assert.True(t, readAll(t, second)[1].Redacted)
	awaitDone(t, s, 1)
	awaitDone(t, second, 1)
	for _, dir := range []string{config.Local, other.Local} {
		assert.False(t, holdsSecret(t, dir), dir)
	}

	third := config
	third.Local = t.TempDir()
	late, err := jetstream.Open(t.Context(), third)
	require.NoError(t, err)
	defer late.Close()
	awaitDone(t, late, 1)
	assert.False(t, holdsSecret(t, third.Local), "the servers have it, and a new node's copy does not")
	head, err := s.Head()
	require.NoError(t, err)
	for _, node := range []*jetstream.Store{second, late} {
		require.NoError(t, node.Wait(t.Context(), head.Position-1))
		assert.Equal(t, readAll(t, s), readAll(t, node))
		assert.NoError(t, node.CheckHead(head))
		_, err := node.Verify(t.Context())
		assert.NoError(t, err)
	}
}

// erasureOfTwoNodes: two nodes that erase at once carry out both, and tell of each once.
func erasureOfTwoNodes(t *testing.T, c *cluster) {
	_, a, b := twoNodes(t, c)
	appendSecrets(t, a)
	require.NoError(t, b.Wait(t.Context(), 2))
	errs := make(chan error, 2)
	for i, s := range []*jetstream.Store{a, b} {
		go func() { // ends with its append
			_, err := s.Append(t.Context(), erase(engine.Position(i), engine.Position(i+2)))
			errs <- err
		}()
	}
	for range 2 {
		assert.NoError(t, <-errs)
	}
	awaitDone(t, a, 2)
	awaitDone(t, b, 2)
	events := readAll(t, a)
	assert.Len(t, events, 3+2+2)
	for i, e := range events[:3] {
		assert.True(t, e.Redacted, i)
	}
	assert.NoError(t, a.Err())
	assert.NoError(t, b.Err())
}

// erasureBehind: a node that does not have yet what it is to erase waits for it.
func erasureBehind(t *testing.T, c *cluster) {
	_, a, b := twoNodes(t, c)
	var comes atomic.Bool
	b.BeforeApply(func() error {
		if comes.Load() {
			return nil
		}
		return errors.New("not yet")
	})
	appendSecrets(t, a)
	erased := make(chan error, 1)
	go func() { // ends with the context of the test
		_, err := b.Append(t.Context(), erase(1, 2))
		erased <- err
	}()
	asked := b.Lag().Asked
	eventually(t, func() bool { return b.Lag().Asked.After(asked) }, "the node asks nobody")
	comes.Store(true)
	require.NoError(t, <-erased)
	assert.True(t, readAll(t, b)[1].Redacted)
}
