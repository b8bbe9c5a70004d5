package query

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/parser"
)

// FuzzStatement runs whatever the parser accepts against a small store: no panic, no hang, errors
// of known kinds. The seeds are the statements of the transcripts.
func FuzzStatement(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("no transcripts", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "\n\n") {
			head, _, _ := strings.Cut(block, "\n----\n")
			lines := strings.Split(head, "\n")
			for strings.HasPrefix(lines[0], "#") || strings.HasPrefix(lines[0], "args ") ||
				strings.HasPrefix(lines[0], "session ") {
				lines = lines[1:]
			}
			f.Add(strings.Join(lines, "\n"))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		parsed, err := parser.Parse(text)
		if err != nil {
			return
		}
		plan, err := Compile(parsed)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || int(e.Pos) > len(text) {
				t.Fatalf("%q: %T %v", text, err, err)
			}
			return
		}
		runFuzzed(t, plan, parsed)
	})
}

// runFuzzed runs a plan with arguments of many kinds, for a bounded amount of work.
func runFuzzed(t *testing.T, plan *Plan, parsed *parser.Parsed) {
	store := enginetest.NewModel()
	fill(t, store, 25)
	s := &Session{Store: store, Settings: Settings{Memory: 1 << 20, Views: &Views{}}}
	for _, view := range []string{
		"CREATE VIEW orders AS SELECT position, stream AS order_id, type, payload->>'$.total' AS total FROM $all",
		"CREATE MATERIALIZED VIEW spent AS SELECT stream, COUNT(*) AS n FROM $all GROUP BY stream",
	} {
		if _, err := runText(context.Background(), s, view, nil); err != nil {
			t.Fatal(err)
		}
	}
	kinds := []driver.Value{int64(1), "x", nil, 2.5, []byte{0xff}, "2026-01-01", time.Unix(0, 0)}
	var args []driver.NamedValue
	for i := range max(parsed.Params.Count, len(parsed.Params.Names)) {
		a := driver.NamedValue{Ordinal: i + 1, Value: kinds[i%len(kinds)]}
		if parsed.Params.Names != nil {
			a.Name = parsed.Params.Names[i]
		}
		args = append(args, a)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond) // also what ends FOLLOW
	defer cancel()
	if plan.GivesRows() {
		if rows, err := plan.Query(ctx, s, args); err == nil {
			_, _ = rowsText(rows)
		}
	}
	if _, err := plan.Exec(ctx, s, args); err == nil && s.Tx != nil {
		s.Tx.Rollback()
	}
	if store.ReadIndex().Head() < engine.Position(25) {
		t.Fatal("events are gone")
	}
}
