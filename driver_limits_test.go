package eventfold_test

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/internal/testenv"
)

// payloads appends so many events with payloads of so many bytes.
func payloads(t *testing.T, db *sql.DB, events, size int) {
	t.Helper()
	for i := range events {
		mustExec(t, db, "INSERT INTO s (type, payload) VALUES (?, ?)", fmt.Sprint("T", i%7),
			fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", size)))
	}
}

// TestAQueryThatNeedsTooMuchMemorySaysWhichLimitItMet: the query's own, or that of all queries of
// the store.
func TestAQueryThatNeedsTooMuchMemorySaysWhichLimitItMet(t *testing.T) {
	dsn := "file:" + t.Name() + "?mode=memory&memory=4MiB&spill=0&query_memory="
	db := openDB(t, dsn+"3MiB")
	payloads(t, db, 12, 100<<10)

	const sorted = "SELECT payload FROM s ORDER BY payload"
	first, err := db.Query(sorted)
	require.NoError(t, err)
	require.True(t, first.Next())
	assert.Greater(t, one[int64](t, db, "SELECT value FROM $stats WHERE name = 'memory_used'"), int64(2<<20))

	_, err = db.Exec(sorted)
	var spent *eventfold.MemoryError
	require.ErrorIs(t, err, eventfold.ErrMemory)
	require.ErrorAs(t, err, &spent)
	assert.Equal(t, eventfold.MemoryError{Clause: "ORDER BY", Limit: 4 << 20, Store: true}, *spent)
	assert.ErrorContains(t, err, "or raise memory")

	require.NoError(t, first.Close())
	mustExec(t, db, sorted)

	_, err = openDB(t, dsn+"1MiB").Exec(sorted)
	require.ErrorIs(t, err, eventfold.ErrMemory)
	require.ErrorAs(t, err, &spent)
	assert.Equal(t, eventfold.MemoryError{Clause: "ORDER BY", Limit: 1 << 20}, *spent)
	assert.ErrorContains(t, err, "or raise query_memory")

	assert.Equal(t, int64(4<<20), one[int64](t, db, "SELECT value FROM $stats WHERE name = 'memory_limit'"))
	assert.Equal(t, int64(0), one[int64](t, db, "SELECT value FROM $stats WHERE name = 'memory_used'"))
	assert.Greater(t, one[int64](t, db, "SELECT value FROM $stats WHERE name = 'memory_peak'"), int64(2<<20))
}

// TestManySortsAtOnceStayWithinTheStoresMemory: each alone may hold enough, all together may not.
func TestManySortsAtOnceStayWithinTheStoresMemory(t *testing.T) {
	db := openDB(t, "file:"+t.Name()+"?mode=memory&memory=16MiB")
	payloads(t, db, 50, 100<<10)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { // ends with its queries; waited for below
			for range 5 {
				if _, err := db.Exec("SELECT payload, type FROM $all ORDER BY payload"); err != nil {
					assert.ErrorIs(t, err, eventfold.ErrMemory)
				}
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, one[int64](t, db, "SELECT value FROM $stats WHERE name = 'memory_peak'"), int64(16<<20))
	mustExec(t, db, "SELECT payload, type FROM $all ORDER BY payload")
	assert.Equal(t, int64(0), one[int64](t, db, "SELECT value FROM $stats WHERE name = 'memory_used'"))
}

// TestConnectorsOfAStoreAgreeAboutItsMemory: it is one budget, so that two of different size
// contradict each other.
func TestConnectorsOfAStoreAgreeAboutItsMemory(t *testing.T) {
	dir := t.TempDir()
	mustExec(t, openDB(t, dir+"?memory=64MiB"), "INSERT INTO s (type) VALUES ('a')")
	assert.NoError(t, openDB(t, dir+"?memory=65536KiB&query_memory=1MiB").Ping())
	err := openDB(t, dir+"?memory=1GiB").Ping()
	require.ErrorIs(t, err, eventfold.ErrConfig)
	assert.ErrorContains(t, err, "memory=64MiB, not memory=1GiB")
}

// A counted context ends once it has been asked so often whether it has ended.
type countedContext struct {
	context.Context
	end   context.CancelFunc
	asked atomic.Int64
	most  int64
}

func (c *countedContext) Err() error {
	if c.asked.Add(1) == c.most {
		c.end()
	}
	return c.Context.Err()
}

// TestACallThatTakesLongLooksAtTheContext: of one row, in one function, which begins long before
// its context ends and would go on for minutes.
func TestACallThatTakesLongLooksAtTheContext(t *testing.T) {
	db := openDB(t, ":memory:")
	const begin = 10 // a statement that has begun has asked less often
	ask := func(text string, most int64) (asked int64, err error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		counted := &countedContext{Context: ctx, end: cancel, most: most}
		done := make(chan error, 1)
		go func() { // ends with the query, which ends with ctx
			var n any
			done <- db.QueryRowContext(counted, text).Scan(&n)
		}()
		select {
		case err = <-done:
		case <-time.After(time.Minute):
			require.Fail(t, "it does not look at the context", text)
		}
		return counted.asked.Load(), err
	}
	asked, err := ask("SELECT printf('%.*c', 10, 'a') LIKE '%a'", 1<<30)
	require.NoError(t, err)
	require.Less(t, asked, int64(begin))
	for _, text := range []string{
		"SELECT printf('%.*c', 9000000, 'a') LIKE '%' || replace(printf('%.*c', 20000, 'x'), 'x', '_a') || 'b%'",
		"SELECT glob('*' || replace(printf('%.*c', 10000, 'x'), 'x', '[a]') || 'b*', printf('%.*c', 9000000, 'a'))",
		"SELECT printf('%.*c', 9000000, 'a') REGEXP '(a|b|ab)*(a?){200}c$'",
	} {
		_, err := ask(text, begin+20)
		assert.ErrorIs(t, err, context.Canceled, text)
	}
}

// TestPlansOfLongStatementsAreNotKept: a plan takes much more memory than its text, and no budget
// counts it.
func TestPlansOfLongStatementsAreNotKept(t *testing.T) {
	testenv.WithoutRace(t)
	db := openDB(t, "file:"+t.Name()+"?mode=memory")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 60 {
		mustExec(t, db, "SELECT "+strings.Repeat("version + 1,", 1900)+strconv.Itoa(i)+" FROM $all")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(48<<20))
}
