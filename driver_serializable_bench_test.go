package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/internal/race"
)

// A decision is one that depends on events which others append to at the same time. It is taken
// twice: with a condition written by hand, and in a serializable transaction with the SELECTs that
// one would write first.
type decision struct {
	name  string
	setUp func(tb testing.TB, db *sql.DB)
	// pick chooses what to decide about.
	pick func(r *rand.Rand) []any
	// reads are what it looks at, with the arguments of pick.
	reads []string
	// write decides: ? are the arguments of pick.
	write string
	// guard is the condition as one writes it by hand, without NO EVENT FROM $all WHERE and AFTER.
	guard string
}

var decisions = []decision{
	{
		name: "course",
		setUp: func(tb testing.TB, db *sql.DB) {
			for i := range 20 {
				mustExec(tb, db, `INSERT INTO ? (type, payload, tags) VALUES ('CourseDefined', '{"places": 1000000}', ?)`,
					fmt.Sprint("course-", i), []string{fmt.Sprint("course:", i)})
			}
		},
		pick: func(r *rand.Rand) []any {
			return []any{fmt.Sprint("course:", r.IntN(20)), fmt.Sprint("student:", r.IntN(1000))}
		},
		reads: []string{
			`SELECT MAX(payload->>'$.places') FROM $all WHERE type = 'CourseDefined' AND HAS(tags, $1) AND $2 IS NOT NULL`,
			`SELECT COUNT(*) FROM $all WHERE type = 'Subscribed' AND HAS(tags, $1) AND $2 IS NOT NULL`,
			`SELECT COUNT(*) FROM $all WHERE type = 'Subscribed' AND HAS(tags, $2) AND $1 IS NOT NULL`,
		},
		write: `INSERT INTO subscriptions (type, tags) VALUES ('Subscribed', json_array($1, $2))`,
		guard: `HAS(tags, $1) OR HAS(tags, $2)`,
	},
	{
		name:  "coupon",
		setUp: func(testing.TB, *sql.DB) {},
		pick: func(r *rand.Rand) []any {
			return []any{fmt.Sprint("coupon:", r.IntN(10)), fmt.Sprint("user:", r.IntN(1000))}
		},
		reads: []string{
			`SELECT COUNT(*) FROM $all WHERE type = 'CouponUsed' AND HAS(tags, $1) AND $2 IS NOT NULL`,
			`SELECT EXISTS (SELECT 1 FROM $all WHERE type = 'CouponUsed' AND HAS(tags, $1) AND payload->>'$.user' = $2)`,
		},
		write: `INSERT INTO $all (stream, type, payload, tags) VALUES ('used', 'CouponUsed', json_object('user', $2), json_array($1))`,
		guard: `type = 'CouponUsed' AND HAS(tags, $1) AND $2 IS NOT NULL`,
	},
	{
		name: "transfer",
		setUp: func(tb testing.TB, db *sql.DB) {
			for i := range 64 {
				mustExec(tb, db, `INSERT INTO ? (type, payload) VALUES ('Moved', '{"n": 1000000}')`, fmt.Sprint("account-", i))
			}
		},
		pick: func(r *rand.Rand) []any {
			from := r.IntN(64)
			return []any{fmt.Sprint("account-", from), fmt.Sprint("account-", (from+1+r.IntN(63))%64)}
		},
		reads: []string{`SELECT SUM(payload->>'$.n') FROM $all WHERE stream = $1 AND $2 IS NOT NULL`,
			`SELECT EXISTS (SELECT 1 FROM $all WHERE stream = $2 AND $1 IS NOT NULL)`},
		write: `INSERT INTO $all (stream, type, payload) VALUES ($1, 'Moved', '{"n": -1}'), ($2, 'Moved', '{"n": 1}')`,
		guard: `stream = $1 AND $2 IS NOT NULL`,
	},
	{
		name: "transfer, both balances",
		setUp: func(tb testing.TB, db *sql.DB) {
			for i := range 64 {
				mustExec(tb, db, `INSERT INTO ? (type, payload) VALUES ('Moved', '{"n": 1000000}')`, fmt.Sprint("account-", i))
			}
		},
		pick: func(r *rand.Rand) []any {
			from := r.IntN(64)
			return []any{fmt.Sprint("account-", from), fmt.Sprint("account-", (from+1+r.IntN(63))%64)}
		},
		reads: []string{`SELECT SUM(payload->>'$.n') FROM $all WHERE stream IN ($1, $2) GROUP BY stream`},
		write: `INSERT INTO $all (stream, type, payload) VALUES ($1, 'Moved', '{"n": -1}'), ($2, 'Moved', '{"n": 1}')`,
		guard: `stream = $1 AND $2 IS NOT NULL`,
	},
}

// A decider counts what became of decisions.
type decider struct {
	db               *sql.DB
	decision         *decision
	serializable     bool
	conflicts, false atomic.Int64
}

// decide tries until it is not overtaken.
func (d *decider) decide(args []any) error {
	for {
		err := d.attempt(args)
		var conflict *eventfold.ConflictError
		if !errors.As(err, &conflict) {
			return err
		}
		d.conflicts.Add(1)
		if !d.serializable {
			continue
		}
		var n int
		text := fmt.Sprintf(`SELECT COUNT(*) FROM $all WHERE (%s) AND position > %d AND position < %d`, d.decision.guard,
			conflict.Checks[0].Condition.After, conflict.Head)
		if err := d.db.QueryRow(text, args...).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			d.false.Add(1)
		}
	}
}

func (d *decider) attempt(args []any) error {
	level := sql.LevelSnapshot
	if d.serializable {
		level = sql.LevelSerializable
	}
	tx, err := d.db.BeginTx(context.Background(), &sql.TxOptions{Isolation: level})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	write := d.decision.write
	if !d.serializable {
		var last int64
		if err := tx.QueryRow("SELECT COALESCE(MAX(position), -1) FROM $all").Scan(&last); err != nil {
			return err
		}
		write += fmt.Sprintf(" EXPECTING NO EVENT FROM $all WHERE %s AFTER %d", d.decision.guard, last)
	}
	for _, text := range d.decision.reads {
		var n sql.NullInt64
		if err := tx.QueryRow(text, args...).Scan(&n); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(write, args...); err != nil {
		return err
	}
	return tx.Commit()
}

// BenchmarkDecisions takes decisions from 16 goroutines on a store on the disk, with conditions
// written by hand and in serializable transactions. false/decision are the conflicts of the latter
// that the former would not have had: bad news if they are many more than what the SELECTs read
// beyond the condition.
func BenchmarkDecisions(b *testing.B) {
	for i := range decisions {
		for _, serializable := range []bool{false, true} {
			name := decisions[i].name + "/by hand"
			if serializable {
				name = decisions[i].name + "/serializable"
			}
			b.Run(name, func(b *testing.B) {
				db := openDB(b, filepath.Join(b.TempDir(), "store"))
				db.SetMaxIdleConns(16)
				d := &decider{db: db, decision: &decisions[i], serializable: serializable}
				d.decision.setUp(b, db)
				b.ResetTimer()
				d.run(b, b.N)
				b.ReportMetric(float64(d.conflicts.Load())/float64(b.N), "conflicts/decision")
				b.ReportMetric(float64(d.false.Load())/float64(b.N), "false/decision")
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
			})
		}
	}
}

// run takes n decisions from 16 goroutines.
func (d *decider) run(tb testing.TB, n int) {
	var todo atomic.Int64
	todo.Store(int64(n))
	var group sync.WaitGroup
	for w := range 16 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(w)))
			for todo.Add(-1) >= 0 {
				if !assert.NoError(tb, d.decide(d.decision.pick(r))) {
					return
				}
			}
		})
	}
	group.Wait()
}

// TestDecisionsEndWithOrWithoutConditions: all of them are taken, however often they are overtaken.
func TestDecisionsEndWithOrWithoutConditions(t *testing.T) {
	for i := range decisions {
		for _, serializable := range []bool{false, true} {
			db := openDB(t, ":memory:")
			d := &decider{db: db, decision: &decisions[i], serializable: serializable}
			d.decision.setUp(t, db)
			before := one[int](t, db, "SELECT COUNT(*) FROM $all")
			d.run(t, 100)
			assert.GreaterOrEqual(t, one[int](t, db, "SELECT COUNT(*) FROM $all"), before+100, d.decision.name)
		}
	}
}

// BenchmarkTransaction measures a transaction of two SELECTs and an INSERT in memory. A snapshot
// should cost what it has always cost; serializable adds what it notes and one condition.
func BenchmarkTransaction(b *testing.B) {
	for _, level := range []sql.IsolationLevel{sql.LevelSnapshot, sql.LevelSerializable} {
		b.Run(level.String(), func(b *testing.B) {
			run := transaction(b, level)
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}

// transaction returns what runs a transaction of two SELECTs and an INSERT.
func transaction(tb testing.TB, level sql.IsolationLevel) func() {
	db := openDB(tb, ":memory:")
	db.SetMaxOpenConns(1)
	seed(tb, db, 1000)
	prepare := func(text string) *sql.Stmt {
		s, err := db.Prepare(text)
		require.NoError(tb, err)
		tb.Cleanup(func() { s.Close() })
		return s
	}
	count := prepare(`SELECT COUNT(*) FROM $all WHERE stream = 'order-1' AND type = 'Closed'`)
	last := prepare(`SELECT MAX(version) FROM "order-1"`)
	insert := prepare(`INSERT INTO "order-2" (type, payload) VALUES ('OrderPlaced', ?)`)
	return func() {
		tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: level})
		require.NoError(tb, err)
		var n sql.NullInt64
		require.NoError(tb, tx.Stmt(count).QueryRow().Scan(&n))
		require.NoError(tb, tx.Stmt(last).QueryRow().Scan(&n))
		_, err = tx.Stmt(insert).Exec(order256)
		require.NoError(tb, err)
		require.NoError(tb, tx.Commit())
	}
}

// TestATransactionAllocatesLittle holds what transactions of a snapshot allocated before there were
// serializable ones, and what those add.
func TestATransactionAllocatesLittle(t *testing.T) {
	if race.Enabled {
		t.Skip("counts allocations, of which the race detector adds some at random; .ci/run counts without it")
	}
	snapshot := leastAllocations(transaction(t, sql.LevelSnapshot))
	serial := leastAllocations(transaction(t, sql.LevelSerializable))
	t.Logf("snapshot %.0f, serializable %.0f allocations", snapshot, serial)
	assert.LessOrEqual(t, snapshot, 120.0)
	assert.LessOrEqual(t, serial, 155.0)
}

// leastAllocations is the least of several counts: a garbage collection in the middle of a turn empties
// the pools, and the turn pays for filling them.
func leastAllocations(run func()) float64 {
	least := testing.AllocsPerRun(100, run)
	for range 9 {
		least = min(least, testing.AllocsPerRun(100, run))
	}
	return least
}
