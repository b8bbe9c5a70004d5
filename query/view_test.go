package query

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
)

// TestAViewThatCannotBeReadHarmsNoOther: its definition may be of another version, or name a function
// that this program does not have.
func TestAViewThatCannotBeReadHarmsNoOther(t *testing.T) {
	s := &Session{Store: enginetest.NewModel(), Settings: Settings{Views: &Views{}}}
	for name, text := range map[string]string{
		"bad":    "SELECT\n of_tomorrow(type) AS x FROM $all",
		"worse":  "MATCH (a)-->(b)",
		"asking": "SELECT ? AS x",
		"alike":  "SELECT x FROM views.bad",
		"good":   "SELECT 1 AS x",
	} {
		_, err := s.Store.Append(context.Background(),
			engine.Append{Define: &engine.Definition{Name: name, Kind: "view", Text: text}})
		require.NoError(t, err)
	}
	assert.Equal(t, []string{
		"",
		`"alike" | "view \"alike\", line 1, column 15: view \"bad\", line 2, column 2: no such function: of_tomorrow()"`,
		`"asking" | "view \"asking\" cannot be read: its definition is not a SELECT without parameters"`,
		`"bad" | "view \"bad\", line 2, column 2: no such function: of_tomorrow()"`,
		`"good" | "ok"`,
		`"worse" | "view \"worse\" cannot be read: line 1, column 1: a statement begins with`,
	}, cutRows(sortedRows(t, s, "SELECT name, state FROM $views"), "a statement begins with"))
	_, err := runText(context.Background(), s, "SELECT 1, x FROM views.bad", nil)
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.EqualValues(t, len("SELECT 1, x FROM "), e.Pos)
	assert.ErrorContains(t, err, `view "bad", line 2, column 2: no such function`)
	assert.Equal(t, []string{"", "1"}, sortedRows(t, s, "SELECT * FROM views.good"))
	assert.Equal(t, []string{"", `"good" | "x"`}, sortedRows(t, s,
		"SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'views'"))

	_, err = runText(context.Background(), s, "DROP VIEW bad", nil)
	assert.ErrorContains(t, err, `is used by "alike"`)
	mustRun(t, s, "CREATE OR REPLACE VIEW bad AS SELECT 2 AS x")
	assert.Equal(t, []string{"", "2"}, sortedRows(t, s, "SELECT * FROM views.alike"))
	mustRun(t, s, "DROP VIEW worse")
}

// cutRows ends each row behind a text that is in it.
func cutRows(rows []string, end string) []string {
	for i := range rows {
		if head, _, ok := strings.Cut(rows[i], end); ok {
			rows[i] = head + end
		}
	}
	return rows
}

// TestViewsAreBounded in number, in size, in depth, and in how many of them a statement reads, so
// that none of them is as large as what it would be written out.
func TestViewsAreBounded(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	mustRun(t, s, "CREATE VIEW d0 AS SELECT 1 AS n")
	for i := 1; i < maxViewDepth; i++ {
		mustRun(t, s, fmt.Sprintf("CREATE VIEW d%d AS SELECT n FROM views.d%d", i, i-1))
	}
	_, err := runText(context.Background(), s, fmt.Sprintf("CREATE VIEW d AS SELECT n FROM views.d%d", maxViewDepth-1), nil)
	assert.ErrorContains(t, err, "at most 16 deep")

	mustRun(t, s, "CREATE VIEW p0 AS SELECT 1 AS n")
	failed := 0
	for i := 1; i < 10 && err == nil || failed == 0; i++ {
		_, err = runText(context.Background(), s,
			fmt.Sprintf("CREATE VIEW p%d AS SELECT a.n FROM views.p%d a JOIN views.p%d b ON a.n = b.n", i, i-1, i-1), nil)
		if err != nil {
			failed = i
		}
	}
	assert.ErrorContains(t, err, "reads at most 64 views")
	assert.Equal(t, 6, failed)

	_, err = runText(context.Background(), s, "CREATE VIEW long AS SELECT '"+strings.Repeat("x", maxDefinition)+"' AS x", nil)
	assert.ErrorContains(t, err, "at most 65536 bytes")
	var many []engine.Append
	for i := range maxViews {
		many = append(many, engine.Append{Define: &engine.Definition{Name: fmt.Sprint(i), Kind: "view", Text: "SELECT 1 AS n"}})
	}
	_, err = s.Store.Append(context.Background(), many...)
	require.NoError(t, err)
	_, err = runText(context.Background(), s, "CREATE VIEW more AS SELECT 1 AS n", nil)
	assert.ErrorContains(t, err, "at most 1000 views")
	mustRun(t, s, "CREATE OR REPLACE VIEW d0 AS SELECT 2 AS n")
}

// TestDefinitionsAreReadOnce: what a process has read of them it remembers, also of the past.
func TestDefinitionsAreReadOnce(t *testing.T) {
	store := &countedStreams{Store: openStore(t, filestore.Options{})}
	s := &Session{Store: store, Settings: Settings{Views: &Views{}}}
	mustRun(t, s, "CREATE VIEW v AS SELECT 1 AS n")
	for range 3 {
		mustRun(t, s, "SELECT * FROM views.v")
	}
	before := store.read
	for range 10 {
		mustRun(t, s, "SELECT * FROM views.v")
	}
	assert.Equal(t, before, store.read)
	mustRun(t, s, "CREATE OR REPLACE VIEW v AS SELECT 2 AS n")
	assert.Equal(t, []string{"", "2"}, sortedRows(t, s, "SELECT * FROM views.v"))
	assert.Equal(t, []string{"", "1"}, sortedRows(t, s, "SELECT * FROM views.v AS OF POSITION 0"))
	after := store.read
	for range 5 {
		assert.Equal(t, []string{"", "2"}, sortedRows(t, s, "SELECT * FROM views.v"))
		assert.Equal(t, []string{"", "1"}, sortedRows(t, s, "SELECT * FROM views.v AS OF POSITION 0"))
	}
	assert.Equal(t, after, store.read)
}

// countedStreams counts how often a stream is read.
type countedStreams struct {
	engine.Store
	read int
}

func (s *countedStreams) ReadIndex() engine.ReadIndex {
	return &countedIndex{s.Store.ReadIndex(), s}
}

type countedIndex struct {
	engine.ReadIndex
	store *countedStreams
}

func (x *countedIndex) At(h engine.Position) engine.ReadIndex {
	return &countedIndex{x.ReadIndex.At(h), x.store}
}

func (x *countedIndex) ReadStream(
	ctx context.Context, stream string, from engine.Version, dir engine.Direction,
) engine.Cursor {
	x.store.read++
	return x.ReadIndex.ReadStream(ctx, stream, from, dir)
}
