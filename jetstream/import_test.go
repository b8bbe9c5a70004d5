package jetstream_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/jetstream"
)

// filled makes a store in a directory with events of every kind, and opens it for reading.
func filled(t *testing.T, dir string, events int) *filestore.FileStore {
	s, err := filestore.Open(dir, filestore.Options{})
	require.NoError(t, err)
	db := eventfold.OpenDB(eventfold.Config{Store: s})
	for _, statement := range []string{
		`INSERT INTO "Bestellung ä" (type, payload, metadata) VALUES ('t', '{"a":1}', '{"m":2}'), ('u', NULL, NULL)`,
		`CREATE VIEW v AS SELECT type FROM $all`,
		`INSERT INTO "s" (type, payload) VALUES ('t', '{"secret":1}'), ('t', '')`,
		`ERASE FROM "s" WHERE version = 0 REASON 'r'`,
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err, statement)
	}
	batch := engine.Append{Stream: "many"}
	for range events {
		batch.Events = append(batch.Events, engine.NewEvent{Type: "n", Tags: []string{"x"}, Payload: []byte("1")})
	}
	_, err = s.Append(t.Context(), batch)
	require.NoError(t, err)
	eventually(t, func() bool {
		list, err := s.Erasures(t.Context())
		require.NoError(t, err)
		return !list[0].DoneAt.IsZero()
	}, "the erasure is not done")
	require.NoError(t, db.Close())
	reader, err := filestore.Open(dir, filestore.Options{ReadOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { reader.Close() })
	return reader
}

// imports: a store becomes a bucket with every position and time, also in two goes, and goes on there;
// the way back is the directory of a node.
func imports(t *testing.T, c *cluster) {
	source := filled(t, t.TempDir(), 2500)
	config := c.config(t, fmt.Sprint("i", buckets.Add(1)))
	local := config.Local
	config.Local = ""
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := jetstream.Import(ctx, config, source.ReadIndex(), func(done, _ engine.Position) {
		if done > 0 {
			stop()
		}
	})
	require.ErrorIs(t, err, context.Canceled, "it is interrupted")
	var first engine.Position
	var last engine.Position
	require.NoError(t, jetstream.Import(t.Context(), config, source.ReadIndex(), func(done, all engine.Position) {
		if first == 0 {
			first = done
		}
		last = done
		assert.Equal(t, source.ReadIndex().Head(), all)
	}))
	assert.Equal(t, engine.Position(1000), first, "it has gone on where it was")
	assert.Equal(t, source.ReadIndex().Head(), last)
	require.NoError(t, jetstream.Import(t.Context(), config, source.ReadIndex(), nil), "once more there is nothing to do")

	config.Local = local
	s, err := jetstream.Open(t.Context(), config)
	require.NoError(t, err)
	want := readAll(t, source)
	assert.Equal(t, want, readAll(t, s))
	_, err = s.Verify(t.Context())
	require.NoError(t, err)
	_, err = s.Append(t.Context(), oneEvent("many", engine.Exact(2499)))
	require.NoError(t, err)
	err = jetstream.Import(t.Context(), config, source.ReadIndex(), nil)
	assert.ErrorAs(t, err, new(*jetstream.ConfigError), "it holds more by now")
	require.NoError(t, s.Close())

	other := filled(t, t.TempDir(), 3000)
	assert.ErrorAs(t, jetstream.Import(t.Context(), config, other.ReadIndex(), nil), new(*jetstream.ConfigError))

	db, err := sql.Open(eventfold.DriverName, local)
	require.NoError(t, err)
	defer db.Close()
	var n int
	require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&n))
	assert.Equal(t, len(want)+1, n)
	_, err = db.Exec(`INSERT INTO "many" (type) VALUES ('n') EXPECTING VERSION 2500`)
	require.NoError(t, err, "and it goes on as a store of its own")
}

// importRefused: an import of what the servers refuse ends in time, and tells why they do.
func importRefused(t *testing.T, c *cluster) {
	config := c.config(t, fmt.Sprint("i", buckets.Add(1)))
	s, err := jetstream.Open(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	api := c.api(t)
	stream, err := api.Stream(t.Context(), "EF_"+config.Bucket)
	require.NoError(t, err)
	settings := stream.CachedInfo().Config
	settings.MaxMsgSize = 10
	_, err = api.UpdateStream(t.Context(), settings)
	require.NoError(t, err)
	config.OpenTimeout = 3 * time.Second
	source := filled(t, t.TempDir(), 1)
	err = jetstream.Import(t.Context(), config, source.ReadIndex(), nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "the last answer was")
	assert.ErrorContains(t, err, "size")
}

// A gapped index leaves an event out of what it reads.
type gapped struct{ engine.ReadIndex }

func (g gapped) ReadAll(ctx context.Context, from engine.Position, way engine.Direction) engine.Cursor {
	return g.ReadIndex.ReadAll(ctx, from+1, way)
}

// importOfAGap: what has not every event is no log, and would get other positions.
func importOfAGap(t *testing.T, c *cluster) {
	source := filled(t, t.TempDir(), 10)
	err := jetstream.Import(t.Context(), c.config(t, fmt.Sprint("i", buckets.Add(1))), gapped{source.ReadIndex()}, nil)
	require.ErrorAs(t, err, new(*jetstream.ConfigError))
	assert.ErrorContains(t, err, "position 0")
}
