package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
)

// TestExplainAnalyze holds what EXPLAIN ANALYZE counts to what the bounds of a statement leave to
// be read, on a log of several segments.
func TestExplainAnalyze(t *testing.T) {
	store := openStore(t, filestore.Options{SegmentSize: 1 << 20, Prealloc: filestore.PreallocNone})
	const n = 12_000
	fill(t, store, n)
	segments := store.Stats().Segments
	require.Greater(t, segments, 2)
	s := &Session{Store: store}
	tests := []struct {
		text    string
		least   int // events examined
		most    int
		skipped bool // segments
		rows    int
	}{
		{"SELECT position FROM $all WHERE payload->>'$.n' >= 0", n, n, false, n},
		{"SELECT position FROM $all WHERE payload->>'$.n' < 10", n, n, false, 10},
		{fmt.Sprintf("SELECT position FROM $all WHERE position >= %d", n-10), 10, 1024, true, 10},
		{"SELECT position FROM $all WHERE position < 10", 10, 1024, true, 10},
		{"SELECT position FROM $all WHERE stream = 'order-000007'", 10, 10, true, 10},
		{"SELECT position FROM \"order-000007\" WHERE version > 6", 3, 10, true, 3},
		{"SELECT position FROM $all WHERE type = 'OrderEvent03' AND position < 24", 2, 2, true, 2},
		// so many that reading all is faster
		{"SELECT position FROM $all WHERE type = 'OrderEvent03'", n / 12, n, false, n / 12},
		{"SELECT position FROM $all WHERE type = 'no such type'", 0, 0, true, 0},
		{"SELECT position FROM $all ORDER BY position DESC LIMIT 5", 5, 1024, false, 5},
		{"SELECT position FROM $all WHERE payload->>'$.n' >= 0 LIMIT 7", 7, 1024, false, 7},
		{"SELECT COUNT(*) FROM $all", 0, 0, false, 1},
		{"SELECT type, COUNT(*) FROM $all GROUP BY type", 0, 0, false, 12},
	}
	for _, tt := range tests {
		events, skipped, rows := -1, -1, -1
		for _, line := range rowsOf(t, s, "EXPLAIN ANALYZE "+tt.text) {
			fmt.Sscanf(line, `"examined" | "%d events, %d segments skipped"`, &events, &skipped)
			if strings.HasPrefix(line, `"rows"`) {
				fmt.Sscanf(line, `"rows" | "%d"`, &rows)
			}
		}
		assert.Equal(t, tt.rows, rows, tt.text)
		assert.True(t, tt.least <= events && events <= tt.most, "%s: %d events examined", tt.text, events)
		assert.Equal(t, tt.skipped, skipped > 0, "%s: %d of %d segments skipped", tt.text, skipped, segments)
		assert.Less(t, skipped, segments+1, tt.text)
	}
}
