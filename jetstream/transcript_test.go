package jetstream_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/jetstream"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query"
	"github.com/eventfold/eventfold/query/transcript"
)

// otherOnACluster are the transcripts, and statements of them, that give something else over a cluster,
// and why.
var otherOnACluster = map[string]string{
	"erase":                                 "a node tells the log that an erasure is done when its copy holds nothing of it any more: some time later, in an event",
	"erasetransaction":                      "likewise",
	"SELECT name FROM $stats ORDER BY name": "there are copy_lag and copy_synced, too",
}

// The dialect is the same over a cluster: the transcripts of package query give the same answers.
func TestTranscriptsOnOneServer(t *testing.T) {
	t.Parallel()
	runTranscripts(t, startCluster(t, 1))
}

// They do on three servers, too.
func TestTranscriptsOnThreeServers(t *testing.T) {
	if !testenv.Long() {
		t.Skip("takes a minute; set EVENTFOLD_TORTURE")
	}
	t.Parallel()
	runTranscripts(t, startCluster(t, 3))
}

func runTranscripts(t *testing.T, c *cluster) {
	files, err := filepath.Glob("../query/testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	met := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		if otherOnACluster[name] != "" {
			met[name] = true
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		blocks, err := transcript.Parse(string(text))
		require.NoError(t, err, file)
		t.Run(name, func(t *testing.T) {
			x := newTranscribed(t, c)
			for i, b := range blocks {
				output := x.run(t.Context(), b)
				if otherOnACluster[b.Text] != "" {
					met[b.Text] = true
					assert.NotEqual(t, b.Want, output, "it is no exception any more: %s", b.Head)
					continue
				}
				assert.Equal(t, b.Want, output, "%s, block %d:\n%s", file, i+1, b.Head)
			}
		})
	}
	for name := range otherOnACluster {
		assert.True(t, met[name], "no transcript has %q", name)
	}
}

// A transcribed runs statements in sessions of one bucket.
type transcribed struct {
	store    *jetstream.Store
	sessions map[string]*query.Session
	clock    time.Time // a second on for each statement
	views    query.Views
}

// newTranscribed opens a bucket whose events have the times of a clock that is known.
func newTranscribed(t *testing.T, c *cluster) *transcribed {
	x := &transcribed{store: c.openNew(t), sessions: map[string]*query.Session{},
		clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	t.Cleanup(func() { assert.NoError(t, x.store.Close()) })
	x.store.Between(func(send jetstream.Sender) jetstream.Sender {
		return func(ctx context.Context, messages []*nats.Msg) error {
			for _, m := range messages {
				jetstream.Recorded(m, x.clock)
			}
			return send(ctx, messages)
		}
	})
	return x
}

func (x *transcribed) now() time.Time { return x.clock }

func (x *transcribed) session(name string) *query.Session {
	s := x.sessions[name]
	if s == nil {
		s = &query.Session{Store: x.store, Settings: query.Settings{
			Now: x.now, Shared: query.NewMemory(query.DefaultStoreMemory), Actor: name, ReadOnly: name == "reader",
			Views: &x.views,
		}}
		x.sessions[name] = s
	}
	return s
}

// run runs one block and returns its output.
func (x *transcribed) run(ctx context.Context, b transcript.Block) string {
	x.clock = x.clock.Add(time.Second)
	out, err := x.give(ctx, x.session(b.Session), b)
	out = transcript.HideIDs(out)
	var e *query.Error
	switch {
	case err == nil:
		return out
	case errors.As(err, &e) && e.Pos >= 0:
		line, column := parser.Locate(b.Text, e.Pos)
		return out + transcript.ErrorText(e, line, column)
	}
	return out + transcript.ErrorText(err, 0, 0)
}

// give runs a statement and gives its output.
func (x *transcribed) give(ctx context.Context, s *query.Session, b transcript.Block) (string, error) {
	parsed, err := parser.Parse(b.Text)
	if err != nil {
		return "", err
	}
	plan, err := query.Compile(parsed)
	if err != nil {
		return "", err
	}
	if !plan.GivesRows() {
		out, err := plan.Exec(ctx, s, b.Args)
		if err != nil {
			return "", err
		}
		return transcript.Outcome{Rows: out.RowsAffected, Last: out.LastPosition, Pending: out.Pending,
			Duplicate: out.Duplicate}.Text(), nil
	}
	rows, err := plan.Query(ctx, s, b.Args)
	if err != nil {
		return "", err
	}
	var columns []transcript.Column
	for _, c := range rows.Columns() {
		columns = append(columns, transcript.Column{Name: c.Name, Type: c.Type.SQL(), Nullable: c.Nullable})
	}
	return transcript.RowsText(columns, rows)
}
