package projection

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/shred"
)

// A customer is a state that holds what is personal.
type customer struct {
	Names  []string
	Events int
}

// A folding counts the events that it folds.
type folding struct{ folded int }

func (f *folding) fold(c customer, e eventfold.Event) (customer, error) {
	f.folded++
	c.Events++
	if !e.Redacted {
		c.Names = append(c.Names, string(e.Payload))
	}
	return c, nil
}

func (f *folding) loader(s *eventfold.Snapshots) eventfold.Loader[customer] {
	return eventfold.Loader[customer]{Fold: f.fold, Name: "customer", Code: 1, Snapshots: s, Every: 10}
}

// rename appends events to the stream of a customer.
func rename(t *testing.T, store *sql.DB, stream string, n int) {
	t.Helper()
	for i := range n {
		exec1(t, store, `INSERT INTO ? (type, payload, tags) VALUES ('Renamed', ?, ?)`, stream,
			fmt.Sprintf(`"%s %d"`, stream, i), []string{"customer:" + stream})
	}
}

// load loads a state, and tells how many events were folded for it.
func load(t *testing.T, store *sql.DB, s *eventfold.Snapshots, stream string) (c customer, folded int) {
	t.Helper()
	var f folding
	c, version, err := f.loader(s).Load(t.Context(), store, stream)
	require.NoError(t, err)
	assert.EqualValues(t, c.Events-1, version)
	return c, f.folded
}

func snapshots(t *testing.T, to *sql.DB) *eventfold.Snapshots {
	t.Helper()
	s, err := eventfold.OpenSnapshots(t.Context(), to)
	require.NoError(t, err)
	return s
}

func kept(t *testing.T, to *sql.DB) int {
	t.Helper()
	return ask[int](t, to, `SELECT COUNT(*) FROM eventfold_snapshots`)
}

func TestALongStreamIsFoldedFromItsSnapshot(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		s := snapshots(t, to)
		for _, tt := range []struct{ appended, events, folded, kept int }{
			{0, 0, 0, 0},
			{9, 9, 9, 0},
			{3, 12, 12, 1},
			{0, 12, 0, 1},
			{5, 17, 5, 1},
			{5, 22, 10, 1},
			{1, 23, 1, 1},
		} {
			rename(t, store, "c-1", tt.appended)
			c, folded := load(t, store, s, "c-1")
			assert.Equal(t, [2]int{tt.events, tt.folded}, [2]int{c.Events, folded})
			assert.Equal(t, tt.kept, kept(t, to))
		}
		whole, _, err := eventfold.Load(t.Context(), store, "c-1", new(folding).fold)
		require.NoError(t, err)
		c, _ := load(t, store, s, "c-1")
		assert.Equal(t, whole, c)
	})
}

func TestASnapshotOfOtherCodeOrAnotherStoreIsIgnored(t *testing.T) {
	to := newSQLite(t)
	s := snapshots(t, to)
	for range 2 { // two stores with the same streams
		store := newStore(t)
		rename(t, store, "c-1", 12)
		c, folded := load(t, store, s, "c-1")
		assert.Equal(t, [2]int{12, 12}, [2]int{c.Events, folded})
		_, folded = load(t, store, s, "c-1")
		assert.Zero(t, folded)

		var f folding
		later := f.loader(s)
		later.Code = 2
		_, _, err := later.Load(t.Context(), store, "c-1")
		require.NoError(t, err)
		assert.Equal(t, 12, f.folded)
		_, folded = load(t, store, s, "c-1")
		assert.Equal(t, 12, folded, "it was replaced")
	}
	short := newStore(t) // in which the stream is shorter than the snapshot
	rename(t, short, "c-1", 3)
	c, folded := load(t, short, s, "c-1")
	assert.Equal(t, [2]int{3, 3}, [2]int{c.Events, folded})
}

func TestAnErasureRemovesTheSnapshotsThatHoldWhatItNames(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		s := snapshots(t, to)
		for _, stream := range []string{"c-1", "c-2"} {
			rename(t, store, stream, 12)
			load(t, store, s, stream)
		}
		rename(t, store, "c-2", 1) // behind its snapshot
		exec1(t, store, `ERASE FROM $all WHERE stream = 'c-1' AND version = 4 REASON 'x'`)
		exec1(t, store, `ERASE FROM $all WHERE stream = 'c-2' AND version = 12 REASON 'x'`)
		n, err := s.Sweep(t.Context(), store)
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		assert.Equal(t, 0, ask[int](t, to, `SELECT COUNT(*) FROM eventfold_snapshots WHERE state LIKE '%c-1 4%'`))
		c, folded := load(t, store, s, "c-1")
		assert.Equal(t, 12, folded)
		assert.NotContains(t, c.Names, `"c-1 4"`)
		_, folded = load(t, store, s, "c-2")
		assert.Equal(t, 1, folded, "its snapshot holds nothing of what was erased")

		exec1(t, store, `ERASE FROM $all WHERE TRUE REASON 'x'`)
		c, _ = load(t, store, s, "c-1") // without Sweep
		assert.Empty(t, c.Names)
		assert.Equal(t, 0, ask[int](t, to, `SELECT COUNT(*) FROM eventfold_snapshots WHERE state LIKE '%c-2%'`),
			"one load sees to all")
	})
}

func TestAStateThatWasFoldedBeforeAnErasureIsNotKeptBehindIt(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	s := snapshots(t, to)
	rename(t, store, "c-1", 12)
	var f folding
	l := f.loader(s)
	l.Fold = func(c customer, e eventfold.Event) (customer, error) {
		if e.Version == 11 { // the last event, and the erasure is faster than the snapshot
			exec1(t, store, `ERASE FROM $all WHERE TRUE REASON 'x'`)
			_, err := s.Sweep(t.Context(), store)
			require.NoError(t, err)
		}
		return f.fold(c, e)
	}
	c, _, err := l.Load(t.Context(), store, "c-1")
	require.NoError(t, err)
	assert.NotEmpty(t, c.Names, "it was read before")
	assert.Zero(t, kept(t, to))
}

func TestAForgottenSubjectRemovesAllSnapshots(t *testing.T) {
	dir := t.TempDir()
	epochs, err := shred.OpenEpochFiles(filepath.Join(dir, "epochs"), "")
	require.NoError(t, err)
	keys, err := shred.OpenFile(t.Context(), shred.FileOptions{Dir: filepath.Join(dir, "keys"), Epochs: epochs, Create: true})
	require.NoError(t, err)
	_, err = keys.Key(t.Context(), "customer:1", true)
	require.NoError(t, err)
	store := eventfold.OpenDB(eventfold.Config{Mode: eventfold.Memory, Keyring: keys})
	defer func() { assert.NoError(t, store.Close()); assert.NoError(t, keys.Close()) }()
	to := newSQLite(t)
	s := snapshots(t, to)
	rename(t, store, "c-1", 12)
	load(t, store, s, "c-1")
	exec1(t, store, `FORGET SUBJECT 'customer:1' REASON 'x'`)
	n, err := s.Sweep(t.Context(), store)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Zero(t, kept(t, to))
}

// A lossy state does not come back from JSON as it was.
type lossy struct{ n int }

func TestAStateThatJSONDoesNotKeepIsNoSnapshot(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	s := snapshots(t, to)
	rename(t, store, "c-1", 2)
	l := eventfold.Loader[lossy]{Name: "lossy", Snapshots: s, Every: 1,
		Fold: func(l lossy, _ eventfold.Event) (lossy, error) { return lossy{l.n + 1}, nil }}
	_, _, err := l.Load(t.Context(), store, "c-1")
	assert.ErrorIs(t, err, eventfold.ErrValue)
	var told error
	l.Report = func(err error) { told = err }
	state, version, err := l.Load(t.Context(), store, "c-1")
	require.NoError(t, err)
	assert.Equal(t, lossy{2}, state)
	assert.Equal(t, eventfold.Version(1), version)
	assert.ErrorIs(t, told, eventfold.ErrValue)
	assert.Zero(t, kept(t, to))
}

func TestALoaderWithoutItsDatabaseFoldsTheEventsIfThatIsReported(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	s := snapshots(t, to)
	rename(t, store, "c-1", 12)
	exec1(t, to, `DROP TABLE eventfold_snapshots_swept`)
	var f folding
	l := f.loader(s)
	_, _, err := l.Load(t.Context(), store, "c-1")
	assert.Error(t, err)
	reports := 0
	l.Report = func(error) { reports++ }
	c, _, err := l.Load(t.Context(), store, "c-1")
	require.NoError(t, err)
	assert.Equal(t, 12, c.Events)
	assert.Equal(t, 1, reports)
}
