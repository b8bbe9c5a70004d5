package jetstream_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
)

// appendsTogether: appends that are published as one batch are appends of their own, each of which is
// told its own place.
func appendsTogether(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	places, err := s.PublishTogether(attempt(config, "a", 1, 0), attempt(config, "b", 3, 0), attempt(config, "c", 2, 0))
	require.NoError(t, err)
	assert.Equal(t, []engine.Position{0, 3, 5}, places, "of the last event of each")
	require.NoError(t, s.Wait(t.Context(), 5))
	var streams []string
	for _, e := range readAll(t, s) {
		streams = append(streams, fmt.Sprint(e.Stream, e.Version))
	}
	assert.Equal(t, []string{"a0", "b0", "b1", "b2", "c0", "c1"}, streams)
	config.Local = t.TempDir()
	other, err := jetstream.Open(t.Context(), config)
	require.NoError(t, err)
	defer other.Close()
	head, err := s.Head()
	require.NoError(t, err)
	require.NoError(t, other.CheckHead(head), "a node that takes all of it at once has the same log")
}

// togetherOrNotAtAll: if one of those that are published together is refused none is stored, and each is
// told so. None is together with another one of its stream, or with more than a batch may have.
func togetherOrNotAtAll(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	_, err := s.PublishTogether(attempt(config, "a", 1, 0), attempt(config, "b", 1, 7), attempt(config, "c", 1, 0))
	require.Error(t, err)
	assert.True(t, jetstream.IsRefusal(err), "%v", err)
	done, err := s.Append(t.Context(), oneEvent("c", engine.NoStream))
	require.NoError(t, err)
	assert.Equal(t, engine.Position(0), done.Events[0].Position, "nothing was stored")

	assert.False(t, jetstream.MayGoTogether(attempt(config, "a", 1, 0), attempt(config, "a", 1, 1)))
	assert.True(t, jetstream.MayGoTogether(attempt(config, "a", 500, 0), attempt(config, "b", 500, 0)))
	assert.False(t, jetstream.MayGoTogether(attempt(config, "a", 500, 0), attempt(config, "b", 501, 0)))
}

// payloadUsedAgain: who does not wait for the answer may use his slices again, and what is published is
// what he has given all the same.
func payloadUsedAgain(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	payload := []byte(`{"a":1}`)
	publish := s.PublishLater(config.Attempt("a", 1, 0, func(int) engine.NewEvent {
		return engine.NewEvent{ID: uuid.New(), Type: "t", Payload: payload}
	}))
	copy(payload, `{"b":2}`)
	require.NoError(t, publish())
	require.NoError(t, s.Wait(t.Context(), 0))
	assert.Equal(t, `{"a":1}`, string(readAll(t, s)[0].Payload))
}

// attempt is one of an append of n events to a stream whose last event has a sequence.
func attempt(config jetstream.Config, stream string, n int, last uint64) []*nats.Msg {
	return config.Attempt(stream, n, last, func(int) engine.NewEvent { return engine.NewEvent{ID: uuid.New(), Type: "t"} })
}

// manyClients: what many clients append at once through two nodes is stored once, and each is told its
// own places, whatever was published together.
func manyClients(t *testing.T, c *cluster) {
	_, a, b := twoNodes(t, c)
	const clients, each = 24, 5
	var wg sync.WaitGroup
	var mu sync.Mutex
	placed := map[uuid.UUID]engine.Placed{}
	for n := range clients {
		s := []*jetstream.Store{a, b}[n%2]
		wg.Go(func() {
			for k := range each {
				expect := engine.NoStream
				if k > 0 {
					expect = engine.Exact(engine.Version(k - 1))
				}
				mine := oneEvent(fmt.Sprint("s", n), expect)
				ours := oneEvent(fmt.Sprint("shared", n%3)) // so that some are refused
				done, err := s.Append(t.Context(), mine, ours)
				if !assert.NoError(t, err) {
					return
				}
				mu.Lock()
				for _, p := range done.Events {
					placed[p.ID] = p
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.NoError(t, b.Wait(t.Context(), 2*clients*each-1))
	events := readAll(t, b)
	require.Len(t, events, 2*clients*each)
	for _, e := range events {
		assert.Equal(t, engine.Placed{Position: e.Position, Version: e.Version, ID: e.ID}, placed[e.ID])
	}
}
