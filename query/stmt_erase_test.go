package query

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
)

// erasingSession is a session on a Model with n events in stream a.
func erasingSession(t testing.TB, n int) (*Session, *enginetest.Model) {
	m := enginetest.NewModel()
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	events := make([]engine.NewEvent, n)
	for i := range events {
		events[i] = engine.NewEvent{Type: "X", Payload: []byte(`{"secret":"marker"}`)}
	}
	_, err := m.Append(t.Context(), engine.Append{Stream: "a", Events: events})
	require.NoError(t, err)
	return &Session{Store: m}, m
}

func TestERASENeedsAStoreThatCanErase(t *testing.T) {
	store := struct{ engine.Store }{openStore(t, filestore.Options{})}
	s := &Session{Store: store}
	exec(t, s, "INSERT INTO a (type) VALUES ('X')")
	_, err := tryExec(s, "ERASE FROM a WHERE TRUE REASON 'x'")
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Unsupported, e.Kind)
	assert.Equal(t, []string{"0"}, rowsOf(t, s, "SELECT COUNT(*) FROM $erasures"))
}

func TestRowsThatAreOpenGoOnAsTheyBegan(t *testing.T) {
	s, _ := erasingSession(t, 3)
	plan, err := parseForTest("SELECT position, redacted FROM a")
	require.NoError(t, err)
	rows, err := plan.Query(t.Context(), s, nil)
	require.NoError(t, err)
	next := func() []driver.Value {
		values := make([]driver.Value, 2)
		require.NoError(t, rows.Next(values))
		return values
	}
	assert.Equal(t, []driver.Value{int64(0), int64(0)}, next())
	exec(t, s, "ERASE FROM a WHERE TRUE REASON 'x'")
	assert.Equal(t, []driver.Value{int64(1), int64(0)}, next())
	require.NoError(t, rows.Close())
	assert.Equal(t, []string{"3 | 3"}, rowsOf(t, s, "SELECT COUNT(*), SUM(redacted) FROM a"))
}

func TestRowsOfATransactionKeepWhatAnEraseBehindThemHides(t *testing.T) {
	s, _ := erasingSession(t, 3)
	s.Tx = Begin(s.Store, false)
	exec(t, s, "SAVEPOINT s")
	plan, err := parseForTest("SELECT redacted, payload FROM a")
	require.NoError(t, err)
	before, err := plan.Query(t.Context(), s, nil)
	require.NoError(t, err)
	exec(t, s, "ERASE FROM a WHERE position > 0 REASON 'x'")
	after, err := plan.Query(t.Context(), s, nil)
	require.NoError(t, err)
	exec(t, s, "ROLLBACK TO s")
	const shown, hidden = `0 | {"secret":"marker"}` + "\n", "1 | NULL\n"
	text, err := rowsText(before)
	require.NoError(t, err)
	assert.Contains(t, text, shown+shown+shown)
	text, err = rowsText(after)
	require.NoError(t, err)
	assert.Contains(t, text, shown+hidden+hidden)
	assert.Equal(t, []string{"0"}, rowsOf(t, s, "SELECT SUM(redacted) FROM a"))
	require.NoError(t, s.Tx.Commit(t.Context()))
}

func TestERASEHoldsNoMoreThanItsBudget(t *testing.T) {
	s, m := erasingSession(t, 10_000)
	s.Settings.Memory = 100_000
	exec(t, s, "ERASE FROM a WHERE position < 9000 REASON 'one range takes no room'")
	assert.Equal(t, engine.Position(10_002), m.ReadIndex().Head())
	s, m = erasingSession(t, 10_000)
	s.Settings.Memory = 100_000
	_, err := tryExec(s, "ERASE FROM a WHERE position % 2 = 0 REASON 'many ranges do'")
	var spent *MemoryError
	require.ErrorAs(t, err, &spent)
	assert.Equal(t, "ERASE", spent.Clause)
	assert.Equal(t, engine.Position(10_000), m.ReadIndex().Head(), "nothing was erased")
	s.Settings.Memory = 1 << 20
	assert.EqualValues(t, 5000, exec(t, s, "ERASE FROM a WHERE position % 2 = 0 REASON 'x'").RowsAffected)
}

func TestERASEEndsWithItsContext(t *testing.T) {
	s, m := erasingSession(t, 5000)
	plan, err := parseForTest("ERASE FROM a WHERE TRUE REASON 'x'")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = plan.Exec(ctx, s, nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, engine.Position(5000), m.ReadIndex().Head())
}

func TestATransactionRefusesMoreThanItCanCommit(t *testing.T) {
	s, _ := erasingSession(t, 10)
	s.Tx = Begin(s.Store, false)
	s.Tx.size = engine.MaxAppendSize - 10
	_, err := tryExec(s, "ERASE FROM a WHERE TRUE REASON 'x'")
	var large *engine.TooLargeError
	require.ErrorAs(t, err, &large)
	assert.Equal(t, []string{"0"}, rowsOf(t, s, "SELECT SUM(redacted) FROM a"), "the statement has done nothing")

	s.Tx = Begin(s.Store, true)
	_, err = tryExec(s, "ERASE FROM nobody WHERE TRUE REASON 'x'")
	assert.ErrorContains(t, err, "the transaction is read-only")
	s.Tx.Rollback()
	_, err = tryExec(s, "ERASE FROM nobody WHERE TRUE REASON 'x'")
	assert.ErrorIs(t, err, ErrTxDone)
}

func TestTheTableOfErasuresTellsWhatTheyWaitFor(t *testing.T) {
	s, m := erasingSession(t, 10)
	s.Settings.Actor = `a "dpo"`
	m.HoldErasures()
	exec(t, s, "ERASE FROM a WHERE version < 4 REASON 'x'")
	const all = "SELECT events, actor, done_at IS NULL, pending, waiting_for, readers FROM $erasures"
	assert.Equal(t, []string{`4 | "a \"dpo\"" | 1 | 1 | [{"file":"memory","why":"held"}] | []`}, rowsOf(t, s, all))
	assert.Equal(t, []string{`"memory"`}, rowsOf(t, s, "SELECT waiting_for->>'$[0].file' FROM $erasures"))
	list, err := m.Erasures(t.Context())
	require.NoError(t, err)
	m.CopyErasureDone(engine.ErasureDone{Erasure: list[0].ID, Readers: []int{17, 4711}}, list[0].CreatedAt)
	assert.Equal(t, []string{`4 | "a \"dpo\"" | 0 | 0 | [] | [17,4711]`}, rowsOf(t, s, all))
}

// TestConditionsOfATransactionForgetWhatItErases: the store asks them again at COMMIT, when it may
// not have erased yet.
func TestConditionsOfATransactionForgetWhatItErases(t *testing.T) {
	s, _ := erasingSession(t, 5)
	s.Tx = Begin(s.Store, false)
	const known = "NO EVENT FROM $all WHERE payload->>'$.secret' = 'marker' AND metadata IS NOT NULL"
	_, err := tryExec(s, "EXPECT $all "+known)
	var conflict *engine.ConflictError
	require.ErrorAs(t, err, &conflict)
	exec(t, s, "ERASE FROM $all WHERE TRUE REASON 'x'")
	exec(t, s, "INSERT INTO b (type) VALUES ('Y') EXPECTING "+known)
	exec(t, s, "EXPECT $all NO EVENT FROM a WHERE NOT redacted")
	require.NoError(t, s.Tx.Commit(t.Context()))
	assert.Equal(t, []string{"1"}, rowsOf(t, &Session{Store: s.Store}, "SELECT COUNT(*) FROM b"))

	s, m := erasingSession(t, 5)
	s.Tx = Begin(s.Store, false)
	exec(t, s, "ERASE FROM $all WHERE TRUE REASON 'x'")
	exec(t, s, "EXPECT $all "+known)
	exec(t, &Session{Store: m}, `INSERT INTO a (type, payload) VALUES ('X', '{"secret": "marker"}')`)
	require.ErrorAs(t, s.Tx.Commit(t.Context()), &conflict, "what others have appended meanwhile counts")
	assert.Equal(t, []string{"0"}, rowsOf(t, &Session{Store: m}, "SELECT SUM(redacted) FROM a"))
}

// TestAnIndexWithoutErasedContent reads an index that hides some events in every way.
func TestAnIndexWithoutErasedContent(t *testing.T) {
	_, m := erasingSession(t, 20)
	plain := m.ReadIndex()
	gone := engine.Spans{{From: 2, To: 5}, {From: 19, To: 20}}
	_, err := m.Append(t.Context(), engine.Append{Erase: &engine.Erasure{Events: gone, Reason: "x"}})
	require.NoError(t, err)
	want := m.ReadIndex().At(20)
	got := erasedIndex{plain, gone}
	assert.NoError(t, enginetest.SameIndex(t.Context(), want, got))
	assert.NoError(t, enginetest.SameIndex(t.Context(), want.At(4), got.At(4)))
	assert.Equal(t, []engine.Filter{{From: 3}}, got.Parts(engine.Filter{From: 3}, 4))
	for _, columns := range []engine.ColumnSet{0, engine.ColStream, engine.ColRedacted, engine.ColPayload} {
		c := got.Scan(t.Context(), engine.Filter{}, columns)
		b := c.Next()
		require.NotNil(t, b)
		assert.Equal(t, 20, b.Len)
		if columns == engine.ColPayload {
			assert.Nil(t, b.Payloads[2])
			assert.False(t, b.JSON[2])
			assert.NotNil(t, b.Payloads[5])
		}
		require.NoError(t, c.Close())
	}
}
