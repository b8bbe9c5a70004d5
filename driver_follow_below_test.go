package eventfold_test

import (
	"path/filepath"
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
