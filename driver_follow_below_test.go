package eventfold_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// The groups below a SELECT that is followed are added to, whatever shorter way there is to make
// them once: the index that knows the numbers of streams, of types and of times, or the events stream by
// stream.
func TestGroupsOfAPlainViewAreFollowedWhateverShorterWayThereIsToMakeThem(t *testing.T) {
	for key, want := range map[string][2][]string{
		"stream":                        {{"a-1 2", "b-1 1"}, {"a-1 3"}},
		"category":                      {{"a 2", "b 1"}, {"a 3"}},
		"type":                          {{"A 2", "B 1"}, {"B 2"}},
		"date(recorded_at) IS NOT NULL": {{"1 3"}, {"1 4"}},
		"stream || substr(type, 3)":     {{"a-1 2", "b-1 1"}, {"a-1 3"}},
	} {
		for _, view := range []string{"views.g", "(SELECT k, n FROM views.g) AS x", "(SELECT " + key +
			" AS k, COUNT(*) AS n FROM $all WHERE category IN ('a', 'b') GROUP BY k) AS x"} {
			db := openConfig(t, eventfold.Config{Path: filepath.Join(t.TempDir(), "store")})
			mustExec(t, db, `INSERT INTO "a-1" (type) VALUES ('A'), ('A')`)
			mustExec(t, db, `INSERT INTO "b-1" (type) VALUES ('B')`)
			rows := follow(t, db, `SELECT k, n FROM (SELECT `+key+` AS k, COUNT(*) AS n FROM $all GROUP BY k) AS x FOLLOW`)
			assert.Equal(t, want[0], nextRows(t, rows, len(want[0])), key)
			mustExec(t, db, `INSERT INTO "a-1" (type) VALUES ('B')`)
			assert.Equal(t, want[1], nextRows(t, rows, len(want[1])), key)
			require.NoError(t, rows.Close())

			mustExec(t, db, `CREATE VIEW g AS SELECT `+key+` AS k, COUNT(*) AS n FROM $all WHERE category IN ('a', 'b') GROUP BY k`)
			rows = follow(t, db, `SELECT k, n FROM `+view+` FOLLOW`)
			nextRows(t, rows, len(want[0]))
			mustExec(t, db, `INSERT INTO "a-1" (type) VALUES ('B')`)
			again := nextRows(t, rows, 1)
			assert.Contains(t, column[string](t, db, `SELECT k || ' ' || n FROM views.g`), again[0], view)
		}
	}
}

// A text, an empty one and a number follow each other in the state of a group that FOLLOW took over from
// a materialised view.
func TestAValueThatFollowsATextIsToldAsItIs(t *testing.T) {
	for _, call := range []string{"LAST", "MIN", "FIRST", "MAX"} {
		for _, later := range []string{`""`, `7`, `null`, `"abcd"`} {
			db := openDB(t, ":memory:")
			mustExec(t, db, `CREATE MATERIALIZED VIEW m AS SELECT stream, `+call+`(payload->>'$.k') AS k FROM $all WHERE type = 'A' GROUP BY stream`)
			for _, k := range []string{`"abc"`, later} {
				mustExec(t, db, `INSERT INTO a (type, payload) VALUES ('A', ?)`, `{"k": `+k+`}`)
			}
			want := column[any](t, db, `SELECT k FROM views.m`)
			rows := follow(t, db, `SELECT stream, k, typeof(k) FROM views.m FOLLOW`)
			assert.Equal(t, []string{"a " + plainText(want) + " " + one[string](t, db, `SELECT typeof(k) FROM views.m`)},
				nextRows(t, rows, 1), "%s %s", call, later)
		}
	}
}

// What a function of the program gives is not the same when it is asked again: a row stays where it
// was found to be.
func TestGroupsOfGroupsAreFollowedByWhateverAFunctionGives(t *testing.T) {
	var calls atomic.Int64
	db := withFunctions(t, eventfold.Function{Name: "other", Func: func(int64) int64 { return calls.Add(1) % 7 }})
	mustExec(t, db, `CREATE VIEW g AS SELECT stream AS s, COUNT(*) AS n FROM $all WHERE type = 'A' GROUP BY s`)
	for _, text := range []string{
		`SELECT other(n), COUNT(*), as_of, change FROM views.g GROUP BY 1 FOLLOW PROGRESS`,
		`SELECT n, COUNT(*), as_of, change FROM views.g WHERE other(n) < 3 GROUP BY n FOLLOW PROGRESS`,
		`SELECT n, COUNT(*), as_of, change FROM views.g WHERE other(n) < 3 GROUP BY n HAVING other(n) < 5 FOLLOW PROGRESS`,
		`SELECT other(n) AS o, n % 2, MAX(s), as_of, change FROM views.g WHERE other(n) > 0 GROUP BY o, 2 FOLLOW PROGRESS`,
		`SELECT c, other(COUNT(*)), as_of, change FROM (SELECT other(n) AS k, COUNT(*) AS c FROM views.g GROUP BY k) AS x GROUP BY c FOLLOW PROGRESS`,
	} {
		rows := follow(t, db, text)
		columns, err := rows.Columns()
		require.NoError(t, err)
		for i := range 40 {
			mustExec(t, db, `INSERT INTO ? (type) VALUES ('A')`, []string{"a", "b", "c"}[i%3])
			for head := one[int64](t, db, `SELECT MAX(position) FROM $all`); ; {
				values, err := nextValues(rows, len(columns))
				require.NoError(t, err, text)
				if values[len(values)-1] == int64(1) && values[len(values)-3] == head {
					break
				}
			}
		}
		require.NoError(t, rows.Close())
	}
}

// A group that is gone takes no memory any more, however many come and go.
func TestGroupsThatComeAndGoTakeTheMemoryOfThoseThatAreThere(t *testing.T) {
	db := openDB(t, ":memory:?query_memory=64KiB")
	rows := follow(t, db, `SELECT n, COUNT(*), change FROM (SELECT stream AS s, COUNT(*) AS n FROM $all GROUP BY s) AS x GROUP BY n FOLLOW`)
	for i := range 400 {
		mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
		nextRows(t, rows, 1+min(i, 1))
	}
}

// The groups of a materialised view may be too many to be copied, and those that are followed few.
func TestAFewGroupsOfALargeMaterializedViewAreFollowed(t *testing.T) {
	db := openDB(t, ":memory:?query_memory=256KiB&view_memory=8MiB")
	tx := begin(t, db, nil)
	for i := range 2000 {
		mustExec(t, tx, `INSERT INTO ? (type) VALUES ('A')`, fmt.Sprintf("s-%d", i))
	}
	require.NoError(t, tx.Commit())
	mustExec(t, db, `CREATE MATERIALIZED VIEW m AS SELECT stream, COUNT(*) AS n, SUM(payload->>'$.n') AS total FROM $all GROUP BY stream`)
	assert.EqualValues(t, 1, one[int64](t, db, `SELECT n FROM views.m WHERE stream = 's-7'`), "which keeps the groups")
	rows := follow(t, db, `SELECT stream, n FROM views.m WHERE stream IN ('s-7', 's-8') FOLLOW`)
	assert.Equal(t, []string{"s-7 1", "s-8 1"}, nextRows(t, rows, 2))
	mustExec(t, db, `INSERT INTO "s-8" (type) VALUES ('A')`)
	assert.Equal(t, []string{"s-8 2"}, nextRows(t, rows, 1))
}
