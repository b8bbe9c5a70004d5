package query

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// TestSumsThatGrowLateHaveRoom: sums of numbers of all magnitudes need ten times what they begin with,
// and the groups that are kept while FROM is read must hold them to the end.
func TestSumsThatGrowLateHaveRoom(t *testing.T) {
	store := openStore(t, filestore.Options{})
	var batch []engine.Append
	for i := range 3000 {
		a := engine.NewEvent{Type: "T", Payload: fmt.Appendf(nil, `{"f": 1e%d, "c": %d}`, i/20*7%400-200, i*7%300)}
		batch = append(batch, engine.Append{Stream: "s", Events: []engine.NewEvent{a}})
	}
	_, err := store.Append(t.Context(), batch...)
	require.NoError(t, err)
	for _, name := range []string{"SUM", "AVG", "STDDEV"} {
		text := fmt.Sprintf("SELECT payload ->> '$.c' AS c, %s(payload ->> '$.f') FROM $all GROUP BY c", name)
		want := rowsOf(t, &Session{Store: store}, text)
		for _, memory := range []int64{24 << 10, 100 << 10, 160 << 10} {
			got, err := tryRows(t.Context(), spilling(store, newSpillFS(t), memory), text)
			require.NoError(t, err, "%d bytes: %s", memory, text)
			assert.Equal(t, want, got, "%d bytes: %s", memory, text)
		}
	}
}

// TestGroupsOfTheIndexGoOnInAFile: groups that are counted in the index may be too many as others.
func TestGroupsOfTheIndexGoOnInAFile(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 4000)
	const text = "SELECT substr(stream, 1, 30) AS s, COUNT(*) FROM $all GROUP BY s ORDER BY s"
	s := spilling(store, newSpillFS(t), 40<<10)
	assert.Equal(t, rowsOf(t, &Session{Store: store}, text), rowsOf(t, s, text))
	assert.Positive(t, s.Settings.Spill.Space.Written())
}
