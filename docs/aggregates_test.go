package docs

import "testing"

// TestSamplesOfAggregates runs them on a store of their own.
func TestSamplesOfAggregates(t *testing.T) { runSamples(t, open(t), "sql aggregates") }
