package enginetest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/engine"
)

// The filters of Play try every field, and TriedFilters sees one that is not tried.
func TestPlayTriesEveryFieldOfAFilter(t *testing.T) {
	m := NewModel()
	_, err := m.Append(t.Context(), engine.Append{Stream: "s-1", Events: []engine.NewEvent{{Type: "a"}, {Type: "b"}}})
	assert.NoError(t, err)
	g := &generator{r: rand.New(rand.NewPCG(1, 1)), model: m}
	var tried TriedFilters
	for range 2000 {
		tried.Add(g.filter())
	}
	assert.Empty(t, tried.Missing())

	var few TriedFilters
	few.Add(engine.Filter{From: 1, Any: []engine.Alternative{{Types: []string{"a"}}}})
	missing := few.Missing()
	assert.Contains(t, missing, "Streams")
	assert.Contains(t, missing, "Any.Tags")
	assert.NotContains(t, missing, "From")
	assert.NotContains(t, missing, "Any.Types")
}
