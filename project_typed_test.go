package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// A moneyMoved is what Deposited and Withdrawn have in common.
type moneyMoved interface{ change() int }

func (d Deposited) change() int { return d.Amount }
func (w Withdrawn) change() int { return -w.Amount }

// handled returns what a Handle that takes an E is given of an event.
func handled[E any](e eventfold.Event) (got []any, err error) {
	handle := eventfold.HandleTyped(func(_ context.Context, _ *sql.Tx, event E, d eventfold.Delivery) error {
		if d.Position != e.Position || d.Attempt != 2 {
			return errors.New("the delivery is another one")
		}
		got = append(got, event)
		return nil
	})
	err = handle(context.Background(), nil, eventfold.Delivery{Event: e, Attempt: 2})
	return got, err
}

func TestATypedHandleTakesWhatIsOfItsTypeAndLeavesNothingElseOutInSilence(t *testing.T) {
	deposit := eventfold.Event{Position: 7, Stream: "account-1", Type: "Deposited", Payload: []byte(`{"Amount": 40}`)}
	erased := eventfold.Event{Position: 8, Stream: "account-1", Type: "Deposited", Redacted: true}
	got, err := handled[Deposited](deposit)
	require.NoError(t, err)
	assert.Equal(t, []any{Deposited{40}}, got)
	got, err = handled[moneyMoved](deposit)
	require.NoError(t, err)
	assert.Equal(t, []any{Deposited{40}}, got)
	got, err = handled[any](deposit)
	require.NoError(t, err)
	assert.Equal(t, []any{Deposited{40}}, got)

	got, err = handled[Deposited](erased)
	require.NoError(t, err)
	assert.Empty(t, got, "there is nothing to handle")
	got, err = handled[moneyMoved](erased)
	require.NoError(t, err)
	assert.Empty(t, got)
	got, err = handled[any](erased)
	require.NoError(t, err)
	assert.Equal(t, []any{erased}, got, "whoever takes any is told")

	got, err = handled[Withdrawn](deposit)
	assert.ErrorIs(t, err, eventfold.ErrValue)
	assert.EqualError(t, err, `eventfold: event at position 7 in stream "account-1": a eventfold_test.Deposited is no `+
		`eventfold_test.Withdrawn, which Handle takes; have Query select other types, or Handle take any`)
	assert.Empty(t, got)
	got, err = handled[*Deposited](deposit)
	assert.ErrorIs(t, err, eventfold.ErrValue, "events are values, not pointers")
	assert.Empty(t, got)
	_, err = handled[any](eventfold.Event{Type: "Lost", Position: 9})
	var unknown *eventfold.UnknownTypeError
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, "Lost", unknown.Type)
	broken := deposit
	broken.Payload = []byte(`{"Amount": "much"}`)
	_, err = handled[Deposited](broken)
	assert.ErrorIs(t, err, eventfold.ErrValue)
}

func TestATypedHandleHasTheRegistryThatItIsGiven(t *testing.T) {
	type renamed struct{ Amount int }
	types := eventfold.NewRegistry()
	eventfold.Register[renamed](types, "Deposited")
	var got renamed
	handle := eventfold.HandleTypedBy(types, func(_ context.Context, _ *sql.Tx, e renamed, _ eventfold.Delivery) error {
		got = e
		return nil
	})
	deposit := eventfold.Event{Type: "Deposited", Payload: []byte(`{"Amount": 40}`)}
	require.NoError(t, handle(t.Context(), nil, eventfold.Delivery{Event: deposit}))
	assert.Equal(t, renamed{40}, got)
	deposit.Type = "Withdrawn"
	assert.ErrorAs(t, handle(t.Context(), nil, eventfold.Delivery{Event: deposit}), new(*eventfold.UnknownTypeError))
}
