package projection

import (
	"database/sql"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/eventfold/eventfold"
)

// A target is a kind of database for read models.
type target struct {
	name string
	open func(t *testing.T) *sql.DB // an empty one
}

// onTargets runs a test on each kind of database that is there.
func onTargets(t *testing.T, test func(t *testing.T, open func(t *testing.T) *sql.DB)) {
	for _, to := range []target{{"SQLite", newSQLite}, {"PostgreSQL", newPostgres}} {
		t.Run(to.name, func(t *testing.T) { test(t, to.open) })
	}
}

func newSQLite(t *testing.T) *sql.DB {
	t.Helper()
	return openSQLite(t, filepath.Join(t.TempDir(), "model.sqlite"))
}

func openSQLite(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", sqliteDSN(file))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func sqliteDSN(file string) string {
	return file + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(wal)"
}

// A server is the PostgreSQL server of all tests of this process.
var server struct {
	once sync.Once
	dir  string // "" if there is none
	stop func()
	last int // of the databases that were made
	mu   sync.Mutex
}

// newPostgres makes a database on a server of our own, reached over a unix socket only.
func newPostgres(t *testing.T) *sql.DB {
	t.Helper()
	server.once.Do(func() { startPostgres(t) })
	if server.dir == "" {
		t.Skip("there is no PostgreSQL server on this machine")
	}
	server.mu.Lock()
	server.last++
	name := "model" + strconv.Itoa(server.last)
	server.mu.Unlock()
	admin := openPostgres(t, "postgres")
	_, err := admin.Exec("CREATE DATABASE " + name)
	require.NoError(t, err)
	return openPostgres(t, name)
}

func openPostgres(t *testing.T, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", "host="+server.dir+" user=test dbname="+name+" sslmode=disable")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// startPostgres starts the server; where it cannot, server.dir stays "".
func startPostgres(t *testing.T) {
	bin := func(name string) string {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		if len(found) == 0 {
			return ""
		}
		return found[len(found)-1]
	}
	if bin("postgres") == "" || bin("initdb") == "" {
		return
	}
	dir, err := os.MkdirTemp("", "ef-pg") // short, as sockets must be
	require.NoError(t, err)
	as := &syscall.SysProcAttr{}
	if os.Getuid() == 0 { // who may not run it
		nobody, err := user.Lookup("nobody")
		require.NoError(t, err)
		uid, err := strconv.Atoi(nobody.Uid)
		require.NoError(t, err)
		require.NoError(t, os.Chown(dir, uid, -1))
		as.Credential = &syscall.Credential{Uid: uint32(uid)}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(bin("initdb"), "-D", data, "-U", "test", "--auth=trust", "--no-locale", "--encoding=UTF8", "-N")
	initdb.SysProcAttr, initdb.Dir = as, dir
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, "%s", out)
	run := exec.Command(bin("postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	run.SysProcAttr, run.Dir = as, dir
	require.NoError(t, run.Start())
	server.stop = func() {
		_ = run.Process.Signal(os.Interrupt) // fast shutdown
		_ = run.Wait()
		_ = os.RemoveAll(dir)
	}
	server.dir = dir
	admin, err := sql.Open("pgx", "host="+dir+" user=test dbname=postgres sslmode=disable")
	require.NoError(t, err)
	defer admin.Close()
	for tries := 0; admin.Ping() != nil; tries++ {
		require.Less(t, tries, 600, "PostgreSQL does not start")
		time.Sleep(50 * time.Millisecond)
	}
}

// newStore opens a store in memory.
func newStore(t *testing.T) *sql.DB {
	t.Helper()
	return openStore(t, ":memory:")
}

func openStore(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(eventfold.DriverName, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func exec1(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	_, err := db.Exec(statement, args...)
	require.NoError(t, err, statement)
}

// ask returns the only value of a query.
func ask[T any](t *testing.T, db *sql.DB, query string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, db.QueryRow(query, args...).Scan(&v), query)
	return v
}
