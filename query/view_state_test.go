package query

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// keepNow keeps all materialized views of a session's store beside its log.
func keepNow(t *testing.T, s *Session) {
	t.Helper()
	v := s.Settings.Views
	if v.keeper.Load() == nil {
		v.Keep(s.Store, s.Settings)
	}
	k := v.keeper.Load()
	if k == nil {
		return // the store has no place for it
	}
	k.least = 1
	k.round()
}

// keptStore opens a store in a file system of a test, with sessions that keep its views.
func keptStore(t *testing.T, disk vfs.FS, o filestore.Options) *Session {
	t.Helper()
	o.FS, o.SegmentSize = disk, filestore.MinSegmentSize
	store, err := filestore.Open("store", o)
	require.NoError(t, err)
	s := &Session{Store: store, Settings: Settings{Views: &Views{}, Shared: NewMemory(DefaultStoreMemory)}}
	t.Cleanup(func() {
		s.Settings.Views.Close()
		store.Close()
	})
	return s
}

// stateFiles returns the files that are kept beside the log.
func stateFiles(t *testing.T, disk vfs.FS) (found []string) {
	t.Helper()
	names, err := disk.List("store")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".state") || name == "state.tmp" {
			found = append(found, name)
		}
	}
	return found
}

// examinedBy returns how many events a statement looks at.
func examinedBy(t *testing.T, s *Session, text string) string {
	t.Helper()
	for _, line := range sortedRows(t, s, "EXPLAIN ANALYZE "+text) {
		if rest, ok := strings.CutPrefix(line, `"examined" | "`); ok {
			found, _, _ := strings.Cut(rest, " ")
			return found
		}
	}
	return ""
}

const countsByStream = "CREATE MATERIALIZED VIEW m AS SELECT stream AS s, COUNT(payload) AS n, LAST(payload->>'$.m') AS m FROM $all GROUP BY stream"

// countedStore is a store with a view and so many events.
func countedStore(t *testing.T, disk vfs.FS, events int) *Session {
	t.Helper()
	s := keptStore(t, disk, filestore.Options{})
	mustRun(t, s, countsByStream)
	for i := range events {
		mustRun(t, s, fmt.Sprintf(`INSERT INTO "s-%d" (type, payload) VALUES ('x', '{"m": "text %d"}')`, i%7, i))
	}
	return s
}

func TestAnotherProcessGoesOnFromWhatIsKeptBesideTheLog(t *testing.T) {
	disk := vfs.NewMem()
	s := countedStore(t, disk, 50)
	keepNow(t, s)
	assert.Len(t, stateFiles(t, disk), 1)
	mustRun(t, s, `INSERT INTO "s-1" (type) VALUES ('x')`)
	want := sortedRows(t, s, "SELECT * FROM views.m")
	reader := keptStore(t, disk, filestore.Options{ReadOnly: true})
	explained := strings.Join(sortedRows(t, reader, "EXPLAIN SELECT * FROM views.m"), "\n")
	assert.Contains(t, explained, "the groups of positions [0, 50] beside the log, 1 events behind them")
	assert.Equal(t, []string{"", "0 | 0 | 1"}, sortedRows(t, reader, "SELECT rows, bytes, lag FROM $views"))
	assert.Equal(t, "1", examinedBy(t, reader, "SELECT * FROM views.m"))
	assert.Equal(t, want, sortedRows(t, reader, "SELECT * FROM views.m"))
	explained = strings.Join(sortedRows(t, reader, "EXPLAIN SELECT * FROM views.m"), "\n")
	assert.Contains(t, explained, "groups of positions [0, 51], those of [0, 50] beside the log, 0 events behind them")
	assert.Equal(t, "41", examinedBy(t, reader, "SELECT * FROM views.m AS OF POSITION 40"), "which needs less than what is kept")
}

// TestClosingKeepsWhatStatementsHaveLeft, and opening goes on from there.
func TestClosingKeepsWhatStatementsHaveLeft(t *testing.T) {
	disk := vfs.NewMem()
	s := countedStore(t, disk, 50)
	s.Settings.Views.Keep(s.Store, s.Settings)
	mustRun(t, s, "SELECT * FROM views.m")
	assert.Empty(t, stateFiles(t, disk), "too few events for that")
	s.Settings.Views.Close()
	assert.Len(t, stateFiles(t, disk), 1)
	require.NoError(t, s.Store.Close())
	s = keptStore(t, disk, filestore.Options{})
	assert.Equal(t, "0", examinedBy(t, s, "SELECT * FROM views.m"))
}

// TestAViewThatNobodyReadsTakesNoMemory once it is beside the log.
func TestAViewThatNobodyReadsTakesNoMemory(t *testing.T) {
	disk := vfs.NewMem()
	s := countedStore(t, disk, 50)
	keepNow(t, s)
	assert.Zero(t, s.Settings.Shared.Used())
	assert.Equal(t, []string{"", "0 | 0 | 0"}, sortedRows(t, s, "SELECT rows, bytes, lag FROM $views"))
	mustRun(t, s, "SELECT * FROM views.m")
	mustRun(t, s, `INSERT INTO "s-1" (type) VALUES ('x')`)
	keepNow(t, s)
	assert.Equal(t, []string{"", "1"}, sortedRows(t, s, "SELECT rows > 0 FROM $views"))
}

// TestWhateverIsInTheFileOfAViewIsNeverTrusted: with any byte damaged, cut anywhere, of another
// definition under its name, it is made anew.
func TestWhateverIsInTheFileOfAViewIsNeverTrusted(t *testing.T) {
	disk := vfs.NewMem()
	s := countedStore(t, disk, 20)
	keepNow(t, s)
	name := vfs.Join("store", stateFiles(t, disk)[0])
	whole, err := vfs.ReadFile(disk, name, 1<<20)
	require.NoError(t, err)
	want := sortedRows(t, s, "SELECT * FROM views.m")
	check := func(content []byte, examined, why string) {
		require.NoError(t, vfs.WriteNew(disk, name, func(f vfs.File) error { return vfs.WriteFull(f, content, 0) }))
		own := &Session{Store: s.Store, Settings: Settings{Views: &Views{}, Shared: s.Settings.Shared}}
		defer own.Settings.Views.Close()
		require.Equal(t, examined, examinedBy(t, own, "SELECT * FROM views.m"), why)
		require.Equal(t, want, sortedRows(t, own, "SELECT * FROM views.m"), why)
	}
	check(whole, "0", "as it was written")
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 1 << (i % 8)
		check(bad, "21", fmt.Sprintf("byte %d of %d", i, len(whole)))
	}
	for i := 0; i < len(whole); i += 7 {
		check(whole[:i], "21", fmt.Sprintf("%d bytes of %d", i, len(whole)))
	}
	check(append(bytes.Clone(whole), 0), "21", "one byte more")
}

// TestAViewThatIsDefinedAnewHasGroupsOfItsOwn beside the log, and the old ones are removed.
func TestAViewThatIsDefinedAnewHasGroupsOfItsOwn(t *testing.T) {
	disk := vfs.NewMem()
	s := countedStore(t, disk, 20)
	keepNow(t, s)
	before := stateFiles(t, disk)
	mustRun(t, s, "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT stream AS s, COUNT(*) * 2 AS n FROM $all GROUP BY stream")
	reader := keptStore(t, disk, filestore.Options{ReadOnly: true})
	assert.Equal(t, []string{"", "6"}, sortedRows(t, reader, "SELECT n FROM views.m WHERE s = 's-1'"))
	keepNow(t, s)
	assert.Len(t, stateFiles(t, disk), 1)
	assert.NotEqual(t, before, stateFiles(t, disk))
	mustRun(t, s, "DROP VIEW m")
	keepNow(t, s)
	assert.Empty(t, stateFiles(t, disk))
}

// TestNamesOfViewsAreNoNamesOfFiles: whatever a view is called, its groups are kept, each in its own.
func TestNamesOfViewsAreNoNamesOfFiles(t *testing.T) {
	disk := vfs.NewMem()
	s := keptStore(t, disk, filestore.Options{})
	names := []string{"a/b", "../../a", "a.state", "con", "NUL", "é", "E\u0301", "x y", `back\slash`, "a:b", ".", "..",
		strings.Repeat("n", 255), strings.Repeat("ö", 127), "-", "trailing. "}
	for i, name := range names {
		mustRun(t, s, fmt.Sprintf(`CREATE MATERIALIZED VIEW views."%s" AS SELECT type AS t, COUNT(*) * %d AS n FROM $all GROUP BY type`, name, i))
	}
	mustRun(t, s, `INSERT INTO a (type) VALUES ('x')`)
	keepNow(t, s)
	assert.Len(t, stateFiles(t, disk), len(names))
	reader := keptStore(t, disk, filestore.Options{ReadOnly: true})
	for i, name := range names {
		text := fmt.Sprintf(`SELECT n FROM views."%s" WHERE t = 'x'`, name)
		assert.Equal(t, "0", examinedBy(t, reader, text), name)
		assert.Equal(t, []string{"", fmt.Sprint(i)}, sortedRows(t, reader, text), name)
	}
}

// TestErasingRemovesTheFilesOfViews before it is done, and what is made anew holds nothing of it.
func TestErasingRemovesTheFilesOfViews(t *testing.T) {
	disk := vfs.NewMem()
	s := countedStore(t, disk, 20)
	at := s.Store.ReadIndex().Head()
	mustRun(t, s, fmt.Sprintf(`INSERT INTO "s-1" (type, payload) VALUES ('x', '{"m": "%s"}')`, erasedMarker))
	keepNow(t, s)
	name := vfs.Join("store", stateFiles(t, disk)[0])
	content, err := vfs.ReadFile(disk, name, 1<<20)
	require.NoError(t, err)
	require.Contains(t, string(content), erasedMarker)
	d, _ := Offers[engine.Deriver](s.Store)
	asked := false
	defer d.OnErase(func(context.Context, engine.Spans) error {
		asked = true
		assert.False(t, s.Settings.Views.keptHolds(erasedMarker))
		return nil
	})()
	mustRun(t, s, fmt.Sprintf("ERASE FROM $all WHERE position = %d REASON 'x'", at))
	waitErased(t, &Session{Store: s.Store})
	assert.True(t, asked)
	assert.Empty(t, stateFiles(t, disk))
	keepNow(t, s)
	content, err = vfs.ReadFile(disk, name, 1<<20)
	require.NoError(t, err)
	assert.NotContains(t, string(content), erasedMarker)
	reader := keptStore(t, disk, filestore.Options{ReadOnly: true})
	assert.Equal(t, "0", examinedBy(t, reader, "SELECT * FROM views.m"))
	assert.Equal(t, sortedRows(t, s, "SELECT * FROM views.m"), sortedRows(t, reader, "SELECT * FROM views.m"))
}

// TestAFileFromBeforeAnErasureIsNotUsed, though it fits the log: somebody has put it back.
func TestAFileFromBeforeAnErasureIsNotUsed(t *testing.T) {
	disk := vfs.NewMem()
	s := countedStore(t, disk, 20)
	keepNow(t, s)
	name := vfs.Join("store", stateFiles(t, disk)[0])
	before, err := vfs.ReadFile(disk, name, 1<<20)
	require.NoError(t, err)
	mustRun(t, s, "ERASE FROM $all WHERE position = 3 REASON 'x'")
	waitErased(t, &Session{Store: s.Store})
	require.NoError(t, vfs.WriteNew(disk, name, func(f vfs.File) error { return vfs.WriteFull(f, before, 0) }))
	reader := keptStore(t, disk, filestore.Options{ReadOnly: true})
	assert.NotContains(t, strings.Join(sortedRows(t, reader, "EXPLAIN SELECT * FROM views.m"), "\n"), "beside the log")
	want := sortedRows(t, reader, "SELECT stream AS s, COUNT(payload) AS n, LAST(payload->>'$.m') AS m FROM $all GROUP BY stream")
	assert.Equal(t, want, sortedRows(t, reader, "SELECT * FROM views.m"))
}

// TestAFullDiskIsNoErrorOfAView: its groups are not beside the log then.
func TestAFullDiskIsNoErrorOfAView(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem()}
	s := countedStore(t, disk, 20)
	disk.full.Store(true)
	keepNow(t, s)
	assert.Empty(t, stateFiles(t, disk))
	assert.Equal(t, []string{"", "8"}, sortedRows(t, s, "SELECT COUNT(*) FROM views.m"))
	disk.full.Store(false)
	keepNow(t, s)
	assert.Len(t, stateFiles(t, disk), 1)
}

// A fullDisk has no room for files of views.
type fullDisk struct {
	vfs.FS
	full atomic.Bool
}

func (d *fullDisk) Open(name string, flag int) (vfs.File, error) {
	f, err := d.FS.Open(name, flag)
	if err != nil || !d.full.Load() || !strings.HasSuffix(name, "state.tmp") {
		return f, err
	}
	return &fullFile{f}, nil
}

type fullFile struct{ vfs.File }

func (f *fullFile) WriteAt([]byte, int64) (int, error) { return 0, io.ErrShortWrite }

// TestAViewThatIsGoneWhenItIsLoadedKeepsNoMemory, nor does one of which nothing can be loaded.
func TestAViewThatIsGoneWhenItIsLoadedKeepsNoMemory(t *testing.T) {
	disk := vfs.NewMem()
	s := keptStore(t, disk, filestore.Options{})
	mustRun(t, s, countsByStream)
	var values []string
	for i := range 200 {
		values = append(values, fmt.Sprintf(`('s-%d', 'x', '{"m": "%s"}')`, i, strings.Repeat("long", 2000)))
	}
	_, err := runText(t.Context(), s, "INSERT INTO $all (stream, type, payload) VALUES "+strings.Join(values, ", "), nil)
	require.NoError(t, err)
	keepNow(t, s)
	reader := keptStore(t, disk, filestore.Options{ReadOnly: true})
	set, err := reader.Settings.Views.at(t.Context(), reader.Store.ReadIndex())
	require.NoError(t, err)
	begin := func() *keptRead {
		r, err := reader.keptReading(t.Context(), set, set.find("m"), reader.Store.ReadIndex())
		require.NoError(t, err)
		return r
	}
	r := begin()
	r.kept.drop() // which somebody who drops the view does while it is loaded
	require.NoError(t, r.load())
	assert.Equal(t, "0", fmt.Sprint(r.kept.budget.held.Load()))
	r.end()
	assert.Zero(t, reader.Settings.Shared.Used(), "of a view that is gone")

	other := keptStore(t, disk, filestore.Options{ReadOnly: true})
	other.Settings.ViewMemory = 1 << 20
	other.Settings.Shared = NewMemory(0)
	assert.Len(t, sortedRows(t, other, "SELECT s, n FROM views.m"), 202, "which is too large to be loaded")
	assert.Zero(t, other.Settings.Shared.Used())
}
