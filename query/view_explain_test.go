package query

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/engine/filestore"
)

// TestExplainTellsWhichViewsAreReadAndWhatIsKept, wherever in a statement a view stands.
func TestExplainTellsWhichViewsAreReadAndWhatIsKept(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	mustRun(t, s, "INSERT INTO a (type) VALUES ('x'), ('y')")
	mustRun(t, s, "CREATE MATERIALIZED VIEW kept AS SELECT type AS t, COUNT(*) AS c FROM $all GROUP BY type")
	mustRun(t, s, "CREATE VIEW above AS SELECT t, c * 2 AS d FROM views.kept WHERE c > 0")
	shapes := []string{
		"SELECT * FROM views.kept", "SELECT * FROM views.above WHERE t = 'x'",
		"SELECT t FROM (SELECT t, c FROM views.kept) AS x WHERE c > 1",
		"SELECT a.type FROM a JOIN views.kept AS k ON a.type = k.t",
		"WITH x AS (SELECT * FROM views.kept) SELECT * FROM x, x AS y",
		"SELECT t FROM views.above UNION SELECT type FROM a",
		"SELECT type FROM a WHERE type IN (SELECT t FROM views.kept)",
		"SELECT type FROM a WHERE EXISTS (SELECT 1 FROM views.kept WHERE t = type)",
		"SELECT (SELECT MAX(c) FROM views.kept), type FROM a",
		"SELECT type, COUNT(*) AS n FROM a GROUP BY type HAVING n > (SELECT MIN(d) FROM views.above)",
		"SELECT type FROM a ORDER BY (SELECT c FROM views.kept WHERE t = type)",
		"SELECT a.type, k.c FROM a, LATERAL (SELECT c FROM views.kept WHERE t = a.type) AS k",
		"SELECT t, c FROM views.kept FOLLOW",
	}
	hold := func(state string) {
		t.Helper()
		for _, text := range shapes {
			if s.Tx != nil && strings.Contains(text, "FOLLOW") {
				continue // which stands outside of transactions
			}
			steps := strings.Join(rowsOf(t, s, "EXPLAIN "+text), "\n")
			assert.Contains(t, steps, `view" | "kept"`, text)
			assert.Contains(t, steps, `kept" | "`+state, text)
			assert.Equal(t, strings.Contains(text, "above"), strings.Contains(steps, `view" | "above"`), text)
		}
	}
	hold("nothing yet")
	mustRun(t, s, "SELECT * FROM views.kept")
	hold("3 groups of positions [0, 3], 0 events behind them")
	mustRun(t, s, "INSERT INTO a (type) VALUES ('x')")
	hold("3 groups of positions [0, 3], 1 events behind them")
	mustRun(t, s, "BEGIN")
	mustRun(t, s, "INSERT INTO a (type) VALUES ('z')")
	hold("3 groups of positions [0, 3], 1 events behind them")
	mustRun(t, s, "ROLLBACK")
	mustRun(t, s, "ERASE FROM a WHERE type = 'x' REASON 'x'")
	hold("nothing yet")
}
