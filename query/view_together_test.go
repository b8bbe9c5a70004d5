package query

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// What happens to a materialized view where several want something of it at the same time.

// readingOf begins a reading of the view m, of all that there is.
func readingOf(t *testing.T, s *Session) *keptRead {
	t.Helper()
	index := s.Store.ReadIndex()
	set, err := s.Settings.Views.at(t.Context(), index)
	require.NoError(t, err)
	r, err := s.keptReading(t.Context(), set, set.find("m"), index)
	require.NoError(t, err)
	t.Cleanup(r.g.ex.end)
	r.head = index.Head()
	return r
}

// Groups that one reader has not left for others yet take nothing from what another one may.
func TestAViewIsNotTooLargeBecauseSeveralReadItAtOnce(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}, Shared: NewMemory(64 << 20)}}
	mustRun(t, s, "CREATE MATERIALIZED VIEW m AS SELECT position AS p, COUNT(*) AS n FROM $all GROUP BY position")
	for range 40 {
		mustRun(t, s, "INSERT INTO a (type) VALUES ('x')")
	}
	probe := readingOf(t, s)
	_, err := probe.begin()
	require.NoError(t, err)
	table, err := probe.read(0)
	require.NoError(t, err)
	need := table.keep.taken
	table.keep.release()
	probe.kept.budget.limit = need * 3 / 2 // room for all groups once, not twice

	other := readingOf(t, s)
	levels, err := other.begin()
	require.NoError(t, err)
	require.Empty(t, levels)
	_, err = other.read(0) // and another one is about to be done with the same
	require.NoError(t, err)
	assert.Equal(t, []string{"", "41"}, sortedRows(t, s, "SELECT COUNT(*) FROM views.m"))
	assert.Equal(t, []string{"", `"ok" | 41 | 0`}, sortedRows(t, s, "SELECT state, rows, lag FROM $views"))
	assert.Equal(t, "0", examinedBy(t, s, "SELECT * FROM views.m"))

	for range 40 {
		mustRun(t, s, "INSERT INTO a (type) VALUES ('x')")
	}
	assert.Equal(t, []string{"", "81"}, sortedRows(t, s, "SELECT COUNT(*) FROM views.m"))
	assert.Equal(t, []string{"", `"too large"`}, sortedRows(t, s, "SELECT state FROM $views"), "which it is by itself now")
}

// A reader whose groups nobody else can use gives their memory back when it ends.
func TestGroupsOfAViewThatComeTooLateAreGivenBack(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}, Shared: NewMemory(64 << 20)}}
	mustRun(t, s, "CREATE MATERIALIZED VIEW m AS SELECT position AS p, hex(payload) AS h, COUNT(*) AS n FROM $all GROUP BY 1, 2")
	for range 40 {
		mustRun(t, s, fmt.Sprintf(`INSERT INTO a (type, payload) VALUES ('x', '{"n": "%05000d"}')`, 1))
	}
	late := readingOf(t, s)
	levels, err := late.begin()
	require.NoError(t, err)
	require.Empty(t, levels)
	table, err := late.read(0)
	require.NoError(t, err)
	mustRun(t, s, "SELECT COUNT(*) FROM views.m")
	kept := s.Settings.Views.kept[0].budget.held.Load()
	before := s.Settings.Shared.Used()
	assert.Greater(t, before, kept, "both have groups")
	_, err = late.publish([]*keptLevel{{0, late.head, table}})
	require.NoError(t, err)
	assert.Equal(t, before, s.Settings.Shared.Used(), "the statement may still use them")
	require.NoError(t, late.g.close())
	assert.Less(t, s.Settings.Shared.Used(), before-kept/2)
}

// Nobody waits for the garbage collector that runs because another one has let go of groups.
func TestLettingGoOfGroupsHoldsNobodyUp(t *testing.T) {
	for name, letGo := range map[string]func(s *Session, k *keptView){
		"dropped": func(s *Session, k *keptView) {
			mustRun(t, s, "DROP VIEW m")
			sortedRows(t, s, "SELECT * FROM views.other")
		},
		"erased":   func(s *Session, k *keptView) { mustRun(t, s, "ERASE FROM a WHERE TRUE REASON 'x'") },
		"unloaded": func(s *Session, k *keptView) { k.unload() },
		"closed":   func(s *Session, k *keptView) { s.Settings.Views.Close() },
		"too large": func(s *Session, k *keptView) {
			k.giveUp("m", newGroupTable(k.levels[0].table.plan, &k.budget), k.end())
		},
		"joined": func(s *Session, k *keptView) {
			mustRun(t, s, "INSERT INTO b (type) VALUES ('x'), ('x'), ('x'), ('x')")
			sortedRows(t, s, "SELECT * FROM views.m")
		},
	} {
		t.Run(name, func(t *testing.T) {
			views := &Views{}
			s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: views}}
			mustRun(t, s, "CREATE MATERIALIZED VIEW m AS SELECT position AS p, hex(payload) AS h, COUNT(*) AS n FROM $all GROUP BY 1, 2")
			mustRun(t, s, "CREATE MATERIALIZED VIEW other AS SELECT COUNT(*) AS n FROM $all")
			mustRun(t, s, fmt.Sprintf(`INSERT INTO a (type, payload) VALUES ('x', '{"n": "%010000d"}')`, 1))
			sortedRows(t, s, "SELECT * FROM views.m")
			k := views.kept[0]
			waste := &k.budget.waste
			waste.bytes.Store(0)
			waste.due.Store(1)
			waste.mu.Lock() // the collector works
			done := make(chan struct{})
			go func() { // ends when the collector has ended, and is waited for
				defer close(done)
				letGo(s, k)
			}()
			free := assert.Eventually(t, func() bool {
				return waste.bytes.Load() > 0 && tryLock(&k.mu) && tryLock(&views.mu)
			}, time.Minute, time.Millisecond)
			waste.mu.Unlock()
			<-done
			assert.True(t, free)
		})
	}
}

// tryLock reports whether a lock is free.
func tryLock(mu interface {
	TryLock() bool
	Unlock()
}) bool {
	ok := mu.TryLock()
	if ok {
		mu.Unlock()
	}
	return ok
}

// Statements that look at old definitions leave alone what is kept of the present ones.
func TestOldDefinitionsTakeNothingFromThePresentOnes(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	for i := range 3 * rememberedSets {
		mustRun(t, s, fmt.Sprintf("CREATE OR REPLACE VIEW v AS SELECT type, %d AS n FROM $all", i))
	}
	mustRun(t, s, "CREATE MATERIALIZED VIEW m AS SELECT type, COUNT(*) AS n FROM $all GROUP BY type")
	sortedRows(t, s, "SELECT * FROM views.m")
	for i := range 3 * rememberedSets {
		assert.Contains(t, sortedRows(t, s, fmt.Sprintf("SELECT * FROM views.v AS OF POSITION %d", i))[1], fmt.Sprintf("| %d", i))
		assert.LessOrEqual(t, len(s.Settings.Views.sets), rememberedSets)
		assert.Equal(t, "0", examinedBy(t, s, "SELECT * FROM views.m"), "after AS OF POSITION %d", i)
	}
}

// A hinderedStore does something before it writes what is derived.
type hinderedStore struct {
	engine.Deriver
	before func() error
}

func (h *hinderedStore) WriteDerived(
	ctx context.Context, name string, d engine.Derived, write func(to io.Writer) error,
) error {
	if h.before != nil {
		if err := h.before(); err != nil {
			return err
		}
	}
	return h.Deriver.WriteDerived(ctx, name, d, write)
}

// hinderedViews has 20 events and a view m that nobody reads, in a store that keeps views.
func hinderedViews(t *testing.T) (*Session, *hinderedStore, *viewKeeper) {
	t.Helper()
	s := countedStore(t, vfs.NewMem(), 20)
	d, ok := Offers[engine.Deriver](s.Store)
	require.True(t, ok)
	h := &hinderedStore{Deriver: d}
	s.Settings.Views.Keep(h, s.Settings)
	k := s.Settings.Views.keeper.Load()
	k.least = 1
	return s, h, k
}

// Whoever keeps views beside the log while something is erased begins again at once.
func TestAnErasureWhileViewsAreKeptIsNotForgotten(t *testing.T) {
	s, h, k := hinderedViews(t)
	h.before = func() error {
		mustRun(t, s, "ERASE FROM $all WHERE position = 3 REASON 'x'")
		h.before = nil
		return nil
	}
	k.again = true
	k.run()
	assert.Zero(t, k.due.Load(), "the next append has the views looked at")
	waitErased(t, s)
	k.again = true
	k.run()
	assert.Len(t, k.ends, 1)
	for _, end := range k.ends {
		assert.Positive(t, end.end)
	}
	assert.Positive(t, k.due.Load())
}

// What could not be written because the log has gone on is in memory when it is tried again, also of a
// view that nobody reads; what cannot be written takes no memory.
func TestGroupsThatAreToBeWrittenSoonStayInMemory(t *testing.T) {
	s, h, k := hinderedViews(t)
	h.before = func() error { return engine.ErrStaleDerived }
	k.round()
	_, behind := s.Settings.Views.kept[0].unsaved()
	assert.EqualValues(t, 21, behind)
	h.before = func() error { return io.ErrShortWrite }
	k.round()
	assert.Zero(t, s.Settings.Shared.Used())
	h.before = nil
	k.round()
	assert.Zero(t, s.Settings.Shared.Used())
	assert.Len(t, k.ends, 1)
}

func TestWhenAViewIsTriedAgainDependsOnWhy(t *testing.T) {
	const head = 100 << 20
	assert.EqualValues(t, head+minKeepEvents, tryAgain(head, fmt.Errorf("x: %w", engine.ErrStaleDerived)))
	assert.EqualValues(t, head+head/4, tryAgain(head, io.ErrShortWrite))
	assert.EqualValues(t, minKeepEvents, tryAgain(0, io.ErrShortWrite))
}

// A view that is too large is not looked at for every append.
func TestAViewThatIsTooLargeIsLeftAlone(t *testing.T) {
	s, _, k := hinderedViews(t)
	index := s.Store.ReadIndex()
	set, err := s.Settings.Views.at(t.Context(), index)
	require.NoError(t, err)
	kept := s.kept(set.find("m"))
	kept.budget.limit = 100
	assert.Greater(t, k.round(), int64(index.Head()))
	assert.NotNil(t, kept.tooLarge.Load())
	assert.EqualValues(t, noneErased, k.round())
}
