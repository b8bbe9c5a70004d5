package engine_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// whole is an event of which no field is zero.
func whole(t *testing.T) engine.Event {
	t.Helper()
	e := engine.Event{
		Position: 7, Stream: "s", Version: 3, ID: uuid.New(), Type: "T", Payload: []byte("{}"),
		Metadata: []byte(`{"a":1}`), Tags: []string{"a"}, RecordedAt: time.UnixMicro(5).UTC(), JSON: true,
		Redacted: true,
	}
	for i, v := 0, reflect.ValueOf(e); i < v.NumField(); i++ {
		require.False(t, v.Field(i).IsZero(), "the test gives no %s", v.Type().Field(i).Name)
	}
	return e
}

// eachColumn calls do with every column of a batch.
func eachColumn(b *engine.Batch, do func(name string, column reflect.Value)) {
	for i, v := 0, reflect.ValueOf(b).Elem(); i < v.NumField(); i++ {
		if f := v.Field(i); f.Kind() == reflect.Slice {
			do(v.Type().Field(i).Name, f)
		}
	}
}

// TestBatchFillsEveryColumn finds a column that Add, Event, Reset or Reserve has forgotten.
func TestBatchFillsEveryColumn(t *testing.T) {
	var b engine.Batch
	e := whole(t)
	b.Add(&engine.Event{}, engine.ColAll)
	b.Add(&e, engine.ColAll)
	assert.Equal(t, 2, b.Len)
	assert.Equal(t, e, b.Event(1))
	assert.Zero(t, b.Times[0], "an event that has no time yet")
	eachColumn(&b, func(name string, column reflect.Value) { assert.Equal(t, 2, column.Len(), name) })

	b.Reset()
	assert.Zero(t, b.Len)
	eachColumn(&b, func(name string, column reflect.Value) {
		assert.Zero(t, column.Len(), name)
		assert.NotZero(t, column.Cap(), "%s keeps its memory", name)
	})

	var room engine.Batch
	room.Reserve(9, engine.ColAll)
	eachColumn(&room, func(name string, column reflect.Value) { assert.Equal(t, 9, column.Cap(), name) })
}

// TestBatchLeavesOutColumnsThatWereNotAskedFor tries each column alone.
func TestBatchLeavesOutColumnsThatWereNotAskedFor(t *testing.T) {
	columns := map[string]engine.ColumnSet{
		"Positions": engine.ColAll, "Streams": engine.ColStream, "Versions": engine.ColVersion,
		"IDs": engine.ColID, "Types": engine.ColType, "Payloads": engine.ColPayload, "JSON": engine.ColPayload,
		"Metadata": engine.ColMetadata, "Tags": engine.ColTags, "Times": engine.ColTime,
		"Redacted": engine.ColRedacted,
	}
	e := whole(t)
	for asked := engine.ColumnSet(1); asked < engine.ColAll; asked <<= 1 {
		var b, room engine.Batch
		b.Add(&e, asked)
		room.Reserve(1, asked)
		want := func(name string) int {
			require.Contains(t, columns, name)
			return min(1, int(columns[name]&asked))
		}
		eachColumn(&b, func(name string, column reflect.Value) {
			assert.Equal(t, want(name), column.Len(), "%s when %b is asked for", name, asked)
		})
		eachColumn(&room, func(name string, column reflect.Value) {
			assert.Equal(t, want(name), column.Cap(), "room of %s when %b is asked for", name, asked)
		})
	}
}

// TestUnplacedKeepsWhatWasGiven finds a field of NewEvent that Unplaced has forgotten.
func TestUnplacedKeepsWhatWasGiven(t *testing.T) {
	e := engine.NewEvent{
		ID: uuid.New(), Type: "T", Payload: []byte("p"), Metadata: []byte(`{"a":1}`), Tags: []string{"a", "b"},
	}
	u := e.Unplaced("s")
	for i, v := 0, reflect.ValueOf(e); i < v.NumField(); i++ {
		name := v.Type().Field(i).Name
		require.False(t, v.Field(i).IsZero(), "the test gives no %s", name)
		assert.Equal(t, v.Field(i).Interface(), reflect.ValueOf(u).FieldByName(name).Interface(), name)
	}
	assert.Equal(t, "s", u.Stream)
	assert.Equal(t, engine.NoPosition, u.Position)
	assert.Equal(t, engine.NoVersion, u.Version)
	assert.Zero(t, u.RecordedAt)

	given := []string{"b", "a"}
	u = (&engine.NewEvent{Tags: given, Metadata: []byte{}}).Unplaced("s")
	assert.Equal(t, []string{"a", "b"}, u.Tags)
	assert.Equal(t, []string{"b", "a"}, given, "the caller's tags are not sorted in place")
	assert.Equal(t, "{}", string(u.Metadata))
	assert.Nil(t, (&engine.NewEvent{Tags: []string{}}).Unplaced("s").Tags)
}
