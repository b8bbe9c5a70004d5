package query

import (
	"context"
	"database/sql/driver"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/parser"
)

// TestColumnsInATransaction: what a transaction's own events do not have yet makes columns nullable
// there, and only there.
func TestColumnsInATransaction(t *testing.T) {
	store := openStore(t, filestore.Options{})
	exec(t, &Session{Store: store}, "INSERT INTO a (type) VALUES ('Stored')")
	tests := []struct {
		text     string
		inside   []bool // nullable in a transaction that can write
		anywhere []bool
	}{
		{"SELECT position, version, id, type, recorded_at FROM $all", []bool{true, true, true, false, true},
			[]bool{false, false, false, false, false}},
		{"SELECT position + 1, position IS NULL, COALESCE(position, -1) FROM a", []bool{true, false, false},
			[]bool{false, false, false}},
		{"SELECT x.p, COUNT(*) FROM (SELECT position AS p FROM a) AS x GROUP BY x.p", []bool{true, false},
			[]bool{false, false}},
		{"SELECT id FROM a UNION SELECT 'x'", []bool{true}, []bool{false}},
		{"WITH w AS (SELECT recorded_at AS r FROM $all) SELECT r, 1 FROM w", []bool{true, false}, []bool{false, false}},
		{"SELECT ROW_NUMBER() OVER (ORDER BY position), position FROM eventfold.events", []bool{false, true},
			[]bool{false, false}},
		{"INSERT INTO a (type) VALUES ('Own') RETURNING id, version", []bool{true, true}, []bool{false, false}},
		{"SELECT stream, events, version FROM $streams", []bool{false, false, true}, []bool{false, false, false}},
		{"SELECT MAX(a.version), COUNT(a.version), MAX(s.version) FROM a JOIN $streams AS s USING (stream)",
			[]bool{true, false, true}, []bool{true, false, true}},
		{"EXPLAIN SELECT position FROM $all", []bool{false, false}, []bool{false, false}},
	}
	writing := &Session{Store: store, Tx: Begin(store, false)}
	exec(t, writing, "INSERT INTO a (type) VALUES ('Own')")
	for _, tt := range tests {
		parsed, err := parser.Parse(tt.text)
		require.NoError(t, err, tt.text)
		plan, err := Compile(parsed)
		require.NoError(t, err, tt.text)
		assert.Equal(t, tt.inside, nullables(plan.ColumnsIn(writing.Tx)), tt.text)
		assert.Equal(t, tt.anywhere, nullables(plan.ColumnsIn(nil)), tt.text)
		assert.Equal(t, tt.anywhere, nullables(plan.ColumnsIn(Begin(store, true))), tt.text)
		assert.Equal(t, tt.anywhere, nullables(plan.Columns()), tt.text)
		checkNulls(t, plan, writing, tt.text)
	}
}

func nullables(columns []Column) []bool {
	list := make([]bool, len(columns))
	for i, c := range columns {
		list[i] = c.Nullable
	}
	return list
}

// checkNulls runs a plan and holds that no column is NULL that says that it is not.
func checkNulls(t *testing.T, plan *Plan, s *Session, text string) {
	t.Helper()
	columns := plan.ColumnsIn(s.Tx)
	rows, err := plan.Query(context.Background(), s, nil)
	require.NoError(t, err, text)
	defer rows.Close()
	dest := make([]driver.Value, len(columns))
	for {
		err := rows.Next(dest)
		if err == io.EOF {
			return
		}
		require.NoError(t, err, text)
		for i, v := range dest {
			assert.True(t, v != nil || columns[i].Nullable, "%s: column %d is NULL", text, i+1)
		}
	}
}
