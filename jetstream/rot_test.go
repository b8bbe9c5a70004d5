package jetstream_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/jetstream"
)

// honest says what is wrong with what somebody gives who reads a log, nil for nothing. He may give less
// than was stored if he says so, and nothing else.
func honest(stored, given []engine.Event, err error) error {
	for i := range given {
		if i >= len(stored) || !assert.ObjectsAreEqual(stored[i], given[i]) {
			return fmt.Errorf("what is given as event %d was not stored there", i)
		}
	}
	if len(given) < len(stored) && err == nil {
		return fmt.Errorf("%d of %d events are given, and no error", len(given), len(stored))
	}
	return nil
}

// nodeReads is what a new node gives of a bucket. Its copy is read also if it cannot be opened.
func nodeReads(t *testing.T, config jetstream.Config) ([]engine.Event, error) {
	config.Local = t.TempDir()
	s, err := jetstream.Open(t.Context(), config)
	if err != nil {
		return copyReads(t, config.Local), err
	}
	defer s.Close()
	return readAll(t, s), s.Err()
}

// copyReads is what is in a node's copy.
func copyReads(t *testing.T, dir string) []engine.Event {
	s, err := filestore.Open(dir, filestore.Options{ReadOnly: true})
	require.NoError(t, err)
	defer s.Close()
	return readAll(t, s)
}

// rottenFile: a byte of a file of messages has changed while the server was down. The server has nothing
// of the file from there on, and says so to nobody who does not ask. A new node and one that runs name
// the first event that is missing, and give none that was not stored there; a naive client misses events
// without knowing it.
func rottenFile(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	for n := range 10 { // of 1 MB: two files
		batch := oneEvent("a")
		batch.Events[0].Payload = fmt.Appendf(nil, `"event %d %s"`, n, strings.Repeat("x", 1_000_000))
		_, err := s.Append(t.Context(), batch)
		require.NoError(t, err)
	}
	stored := readAll(t, s)
	server := c.Servers[0]
	blocks := blocksOf(t, server, config.Bucket)
	require.NotEmpty(t, blocks, "no file is complete")
	server.Kill()
	rotAfter(t, blocks[0], "event 3 ")
	require.NoError(t, server.Start())

	n := &naive{config: config, api: c.api(t)}
	var given []engine.Event
	eventually(t, func() (ok bool) {
		var err error
		given, err = n.read(t.Context())
		return err == nil
	}, "the server does not answer")
	assert.Error(t, honest(stored, given, nil), "a naive client")

	given, err := nodeReads(t, config)
	var damaged *jetstream.DamagedError
	require.ErrorAs(t, err, &damaged)
	assert.Equal(t, engine.Position(3), damaged.Position)
	assert.NoError(t, honest(stored, given, err), "a new node")

	eventually(t, func() bool { return s.Err() != nil }, "a node that runs does not notice")
	require.ErrorAs(t, s.Err(), &damaged)
	assert.Equal(t, engine.Position(3), damaged.Position)
	assert.Equal(t, stored, readAll(t, s), "it has everything still")
}

// rotAfter changes the byte behind a text in a file of a server that does not run.
func rotAfter(t *testing.T, file, text string) {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	at := bytes.Index(b, []byte(text))
	require.Positive(t, at)
	b[at+len(text)] ^= 1
	require.NoError(t, os.WriteFile(file, b, 0o600))
	_ = os.Remove(filepath.Join(filepath.Dir(file), "index.db")) // the summary, so that the server reads the file
}

// rottenMessage: what the servers give as an event is not what was sent. A node names its place and does
// not give it; a naive client does.
func rottenMessage(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	for range 3 {
		_, err := s.Append(t.Context(), oneEvent("a"))
		require.NoError(t, err)
	}
	sent := engine.NewEvent{ID: uuid.New(), Type: "t", Payload: []byte(`{"a":1}`)}
	m := config.Message("a", &sent, 3)
	m.Data = []byte(`{"a":2}`)
	c.publish(t, m)

	n := &naive{config: config, api: c.api(t)}
	given, err := n.read(t.Context())
	require.NoError(t, err)
	require.Len(t, given, 4)
	stored := append(readAll(t, s)[:3], given[3])
	stored[3].Payload = sent.Payload
	assert.Error(t, honest(stored, given, nil), "a naive client")

	stopsAt(t, s, 3)
	assert.NoError(t, honest(stored, readAll(t, s), s.Err()), "a node that runs")
	given, err = nodeReads(t, config)
	var damaged *jetstream.DamagedError
	require.ErrorAs(t, err, &damaged)
	assert.Equal(t, engine.Position(3), damaged.Position)
	assert.NoError(t, honest(stored, given, err), "a new node")
}
