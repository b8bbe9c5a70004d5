package eventfold_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/eventfoldtest"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A cutting ends the context of a statement when its rows are there, before anybody has read them.
type cutting struct {
	eventfold.Querier
	cancel context.CancelFunc
}

func (c cutting) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := c.Querier.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	c.cancel()
	for { // until database/sql has closed them
		if _, err := rows.Columns(); err != nil {
			return rows, nil
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAnAppendWhoseAnswerIsCutOffSaysThatItsOutcomeIsUnknown(t *testing.T) {
	db := eventfoldtest.Open(t)
	key := eventfold.WithRequest(t.Context(), "request 1")
	for name, events := range map[string][]any{
		"one":             {orderPlaced{1}},
		"several":         {orderPlaced{1}, orderPlaced{2}},
		"several streams": {orderPlaced{1}, eventfold.Draft{Stream: "other", Event: orderPlaced{2}}},
	} {
		ctx, cancel := context.WithCancel(key)
		_, err := eventfold.AppendEvents(ctx, cutting{db, cancel}, name, eventfold.Any, events...)
		assert.ErrorIs(t, err, eventfold.ErrOutcomeUnknown, name)
		assert.ErrorIs(t, err, context.Canceled, name)
		var e *eventfold.Error
		require.ErrorAs(t, err, &e, name)
		assert.True(t, e.Retryable(), name)

		again, err := eventfold.AppendEvents(key, db, name, eventfold.Any, events...)
		require.NoError(t, err, name)
		assert.True(t, again.Duplicate, "%s: it was durable, and its ids are the same", name)
	}
	assert.Len(t, all(t, db), 5)
}

func TestAnAppendOfATransactionWhoseAnswerIsCutOffSaysThatItsOutcomeIsUnknown(t *testing.T) {
	db := eventfoldtest.Open(t)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = eventfold.AppendEvents(ctx, cutting{tx, cancel}, "order-7", eventfold.NoStream, orderPlaced{1})
	assert.ErrorIs(t, err, eventfold.ErrOutcomeUnknown)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestADecisionWhoseAnswerIsCutOffIsToldWhenItIsAskedAgain(t *testing.T) {
	db := eventfoldtest.Open(t)
	key := eventfold.WithRequest(t.Context(), "request 1")
	ctx, cancel := context.WithCancel(key)
	_, err := useCoupon(ctx, inserts{db, cancel}, "X7", "order-1")
	require.ErrorIs(t, err, eventfold.ErrOutcomeUnknown)
	done, err := useCoupon(key, db, "X7", "order-1")
	require.NoError(t, err, "the coupon was used by the decision itself")
	assert.True(t, done.Duplicate)
	assert.Len(t, done.Events, 2)
}

// An inserts cuts off the answers of INSERT alone.
type inserts cutting

func (c inserts) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return c.Querier.ExecContext(ctx, query, args...)
}

func (c inserts) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if query[:6] == "INSERT" {
		return cutting(c).QueryContext(ctx, query, args...)
	}
	return c.Querier.QueryContext(ctx, query, args...)
}

// TestAnAppendThatFailsWithItsContextHasAppendedNothing ends contexts at random moments: the store
// has the event unless the error is the context's own, whenever that was.
func TestAnAppendThatFailsWithItsContextHasAppendedNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(testenv.Seed(t), 3))
	db := eventfoldtest.Open(t)
	for i := range testenv.Scale(300, 10_000) {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Duration(rnd.IntN(100))*time.Microsecond, cancel)
		_, err := eventfold.AppendEvents(ctx, db, "order-7", eventfold.Any, eventfold.NewEvent{Type: "Tried", Payload: fmt.Appendf(nil, `{"n": %d}`, i)})
		stop.Stop()
		cancel()
		var n int
		query := `SELECT COUNT(*) FROM "order-7" WHERE payload->>'$.n' = ?`
		require.NoError(t, db.QueryRow(query, i).Scan(&n))
		switch {
		case err == nil:
			require.Equal(t, 1, n)
		case assert.ErrorIs(t, err, context.Canceled) && n == 1:
			require.ErrorIs(t, err, eventfold.ErrOutcomeUnknown)
		}
	}
}
