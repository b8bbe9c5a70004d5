package filestore

import (
	"math"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// The first batch of a scan has room for what the filter can let pass, and no more.
func TestTheFirstBatchIsAsLongAsItHasToBe(t *testing.T) {
	s := openStore(t, "/store", Options{FS: vfs.NewMem()})
	for range 100 {
		_, err := s.Append(t.Context(), engine.Append{Stream: "s", Events: []engine.NewEvent{{Type: "A"}}})
		require.NoError(t, err)
	}
	upTo := func(least, most engine.Version) engine.Filter {
		return engine.Filter{Streams: []string{"s", "t"}, MinVersion: least, MaxVersion: most, HasMaxVersion: true}
	}
	for _, c := range []struct {
		what  engine.Filter
		room  int
		found int
	}{
		{engine.Filter{}, firstBatch, 100},
		{engine.Filter{From: 95}, 5, 5},
		{engine.Filter{From: 10, To: 11}, 1, 1},
		{engine.Filter{IDs: []uuid.UUID{uuid.New()}}, 1, 0},
		{upTo(7, 7), 2, 1},
		{upTo(-5, 3), 8, 4},
		{upTo(0, math.MaxInt64), firstBatch, 100},
		{upTo(9, 3), 1, 0},
		{engine.Filter{MaxVersion: 7, HasMaxVersion: true}, firstBatch, 8},
	} {
		cursor := s.ReadIndex().Scan(t.Context(), c.what, engine.ColVersion|engine.ColID).(*scanCursor)
		found, first := 0, 0
		for b := cursor.Next(); b != nil; b = cursor.Next() {
			if found += b.Len; first == 0 {
				first = cap(b.Versions)
			}
		}
		require.NoError(t, cursor.Err())
		assert.Equal(t, c.found, found, "%+v", c.what)
		if found > 0 {
			assert.Equal(t, c.room, first, "%+v", c.what)
		}
		require.NoError(t, cursor.Close())
	}
}
