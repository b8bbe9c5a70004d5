package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// pushedViews are views whose columns s, t, p, v and g pass those of events on, some of them.
var pushedViews = []string{
	`SELECT stream AS s, type AS t, position AS p, version AS v, tags AS g, recorded_at AS r FROM $all`,
	`SELECT * FROM (SELECT stream s, type t, position p, version v, tags g, recorded_at r FROM $all WHERE type <> 'b') WHERE v < 5`,
	`SELECT stream AS s, type AS t, MAX(position) AS p, COUNT(*) AS v, LAST(tags) AS g, MIN(recorded_at) AS r FROM $all GROUP BY stream, type`,
	`SELECT stream AS s, 'a' AS t, position AS p, 1 AS v, tags AS g, recorded_at AS r FROM $all WHERE type = 'a' ` +
		`UNION SELECT upper(stream), type, position, version, tags, recorded_at FROM $all`,
	`SELECT DISTINCT stream AS s, type AS t, NULL AS p, version AS v, '[]' AS g, now() AS r FROM $all`,
	`SELECT a.stream AS s, b.type AS t, b.position AS p, a.version AS v, b.tags AS g, b.recorded_at AS r ` +
		`FROM $all a LEFT JOIN $all b ON a.stream = b.stream AND b.type = 'c'`,
	`SELECT stream AS s, a.type AS t, b.position AS p, version AS v, b.tags AS g, a.recorded_at AS r FROM $all a JOIN $all b USING (stream, version)`,
	`SELECT stream AS s, type AS t, position AS p, ROW_NUMBER() OVER (PARTITION BY stream ORDER BY position) AS v, tags AS g, recorded_at AS r FROM $all`,
	`SELECT stream AS s, type AS t, position AS p, version AS v, tags AS g, recorded_at AS r FROM $all ORDER BY position DESC LIMIT 7`,
	`WITH w AS (SELECT stream s, type t, position p, version v, tags g, recorded_at r FROM $all) SELECT * FROM w UNION ALL SELECT * FROM w`,
	`SELECT DISTINCT ON (stream) stream AS s, type AS t, position AS p, version AS v, tags AS g, recorded_at AS r FROM $all ORDER BY stream, position DESC`,
	`SELECT stream AS s, type AS t, position AS p, version AS v, tags AS g, recorded_at AS r FROM $all WHERE type <> 'a' ` +
		`EXCEPT SELECT stream, type, position, version, tags, recorded_at FROM $all WHERE version = 2`,
	`SELECT stream AS s, type AS t, MAX(position) AS p, COUNT(*) AS v, NULL AS g, MIN(recorded_at) AS r FROM $all GROUP BY ROLLUP (stream, type)`,
	`WITH RECURSIVE w(s, v) AS (SELECT stream, 0 FROM $streams UNION ALL SELECT s, v + 1 FROM w WHERE v < 3) ` +
		`SELECT s, 'a' AS t, v AS p, v, '[]' AS g, now() AS r FROM w`,
	`SELECT s.stream AS s, type AS t, s.last_position AS p, e.version AS v, tags AS g, recorded_at AS r FROM $streams s JOIN $all e ON e.position = s.first_position`,
}

// conditions makes a random condition on the columns of pushedViews.
func pushedCondition(r *rand.Rand, depth int) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	stream := func() string { return fmt.Sprintf("'%s%d'", pick("s-", "S-", "x"), r.IntN(4)) }
	number := func() string { return fmt.Sprint(r.IntN(30) - 2) }
	if depth > 0 && r.IntN(3) == 0 {
		return "(" + pushedCondition(r, depth-1) + pick(" AND ", " OR ") + pushedCondition(r, depth-1) + ")"
	}
	switch r.IntN(12) {
	case 0, 1:
		return "s = " + stream()
	case 2:
		return "s IN (" + stream() + ", " + stream() + ")"
	case 3:
		return "s LIKE '" + pick("s-%", "S-1%", "%1", "x%") + "'"
	case 4:
		return "t = '" + pick("a", "b", "c", "A") + "'"
	case 5:
		return "t IN ('a', '" + pick("b", "z") + "')"
	case 6:
		return pick("p", "v") + pick(" < ", " >= ", " = ", " <> ") + pick(number(), number(), "NULL", "'3'", "2.5")
	case 7:
		return pick("p", "v") + " BETWEEN " + number() + " AND " + number()
	case 8:
		return "HAS(g, '" + pick("eu", "us", "none") + "')"
	case 9:
		return pick("s", "t", "p", "v") + pick(" IS NULL", " IS NOT NULL")
	case 10:
		return "NOT " + pushedCondition(r, 0)
	}
	return pick("r < now()", "s = t", "s COLLATE NOCASE = "+stream(), "1 = 0", "p IN (SELECT position FROM $all WHERE type = 'a')")
}

// TestConditionsBelowASubqueryChangeNoRow compares each view with the same of which a LIMIT keeps
// the condition out.
func TestConditionsBelowASubqueryChangeNoRow(t *testing.T) {
	testenv.WithoutRace(t)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	for i := range 40 {
		mustRun(t, s, fmt.Sprintf(`INSERT INTO "s-%d" (type, payload, tags) VALUES ('%c', '{"n": %d}', '["%s"]')`,
			r.IntN(4), 'a'+r.IntN(3), i, []string{"eu", "us"}[r.IntN(2)]))
	}
	for i, definition := range pushedViews {
		mustRun(t, s, fmt.Sprintf("CREATE VIEW v%d AS %s", i, definition))
		mustRun(t, s, fmt.Sprintf("CREATE VIEW w%d AS SELECT t, s, p, v, g, r FROM views.v%d", i, i))
	}
	bounded, kept := 0, 0
	for range 400 {
		n, condition := r.IntN(len(pushedViews)), pushedCondition(r, 2)
		for _, view := range []string{"v", "w"} {
			const query = "SELECT s, t, p, v, g FROM %s WHERE %s"
			text := fmt.Sprintf(query, fmt.Sprintf("views.%s%d", view, n), condition)
			got := sortedRows(t, s, text)
			want := sortedRows(t, s, fmt.Sprintf(query,
				fmt.Sprintf("(SELECT * FROM views.%s%d LIMIT 1000000)", view, n), condition))
			require.Equal(t, want, got, text)
			kept += len(got)
			if strings.Contains(strings.Join(sortedRows(t, s, "EXPLAIN "+text), "\n"), " streams [") {
				bounded++
			}
		}
	}
	assert.Greater(t, bounded, 50, "conditions became bounds")
	assert.Greater(t, kept, 1000, "rows passed them")
}

// mustRun runs a statement that gives no rows of interest.
func mustRun(t *testing.T, s *Session, text string) {
	t.Helper()
	_, err := runText(context.Background(), s, text, nil)
	require.NoError(t, err, text)
}

// sortedRows returns the rows of a statement as lines, in an order of theirs.
func sortedRows(t *testing.T, s *Session, text string) []string {
	t.Helper()
	out, err := runText(context.Background(), s, text, nil)
	require.NoError(t, err, text)
	_, lines, _ := strings.Cut(out, "\n")
	rows := strings.Split(lines, "\n")
	slices.Sort(rows)
	return rows
}

// TestABoundOfAViewIsCounted holds that a condition on a view reads no more events than one on the
// table.
func TestABoundOfAViewIsCounted(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	for i := range 200 {
		mustRun(t, s, fmt.Sprintf(`INSERT INTO "order-%d" (type, payload) VALUES ('Placed', '{"total": %d}')`, i%20, i))
	}
	mustRun(t, s, "CREATE VIEW orders AS SELECT stream AS id, payload->>'$.total' AS total, recorded_at FROM $all WHERE type = 'Placed'")
	mustRun(t, s, "CREATE VIEW sums AS SELECT id, SUM(total) AS total, COUNT(*) AS n FROM views.orders GROUP BY id")
	for text, want := range map[string]string{
		"SELECT * FROM views.orders WHERE id = 'order-7' AND total > 3":                                                 "10 events",
		"SELECT * FROM views.sums WHERE id = 'order-7' AND n > 0":                                                       "10 events",
		"SELECT * FROM (SELECT stream AS id FROM $all UNION ALL SELECT type FROM \"none\") WHERE id = 'order-7'":        "10 events",
		"SELECT (SELECT COUNT(*) FROM views.orders o WHERE o.id = s.stream) FROM $streams s WHERE s.stream = 'order-7'": "10 events",
	} {
		found := ""
		for _, line := range sortedRows(t, s, "EXPLAIN ANALYZE "+text) {
			if rest, ok := strings.CutPrefix(line, `"examined" | "`); ok {
				found, _, _ = strings.Cut(rest, ",")
			}
		}
		assert.Equal(t, want, found, text)
	}
}
