package integration

import (
	"database/sql"
	"database/sql/driver"
	"maps"
	"path/filepath"
	"testing"

	"github.com/ngrok/sqlmw"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/drivertest"
)

// wrappedSuite is what the suite for drivers is told of this driver behind a wrapper.
func wrappedSuite(open func(t testing.TB) *sql.DB) drivertest.Options {
	return drivertest.Options{
		Open:        open,
		Insert:      `INSERT INTO entry (type, payload) VALUES (?, ?)`,
		InsertNamed: `INSERT INTO entry (type, payload) VALUES (:key, :value)`,
		Select:      `SELECT payload AS value FROM entry WHERE type = ?`,
		All:         `SELECT type AS key, payload AS value FROM entry`,
		Count:       `SELECT COUNT(*) FROM entry`,
		Endless:     `SELECT type FROM "nothing comes here" FOLLOW`,
		Values: []drivertest.Value{
			{Query: `SELECT 42`, Want: int64(42)}, {Query: `SELECT 'x'`, Want: "x"}, {Query: `SELECT NULL`},
		},
	}
}

// TestSuiteForDriversBehindAWrapper: what a driver promises holds through sqlmw as well.
func TestSuiteForDriversBehindAWrapper(t *testing.T) {
	drivertest.Run(t, wrappedSuite(func(t testing.TB) *sql.DB {
		config, err := eventfold.ParseDSN(filepath.Join(t.TempDir(), "store"))
		require.NoError(t, err)
		wrapped := sqlmw.Driver(&eventfold.Driver{}, &sqlmw.NullInterceptor{}).(driver.DriverContext)
		connector, err := wrapped.OpenConnector(eventfold.FormatDSN(config))
		require.NoError(t, err)
		return sql.OpenDB(connector)
	}))
}

// sqliteSuite is what the suite is told of SQLite, so that something else than this driver passes it.
func sqliteSuite() drivertest.Options {
	return drivertest.Options{
		Open: func(t testing.TB) *sql.DB {
			db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "db")+
				"?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)&_pragma=synchronous(off)&_txlock=immediate")
			require.NoError(t, err)
			return db
		},
		CreateTable: `CREATE TABLE entry (key TEXT, value BLOB)`,
		Insert:      `INSERT INTO entry (key, value) VALUES (?, ?)`,
		InsertNamed: `INSERT INTO entry (key, value) VALUES (:key, :value)`,
		Select:      `SELECT value FROM entry WHERE key = ?`,
		All:         `SELECT key, value FROM entry ORDER BY rowid`,
		Count:       `SELECT COUNT(*) FROM entry`,
		Endless: `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
			SELECT i FROM n WHERE i < 0`,
		Leave: `BEGIN`,
		Values: []drivertest.Value{
			{Query: `SELECT 42`, Want: int64(42)}, {Query: `SELECT 1.5`, Want: 1.5}, {Query: `SELECT 'x'`, Want: "x"},
			{Query: `SELECT x'00ff'`, Want: []byte{0, 0xff}}, {Query: `SELECT NULL`},
		},
		Except: sqliteExcept(),
	}
}

// sqliteFails are the checks that modernc.org/sqlite does not pass, with what it does instead.
var sqliteFails = map[string]string{
	"ScanTypesHoldTheirColumn":          "a value that is NULL has no ScanType",
	"ArgumentsAreCounted":               "arguments that the statement has no place for are ignored",
	"UnknownNamesAreRefused":            "and so are names",
	"UnknownIsolationLevelsAreRefused":  "BeginTx does not look at the level",
	"ReadOnlyTransactionsWriteNothing":  "a read-only transaction only locks less",
	"TheNextUserGetsACleanConnection":   "a transaction begun by a statement stays open in the pool",
	"AStatementMayOutliveItsConnection": "closing the statement panics",
}

// sqliteLuck are the checks that it passes by luck, or that end the process, so that nobody can say they fail.
var sqliteLuck = map[string]string{
	"ClosingTwiceIsNothing": "closing rows again resets a statement in memory that was given back, which may be a fault",
}

// sqliteExcept are all checks that are not run.
func sqliteExcept() map[string]string {
	all := maps.Clone(sqliteFails)
	maps.Copy(all, sqliteLuck)
	return all
}

// TestSuiteForDriversOnSQLite runs it on modernc.org/sqlite.
func TestSuiteForDriversOnSQLite(t *testing.T) {
	drivertest.Run(t, sqliteSuite())
}

// TestWhatSQLiteIsSaidToFail does fail, so that a later version of it is noticed.
func TestWhatSQLiteIsSaidToFail(t *testing.T) {
	for name := range sqliteFails {
		assert.NotEmpty(t, drivertest.Says(t, name, sqliteSuite()), "SQLite passes %s by now", name)
	}
}
