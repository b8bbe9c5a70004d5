package eventfold_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestMain lets the test program act as another process too (see otherProcess), and holds in the
// end that no goroutine of this module is left.
func TestMain(m *testing.M) {
	if script := testenv.Get("EVENTFOLD_TEST_PROCESS"); script != "" {
		os.Exit(runProcess(script))
	}
	code := m.Run()
	if left := leakedGoroutines(); left != "" && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines that nobody has stopped:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leakedGoroutines returns the stacks of goroutines that run code of this module or of
// database/sql, once they have had time to end.
func leakedGoroutines() string {
	var left string
	for range 200 {
		left = ""
		buffer := make([]byte, 4<<20)
		for stack := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
			if strings.Contains(stack, "leakedGoroutines") || strings.Contains(stack, "eventfold_test.TestMain") {
				continue
			}
			if strings.Contains(stack, "eventfold/eventfold") || strings.Contains(stack, "database/sql.") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			return ""
		}
		time.Sleep(10 * time.Millisecond)
	}
	return left
}

// requireNoLeaks fails the test if goroutines are left.
func requireNoLeaks(t *testing.T) {
	t.Helper()
	require.Empty(t, leakedGoroutines(), "goroutines that nobody has stopped")
}

// openDB opens a database that the test closes in the end.
func openDB(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("eventfold", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// mustExec runs statements that must not fail.
func mustExec(t testing.TB, db interface {
	Exec(string, ...any) (sql.Result, error)
}, text string, args ...any) sql.Result {
	t.Helper()
	result, err := db.Exec(text, args...)
	require.NoError(t, err, text)
	return result
}

// one reads a single value.
func one[T any](t testing.TB, db interface {
	QueryRow(string, ...any) *sql.Row
}, text string, args ...any) T {
	t.Helper()
	var value T
	require.NoError(t, db.QueryRow(text, args...).Scan(&value), text)
	return value
}

// column reads all values of a single column.
func column[T any](t testing.TB, db interface {
	Query(string, ...any) (*sql.Rows, error)
}, text string, args ...any) []T {
	t.Helper()
	rows, err := db.Query(text, args...)
	require.NoError(t, err, text)
	defer rows.Close()
	var values []T
	for rows.Next() {
		var value T
		require.NoError(t, rows.Scan(&value), text)
		values = append(values, value)
	}
	require.NoError(t, rows.Err(), text)
	return values
}

// store reaches the engine behind a database, as programs do.
func store(t testing.TB, db *sql.DB) (s engine.Store, release func()) {
	t.Helper()
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	require.NoError(t, conn.Raw(func(c any) error {
		s = c.(*eventfold.Conn).Store()
		return nil
	}))
	return s, func() { require.NoError(t, conn.Close()) }
}

// processes are what the test program can do as another process: each works on a DSN, prints lines
// and reads its standard input to know when to end.
var processes = map[string]func(db *sql.DB) error{
	"append": func(db *sql.DB) error { // appends once, says so, and keeps the store open
		_, err := db.Exec(`INSERT INTO other (type) VALUES ('FromOther')`)
		if err != nil {
			return err
		}
		fmt.Println("appended")
		_, err = io.ReadAll(os.Stdin)
		return err
	},
	"count": func(db *sql.DB) error {
		var n int
		if err := db.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&n); err != nil {
			return err
		}
		fmt.Println("count", n)
		return nil
	},
	"statements": runStatements,
}

func runProcess(script string) int {
	db, err := sql.Open("eventfold", testenv.Get("EVENTFOLD_TEST_DSN"))
	if err == nil {
		err = processes[script](db)
	}
	if db != nil {
		db.Close()
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// A process is this test program, running as another process.
type process struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Scanner
}

// otherProcess starts one of processes on a DSN.
func otherProcess(t *testing.T, script, dsn string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EVENTFOLD_TEST_PROCESS="+script, "EVENTFOLD_TEST_DSN="+dsn)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return &process{cmd: cmd, input: input, output: bufio.NewScanner(output)}
}

// line returns the next line that the process prints, "" at its end.
func (p *process) line() string {
	p.output.Scan()
	return p.output.Text()
}

func (p *process) end() error {
	p.input.Close()
	return p.cmd.Wait()
}

// TestOneStorePerPath holds that all databases of one directory are one store, whatever the path
// says.
func TestOneStorePerPath(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "store")
	first := openDB(t, dir)
	mustExec(t, first, `INSERT INTO a (type) VALUES ('A')`)

	link := filepath.Join(root, "link")
	require.NoError(t, os.Symlink(dir, link))
	t.Chdir(root)
	for _, dsn := range []string{dir, "store", "./store/../store", link, "file:store", "file://" + dir + "?mode=rw",
		dir + "?busy_timeout=1s&json=text"} {
		db := openDB(t, dsn)
		mustExec(t, db, `INSERT INTO b (type) VALUES ('B')`) // would wait for the lock if it were another store
		want := one[int](t, first, `SELECT COUNT(*) FROM $all`)
		assert.Equal(t, want, one[int](t, db, `SELECT COUNT(*) FROM $all`), dsn)
	}
	reader := openDB(t, dir+"?mode=ro")
	assert.Equal(t, 8, one[int](t, reader, `SELECT COUNT(*) FROM $all`))
	_, err := reader.Exec(`INSERT INTO c (type) VALUES ('C')`)
	assert.ErrorIs(t, err, eventfold.ErrReadOnly)
}

// TestStoreStaysWhereItWasOpened holds that an open store does not move with the working directory
// or with a link, and that one whose directory is renamed is opened again under its new name.
func TestStoreStaysWhereItWasOpened(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	require.NoError(t, os.Mkdir(at("a"), 0o755))
	require.NoError(t, os.Mkdir(at("b"), 0o755))
	require.NoError(t, os.Symlink("a", at("link")))
	t.Chdir(root)
	relative, linked := openDB(t, "relative"), openDB(t, "link")
	require.NoError(t, relative.Ping())
	require.NoError(t, linked.Ping())
	require.NoError(t, os.Remove("link"))
	require.NoError(t, os.Symlink("b", at("link")))
	t.Chdir(t.TempDir())
	mustExec(t, relative, `INSERT INTO r (type) VALUES ('R')`)
	mustExec(t, linked, `INSERT INTO a (type) VALUES ('A')`)
	require.NoError(t, relative.Close())
	assert.Equal(t, 1, one[int](t, openDB(t, at("relative")), `SELECT COUNT(*) FROM r`))
	assert.Equal(t, 1, one[int](t, openDB(t, at("a")), `SELECT COUNT(*) FROM a`))
	assert.Equal(t, 0, one[int](t, openDB(t, at("link")), `SELECT COUNT(*) FROM a`), "the link leads elsewhere now")

	require.NoError(t, os.Rename(at("a"), at("renamed")))
	renamed := openDB(t, at("renamed"))
	mustExec(t, renamed, `INSERT INTO a (type) VALUES ('A')`)
	assert.Equal(t, 2, one[int](t, renamed, `SELECT COUNT(*) FROM a`))
	_, err := linked.Exec(`INSERT INTO a (type) VALUES ('A')`)
	require.ErrorIs(t, err, eventfold.ErrMoved)
	assert.Equal(t, 0, one[int](t, openDB(t, at("a")), `SELECT COUNT(*) FROM a`), "the name belongs to a new directory")
}

func TestConflictingOptionsNameBothValues(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir+"?sync=interval")
	require.NoError(t, db.Ping())
	for options, text := range map[string]string{
		"":                                   "sync=interval, not sync=always",
		"?sync=interval&max_event_size=2MiB": "max_event_size=1MiB, not max_event_size=2MiB",
		"?sync=interval&compress=zstd":       "compress=none, not compress=zstd",
		"?sync=interval&prealloc=none":       "prealloc=auto, not prealloc=none",
		"?sync=interval&network=allow":       "network=refuse, not network=allow",
	} {
		err := openDB(t, dir+options).Ping()
		assert.ErrorIs(t, err, eventfold.ErrConfig, options)
		assert.ErrorContains(t, err, text, options)
	}
	same := openDB(t, dir+"?sync=interval&max_event_size=1MiB")
	assert.NoError(t, same.Ping(), "the default given by name")
	require.NoError(t, same.Close())
	require.NoError(t, db.Close())
	assert.NoError(t, openDB(t, dir).Ping(), "the first database is closed, the next one decides anew")
}

// TestManyOpenAtOnce holds that the open is done once, and that those who wait for it do so no
// longer than their context.
func TestManyOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	const programs, rounds = 2, 50
	var group sync.WaitGroup
	// a store that is just being closed is opened again, and never twice: nobody finds the lock
	// taken
	for range programs {
		group.Go(func() {
			for range rounds {
				db, err := sql.Open("eventfold", dir+"?busy_timeout=0")
				if assert.NoError(t, err) {
					_, err = db.Exec(`INSERT INTO a (type) VALUES ('A')`)
					assert.NoError(t, err)
					assert.NoError(t, db.Close())
				}
			}
		})
	}
	group.Wait()
	db := openDB(t, dir)
	assert.Equal(t, programs*rounds, one[int](t, db, `SELECT COUNT(*) FROM a`))

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	connector := eventfold.NewConnector(eventfold.Config{Path: dir})
	_, err := connector.Connect(ctx)
	assert.Equal(t, context.Canceled, err)
	assert.NoError(t, connector.Close())
}

func TestMemory(t *testing.T) {
	a, b := openDB(t, ":memory:"), openDB(t, ":memory:")
	a.SetMaxIdleConns(0) // every statement gets a connection of its own
	mustExec(t, a, `INSERT INTO s (type) VALUES ('A')`)
	assert.Equal(t, 1, one[int](t, a, `SELECT COUNT(*) FROM s`), "one store for all connections of a database")
	assert.Equal(t, 0, one[int](t, b, `SELECT COUNT(*) FROM s`), "another database has another store")

	named, same, other := openDB(t, "file:one?mode=memory"), openDB(t, "file:one?mode=memory"),
		openDB(t, "file:two?mode=memory")
	mustExec(t, named, `INSERT INTO s (type) VALUES ('A')`)
	assert.Equal(t, 1, one[int](t, same, `SELECT COUNT(*) FROM s`))
	assert.Equal(t, 0, one[int](t, other, `SELECT COUNT(*) FROM s`))
	require.NoError(t, named.Close())
	require.NoError(t, same.Close())
	assert.Equal(t, 0, one[int](t, openDB(t, "file:one?mode=memory"), `SELECT COUNT(*) FROM s`),
		"gone with its last database")

	_, err := new(eventfold.Driver).Open(":memory:")
	assert.ErrorContains(t, err, "file:name?mode=memory")
}

// TestConfigStore holds that another engine can be put in, and that who has opened it keeps it.
func TestConfigStore(t *testing.T) {
	s, err := filestore.Open("anywhere", filestore.Options{FS: vfs.NewMem()})
	require.NoError(t, err)
	defer s.Close()
	db := eventfold.OpenDB(eventfold.Config{Store: s})
	mustExec(t, db, `INSERT INTO s (type) VALUES ('A')`)
	require.NoError(t, db.Close())
	assert.Equal(t, engine.Position(1), s.ReadIndex().Head(), "still open")
}

// TestOtherProcess holds that many processes read what one appends, and that the second one to
// append is told who holds the lock.
func TestOtherProcess(t *testing.T) {
	dir := t.TempDir()
	reader := openDB(t, dir+"?busy_timeout=0")
	assert.Equal(t, 0, one[int](t, reader, `SELECT COUNT(*) FROM $all`), "being open keeps nobody from appending")

	writer := otherProcess(t, "append", dir)
	require.Equal(t, "appended", writer.line())
	assert.Equal(t, 1, one[int](t, reader, `SELECT COUNT(*) FROM other`))

	_, err := reader.Exec(`INSERT INTO mine (type) VALUES ('A')`)
	require.ErrorIs(t, err, eventfold.ErrLocked)
	var locked *eventfold.LockedError
	require.ErrorAs(t, err, &locked)
	assert.Equal(t, writer.cmd.Process.Pid, locked.PID)

	patient := openDB(t, dir+"?busy_timeout=1m")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = patient.ExecContext(ctx, `INSERT INTO mine (type) VALUES ('A')`)
	assert.Equal(t, context.DeadlineExceeded, err, "waiting for the lock honours the context")

	done := make(chan error, 1)
	go func() { // ends when the lock is free
		_, err := patient.Exec(`INSERT INTO mine (type) VALUES ('A')`)
		done <- err
	}()
	require.NoError(t, writer.end())
	assert.NoError(t, <-done, "waiting for the lock gets it")
	assert.Equal(t, 2, one[int](t, reader, `SELECT COUNT(*) FROM $all`))
}

// requireUnlocked holds that another process can append: nothing of this process keeps the lock.
func requireUnlocked(t *testing.T, dir string) {
	t.Helper()
	p := otherProcess(t, "append", dir+"?busy_timeout=0")
	require.Equal(t, "appended", p.line())
	require.NoError(t, p.end())
}
