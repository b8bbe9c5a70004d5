package integration

import (
	"database/sql"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
)

// TestRetries sends INSERTs again, changed in every way that there is: what is the same is a
// success that writes nothing, and whatever is not is told apart by its kind. The expectations of a
// retry are not looked at: they held when it was written.
func TestRetries(t *testing.T) {
	const columns = `INSERT INTO $all (stream, type, payload, metadata, tags, id) VALUES `
	const row = `(?, ?, ?, ?, ?, ?)`
	a, b, c, stored := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	first := []any{"order-1", "Placed", `{"n": 1}`, `{"by": "ada"}`, `["x", "y"]`, a}
	second := []any{"order-2", "Placed", `{"n": 2}`, nil, nil, b}
	with := func(row []any, column int, value any) []any {
		changed := append([]any(nil), row...)
		changed[column] = value
		return changed
	}
	tests := []struct {
		name string
		rows [][]any
		want *engine.DuplicateEventError // nil for a retry
	}{
		{"the same", [][]any{first, second}, nil},
		{"its tags in another order", [][]any{with(first, 4, `["y", "x"]`), second}, nil},
		{"another type", [][]any{with(first, 1, "Paid"), second}, &engine.DuplicateEventError{
			ID:       a,
			Kind:     engine.DifferentContent,
			Stream:   "order-1",
			Position: 1,
		}},
		{"another payload", [][]any{with(first, 2, `{"n":1}`), second}, &engine.DuplicateEventError{
			ID:       a,
			Kind:     engine.DifferentContent,
			Stream:   "order-1",
			Position: 1,
		}},
		{"other metadata", [][]any{first, with(second, 3, `{"by": "bob"}`)}, &engine.DuplicateEventError{
			ID:       b,
			Kind:     engine.DifferentContent,
			Stream:   "order-2",
			Position: 2,
		}},
		{"other tags", [][]any{with(first, 4, `["x"]`), second}, &engine.DuplicateEventError{
			ID:       a,
			Kind:     engine.DifferentContent,
			Stream:   "order-1",
			Position: 1,
		}},
		{"another stream", [][]any{with(first, 0, "order-3"), second}, &engine.DuplicateEventError{
			ID:       a,
			Kind:     engine.DifferentStream,
			Stream:   "order-1",
			Position: 1,
		}},
		{"another order", [][]any{second, first}, &engine.DuplicateEventError{
			ID:       b,
			Kind:     engine.Reordered,
			Stream:   "order-2",
			Position: 2,
		}},
		{"a new event behind it", [][]any{first, second, with(second, 5, c)}, &engine.DuplicateEventError{
			ID:       a,
			Kind:     engine.Partial,
			Stream:   "order-1",
			Position: 1,
		}},
		{"an event without an id behind it", [][]any{first, second, with(second, 5, nil)}, &engine.DuplicateEventError{
			ID:       a,
			Kind:     engine.Partial,
			Stream:   "order-1",
			Position: 1,
		}},
		{"an id twice", [][]any{with(first, 5, c), with(second, 5, c)}, &engine.DuplicateEventError{
			ID:       c,
			Kind:     engine.RepeatedID,
			Position: engine.NoPosition,
		}},
	}
	db := openStore(t)
	_, err := db.Exec(`INSERT INTO before (type, id) VALUES ('Before', ?)`, stored)
	require.NoError(t, err)
	_, err = db.Exec(columns+row+", "+row, append(append([]any(nil), first...), second...)...)
	require.NoError(t, err)
	rows, err := query(db,
		`INSERT INTO before (type, id) VALUES ('Before', ?) EXPECTING NO STREAM, NO EVENT FROM $all RETURNING `+
			`position, duplicate`, stored)
	require.NoError(t, err)
	assert.Equal(t, "0 | 1", answer(rows))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, args := columns, []any(nil)
			for i, r := range tt.rows {
				if i > 0 {
					text += ", "
				}
				text += row
				args = append(args, r...)
			}
			rows, err := query(db, text+" RETURNING position, stream, version, duplicate", args...)
			if tt.want == nil {
				require.NoError(t, err)
				assert.Equal(t, "1 | order-1 | 0 | 1; 2 | order-2 | 0 | 1", answer(rows))
			} else {
				require.ErrorIs(t, err, eventfold.ErrDuplicateEvent)
				var got *eventfold.DuplicateEventError
				require.ErrorAs(t, err, &got)
				assert.Equal(t, tt.want, got)
			}
			inTransaction(t, db, text, args, tt.want)
			rows, err = query(db, "SELECT COUNT(*) FROM $all")
			require.NoError(t, err)
			assert.Equal(t, "3", answer(rows), "nothing was written")
		})
	}
}

// inTransaction appends in a transaction, where COMMIT decides unless the statement itself is at
// odds.
func inTransaction(t *testing.T, db *sql.DB, text string, args []any, want *engine.DuplicateEventError) {
	t.Helper()
	tx, err := db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.Exec(text, args...)
	if err == nil {
		err = tx.Commit()
	}
	if want == nil {
		assert.NoError(t, err)
		return
	}
	var got *eventfold.DuplicateEventError
	if assert.ErrorAs(t, err, &got) {
		assert.Equal(t, want, got)
	}
}
