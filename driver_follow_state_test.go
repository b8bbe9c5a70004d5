package eventfold_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A countingStore counts the events that scans of it give.
type countingStore struct {
	*enginetest.Model
	given *atomic.Int64
}

func (s countingStore) ReadIndex() engine.ReadIndex {
	return countingIndex{s.Model.ReadIndex(), s.given}
}

type countingIndex struct {
	engine.ReadIndex
	given *atomic.Int64
}

func (i countingIndex) At(h engine.Position) engine.ReadIndex {
	return countingIndex{i.ReadIndex.At(h), i.given}
}

func (i countingIndex) Scan(ctx context.Context, f engine.Filter, columns engine.ColumnSet) engine.BatchCursor {
	return countingCursor{i.ReadIndex.Scan(ctx, f, columns), i.given}
}

type countingCursor struct {
	engine.BatchCursor
	given *atomic.Int64
}

func (c countingCursor) Next() *engine.Batch {
	b := c.BatchCursor.Next()
	if b != nil {
		c.given.Add(int64(b.Len))
	}
	return b
}

// openOrders is a database with 200 events of 10 streams and views of them.
func openOrders(t *testing.T, store engine.Store) *sql.DB {
	db := openConfig(t, eventfold.Config{Store: store})
	tx := begin(t, db, nil)
	for i := range 200 {
		mustExec(t, tx, `INSERT INTO ? (type, payload) VALUES (?, ?)`, fmt.Sprintf("order-%d", i%10),
			[]string{"Placed", "Paid"}[i%2], fmt.Sprintf(`{"total": %d, "note": "note %d"}`, i, i))
	}
	require.NoError(t, tx.Commit())
	const orders = ` AS SELECT stream, COUNT(*) AS events, SUM(payload->>'$.total') AS total, ` +
		`LAST(payload->>'$.note') AS note FROM $all WHERE type IN ('Placed', 'Paid') GROUP BY stream`
	mustExec(t, db, `CREATE MATERIALIZED VIEW orders`+orders)
	mustExec(t, db, `CREATE VIEW plain`+orders)
	return db
}

// FOLLOW over a materialised view reads no event that its state includes, and then only what comes.
func TestFollowOverAMaterializedViewBeginsWithItsState(t *testing.T) {
	m := enginetest.NewModel()
	t.Cleanup(func() { m.Close() })
	given := new(atomic.Int64)
	db := openOrders(t, countingStore{m, given})
	const place = `INSERT INTO "order-3" (type, payload) VALUES ('Placed', '{"total": 1000, "note": "n"}')`
	assert.Equal(t, int64(200), one[int64](t, db, `SELECT SUM(events) FROM views.orders`))
	mustExec(t, db, place)
	for text, want := range map[string][]string{
		`SELECT stream, events, total, note, as_of, change FROM views.orders WHERE stream = 'order-3' FOLLOW`: {
			"order-3 21 2960 n 202 insert"},
		`SELECT stream, events + 1 AS e FROM views.orders WHERE stream LIKE '%-3' FOLLOW`:                       {"order-3 22"},
		`SELECT stream, change FROM views.orders WHERE total > 2800 FOLLOW`:                                     {"order-3 insert"},
		`SELECT SUM(events), MAX(total) FROM views.orders FOLLOW`:                                               {"201 2960"},
		`SELECT events, COUNT(*), change FROM views.orders WHERE events > 20 GROUP BY events FOLLOW`:            {"21 1 insert"},
		`SELECT s, n FROM (SELECT stream AS s, total AS n FROM views.orders) AS x WHERE s = 'order-3' FOLLOW`:   {"order-3 2960"},
		`SELECT stream, total, change FROM views.orders WHERE total = ? AND stream IN ('order-3', 'no') FOLLOW`: {"order-3 2960 insert"},
		`SELECT stream, total, as_of FROM views.orders WHERE stream = 'order-3' FOLLOW AFTER 201`:               {"order-3 2960 202"},
		`SELECT DISTINCT events > 20 AS many, change FROM views.orders WHERE stream IN ('order-3', '?') FOLLOW`: {"1 insert"},
		`SELECT MAX(n) FROM (SELECT events, COUNT(*) AS n FROM views.orders GROUP BY events) AS x FOLLOW`:       {"9"},
		`SELECT n FROM (SELECT SUM(events) AS n FROM views.orders) AS x WHERE 1 = 1 FOLLOW`:                     {"201"},
		`SELECT stream, LENGTH(note), change FROM views.orders WHERE stream = 'order-3' GROUP BY ALL FOLLOW`:    {"order-3 1 insert"},
	} {
		given.Store(0)
		args := []any(nil)
		if strings.Contains(text, "?") && !strings.Contains(text, "'?'") {
			args = []any{2960}
		}
		rows := follow(t, db, text, args...)
		assert.Equal(t, want, nextRows(t, rows, len(want)), text)
		assert.NoError(t, rows.Close())
		assert.LessOrEqual(t, given.Load(), int64(4), "%s: no more than what has come since, and definitions", text)
	}
}

func TestFollowOverAViewWithGroupsTellsWhatBecomesOfItsRows(t *testing.T) {
	m := enginetest.NewModel()
	t.Cleanup(func() { m.Close() })
	db := openOrders(t, m)
	mustExec(t, db, `CREATE VIEW large AS SELECT stream AS order_id, total FROM views.orders WHERE total > 2070`)
	for _, view := range []string{"orders", "plain"} {
		big := follow(t, db, `SELECT stream, total, change FROM views.`+view+` WHERE events < 22 AND total > 2070 FOLLOW`)
		sum := follow(t, db, `SELECT events, COUNT(*), SUM(total), change FROM views.`+view+` GROUP BY events FOLLOW`)
		before := one[int64](t, db, `SELECT events FROM views.plain WHERE stream = 'order-9'`)
		if before == 20 {
			assert.Equal(t, []string{"order-9 2080 insert"}, nextRows(t, big, 1), view)
			assert.Equal(t, []string{"20 10 19900 insert"}, nextRows(t, sum, 1), view)
			sell := `INSERT INTO "order-9" (type, payload) VALUES ('Paid', '{"total": 1}')`
			mustExec(t, db, sell)
			assert.Equal(t, []string{"order-9 2081 update"}, nextRows(t, big, 1), view)
			assert.Equal(t, []string{"21 1 2081 insert", "20 9 17820 update"}, sorted(nextRows(t, sum, 2)), view)
			mustExec(t, db, sell)
			assert.Equal(t, []string{"order-9 NULL delete"}, nextRows(t, big, 1), view)
			assert.Equal(t, []string{"22 1 2082 insert", "21 NULL NULL delete"}, sorted(nextRows(t, sum, 2)), view)
		} else {
			assert.Equal(t, []string{"22 1 2082 insert", "20 9 17820 insert"}, sorted(nextRows(t, sum, 2)), view)
		}
	}
	large := follow(t, db, `SELECT order_id, total, as_of, change FROM views.large FOLLOW PROGRESS`)
	assert.Equal(t, []string{"order-9 2082 204 insert 0", "NULL NULL 204 NULL 1"}, nextRows(t, large, 2))
	mustExec(t, db, `CREATE OR REPLACE VIEW large AS SELECT stream AS order_id, total FROM views.orders`)
	assert.ErrorContains(t, endOf(large), `view "large" was replaced or dropped while it was followed`)
}

// A row that nobody could tell apart from others, or that may leave the result without a word, is
// refused, and the error says what to select.
func TestFollowOverAViewWithGroupsRefusesRowsThatCannotTell(t *testing.T) {
	m := enginetest.NewModel()
	t.Cleanup(func() { m.Close() })
	db := openOrders(t, m)
	mustExec(t, db, `CREATE VIEW few AS SELECT stream, COUNT(*) AS n FROM $all GROUP BY stream HAVING COUNT(*) < 30`)
	mustExec(t, db, `CREATE VIEW many AS SELECT stream, COUNT(*) AS n FROM $all GROUP BY stream HAVING COUNT(*) > 3`)
	mustExec(t, db, `CREATE VIEW keyless AS SELECT COUNT(*) AS n FROM $all GROUP BY stream`)
	mustExec(t, db, `CREATE VIEW sets AS SELECT stream, type, COUNT(*) AS n FROM $all GROUP BY ROLLUP (stream, type)`)
	const change = "select change as well"
	for text, want := range map[string]string{
		`SELECT total FROM views.orders FOLLOW`:                                            "select stream as well",
		`SELECT upper(stream), total FROM views.orders FOLLOW`:                             "select stream as well",
		`SELECT n FROM views.keyless FOLLOW`:                                               "FROM must give every GROUP BY expression",
		`SELECT stream, total FROM views.orders WHERE total > 3 FOLLOW`:                    change,
		`SELECT stream, n FROM views.few FOLLOW`:                                           change,
		`SELECT n, COUNT(*) FROM views.many GROUP BY n FOLLOW`:                             change,
		`SELECT stream, COUNT(*) FROM views.few GROUP BY stream FOLLOW`:                    change,
		`SELECT stream, COUNT(*) FROM views.many WHERE n > 4 GROUP BY stream FOLLOW`:       change,
		`SELECT stream, SUM(n) FROM views.many GROUP BY stream HAVING COUNT(*) > 0 FOLLOW`: change,
		`SELECT stream, n FROM views.sets FOLLOW`:                                          "has ROLLUP, CUBE or GROUPING SETS",
		`SELECT stream, n FROM views.many ORDER BY n FOLLOW`:                               "sort what has come",
		`SELECT stream, n FROM views.many LIMIT 3 FOLLOW`:                                  "stop reading",
		`SELECT stream, n, row_number() OVER () FROM views.many FOLLOW`:                    "window functions",
		`SELECT stream, n FROM views.many WHERE as_of > 3 FOLLOW`:                          "stands in the SELECT list alone",
		`SELECT a.stream FROM views.many AS a JOIN views.few AS b USING (stream) FOLLOW`:   "reads from exactly one event table",
		`SELECT stream, n FROM views.many FOLLOW PROGRESS`:                                 "select as_of as well",
	} {
		rows, err := db.Query(text)
		if err == nil {
			rows.Close()
		}
		assert.ErrorContains(t, err, want, text)
		assert.ErrorIs(t, err, eventfold.ErrStatement, text)
	}
	for _, text := range []string{
		`SELECT stream, n FROM views.many FOLLOW`, `SELECT stream, n, change FROM views.few WHERE n % 2 = 0 FOLLOW`,
		`SELECT stream, n FROM views.many WHERE stream <> 'order-1' FOLLOW`,
		`SELECT stream, COUNT(*) FROM views.many GROUP BY stream FOLLOW`, `SELECT COUNT(*) FROM views.few FOLLOW`,
		`SELECT lower(stream) AS s, SUM(n) FROM views.many GROUP BY s FOLLOW`,
	} {
		rows, err := db.Query(text)
		if assert.NoError(t, err, text) {
			rows.Close()
		}
	}
}

// An error in what is made of groups names the view and the place in its definition.
func TestAnErrorInAViewThatIsFollowedNamesIt(t *testing.T) {
	m := enginetest.NewModel()
	t.Cleanup(func() { m.Close() })
	db := openOrders(t, m)
	mustExec(t, db, `CREATE VIEW bad AS SELECT stream, json_extract(note, '$.x') AS x FROM views.orders`)
	mustExec(t, db, `CREATE VIEW worse AS SELECT stream, x FROM views.bad`)
	for _, text := range []string{`SELECT * FROM views.worse%s`, `SELECT COUNT(x) FROM views.worse%s`} {
		plain := endOfQuery(t, db, fmt.Sprintf(text, ""))
		require.ErrorContains(t, plain, `view "worse", line 1, column 23: view "bad", line 1, column 29`)
		assert.EqualError(t, endOfQuery(t, db, fmt.Sprintf(text, " FOLLOW")), plain.Error())
	}
}

// endOfQuery is the error with which a query ends.
func endOfQuery(t *testing.T, db *sql.DB, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	return endOf(rows)
}

// A process that only reads begins with what the writer has kept beside the log.
func TestFollowInAReaderBeginsWithTheStateBesideTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db := openConfig(t, eventfold.Config{Path: path})
	mustExec(t, db, `CREATE MATERIALIZED VIEW m AS SELECT type, COUNT(*) AS n FROM $all GROUP BY type`)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A'), ('B'), ('A')`)
	assert.Len(t, column[string](t, db, `SELECT type FROM views.m`), 3)
	require.NoError(t, db.Close())
	reader := openConfig(t, eventfold.Config{Path: path, Mode: eventfold.ReadOnly})
	assert.Contains(t, strings.Join(detailsOf(t, reader, `EXPLAIN SELECT type, n FROM views.m FOLLOW`), "\n"), "beside the log")
	rows := follow(t, reader, `SELECT type, n FROM views.m WHERE type = 'A' FOLLOW`)
	assert.Equal(t, []string{"A 2"}, nextRows(t, rows, 1))
	db = openConfig(t, eventfold.Config{Path: path})
	mustExec(t, db, `INSERT INTO a (type) VALUES ('B'), ('A')`)
	assert.Equal(t, []string{"A 3"}, nextRows(t, rows, 1))
}

// viewAggregates are those of random views, whose states can be kept. Variances are none of them: what
// is kept in parts is rounded in other places.
var viewAggregates = []string{
	"COUNT(*)", "COUNT(payload)", "SUM({n})", "AVG({n})", "MIN({n})", "MAX({k})", "FIRST({k})", "LAST({n})",
	"TOTAL({n})", "COUNT(*) FILTER (WHERE {n} > 4)", "MAX(version)", "MIN(position)", "LAST(payload)",
	"COUNT(*) * 2 + COUNT({n})", "BOOL_OR({n} > 5)", "SUM(redacted)",
}

// randomView makes the definition of a view with the columns k0, k1, n0 and x0.
func randomView(rng *rand.Rand) string {
	named := strings.NewReplacer("{k}", "payload->>'$.k'", "{n}", "payload->>'$.n'")
	keys, conds := []string{"type", "stream", "{k}", "{n} % 3", "type COLLATE NOCASE"}, []string{
		"", "", "type IN ('A', 'b')", "{n} > 3", "{k} = 'x' OR type = 'C'", "stream LIKE 's%'", "NOT redacted"}
	k, a := someOf(rng, keys, 2), someOf(rng, viewAggregates, 1)
	text := "SELECT " + k[0] + " AS k0, " + k[1] + " AS k1, COUNT(*) AS n0, " + a[0] + " AS x0 FROM $all"
	if c := conds[rng.IntN(len(conds))]; c != "" {
		text += " WHERE " + c
	}
	text += " GROUP BY k0, k1"
	if rng.IntN(4) == 0 {
		text += " HAVING " + liveHavings[rng.IntN(5)]
	}
	return named.Replace(text)
}

// randomQueryOfView makes a query over a view with these columns.
func randomQueryOfView(rng *rand.Rand, view string) *liveQuery {
	q := &liveQuery{change: rng.IntN(3) > 0, keys: 2, from: " FROM " + view}
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	conds := []string{"", "", "", "n0 > 2", "k0 = 'A'", "k0 <> 's1' AND n0 % 2 = 0", "k1 IS NOT NULL", "x0 IS NULL"}
	if rng.IntN(4) == 0 {
		q.from = " FROM (SELECT k1, k0, n0 * 10 AS n0, x0 FROM " + view + pick("", " WHERE n0 < 5") + ") AS x"
	}
	if c := pick(conds...); c != "" {
		q.from += " WHERE " + c
	}
	switch rng.IntN(5) {
	case 0:
		q.once, q.list = "DISTINCT ", pick("k0, k1", "n0, k0", "k1, n0 % 3")
	case 1, 2:
		q.list = "k0, k1, " + strings.Join(someOf(rng, []string{"n0", "x0", "n0 % 2", "x0 || k0", "upper(k1)"}, 2), ", ")
	default:
		keys := someOf(rng, []string{"k0", "k1", "n0 % 3", "n0"}, rng.IntN(3))
		q.keys = len(keys)
		q.list = strings.Join(append(slices.Clone(keys), someOf(rng, []string{"COUNT(*)", "SUM(n0)", "MIN(x0)", "MAX(n0)",
			"COUNT(DISTINCT n0)", "AVG(n0)", "MEDIAN(n0)", "QUANTILE(n0, 0.9)", "COUNT(*) FILTER (WHERE n0 > 2)"}, 2)...), ", ")
		if len(keys) > 0 {
			q.groups = " GROUP BY " + strings.Join(keys, ", ") + pick("", "", " HAVING COUNT(*) > 1", " HAVING SUM(n0) % 2 = 0")
		}
	}
	return q
}

// whole sees to it that change is selected where it must be.
func (q *liveQuery) whole(t *testing.T, db *sql.DB) *liveQuery {
	rows, err := db.Query(q.follow())
	if err != nil {
		require.ErrorContains(t, err, "select change as well", q.follow())
		q.change = true
		return q
	}
	require.NoError(t, rows.Close())
	return q
}

// TestFollowersOfViewsWithGroupsFoldToTheQuery: the rows that a follower of a view is told of are
// those of the query at their position, whether the view is materialised or not, and whatever is
// appended and erased.
func TestFollowersOfViewsWithGroupsFoldToTheQuery(t *testing.T) {
	rng := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	kept, compared := 0, 0
	for wanted := testenv.Scale(800, 40_000); compared < wanted; {
		m := enginetest.NewModel()
		db := eventfold.OpenDB(eventfold.Config{Store: m})
		l := &liveLog{t: t, rng: rng, plain: db, db: db}
		view := randomView(rng)
		mustExec(t, db, `CREATE VIEW p AS `+view)
		mustExec(t, db, `CREATE MATERIALIZED VIEW m AS `+view)
		l.query = func(rng *rand.Rand) *liveQuery {
			return randomQueryOfView(rng, []string{"views.p", "views.m", "views.m"}[rng.IntN(3)]).whole(t, db)
		}
		require.NoError(t, l.run(12), view)
		compared += l.compared
		kept += int(one[int64](t, db, `SELECT COALESCE(SUM(rows), 0) FROM $views`))
		assert.NoError(t, db.Close())
		assert.NoError(t, m.Close())
	}
	assert.Positive(t, kept, "groups that were kept")
	t.Logf("%d comparisons", compared)
}

// detailsOf are the second columns of what EXPLAIN tells.
func detailsOf(t *testing.T, db *sql.DB, text string) (list []string) {
	rows, err := db.Query(text)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var first, second string
		require.NoError(t, rows.Scan(&first, &second))
		list = append(list, second)
	}
	require.NoError(t, rows.Err())
	return list
}

// An awaitingStore notes what those who follow want to be woken by.
type awaitingStore struct {
	*enginetest.Model
	asked *[]engine.Filter
}

func (s awaitingStore) Await(what engine.Filter) engine.Waiter {
	*s.asked = append(*s.asked, what)
	return engine.Await(s.Model, what)
}

func TestGroupsAreWokenByWhatConcernsThem(t *testing.T) {
	m := enginetest.NewModel()
	t.Cleanup(func() { m.Close() })
	var asked []engine.Filter
	db := openOrders(t, awaitingStore{m, &asked})
	streams := func(names ...string) engine.Alternative { return engine.Alternative{Streams: names} }
	erasures, views := streams(engine.ErasuresStream), streams(engine.ViewsStream)
	for text, want := range map[string]engine.Filter{
		`SELECT type, COUNT(*) FROM $all WHERE stream = 'a' GROUP BY type FOLLOW`:                 {Any: []engine.Alternative{streams("a")}},
		`SELECT type, MAX(payload) FROM "a" GROUP BY type FOLLOW`:                                 {Any: []engine.Alternative{streams("a"), erasures}},
		`SELECT stream, total FROM views.orders WHERE stream = 'order-1' FOLLOW`:                  {Any: []engine.Alternative{{Streams: []string{"order-1"}, Types: []string{"Paid", "Placed"}}, erasures, views}},
		`SELECT COUNT(*) FROM $all FOLLOW`:                                                        {},
		`SELECT type, COUNT(*), as_of FROM $all WHERE stream = 'a' GROUP BY type FOLLOW PROGRESS`: {},
		`SELECT COUNT(*) FROM $all WHERE type = 'A' AND position < 900 FOLLOW`:                    {To: 900},
	} {
		asked = nil
		assert.NoError(t, follow(t, db, text).Close())
		require.Len(t, asked, 1, text)
		for i := range asked[0].Any {
			slices.Sort(asked[0].Any[i].Types)
		}
		assert.Equal(t, want, asked[0], text)
	}
}

// Who is woken by few commits is still told of all that becomes of his groups.
func TestGroupsOfSomeEventsAreToldOfErasuresAndOfViews(t *testing.T) {
	db := openConfig(t, openSales(t))
	rows := follow(t, db, `SELECT item, SUM(n), change FROM views.sales WHERE shop IN ('a', 'b') GROUP BY item FOLLOW`)
	assert.Equal(t, []string{"tea 1 insert", "nuts 2 insert"}, nextRows(t, rows, 2))
	next := make(chan []string)
	read := func(n int) { go func() { next <- nextRows(t, rows, n) }() }
	read(1)
	sell(t, db, "c", `{"item": "tea", "n": 100}`)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('Seen')`)
	sell(t, db, "a", `{"item": "tea", "n": 5}`)
	assert.Equal(t, []string{"tea 6 update"}, <-next)
	read(2)
	mustExec(t, db, `ERASE FROM a WHERE type = 'Sold' AND payload->>'$.n' = 1 REASON 'x'`)
	assert.Equal(t, []string{"tea 5 update", "NULL NULL insert"}, <-next)
	mustExec(t, db, `CREATE OR REPLACE VIEW sales AS SELECT position AS at, stream AS shop, type AS item, 1 AS n FROM $all`)
	assert.ErrorContains(t, endOf(rows), `view "sales" was replaced or dropped`)
}
