package query

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/parser"
)

// exec runs a statement that must succeed.
func exec(t testing.TB, s *Session, text string, args ...any) Outcome {
	out, err := tryExec(s, text, args...)
	require.NoError(t, err, text)
	return out
}

func tryExec(s *Session, text string, args ...any) (Outcome, error) {
	parsed, err := parseForTest(text)
	if err != nil {
		return Outcome{}, err
	}
	return parsed.Exec(context.Background(), s, named(args))
}

func named(args []any) []driver.NamedValue {
	list := make([]driver.NamedValue, len(args))
	for i, a := range args {
		list[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return list
}

// rowsOf runs a query that must succeed and returns a text per row.
func rowsOf(t testing.TB, s *Session, text string, args ...any) []string {
	list, err := tryRows(context.Background(), s, text, args...)
	require.NoError(t, err, text)
	return list
}

func tryRows(ctx context.Context, s *Session, text string, args ...any) ([]string, error) {
	plan, err := parseForTest(text)
	if err != nil {
		return nil, err
	}
	rows, err := plan.Query(ctx, s, named(args))
	if err != nil {
		return nil, err
	}
	out, err := rowsText(rows)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	return lines[1:], err
}

// TestMemoryBudget: every clause that holds rows names itself when the budget is spent, and gives
// back what it held.
func TestMemoryBudget(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 5000)
	tests := []struct{ clause, text string }{
		{"ORDER BY", "SELECT position FROM $all ORDER BY payload->>'$.note', position"},
		{"ORDER BY", "SELECT event FROM $all ORDER BY type"},
		{"GROUP BY", "SELECT position, COUNT(*) FROM $all GROUP BY position"},
		{"GROUP BY", "SELECT COUNT(DISTINCT position) FROM $all"},
		{"GROUP BY", "SELECT GROUP_CONCAT(payload) FROM $all"},
		{"DISTINCT", "SELECT DISTINCT position FROM $all"},
		{"UNION", "SELECT position FROM $all UNION SELECT 1"},
		{"JOIN", "SELECT COUNT(*) FROM $all a JOIN $all b ON a.position = b.position"},
		{"JOIN", "SELECT COUNT(*) FROM \"order-000001\" a CROSS JOIN $all b WHERE b.type > a.type"},
		{"OVER", "SELECT ROW_NUMBER() OVER (ORDER BY type) FROM $all"},
		{"IN (SELECT ...)", "SELECT COUNT(*) FROM $all WHERE position + 1 IN (SELECT position FROM $all)"},
	}
	for _, tt := range tests {
		small := &Session{Store: store, Settings: Settings{Memory: 100_000}}
		_, err := tryRows(context.Background(), small, tt.text)
		var e *Error
		if assert.ErrorAs(t, err, &e, tt.text) {
			assert.Equal(t, OutOfMemory, e.Kind, tt.text)
			assert.Contains(t, e.Msg, tt.clause+" needs more than the 100000 bytes", tt.text)
		}
		_, err = tryRows(context.Background(), &Session{Store: store}, tt.text)
		assert.NoError(t, err, tt.text)
	}
}

// TestMemoryIsGivenBack: a correlated sub-query that runs once per row holds only what one run
// needs.
func TestMemoryIsGivenBack(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 2000)
	small := &Session{Store: store, Settings: Settings{Memory: 20_000}}
	for _, sub := range []string{
		"SELECT COUNT(*) FROM \"order-000001\" a JOIN \"order-000001\" b ON a.version = b.version AND a.version < o.version",
		"SELECT COUNT(*) FROM (SELECT DISTINCT type FROM \"order-000001\" WHERE version < o.version)",
		"SELECT type FROM \"order-000001\" WHERE version <= o.version ORDER BY payload DESC LIMIT 1 OFFSET 2",
		"SELECT MAX(n) FROM (SELECT type, COUNT(*) AS n FROM \"order-000001\" WHERE version <= o.version GROUP BY type)",
		"SELECT MAX(n) FROM (SELECT ROW_NUMBER() OVER () AS n FROM \"order-000001\" WHERE version <= o.version)",
		"SELECT 1 WHERE o.version IN (SELECT version FROM \"order-000001\" WHERE version <= o.version)",
		"SELECT COUNT(*) FROM (SELECT type FROM \"order-000001\" UNION SELECT stream FROM \"order-000001\" WHERE version < o.version)",
	} {
		assert.Len(t, rowsOf(t, small, "SELECT ("+sub+") FROM $all o"), 2000, sub)
	}
}

// TestTopFitsInMemory: with LIMIT, only so many rows are held, however many there are.
func TestTopFitsInMemory(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 20_000)
	small := &Session{Store: store, Settings: Settings{Memory: 100_000}}
	assert.Equal(t, []string{"19999", "19998", "19997"},
		rowsOf(t, small, "SELECT position FROM $all ORDER BY position + 0 DESC LIMIT 3"))
	assert.Equal(t, []string{"0", "1", "2"}, rowsOf(t, small, "SELECT position FROM $all ORDER BY -position DESC LIMIT 3"))
	assert.Equal(t, []string{"9999", "10000"}, rowsOf(t, small, "SELECT position FROM $all LIMIT 2 OFFSET 9999"))
}

// A stopper is a context that ends after its error was asked for so many times: a cancellation in
// the middle of the work.
type stopper struct {
	context.Context
	mu   sync.Mutex
	left int
}

func (s *stopper) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left--; s.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestCancellation: a context that ends while a statement works ends it with the context's own
// error, wherever it works.
func TestCancellation(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 30_000)
	for _, text := range []string{
		"SELECT position FROM $all WHERE payload->>'$.total' < 0",
		"SELECT COUNT(DISTINCT payload) FROM $all",
		"SELECT type, GROUP_CONCAT(version) FROM $all GROUP BY type",
		"SELECT position FROM $all ORDER BY payload DESC",
		"SELECT DISTINCT payload FROM $all WHERE position < 0 OR payload->>'$.n' = -1",
		"SELECT COUNT(*) FROM $all a JOIN $all b ON a.payload->>'$.n' = b.payload->>'$.n'",
		"SELECT COUNT(*) FROM $all a CROSS JOIN $all b",
		"SELECT SUM(version) OVER (ORDER BY position) FROM $all",
		"SELECT position FROM $all WHERE (SELECT COUNT(*) FROM \"order-000001\" WHERE payload->>'$.n' = position) > 99",
		"SELECT position FROM $all UNION SELECT position FROM $all ORDER BY 1",
	} {
		ctx := &stopper{Context: context.Background(), left: 8}
		_, err := tryRows(ctx, &Session{Store: store}, text)
		assert.True(t, err == context.Canceled, "%s: %v", text, err)
	}
}

// A cancellingStore cancels a context when the third scan of its ReadIndex begins.
type cancellingStore struct {
	engine.Store
	cancel context.CancelFunc
	scans  atomic.Int32
}

func (s *cancellingStore) ReadIndex() engine.ReadIndex {
	return &cancellingIndex{s.Store.ReadIndex(), s}
}

type cancellingIndex struct {
	engine.ReadIndex
	store *cancellingStore
}

func (i *cancellingIndex) Parts(what engine.Filter, n int) []engine.Filter {
	return i.ReadIndex.(engine.Parter).Parts(what, n)
}

func (i *cancellingIndex) Scan(ctx context.Context, what engine.Filter, columns engine.ColumnSet) engine.BatchCursor {
	if i.store.scans.Add(1) == 3 {
		i.store.cancel()
	}
	return i.ReadIndex.Scan(ctx, what, columns)
}

// TestCancelledParts: the parts of a divided scan end with the context, too, and are not taken for
// a whole.
func TestCancelledParts(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 30_000)
	ctx, cancel := context.WithCancel(context.Background())
	s := &cancellingStore{Store: store, cancel: cancel}
	_, err := tryRows(ctx, &Session{Store: s}, "SELECT COUNT(payload) FROM $all")
	assert.True(t, err == context.Canceled, "%v", err)
	assert.GreaterOrEqual(t, s.scans.Load(), int32(3), "the scan was divided")
}

// TestParallelAggregation: a scan that is divided gives what one scan gives.
func TestParallelAggregation(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 30_000)
	_, divided := store.ReadIndex().(engine.Parter)
	require.True(t, divided)
	s := &Session{Store: store}
	for _, text := range []string{
		"SELECT type, COUNT(version), SUM(payload->>'$.total'), AVG(payload->>'$.n'), MIN(position), MAX(payload->>'$.n'), FIRST(position), LAST(position), TOTAL(version) FROM $all%s GROUP BY type",
		"SELECT COUNT(payload), FIRST(stream), LAST(stream) FROM $all%s",
		"SELECT payload->>'$.customer.id' AS c, COUNT(*) FROM $all%s GROUP BY c ORDER BY c",
		"SELECT COUNT(payload) FROM $all%s WHERE payload->>'$.total' > 500",
	} {
		divided := rowsOf(t, s, fmt.Sprintf(text, ""))
		// A sub-query in FROM is not divided.
		whole := rowsOf(t, s, strings.Replace(text, "$all%s", "(SELECT * FROM $all)", 1))
		assert.Equal(t, whole, divided, text)
	}
}

// TestFollow: history, then live events, filtered, until the context ends.
func TestFollow(t *testing.T) {
	store := openStore(t, filestore.Options{})
	s := &Session{Store: store}
	exec(t, s, "INSERT INTO a (type) VALUES ('x'), ('y'), ('x')")
	ctx, cancel := context.WithCancel(context.Background())
	plan := mustCompile(t, "SELECT position, stream FROM $all WHERE type = 'x' FOLLOW")
	rows, err := plan.Query(ctx, s, nil)
	require.NoError(t, err)
	next := func() string {
		dest := make([]driver.Value, 2)
		require.NoError(t, rows.Next(dest))
		return fmt.Sprint(dest[0], " ", dest[1])
	}
	assert.Equal(t, "0 a", next())
	assert.Equal(t, "2 a", next())
	got := make(chan string)
	go func() { got <- next() + next() }() // ends with the two events below
	exec(t, s, "INSERT INTO b (type) VALUES ('y')")
	exec(t, s, "INSERT INTO b (type) VALUES ('x'), ('x')")
	assert.Equal(t, "4 b5 b", <-got)

	ended := make(chan error)
	go func() { ended <- rows.Next(make([]driver.Value, 2)) }() // ends with the context
	cancel()
	assert.True(t, <-ended == context.Canceled)
	assert.True(t, rows.Next(make([]driver.Value, 2)) == context.Canceled, "the end is final")
	assert.NoError(t, rows.Close())
	assert.NoError(t, rows.Close(), "twice")
}

// TestFollowCategory: a category that is followed takes in streams that begin later.
func TestFollowCategory(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // so that a fault does not hang the tests
	defer cancel()
	store := openStore(t, filestore.Options{})
	s := &Session{Store: store}
	exec(t, s, "INSERT INTO \"order-1\" (type) VALUES ('x')")
	rows, err := mustCompile(t, "SELECT stream FROM $all WHERE stream LIKE 'order-%' LIMIT 2 FOLLOW").Query(ctx, s, nil)
	require.NoError(t, err)
	dest := make([]driver.Value, 1)
	require.NoError(t, rows.Next(dest))
	assert.Equal(t, "order-1", dest[0])
	exec(t, s, "INSERT INTO other (type) VALUES ('x')")
	exec(t, s, "INSERT INTO \"order-2\" (type) VALUES ('x')")
	require.NoError(t, rows.Next(dest))
	assert.Equal(t, "order-2", dest[0])
	assert.True(t, rows.Next(dest) == io.EOF, "LIMIT ends it")
	assert.NoError(t, rows.Close())
}

// TestTransactionSnapshot: a read-only transaction shows one snapshot to all its queries.
func TestTransactionSnapshot(t *testing.T) {
	store := openStore(t, filestore.Options{})
	writer, reader := &Session{Store: store}, &Session{Store: store}
	exec(t, writer, "INSERT INTO a (type) VALUES ('x')")
	reader.Tx = Begin(store, true)
	exec(t, writer, "INSERT INTO a (type) VALUES ('y')")
	assert.Equal(t, []string{"1"}, rowsOf(t, reader, "SELECT COUNT(*) FROM $all"))
	assert.Equal(t, []string{`"x" | 1`}, rowsOf(t, reader, "SELECT type, COUNT(*) FROM $all GROUP BY type"))
	_, err := tryExec(reader, "INSERT INTO a (type) VALUES ('z')")
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, ReadOnly, e.Kind)
	_, err = tryExec(reader, "COMMIT")
	require.ErrorAs(t, err, &e, "a transaction of BeginTx is ended by it")
	require.NoError(t, reader.Tx.Commit(context.Background()))
	assert.ErrorIs(t, reader.Tx.Commit(context.Background()), ErrTxDone)
	reader.Tx = nil
	assert.Equal(t, []string{"2"}, rowsOf(t, reader, "SELECT COUNT(*) FROM $all"))
}

// TestTransactionSize: a transaction that Commit would find too large is refused where it becomes
// so.
func TestTransactionSize(t *testing.T) {
	store := openStore(t, filestore.Options{MaxEventSize: engine.MaxEventLimit})
	s := &Session{Store: store, Tx: Begin(store, false)}
	big := strings.Repeat("x", 15<<20)
	for range 4 {
		exec(t, s, "INSERT INTO a (type, payload) VALUES ('x', ?)", big)
	}
	_, err := tryExec(s, "INSERT INTO a (type, payload) VALUES ('x', ?)", big)
	var large *engine.TooLargeError
	require.ErrorAs(t, err, &large)
	assert.Equal(t, "append", large.What)
	require.NoError(t, s.Tx.Commit(context.Background()), "what was there before is still good")
	assert.EqualValues(t, 4, store.ReadIndex().Head())
}

// TestReturningOutlivesItsContext: the append is complete when Query returns, so its rows do not
// depend on the context.
func TestReturningOutlivesItsContext(t *testing.T) {
	store := openStore(t, filestore.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	rows, err := mustCompile(t, "INSERT INTO a (type) VALUES ('x') RETURNING position").Query(ctx,
		&Session{Store: store}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, store.ReadIndex().Head())
	cancel()
	dest := make([]driver.Value, 1)
	require.NoError(t, rows.Next(dest))
	assert.Equal(t, int64(0), dest[0])
	assert.True(t, rows.Next(dest) == io.EOF)
}

// TestPlansAreShared: one plan serves any number of goroutines at once.
func TestPlansAreShared(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 2000)
	plans := map[string]*Plan{}
	want := map[string][]string{}
	for _, text := range []string{
		"SELECT type, SUM(payload->>'$.total'), MAX(payload->>'$.n') FROM $all WHERE type IN ('OrderEvent01', 'OrderEvent02') GROUP BY type",
		"SELECT position FROM $all WHERE position IN (SELECT position FROM $all WHERE payload->>'$.note' REGEXP 'takes.room' AND version = 3) ORDER BY type, position DESC LIMIT 5",
		"SELECT stream, ROW_NUMBER() OVER (PARTITION BY type ORDER BY position) FROM $all ORDER BY position LIMIT 7",
		"SELECT a.position FROM $all a JOIN $all b ON a.stream = b.stream AND b.version = 9 WHERE a.version = 0 AND a.payload->>'$.n' < 100",
	} {
		plans[text] = mustCompile(t, text)
		want[text] = rowsOf(t, &Session{Store: store}, text)
		require.NotEmpty(t, want[text])
	}
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			s := &Session{Store: store}
			for text, plan := range plans {
				rows, err := plan.Query(context.Background(), s, nil)
				if !assert.NoError(t, err) {
					return
				}
				out, err := rowsText(rows)
				assert.NoError(t, err)
				assert.Equal(t, want[text], strings.Split(strings.TrimSuffix(out, "\n"), "\n")[1:], text)
			}
		})
	}
	running.Wait()
}

// TestOtherStores: queries need nothing but the contract.
func TestOtherStores(t *testing.T) {
	model := enginetest.NewModel()
	fill(t, model, 300)
	s := &Session{Store: model}
	assert.Equal(t, []string{"300"}, rowsOf(t, s, "SELECT COUNT(*) FROM $all"))
	assert.Equal(t, []string{`"OrderEvent05" | 25`},
		rowsOf(t, s, "SELECT type, COUNT(*) FROM $all WHERE type LIKE '%5' GROUP BY type"))
	assert.Equal(t, []string{"9"}, rowsOf(t, s, `SELECT MAX(version) FROM "order-000003"`))
	exec(t, s, "BEGIN")
	exec(t, s, "INSERT INTO a (type) VALUES ('x') EXPECTING NO STREAM")
	exec(t, s, "COMMIT")
	assert.Equal(t, []string{`"a"`}, rowsOf(t, s, "SELECT stream FROM $all ORDER BY position DESC LIMIT 1"))
}

// TestClosedStore: everything on a closed store is ErrClosed.
func TestClosedStore(t *testing.T) {
	store, err := filestore.Open("closed", filestore.Options{FS: vfs.NewMem()})
	require.NoError(t, err)
	s := &Session{Store: store}
	exec(t, s, "INSERT INTO a (type) VALUES ('x')")
	require.NoError(t, store.Close())
	for _, text := range []string{"SELECT * FROM $all", "SELECT COUNT(*) FROM $all", "SELECT * FROM $streams",
		"SELECT * FROM $types", "SELECT * FROM $all FOLLOW"} {
		_, err := tryRows(context.Background(), s, text)
		assert.ErrorIs(t, err, engine.ErrClosed, text)
	}
	_, err = tryExec(s, "INSERT INTO a (type) VALUES ('x')")
	assert.ErrorIs(t, err, engine.ErrClosed)
}

// TestAllocations holds ceilings of what reading allocates: per row where a row has to be handed
// out, none per row otherwise.
func TestAllocations(t *testing.T) {
	skipUnderRace(t)
	const events = 20_000
	store := openStore(t, filestore.Options{})
	fill(t, store, events)
	s := &Session{Store: store}
	tests := []struct {
		text   string
		perRow float64
	}{
		{"SELECT event FROM $all", 0.05},
		{"SELECT type FROM $all", 0.05},
		{"SELECT stream, type FROM $all", 0.5},
		{"SELECT position, version, type, payload FROM $all", 2.5},
		{"SELECT position FROM $all WHERE payload->>'$.total' < 0", 0.05},
		{"SELECT type, SUM(payload->>'$.total'), MAX(payload->>'$.n') FROM $all GROUP BY type", 0.1},
		{"SELECT COUNT(*) FROM $all", 0.01},
		{"SELECT type, COUNT(*) FROM $all GROUP BY type", 0.02},
		{"SELECT position FROM $all ORDER BY position DESC LIMIT 1", 0.01},
	}
	for _, tt := range tests {
		plan := mustCompile(t, tt.text)
		n := testing.AllocsPerRun(3, func() { readAll(t, s, plan) })
		assert.LessOrEqual(t, n/events, tt.perRow, tt.text)
	}
}

// TestShortQueriesAllocateLittle holds what queries of few rows allocate, where what is made for
// many rows would be most of it.
func TestShortQueriesAllocateLittle(t *testing.T) {
	skipUnderRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 20_000)
	s := &Session{Store: store}
	tests := []struct {
		text          string
		allocs, bytes float64 // at most
	}{
		{"SELECT version, payload FROM $all WHERE position = 777", 60, 8 << 10},
		{"SELECT position, version, type, payload FROM \"order-000500\"", 110, 16 << 10},
		{"SELECT position, stream, version, type, payload, metadata FROM $all WHERE stream = 'order-000500' ORDER BY version", 130, 24 << 10},
		{"SELECT type FROM $all ORDER BY position DESC LIMIT 1", 60, 8 << 10},
		{"SELECT COUNT(*) FROM $all WHERE type = 'OrderEvent03'", 60, 12 << 10},
	}
	for _, tt := range tests {
		plan := mustCompile(t, tt.text)
		allocs, bytes := math.Inf(1), math.Inf(1)
		for range 5 { // what the store does beside, laying out its log, say, counts as well: the least is the query's own
			const runs = 20
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			n := testing.AllocsPerRun(runs, func() { readAll(t, s, plan) })
			runtime.ReadMemStats(&after)
			allocs, bytes = min(allocs, n), min(bytes, float64(after.TotalAlloc-before.TotalAlloc)/(runs+1))
		}
		assert.LessOrEqual(t, allocs, tt.allocs, tt.text)
		assert.LessOrEqual(t, bytes, tt.bytes, tt.text)
		t.Logf("%s: %.0f allocations, %.0f bytes", tt.text, allocs, bytes)
	}
}

// TestDirectedScanStops: ORDER BY position DESC with LIMIT looks at no more events than it gives,
// more or less.
func TestDirectedScanStops(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 20_000)
	s := &Session{Store: store}
	for _, text := range []string{
		"EXPLAIN ANALYZE SELECT position FROM $all ORDER BY position DESC LIMIT 3",
		"EXPLAIN ANALYZE SELECT position FROM $all LIMIT 3",
		"EXPLAIN ANALYZE SELECT MAX(position) FROM $all",
		"EXPLAIN ANALYZE SELECT position FROM $all WHERE position BETWEEN 100 AND 105",
		`EXPLAIN ANALYZE SELECT version FROM "order-000007" ORDER BY version DESC LIMIT 1`,
		"EXPLAIN ANALYZE SELECT position FROM $all WHERE position > 10 AND position < 5",
	} {
		examined := -1
		for _, row := range rowsOf(t, s, text) {
			_, _ = fmt.Sscanf(row, `"examined" | "%d events`, &examined)
		}
		assert.True(t, examined >= 0 && examined <= batchRows, "%s examined %d", text, examined)
	}
}

// TestBindErrors: wrong arguments are refused before anything runs.
func TestBindErrors(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	plan := mustCompile(t, "SELECT ?")
	for _, args := range [][]driver.NamedValue{nil, named([]any{1, 2}), {{Name: "x", Value: int64(1)}},
		named([]any{struct{}{}})} {
		_, err := plan.Query(context.Background(), s, args)
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, BadArgument, e.Kind)
	}
}

// TestValuesOut: what comes out of each type of column, and that NULLs come out of those that may
// be NULL.
func TestValuesOut(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	store := openStore(t, filestore.Options{Now: func() time.Time { return at }})
	s := &Session{Store: store}
	exec(t, s, `INSERT INTO a (type, payload) VALUES ('x', '{"n": 1}')`)
	plan := mustCompile(t, "SELECT position, stream, payload, metadata, recorded_at, 1.5, x'00ff', NULL, payload->>'$.n', payload->'$.n', event FROM $all")
	row := func(s *Session) []driver.Value {
		rows, err := plan.Query(context.Background(), s, nil)
		require.NoError(t, err)
		dest := make([]driver.Value, 11)
		require.NoError(t, rows.Next(dest))
		return dest
	}
	got := row(s)
	assert.Equal(t, []driver.Value{int64(0), "a", []byte(`{"n": 1}`), []byte(`{}`), at, 1.5, []byte{0, 255}, nil,
		int64(1), []byte("1")}, got[:10])
	event, ok := got[10].(*engine.Event)
	require.True(t, ok)
	assert.Equal(t, at, event.RecordedAt)
	assert.Equal(t, "x", event.Type)

	texts := row(&Session{Store: store, Settings: Settings{JSONText: true}})
	assert.Equal(t, []driver.Value{`{"n": 1}`, `{}`}, texts[2:4])
	assert.Equal(t, "1", texts[9])
}

// TestLimits: statements that would grow out of bounds are refused.
func TestLimits(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	tables := strings.Repeat(", $all", 63)
	assert.Empty(t, rowsOf(t, s, "SELECT 1 FROM $all a"+tables))
	_, err := tryRows(context.Background(), s, "SELECT 1 FROM $all a"+tables+", $all")
	assert.ErrorContains(t, err, "at most 64 tables")
	_, err = tryRows(context.Background(), s, "SELECT "+strings.Repeat("*, ", 300)+"1 FROM $all")
	assert.ErrorContains(t, err, "at most 2000 columns")
	assert.Equal(t, []string{"NULL"},
		rowsOf(t, s, "SELECT "+strings.Repeat("(SELECT ", 40)+"NULL"+strings.Repeat(")", 40)))
}

func parseForTest(text string) (*Plan, error) {
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	return Compile(parsed)
}

// Bytes may be written to by their owner as soon as a statement is done: neither the transaction's
// events nor an error may change with them.
func TestArgumentsAreNotKept(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	insert := mustCompile(t, `INSERT INTO ? (type, payload, metadata) VALUES (?, ?, ?) EXPECTING NO STREAM`)
	texts := [][]byte{[]byte("stream"), []byte("Type"), []byte(`{"n": 1}`), []byte(`{"m": 1}`)}
	exec := func() error {
		args := make([]any, len(texts))
		for i, text := range texts {
			args[i] = slices.Clone(text)
		}
		_, err := insert.Exec(context.Background(), s, named(args))
		for _, arg := range args {
			clear(arg.([]byte))
		}
		return err
	}
	var conflict *engine.ConflictError
	check := func() {
		require.ErrorAs(t, exec(), &conflict)
		assert.Equal(t, "stream", conflict.Checks[0].Stream)
		cursor := s.Store.ReadIndex().ReadStream(context.Background(), "stream", 0, engine.Forwards)
		require.True(t, cursor.Next())
		e := cursor.Event()
		assert.Equal(t, "Type", e.Type)
		assert.Equal(t, texts[2], e.Payload)
		assert.Equal(t, texts[3], e.Metadata)
		require.NoError(t, cursor.Close())
	}
	require.NoError(t, exec())
	check()

	s = &Session{Store: openStore(t, filestore.Options{})}
	s.Tx = Begin(s.Store, false)
	require.NoError(t, exec())
	require.ErrorAs(t, exec(), &conflict)
	assert.Equal(t, 1, readAll(t, s,
		mustCompile(t, `SELECT * FROM $all WHERE stream = 'stream' AND type = 'Type' AND payload->>'n' = 1`)))
	require.NoError(t, s.Tx.Commit(context.Background()))
	s.Tx = nil
	check()
}

func TestParserKnowsTheEnginesLimitOfNames(t *testing.T) {
	assert.Equal(t, engine.MaxStreamSize, parser.MaxStreamName)
}
