package filestore

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Ids are of version 7 with the time in them, each greater than the one before even if the clock
// stands still or goes back.
func TestIDSource(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	clock := []time.Time{at, at, at.Add(time.Microsecond), at.Add(-time.Hour), at.Add(time.Millisecond)}
	i := 0
	s := idSource{now: func() time.Time { i++; return clock[(i-1)%len(clock)] }}
	var last uuid.UUID
	for range 1000 {
		id, err := s.next(s.stamp())
		require.NoError(t, err)
		require.Equal(t, uuid.Version(7), id.Version())
		require.Equal(t, uuid.RFC4122, id.Variant())
		require.Positive(t, bytes.Compare(id[:], last[:]))
		last = id
	}
	seconds, nanos := last.Time().UnixTime()
	assert.WithinDuration(t, at, time.Unix(seconds, nanos), time.Second)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := s.next(s.stamp()); err != nil {
			t.Fatal(err)
		}
	}))
}
