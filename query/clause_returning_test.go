package query

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
)

// TestReturningGivesWhatSelectGives: RETURNING * has the columns of SELECT *, and what it gives of
// an event is what is read of it afterwards.
func TestReturningGivesWhatSelectGives(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	for _, values := range []string{
		`('a', 'T', '{"x":1}', '{"m":1}', '00000000-0000-4000-8000-000000000001', '["z","a"]')`,
		`('a', 'T', x'ff00', NULL, NULL, NULL), ('b', 'U', NULL, NULL, NULL, '[]')`,
		`('b', 'T', 'no JSON', NULL, NULL, '["` + strings.Repeat("é", 120) + `"]')`,
	} {
		text := "INSERT INTO $all (stream, type, payload, metadata, id, tags) VALUES " + values + " RETURNING "
		head := s.Store.ReadIndex().Head()
		returned, err := tryRows(context.Background(), s, text+"*")
		require.NoError(t, err)
		read, err := tryRows(context.Background(), s, "SELECT * FROM $all WHERE position >= ?", int64(head))
		require.NoError(t, err)
		assert.Equal(t, read, returned)
	}
}

// TestInsertSaysWhichColumnsItTakes: the error for a column that there is not names all that INSERT
// takes, and every other column of an event table is assigned by the store.
func TestInsertSaysWhichColumnsItTakes(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	_, err := tryRows(context.Background(), s, "INSERT INTO a (type, unheard) VALUES ('T', 1)")
	var unknown *Error
	require.ErrorAs(t, err, &unknown)
	for _, c := range eventSchema {
		if writeColumnNamed(c.Name) != nil {
			assert.Contains(t, unknown.Hint, c.Name)
			continue
		}
		_, err := tryRows(context.Background(), s, "INSERT INTO a (type, "+c.Name+") VALUES ('T', 1)")
		assert.ErrorContains(t, err, "assigned by the store", c.Name)
	}
}
