package eventfold_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// TestAVersionIsNotGivenOutThatCommitMayChange: two transactions append to one stream, expecting
// nothing of it.
func TestAVersionIsNotGivenOutThatCommitMayChange(t *testing.T) {
	db := openDB(t, ":memory:")
	a, b := begin(t, db, nil), begin(t, db, nil)
	for _, tx := range []*sql.Tx{a, b} {
		assert.Nil(t, one[any](t, tx, `INSERT INTO s (type) VALUES ('T') RETURNING version`))
		assert.Nil(t, one[any](t, tx, `SELECT version FROM s`))
		assert.Nil(t, one[any](t, tx, `SELECT version FROM $streams WHERE stream = 's'`))
		assert.Nil(t, one[any](t, tx, `SELECT MAX(version) FROM $all`))
		assert.Equal(t, 0, one[int](t, tx, `SELECT COUNT(*) FROM s WHERE version >= 0 OR version < 0`),
			"a predicate sees what is shown")
		assert.Equal(t, 1, one[int](t, tx, `SELECT COUNT(*) FROM s WHERE version IS NULL`))
		var e eventfold.Event
		require.NoError(t, tx.QueryRow(`SELECT event FROM s`).Scan(&e))
		assert.Equal(t, eventfold.NoVersion, e.Version)
	}
	require.NoError(t, a.Commit())
	require.NoError(t, b.Commit())
	assert.Equal(t, []int64{0, 1}, column[int64](t, db, `SELECT version FROM s`))
}

// TestAnExactExpectationMakesVersionsKnown: what a statement expects decides whether the versions
// of its stream are known from then on.
func TestAnExactExpectationMakesVersionsKnown(t *testing.T) {
	tests := []struct {
		name  string
		text  string // appends to s, which is at version 0, or to the new stream n
		known bool
	}{
		{"nothing", `INSERT INTO s (type) VALUES ('T')`, false},
		{"any", `INSERT INTO s (type) VALUES ('T') EXPECTING ANY`, false},
		{"stream exists", `INSERT INTO s (type) VALUES ('T') EXPECTING STREAM EXISTS`, false},
		{"no event", `INSERT INTO s (type) VALUES ('T') EXPECTING NO EVENT FROM s WHERE type = 'X'`, false},
		{"another stream's version", `EXPECT n NO STREAM; INSERT INTO s (type) VALUES ('T')`, false},
		{"version", `INSERT INTO s (type) VALUES ('T') EXPECTING VERSION 0`, true},
		{"version beside others",
			`INSERT INTO s (type) VALUES ('T') EXPECTING STREAM EXISTS, VERSION 0, NO EVENT FROM s WHERE type = 'X'`,
			true},
		{"column", `INSERT INTO s (type, expected_version) VALUES ('T', 0)`, true},
		{"column of $all",
			`INSERT INTO $all (stream, type, expected_version) VALUES ('n', 'T', 'no stream'), ('s', 'T', 0)`, true},
		{"column that says any", `INSERT INTO s (type, expected_version) VALUES ('T', 'any')`, false},
		{"guard before", `EXPECT s VERSION 0; INSERT INTO s (type) VALUES ('T')`, true},
		{"guard behind", `INSERT INTO s (type) VALUES ('T'); EXPECT s VERSION 1`, true},
		{"guard that is rolled back",
			`SAVEPOINT p; EXPECT s VERSION 0; ROLLBACK TO p; INSERT INTO s (type) VALUES ('T')`, false},
		{"guard that is kept",
			`EXPECT s VERSION 0; SAVEPOINT p; INSERT INTO s (type) VALUES ('X'); ROLLBACK TO p; INSERT INTO s (type) ` +
				`VALUES ('T')`, true},
		{"guard that is released", `SAVEPOINT p; EXPECT s VERSION 0; RELEASE p; INSERT INTO s (type) VALUES ('T')`,
			true},
		{"no stream", `INSERT INTO n (type) VALUES ('T') EXPECTING NO STREAM`, true},
		{"minus one", `INSERT INTO n (type) VALUES ('T') EXPECTING VERSION -1`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db := openDB(t, ":memory:")
			mustExec(t, db, `INSERT INTO s (type) VALUES ('Stored')`)
			tx := begin(t, db, nil)
			mustExec(t, tx, tt.text)
			mustExec(t, tx, `INSERT INTO ? (type) VALUES ('Next')`,
				one[string](t, tx, `SELECT LAST(stream) FROM $all WHERE type = 'T'`))
			before := column[any](t, tx, `SELECT version FROM $all WHERE type IN ('T', 'Next')`)
			streams := column[any](t, tx,
				`SELECT MAX(version) FROM $streams WHERE stream = (SELECT LAST(stream) FROM $all)`)
			require.NoError(t, tx.Commit())
			if tt.known {
				assert.Equal(t, column[any](t, db, `SELECT version FROM $all WHERE type IN ('T', 'Next')`), before,
					"what COMMIT gives")
				assert.Equal(t, column[any](t, db, `SELECT MAX(version) FROM $all WHERE type = 'Next'`), streams)
			} else {
				assert.Equal(t, []any{nil}, uniques(before))
				assert.Equal(t, []any{nil}, streams)
			}
		})
	}
}

func uniques(list []any) (out []any) {
	for i, v := range list {
		if i == 0 || v != list[i-1] {
			out = append(out, v)
		}
	}
	return out
}

// TestAnExpectationThatFailsMakesNothingKnown: the statement is taken back as a whole.
func TestAnExpectationThatFailsMakesNothingKnown(t *testing.T) {
	db := openDB(t, ":memory:")
	tx := begin(t, db, nil)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('A')`)
	for _, text := range []string{
		`INSERT INTO a (type) VALUES ('X') EXPECTING VERSION 0, VERSION 5`,
		`INSERT INTO $all (stream, type, expected_version) VALUES ('a', 'X', 0), ('b', 'X', 7)`,
		`EXPECT a VERSION 0, NO EVENT FROM a`,
		`EXPECT a VERSION 0; INSERT INTO b (type) VALUES ('X') EXPECTING STREAM EXISTS`,
	} {
		_, err := tx.Exec(text)
		require.ErrorAs(t, err, new(*eventfold.ConflictError), text)
		assert.Equal(t, []any{nil}, column[any](t, tx, `SELECT version FROM $all`), text)
	}
	mustExec(t, tx, `EXPECT a VERSION 0`)
	assert.Equal(t, []any{int64(0)}, column[any](t, tx, `SELECT version FROM $all`), "the rows from before, too")
}

// TestARetryInATransactionGivesNoVersion: its original is elsewhere than a new event would be.
func TestARetryInATransactionGivesNoVersion(t *testing.T) {
	db := openDB(t, ":memory:")
	const insert = `INSERT INTO a (type, id) VALUES ('A', '0190f7a2-0000-7000-8000-000000000001') EXPECTING NO STREAM`
	mustExec(t, db, insert)
	tx := begin(t, db, nil)
	assert.Nil(t, one[any](t, tx, insert+` RETURNING version`))
	require.NoError(t, tx.Commit())
	assert.Equal(t, 1, one[int](t, db, `SELECT COUNT(*) FROM $all`))
}
