package eventfold_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/eventfoldtest"
)

// twice runs a request and runs it again, and returns how many events there are then. Both runs are
// to give the same.
func twice(t *testing.T, db eventfold.Querier, request func(ctx context.Context) [][]eventfold.Placed) int {
	t.Helper()
	first := request(eventfold.WithRequest(t.Context(), t.Name()))
	n := len(all(t, db))
	assert.Equal(t, first, request(eventfold.WithRequest(t.Context(), t.Name())), "it comes again")
	assert.Len(t, all(t, db), n, "nothing is appended then")
	return n
}

// note appends that something was done.
func note(t *testing.T, ctx context.Context, db eventfold.Querier, events ...any) []eventfold.Placed {
	t.Helper()
	done, err := eventfold.AppendEvents(ctx, db, "audit", eventfold.Any, events...)
	require.NoError(t, err)
	return done.Events
}

func TestDecisionsAndAppendsOfOneRequestFindWhatEachHasAppended(t *testing.T) {
	db := eventfoldtest.Open(t)
	n := twice(t, db, func(ctx context.Context) [][]eventfold.Placed {
		before := note(t, ctx, db, orderPaid{"ada"})
		one, err := useCoupon(ctx, db, "X7", "order-1")
		require.NoError(t, err)
		between := note(t, ctx, db, orderPaid{"ada"}, orderPaid{"ada"})
		two, err := useCoupon(ctx, db, "X8", "order-1")
		require.NoError(t, err)
		return [][]eventfold.Placed{before, one.Events, between, two.Events}
	})
	assert.Equal(t, 7, n)
	done, before, err := eventfold.RequestDone(eventfold.WithRequest(t.Context(), t.Name()), db)
	require.NoError(t, err)
	assert.True(t, before)
	assert.Len(t, done.Events, 7)
}

func TestARequestWhoseDecisionWasRefusedFindsWhatItHasAppendedForThat(t *testing.T) {
	db := eventfoldtest.Open(t)
	_, err := useCoupon(t.Context(), db, "X7", "order-0")
	require.NoError(t, err)
	n := twice(t, db, func(ctx context.Context) [][]eventfold.Placed {
		_, err := useCoupon(ctx, db, "X7", "order-1")
		require.ErrorIs(t, err, errUsed, "the refusal is not answered with the note of it")
		return [][]eventfold.Placed{note(t, ctx, db, orderPaid{"nobody"})}
	})
	assert.Equal(t, 3, n)
	_, before, err := eventfold.RequestDone(eventfold.WithRequest(t.Context(), t.Name()), db)
	require.NoError(t, err)
	assert.True(t, before, "although the first call has appended nothing")
}

func TestARequestWhoseDecisionAppendsNothingFindsWhatComesBehindIt(t *testing.T) {
	db := eventfoldtest.Open(t)
	for name, decide := range map[string]func(ctx context.Context) error{
		"Decide": func(ctx context.Context) error {
			done, err := eventfold.Decide(ctx, db, eventfold.Filter{}, count,
				func(int) ([]eventfold.Draft, error) { return nil, nil })
			assert.Empty(t, done.Events)
			return err
		},
		"Decide in a transaction": func(ctx context.Context) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, err = eventfold.Decide(ctx, tx, eventfold.Filter{}, count,
				func(int) ([]eventfold.Draft, error) { return nil, nil })
			return err
		},
		"Retry": func(ctx context.Context) error {
			return eventfold.Retry(ctx, func(context.Context) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			twice(t, db, func(ctx context.Context) [][]eventfold.Placed {
				require.NoError(t, decide(ctx))
				return [][]eventfold.Placed{note(t, ctx, db, orderPaid{"ada"})}
			})
		})
	}
}

func TestADecisionThatAppendsSomethingOnlyWhenItComesAgainMovesNoIDs(t *testing.T) {
	db := eventfoldtest.Open(t)
	var wanted []eventfold.Draft
	request := func() []eventfold.Placed {
		ctx := eventfold.WithRequest(t.Context(), "request 1")
		_, err := eventfold.Decide(ctx, db, eventfold.Filter{}, count,
			func(int) ([]eventfold.Draft, error) { return wanted, nil })
		require.NoError(t, err)
		return note(t, ctx, db, orderPaid{"ada"})
	}
	first := request()
	wanted = []eventfold.Draft{{Stream: "order-1", Event: orderPlaced{1}}, {Stream: "order-1", Event: orderPlaced{2}}}
	assert.Equal(t, first, request())
	assert.Len(t, all(t, db), 3)
}

var errNotNow = errors.New("refused")

func TestARetryThatFailsInTheMiddleIsMadeAgainUnderTheSameIDs(t *testing.T) {
	db := eventfoldtest.Open(t)
	ctx := eventfold.WithRequest(t.Context(), "request 1")
	fails := error(&eventfold.Error{Code: eventfold.ErrFull, Err: errors.New("no space")})
	half := func(ctx context.Context) error {
		note(t, ctx, db, orderPaid{"ada"})
		return fails
	}
	require.ErrorIs(t, eventfold.Retry(ctx, half), eventfold.ErrFull)
	fails = nil
	require.NoError(t, eventfold.Retry(ctx, half))
	assert.Len(t, all(t, db), 1, "the first append is found")

	fails = errNotNow // which ends the call: what comes is another one
	require.ErrorIs(t, eventfold.Retry(ctx, half), errNotNow)
	note(t, ctx, db, orderPaid{"ada"})
	assert.Len(t, all(t, db), 3)
}
