package tools

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gocraft/dbr/v2"
	"github.com/gocraft/dbr/v2/dialect"
	"github.com/qustavo/sqlhooks/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xo/dburl"
	"go.uber.org/goleak"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/drivertest"
)

// openStore opens a store on disk with three events, which ends with the test.
func openStore(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("eventfold", filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	_, err = db.Exec(`INSERT INTO "order-1" (type, payload) VALUES ('Placed', '{"total": 40}'), ('Paid', NULL)`)
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO "order-2" (type, payload) VALUES ('Placed', '{"total": 2.5}')`)
	require.NoError(t, err)
	return db
}

// counting are hooks that count.
type counting struct{ before, after atomic.Int64 }

// Before implements sqlhooks.Hooks.
func (c *counting) Before(ctx context.Context, _ string, _ ...any) (context.Context, error) {
	c.before.Add(1)
	return ctx, nil
}

// After implements sqlhooks.Hooks.
func (c *counting) After(ctx context.Context, _ string, _ ...any) (context.Context, error) {
	c.after.Add(1)
	return ctx, nil
}

// openEach opens every connection by itself, as a wrapper does that knows no connectors.
type openEach struct {
	driver driver.Driver
	dsn    string
}

func (o openEach) Connect(context.Context) (driver.Conn, error) { return o.driver.Open(o.dsn) }
func (o openEach) Driver() driver.Driver                        { return o.driver }

// hooksFail are the checks of the suite for drivers that this driver does not pass behind sqlhooks.
var hooksFail = map[string]string{}

// TestSqlhooks runs the suite for drivers behind hooks around the driver.
func TestSqlhooks(t *testing.T) {
	hooks := &counting{}
	options := drivertest.Options{
		Open: func(t testing.TB) *sql.DB {
			return sql.OpenDB(openEach{sqlhooks.Wrap(&eventfold.Driver{}, hooks), filepath.Join(t.TempDir(), "store")})
		},
		Insert:      `INSERT INTO entry (type, payload) VALUES (?, ?)`,
		InsertNamed: `INSERT INTO entry (type, payload) VALUES (:key, :value)`,
		Select:      `SELECT payload AS value FROM entry WHERE type = ?`,
		All:         `SELECT type AS key, payload AS value FROM entry`,
		Count:       `SELECT COUNT(*) FROM entry`,
		Endless:     `SELECT type FROM "nothing comes here" FOLLOW`,
		Values:      []drivertest.Value{{Query: `SELECT 42`, Want: int64(42)}, {Query: `SELECT NULL`}},
		Except:      hooksFail,
	}
	drivertest.Run(t, options)
	for name := range hooksFail {
		assert.NotEmpty(t, drivertest.Says(t, name, options), "sqlhooks passes %s by now", name)
	}
	assert.Positive(t, hooks.before.Load())
	assert.Positive(t, hooks.after.Load())
}

// TestDbr: its builders write the arguments into the text, as PostgreSQL has it.
func TestDbr(t *testing.T) {
	conn := &dbr.Connection{DB: openStore(t), Dialect: dialect.PostgreSQL, EventReceiver: &dbr.NullEventReceiver{}}
	session := conn.NewSession(nil)
	var events []struct {
		Version    int64
		Type       string
		Payload    dbr.NullString
		RecordedAt time.Time
	}
	n, err := session.Select("version", "type", "payload", "recorded_at").From("$all").
		Where("stream = ? AND type IN ?", "order-1", []string{"Placed", "Paid"}).OrderBy("position").Load(&events)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	assert.Equal(t, []any{"Placed", `{"total": 40}`, false}, []any{
		events[0].Type, events[0].Payload.String, events[1].Payload.Valid,
	})
	_, err = session.InsertInto("order-1").Columns("type", "payload", "expected_version").
		Values("Sent", `{"by": "o'neil"}`, 1).Exec()
	require.NoError(t, err)
	_, err = session.InsertInto("order-1").Columns("type", "expected_version").Values("Sent", 1).Exec()
	require.ErrorIs(t, err, eventfold.ErrVersionConflict)
	var by string
	require.NoError(t, session.SelectBySql(`SELECT payload->>'$.by' FROM "order-1" WHERE version = ?`, 2).LoadOne(&by))
	assert.Equal(t, "o'neil", by)
	var since int
	require.NoError(t, session.Select("COUNT(*)").From("$all").
		Where("recorded_at <= ?", time.Now().Add(time.Hour)).LoadOne(&since))
	assert.Equal(t, 4, since)
	tx, err := session.Begin()
	require.NoError(t, err)
	_, err = tx.InsertBySql(`INSERT INTO "order-2" (type) VALUES (?) EXPECTING VERSION 0`, "Paid").Exec()
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
}

// TestTheSchemeOfDburl is the one of docs/tools.md: what usql, sql_exporter and others take for a
// database.
func TestTheSchemeOfDburl(t *testing.T) {
	page, err := os.ReadFile("../../docs/tools.md")
	require.NoError(t, err)
	require.Contains(t, string(page), `dburl.Scheme{Name: "eventfold", Generator: dburl.GenOpaque, Opaque: true, `+
		`Aliases: []string{"ef"}}`)
	dburl.Register(dburl.Scheme{Name: "eventfold", Generator: dburl.GenOpaque, Opaque: true, Aliases: []string{"ef"}})
	dir := filepath.Join(t.TempDir(), "store")
	for _, url := range []string{"eventfold:" + dir, "ef:" + dir + "?mode=ro"} {
		db, err := dburl.Open(url)
		require.NoError(t, err)
		if url == "eventfold:"+dir {
			_, err = db.Exec(`INSERT INTO "order-1" (type) VALUES ('Placed')`)
			require.NoError(t, err)
		}
		var n int
		require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&n))
		assert.Equal(t, 1, n)
		require.NoError(t, db.Close())
	}
}

// TestNothingRunsAfterClose: appends, followers, transactions and queries of all kinds, then Close.
func TestNothingRunsAfterClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, dsn := range []string{filepath.Join(t.TempDir(), "store"), ":memory:"} {
		db, err := sql.Open("eventfold", dsn)
		require.NoError(t, err)
		_, err = db.Exec(`INSERT INTO "order-1" (type, payload) VALUES ('Placed', ?)`, bytes.Repeat([]byte("x"), 1<<19))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		for _, query := range []string{
			`SELECT type FROM $all FOLLOW`, `SELECT type, COUNT(*) FROM $all GROUP BY type FOLLOW`, `SELECT event FROM $all`,
		} {
			rows, err := db.QueryContext(ctx, query)
			require.NoError(t, err)
			require.True(t, rows.Next())
			defer rows.Close()
		}
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.Exec(`INSERT INTO "order-1" (type) VALUES ('Paid')`)
		require.NoError(t, err)
		cancel()
		tx.Rollback()
		require.NoError(t, db.Close())
	}
}
