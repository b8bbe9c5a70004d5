package query

import (
	"context"
	"database/sql/driver"
	"errors"
	"flag"
	"os"
	"path/filepath"
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
	"github.com/eventfold/eventfold/query/transcript"
)

var update = flag.Bool("update", false, "write what the transcripts should say")

// TestTranscripts runs the files testdata/*.txt, which package transcript describes. Every file has a
// store of its own: those whose names begin with "erase" a Model, of which it is known when an erasure is
// done.
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
	blocks, err := transcript.Parse(string(text))
	require.NoError(t, err, file)
	tr := newTranscript(t)
	if strings.HasPrefix(filepath.Base(file), "erase") {
		tr.store = enginetest.NewModelWith(tr.now)
	}
	var got []string
	for i, b := range blocks {
		output := tr.run(b)
		got = append(got, b.With(output))
		if !*update {
			assert.Equal(t, b.Want, output, "%s, block %d:\n%s", file, i+1, b.Head)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(got, "\n")), 0o644))
	}
}

// A transcribed runs statements in sessions of one store.
type transcribed struct {
	store    engine.Store
	sessions map[string]*Session
	clock    time.Time
	views    Views
}

func newTranscript(t *testing.T) *transcribed {
	tr := &transcribed{sessions: map[string]*Session{}, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	tr.store = openStore(t, filestore.Options{Now: tr.now, Rand: &countingBytes{}})
	return tr
}

// now advances by a second per append, so that recorded_at is known.
func (tr *transcribed) now() time.Time {
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

func (tr *transcribed) session(name string) *Session {
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
func (tr *transcribed) run(b transcript.Block) string {
	tr.clock = tr.clock.Add(time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	out, err := runText(ctx, tr.session(b.Session), b.Text, b.Args)
	out = transcript.HideIDs(out)
	if err != nil {
		out += errorText(b.Text, err)
	}
	return out
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
	return transcript.Outcome{Rows: o.RowsAffected, Last: o.LastPosition, Pending: o.Pending, Duplicate: o.Duplicate}.Text()
}

func rowsText(rows Rows) (string, error) {
	var columns []transcript.Column
	for _, c := range rows.Columns() {
		columns = append(columns, transcript.Column{Name: c.Name, Type: c.Type.SQL(), Nullable: c.Nullable})
	}
	return transcript.RowsText(columns, rows)
}

func errorText(text string, err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return transcript.ErrorText(err, 0, 0)
	}
	if e.Pos < 0 {
		return transcript.ErrorText(e, 0, 0)
	}
	line, column := parser.Locate(text, e.Pos)
	return transcript.ErrorText(e, line, column)
}
