package query

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// keptDefinitions are definitions whose groups can be kept, and what is asked of them.
var keptDefinitions = []struct{ definition, where string }{
	{`SELECT stream AS s, COUNT(*) AS n, SUM(payload->>'$.n') AS total FROM $all GROUP BY stream`, `s = 's-%d'`},
	{`SELECT type AS s, MIN(payload->>'$.n') AS lo, MAX(payload->>'$.n') AS hi, AVG(payload->>'$.n') AS mean FROM $all ` +
		`WHERE stream <> 's-0' GROUP BY type HAVING COUNT(*) > 1`, `s IN ('a', 'x%d')`},
	{`SELECT stream AS s, type AS t, FIRST(payload->>'$.w') AS f, LAST(payload->>'$.w') AS l, MAX(position) AS p FROM $all ` +
		`GROUP BY stream, type`, `s = 's-%d' AND t = 'b'`},
	{`SELECT COUNT(*) AS s, SUM(version) AS v, COUNT(*) FILTER (WHERE type = 'a') AS a FROM $all`, `s > %d`},
	{`SELECT COUNT(*) * 2 AS s, LAST(type) AS t FROM "s-1" WHERE type <> 'c'`, `s >= %d`},
	{`SELECT payload->>'$.w' AS s, TOTAL(payload->>'$.n') AS x FROM $all WHERE type IN ('a', 'b') GROUP BY 1 ORDER BY 2 DESC LIMIT 3`,
		`s = 'w%d'`},
	{`SELECT position / 10 AS s, COUNT(*) AS n FROM $all WHERE HAS(tags, 'eu') GROUP BY position / 10`, `s < %d`},
	{`SELECT type AS s, VARIANCE(payload->>'$.n') > 1 AS v, COUNT_IF(version > 2) AS c, BOOL_AND(version < 9) AS b FROM $all ` +
		`GROUP BY ALL`, `s = 'a' OR c > %d`},
	{`SELECT upper(type) AS s, redacted AS r, COUNT(payload) AS n FROM $all GROUP BY upper(type), redacted`, `s = 'A' OR r = %d`},
}

// TestAMaterializedViewIsWhatItsDefinitionGives compares them at random moments: in and out of
// transactions, as of older positions, after erasures, in sessions that remember nothing and go on from
// what is beside the log, in another process that only reads.
func TestAMaterializedViewIsWhatItsDefinitionGives(t *testing.T) {
	t.Run("filestore", func(t *testing.T) {
		disk := vfs.NewMem()
		s := keptStore(t, disk, filestore.Options{})
		mustRun(t, s, "INSERT INTO a (type) VALUES ('x')")
		compareKept(t, s, keptStore(t, disk, filestore.Options{ReadOnly: true}))
		assert.NotEmpty(t, stateFiles(t, disk))
	})
	t.Run("model", func(t *testing.T) {
		compareKept(t, &Session{Store: enginetest.NewModel(),
			Settings: Settings{Views: &Views{}, Shared: NewMemory(DefaultStoreMemory)}}, nil)
	})
}

// forgetViews makes sessions of one store those of another process, which remembers nothing.
func forgetViews(sessions ...*Session) {
	sessions[0].Settings.Views.Close()
	views := &Views{}
	for _, s := range sessions {
		s.Settings.Views = views
	}
}

// compareKept compares what a session, others of the same store, and one of another process that only
// reads (nil for none) see.
func compareKept(t *testing.T, s, reading *Session) {
	r, store := rand.New(rand.NewPCG(testenv.Seed(t), 1)), s.Store
	other := &Session{Store: store, Settings: s.Settings}
	for i, d := range keptDefinitions {
		mustRun(t, s, fmt.Sprintf("CREATE MATERIALIZED VIEW m%d AS %s", i, d.definition))
	}
	first := store.ReadIndex().Head()
	head, compared := first, 0
	for step := range 340 + int(testenv.Torture()*17_000) {
		writer := s
		if r.IntN(2) == 0 {
			writer = other
		}
		switch n := r.IntN(12); {
		case n < 6:
			for range 1 + r.IntN(5) {
				mustRun(t, writer, fmt.Sprintf(`INSERT INTO "s-%d" (type, payload, tags) VALUES ('%c', '{"n": %d, "w": "w%d"}', '["%s"]')`,
					r.IntN(4), 'a'+r.IntN(3), r.IntN(100), r.IntN(9), []string{"eu", "us"}[r.IntN(2)]))
			}
		case n == 6 && s.Tx == nil:
			mustRun(t, s, "BEGIN")
		case n == 7 && s.Tx != nil:
			mustRun(t, s, []string{"COMMIT", "ROLLBACK"}[r.IntN(2)])
		case n == 9:
			keepNow(t, s)
		case n == 10 && s.Tx == nil:
			forgetViews(s, other)
		case n == 11 && reading != nil:
			forgetViews(reading)
		case n == 8 && step%3 == 0:
			mustRun(t, writer, fmt.Sprintf("ERASE FROM $all WHERE position = %d REASON 'x'", int(first)+r.IntN(int(head-first)+1)))
		}
		waitErased(t, &Session{Store: store})
		head = store.ReadIndex().Head()
		for range 3 {
			i := r.IntN(len(keptDefinitions))
			d := keptDefinitions[i]
			where := ""
			if r.IntN(2) == 0 {
				where = " WHERE " + strings.ReplaceAll(d.where, "%d", fmt.Sprint(r.IntN(9)))
			}
			if r.IntN(4) == 0 && s.Tx == nil {
				where += fmt.Sprintf(" AS OF POSITION %d", int(first)-1+r.IntN(int(head-first)+1))
			}
			reader := s
			switch n := r.IntN(8); {
			case n < 2:
				reader = other
			case n < 4 && reading != nil:
				reader = reading
			}
			got := sortedRows(t, reader, fmt.Sprintf("SELECT * FROM views.m%d%s", i, where))
			want := sortedRows(t, reader, fmt.Sprintf("SELECT * FROM (%s) AS d%s", d.definition, where))
			require.Equal(t, want, got, "step %d: %s%s", step, d.definition, where)
			compared++
		}
	}
	t.Logf("%d comparisons", compared)
	for i := range keptDefinitions {
		mustRun(t, other, fmt.Sprintf("SELECT * FROM views.m%d", i))
	}
	kept := 0
	for _, row := range sortedRows(t, other, "SELECT lag FROM $views WHERE rows > 0") {
		if row != "" {
			kept++
		}
	}
	assert.Equal(t, len(keptDefinitions), kept, "groups of all views were kept")
}

// waitErased waits until the store appends nothing by itself.
func waitErased(t *testing.T, s *Session) {
	t.Helper()
	require.Eventually(t, func() bool {
		return sortedRows(t, s, "SELECT COUNT(*) FROM $erasures WHERE done_at IS NULL")[1] == "0"
	}, time.Minute, time.Millisecond)
}

// TestReadersOfAMaterializedViewAtOnce see their snapshots while events are appended.
func TestReadersOfAMaterializedViewAtOnce(t *testing.T) {
	store := openStore(t, filestore.Options{})
	settings := Settings{Views: &Views{}, Shared: NewMemory(DefaultStoreMemory)}
	s := &Session{Store: store, Settings: settings}
	mustRun(t, s, "CREATE MATERIALIZED VIEW m AS SELECT type, COUNT(*) AS n, SUM(payload->>'$.n') AS total FROM $all GROUP BY type")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			own := &Session{Store: store, Settings: settings}
			for ctx.Err() == nil {
				mustRun(t, own, "BEGIN")
				got := sortedRows(t, own, "SELECT type, n, total FROM views.m")
				want := sortedRows(t, own, "SELECT type, COUNT(*) AS n, SUM(payload->>'$.n') AS total FROM $all GROUP BY type")
				assert.Equal(t, want, got)
				mustRun(t, own, "COMMIT")
			}
		})
	}
	for i := range 300 {
		mustRun(t, s, fmt.Sprintf(`INSERT INTO a (type, payload) VALUES ('%c', '{"n": %d}'), ('z', '{}')`, 'a'+i%7, i))
	}
	cancel()
	wg.Wait()
}

// TestAMaterializedViewReadsOnlyWhatIsNew counts the events that are examined.
func TestAMaterializedViewReadsOnlyWhatIsNew(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	mustRun(t, s, "CREATE MATERIALIZED VIEW m AS SELECT stream, COUNT(payload) AS n FROM $all WHERE type = 'x' GROUP BY stream")
	fill := func(n int) {
		for i := range n {
			mustRun(t, s, fmt.Sprintf(`INSERT INTO "s-%d" (type, payload) VALUES ('x', '1')`, i%50))
		}
	}
	examined := func(text string) string {
		for _, line := range sortedRows(t, s, "EXPLAIN ANALYZE "+text) {
			if rest, ok := strings.CutPrefix(line, `"examined" | "`); ok {
				found, _, _ := strings.Cut(rest, " ")
				return found
			}
		}
		return ""
	}
	fill(500)
	assert.Equal(t, "501", examined("SELECT * FROM views.m"))
	assert.Equal(t, "0", examined("SELECT * FROM views.m"))
	fill(3)
	assert.Equal(t, "3", examined("SELECT * FROM views.m WHERE stream = 's-1'"))
	assert.Equal(t, []string{"", "11"}, sortedRows(t, s, "SELECT n FROM views.m WHERE stream = 's-1'"))
	assert.Equal(t, "0", examined("SELECT * FROM views.m"))
	assert.Contains(t, strings.Join(sortedRows(t, s, "EXPLAIN SELECT * FROM views.m"), "\n"), "events behind them")
	assert.Equal(t, []string{"", "1 | 0"}, sortedRows(t, s, "SELECT bytes > 0, lag FROM $views"))
	mustRun(t, s, "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT stream, COUNT(*) AS n FROM $all GROUP BY stream")
	assert.Equal(t, "505", examined("SELECT COUNT(*) FROM views.m"), "another definition has groups of its own")
	mustRun(t, s, "DROP VIEW m")
	mustRun(t, s, "CREATE VIEW other AS SELECT 1 AS n")
	mustRun(t, s, "SELECT * FROM views.other")
	assert.Empty(t, s.Settings.Views.kept)
}

// TestWhatCannotBeKeptIsRefused with what to write instead.
func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	for text, want := range map[string]string{
		"SELECT type FROM $all":                                                                    "has GROUP BY or an aggregate",
		"SELECT COUNT(*) AS n FROM $all UNION SELECT 1":                                            "has no UNION",
		"SELECT a.type, COUNT(*) AS n FROM $all a JOIN $all b USING (position) GROUP BY 1":         "reads one stream or $all",
		"SELECT type, COUNT(*) AS n FROM $all GROUP BY ROLLUP (type)":                              "groups by one list",
		"SELECT MEDIAN(version) AS n FROM $all":                                                    "cannot keep MEDIAN",
		"SELECT FIRST(type ORDER BY version) AS n FROM $all":                                       "cannot keep FIRST",
		"SELECT COUNT(*) AS n FROM $streams":                                                       "reads one stream or $all",
		"SELECT COUNT(*) AS n FROM $all WHERE recorded_at > now() - INTERVAL 1 DAY":                "not on the time",
		"SELECT COUNT(*) AS n FROM $all WHERE type IN (SELECT type FROM a)":                        "no sub-queries",
		"SELECT COUNT(DISTINCT stream) AS n FROM $all":                                             "cannot keep COUNT(DISTINCT ...)",
		"SELECT GROUP_CONCAT(type) AS n FROM $all":                                                 "cannot keep GROUP_CONCAT",
		"SELECT type, COUNT(*) AS n, RANK() OVER (ORDER BY COUNT(*)) AS r FROM $all GROUP BY type": "no window functions",
		"SELECT reveal(payload->>'$.a') AS a, COUNT(*) AS n FROM $all GROUP BY 1":                  "on keys",
		"SELECT n, COUNT(*) AS m FROM (SELECT version AS n FROM $all) GROUP BY n":                  "reads one stream or $all",
	} {
		_, err := runText(context.Background(), s, "CREATE MATERIALIZED VIEW m AS "+text, nil)
		assert.ErrorContains(t, err, want, text)
		var e *Error
		if assert.ErrorAs(t, err, &e, text) {
			assert.NotEmpty(t, e.Hint, text)
			assert.GreaterOrEqual(t, int(e.Pos), len("CREATE MATERIALIZED VIEW m AS "), text)
		}
	}
}

// TestTheReferenceNamesEveryAggregateThatCanBeKept, and no other.
func TestTheReferenceNamesEveryAggregateThatCanBeKept(t *testing.T) {
	reference, err := os.ReadFile("../docs/sql.md")
	require.NoError(t, err)
	_, list, _ := strings.Cut(string(reference), "The definition is one SELECT of one stream or `$all` with GROUP BY or an aggregate:")
	list, _, found := strings.Cut(list, "which need no more memory")
	require.True(t, found)
	for name, def := range aggregates {
		call := &aggregateCall{name: name, def: def}
		assert.Equal(t, call.keepable(), strings.Contains(list, "`"+strings.ToUpper(name)+"`"), name)
	}
}

// TestAMaterializedViewThatIsTooLargeIsComputed, and says so.
func TestAMaterializedViewThatIsTooLargeIsComputed(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	mustRun(t, s, "CREATE MATERIALIZED VIEW m AS SELECT position AS p, COUNT(*) AS n FROM $all GROUP BY position")
	for range 20 {
		mustRun(t, s, "INSERT INTO a (type) VALUES ('x')")
	}
	assert.Equal(t, []string{"", "21"}, sortedRows(t, s, "SELECT COUNT(*) FROM views.m"))
	for _, k := range s.Settings.Views.kept {
		k.budget.limit = 4096
	}
	for range 30 {
		mustRun(t, s, "INSERT INTO a (type) VALUES ('x')")
	}
	assert.Equal(t, []string{"", "51"}, sortedRows(t, s, "SELECT COUNT(*) FROM views.m"))
	assert.Equal(t, []string{"", `"too large" | 0`}, sortedRows(t, s, "SELECT state, rows FROM $views"))
	assert.Regexp(t, `the groups of view .*m.* are not kept: \d+ of them need more than the 4096 bytes of view_memory`,
		sortedRows(t, s, "SELECT error FROM $views")[1])
	assert.Contains(t, strings.Join(sortedRows(t, s, "EXPLAIN SELECT * FROM views.m"), "\n"), "need more than 4096 bytes")
}

// TestAViewPerStreamThatIsTooLargeTellsHowManyGroupsItHad: groups that are read stream by stream in its
// place are not those of the view.
func TestAViewPerStreamThatIsTooLargeTellsHowManyGroupsItHad(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	mustRun(t, s, "CREATE MATERIALIZED VIEW m AS SELECT stream AS s, COUNT(*) AS n FROM $all GROUP BY stream")
	assert.Equal(t, []string{"", "1"}, sortedRows(t, s, "SELECT COUNT(*) FROM views.m"))
	for _, k := range s.Settings.Views.kept {
		k.budget.limit = 4096
	}
	for i := range 60 {
		mustRun(t, s, fmt.Sprintf("INSERT INTO s%d (type) VALUES ('x')", i))
	}
	assert.Equal(t, []string{"", "61"}, sortedRows(t, s, "SELECT COUNT(*) FROM views.m"))
	assert.Regexp(t, `[1-9]\d of them need more than the 4096 bytes`, sortedRows(t, s, "SELECT error FROM $views")[1])
}

// TestAContextEndsTheReadingOfAMaterializedView, and what was read until then is not kept.
func TestAContextEndsTheReadingOfAMaterializedView(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{Views: &Views{}}}
	mustRun(t, s, "CREATE MATERIALIZED VIEW m AS SELECT type, COUNT(payload) AS n FROM $all GROUP BY type")
	mustRun(t, s, "INSERT INTO a (type) VALUES ('x')")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := runText(ctx, s, "SELECT * FROM views.m", nil)
	assert.True(t, errors.Is(err, context.Canceled), err)
	assert.Equal(t, []string{"", "2"}, sortedRows(t, s, "SELECT COUNT(*) FROM views.m"))
}
