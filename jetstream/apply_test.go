package jetstream

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// An append takes places for whatever it has in memory, also of many events without content.
func TestWhatWaitsToBeAppliedIsCountedWithAllThatItHas(t *testing.T) {
	long := strings.Repeat("x", 255)
	tags := make([]string, 64)
	for i := range tags {
		tags[i] = long
	}
	for name, c := range map[string]struct {
		event engine.Event
		n     int
		least int
	}{
		"nothing":  {engine.Event{}, 1, 1},
		"many":     {engine.Event{}, maxEvents, 2},
		"names":    {engine.Event{Stream: long, Type: long}, maxEvents, 6},
		"tags":     {engine.Event{Tags: tags}, maxEvents, 128},
		"content":  {engine.Event{Payload: make([]byte, placeBytes), Metadata: make([]byte, placeBytes)}, 1, 3},
		"the most": {engine.Event{Payload: make([]byte, placeBytes)}, maxEvents, applyPlaces},
	} {
		var run filestore.Applied
		for range c.n {
			run.Events = append(run.Events, c.event)
		}
		assert.GreaterOrEqual(t, placesOf(run), c.least, name)
		assert.LessOrEqual(t, placesOf(run), applyPlaces, name)
	}
}
