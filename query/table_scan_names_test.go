package query

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
)

// TestNamesAndOffsetsAreHadWithoutReadingEvents compares statements that the indexes answer with
// twins that read all events, and holds what they look at.
func TestNamesAndOffsetsAreHadWithoutReadingEvents(t *testing.T) {
	store := openStore(t, filestore.Options{SegmentSize: 1 << 20, Prealloc: filestore.PreallocNone})
	const n = 12_000
	fill(t, store, n)
	s := &Session{Store: store}
	exec(t, s, "CREATE VIEW v AS SELECT type FROM $all") // an event of a stream of its own
	exec(t, s, "ERASE FROM \"order-000007\" WHERE version = 3 REASON 'a test'")
	exec(t, s, "BEGIN READ ONLY") // what tells that the erasure is done may come at any time
	tests := []struct {
		text string // %s stands for the condition that its twin needs columns for
		most int    // events examined
	}{
		{"SELECT DISTINCT type FROM $all%s ORDER BY 1", 0},
		{"SELECT DISTINCT type FROM $all%s", 0},
		{"SELECT DISTINCT stream FROM $all%s ORDER BY 1", 0},
		{"SELECT DISTINCT category FROM $all%s ORDER BY 1", 0},
		{"SELECT COUNT(DISTINCT stream), COUNT(DISTINCT category), MIN(stream) FROM $all%s", 0},
		{"SELECT COUNT(DISTINCT type), MAX(upper(type)) FROM $all%s", 0},
		{"SELECT substr(stream, 1, 10) AS s, COUNT(DISTINCT stream) FROM $all%s GROUP BY s ORDER BY s", 0},
		{"SELECT stream FROM $all%s GROUP BY stream HAVING stream < 'order-00001' ORDER BY stream", 0},
		{"SELECT DISTINCT stream, type FROM $all%s ORDER BY 1, 2", n + 10},
		{"SELECT COUNT(stream) FROM $all%s", n + 10},
		{"SELECT position FROM $all%s LIMIT 10 OFFSET 11000", 1024},
		{"SELECT position FROM $all%s ORDER BY position DESC LIMIT 10 OFFSET 11000", 1024},
		{"SELECT position FROM $all%s ORDER BY position DESC LIMIT 10 OFFSET 11998", 1024},
		{"SELECT position FROM $all%s LIMIT 10 OFFSET 13000", 0},
		{"SELECT version FROM \"order-000007\"%s LIMIT 3 OFFSET 6", 4},
		{"SELECT version FROM \"order-000007\"%s ORDER BY version DESC LIMIT -1 OFFSET 7", 3},
	}
	for _, tt := range tests {
		text, twin := fmt.Sprintf(tt.text, ""), fmt.Sprintf(tt.text, " WHERE version + position > -9")
		require.Equal(t, rowsOf(t, s, twin), rowsOf(t, s, text), text)
		events, skipped := 0, 0
		for _, line := range rowsOf(t, s, "EXPLAIN ANALYZE "+text) {
			fmt.Sscanf(line, `"examined" | "%d events, %d segments skipped"`, &events, &skipped)
		}
		assert.LessOrEqual(t, events, tt.most, text)
	}
}
