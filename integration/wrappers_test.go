package integration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"reflect"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/DATA-DOG/go-txdb"
	"github.com/XSAM/otelsql"
	"github.com/google/uuid"
	"github.com/ngrok/sqlmw"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// counting counts the calls that come by, so that a test knows that its wrapper was in the way.
type counting struct {
	sqlmw.NullInterceptor
	execs, rows atomic.Int64
}

func (c *counting) ConnExecContext(
	ctx context.Context, conn driver.ExecerContext, query string, args []driver.NamedValue,
) (driver.Result, error) {
	c.execs.Add(1)
	return conn.ExecContext(ctx, query, args)
}

func (c *counting) RowsNext(ctx context.Context, rows driver.Rows, dest []driver.Value) error {
	c.rows.Add(1)
	return rows.Next(dest)
}

var counted counting

func init() {
	sql.Register("eventfold-sqlmw", sqlmw.Driver(&eventfold.Driver{}, &counted))
}

// TestWrappers runs the same statements through middleware around the driver and through none.
func TestWrappers(t *testing.T) {
	openers := map[string]func(dsn string) (*sql.DB, error){
		"plain":   func(dsn string) (*sql.DB, error) { return sql.Open("eventfold", dsn) },
		"sqlmw":   func(dsn string) (*sql.DB, error) { return sql.Open("eventfold-sqlmw", dsn) },
		"otelsql": func(dsn string) (*sql.DB, error) { return otelsql.Open("eventfold", dsn) },
		"otelsql, with comments": func(dsn string) (*sql.DB, error) {
			return otelsql.Open("eventfold", dsn, otelsql.WithSQLCommenter(true))
		},
		"otelsql around a connector": func(dsn string) (*sql.DB, error) {
			config, err := eventfold.ParseDSN(dsn)
			return otelsql.OpenDB(eventfold.NewConnector(config)), err
		},
	}
	for name, open := range openers {
		t.Run(name, func(t *testing.T) {
			dsn := filepath.Join(t.TempDir(), "store")
			func() { // so that nothing refers to the database behind it
				db, err := open(dsn)
				require.NoError(t, err)
				defer func() { assert.NoError(t, db.Close()) }()
				wrapped(t, db)
			}()
			requireFree(t, dsn)
		})
	}
	assert.Positive(t, counted.execs.Load())
	assert.Positive(t, counted.rows.Load())
}

// wrapped does what programs do with a database.
func wrapped(t *testing.T, db *sql.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.NoError(t, db.PingContext(ctx))

	// Arguments that database/sql does not know, names, and the outcome.
	id := uuid.New()
	result, err := db.ExecContext(ctx, `INSERT INTO "account-7" (type, payload, tags, id) VALUES (@type, @payload, `+
		`@tags, @id) EXPECTING NO STREAM`,
		sql.Named("type", "Opened"), sql.Named("payload", eventfold.JSON(map[string]string{"owner": "Ada"})),
		sql.Named("tags", `["branch:1"]`), sql.Named("id", id))
	require.NoError(t, err)
	last, err := result.LastInsertId()
	require.NoError(t, err)
	assert.EqualValues(t, 0, last)
	_, err = db.ExecContext(ctx, `INSERT INTO "account-7" (type) VALUES (?) EXPECTING NO STREAM`, "Opened")
	requireConflict(t, err, "account-7", 0)
	_, err = db.ExecContext(ctx, `INSERT INTO "account-7" (type, id) VALUES (?, ?)`, "Renamed", id)
	var duplicate *eventfold.DuplicateEventError
	require.ErrorAs(t, err, &duplicate)
	assert.Equal(t, id, duplicate.ID)

	// A prepared statement, more than once.
	insert, err := db.PrepareContext(ctx, `INSERT INTO "account-7" (type, payload) VALUES (?, ?) EXPECTING VERSION ?`)
	require.NoError(t, err)
	for version := range 3 {
		_, err := insert.ExecContext(ctx, "Deposited", []byte(`{"amount": 40}`), version)
		require.NoError(t, err)
	}
	require.NoError(t, insert.Close())

	// Values and what the columns tell of themselves.
	rows, err := db.QueryContext(ctx,
		`SELECT id, payload, recorded_at, event FROM "account-7" WHERE HAS(tags, 'branch:1')`)
	require.NoError(t, err)
	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	assert.Equal(t, "JSON", types[1].DatabaseTypeName())
	nullable, ok := types[1].Nullable()
	assert.True(t, nullable && ok)
	if scan := types[1].ScanType(); scan != reflect.TypeFor[any]() { // otelsql does not hand it on
		assert.Equal(t, reflect.TypeFor[[]byte](), scan)
	}
	require.True(t, rows.Next())
	var gotID uuid.UUID
	var payload []byte
	var at time.Time
	var event eventfold.Event
	require.NoError(t, rows.Scan(&gotID, &payload, &at, &event))
	assert.Equal(t, id, gotID)
	assert.Equal(t, at, event.RecordedAt)
	assert.Equal(t, []string{"branch:1"}, event.Tags)
	require.NoError(t, rows.Close())

	// A transaction that is rolled back, and one that is refused when it commits.
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(ctx, `INSERT INTO "account-8" (type) VALUES ('Opened')`)
	require.NoError(t, err)
	var n int
	require.NoError(t, tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM $all").Scan(&n))
	assert.Equal(t, 5, n)
	require.NoError(t, tx.Rollback())
	tx, err = db.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(ctx, `INSERT INTO "account-8" (type) VALUES ('Opened') EXPECTING NO STREAM`)
	require.NoError(t, err)
	_, err = db.ExecContext(ctx, `INSERT INTO "account-8" (type) VALUES ('Opened')`)
	require.NoError(t, err)
	requireConflict(t, tx.Commit(), "account-8", 0)
	_, err = db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelLinearizable})
	assert.ErrorIs(t, err, eventfold.ErrUnsupported)

	// Contexts.
	following, stop := context.WithCancel(ctx)
	live, err := db.QueryContext(following, `SELECT version FROM "account-7" WHERE version >= ? FOLLOW`, 2)
	require.NoError(t, err)
	requireFollow(t, stop, live, 2)
	ended, end := context.WithCancel(ctx)
	end()
	_, err = db.ExecContext(ended, `INSERT INTO "account-9" (type) VALUES ('Opened')`)
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, db.QueryRowContext(ctx, `SELECT COUNT(*) FROM "account-9"`).Scan(&n))
	assert.Equal(t, 0, n)
}

// requireFree holds that nothing keeps the store open.
func requireFree(t *testing.T, dsn string) {
	t.Helper()
	require.Eventually(t, func() bool {
		// refused while the store is open with other options
		db, err := sql.Open("eventfold", dsn+"?max_event_size=65536")
		require.NoError(t, err)
		defer db.Close()
		defer runtime.GC() // some wrappers never close a Connector, whose hold on the store ends when it is collected
		return db.Ping() == nil
	}, time.Minute, 10*time.Millisecond)
}

// TestTxdb runs a program's tests in transactions that are always rolled back.
func TestTxdb(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "txdb")
	txdb.Register("eventfold-txdb", "eventfold", dsn)
	for range 2 { // the second time finds what the first began with
		db, err := sql.Open("eventfold-txdb", "test")
		require.NoError(t, err)
		_, err = db.Exec(`INSERT INTO "account-7" (type) VALUES (?) EXPECTING NO STREAM`, "Opened")
		require.NoError(t, err)
		_, err = db.Exec(`INSERT INTO "account-7" (type) VALUES (?) EXPECTING NO STREAM`, "Opened")
		requireConflict(t, err, "account-7", 0)
		tx, err := db.Begin() // becomes a savepoint
		require.NoError(t, err)
		_, err = tx.Exec(`INSERT INTO "account-7" (type) VALUES ('Deposited') EXPECTING VERSION 0`)
		require.NoError(t, err)
		require.NoError(t, tx.Rollback())
		var n int
		require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM "account-7"`).Scan(&n))
		assert.Equal(t, 1, n)
		require.NoError(t, db.Close())
	}
	db, err := sql.Open("eventfold", dsn)
	require.NoError(t, err)
	defer db.Close()
	var n int
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM $all").Scan(&n))
	assert.Equal(t, 0, n)
}
