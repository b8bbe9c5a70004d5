package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
)

const (
	forget42 = `FORGET SUBJECT 'customer:42' REASON 'ticket 114'`
	// what the events say that tell of destroyed keys
	forgotten = `SELECT payload->>'$.revision' || ' ' || (payload->>'$.reason') || ' ' ||
		coalesce(payload->>'$.actor', '-') FROM $all
		WHERE type = '$forgotten' AND payload->>'$.subject' = blind('customer:42') ORDER BY position`
)

// rowsOf runs a statement and returns the number of rows affected.
func rowsOf(t *testing.T, db *sql.DB, statement string) int64 {
	t.Helper()
	result, err := db.Exec(statement)
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	return n
}

func TestForgetIsToldByAnEventAndOnlyOnce(t *testing.T) {
	s := openShredded(t)
	s.place(t, "order-1", "customer:42", secret)
	s.place(t, "order-2", "customer:7", "bob@example.com")
	named := eventfold.OpenDB(eventfold.Config{Path: s.store, Keyring: s.ring, Actor: "dpo"})
	defer named.Close()
	follow, err := s.db.Query(`SELECT type FROM $all WHERE position >= 2 FOLLOW`)
	require.NoError(t, err)
	defer follow.Close()
	result, err := named.Exec(forget42)
	require.NoError(t, err)
	last, err := result.LastInsertId()
	require.NoError(t, err)
	assert.EqualValues(t, 2, last)
	require.True(t, follow.Next(), "who follows $all sees it")
	var typ string
	require.NoError(t, follow.Scan(&typ))
	assert.Equal(t, engine.ForgottenType, typ)

	assert.Zero(t, rowsOf(t, named, forget42))
	assert.Zero(t, rowsOf(t, s.db, `FORGET SUBJECT 'customer:42' REASON 'again, by somebody else'`))
	assert.Equal(t, []string{"1 ticket 114 dpo"}, texts(t, s.db, forgotten))
	require.NoError(t, s.ring.Allow(t.Context(), "customer:42"))
	assert.EqualValues(t, 1, rowsOf(t, s.db, `FORGET SUBJECT 'customer:42' REASON 'ticket 115'`))
	assert.Zero(t, rowsOf(t, named, forget42))
	assert.Equal(t, []string{"1 ticket 114 dpo", "2 ticket 115 -"}, texts(t, s.db, forgotten))

	assert.Empty(t, texts(t, s.db, `SELECT erasure FROM $erasures`), "no event was erased")
	assert.Equal(t, []string{"2"}, texts(t, s.db, `SELECT events FROM $streams WHERE stream = '$erasures'`))
	assert.Equal(t, []string{"0"}, texts(t, s.db, `SELECT SUM(redacted) FROM $all`))
	assert.Empty(t, texts(t, s.db, `SELECT 1 FROM $all WHERE stream = '$erasures' AND payload LIKE '%customer:42%'`),
		"the name is not in it")
	_, err = s.db.Exec(`VERIFY`)
	require.NoError(t, err)
	_, err = s.db.Exec(`FORGET SUBJECT 'customer:8' REASON 'a slip of the pen'`)
	require.ErrorIs(t, err, eventfold.ErrKeyring)
	assert.Equal(t, []string{"4"}, texts(t, s.db, `SELECT COUNT(*) FROM $all`), "nothing is told of what has not happened")
}

// The machine may stop when the key is destroyed and the store does not tell of it yet, and a store
// may come back from an old backup, or be another one that has the same keyring.
func TestForgetTellsWhatIsMissing(t *testing.T) {
	s := openShredded(t)
	s.place(t, "order-1", "customer:42", secret)
	for _, reason := range []string{"ticket 114", ""} { // an empty one is what only Go can give
		erased, err := s.ring.Erase(t.Context(), "customer:42", reason)
		require.NoError(t, err)
		require.True(t, erased)
		require.NoError(t, s.ring.Allow(t.Context(), "customer:42"))
	}
	require.NoError(t, s.ring.Close())
	ring := openRing(t, s.keys, s.epochs)
	db := eventfold.OpenDB(eventfold.Config{Path: s.store, Keyring: ring})
	defer db.Close()
	require.NoError(t, s.db.Close())
	assert.EqualValues(t, 1, rowsOf(t, db, `FORGET SUBJECT 'customer:42' REASON 'ticket 116'`))
	want := []string{"1 ticket 114 -", "2 none was given -", "3 ticket 116 -"}
	assert.Equal(t, want, texts(t, db, forgotten))
	other := eventfold.OpenDB(eventfold.Config{Mode: eventfold.Memory, Keyring: ring})
	defer other.Close()
	assert.Zero(t, rowsOf(t, other, forget42))
	assert.Equal(t, want, texts(t, other, forgotten))
	const ids = `SELECT id FROM $all WHERE type = '$forgotten' ORDER BY position`
	assert.Equal(t, texts(t, db, ids), texts(t, other, ids), "the same events in every store")
}

// A refusingStore fails to append as it is told.
type refusingStore struct {
	engine.Eraser
	fail func() error
}

func (s *refusingStore) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	if s.fail != nil {
		return engine.Appended{}, s.fail()
	}
	return s.Eraser.Append(ctx, batch...)
}

func TestAForgetThatCannotBeToldSaysSo(t *testing.T) {
	plain := errors.New("whatever")
	for name, c := range map[string]struct {
		err  error
		code eventfold.Code
	}{
		"a full disk":        {engine.ErrFull, eventfold.ErrFull},
		"a failed disk":      {engine.ErrPoisoned, eventfold.ErrPoisoned},
		"an unknown outcome": {engine.ErrOutcomeUnknown, eventfold.ErrOutcomeUnknown},
		"a lock":             {&engine.LockedError{}, eventfold.ErrLocked},
		"an ended context":   {context.Canceled, eventfold.ErrKeyring},
		"anything else":      {plain, eventfold.ErrKeyring},
	} {
		t.Run(name, func(t *testing.T) {
			s := openShredded(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			store := &refusingStore{Eraser: enginetest.NewModel(), fail: func() error {
				if c.err == context.Canceled {
					cancel()
				}
				return c.err
			}}
			db := eventfold.OpenDB(eventfold.Config{Store: store, Keyring: s.ring})
			defer db.Close()
			_, err := s.ring.Key(ctx, "customer:42", true)
			require.NoError(t, err)
			_, err = db.ExecContext(ctx, forget42)
			require.ErrorIs(t, err, c.code)
			require.ErrorIs(t, err, c.err)
			require.ErrorAs(t, err, new(*eventfold.UntoldError))
			assert.ErrorContains(t, err, "line 1, column 1: the key is destroyed, but the event that tells of it "+
				"is not written; run FORGET SUBJECT again: ")
			_, err = db.Exec(forget42)
			require.ErrorAs(t, err, new(*eventfold.UntoldError), "it is still missing")
			store.fail = nil
			assert.Zero(t, rowsOf(t, db, forget42))
			assert.Equal(t, []string{"1 ticket 114 -"}, texts(t, db, forgotten))
		})
	}
}

// What the store could never tell is refused before the key is destroyed.
func TestAReasonThatCannotBeToldIsRefusedBeforeTheKeyIsDestroyed(t *testing.T) {
	s := openShredded(t)
	s.place(t, "order-1", "customer:42", secret)
	for _, reason := range []any{"", "a\x00b", "\xff", string(make([]byte, 2000)), nil, 42} {
		_, err := s.db.Exec(`FORGET SUBJECT 'customer:42' REASON ?`, reason)
		require.ErrorIs(t, err, eventfold.ErrArgument)
	}
	assert.Equal(t, []string{secret}, texts(t, s.db, `SELECT reveal(payload->'$.email') FROM $all`))
}

// An engine.Store that is no engine.Eraser has no place for the event.
func TestForgetInAStoreThatCannotErase(t *testing.T) {
	s := openShredded(t)
	_, err := s.ring.Key(t.Context(), "customer:42", true)
	require.NoError(t, err)
	db := eventfold.OpenDB(eventfold.Config{Store: struct{ engine.Store }{enginetest.NewModel()}, Keyring: s.ring})
	defer db.Close()
	assert.EqualValues(t, 1, rowsOf(t, db, forget42))
	assert.Empty(t, texts(t, db, `SELECT type FROM $all`))
}

func TestManyWhoForgetAtOnceAreToldOnce(t *testing.T) {
	s := openShredded(t)
	for i := range 5 {
		_, err := s.ring.Key(t.Context(), fmt.Sprint("customer:", i), true)
		require.NoError(t, err)
	}
	var group sync.WaitGroup
	var erased atomic.Int64
	for actor := range 4 {
		db := eventfold.OpenDB(eventfold.Config{Path: s.store, Keyring: s.ring, Actor: fmt.Sprint(actor)})
		defer db.Close()
		group.Go(func() {
			for i := range 5 {
				result, err := db.Exec(`FORGET SUBJECT ? REASON 'why'`, fmt.Sprint("customer:", i))
				if assert.NoError(t, err) {
					n, _ := result.RowsAffected()
					erased.Add(n)
				}
			}
		})
	}
	group.Wait()
	assert.EqualValues(t, 5, erased.Load())
	assert.Equal(t, []string{"5"}, texts(t, s.db, `SELECT COUNT(*) FROM $all WHERE type = '$forgotten'`))
}
