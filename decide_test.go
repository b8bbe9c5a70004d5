package eventfold_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/eventfoldtest"
	"github.com/eventfold/eventfold/internal/testenv"
)

var errUsed = errors.New("the coupon is used")

func count(n int, _ eventfold.Event) (int, error) { return n + 1, nil }

// useCoupon appends an order and that its coupon is used, which may happen once.
func useCoupon(ctx context.Context, db eventfold.Querier, code, order string) (eventfold.Appended, error) {
	filter := eventfold.OfTypes("CouponUsed").And(eventfold.WithTags("coupon:" + code))
	return eventfold.Decide(ctx, db, filter, count, func(used int) ([]eventfold.Draft, error) {
		if used > 0 {
			return nil, errUsed
		}
		return []eventfold.Draft{
			{Stream: order, Event: orderPlaced{Total: 12}},
			{Stream: "coupon-" + code, Event: coupon{code}},
		}, nil
	})
}

func TestOfManyWhoUseACouponAtOnceOneGetsIt(t *testing.T) {
	db := eventfoldtest.Open(t)
	var granted, refused atomic.Int64
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			switch _, err := useCoupon(t.Context(), db, "X7", fmt.Sprintf("order-%d", i)); {
			case err == nil:
				granted.Add(1)
			case assert.ErrorIs(t, err, errUsed):
				refused.Add(1)
			}
		})
	}
	group.Wait()
	assert.Equal(t, [2]int64{1, 15}, [2]int64{granted.Load(), refused.Load()})
	assert.Len(t, all(t, db), 2)
}

func TestADecisionOfARequestThatComesAgainIsNotMadeAgain(t *testing.T) {
	db := eventfoldtest.Open(t)
	first, err := useCoupon(eventfold.WithRequest(t.Context(), "r1"), db, "X7", "order-1")
	require.NoError(t, err)
	again, err := useCoupon(eventfold.WithRequest(t.Context(), "r1"), db, "X7", "order-1")
	require.NoError(t, err)
	assert.Equal(t, first.Events, again.Events)
	assert.True(t, again.Duplicate)
	_, err = useCoupon(eventfold.WithRequest(t.Context(), "r2"), db, "X7", "order-2")
	assert.ErrorIs(t, err, errUsed)
}

func TestADecisionInATransactionIsGuardedByItsCommit(t *testing.T) {
	db := eventfoldtest.Open(t)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = useCoupon(t.Context(), tx, "X7", "order-1")
	require.NoError(t, err)
	_, err = useCoupon(t.Context(), tx, "X7", "order-2")
	assert.ErrorIs(t, err, errUsed, "it sees its own")
	_, err = useCoupon(t.Context(), db, "X7", "order-3")
	require.NoError(t, err)
	assert.ErrorIs(t, tx.Commit(), eventfold.ErrConditionFailed)
}

func TestDecideThatAppendsNothingOrFails(t *testing.T) {
	db := eventfoldtest.Open(t)
	decide := func(drafts []eventfold.Draft, err error) error {
		_, got := eventfold.Decide(t.Context(), db, eventfold.Filter{}, count,
			func(int) ([]eventfold.Draft, error) { return drafts, err })
		return got
	}
	assert.NoError(t, decide(nil, nil))
	assert.ErrorIs(t, decide(nil, errUsed), errUsed)
	assert.ErrorContains(t, decide([]eventfold.Draft{{Event: orderPlaced{}}}, nil), "names the Stream")
	_, err := eventfold.Decide(t.Context(), db, eventfold.Where("payload >"), count,
		func(int) ([]eventfold.Draft, error) { return nil, nil })
	assert.ErrorIs(t, err, eventfold.ErrSyntax)
	assert.Empty(t, all(t, db))
}

// TestWhatDecideReadsIsWhatGuardsIt makes random filters and logs: an event that another writer
// appends between reading and appending is a conflict exactly if it passes the filter.
func TestWhatDecideReadsIsWhatGuardsIt(t *testing.T) {
	rnd := rand.New(rand.NewPCG(testenv.Seed(t), 1))
	db := eventfoldtest.Open(t)
	some := func(n int) string { return string(rune('a' + rnd.IntN(n))) }
	filter := func() eventfold.Filter {
		f := eventfold.Filter{}
		for i := range 1 + rnd.IntN(3) {
			g := [...]eventfold.Filter{
				eventfold.WithTags(some(4)),
				eventfold.WithTags(some(4), some(4)),
				eventfold.OfTypes(some(3), some(3)),
				eventfold.OfTypes(),
				eventfold.Where("payload->>'$.n' > ? -- a comment", rnd.IntN(10)),
				eventfold.Where("type = ? OR HAS(tags, ?)", some(3), some(4)),
				{},
			}[rnd.IntN(7)]
			switch {
			case i == 0:
				f = g
			case rnd.IntN(2) == 0:
				f = f.And(g)
			default:
				f = f.Or(g)
			}
		}
		return f
	}
	event := func() eventfold.NewEvent {
		return eventfold.NewEvent{Type: some(3), Payload: fmt.Appendf(nil, `{"n": %d}`, rnd.IntN(10)), Tags: []string{some(4)}}
	}
	for range 200 {
		tries, seen := 0, []int{}
		_, err := eventfold.Decide(t.Context(), db, filter(), count, func(n int) ([]eventfold.Draft, error) {
			seen = append(seen, n)
			if tries++; tries == 1 { // somebody else
				_, err := eventfold.AppendEvents(t.Context(), db, "other", eventfold.Any, event())
				require.NoError(t, err)
			}
			return []eventfold.Draft{{Stream: "own", Event: event()}}, nil
		})
		require.NoError(t, err)
		if tries == 2 {
			assert.Equal(t, seen[0]+1, seen[1], "the event that was in the way is read then")
		}
	}
}
