package main

import (
	"context"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
)

// Each tells about every MiB, and how much there is, so that a share and the time left are known.
func TestVerifyBackupAndSalvageTellHowFarTheyAre(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	payload := `{"text": "` + strings.Repeat("x", 900<<10) + `"}`
	insert := "INSERT INTO s (type, payload) VALUES ('A', '" + payload + "')"
	require.NoError(t, printSQL(store, []string{insert, insert, insert, insert, insert}))
	query := func(text string) func(context.Context) error {
		return func(ctx context.Context) error {
			db, err := sql.Open("eventfold", "file:"+store+"?mode=ro&backup=allow")
			require.NoError(t, err)
			defer db.Close()
			_, err = db.ExecContext(ctx, text)
			return err
		}
	}
	for name, run := range map[string]func(context.Context) error{
		"verify": query("VERIFY"),
		"backup": query("BACKUP TO '" + filepath.Join(dir, "backup") + "'"),
		"salvage": func(ctx context.Context) error {
			_, err := eventfold.Salvage(ctx, store, filepath.Join(dir, "saved"))
			return err
		},
	} {
		var mu sync.Mutex // protects told and p
		told, p := 0, &progress{what: name, unit: unitBytes}
		require.NoError(t, run(engine.WithProgress(t.Context(), func(at engine.Progress) {
			mu.Lock()
			defer mu.Unlock()
			told++
			p.follow(at)
		})), name)
		assert.GreaterOrEqual(t, told, 3, name)
		assert.Regexp(t, "^"+name+`  \d+%  [\d.]+ MiB of [\d.]+ MiB  .*/s  \d+ s left$`, p.line(time.Second))
	}
}

// TestAnImportTellsHowMuchIsLeft of a file in any format, and of a text that is redirected.
func TestAnImportTellsHowMuchIsLeft(t *testing.T) {
	source := smallStore(t)
	for _, name := range []string{"e.ndjson", "e.csv", "e.ndjson.gz", "e.csv.zst", "e.parquet", "e.sqlite"} {
		file := filepath.Join(t.TempDir(), name)
		lines := linesOfProgress(t, "", "export", source, file)
		assert.NotEmpty(t, lines)
		lines = linesOfProgress(t, "", "import", filepath.Join(t.TempDir(), "store"), file)
		requireLeft(t, "import", lines)
	}
	file := filepath.Join(t.TempDir(), "e.ndjson")
	linesOfProgress(t, "", "export", source, file)
	requireLeft(t, "import", linesOfProgress(t, file, "import", filepath.Join(t.TempDir(), "store"), "-"))
	lines := `{"type": "A"}` + "\n" + `{"type": "B"}` + "\n"
	require.NoError(t, os.WriteFile(file, []byte(lines), 0o600))
	requireLeft(t, "append", linesOfProgress(t, file, "append", "--create", filepath.Join(t.TempDir(), "store"), "s"))
}

// TestWhateverTakesLongTellsHowFarItIs: copies, the first and a later one, erasures, ledgers, policies.
func TestWhateverTakesLongTellsHowFarItIs(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	insert := "INSERT INTO s (type, payload) VALUES ('A', '{\"text\": \"" + strings.Repeat("x", 900<<10) + "\"}')"
	require.NoError(t, printSQL(path("store"), []string{insert, insert, insert, insert, insert}))
	linesOfProgress(t, "", "backup", path("store"), path("backup"))
	requireLeft(t, "copy", linesOfProgress(t, "", "copy", path("store"), path("copy")))
	require.NoError(t, printSQL(path("store"), []string{insert}))
	lines := linesOfProgress(t, "", "copy", path("store"), path("copy"))
	assert.Contains(t, lines[len(lines)-1], "100%  6 of 6 events")
	requireLeft(t, "copy", lines)
	lines = linesOfProgress(t, "", "export", "--format", "ndjson", path("store"), "-")
	assert.Contains(t, lines[len(lines)-1], "100%  6 of 6 events")

	for _, line := range linesOfProgress(t, "", "erase", "--reason", "r", path("store"), "FROM s WHERE version = 1") {
		assert.Regexp(t, `^erase  (\d+%  \d+ of \d+ files  .*left|1 s)$`, line) // none if it was done at once
	}
	requireLeft(t, "apply the ledger", linesOfProgress(t, "", "restore", "--ledger", path("store"), path("backup"), path("restored")))
	policy := `{"rules": [{"name": "r", "categories": ["s"], "keep_last": 1, "erase": "content", "reason": "r"}]}`
	require.NoError(t, os.WriteFile(path("policy"), []byte(policy), 0o600))
	assert.Contains(t, linesOfProgress(t, "", "retain", path("store"), path("policy")), "retain  4 events  4 events/s  1 s")
}

// linesOfProgress runs a command, with a file as its input, and returns what its progress says whenever
// it goes on.
func linesOfProgress(t *testing.T, input string, args ...string) (lines []string) {
	t.Helper()
	in, err := os.Open(os.DevNull)
	if input != "" {
		in, err = os.Open(input)
	}
	require.NoError(t, err)
	defer in.Close()
	var mu sync.Mutex // protects lines
	atProgress = func(p *progress) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, p.line(time.Second))
	}
	defer func() { atProgress = nil }()
	var told strings.Builder
	require.Equal(t, exitOK, run(t.Context(), append([]string{"eventfold"}, args...), in, io.Discard, &told), &told)
	return lines
}

// requireLeft looks whether the last line of something says how much of it is done, and how long the
// rest will take.
func requireLeft(t *testing.T, what string, lines []string) {
	t.Helper()
	lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, what+"  ") })
	require.NotEmpty(t, lines)
	assert.Regexp(t, `^`+what+`  \d+%  .* left$`, lines[len(lines)-1])
}
