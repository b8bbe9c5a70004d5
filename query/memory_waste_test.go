package query

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestThrowingMuchAwayCollectsIt: what a statement throws away is collected before it is a multiple
// of what it may hold, and small texts are left to the collector.
func TestThrowingMuchAwayCollectsIt(t *testing.T) {
	var b budget
	b.set(&Settings{Memory: 1 << 30})
	before := forcedCollections()
	for range 1 << 20 {
		b.discard(wasteLeast - 1)
	}
	b.discard(b.limit/wasteParts - 1)
	assert.Equal(t, before, forcedCollections())
	b.discard(wasteLeast)
	assert.Equal(t, before+1, forcedCollections())
	assert.Zero(t, b.waste.bytes.Load())
	b.discard(wasteLeast)
	assert.Equal(t, before+1, forcedCollections())
}

// TestStatementsTellWhatTheyThrowAway: whoever makes, replaces or drops long texts again and again
// has them collected; ordinary queries never do.
func TestStatementsTellWhatTheyThrowAway(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 600)
	s := &Session{Store: store, Settings: Settings{Memory: 8 << 20}}
	for _, text := range []string{
		"SELECT length(printf('%100000d', position)) FROM $all",
		"SELECT COUNT(*) FROM $all WHERE payload || hex(printf('%50000d', position)) = 'x'",
		"SELECT type, MAX(printf('%100000d', position)) FROM $all GROUP BY type",
		"SELECT COUNT(l) FROM (SELECT MAX(printf('%10000d', position)) OVER (ORDER BY position ROWS BETWEEN 5 PRECEDING AND CURRENT ROW) " +
			"AS l FROM $all WHERE position < 500) AS t",
		"SELECT printf('%,1000000d', 1) || printf('%.500000f', position) FROM $all LIMIT 40",
		"SELECT json_array(printf('%700000d', position), printf('%700000d', position)) FROM $all LIMIT 40",
	} {
		before := forcedCollections()
		_, err := tryRows(context.Background(), s, text)
		require.NoError(t, err, text)
		assert.Greater(t, forcedCollections(), before, text)
	}
	for _, text := range []string{
		"SELECT type, payload || position, upper(stream) FROM $all", "SELECT payload FROM $all ORDER BY payload",
		"SELECT type, MAX(payload), LAST(payload) FROM $all GROUP BY type",
		"SELECT DISTINCT json_array(type, payload) FROM $all",
	} {
		before := forcedCollections()
		_, err := tryRows(context.Background(), s, text)
		require.NoError(t, err, text)
		assert.Equal(t, before, forcedCollections(), text)
	}
}

func forcedCollections() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumForcedGC
}
