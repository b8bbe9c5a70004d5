package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold/jetstream/natstest"
)

// raceVariable tells the race detector in the commands that tests run how to behave. By itself it
// waits for a second at the end of each process.
const raceVariable = "GORACE"

func TestMain(m *testing.M) {
	natstest.Main()
	os.Setenv(raceVariable, os.Getenv(raceVariable)+" atexit_sleep_ms=0")
	testscript.Main(m, map[string]func(){"eventfold": main, "sql": runSQL, "writer": runWriter, "mortal": runMortal})
}

// runSQL is for scripts: sql DSN STATEMENT... runs statements and prints the rows of each.
func runSQL() {
	if err := printSQL(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func printSQL(dsn string, statements []string) error {
	db, err := sql.Open("eventfold", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, text := range statements {
		rows, err := db.Query(text)
		if err != nil {
			return err
		}
		if err := printRows(rows); err != nil {
			return err
		}
	}
	return nil
}

func printRows(rows *sql.Rows) error {
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, places := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		var line []string
		for _, v := range values {
			text := "NULL"
			if v.Valid {
				text = v.String
			}
			line = append(line, text)
		}
		fmt.Println(strings.Join(line, " | "))
	}
	return rows.Err()
}

// TestScripts runs the sessions in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv(raceVariable, os.Getenv(raceVariable))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"absent":  absent,
			"cut":     cut,
			"project": project,
			"same":    same,
			"seal":    seal,
			"spoil":   spoil,
		},
	})
}

// absent TEXT DIR fails if a file below the directory holds the text; ! absent if none does.
func absent(ts *testscript.TestScript, neg bool, args []string) {
	found := ""
	// A process that another test starts meanwhile would have the file open until it is another
	// program, and be told as one that reads it.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), args[0]) {
			found = path
		}
		return err
	}))
	if (found != "") != neg {
		ts.Fatalf("%q in a file below %s: %q", args[0], args[1], found)
	}
}

// cut FILE N takes the last N bytes of a file away.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b[:len(b)-n], 0o600))
}

// The store of every command that has --store may stand there, or in the environment.
func TestHelpSaysThatTheStoreMayStandElsewhere(t *testing.T) {
	var look func(c *cli.Command, name string)
	look = func(c *cli.Command, name string) {
		for _, below := range c.Commands {
			look(below, name+" "+below.Name)
		}
		for _, flag := range c.Flags {
			if slices.Contains(flag.Names(), "store") {
				first, _, _ := strings.Cut(c.ArgsUsage, " ")
				assert.Equal(t, "[STORE]", first, name)
			}
		}
	}
	look(rootCommand(newConsole(io.Discard, io.Discard), strings.NewReader("")), "eventfold")
}

// Whoever runs retain with --every ends it with a signal, and that is no error.
func TestRetainEveryEndsWithASignal(t *testing.T) {
	dir := t.TempDir()
	store, policy := filepath.Join(dir, "store"), filepath.Join(dir, "policy.json")
	insert := `INSERT INTO cart-1 (type, payload) VALUES ('A', '{"a":1}'), ('A', '{"a":2}')`
	require.NoError(t, printSQL(store, []string{insert}))
	text := `{"rules": [{
		"name": "carts", "categories": ["cart"], "keep_last": 1, "erase": "content", "reason": "enough"
	}]}`
	require.NoError(t, os.WriteFile(policy, []byte(text), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := os.Create(filepath.Join(dir, "out"))
	require.NoError(t, err)
	defer out.Close()
	executable, err := exec.LookPath("eventfold")
	require.NoError(t, err)
	c := exec.CommandContext(ctx, executable, "retain", "--every", "1ms", store, policy)
	c.Stdout, c.Stderr = out, out
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(out.Name())
		return err == nil && strings.Contains(string(b), "carts: 0 events erased")
	}, time.Minute, time.Millisecond)
	busy := exec.CommandContext(ctx, executable, "erase", "--json", "--reason", "x",
		"file:"+store+"?busy_timeout=1ms", "FROM cart-1 WHERE TRUE")
	told, err := busy.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, exitConflict, busy.ProcessState.ExitCode(), "%s", told)
	assert.Contains(t, string(told), strconv.Itoa(c.Process.Pid), "it says who has the lock")
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	require.NoError(t, c.Wait())
	b, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	assert.Contains(t, string(b), "carts: 1 event erased\n")
}
