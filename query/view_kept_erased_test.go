package query

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// keptHolds reports whether a text is in what is kept of any view: in keys or in states, looked for
// in memory, because reading a view would clean it.
func (v *Views) keptHolds(text string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.kept {
		k.mu.Lock()
		for _, l := range k.levels {
			if l.holds(text) {
				k.mu.Unlock()
				return true
			}
		}
		k.mu.Unlock()
	}
	return false
}

func (l *keptLevel) holds(text string) bool {
	for key, g := range l.table.byKey {
		held := key
		for _, v := range g.keys {
			held += v.S
		}
		for i := range g.aggs {
			held += g.aggs[i].value.S + string(g.aggs[i].text)
		}
		if strings.Contains(held, text) {
			return true
		}
	}
	return false
}

const erasedMarker = "marker-0815"

// markedViews are views that keep a text of the payload in keys, and in states of every kind that
// holds one.
var markedViews = []string{
	"SELECT payload->>'$.m' AS m, COUNT(*) AS n FROM $all GROUP BY 1",
	"SELECT stream AS s, FIRST(payload->>'$.m') AS a, LAST(payload->>'$.m') AS b FROM $all GROUP BY stream",
	"SELECT MIN(payload->>'$.m') AS a, MAX(metadata->>'$.m') AS b FROM a",
}

// markedSession is a store with views that keep a text of the event at a position.
func markedSession(t *testing.T) (s *Session, at engine.Position) {
	s = &Session{Store: openStore(t, filestore.Options{}),
		Settings: Settings{Views: &Views{}, Shared: NewMemory(DefaultStoreMemory)}}
	t.Cleanup(s.Settings.Views.Close)
	for i, d := range markedViews {
		mustRun(t, s, fmt.Sprintf("CREATE MATERIALIZED VIEW m%d AS %s", i, d))
	}
	mustRun(t, s, `INSERT INTO a (type, payload) VALUES ('x', '{"m": "before"}')`)
	at = s.Store.ReadIndex().Head()
	mustRun(t, s, fmt.Sprintf(`INSERT INTO a (type, payload, metadata) VALUES ('x', '{"m": "%[1]s"}', '{"m": "%[1]s"}')`,
		erasedMarker))
	mustRun(t, s, `INSERT INTO a (type, payload) VALUES ('x', '{"m": "behind"}')`)
	for i := range markedViews {
		mustRun(t, s, fmt.Sprintf("SELECT * FROM views.m%d", i))
	}
	require.True(t, s.Settings.Views.keptHolds(erasedMarker))
	return s, at
}

// TestKeptGroupsForgetWhatIsErasedWhenTheErasureReturns, and nobody needs to read a view for that.
func TestKeptGroupsForgetWhatIsErasedWhenTheErasureReturns(t *testing.T) {
	for _, how := range []string{"alone", "in a transaction"} {
		s, at := markedSession(t)
		erase := fmt.Sprintf("ERASE FROM $all WHERE position = %d REASON 'x'", at)
		if how == "alone" {
			mustRun(t, s, erase)
		} else {
			mustRun(t, s, "BEGIN")
			mustRun(t, s, erase)
			mustRun(t, s, "COMMIT")
		}
		assert.False(t, s.Settings.Views.keptHolds(erasedMarker), how)
		waitErased(t, &Session{Store: s.Store})
		assert.False(t, s.Settings.Views.keptHolds(erasedMarker), how)
	}
}

// TestAnErasureIsNotDoneBeforeKeptGroupsHaveForgotten: the store asks before it appends that it is
// done, and again if that fails.
func TestAnErasureIsNotDoneBeforeKeptGroupsHaveForgotten(t *testing.T) {
	s, at := markedSession(t)
	d, ok := Offers[engine.Deriver](s.Store)
	require.True(t, ok)
	var asked atomic.Int32
	stop := d.OnErase(func(ctx context.Context, erased engine.Spans) error {
		assert.True(t, erased.Has(at))
		assert.False(t, s.Settings.Views.keptHolds(erasedMarker))
		list, err := d.(engine.Eraser).Erasures(ctx)
		require.NoError(t, err)
		assert.True(t, list[0].DoneAt.IsZero(), "it is not done while it is asked for")
		if asked.Add(1) < 3 {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	defer stop()
	mustRun(t, s, fmt.Sprintf("ERASE FROM $all WHERE position = %d REASON 'x'", at))
	waitErased(t, &Session{Store: s.Store})
	assert.GreaterOrEqual(t, asked.Load(), int32(3))
}

// TestGroupsOfASnapshotBeforeAnErasureAreNotKept: whoever has begun to read before it leaves nothing
// behind that holds what is erased.
func TestGroupsOfASnapshotBeforeAnErasureAreNotKept(t *testing.T) {
	s, at := markedSession(t)
	var readers sync.WaitGroup
	ended := make(chan struct{})
	for range 2 {
		readers.Go(func() { // ends with ended
			own := &Session{Store: s.Store, Settings: s.Settings}
			for i := 0; ; i++ {
				select {
				case <-ended:
					return
				default:
				}
				mustRun(t, own, "BEGIN")
				mustRun(t, own, fmt.Sprintf("SELECT * FROM views.m%d", i%len(markedViews)))
				mustRun(t, own, "COMMIT")
			}
		})
	}
	for i := range 50 {
		mustRun(t, s, fmt.Sprintf(`INSERT INTO a (type, payload) VALUES ('x', '{"m": "more %d"}')`, i))
	}
	mustRun(t, s, fmt.Sprintf("ERASE FROM $all WHERE position = %d REASON 'x'", at))
	waitErased(t, &Session{Store: s.Store})
	assert.False(t, s.Settings.Views.keptHolds(erasedMarker))
	close(ended)
	readers.Wait()
	assert.False(t, s.Settings.Views.keptHolds(erasedMarker))
}

// TestViewsThatAreClosedKeepNothing, and the store does not ask them any more.
func TestViewsThatAreClosedKeepNothing(t *testing.T) {
	s, at := markedSession(t)
	s.Settings.Views.Close()
	assert.False(t, s.Settings.Views.keptHolds(erasedMarker))
	assert.Zero(t, s.Settings.Shared.Used())
	mustRun(t, s, fmt.Sprintf("ERASE FROM $all WHERE position = %d REASON 'x'", at))
	waitErased(t, &Session{Store: s.Store})
}
