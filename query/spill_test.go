package query

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/query/internal/spill"
)

// A spillFS is a file system in memory that counts what queries do with their files, and does something
// else with a call.
type spillFS struct {
	vfs.FS
	calls atomic.Int64
	at    int64                                      // which call; 0 for none
	fault func(read bool, p []byte) (n int, e error) // instead of it; n < 0 lets it pass, and p is what was read
}

func newSpillFS(t testing.TB) *spillFS {
	f := &spillFS{FS: vfs.NewMem()}
	require.NoError(t, f.MkdirAll("tmp"))
	return f
}

func (f *spillFS) Open(name string, flag int) (vfs.File, error) {
	file, err := f.FS.Open(name, flag)
	return &spillFile{file, f}, err
}

// left is what is in the directory.
func (f *spillFS) left(t testing.TB) []string {
	names, err := f.List("tmp")
	require.NoError(t, err)
	return names
}

type spillFile struct {
	vfs.File
	fs *spillFS
}

func (f *spillFile) WriteAt(p []byte, off int64) (int, error) {
	if f.fs.calls.Add(1) == f.fs.at {
		if n, err := f.fs.fault(false, p); n >= 0 {
			return n, err
		}
	}
	return f.File.WriteAt(p, off)
}

func (f *spillFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if f.fs.calls.Add(1) == f.fs.at {
		if n, err := f.fs.fault(true, p); n >= 0 {
			return n, err
		}
	}
	return n, err
}

// spilling is a session of little memory whose queries may use files.
func spilling(store engine.Store, fsys vfs.FS, memory int64) *Session {
	return &Session{Store: store, Settings: Settings{Memory: memory,
		Spill: Spill{Space: spill.NewSpace(fsys), Dir: "tmp", Limit: 64 << 20}}}
}

// fillRandomly appends events of many customers, with texts of all lengths.
func fillRandomly(t testing.TB, r *rand.Rand, n int) engine.Store {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	for i := 0; i < n; {
		var batch []engine.Append
		for range 50 {
			a := engine.Append{Stream: fmt.Sprintf("s-%d", r.IntN(n/4+1))}
			for range r.IntN(4) + 1 {
				name := fmt.Sprintf(`"c%d"`, r.IntN(n/2+1))
				switch r.IntN(20) {
				case 0:
					name = "null"
				case 1:
					name = fmt.Sprint(r.IntN(100))
				case 2:
					name = fmt.Sprintf(`"%s"`, strings.Repeat("x", r.IntN(300)))
				}
				payload := fmt.Sprintf(`{"c": %s, "n": %d, "f": %.3f, "t": "%s"}`, name, r.IntN(50), r.Float64(), strings.Repeat("t", r.IntN(80)))
				a.Events = append(a.Events, engine.NewEvent{Type: fmt.Sprint("T", r.IntN(5)), Payload: []byte(payload)})
				i++
			}
			batch = append(batch, a)
		}
		_, err := store.Append(t.Context(), batch...)
		require.NoError(t, err)
	}
	return store
}

// spilledStatements are statements that need more than a little memory.
var spilledStatements = []string{
	"SELECT payload, position FROM $all ORDER BY payload",
	"SELECT payload ->> '$.n', position, type FROM $all ORDER BY 1 DESC, type",
	"SELECT payload FROM $all ORDER BY payload ->> '$.c' NULLS LAST, payload ->> '$.f' DESC LIMIT 1200 OFFSET 40",
	"SELECT upper(payload), position FROM $all ORDER BY upper(payload) COLLATE NOCASE, 2 DESC",
	"SELECT x, y FROM (SELECT payload AS x, type AS y FROM $all UNION ALL SELECT type, payload FROM $all) AS t ORDER BY y, x",
	"SELECT payload FROM $all UNION SELECT type FROM $all UNION SELECT upper(payload) FROM $all",
	"SELECT type, payload ->> '$.t' FROM $all UNION ALL SELECT type, payload ->> '$.c' FROM $all ORDER BY 2, 1",
	"SELECT DISTINCT payload ->> '$.c', type FROM $all",
	"SELECT DISTINCT payload ->> '$.f', payload ->> '$.c' FROM $all ORDER BY 2, 1 DESC",
	"SELECT DISTINCT upper(payload) FROM $all LIMIT 900",
	"SELECT payload ->> '$.c' AS c, COUNT(*), SUM(payload ->> '$.n') FROM $all GROUP BY c",
	"SELECT payload ->> '$.c' AS c, MAX(payload ->> '$.t'), MIN(position), AVG(payload ->> '$.f') FROM $all GROUP BY c ORDER BY 2, 1",
	"SELECT payload ->> '$.c' AS c, type, group_concat(payload ->> '$.n'), COUNT(DISTINCT payload ->> '$.n') FROM $all GROUP BY c, type",
	"SELECT payload ->> '$.f' AS f, first(payload), last(type), max_by(type, position), median(position) FROM $all GROUP BY f HAVING COUNT(*) < 9",
	"SELECT payload ->> '$.c' AS c, type, SUM(payload ->> '$.f'), COUNT(*) FILTER (WHERE type > 'T2') FROM $all GROUP BY ROLLUP (c, type)",
	"SELECT payload ->> '$.c' AS c, grouping(c), COUNT(DISTINCT type), MAX(payload ->> '$.t') FROM $all GROUP BY GROUPING SETS ((c), ())",
	"SELECT payload ->> '$.c' AS c, group_concat(type ORDER BY position DESC), COUNT(*) FROM $all GROUP BY c",
	"SELECT COUNT(*) FROM (SELECT payload ->> '$.c' AS c, json_group_array(type) FROM $all GROUP BY 1) AS t",
	"SELECT a.position, b.position FROM $all AS a JOIN $all AS b ON a.payload ->> '$.c' = b.payload ->> '$.c' AND a.position < b.position",
	"SELECT a.position, b.payload FROM $all AS a LEFT JOIN $all AS b ON a.payload ->> '$.c' = b.payload ->> '$.c' AND b.type = 'T1' AND a.type <> 'T2'",
	"SELECT a.position, b.position FROM $all AS a FULL JOIN $all AS b ON a.payload ->> '$.f' = b.payload ->> '$.f' AND a.type > b.type",
	"SELECT COUNT(*), SUM(a.position - b.position) FROM $all AS a JOIN $all AS b ON a.type = b.type AND a.payload > b.payload WHERE a.position < 100",
	"SELECT a.position, b.n FROM (SELECT * FROM $all WHERE position < 40) AS a LEFT JOIN (SELECT payload, payload ->> '$.n' AS n FROM $all) AS b ON a.position = b.n + 7 OR b.n + 11 = a.position",
	"SELECT c, COUNT(*) FROM (SELECT DISTINCT a.payload ->> '$.c' AS c, b.position AS p FROM $all AS a JOIN $all AS b ON a.stream = b.stream) AS t GROUP BY c ORDER BY COUNT(*) DESC, c",
}

// TestFilesGiveWhatMemoryGives compares statements with little memory and files with the same in much
// memory, rows in their order.
func TestFilesGiveWhatMemoryGives(t *testing.T) {
	testenv.WithoutRace(t)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	store := fillRandomly(t, r, testenv.Scale(1500, 20_000))
	plain := &Session{Store: store}
	for _, text := range spilledStatements {
		want := rowsOf(t, plain, text)
		for _, memory := range []int64{40 << 10, 1 << 20} {
			fsys := newSpillFS(t)
			small := spilling(store, fsys, memory)
			small.Settings.Shared = NewMemory(0)
			got, err := tryRows(t.Context(), small, text)
			require.NoError(t, err, "%d bytes: %s", memory, text)
			require.Equal(t, len(want), len(got), "%d bytes: %s", memory, text)
			for i := range want {
				require.Equal(t, want[i], got[i], "%d bytes: row %d: %s", memory, i, text)
			}
			if memory < 50<<10 {
				assert.Positive(t, small.Settings.Spill.Space.Written(), text)
			}
			assert.Zero(t, small.Settings.Spill.Space.Files(), text)
			assert.Zero(t, small.Settings.Spill.Space.Bytes(), text)
			assert.Zero(t, small.Settings.Shared.Used(), text)
			assert.Empty(t, fsys.left(t), text)
		}
	}
}

// TestWithoutAFileMemoryIsTheLimit: who may use no file is told so as before.
func TestWithoutAFileMemoryIsTheLimit(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 2000)
	_, err := tryRows(t.Context(), &Session{Store: store, Settings: Settings{Memory: 96 << 10}}, "SELECT payload FROM $all ORDER BY 1")
	var spent *MemoryError
	require.ErrorAs(t, err, &spent)
	assert.Equal(t, MemoryError{Clause: "ORDER BY", Limit: 96 << 10}, *spent)
}

// TestASpillEndsAtItsLimit: the error names the clause, the limit and the option.
func TestASpillEndsAtItsLimit(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 2000)
	for clause, text := range map[string]string{
		"ORDER BY": "SELECT payload FROM $all ORDER BY 1",
		"GROUP BY": "SELECT payload, COUNT(*) FROM $all GROUP BY 1",
		"DISTINCT": "SELECT DISTINCT payload FROM $all",
		"JOIN":     "SELECT a.position FROM $all AS a JOIN $all AS b ON a.payload = b.payload",
	} {
		s := spilling(store, newSpillFS(t), 96<<10)
		s.Settings.Spill.Limit = 32 << 10
		_, err := tryRows(t.Context(), s, text)
		var e *Error
		require.ErrorAs(t, err, &e, text)
		assert.Equal(t, OutOfMemory, e.Kind)
		assert.Contains(t, e.Hint, "raise spill")
		var full *SpillError
		require.ErrorAs(t, err, &full, text)
		assert.Equal(t, SpillError{Clause: clause, Dir: "tmp", Limit: 32 << 10, Spent: true}, *full)
		assert.Zero(t, s.Settings.Spill.Space.Bytes())
	}
}

// faultyStatements spill in every clause.
var faultyStatements = []string{
	"SELECT payload FROM $all ORDER BY 1", "SELECT payload, MAX(type) FROM $all GROUP BY 1", "SELECT DISTINCT payload FROM $all",
	"SELECT a.position FROM $all AS a JOIN $all AS b ON a.payload = b.payload",
}

// TestEveryFaultOfAFileIsAnError: whichever call fails, and whichever block comes back another one, the
// statement ends with an error that tells of it, holds nothing afterwards, and never gives other rows.
func TestEveryFaultOfAFileIsAnError(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 600)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	faults := []struct { // a list, so that a seed draws the same for each
		name  string
		fault func(read bool, p []byte) (int, error)
		is    error
	}{
		{"full", func(read bool, _ []byte) (int, error) { return 0, syscall.ENOSPC }, syscall.ENOSPC},
		{"error", func(bool, []byte) (int, error) { return 0, syscall.EIO }, syscall.EIO},
		{"damage", func(_ bool, p []byte) (int, error) {
			p[len(p)/2] ^= 4 // of what is written, or of what was read
			return -1, nil
		}, spill.ErrDamaged},
	}
	for _, text := range faultyStatements {
		fsys := newSpillFS(t)
		want, err := tryRows(t.Context(), spilling(store, fsys, 64<<10), text)
		require.NoError(t, err, text)
		calls := fsys.calls.Load()
		require.Greater(t, calls, int64(20), text)
		for _, f := range faults {
			for range testenv.Scale(12, 400) {
				fsys := newSpillFS(t)
				fsys.at, fsys.fault = 1+r.Int64N(calls), f.fault
				s := spilling(store, fsys, 64<<10)
				s.Settings.Shared = NewMemory(0)
				got, err := tryRows(t.Context(), s, text)
				if err == nil { // a block that nobody read: its part was given up
					require.Equal(t, want, got, "%s at %d of %d: %s", f.name, fsys.at, calls, text)
				} else {
					require.ErrorIs(t, err, f.is, "%s at %d of %d: %s", f.name, fsys.at, calls, text)
					require.ErrorAs(t, err, new(*SpillError), text)
				}
				require.Zero(t, s.Settings.Spill.Space.Files())
				require.Zero(t, s.Settings.Shared.Used())
				require.Empty(t, fsys.left(t))
			}
		}
	}
}

// TestAContextEndsASpill: while a file is written and while it is read.
func TestAContextEndsASpill(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 1000)
	for _, text := range faultyStatements {
		fsys := newSpillFS(t)
		_, err := tryRows(t.Context(), spilling(store, fsys, 64<<10), text)
		require.NoError(t, err, text)
		calls := fsys.calls.Load()
		for part := range int64(8) {
			ctx, cancel := context.WithCancel(t.Context())
			fsys := newSpillFS(t)
			fsys.at = 1 + calls*part/10
			fsys.fault = func(bool, []byte) (int, error) { cancel(); return -1, nil }
			s := spilling(store, fsys, 64<<10)
			_, err := tryRows(ctx, s, text)
			assert.ErrorIs(t, err, context.Canceled, "%d of %d: %s", fsys.at, calls, text)
			assert.Zero(t, s.Settings.Spill.Space.Files(), text)
			assert.Empty(t, fsys.left(t))
			cancel()
		}
	}
}

// TestADirectoryThatIsNotThereIsTold: the query says where it could not make its file.
func TestADirectoryThatIsNotThereIsTold(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 1000)
	for _, text := range faultyStatements {
		s := spilling(store, newSpillFS(t), 64<<10)
		s.Settings.Spill.Dir = "nowhere"
		_, err := tryRows(t.Context(), s, text)
		var e *Error
		require.ErrorAs(t, err, &e, text)
		assert.Equal(t, OutOfMemory, e.Kind, text)
		assert.Contains(t, e.Msg, "nowhere")
		assert.Contains(t, e.Hint, "spill_dir")
		small := "SELECT type, COUNT(*) FROM $all GROUP BY type"
		_, err = tryRows(t.Context(), s, small)
		assert.NoError(t, err, "what memory holds needs no directory")
	}
}

// TestQueriesSpillSideBySide: each has a file of its own, and those of a store share its memory.
func TestQueriesSpillSideBySide(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 400)
	fsys, shared := newSpillFS(t), NewMemory(2<<20)
	want := map[string][]string{}
	for _, text := range faultyStatements {
		want[text] = rowsOf(t, &Session{Store: store}, text)
	}
	space := spill.NewSpace(fsys)
	var running sync.WaitGroup
	for range 2 {
		for _, text := range faultyStatements {
			running.Go(func() {
				s := spilling(store, fsys, 50<<10)
				s.Settings.Shared, s.Settings.Spill.Space = shared, space
				got, err := tryRows(t.Context(), s, text)
				assert.NoError(t, err, text)
				assert.Equal(t, want[text], got, text)
			})
		}
	}
	running.Wait()
	assert.Zero(t, space.Files())
	assert.Zero(t, shared.Used())
	assert.Empty(t, fsys.left(t))
}

// TestTheStoresMemoryCanBeSpilledToo: it is no matter which of the two limits is met.
func TestTheStoresMemoryCanBeSpilledToo(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 4000)
	for _, text := range faultyStatements {
		s := spilling(store, newSpillFS(t), 0)
		s.Settings.Shared = NewMemory(400 << 10)
		assert.Equal(t, rowsOf(t, &Session{Store: store}, text), rowsOf(t, s, text), text)
		assert.Positive(t, s.Settings.Spill.Space.Written(), text)
		assert.Zero(t, s.Settings.Shared.Used())
	}
}

// TestRowsThatAreGivenStayAsTheyAre: a text of a row that a program keeps is not changed by the rows that
// are read from the file after it.
func TestRowsThatAreGivenStayAsTheyAre(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 1500)
	for _, text := range faultyStatements[:3] {
		rows, err := mustCompile(t, text).Query(t.Context(), spilling(store, newSpillFS(t), 64<<10), nil)
		require.NoError(t, err)
		var kept []driver.Value
		var copies []string
		dest := make([]driver.Value, len(rows.Columns()))
		for {
			if err = rows.Next(dest); err != nil {
				break
			}
			kept, copies = append(kept, dest[0]), append(copies, fmt.Sprintf("%s", dest[0]))
		}
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, rows.Close())
		for i := range kept {
			require.Equal(t, copies[i], fmt.Sprintf("%s", kept[i]), text)
		}
	}
}

// TestRowsThatAreLeftLeaveNothing: who closes the rows of a query before their end.
func TestRowsThatAreLeftLeaveNothing(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 1500)
	for _, text := range faultyStatements {
		s := spilling(store, newSpillFS(t), 64<<10)
		rows, err := mustCompile(t, text).Query(t.Context(), s, nil)
		require.NoError(t, err)
		dest := make([]driver.Value, len(rows.Columns()))
		for range 1200 {
			require.NoError(t, rows.Next(dest))
		}
		assert.Equal(t, int64(1), s.Settings.Spill.Space.Files(), text)
		require.NoError(t, rows.Close())
		assert.Zero(t, s.Settings.Spill.Space.Files(), text)
	}
}

// TestExplainAnalyzeTellsOfTheFile and $stats of it.
func TestExplainAnalyzeTellsOfTheFile(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 1500)
	s := spilling(store, newSpillFS(t), 64<<10)
	told := strings.Join(rowsOf(t, s, "EXPLAIN ANALYZE SELECT payload FROM $all ORDER BY 1"), "\n")
	assert.Regexp(t, `"spilled" \| "[0-9]+ bytes, written to a temporary file"`, told)
	assert.NotContains(t, strings.Join(rowsOf(t, s, "EXPLAIN ANALYZE SELECT type FROM $all LIMIT 3"), "\n"), "spilled")
	assert.Equal(t, []string{`"spill_bytes" | 0`, `"spill_files" | 0`},
		rowsOf(t, s, "SELECT name, value FROM $stats WHERE name LIKE 'spill\\__%' ESCAPE '\\' ORDER BY name"))
	assert.Equal(t, []string{"1"}, rowsOf(t, s, "SELECT value > 100000 FROM $stats WHERE name = 'spilled_bytes'"))
}
