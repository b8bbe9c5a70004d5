package query

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/parser"
)

// TestColumnsOfOtherStoresAreToldTheirName: SELECT, WHERE, INSERT and RETURNING say what a column
// is called here.
func TestColumnsOfOtherStoresAreToldTheirName(t *testing.T) {
	hint := func(text string) string {
		parsed, err := parser.Parse(text)
		require.NoError(t, err, text)
		_, err = Compile(parsed)
		var e *Error
		require.ErrorAs(t, err, &e, text)
		return e.Hint
	}
	for name, column := range map[string]string{"ts": "recorded_at", "created_at": "recorded_at",
		"Timestamp": "recorded_at", "data": "payload", "body": "payload",
		"stream_id": "stream", "aggregate_id": "stream", "event_type": "type", "event_id": "id",
		"sequence": "position", "seq": "position", "offset": "position",
		"revision": "version", "meta": "metadata", "labels": "tags"} {
		assert.Equal(t, "the column is "+column, hint("SELECT "+name+" FROM $all"))
		assert.Equal(t, "the column is "+column, hint("SELECT e."+name+" FROM $all AS e"))
		assert.Equal(t, "the column is "+column, hint("SELECT 1 FROM a WHERE "+name+" = 1"))
		assert.Equal(t, "the column is "+column+"; strings take single quotes", hint(`SELECT "`+name+`" FROM $all`))
		assert.Equal(t, "the column is "+column, hint("INSERT INTO a (type) VALUES ('x') RETURNING "+name))
		assert.Contains(t, hint("INSERT INTO a (type, "+name+") VALUES ('x', 1)"), "the column is "+column)
	}
	assert.Contains(t, hint("INSERT INTO a (type, created_at) VALUES ('x', 1)"), "assigned by the store")
	assert.Contains(t, hint("INSERT INTO a (type, paylod) VALUES ('x', 1)"), "the column is payload")
	assert.NotContains(t, hint("INSERT INTO a (type, whatever) VALUES ('x', 1)"), "the column is")
	assert.Equal(t, "did you mean stream?", hint("SELECT strem FROM $all"))
	assert.NotContains(t, hint("SELECT ts FROM $types"), "the column is", "a table that has no such column")

	for name, column := range foreignColumns { // what the table says is true
		assert.NotContains(t, columnNames(eventSchema), name)
		assert.Contains(t, columnNames(eventSchema), column)
	}
}

func columnNames(list []tableColumn) (names []string) {
	for _, c := range list {
		names = append(names, c.Name)
	}
	return names
}

// TestAsOfInFrontOfWhere gives the store as it was, wherever the clause stands.
func TestAsOfInFrontOfWhere(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	exec(t, s, "INSERT INTO a (type) VALUES ('x'), ('y'), ('x')")
	assert.Equal(t, []string{"1"}, rowsOf(t, s, "SELECT COUNT(*) FROM $all AS OF POSITION 1 WHERE type = 'x'"))
	assert.Equal(t, []string{"1"}, rowsOf(t, s, "SELECT COUNT(*) FROM $all WHERE type = 'x' AS OF POSITION 1"))
}
