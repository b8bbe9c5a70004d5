package query

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A keepingStore is a store whose cursors never use their memory again, and whose scans are not
// divided.
type keepingStore struct{ engine.Store }

func (s keepingStore) ReadIndex() engine.ReadIndex { return keepingIndex{s.Store.ReadIndex()} }

type keepingIndex struct{ engine.ReadIndex }

func (i keepingIndex) Scan(ctx context.Context, what engine.Filter, columns engine.ColumnSet) engine.BatchCursor {
	return struct{ engine.BatchCursor }{i.ReadIndex.Scan(ctx, what, columns)}
}

// TestGroupsKeepNothingOfBatches: grouping reads into the same memory again and again, so that
// whatever is kept of a row without being copied shows up as another row's.
func TestGroupsKeepNothingOfBatches(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	for n := range 30 { // each a frame that is longer than what is read at once
		var events []engine.NewEvent
		for i := range 700 {
			k := (n*700+i)*7919%1009 + 1000 // all events are of one size, so that their texts lie in the same places
			events = append(events, engine.NewEvent{Type: fmt.Sprintf("T%d", k%7), Tags: []string{fmt.Sprintf("tag-%d", k%5)},
				Payload: fmt.Appendf(nil, `{"k": "key-%03d", "n": %d, "p": "^k.*%d$", "w": "%s"}`, k%300, k, k%10,
					strings.Repeat("x", 300))})
		}
		_, err := store.Append(context.Background(), engine.Append{Stream: fmt.Sprintf("stream-%d", n%9), Events: events})
		require.NoError(t, err)
	}
	const k, n, p = "payload->>'$.k'", "payload->>'$.n'", "payload->>'$.p'"
	const rare = "CASE WHEN position % 700 = 5 THEN stream END" // the only text that is looked at in a frame
	for _, text := range []string{
		"SELECT " + k + " AS k, COUNT(*), SUM(" + n + ") FROM $all GROUP BY k",
		"SELECT " + k + " AS k, type, COUNT(*) FROM $all GROUP BY k, type",
		"SELECT " + rare + " AS r, COUNT(DISTINCT position) FROM $all GROUP BY r",
		"SELECT COUNT(DISTINCT position) FILTER (WHERE 'stream-3' REGEXP " + rare + ") FROM $all",
		"SELECT stream, COUNT(*), MIN(" + k + "), MAX(" + k + ") FROM $all GROUP BY stream",
		"SELECT stream, FIRST(payload), LAST(payload) FROM $all GROUP BY stream",
		"SELECT type, FIRST(stream), MIN(metadata), MAX(tags) FROM $all GROUP BY type",
		"SELECT type, COUNT(DISTINCT " + k + ") FROM $all GROUP BY type",
		"SELECT type, LENGTH(GROUP_CONCAT(" + k + ")), GROUP_CONCAT(DISTINCT " + k + ") FROM $all GROUP BY type",
		"SELECT COUNT(*) FILTER (WHERE " + k + " REGEXP " + p + ") FROM $all",
		"SELECT COUNT(*) FROM $all WHERE " + k + " REGEXP " + p,
		"SELECT COUNT(*) FROM $all WHERE " + k + " LIKE '%' || (" + n + " % 10)",
		"SELECT UPPER(" + k + ") AS u, COUNT(*) FROM $all GROUP BY u HAVING COUNT(*) > 70 ORDER BY u",
		"SELECT payload, COUNT(*) FROM $all GROUP BY payload ORDER BY 2 DESC, 1 LIMIT 20",
		"SELECT MAX(" + k + ") FROM $all a WHERE position > 9000",
	} {
		want, err := tryRows(context.Background(), &Session{Store: keepingStore{store}}, text)
		require.NoError(t, err, text)
		got, err := tryRows(context.Background(), &Session{Store: store}, text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		require.NotEmpty(t, want, text)
	}
}
