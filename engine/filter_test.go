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

// TestEveryFieldOfAFilterNarrows says for each field what passes it and what does not, of an event
// with a place and of the same event without one.
func TestEveryFieldOfAFilterNarrows(t *testing.T) {
	id, at := uuid.New(), time.UnixMicro(1000).UTC()
	placed := engine.Event{Position: 7, Stream: "order-1", Version: 3, ID: id, Type: "T",
		Tags: []string{"a", "b"}, RecordedAt: at}
	unplaced := (&engine.NewEvent{ID: id, Type: "T", Tags: []string{"a", "b"}}).Unplaced("order-1")
	tests := []struct {
		field           string
		what            engine.Filter
		placed, waiting bool
	}{
		{"", engine.Filter{}, true, true},
		{"From", engine.Filter{From: 7}, true, true},
		{"From", engine.Filter{From: 8}, false, true},
		{"To", engine.Filter{To: 8}, true, false},
		{"To", engine.Filter{To: 7}, false, false},
		{"Since", engine.Filter{Since: at}, true, false},
		{"Since", engine.Filter{Since: at.Add(1)}, false, false},
		{"Before", engine.Filter{Before: at.Add(1)}, true, false},
		{"Before", engine.Filter{Before: at}, false, false},
		{"MinVersion", engine.Filter{MinVersion: 3}, true, false},
		{"MinVersion", engine.Filter{MinVersion: 4}, false, false},
		{"MaxVersion", engine.Filter{MaxVersion: 1}, true, true},
		{"HasMaxVersion", engine.Filter{MaxVersion: 3, HasMaxVersion: true}, true, false},
		{"HasMaxVersion", engine.Filter{HasMaxVersion: true}, false, false},
		{"Streams", engine.Filter{Streams: []string{"x", "order-1"}}, true, true},
		{"Streams", engine.Filter{Streams: []string{}}, false, false},
		{"Prefix", engine.Filter{Prefix: "order-"}, true, true},
		{"Prefix", engine.Filter{Prefix: "order-10"}, false, false},
		{"Types", engine.Filter{Types: []string{"T"}}, true, true},
		{"Types", engine.Filter{Types: []string{"t"}}, false, false},
		{"Tags", engine.Filter{Tags: []string{"b", "a"}}, true, true},
		{"Tags", engine.Filter{Tags: []string{"a", "c"}}, false, false},
		{"IDs", engine.Filter{IDs: []uuid.UUID{id}}, true, true},
		{"IDs", engine.Filter{IDs: []uuid.UUID{}}, false, false},
		{"Any", engine.Filter{Any: []engine.Alternative{{Types: []string{"U"}}, {Tags: []string{"a"}}}}, true, true},
		{"Any", engine.Filter{Any: []engine.Alternative{}}, false, false},
		{"Any", engine.Filter{Any: []engine.Alternative{{Types: []string{"T"}, Streams: []string{"x"}}}}, false, false},
		{"Direction", engine.Filter{Direction: engine.Backwards}, true, true},
		{"Limit", engine.Filter{Limit: 1}, true, true},
	}
	tried := map[string]bool{}
	for _, tt := range tests {
		tried[tt.field] = true
		assert.Equal(t, tt.placed, tt.what.Passes(&placed), "%+v", tt.what)
		assert.Equal(t, tt.waiting, tt.what.Passes(&unplaced), "%+v of an event without a place", tt.what)
	}
	for i, f := 0, reflect.TypeFor[engine.Filter](); i < f.NumField(); i++ {
		require.True(t, tried[f.Field(i).Name], "no row tries %s", f.Field(i).Name)
	}

	other := placed
	other.ID = uuid.Nil
	assert.False(t, (&engine.Filter{IDs: []uuid.UUID{uuid.Nil}}).Passes(&other), "the nil id is nobody's")
}
