package query

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/engine/filestore"
)

func TestGroupsPerStreamAreGivenStreamByStream(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	exec(t, s, "INSERT INTO b (type) VALUES ('x'), ('y')")
	exec(t, s, "INSERT INTO a (type) VALUES ('x')")
	for text, want := range map[string][]string{
		"SELECT stream, COUNT(*) FROM $all GROUP BY stream":                        {`"a" | 1`, `"b" | 2`},
		"SELECT stream, MAX(type) FROM $all GROUP BY stream":                       {`"a" | "x"`, `"b" | "y"`},
		"SELECT stream, type, COUNT(*) FROM $all GROUP BY stream, type":            {`"a" | "x" | 1`, `"b" | "x" | 1`, `"b" | "y" | 1`},
		"SELECT stream, FIRST(recorded_at) IS NULL AS n FROM $all GROUP BY stream": {`"a" | 0`, `"b" | 0`},
	} {
		assert.ElementsMatch(t, want, rowsOf(t, s, text), text)
	}
}

// TestASumThatOverflowsInAnotherOrderIsThatOfTheLog: rows that stand for many events add up to too much
// before what is negative comes.
func TestASumThatOverflowsInAnotherOrderIsThatOfTheLog(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	for _, stream := range []string{"a", "b", "a", "b"} {
		exec(t, s, "INSERT INTO "+stream+" (type) VALUES ('x')")
	}
	const text = "SELECT SUM(CASE WHEN stream = 'a' THEN 9223372036854775807 ELSE -9223372036854775807 END) FROM "
	assert.Equal(t, []string{"0"}, rowsOf(t, s, text+"(SELECT stream, payload FROM $all) AS t"))
	assert.Equal(t, []string{"0"}, rowsOf(t, s, text+"$all"))
	_, err := tryRows(t.Context(), s, "SELECT SUM(CASE WHEN stream = 'a' THEN 9223372036854775807 ELSE -1 END) FROM $all")
	assert.ErrorContains(t, err, "overflow")
}
