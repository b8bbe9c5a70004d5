package eventfold_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

const (
	claim     = `INSERT INTO u (type, tags) VALUES ('Claimed', '["username:ann"]')`
	claimOnce = claim + ` EXPECTING NO EVENT FROM $all WHERE HAS(tags, 'username:ann')`
)

// TestANameCannotBeClaimedTwiceInOneTransaction: a condition sees what the statements before it
// have inserted.
func TestANameCannotBeClaimedTwiceInOneTransaction(t *testing.T) {
	db := openDB(t, ":memory:")
	tx := begin(t, db, nil)
	mustExec(t, tx, claimOnce)
	_, err := tx.Exec(claimOnce)
	require.ErrorIs(t, err, eventfold.ErrConditionFailed)
	assert.ErrorContains(t, err, `earlier event of the same transaction matches the condition NO EVENT FROM "$all"`)
	var conflict *eventfold.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Len(t, conflict.Checks, 1)
	require.Len(t, conflict.Checks[0].Conflicts, 1)
	own := conflict.Checks[0].Conflicts[0]
	assert.Equal(t, eventfold.NoPosition, own.Position)
	assert.Equal(t, eventfold.NoVersion, own.Version)
	assert.True(t, own.RecordedAt.IsZero())
	assert.Equal(t, []string{"username:ann"}, own.Tags)

	_, err = tx.Exec(`EXPECT $all NO EVENT FROM u`)
	assert.ErrorIs(t, err, eventfold.ErrConditionFailed, "a guard sees it, too")
	_, err = tx.Exec(`INSERT INTO other (type) VALUES ('T') EXPECTING NO EVENT FROM $all AFTER ?`, nil)
	assert.ErrorIs(t, err, eventfold.ErrConditionFailed)
	mustExec(t, tx, `INSERT INTO other (type) VALUES ('T') EXPECTING NO EVENT FROM other`)
	require.NoError(t, tx.Commit())
	assert.Equal(t, []string{"u", "other"}, column[string](t, db, `SELECT stream FROM $all`),
		"the transaction goes on behind a statement that failed")

	_, err = db.Exec(claim + "; " + claimOnce)
	assert.ErrorIs(t, err, eventfold.ErrConditionFailed)
	db = openDB(t, ":memory:")
	for _, script := range []string{
		claimOnce + "; " + claimOnce,
		"BEGIN; " + claim + "; " + claimOnce + "; COMMIT",
		claim + `; EXPECT $all NO EVENT FROM $all WHERE type LIKE 'claim%'`,
	} {
		_, err = db.Exec(script)
		assert.ErrorIs(t, err, eventfold.ErrConditionFailed, script)
		assert.Equal(t, 0, one[int](t, db, `SELECT COUNT(*) FROM $all`), script)
	}
}

// TestTheRowsOfOneInsertAreOneDecision: a condition does not see the rows of its own INSERT, into
// however many streams.
func TestTheRowsOfOneInsertAreOneDecision(t *testing.T) {
	for _, text := range []string{
		`INSERT INTO u (type, tags) VALUES ('Claimed', '["username:ann"]'), ('Claimed', '["username:ann"]')
			EXPECTING NO EVENT FROM $all WHERE HAS(tags, 'username:ann')`,
		`INSERT INTO $all (stream, type, tags) VALUES ('u', 'Claimed', '["username:ann"]'),
			('v', 'Claimed', '["username:ann"]'), ('u', 'Claimed', '["username:ann"]')
			EXPECTING NO EVENT FROM $all WHERE HAS(tags, 'username:ann'), ANY`,
		claimOnce,
	} {
		for _, inside := range []bool{false, true} {
			db := openDB(t, ":memory:")
			if !inside {
				mustExec(t, db, text)
			} else {
				tx := begin(t, db, nil)
				mustExec(t, tx, text)
				require.NoError(t, tx.Commit(), text)
			}
			assert.Equal(t, strings.Count(text, "Claimed"), one[int](t, db, `SELECT COUNT(*) FROM $all`), text)
			_, err := db.Exec(text)
			assert.ErrorIs(t, err, eventfold.ErrConditionFailed, text)
		}
	}
	_, err := openDB(t,
		":memory:").Exec(`INSERT INTO $all (stream, type) VALUES ('u', 'T'), ('v', 'T') EXPECTING NO EVENT FROM u, ` +
		`NO STREAM`)
	assert.ErrorIs(t, err, eventfold.ErrArgument)
	assert.ErrorContains(t, err, "expected_version")
}

// TestAConditionSeesWhatASelectSees: at every place of a transaction, NO EVENT fails for a
// predicate if SELECT finds a row for it. What has passed is not refused by COMMIT, which knows the
// places.
func TestAConditionSeesWhatASelectSees(t *testing.T) {
	predicates := []string{
		"type = 'Own'", "type = 'Stored'", "type LIKE 'ow%'", "type IN ('Own', 'Other')", "HAS(tags, 'x')",
		"HAS(tags, 'x') AND HAS(tags, 'y')",
		"HAS(tags, 'x') OR type = 'None'", "stream = 'own'", "stream LIKE 'ow%'", "stream <> 'stored'",
		"payload->>'$.n' > 1", "payload IS NULL",
		"position >= 0", "position > 1", "position >= 1000", "position < 1000", "position IS NULL",
		"position IS NOT NULL", "COALESCE(position, 7) = 7",
		"recorded_at >= '2020-01-01'", "recorded_at < '2999-01-01'", "recorded_at IS NULL", "version >= 0",
		"version < 10", "version IS NULL",
		"version = 0", "version IS NOT 0", "COALESCE(version, -1) = -1", "version BETWEEN 1 AND 3", "NOT version > 5",
		"id IS NULL",
		"id = '0190f7a2-0000-7000-8000-000000000001'", "id <> '0190f7a2-0000-7000-8000-000000000001'",
		"id = '00000000-0000-0000-0000-000000000000'",
		"metadata->>'$.by' = 'me'", "1 = 1", "1 = 0", "type = 'Own' AND position IS NULL",
		"type = 'Own' AND version IS NOT NULL",
	}
	places := map[string]string{
		"an own event": `INSERT INTO own (type, payload, tags) VALUES ('Own', '{"n": 2}', '["x", "y"]')`,
		"with an id":   `INSERT INTO own (type, id) VALUES ('Own', '0190f7a2-0000-7000-8000-000000000001')`,
		"with a version": `INSERT INTO own (type, tags, metadata) VALUES ('Own', '["x"]', '{"by": "me"}'), ` +
			`('Other', NULL, NULL) EXPECTING NO STREAM`,
		"behind a stored one": `INSERT INTO stored (type) VALUES ('Own') EXPECTING VERSION 1`,
		"rolled back":         `SAVEPOINT p; INSERT INTO own (type, tags) VALUES ('Own', '["x"]'); ROLLBACK TO p`,
		"nothing but a pin":   `EXPECT own NO STREAM`,
		"many, of many streams": `INSERT INTO $all (stream, type) VALUES ('own', 'Own'), ('other', 'Own'), ('own', ` +
			`'None')`,
	}
	for place, text := range places {
		for _, table := range []string{"$all", "own", "stored"} {
			for _, after := range []string{"", "AFTER 1"} {
				db := openDB(t, ":memory:")
				mustExec(t, db, `INSERT INTO stored (type, payload) VALUES ('Stored', '{"n": 1}'), ('Stored', NULL)`)
				tx := begin(t, db, nil)
				mustExec(t, tx, text)
				passed := conditionsThatPass(t, tx, table, after, predicates, place)
				if passed != "" {
					mustExec(t, tx, "EXPECT $all "+passed)
				}
				if table != "$all" {
					mustExec(t, db, `INSERT INTO elsewhere (type) VALUES ('Meanwhile')`)
				}
				assert.NoError(t, tx.Commit(), "%s, FROM %s %s", place, table, after)
			}
		}
	}
}

// conditionsThatPass compares NO EVENT with SELECT for every predicate, and returns those that hold
// as a list for EXPECT.
func conditionsThatPass(t *testing.T, tx *sql.Tx, table, after string, predicates []string, place string) string {
	t.Helper()
	var passed []string
	for _, p := range predicates {
		seen := fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE (%s)", table, p)
		if after != "" { // own events are after every position
			seen += " AND COALESCE(position, 1000) > 1"
		}
		found := one[int](t, tx, seen) > 0
		condition := fmt.Sprintf("NO EVENT FROM %s WHERE %s %s", table, p, after)
		_, err := tx.Exec("EXPECT $all " + condition)
		if found {
			assert.ErrorIs(t, err, eventfold.ErrConditionFailed, "%s: %s", place, condition)
		} else if assert.NoError(t, err, "%s: %s", place, condition) {
			passed = append(passed, condition)
		}
	}
	return strings.Join(passed, ", ")
}

// TestAClaimThatIsRolledBackIsFree: a savepoint takes back what conditions see.
func TestAClaimThatIsRolledBackIsFree(t *testing.T) {
	db := openDB(t, ":memory:")
	tx := begin(t, db, nil)
	mustExec(t, tx, `SAVEPOINT p`)
	mustExec(t, tx, claimOnce)
	mustExec(t, tx, `ROLLBACK TO p`)
	mustExec(t, tx, claimOnce)
	rival := begin(t, db, nil)
	mustExec(t, rival, claimOnce)
	require.NoError(t, tx.Commit())
	assert.ErrorIs(t, rival.Commit(), eventfold.ErrConditionFailed, "of two transactions one wins")
	assert.Equal(t, 1, one[int](t, db, `SELECT COUNT(*) FROM $all`))
}

// TestRetryableTellsWhetherReadingAgainHelps: a conflict with an expectation that names nothing
// read is final.
func TestRetryableTellsWhetherReadingAgainHelps(t *testing.T) {
	tests := []struct {
		expecting string
		args      []any
		retryable bool
	}{
		{"VERSION 7", nil, true},
		{"VERSION ?", []any{-1}, true},
		{"VERSION ?", []any{eventfold.NoStream}, true},
		{"VERSION ?", []any{eventfold.Exact(0)}, true},
		{"NO STREAM", nil, false},
		{"VERSION 7, NO STREAM", nil, false},
		{"NO EVENT FROM s", nil, false},
		{"NO EVENT FROM $all WHERE type = 'T' AFTER NULL", nil, false},
		{"NO EVENT FROM $all WHERE type = 'T' AFTER -1", nil, false},
		{"NO EVENT FROM $all WHERE type LIKE 't%' AFTER 0", nil, true},
		{"NO EVENT FROM $all WHERE type = 'T' AFTER ?", []any{nil}, true},
		{"NO EVENT FROM $all WHERE type = 'T' AFTER ?", []any{-1}, true},
		{"NO EVENT FROM $all WHERE type = 'T' AFTER ?, NO STREAM", []any{0}, false},
	}
	for _, tt := range tests {
		db := openDB(t, ":memory:")
		mustExec(t, db, `INSERT INTO s (type) VALUES ('T'), ('T')`)
		_, err := db.Exec(`INSERT INTO s (type) VALUES ('X') EXPECTING `+tt.expecting, tt.args...)
		var full *eventfold.Error
		require.ErrorAs(t, err, &full, tt.expecting)
		assert.Equal(t, tt.retryable, full.Retryable(), "%s %v", tt.expecting, tt.args)

		tx := begin(t, db, nil)
		_, err = tx.Exec(`INSERT INTO s (type) VALUES ('X') EXPECTING `+tt.expecting, tt.args...)
		require.ErrorAs(t, err, &full, tt.expecting)
		assert.Equal(t, tt.retryable, full.Retryable(), "in a transaction: %s %v", tt.expecting, tt.args)
	}
	db := openDB(t, ":memory:")
	_, err := db.Exec(`INSERT INTO s (type) VALUES ('X') EXPECTING STREAM EXISTS`)
	var full *eventfold.Error
	require.ErrorAs(t, err, &full)
	assert.True(t, full.Retryable(), "it may come")
	mustExec(t, db, `INSERT INTO s (type) VALUES ('X')`)
	_, err = db.Exec(claim+"; "+claimOnce+" AFTER ?", 0)
	require.ErrorAs(t, err, &full)
	assert.False(t, full.Retryable(), "the transaction is in its own way")
}

// TestALostConditionIsRetryableAtCommit: what is found at COMMIT is judged as what is found before.
func TestALostConditionIsRetryableAtCommit(t *testing.T) {
	for after, retryable := range map[string]bool{"": false, "AFTER ?": true} {
		db := openDB(t, ":memory:")
		tx := begin(t, db, nil)
		args := []any{nil}[:strings.Count(after, "?")]
		mustExec(t, tx, claimOnce+" "+after, args...)
		mustExec(t, db, claim)
		var full *eventfold.Error
		require.ErrorAs(t, tx.Commit(), &full)
		assert.Equal(t, retryable, full.Retryable(), after)
	}
}
