package query

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

var update = flag.Bool("update", false, "write what the transcripts should say")

// TestTranscripts runs the files testdata/*.txt. A file is a list of blocks, with blank lines
// between them. A block is a statement, a line of four dashes, and what the statement gave: the
// columns and the rows, or the outcome, or the error with its line and column. Before the statement
// there may be lines that begin with #, a line "args [...]" with the arguments as JSON, and a line
// "session name", which chooses one of several sessions. Every file has a store of its own:
// those whose names begin with "erase" a Model, of which it is known when an erasure is done.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runTranscript(t, file) })
	}
}

func runTranscript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	tr := newTranscript(t)
	if strings.HasPrefix(filepath.Base(file), "erase") {
		tr.store = enginetest.NewModelWith(tr.now)
	}
	var got strings.Builder
	blocks := strings.Split(strings.TrimSpace(string(text)), "\n\n")
	for i, block := range blocks {
		head, want, _ := strings.Cut(block+"\n", "\n----\n")
		output := tr.run(strings.TrimSuffix(head, "\n"))
		if i > 0 {
			got.WriteString("\n")
		}
		got.WriteString(strings.TrimSuffix(head, "\n") + "\n----\n" + output)
		if !*update {
			assert.Equal(t, want, output, "%s, block %d:\n%s", file, i+1, head)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o644))
	}
}

// A transcript runs statements in sessions of one store.
type transcript struct {
	store    engine.Store
	sessions map[string]*Session
	clock    time.Time
	views    Views
}

func newTranscript(t *testing.T) *transcript {
	tr := &transcript{sessions: map[string]*Session{}, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	tr.store = openStore(t, filestore.Options{Now: tr.now, Rand: &countingBytes{}})
	return tr
}

// now advances by a second per append, so that recorded_at is known.
func (tr *transcript) now() time.Time {
	return tr.clock
}

// openStore opens a store in memory that is closed when the test ends.
func openStore(t testing.TB, o filestore.Options) engine.Store {
	o.FS = vfs.NewMem()
	store, err := filestore.Open("store", o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	return store
}

// countingBytes is a source of bytes that are always the same.
type countingBytes struct{ n byte }

func (c *countingBytes) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.n
		c.n++
	}
	return len(p), nil
}

// assignedID is an id as the store assigns it. The transcripts' own ids are of other versions.
var assignedID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

func (tr *transcript) session(name string) *Session {
	s := tr.sessions[name]
	if s == nil {
		s = &Session{Store: tr.store, Settings: Settings{
			Now: tr.now, Shared: NewMemory(DefaultStoreMemory), Actor: name, ReadOnly: name == "reader",
			Views: &tr.views,
		}}
		tr.sessions[name] = s
	}
	return s
}

// run runs one block and returns its output.
func (tr *transcript) run(head string) string {
	s := tr.session("")
	var args []driver.NamedValue
	var lines []string
	for _, line := range strings.Split(head, "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "session "); ok {
			s = tr.session(name)
			continue
		}
		if list, ok := strings.CutPrefix(line, "args "); ok {
			var err error
			if args, err = parseArgs(list); err != nil {
				return "bad args: " + err.Error() + "\n"
			}
			continue
		}
		lines = append(lines, line)
	}
	tr.clock = tr.clock.Add(time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	text := strings.Join(lines, "\n")
	out, err := runText(ctx, s, text, args)
	out = assignedID.ReplaceAllString(out, "(assigned id)")
	if err != nil {
		out += errorText(text, err)
	}
	return out
}

// parseArgs reads arguments from JSON: a list for positional ones, an object for named ones.
func parseArgs(list string) ([]driver.NamedValue, error) {
	var values []any
	if err := json.Unmarshal([]byte(list), &values); err == nil {
		var args []driver.NamedValue
		for i, v := range values {
			args = append(args, driver.NamedValue{Ordinal: i + 1, Value: argValue(v)})
		}
		return args, nil
	}
	var named map[string]any
	if err := json.Unmarshal([]byte(list), &named); err != nil {
		return nil, err
	}
	var args []driver.NamedValue
	for name, v := range named {
		args = append(args, driver.NamedValue{Name: name, Ordinal: len(args) + 1, Value: argValue(v)})
	}
	return args, nil
}

func argValue(v any) driver.Value {
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		return int64(f)
	}
	return v
}

// runText runs a statement and gives its output as text.
func runText(ctx context.Context, s *Session, text string, args []driver.NamedValue) (string, error) {
	parsed, err := parser.Parse(text)
	if err != nil {
		return "", err
	}
	plan, err := Compile(parsed)
	if err != nil {
		return "", err
	}
	if !plan.GivesRows() {
		out, err := plan.Exec(ctx, s, args)
		if err != nil {
			return "", err
		}
		return outcomeText(out), nil
	}
	rows, err := plan.Query(ctx, s, args)
	if err != nil {
		return "", err
	}
	return rowsText(rows)
}

func outcomeText(o Outcome) string {
	s := fmt.Sprintf("ok, %d rows", o.RowsAffected)
	if o.LastPosition != engine.NoPosition {
		s += fmt.Sprintf(", last position %d", o.LastPosition)
	}
	if o.Pending {
		s += ", pending"
	}
	if o.Duplicate {
		s += ", duplicate"
	}
	return s + "\n"
}

// rowsText writes columns as "name TYPE", with a ? for those that may be NULL, and a line per row.
func rowsText(rows Rows) (string, error) {
	var b strings.Builder
	columns := rows.Columns()
	for i, c := range columns {
		if i > 0 {
			b.WriteString(" | ")
		}
		b.WriteString(c.Name + " " + c.Type.SQL())
		if c.Nullable {
			b.WriteString("?")
		}
	}
	b.WriteString("\n")
	dest := make([]driver.Value, len(columns))
	for {
		err := rows.Next(dest)
		if err == io.EOF {
			return b.String(), rows.Close()
		}
		if err != nil {
			_ = rows.Close()
			return b.String(), err
		}
		for i, v := range dest {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(valueText(v))
		}
		b.WriteString("\n")
	}
}

func valueText(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return fmt.Sprintf("%q", v)
	case []byte:
		if json.Valid(v) {
			return string(v)
		}
		return fmt.Sprintf("x'%x'", v)
	case float64:
		return value.FormatReal(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case *engine.Event:
		return fmt.Sprintf("%d:%s/%d %s %s %s %s %v", v.Position, v.Stream, v.Version, v.Type, v.Payload, v.Metadata,
			v.Tags, v.RecordedAt.Format(time.RFC3339Nano))
	}
	return fmt.Sprint(v)
}

func errorText(text string, err error) string {
	var e *Error
	if errors.As(err, &e) {
		if e.Pos >= 0 {
			line, column := parser.Locate(text, e.Pos)
			return fmt.Sprintf("error %d:%d: %s\n", line, column, e.Error())
		}
		return "error: " + e.Error() + "\n"
	}
	return "error: " + err.Error() + "\n"
}
