package eventfold_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
)

// TestBothVocabulariesOfErrorsHold asks for what Conn.Store and SQL return with the codes of this
// package and with the engine's sentinels and facts.
func TestBothVocabulariesOfErrorsHold(t *testing.T) {
	ctx := context.Background()
	db := openDB(t, t.TempDir())
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	s, release := store(t, db)

	_, err := s.Append(ctx, engine.Append{Stream: "a", Expect: []engine.Expectation{engine.NoStream}, Events: someEvent})
	require.ErrorIs(t, err, eventfold.ErrVersionConflict)
	require.ErrorAs(t, err, new(*engine.ConflictError))
	require.ErrorAs(t, err, new(*eventfold.Error))
	_, err = s.Append(ctx, engine.Append{Stream: "", Events: someEvent})
	require.ErrorIs(t, err, eventfold.ErrArgument)
	require.ErrorAs(t, err, new(*engine.InvalidError))

	nobody := s.ReadIndex().ReadStream(ctx, "nobody", 0, engine.Forwards)
	assert.False(t, nobody.Next())
	require.ErrorIs(t, nobody.Err(), eventfold.ErrStreamNotFound)
	require.ErrorAs(t, nobody.Err(), new(*engine.StreamNotFoundError))

	index := s.ReadIndex()
	release()
	require.NoError(t, db.Close())
	for name, err := range failures(ctx, s, index) {
		require.ErrorIs(t, err, eventfold.ErrClosed, name)
		require.ErrorIs(t, err, engine.ErrClosed, name)
		assert.NotErrorIs(t, err, eventfold.ErrReadOnly, name)
		assert.NotErrorIs(t, err, engine.ErrReadOnly, name)
	}
}

var someEvent = []engine.NewEvent{{Type: "A"}}

// failures are the errors of everything that a store can be asked for.
func failures(ctx context.Context, s engine.Store, index engine.ReadIndex) map[string]error {
	_, appended := s.Append(ctx, engine.Append{Stream: "a", Events: someEvent})
	_, _, version := index.At(1).StreamVersion("a")
	_, count := index.Count(ctx, engine.Filter{})
	_, types := index.Types(ctx)
	all := index.ReadAll(ctx, 0, engine.Forwards)
	one := index.ReadStream(ctx, "a", 0, engine.Forwards)
	batches := index.Scan(ctx, engine.Filter{}, 0)
	streams := index.Streams(ctx, "")
	all.Next()
	one.Next()
	batches.Next()
	streams.Next()
	return map[string]error{
		"append": appended, "wait": s.Wait(ctx, 1<<40), "version": version, "count": count,
		"types": types, "all": all.Err(), "stream": one.Err(), "scan": batches.Err(),
		"streams": streams.Err(),
	}
}

// TestSQLsErrorsMatchTheEnginesSentinels: so does what this package says by itself.
func TestSQLsErrorsMatchTheEnginesSentinels(t *testing.T) {
	dir := t.TempDir()
	mustExec(t, openDB(t, dir), `INSERT INTO a (type) VALUES ('A')`)
	_, err := openDB(t, dir+"?mode=ro").Exec(`INSERT INTO a (type) VALUES ('A')`)
	require.ErrorIs(t, err, eventfold.ErrReadOnly)
	require.ErrorIs(t, err, engine.ErrReadOnly)

	connector := eventfold.NewConnector(eventfold.Config{Path: dir})
	require.NoError(t, connector.Close())
	_, err = connector.Connect(context.Background())
	require.ErrorIs(t, err, eventfold.ErrClosed)
	require.ErrorIs(t, err, engine.ErrClosed)
	assert.NotErrorIs(t, err, engine.ErrFull)
}

// TestNativeCursorsAreReusers: reading fast needs no way around Conn.Store.
func TestNativeCursorsAreReusers(t *testing.T) {
	ctx := context.Background()
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A'), ('B')`)
	s, release := store(t, db)
	defer release()
	index := s.ReadIndex()
	cursor := index.ReadAll(ctx, 0, engine.Forwards)
	defer cursor.Close()
	cursor.(engine.Reuser).Reuse()
	for position := range engine.Position(2) {
		require.True(t, cursor.Next())
		assert.Equal(t, position, cursor.Event().Position)
	}
	require.False(t, cursor.Next())
	require.NoError(t, cursor.Err())
	batches := index.Scan(ctx, engine.Filter{}, 0)
	defer batches.Close()
	batches.(engine.Reuser).Reuse()
	require.NotNil(t, batches.Next())
	assert.NotEmpty(t, index.(engine.Parter).Parts(engine.Filter{}, 2))
}
