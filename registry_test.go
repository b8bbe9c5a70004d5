package eventfold_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/eventfoldtest"
)

// The order of three schemas.
type (
	orderV1 struct{ Name string }
	orderV2 struct{ First, Last string }
	order   struct {
		First, Last string
		Country     string
	}
)

// orders are the registries of a program in the three versions of its life.
func orders(schema int) *eventfold.Registry {
	r := eventfold.NewRegistry()
	split := eventfold.Upcast(func(o orderV1) orderV2 { return orderV2{First: o.Name} })
	locate := eventfold.Upcast(func(o orderV2) order { return order{o.First, o.Last, "NO"} })
	switch schema {
	case 1:
		eventfold.Register[orderV1](r, "OrderMade")
	case 2:
		eventfold.Register[orderV2](r, "OrderMade", split)
	case 3:
		eventfold.Register[order](r, "OrderMade", split, locate)
	}
	return r
}

func TestOldEventsPassTheUpcastersThatStandBehindThem(t *testing.T) {
	db := eventfoldtest.Open(t)
	for i, event := range []any{orderV1{"Ada"}, orderV2{"Ada", "L"}, order{"Ada", "L", "UK"}} {
		_, err := orders(i+1).AppendEvents(t.Context(), db, "order-1", eventfold.Any,
			eventfold.Draft{Event: event, Metadata: map[string]string{"by": "me"}})
		require.NoError(t, err)
	}
	events := all(t, db)
	assert.JSONEq(t, `{"by": "me"}`, string(events[0].Metadata))
	assert.JSONEq(t, `{"by": "me", "schema": 3}`, string(events[2].Metadata))
	got, _, err := eventfold.Load(t.Context(), db, "order-1",
		eventfold.TypedBy(orders(3), func(list []any, event any) []any { return append(list, event) }))
	require.NoError(t, err)
	assert.Equal(t, []any{order{"Ada", "", "NO"}, order{"Ada", "L", "NO"}, order{"Ada", "L", "UK"}}, got)

	_, err = orders(2).Decode(events[2])
	var unknown *eventfold.UnknownTypeError
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, [2]int{3, 2}, [2]int{unknown.Schema, unknown.Known})
}

func TestDecodeTellsWhatItCannotRead(t *testing.T) {
	r := orders(3)
	var unknown *eventfold.UnknownTypeError
	_, err := r.Decode(eventfold.Event{Type: "Other", Stream: "s", Position: 7})
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, "Other", unknown.Type)
	assert.ErrorContains(t, err, "position 7")

	for _, e := range []eventfold.Event{
		{Type: "OrderMade", Payload: []byte("no JSON")},
		{Type: "OrderMade", Payload: []byte(`{}`), Metadata: []byte(`{"schema": 0}`)},
		{Type: "OrderMade", Payload: []byte(`{}`), Metadata: []byte(`{"schema": "x"}`)},
		{Type: "OrderMade", Payload: []byte(`[]`), Metadata: []byte(`{"schema": 3}`)},
	} {
		_, err := r.Decode(e)
		assert.ErrorIs(t, err, eventfold.ErrValue, "%s %s", e.Payload, e.Metadata)
	}
	erased := eventfold.Event{Type: "OrderMade", Redacted: true}
	got, err := r.Decode(erased)
	require.NoError(t, err)
	assert.Equal(t, erased, got, "there is nothing to decode")
	eventfold.Register[eventfold.Event](r, "Raw")
	raw := eventfold.Event{Type: "Raw", Payload: []byte("no JSON")}
	got, err = r.Decode(raw)
	require.NoError(t, err)
	assert.Equal(t, raw, got)
}

func TestATypeThatWasRenamedIsReadUnderBothNames(t *testing.T) {
	r := eventfold.NewRegistry()
	eventfold.Register[orderV1](r, "OrderMade")
	eventfold.Register[orderV1](r, "OrderCreated")
	e, err := r.Encode(draft(orderV1{"Ada"}))
	require.NoError(t, err)
	assert.Equal(t, "OrderMade", e.Type)
	got, err := r.Decode(eventfold.Event{Type: "OrderCreated", Payload: e.Payload})
	require.NoError(t, err)
	assert.Equal(t, orderV1{"Ada"}, got)
	assert.Equal(t, map[string]int{"OrderMade": 1, "OrderCreated": 1}, r.Names())
}

func TestARegistryRefusesWhatContradictsItself(t *testing.T) {
	r := orders(1)
	assert.Panics(t, func() { eventfold.Register[order](r, "OrderMade") })
	assert.Panics(t, func() { eventfold.Register[order](r, "") })
	assert.Panics(t, func() { eventfold.Register[*order](r, "Pointer") })
	assert.Panics(t, func() { eventfold.Register[any](r, "Any") })
	_, err := orders(3).Encode(eventfold.Draft{Event: order{}, Metadata: map[string]int{"schema": 7}})
	assert.ErrorIs(t, err, eventfold.ErrArgument)
	_, err = orders(3).Encode(eventfold.Draft{Event: order{}, Metadata: []int{7}})
	assert.ErrorIs(t, err, eventfold.ErrArgument)
}

func TestAnUpcasterThatFailsIsNamed(t *testing.T) {
	r := eventfold.NewRegistry()
	refused := errors.New("refused")
	eventfold.Register[orderV2](r, "OrderMade", func([]byte) ([]byte, error) { return nil, refused })
	payload, err := json.Marshal(orderV1{"Ada"})
	require.NoError(t, err)
	_, err = r.Decode(eventfold.Event{Type: "OrderMade", Payload: payload})
	assert.ErrorIs(t, err, refused)
	assert.ErrorContains(t, err, "from schema 1 to 2")
}

func TestMetadataHasTheSchemaOfItsPayloadAndNothingElseUnderThatName(t *testing.T) {
	once := orders(1)
	for name, metadata := range map[string]any{
		"a number": map[string]int{"schema": 7},
		"a text":   map[string]string{"schema": "public"},
		"a struct": struct {
			Schema int `json:"schema"`
		}{7},
		"JSON":       json.RawMessage(`{"by": "ada", "schema": {}}`),
		"one, as is": map[string]int{"schema": 1},
	} {
		_, err := once.Encode(eventfold.Draft{Event: orderV1{"Ada"}, Metadata: metadata})
		assert.ErrorIs(t, err, eventfold.ErrArgument, name)
		assert.ErrorContains(t, err, `the member "schema"`, name)
		_, err = eventfold.NewRegistry().Encode(eventfold.Draft{Event: orderV1{"Ada"}, Metadata: metadata})
		assert.ErrorIs(t, err, eventfold.ErrArgument, "%s: it may be registered some day", name)
	}
	var none map[string]string
	for want, metadata := range map[string]any{
		`{"Schema":7}`:             map[string]int{"Schema": 7},
		`{"deep":{"schema":7}}`:    map[string]any{"deep": map[string]int{"schema": 7}},
		`{"by":"the schema"}`:      map[string]string{"by": "the schema"},
		`{"schemas":"old, older"}`: map[string]string{"schemas": "old, older"},
		`{}`:                       none,
	} {
		e, err := once.Encode(eventfold.Draft{Event: orderV1{"Ada"}, Metadata: metadata})
		require.NoError(t, err)
		assert.Equal(t, want, string(e.Metadata))
		got, err := once.Decode(eventfold.Event{Type: e.Type, Payload: e.Payload, Metadata: e.Metadata})
		require.NoError(t, err, want)
		assert.Equal(t, orderV1{"Ada"}, got)
	}
	raw, err := once.Encode(eventfold.Draft{Event: eventfold.NewEvent{Type: "OrderMade"}, Metadata: map[string]int{"schema": 2}})
	require.NoError(t, err, "who makes the payload tells its schema")
	assert.Equal(t, `{"schema":2}`, string(raw.Metadata))
}

func TestAnEventIsReadWhateverOtherWritersHaveInItsMetadata(t *testing.T) {
	for _, tt := range []struct {
		metadata    string
		once, twice bool // a type with one schema, and with three, reads it as one of the first
	}{
		{`{"schema": "https://example.com/order.json"}`, true, false},
		{`{"schema": {"version": 2}}`, true, false},
		{`{"schema": 0}`, true, false},
		{`{"schema": 1.5}`, true, false},
		{`{"schema": null}`, true, true},
		{`{"schema": 1}`, true, true},
		{`{"schema": 9}`, false, false},
		{`{"Schema": 9, "about": "schema"}`, true, true},
		{`{"SCHEMA": "x", "about": "schema"}`, true, true},
		{`{"Schema": 9, "schema": 1}`, true, true},
		{`{"schema": 1, "Schema": 9}`, true, true},
		{`["schema"]`, true, true},
		{`"schema"`, true, true},
	} {
		e := eventfold.Event{Type: "OrderMade", Payload: []byte(`{"Name": "Ada"}`), Metadata: []byte(tt.metadata)}
		got, err := orders(1).Decode(e)
		if assert.Equal(t, tt.once, err == nil, "%s: %v", tt.metadata, err) && tt.once {
			assert.Equal(t, orderV1{"Ada"}, got, tt.metadata)
		}
		got, err = orders(3).Decode(e)
		if assert.Equal(t, tt.twice, err == nil, "%s: %v", tt.metadata, err) && tt.twice {
			assert.Equal(t, order{"Ada", "", "NO"}, got, tt.metadata)
		}
	}
}
