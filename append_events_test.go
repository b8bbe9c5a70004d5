package eventfold_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/eventfoldtest"
)

// The events of the tests of helpers.
type (
	orderPlaced struct {
		Total int `json:"total"`
	}
	orderPaid struct {
		By string `json:"by"`
	}
	coupon struct{ Code string }
)

func (orderPlaced) EventType() string { return "OrderPlaced" }
func (c coupon) EventType() string    { return "CouponUsed" }
func (c coupon) EventTags() []string  { return []string{"coupon:" + c.Code} }
func (orderPaid) EventType() string   { return "OrderPaid" }
func draft(event any) eventfold.Draft { return eventfold.Draft{Event: event} }
func lineOf(e eventfold.Event) [4]string {
	return [4]string{e.Stream, e.Type, string(e.Payload), fmt.Sprint(e.Tags)}
}

// all reads the whole store.
func all(t *testing.T, db eventfold.Querier) (events []eventfold.Event) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT event FROM $all`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var e eventfold.Event
		require.NoError(t, rows.Scan(&e))
		events = append(events, e)
	}
	require.NoError(t, rows.Err())
	return events
}

func TestAppendEventsWritesTypesPayloadsTagsMetadataAndIDs(t *testing.T) {
	db := eventfoldtest.Open(t)
	id := uuid.New()
	done, err := eventfold.AppendEvents(t.Context(), db, "order-7", eventfold.NoStream,
		orderPlaced{Total: 12},
		&orderPaid{By: "ada"},
		eventfold.Draft{Event: coupon{"X7"}, ID: id, Tags: []string{"customer:9", "coupon:X7"},
			Metadata: map[string]string{"by": "test"}},
		eventfold.NewEvent{Type: "Raw", Payload: []byte("no JSON")})
	require.NoError(t, err)
	require.Len(t, done.Events, 4)
	for i, placed := range done.Events {
		assert.EqualValues(t, i, placed.Position)
		assert.EqualValues(t, i, placed.Version)
		assert.NotEqual(t, uuid.Nil, placed.ID)
	}
	assert.Equal(t, id, done.Events[2].ID)
	assert.False(t, done.Duplicate)
	assert.False(t, done.RecordedAt.IsZero())
	events := all(t, db)
	assert.Equal(t, [4]string{"order-7", "OrderPlaced", `{"total":12}`, "[]"}, lineOf(events[0]))
	assert.Equal(t, [4]string{"order-7", "OrderPaid", `{"by":"ada"}`, "[]"}, lineOf(events[1]))
	assert.Equal(t, [4]string{"order-7", "CouponUsed", `{"Code":"X7"}`, "[coupon:X7 customer:9]"}, lineOf(events[2]))
	assert.Equal(t, [4]string{"order-7", "Raw", "no JSON", "[]"}, lineOf(events[3]))
	assert.JSONEq(t, `{"by": "test"}`, string(events[2].Metadata))
}

func TestAppendEventsHoldsItsExpectation(t *testing.T) {
	db := eventfoldtest.Open(t)
	tests := []struct {
		name      string
		expected  eventfold.ExpectedVersion
		fails     bool
		retryable bool
	}{
		{"it must exist", eventfold.StreamExists, true, true},
		{"new", eventfold.NoStream, false, false},
		{"new again", eventfold.NoStream, true, false},
		{"new, as it was read", eventfold.Exact(eventfold.NoVersion), true, true},
		{"exact", eventfold.Exact(0), false, false},
		{"behind", eventfold.Exact(0), true, true},
		{"exists", eventfold.StreamExists, false, false},
		{"any", eventfold.Any, false, false},
	}
	for _, tt := range tests { // in order
		_, err := eventfold.AppendEvents(t.Context(), db, "odd \"name\"\n-7", tt.expected, orderPlaced{})
		if !tt.fails {
			assert.NoError(t, err, tt.name)
			continue
		}
		var e *eventfold.Error
		require.ErrorAs(t, err, &e, tt.name)
		assert.True(t, eventfold.IsConflict(err), tt.name)
		assert.Equal(t, tt.retryable, e.Retryable(), tt.name)
	}
}

func TestAppendEventsGoesToSeveralStreamsAllOrNothing(t *testing.T) {
	db := eventfoldtest.Open(t)
	used := eventfold.WithTags("coupon:X7").And(eventfold.OfTypes("CouponUsed"))
	pair := []any{
		eventfold.Guard{Filter: used, After: eventfold.NoPosition},
		eventfold.Draft{Stream: "order-1", Event: orderPlaced{}},
		eventfold.Draft{Stream: "coupon-X7", Event: coupon{"X7"}},
	}
	_, err := eventfold.AppendEvents(t.Context(), db, "", eventfold.Any, pair...)
	require.NoError(t, err)
	_, err = eventfold.AppendEvents(t.Context(), db, "", eventfold.Any, pair...)
	assert.ErrorIs(t, err, eventfold.ErrConditionFailed)
	pair[0] = eventfold.Guard{Filter: used, After: 1}
	_, err = eventfold.AppendEvents(t.Context(), db, "", eventfold.Any, pair...)
	assert.NoError(t, err, "it was seen")
	assert.Len(t, all(t, db), 4)
}

func TestAppendEventsInATransactionHasNoPositionsYet(t *testing.T) {
	db := eventfoldtest.Open(t)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	done, err := eventfold.AppendEvents(t.Context(), tx, "order-7", eventfold.NoStream, orderPlaced{Total: 1})
	require.NoError(t, err)
	assert.Equal(t, eventfold.NoPosition, done.Events[0].Position)
	assert.Equal(t, eventfold.Version(0), done.Events[0].Version, "NoStream pins it")
	done, err = eventfold.AppendEvents(t.Context(), tx, "order-8", eventfold.Any, orderPlaced{Total: 1})
	require.NoError(t, err)
	assert.Equal(t, eventfold.NoVersion, done.Events[0].Version)
	total, version, err := eventfold.Load(t.Context(), tx, "order-7", sum)
	require.NoError(t, err)
	assert.Equal(t, 1, total)
	assert.Equal(t, eventfold.Version(0), version)
	require.NoError(t, tx.Commit())
	assert.Len(t, all(t, db), 2)
}

func TestAppendEventsOnAConnectionThatBeganATransactionWithWords(t *testing.T) {
	db := eventfoldtest.OpenConfig(t, eventfold.Config{Mode: eventfold.Memory, Begin: true})
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "BEGIN")
	require.NoError(t, err)
	done, err := eventfold.AppendEvents(t.Context(), conn, "order-7", eventfold.NoStream, orderPlaced{Total: 1})
	require.NoError(t, err)
	assert.Equal(t, eventfold.NoPosition, done.Events[0].Position)
	_, err = conn.ExecContext(t.Context(), "COMMIT")
	require.NoError(t, err)
	assert.Len(t, all(t, db), 1)
}

func TestAppendEventsSaysWhatIsNoEvent(t *testing.T) {
	db := eventfoldtest.Open(t)
	type local struct{ F func() }
	var none *orderPlaced
	for _, tt := range []struct {
		name   string
		events []any
		says   string
	}{
		{"nothing", nil, "no event to append"},
		{"a guard alone", []any{eventfold.Guard{}}, "no event to append"},
		{"nil", []any{nil}, "nil is no event"},
		{"a nil pointer", []any{none}, "nil *eventfold_test.orderPlaced is no event"},
		{"a map", []any{map[string]int{}}, "has no name of its own"},
		{"a number", []any{7}, "has no name of its own"},
		{"no JSON", []any{local{}}, "the event local: json:"},
		{"metadata without JSON", []any{eventfold.Draft{Event: orderPlaced{}, Metadata: func() {}}}, "the metadata of event OrderPlaced"},
	} {
		_, err := eventfold.AppendEvents(t.Context(), db, "s", eventfold.Any, tt.events...)
		assert.ErrorIs(t, err, eventfold.ErrArgument, tt.name)
		assert.ErrorContains(t, err, tt.says, tt.name)
	}
	assert.Empty(t, all(t, db))
}

func TestARequestThatComesAgainAppendsNothingTwice(t *testing.T) {
	db := eventfoldtest.Open(t)
	for range 2 {
		ctx := eventfold.WithRequest(t.Context(), "request 9")
		for i := range 3 {
			done, err := eventfold.AppendEvents(ctx, db, "order-7", eventfold.Any, orderPlaced{i}, orderPaid{"ada"})
			require.NoError(t, err)
			assert.EqualValues(t, 2*i, done.Events[0].Position)
		}
	}
	assert.Len(t, all(t, db), 6)
	done, is, err := eventfold.RequestDone(eventfold.WithRequest(t.Context(), "request 9"), db)
	require.NoError(t, err)
	assert.True(t, is)
	assert.Len(t, done.Events, 6)
	_, is, err = eventfold.RequestDone(eventfold.WithRequest(t.Context(), "request 10"), db)
	require.NoError(t, err)
	assert.False(t, is)
}

// wrapped is what programs wrap around a database.
type wrapped struct{ *sql.DB }

func TestHelpersTakeWhatWrapsADatabase(t *testing.T) {
	db := wrapped{eventfoldtest.Open(t)}
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	for _, q := range []eventfold.Querier{db, conn} {
		_, err := eventfold.AppendEvents(t.Context(), q, "order-7", eventfold.Any, orderPlaced{1})
		require.NoError(t, err)
	}
	total, version, err := eventfold.Load(t.Context(), conn, "order-7", sum)
	require.NoError(t, err)
	assert.Equal(t, 2, total)
	assert.Equal(t, eventfold.Version(1), version)
}

// sum folds the totals of orders.
func sum(total int, e eventfold.Event) (int, error) {
	var o orderPlaced
	err := json.Unmarshal(e.Payload, &o)
	return total + o.Total, err
}

var errFold = errors.New("no fold")

func TestLoadOfAnEmptyStreamAndOfAFoldThatFails(t *testing.T) {
	db := eventfoldtest.Open(t)
	total, version, err := eventfold.Load(t.Context(), db, "order-7", sum)
	require.NoError(t, err)
	assert.Zero(t, total)
	assert.Equal(t, eventfold.NoVersion, version)
	_, err = eventfold.AppendEvents(t.Context(), db, "order-7", eventfold.Exact(version), orderPlaced{1})
	require.NoError(t, err)
	_, version, err = eventfold.Load(t.Context(), db, "order-7",
		func(int, eventfold.Event) (int, error) { return 7, errFold })
	assert.ErrorIs(t, err, errFold)
	assert.Equal(t, eventfold.NoVersion, version)
}

func TestRetryRunsUntilNobodyWasFaster(t *testing.T) {
	db := eventfoldtest.Open(t)
	tries := 0
	err := eventfold.Retry(t.Context(), func(ctx context.Context) error {
		tries++
		total, version, err := eventfold.Load(ctx, db, "order-7", sum)
		if err != nil {
			return err
		}
		if tries < 4 { // somebody else
			_, err := eventfold.AppendEvents(t.Context(), db, "order-7", eventfold.Any, orderPlaced{10})
			require.NoError(t, err)
		}
		_, err = eventfold.AppendEvents(ctx, db, "order-7", eventfold.Exact(version), orderPlaced{total})
		return err
	})
	require.NoError(t, err)
	assert.Equal(t, 4, tries)
	events := all(t, db)
	assert.Equal(t, `{"total":30}`, string(events[3].Payload))
}

func TestRetryGivesTheSameIDsToEveryTry(t *testing.T) {
	db := eventfoldtest.Open(t)
	var first, second eventfold.Appended
	for _, ctx := range []context.Context{t.Context(), eventfold.WithRequest(t.Context(), "key")} {
		tries := 0
		err := eventfold.Retry(ctx, func(ctx context.Context) (err error) {
			tries++
			done, err := eventfold.AppendEvents(ctx, db, "order-7", eventfold.Any, orderPlaced{10}, orderPaid{})
			if tries == 1 { // its outcome got lost
				first = done
				return &eventfold.ConflictError{}
			}
			second = done
			return err
		})
		require.NoError(t, err)
		assert.Equal(t, first.Events, second.Events)
		assert.True(t, second.Duplicate)
	}
	assert.Len(t, all(t, db), 4)

	ctx := eventfold.WithRequest(t.Context(), "another")
	for range 2 { // one after the other under one request
		require.NoError(t, eventfold.Retry(ctx, func(ctx context.Context) error {
			_, err := eventfold.AppendEvents(ctx, db, "order-7", eventfold.Any, orderPlaced{10})
			return err
		}))
	}
	assert.Len(t, all(t, db), 6)
}

func TestRetryEndsWhereTryingAgainCannotHelp(t *testing.T) {
	db := eventfoldtest.Open(t)
	tries := 0
	create := func(ctx context.Context) error {
		tries++
		_, err := eventfold.AppendEvents(ctx, db, "order-7", eventfold.NoStream, orderPlaced{})
		return err
	}
	require.NoError(t, create(t.Context()))
	err := eventfold.Retry(t.Context(), create)
	assert.True(t, eventfold.IsConflict(err))
	assert.Equal(t, 2, tries, "an event never vanishes")

	assert.ErrorIs(t, eventfold.Retry(t.Context(), func(context.Context) error { return errFold }), errFold)

	ctx, cancel := context.WithCancel(t.Context())
	err = eventfold.Retry(ctx, func(ctx context.Context) error {
		cancel()
		return &eventfold.ConflictError{}
	})
	assert.ErrorIs(t, err, context.Canceled)
	assert.True(t, eventfold.IsConflict(err))
}

// TestAnAppendThatFailsUsesUpNoIDs: the append that takes its place is the request's first.
func TestAnAppendThatFailsUsesUpNoIDs(t *testing.T) {
	db := eventfoldtest.Open(t)
	ctx := eventfold.WithRequest(t.Context(), "request 1")
	_, err := eventfold.AppendEvents(ctx, db, "order-7", eventfold.Exact(4), orderPlaced{Total: 12})
	require.ErrorIs(t, err, eventfold.ErrVersionConflict)
	first, err := eventfold.AppendEvents(ctx, db, "order-7", eventfold.NoStream, orderPlaced{Total: 12})
	require.NoError(t, err)

	again := eventfold.WithRequest(t.Context(), "request 1")
	done, before, err := eventfold.RequestDone(again, db)
	require.NoError(t, err)
	assert.True(t, before)
	assert.Equal(t, first.Events[0].ID, done.Events[0].ID)
	assert.Len(t, all(t, db), 1)
}
