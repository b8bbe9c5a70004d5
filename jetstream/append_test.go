package jetstream_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
)

func oneEvent(stream string, expect ...engine.Expectation) engine.Append {
	return engine.Append{Stream: stream, Expect: expect,
		Events: []engine.NewEvent{{Type: "t", Payload: []byte(`{"a":1}`)}}}
}

// readAll reads the whole log.
func readAll(t testing.TB, s engine.Store) (events []engine.Event) {
	c := s.ReadIndex().ReadAll(t.Context(), 0, engine.Forwards)
	defer c.Close()
	for c.Next() {
		events = append(events, *c.Event())
	}
	require.NoError(t, c.Err())
	return events
}

// Everything that needs one server and no contract of its own.
func TestOnOneServer(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1)
	tests := map[string]func(t *testing.T, c *cluster){
		"a refusal of what was stored":    refusalThatWasStored,
		"a naive client of refusals":      naiveRefusal,
		"no answer to what was stored":    contextEndsBeforeTheAnswer,
		"a node that is behind":           nodeBehind,
		"what was not sent":               notSent,
		"ids of two nodes":                idsOfTwoNodes,
		"a server that reads nothing":     writesAreBounded,
		"contention":                      contention,
		"data source names":               dataSourceNames,
		"wrong settings":                  wrongSettings,
		"another log's local copy":        otherLocalCopy,
		"what no node has appended":       foreignMessage,
		"a copy made anew":                copyMadeAnew,
		"a stream made anew":              streamMadeAnew,
		"erasures":                        erasures,
		"an erasure of two nodes":         erasureOfTwoNodes,
		"what was altered on its way":     alteredMessage,
		"appends together":                appendsTogether,
		"together or not at all":          togetherOrNotAtAll,
		"a payload that is used again":    payloadUsedAgain,
		"many clients":                    manyClients,
		"a rotten message":                rottenMessage,
		"a rotten file":                   rottenFile,
		"a copy that fails for a while":   copyFailsForAWhile,
		"lag":                             lagIsTold,
		"what Check tells":                checkTells,
		"what CheckServers tells":         checkServersTells,
		"the first server to answer":      firstServerIsWaitedFor,
		"a bucket becomes a directory":    exports,
		"reading what the servers have":   reads,
		"two imports at once":             importsAtOnce,
		"files that are not there":        missingFiles,
		"a store that becomes a bucket":   imports,
		"an import that is refused":       importRefused,
		"a log with a gap":                importOfAGap,
		"an erasure on a node behind":     erasureBehind,
		"condition on streams of its own": ownStreamCondition,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

// A server may refuse what another one stores: whoever believes it appends twice, or tells of a
// conflict with itself.
func refusalThatWasStored(t *testing.T, c *cluster) {
	s := c.openNew(t)
	defer s.Close()
	refusals := 0
	s.Between(func(send jetstream.Sender) jetstream.Sender {
		return func(ctx context.Context, messages []*nats.Msg) error {
			if err := send(ctx, messages); refusals == 4 {
				return err
			}
			refusals++
			return jetstream.Refusal()
		}
	})
	two := engine.Append{Stream: "b", Events: []engine.NewEvent{{Type: "x"}, {Type: "y"}}}
	batches := [][]engine.Append{{oneEvent("a")}, {oneEvent("a", engine.Exact(0))}, {two, oneEvent("a")},
		{oneEvent("c", &engine.Condition{After: engine.NoPosition, Where: engine.Filter{Types: []string{"none"}}})}}
	n := 0
	for i, batch := range batches {
		done, err := s.Append(t.Context(), batch...)
		require.NoError(t, err, i)
		assert.False(t, done.Duplicate, i)
		assert.Equal(t, engine.Position(n), done.Events[0].Position, i)
		n += len(done.Events)
	}
	assert.Equal(t, 4, refusals)
	assert.Len(t, readAll(t, s), n, "each is stored once")
}

// naiveRefusal: who believes a refusal stores his event twice, and the oracle sees it.
func naiveRefusal(t *testing.T, c *cluster) {
	config, s := c.open(t)
	require.NoError(t, s.Close())
	refused := false
	n := &naive{config: config, api: c.api(t), after: func(err error) error {
		if !refused && err == nil { // it is stored, and a server that leads no more has answered
			refused = true
			return jetstream.Refusal()
		}
		return err
	}}
	o := newOracle()
	id := uuid.New()
	require.NoError(t, n.append(t.Context(), "a", id))
	o.placed[id] = engine.Placed{ID: id}
	events, err := n.read(t.Context())
	require.NoError(t, err)
	assert.ErrorContains(t, o.check(events), "stored twice")
}

// A node that runs while its stream is made anew, or restored with other events, does not mix the two.
func streamMadeAnew(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	for range 3 {
		_, err := s.Append(t.Context(), oneEvent("a"))
		require.NoError(t, err)
	}
	require.NoError(t, c.api(t).DeleteStream(t.Context(), "EF_"+config.Bucket))
	other, err := jetstream.Open(t.Context(), c.config(t, config.Bucket))
	require.NoError(t, err)
	defer other.Close()
	for n := range 4 { // each the first of its stream, so that the fourth would fit behind what s has
		_, err := other.Append(t.Context(), oneEvent(fmt.Sprint("b", n)))
		require.NoError(t, err)
	}
	var damaged *jetstream.DamagedError
	require.ErrorAs(t, s.Wait(t.Context(), 3), &damaged)
	assert.Len(t, readAll(t, s), 3, "what it has can be read")
	_, err = s.Append(t.Context(), oneEvent("a"))
	assert.ErrorAs(t, err, &damaged)
}

// notSent: an append whose context has ended before anything of it was sent has an outcome: it is not
// stored. Whoever has sent it once before does not know.
func notSent(t *testing.T, c *cluster) {
	s := c.openNew(t)
	defer s.Close()
	for sent := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		attempts := 0
		s.Between(func(send jetstream.Sender) jetstream.Sender {
			return func(ctx context.Context, messages []*nats.Msg) error {
				if attempts++; attempts <= sent {
					return jetstream.Refusal()
				}
				cancel()
				return send(ctx, messages)
			}
		})
		_, err := s.Append(ctx, oneEvent("a"))
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, sent > 0, errors.Is(err, engine.ErrOutcomeUnknown), "%v", err)
	}
	assert.Empty(t, readAll(t, s))
}

// A caller who stops waiting is told that the outcome is not known, and finds it out with the ids.
func contextEndsBeforeTheAnswer(t *testing.T, c *cluster) {
	s := c.openNew(t)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	s.Between(func(send jetstream.Sender) jetstream.Sender {
		return func(ctx context.Context, messages []*nats.Msg) error {
			_ = send(t.Context(), messages) // stored or not: the second append settles it
			cancel()
			return jetstream.Refusal()
		}
	})
	batch := oneEvent("a", engine.NoStream)
	batch.Events[0].ID = uuid.New()
	_, err := s.Append(ctx, batch)
	require.ErrorIs(t, err, engine.ErrOutcomeUnknown)
	assert.ErrorIs(t, err, context.Canceled)
	done, err := s.Append(t.Context(), batch)
	require.NoError(t, err)
	assert.Equal(t, engine.Position(0), done.Events[0].Position)
	assert.Len(t, readAll(t, s), 1)
}

// twoNodes opens one bucket twice.
func twoNodes(t *testing.T, c *cluster) (config jetstream.Config, a, b *jetstream.Store) {
	config = c.config(t, fmt.Sprint("two", buckets.Add(1)))
	a, err := jetstream.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	config.Local = t.TempDir()
	b, err = jetstream.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	return config, a, b
}

// A version that another node has made is expected before this node has it.
func nodeBehind(t *testing.T, c *cluster) {
	_, a, b := twoNodes(t, c)
	for i := range 20 {
		for _, s := range []*jetstream.Store{a, b} {
			version := engine.Version(2*i - 1)
			if s == b {
				version++
			}
			done, err := s.Append(t.Context(), oneEvent("a", engine.Exact(version)))
			require.NoError(t, err)
			assert.Equal(t, version+1, done.Events[0].Version)
		}
	}
	require.NoError(t, a.Wait(t.Context(), 39))
	assert.Equal(t, readAll(t, a), readAll(t, b), "both nodes have one log, times included")
	_, err := a.Append(t.Context(), oneEvent("a", engine.Exact(7)))
	var conflict *engine.ConflictError
	require.ErrorAs(t, err, &conflict)
	assert.Equal(t, engine.Version(39), conflict.Checks[0].Actual)
	lag := a.Lag()
	assert.Zero(t, lag.Events)
	assert.False(t, lag.Synced.IsZero())
}

// An id that two nodes give to two streams at once is stored once.
func idsOfTwoNodes(t *testing.T, c *cluster) {
	_, a, b := twoNodes(t, c)
	stored := 0
	for range 20 {
		id := uuid.New()
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i, s := range []*jetstream.Store{a, b} {
			batch := oneEvent(fmt.Sprint("s", i))
			batch.Events[0].ID = id
			wg.Go(func() { _, errs[i] = s.Append(t.Context(), batch) })
		}
		wg.Wait()
		for _, err := range errs {
			if err == nil {
				stored++
			} else {
				assert.ErrorAs(t, err, new(*engine.DuplicateEventError))
			}
		}
	}
	assert.Equal(t, 20, stored)
	require.NoError(t, b.Wait(t.Context(), 19))
	assert.Len(t, readAll(t, b), 20)
	assert.NoError(t, a.Err())
}

// Conditions on the whole log hold although two nodes append at once: one of all wins.
func contention(t *testing.T, c *cluster) {
	_, a, b := twoNodes(t, c)
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for i := range 8 {
		s := []*jetstream.Store{a, b}[i%2]
		wg.Go(func() {
			batch := oneEvent(fmt.Sprint("s", i), &engine.Condition{After: engine.NoPosition,
				Where: engine.Filter{Types: []string{"t"}}})
			_, err := s.Append(t.Context(), batch)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				assert.ErrorAs(t, err, new(*engine.ConflictError))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 1, won)
	require.NoError(t, a.Wait(t.Context(), 0))
	assert.Len(t, readAll(t, a), 1)
}

// A condition on the streams that are written to holds too, without the whole log.
func ownStreamCondition(t *testing.T, c *cluster) {
	_, a, b := twoNodes(t, c)
	condition := &engine.Condition{After: engine.NoPosition, Where: engine.Filter{Streams: []string{"s"}}}
	_, err := a.Append(t.Context(), oneEvent("s", condition))
	require.NoError(t, err)
	_, err = b.Append(t.Context(), oneEvent("s", condition))
	require.ErrorAs(t, err, new(*engine.ConflictError), "a node that may be behind, too")
}

func dataSourceNames(t *testing.T, c *cluster) {
	dsn := c.dsn("sql", t.TempDir())
	db, err := sql.Open(eventfold.DriverName, dsn+"&json=text")
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(`INSERT INTO "Bestellung ä.*>" (type, payload, tags) VALUES ('type ß,', '{"a":1}', ?) EXPECTING NO STREAM`,
		[]string{"x,y", "z"})
	require.NoError(t, err)
	_, err = db.Exec(`CREATE VIEW v AS SELECT stream, type FROM $all WHERE HAS(tags, 'x,y')`)
	require.NoError(t, err)
	other, err := sql.Open(eventfold.DriverName, c.dsn("sql", t.TempDir()))
	require.NoError(t, err)
	defer other.Close()
	var stream, typ string
	require.NoError(t, other.QueryRow(`SELECT stream, type FROM $all WHERE HAS(tags, 'x,y')`).Scan(&stream, &typ))
	var view string
	require.NoError(t, other.QueryRow(`SELECT name FROM $views`).Scan(&view))
	assert.Equal(t, "v", view, "views go to every node")
	assert.Equal(t, []string{"Bestellung ä.*>", "type ß,"}, []string{stream, typ})
	for _, wrong := range []string{"nats://127.0.0.1/b", "nats:///b?local=x", "nats://h/b?local=x&replicas=2",
		"nats://h/b.c?local=x", "nats://h/b?local=x&sync=interval", "nats://h/b?local=x&local=y", "nats://h/b?local=x&create=maybe"} {
		_, err := eventfold.ParseDSN(wrong)
		assert.Error(t, err, wrong)
	}
	_, err = eventfold.ParseDSN("nats://user:se%ret@h/b?local=x")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "se%ret", "no error shows a password")
	config, err := jetstream.ParseDSN("nats://u:p@h1:1,h2:2/b?local=x%20y&create=true&json=text")
	require.NoError(t, err)
	assert.Equal(t, jetstream.Config{URLs: []string{"nats://u:p@h1:1", "nats://u:p@h2:2"}, Bucket: "b", Local: "x y",
		Create: true}, config)
}

// wrongSettings: a stream that would not keep what appends promise is refused.
func wrongSettings(t *testing.T, c *cluster) {
	api := c.api(t)
	good := js.StreamConfig{Storage: js.FileStorage, DenyDelete: true, DenyPurge: true, AllowAtomicPublish: true,
		Discard: js.DiscardNew, Duplicates: 5 * 60e9, Metadata: map[string]string{"eventfold.format": "1"}}
	changes := map[string]func(s *js.StreamConfig){
		"deny_delete":      func(s *js.StreamConfig) { s.DenyDelete = false },
		"deny_purge":       func(s *js.StreamConfig) { s.DenyPurge = false },
		"allow_atomic":     func(s *js.StreamConfig) { s.AllowAtomicPublish = false },
		"compression":      func(s *js.StreamConfig) { s.Compression = js.S2Compression },
		"max_age":          func(s *js.StreamConfig) { s.MaxAge = 3600e9 },
		"max_msgs":         func(s *js.StreamConfig) { s.MaxMsgs = 1000 },
		"max_bytes":        func(s *js.StreamConfig) { s.MaxBytes = 1 << 20 },
		"storage":          func(s *js.StreamConfig) { s.Storage = js.MemoryStorage },
		"metadata":         func(s *js.StreamConfig) { s.Metadata = nil },
		"duplicate_window": func(s *js.StreamConfig) { s.Duplicates = 1e9 },
	}
	for setting, change := range changes {
		name := "w" + strings.ReplaceAll(setting, "_", "-")
		stream := good
		stream.Name, stream.Subjects = "EF_"+name, []string{"ef." + name + ".>"}
		change(&stream)
		_, err := api.CreateStream(t.Context(), stream)
		require.NoError(t, err, setting)
		_, err = jetstream.Open(t.Context(), c.config(t, name))
		var wrong *jetstream.ConfigError
		require.ErrorAs(t, err, &wrong, setting)
		assert.Contains(t, wrong.Setting, setting)
	}
	config := c.config(t, "missing")
	config.Create = false
	_, err := jetstream.Open(t.Context(), config)
	assert.ErrorContains(t, err, "create=true")
	for version, ok := range map[string]bool{"2.15.2": true, "2.15.1": false, "2.14.9": false, "2.16.0-RC.1": true, "3.0.0": true, "": false} {
		assert.Equal(t, ok, jetstream.CheckVersion(version) == nil, version)
	}
}

// otherLocalCopy: a directory that holds another log is not mixed with this one.
func otherLocalCopy(t *testing.T, c *cluster) {
	config := c.config(t, "mine")
	for _, bucket := range []string{"mine", "theirs"} {
		config.Bucket = bucket
		other := config
		if bucket == "theirs" {
			other.Local = t.TempDir()
		}
		s, err := jetstream.Open(t.Context(), other)
		require.NoError(t, err)
		_, err = s.Append(t.Context(), oneEvent("a"))
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	_, err := jetstream.Open(t.Context(), config)
	assert.ErrorAs(t, err, new(*jetstream.ConfigError))
}

// publish publishes a message as who looks after the servers could.
func (c *cluster) publish(t *testing.T, m *nats.Msg) {
	_, err := c.api(t).PublishMsg(t.Context(), m)
	require.NoError(t, err)
}

// foreignMessage: a message that is no event stops the store, and is told to whoever waits.
func foreignMessage(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	_, err := s.Append(t.Context(), oneEvent("a"))
	require.NoError(t, err)
	m := nats.NewMsg("ef." + config.Bucket + ".a")
	m.Data = []byte("no event")
	c.publish(t, m)
	stopsAt(t, s, 1)
}

// stopsAt asserts that a store has met damage at a position, and reads what it has.
func stopsAt(t *testing.T, s *jetstream.Store, p engine.Position) {
	t.Helper()
	var damaged *jetstream.DamagedError
	require.ErrorAs(t, s.Wait(t.Context(), p), &damaged)
	assert.Equal(t, p, damaged.Position)
	_, err := s.Append(t.Context(), oneEvent("a"))
	assert.ErrorAs(t, err, &damaged)
	assert.ErrorAs(t, s.Err(), &damaged)
	assert.Len(t, readAll(t, s), int(p), "what is there can be read")
}

// alteredMessage: whatever of an event comes otherwise than it was sent, no node takes it over.
func alteredMessage(t *testing.T, c *cluster) {
	alterations := map[string]func(m *nats.Msg){
		"a byte of the payload": func(m *nats.Msg) { m.Data[2] ^= 1 },
		"its end":               func(m *nats.Msg) { m.Data = m.Data[:len(m.Data)-1] },
		"another stream":        func(m *nats.Msg) { m.Subject += "b" },
		"the type":              func(m *nats.Msg) { m.Header.Set("Ef-Type", "u") },
		"the id":                func(m *nats.Msg) { m.Header.Set("Ef-Id", uuid.NewString()) },
		"the tags":              func(m *nats.Msg) { m.Header.Set("Ef-Tags", "y") },
		"no tags":               func(m *nats.Msg) { m.Header.Del("Ef-Tags") },
		"metadata":              func(m *nats.Msg) { m.Header.Set("Ef-Metadata", "1") },
		"the salt":              func(m *nats.Msg) { m.Header.Set("Ef-Salt", strings.Repeat("A", 43)) },
		"a time":                func(m *nats.Msg) { m.Header.Set("Ef-Time", "1") },
		"no checksum":           func(m *nats.Msg) { m.Header.Del("Ef-Sum") },
	}
	for name, alter := range alterations {
		config, s := c.open(t)
		e := engine.NewEvent{ID: uuid.New(), Type: "t", Tags: []string{"x"}, Payload: []byte(`{"a":1}`)}
		c.publish(t, config.Message("a", &e, 0))
		require.NoError(t, s.Wait(t.Context(), 0), name)
		m := config.Message("a", &engine.NewEvent{ID: uuid.New(), Type: "t", Tags: []string{"x"},
			Payload: []byte(`{"a":1}`)}, 1)
		alter(m)
		c.publish(t, m)
		stopsAt(t, s, 1)
		require.NoError(t, s.Close())
	}
}

// copyFailsForAWhile: an error of this machine is no damage of the stream, and the node goes on when
// it has passed.
func copyFailsForAWhile(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	left := 3
	s.BeforeApply(func() error {
		if left == 0 {
			return nil
		}
		left--
		return fmt.Errorf("write: %w", engine.ErrFull)
	})
	for range 3 {
		_, err := s.Append(t.Context(), oneEvent("a"))
		require.NoError(t, err)
	}
	assert.Zero(t, left)
	assert.NoError(t, s.Err())
	config.Local = t.TempDir()
	other, err := jetstream.Open(t.Context(), config)
	require.NoError(t, err)
	defer other.Close()
	assert.Equal(t, readAll(t, other), readAll(t, s))
}

// lagIsTold: a node tells how far it is behind, and when it last asked.
func lagIsTold(t *testing.T, c *cluster) {
	_, a, b := twoNodes(t, c)
	var fails atomic.Bool
	b.BeforeApply(func() error {
		if fails.Load() {
			return engine.ErrFull
		}
		return nil
	})
	first := b.Lag()
	assert.Zero(t, first.Events)
	fails.Store(true)
	_, err := a.Append(t.Context(), oneEvent("a"), oneEvent("b"))
	require.NoError(t, err)
	eventually(t, func() bool { return b.Lag().Events == 2 }, "b has not heard of what it does not have")
	behind := b.Lag()
	eventually(t, func() bool { return b.Lag().Asked.After(behind.Asked) }, "b asks no more")
	db := eventfold.OpenDB(eventfold.Config{Store: b})
	var lag int
	require.NoError(t, db.QueryRow(`SELECT value FROM $stats WHERE name = 'copy_lag'`).Scan(&lag))
	assert.Equal(t, 2, lag)
	fails.Store(false)
	eventually(t, func() bool { return b.Lag().Events == 0 && b.Lag().Synced.After(behind.Synced) }, "b does not catch up")
	var synced float64
	require.NoError(t, db.QueryRow(`SELECT value FROM $stats WHERE name = 'copy_synced'`).Scan(&synced))
	assert.GreaterOrEqual(t, synced, float64(behind.Synced.UnixMicro())/1e6)
	require.NoError(t, db.Close())
}

// copyMadeAnew: what the local copy has lost comes again from the stream, at the same places.
func copyMadeAnew(t *testing.T, c *cluster) {
	config := c.config(t, "anew")
	s, err := jetstream.Open(t.Context(), config)
	require.NoError(t, err)
	for i := range 30 {
		_, err = s.Append(t.Context(), oneEvent(fmt.Sprint("s", i%3)), oneEvent("all"))
		require.NoError(t, err)
	}
	events := readAll(t, s)
	require.NoError(t, s.Close())
	for _, local := range []string{config.Local, t.TempDir()} {
		config.Local = local
		s, err = jetstream.Open(t.Context(), config)
		require.NoError(t, err)
		assert.Equal(t, events, readAll(t, s))
		require.NoError(t, s.Close())
	}
}
