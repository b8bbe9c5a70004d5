package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
)

// TestSubqueriesAreReadOnceBesideWhatIsSpilled: what is sorted or grouped beside them takes all the
// memory there is before it goes to a file, which is no reason to run them for each row.
func TestSubqueriesAreReadOnceBesideWhatIsSpilled(t *testing.T) {
	const n, late = 12_000, 9_000
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	fill(t, store, n)
	const next = "EXISTS (SELECT 1 FROM $all i WHERE i.stream = o.stream AND i.version = o.version + 1)"
	for _, text := range []string{
		"SELECT position FROM $all o WHERE " + next + " ORDER BY version, position",
		"SELECT position FROM $all o WHERE NOT EXISTS (SELECT 1 FROM $all i WHERE i.stream = o.stream AND i.type = 'none') ORDER BY version, position",
		"SELECT position FROM $all o WHERE " + next + " AND type IN (SELECT type FROM $all i WHERE i.stream = o.stream) " +
			"ORDER BY version, position",
		"SELECT version, position % 7777, COUNT(*) FROM $all o WHERE " + next + " GROUP BY 1, 2",
		fmt.Sprintf("SELECT payload, position FROM $all o WHERE position < %d OR EXISTS (SELECT 1 FROM $all i "+
			"WHERE i.type = o.type AND i.position > %d) ORDER BY 1, 2", late, n-100),
		fmt.Sprintf("SELECT payload, position FROM $all o WHERE position < %d OR stream NOT IN (SELECT stream FROM $all i "+
			"WHERE i.type = o.type AND i.position < 100) ORDER BY 1, 2", late),
	} {
		s := spilling(store, newSpillFS(t), 256<<10)
		var events, skipped int
		for _, line := range rowsOf(t, s, "EXPLAIN ANALYZE "+text) {
			fmt.Sscanf(line, `"examined" | "%d events, %d segments skipped"`, &events, &skipped)
		}
		assert.Less(t, events, n+n/4, text)
		assert.Less(t, skipped, n/20, text)
		assert.Positive(t, s.Settings.Spill.Space.Written(), text)
		want := rowsOf(t, &Session{Store: store}, text)
		got := rowsOf(t, s, text)
		if strings.Contains(text, "GROUP BY") {
			assert.ElementsMatch(t, want, got, text)
			continue
		}
		require.Equal(t, want, got, text)
	}
}
