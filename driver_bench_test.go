package eventfold_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/race"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// order256 is a payload of 256 bytes.
var order256 = func() []byte {
	const head, tail = `{"order":"0190e5a6-1111-7abc-8def-0123456789ab","total":1234.5,"note":"`, `"}`
	return []byte(head + strings.Repeat("x", 256-len(head)-len(tail)) + tail)
}()

// BenchmarkAppend measures durable appends through database/sql: every one waits for its sync, and
// checks its stream's version. Beside it, in rounds that take turns, runs a bare loop of pwrite and
// fdatasync of as many bytes over a file of zeros; ratio is the appends' rate divided by that
// loop's. It should be near 1 with one writer and grow with their number; if it does not, group
// commit is broken. sync-us is a sync of the log, cpu-ns what the writer's path costs per append
// apart from writes and syncs.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) { benchmarkAppend(b, writers) })
	}
}

func benchmarkAppend(b *testing.B, writers int) {
	dir := b.TempDir()
	db := openDB(b, filepath.Join(dir, "store"))
	db.SetMaxOpenConns(writers)
	db.SetMaxIdleConns(writers)
	insert, err := db.Prepare(`INSERT INTO ? (type, payload, metadata) VALUES (?, ?, ?) EXPECTING VERSION ?`)
	require.NoError(b, err)
	defer insert.Close()
	first := make([]func() bool, writers)
	for w := range writers {
		stream, version := fmt.Sprintf("order-%d", w), int64(-1)
		mustExec(b, db, `INSERT INTO ? (type) VALUES ('Opened') EXPECTING NO STREAM`, stream)
		first[w] = func() bool {
			version++
			_, err := insert.Exec(stream, "OrderPlaced", order256, `{"user":"u-1"}`, version)
			return assert.NoError(b, err)
		}
	}
	raw := newRawLoop(b, filepath.Join(dir, "raw"))
	s, release := store(b, db)
	release() // the connection; one of the writers needs it
	before := s.Stats()

	const rounds = 21
	var ratios []float64
	var appending time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	b.StopTimer()
	for left, round := b.N, 0; left > 0; round++ {
		n := max(b.N/rounds, 1)
		if round >= rounds-1 || n > left {
			n = left
		}
		left -= n
		began := time.Now()
		b.StartTimer()
		inParallel(first, n)
		b.StopTimer()
		took := time.Since(began)
		appending += took
		ratios = append(ratios, float64(n)/took.Seconds()/raw.rate(b, min(took, time.Second)))
	}
	after := s.Stats()
	appends := float64(after.Appends - before.Appends)
	syncs := float64(max(after.Syncs-before.Syncs, 1))
	b.ReportMetric(float64(b.N)/appending.Seconds(), "events/s")
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64((after.SyncTime-before.SyncTime).Microseconds())/syncs, "sync-us")
	b.ReportMetric(float64((after.WriterCPU-before.WriterCPU).Nanoseconds())/appends, "cpu-ns/append")
	b.ReportMetric(appends/syncs, "appends/sync")
}

// inParallel calls the functions n times together, each in a goroutine of its own.
func inParallel(functions []func() bool, n int) {
	var todo atomic.Int64
	todo.Store(int64(n))
	var group sync.WaitGroup
	for _, f := range functions {
		group.Go(func() {
			for todo.Add(-1) >= 0 && f() {
			}
		})
	}
	group.Wait()
}

// A rawLoop writes records over a file of zeros and syncs each: what a disk can do for one writer.
type rawLoop struct {
	file   vfs.File
	record []byte
	offset int64
}

const rawFileSize = 64 << 20

func newRawLoop(b *testing.B, name string) *rawLoop {
	f, err := vfs.OS().Open(name, os.O_RDWR|os.O_CREATE)
	require.NoError(b, err)
	b.Cleanup(func() { f.Close() })
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < rawFileSize; at += int64(len(zeros)) {
		_, err := f.WriteAt(zeros, at)
		require.NoError(b, err)
	}
	require.NoError(b, f.Fsync())
	return &rawLoop{file: f, record: bytes.Repeat([]byte{0xA5}, 512)}
}

// rate returns how many records per second the loop makes durable in about so much time.
func (r *rawLoop) rate(b *testing.B, d time.Duration) float64 {
	n := 0
	began := time.Now()
	for ; n == 0 || time.Since(began) < d; n++ {
		_, err := r.file.WriteAt(r.record, r.offset)
		require.NoError(b, err)
		require.NoError(b, r.file.Fdatasync())
		r.offset = (r.offset + int64(len(r.record))) % rawFileSize
	}
	return float64(n) / time.Since(began).Seconds()
}

// BenchmarkRows measures reading through database/sql. columns scans all ten columns, raw takes
// them as sql.RawBytes, and event scans the one pseudo-column, which should be several times
// faster.
func BenchmarkRows(b *testing.B) {
	db := openDB(b, ":memory:")
	const events = 50_000
	seed(b, db, events)
	for _, bench := range []struct {
		name, text string
		dest       func() []any
	}{
		{"columns", `SELECT * FROM $all`, func() []any {
			return []any{
				new(int64), new(string), new(int64), new(string), new(string), new([]byte), new([]byte), new([]byte),
				new(time.Time),
			}
		}},
		{"raw", `SELECT stream, type, payload FROM $all`, func() []any {
			return []any{new(sql.RawBytes), new(sql.RawBytes), new(sql.RawBytes)}
		}},
		{"event", `SELECT event FROM $all`, func() []any { return []any{new(engine.Event)} }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			read := 0
			for b.Loop() {
				read += scanAll(b, db, bench.text, bench.dest())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(read), "ns/row")
		})
	}
}

func scanAll(t testing.TB, db *sql.DB, text string, dest []any) (n int) {
	rows, err := db.Query(text)
	require.NoError(t, err)
	for ; rows.Next(); n++ {
		if err := rows.Scan(dest...); err != nil {
			require.NoError(t, err)
		}
	}
	require.NoError(t, rows.Close())
	return n
}

// BenchmarkQueryRow measures a whole query of one row; prepared should cost about as much as text,
// because of the plan cache.
func BenchmarkQueryRow(b *testing.B) {
	db := openDB(b, ":memory:")
	seed(b, db, 1000)
	const text = `SELECT version, payload FROM "s-3" WHERE version = ?`
	prepared, err := db.Prepare(text)
	require.NoError(b, err)
	defer prepared.Close()
	var version int64
	for name, query := range map[string]func(...any) *sql.Row{
		"text":     func(args ...any) *sql.Row { return db.QueryRow(text, args...) },
		"prepared": prepared.QueryRow,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var bytes []byte
			for b.Loop() {
				if err := query(7).Scan(&version, &bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkResetSession measures what is added to every use of a pooled connection; more than some
// nanoseconds would be bad news.
func BenchmarkResetSession(b *testing.B) {
	db := openDB(b, ":memory:")
	conn, err := db.Conn(context.Background())
	require.NoError(b, err)
	defer conn.Close()
	require.NoError(b, conn.Raw(func(c any) error {
		resetter := c.(interface{ ResetSession(context.Context) error })
		for b.Loop() {
			resetter.ResetSession(context.Background())
		}
		return nil
	}))
}

// TestAllocations holds ceilings for the hot paths, the allocations of database/sql included. They
// may be lowered.
func TestAllocations(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("a word of 32 bits does not hold an int64, which is allocated instead")
	}
	if race.Enabled {
		t.Skip("counts allocations, of which the race detector adds some at random; .ci/run counts without it")
	}
	db := openDB(t, ":memory:")
	db.SetMaxOpenConns(1)
	seed(t, db, 20_000)
	insert, err := db.Prepare(`INSERT INTO "order-1" (type, payload) VALUES (?, ?)`)
	require.NoError(t, err)
	defer insert.Close()
	args := []any{"OrderPlaced", order256}
	perInsert := testing.AllocsPerRun(2000, func() {
		if _, err := insert.Exec(args...); err != nil {
			t.Fatal(err)
		}
	})
	assert.LessOrEqual(t, perInsert, 5.0, "Exec of a prepared INSERT")

	tx, err := db.Begin()
	require.NoError(t, err)
	in := tx.Stmt(insert)
	perBuffered := testing.AllocsPerRun(2000, func() {
		if _, err := in.Exec(args...); err != nil {
			t.Fatal(err)
		}
	})
	assert.LessOrEqual(t, perBuffered, 3.0, "Exec of a prepared INSERT in a transaction")
	require.NoError(t, tx.Rollback())

	for _, tt := range []struct {
		name, text string
		dest       []any
		ceiling    float64
	}{
		{"event", `SELECT event FROM $all`, []any{new(engine.Event)}, 0.1},
		{"raw", `SELECT type, payload FROM $all`, []any{new(sql.RawBytes), new(sql.RawBytes)}, 1.1},
	} {
		rows := 0
		perQuery := testing.AllocsPerRun(3, func() { rows = scanAll(t, db, tt.text, tt.dest) })
		assert.LessOrEqual(t, perQuery/float64(rows), tt.ceiling, "a row of %s", tt.name)
		t.Logf("%s: %.2f allocations per row", tt.name, perQuery/float64(rows))
	}
	t.Logf("insert: %.1f allocations, in a transaction %.1f", perInsert, perBuffered)
}

// BenchmarkExec measures one append after the other in memory, where syncs are free: what
// database/sql, the driver and the writer cost.
func BenchmarkExec(b *testing.B) {
	db := openDB(b, ":memory:")
	insert, err := db.Prepare(`INSERT INTO "order-1" (type, payload) VALUES (?, ?)`)
	require.NoError(b, err)
	defer insert.Close()
	args := []any{"OrderPlaced", order256}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := insert.Exec(args...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBulkLoad measures transactions of 1,000 INSERTs in memory, where syncs are free.
// ns/event should be below 2,000.
func BenchmarkBulkLoad(b *testing.B) {
	db := openDB(b, ":memory:")
	insert, err := db.Prepare(`INSERT INTO $all (stream, type, payload, metadata, expected_version) VALUES (?, ?, ?, ` +
		`?, ?)`)
	require.NoError(b, err)
	defer insert.Close()
	const events = 1000
	metadata := []byte(`{"user":"u-00042","trace":"` + strings.Repeat("0", 64-29) + `"}`)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		tx, err := db.Begin()
		require.NoError(b, err)
		in := tx.Stmt(insert)
		for i := range events {
			if _, err := in.Exec(fmt.Sprintf("order-%d-%d", n, i/10), "OrderPlaced", order256, metadata,
				i%10-1); err != nil {
				b.Fatal(err)
			}
		}
		require.NoError(b, tx.Commit())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
}

// BenchmarkTransactionWithIDs measures transactions of 100 INSERTs with ids that the client has
// made, as the promise of idempotency wants it, into a store of 100,000 events in memory. It should
// stay below one and a half of ids=store: more means that ids are looked up statement by statement.
func BenchmarkTransactionWithIDs(b *testing.B) {
	for _, made := range []string{"store", "client"} {
		b.Run("ids="+made, func(b *testing.B) {
			db := openDB(b, ":memory:")
			seed(b, db, 100_000)
			insert, err := db.Prepare(`INSERT INTO "order-1" (type, payload, id) VALUES (?, ?, ?)`)
			require.NoError(b, err)
			defer insert.Close()
			const events = 100
			for b.Loop() {
				tx, err := db.Begin()
				require.NoError(b, err)
				in := tx.Stmt(insert)
				for range events {
					var id any
					if made == "client" {
						id = uuid.New()
					}
					if _, err := in.Exec("OrderPlaced", order256, id); err != nil {
						b.Fatal(err)
					}
				}
				require.NoError(b, tx.Commit())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
		})
	}
}
