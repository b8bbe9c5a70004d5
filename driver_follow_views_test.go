package eventfold_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/filestore"
)

// openSales opens a database of three sales at the positions 0 to 2 and views of them at 3 and 4.
func openSales(t *testing.T) (c eventfold.Config) {
	t.Helper()
	c = eventfold.Config{Path: filepath.Join(t.TempDir(), "store")}
	db := openConfig(t, c)
	sell(t, db, "a", `{"item": "tea", "n": 1}`)
	sell(t, db, "b", `{"item": "nuts", "n": 2}`)
	mustExec(t, db, `INSERT INTO b (type) VALUES ('Seen')`)
	mustExec(t, db, `CREATE VIEW sales AS SELECT position AS at, stream AS shop, payload->>'$.item' AS item, `+
		`payload->>'$.n' AS n FROM $all WHERE type = 'Sold'`)
	mustExec(t, db, `CREATE VIEW large AS SELECT at, item AS what, n * 10 AS cents FROM views.sales WHERE n > 1`)
	require.NoError(t, db.Close())
	return c
}

func sell(t *testing.T, db *sql.DB, stream, payload string) {
	t.Helper()
	mustExec(t, db, `INSERT INTO ? (type, payload) VALUES ('Sold', ?)`, stream, payload)
}

func TestEventsAreFollowedThroughViewsAndSubQueries(t *testing.T) {
	db := openConfig(t, openSales(t))
	all := follow(t, db, `SELECT at, shop, item FROM views.sales FOLLOW`)
	assert.Equal(t, []string{"0 a tea", "1 b nuts"}, nextRows(t, all, 2))
	ordered := follow(t, db, `SELECT at AS p, item FROM views.sales ORDER BY p, item FOLLOW AFTER ?`, 0)
	assert.Equal(t, []string{"1 nuts"}, nextRows(t, ordered, 1), "in the order that they have anyway")
	large := follow(t, db, `SELECT what, cents, at FROM views.large WHERE cents < 100 FOLLOW PROGRESS`)
	assert.Equal(t, []string{"nuts 20 1 0", "NULL NULL 4 1"}, nextRows(t, large, 2))
	sub := follow(t, db, `SELECT x FROM (SELECT n + 1 AS x, shop FROM views.sales) AS s WHERE shop = ? FOLLOW AFTER 0`, "b")
	assert.Equal(t, []string{"3"}, nextRows(t, sub, 1))
	some := follow(t, db, `SELECT item FROM views.sales LIMIT 3 FOLLOW`)
	assert.Equal(t, []string{"tea", "nuts"}, nextRows(t, some, 2))

	sell(t, db, "c", `{"item": "cup", "n": 3}`)
	sell(t, db, "b", `{"item": "pot", "n": 30}`)
	assert.Equal(t, []string{"5 c cup", "6 b pot"}, nextRows(t, all, 2))
	assert.Equal(t, []string{"cup 30 5 0"}, nextRows(t, large, 1))
	assert.Equal(t, []string{"31"}, nextRows(t, sub, 1))
	assert.Equal(t, []string{"cup"}, nextRows(t, some, 1))
	assert.NoError(t, endOf(some), "LIMIT counts rows")
	rest := follow(t, db, `SELECT at FROM views.large FOLLOW AFTER 5`)
	assert.Equal(t, []string{"6"}, nextRows(t, rest, 1), "who goes on")
	listed, err := db.Query(`SELECT source, position FROM $followers WHERE statement LIKE '%AFTER 5%'`)
	require.NoError(t, err)
	defer listed.Close()
	assert.Equal(t, []string{"$all 6"}, nextRows(t, listed, 1))
}

func TestGroupsAreFollowedThroughViews(t *testing.T) {
	c := openSales(t)
	db := openConfig(t, c)
	rows := follow(t, db, `SELECT item, COUNT(*), SUM(n), as_of, change FROM views.sales GROUP BY item FOLLOW`)
	assert.Equal(t, []string{"tea 1 1 4 insert", "nuts 1 2 4 insert"}, nextRows(t, rows, 2))
	total := follow(t, db, `SELECT SUM(cents), MAX(at) FROM views.large WHERE what <> 'pot' FOLLOW`)
	assert.Equal(t, []string{"20 1"}, nextRows(t, total, 1))
	sell(t, db, "c", `{"item": "tea", "n": 5}`)
	assert.Equal(t, []string{"tea 2 6 5 update"}, nextRows(t, rows, 1))
	assert.Equal(t, []string{"70 5"}, nextRows(t, total, 1))
	after := follow(t, db, `SELECT item, SUM(n), change FROM views.sales GROUP BY item FOLLOW AFTER 4`)
	assert.Equal(t, []string{"tea 6 update"}, nextRows(t, after, 1), "who goes on")
	mustExec(t, db, `ERASE FROM a WHERE type = 'Sold' REASON 'x'`)
	assert.Equal(t, []string{"tea 1 5 6 update", "NULL 1 NULL 6 insert"}, nextRows(t, rows, 2))
	err := endOf(follow(t, db, `SELECT item, SUM(n), change FROM views.sales GROUP BY item FOLLOW AFTER 5`))
	assert.ErrorContains(t, err, "begin again without AFTER")

	store, err := filestore.Open(c.Path, filestore.Options{ReadOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	other := follow(t, openConfig(t, eventfold.Config{Store: store}), `SELECT DISTINCT shop FROM views.sales FOLLOW`)
	assert.Equal(t, []string{"a", "b", "c"}, nextRows(t, other, 3))
	sell(t, db, "d", `{}`)
	assert.Equal(t, []string{"d"}, nextRows(t, other, 1), "in a reader beside the writer")
}

// Rows of events are those of the definition with which the statement began; one that goes on with
// groups of another definition is refused.
func TestAViewThatIsFollowedMayBeReplacedOrDropped(t *testing.T) {
	db := openConfig(t, openSales(t))
	events := follow(t, db, `SELECT at, what FROM views.large FOLLOW`)
	assert.Equal(t, []string{"1 nuts"}, nextRows(t, events, 1))
	const text = `SELECT item, SUM(n), as_of FROM views.sales GROUP BY item FOLLOW AFTER ?`
	groups := follow(t, db, text, -1)
	assert.Equal(t, []string{"tea 1 4", "nuts 2 4"}, nextRows(t, groups, 2))
	mustExec(t, db, `CREATE OR REPLACE VIEW sales AS SELECT position AS at, stream AS shop, `+
		`upper(payload->>'$.item') AS item, payload->>'$.n' + 100 AS n FROM $all WHERE type = 'Sold'`) // 5
	mustExec(t, db, `DROP VIEW large`) // 6
	sell(t, db, "a", `{"item": "tea", "n": 4}`)
	assert.Equal(t, []string{"7 tea"}, nextRows(t, events, 1))

	_, err := db.Query(text, 4)
	assert.ErrorIs(t, err, eventfold.ErrValue)
	assert.ErrorContains(t, err, `view "sales" was another one at position 4`)
	assert.ErrorContains(t, err, "begin again without AFTER")
	assert.Equal(t, []string{"TEA 205 7"}, nextRows(t, follow(t, db, text, 5), 1))
	assert.Equal(t, []string{"TEA 205 7", "NUTS 102 7"}, nextRows(t, follow(t, db, text, -1), 2))
	assert.Equal(t, []string{"NUTS", "TEA"}, nextRows(t, follow(t, db, `SELECT item FROM views.sales FOLLOW AFTER 0`), 2),
		"rows of events go on with the new one")
	_, err = db.Query(`SELECT what FROM views.large FOLLOW`)
	assert.ErrorContains(t, err, `there is no view "large"`)

	mustExec(t, db, `CREATE VIEW late AS SELECT item, n FROM views.sales`) // 8
	sell(t, db, "a", `{"item": "tea", "n": 0}`)
	late := follow(t, db, `SELECT item, SUM(n) FROM views.late GROUP BY item FOLLOW AFTER 7`)
	assert.Equal(t, []string{"TEA 305"}, nextRows(t, late, 1), "a view that was not there has told nothing else")
}

// Whoever goes on AFTER the last position that he was told never has groups of another definition:
// none is told at or behind the one that changes them, whatever has changed.
func TestGroupsOfAViewEndBeforeItIsAnother(t *testing.T) {
	const sales = `VIEW sales AS SELECT position AS at, stream AS shop, payload->>'$.item' AS item, ` +
		`payload->>'$.n' AS n FROM $all WHERE type = 'Sold'`
	for name, change := range map[string][]string{
		"replaced":               {`CREATE OR REPLACE VIEW large AS SELECT at, upper(item) AS what, n AS cents FROM views.sales`},
		"one below it replaced":  {`CREATE OR REPLACE ` + sales + ` AND stream <> 'b'`},
		"dropped":                {`DROP VIEW large`},
		"dropped and made again": {`DROP VIEW large`, `CREATE VIEW large AS SELECT at, 'x' AS what, n AS cents FROM views.sales`},
	} {
		db := openConfig(t, openSales(t))
		open := []*sql.Rows{
			follow(t, db, `SELECT what, SUM(cents), as_of FROM views.large GROUP BY what FOLLOW`),
			follow(t, db, `SELECT what, SUM(cents), as_of FROM (SELECT what, cents FROM views.large) AS x GROUP BY what FOLLOW AFTER 0`),
		}
		for _, rows := range open {
			assert.Equal(t, []string{"nuts 20 4"}, nextRows(t, rows, 1), name)
		}
		for _, text := range change {
			mustExec(t, db, text)
		}
		sell(t, db, "c", `{"item": "pot", "n": 7}`)
		for _, rows := range open {
			err := endOf(rows)
			assert.ErrorIs(t, err, eventfold.ErrValue, name)
			assert.ErrorContains(t, err, "was replaced or dropped while it was followed", name)
			assert.ErrorContains(t, err, "begin again without AFTER", name)
		}
	}
}

func TestAViewThatIsMoreThanAFilterIsNotFollowed(t *testing.T) {
	db := openConfig(t, openSales(t))
	for name, view := range map[string]struct{ text, obstacle string }{
		"both":     {`SELECT item, n FROM views.sales UNION ALL SELECT type, version FROM $all`, "UNION ALL"},
		"rollup":   {`SELECT item, SUM(n) AS n FROM views.sales GROUP BY ROLLUP (item)`, "ROLLUP, CUBE or GROUPING SETS"},
		"once":     {`SELECT DISTINCT item, n FROM views.sales`, "DISTINCT"},
		"firsts":   {`SELECT DISTINCT ON (item) item, n FROM views.sales ORDER BY item`, "DISTINCT ON"},
		"few":      {`SELECT n FROM views.sales LIMIT 3`, "LIMIT"},
		"sorted":   {`SELECT n FROM views.sales ORDER BY n`, "ORDER BY"},
		"ranks":    {`SELECT rank() OVER (ORDER BY n) AS n FROM views.sales`, "window functions"},
		"joined":   {`SELECT a.n FROM views.sales AS a JOIN views.sales AS b ON a.at = b.at + 1`, "a join"},
		"parts":    {`SELECT i.value AS n FROM $all AS e, json_each(e.payload) AS i`, "a join"},
		"constant": {`SELECT 1 AS n`, "no table"},
		"series":   {`SELECT value AS n FROM generate_series(1, 3)`, "a function"},
		"named":    {`WITH x AS (SELECT version AS n FROM $all) SELECT n FROM x`, "WITH"},
		"streams":  {`SELECT events AS n FROM $streams`, "$streams"},
		"scalar":   {`SELECT n - (SELECT COUNT(*) FROM $all) AS n FROM views.sales`, "a sub-query"},
		"members":  {`SELECT n FROM views.sales WHERE shop IN (SELECT stream FROM $streams)`, "a sub-query"},
		"present":  {`SELECT n FROM views.sales WHERE EXISTS (SELECT 1 FROM b)`, "a sub-query"},
		"related":  {`SELECT (SELECT MAX(x.n) FROM views.sales AS x WHERE x.at <= s.at) AS n FROM views.sales AS s`, "a sub-query"},
	} {
		mustExec(t, db, "CREATE VIEW "+name+" AS "+view.text)
		mustExec(t, db, "CREATE VIEW over_"+name+" AS SELECT n + 1 AS n FROM views."+name)
		for _, text := range []string{"SELECT n FROM views.%s FOLLOW", "SELECT SUM(n) FROM views.%s FOLLOW",
			"SELECT n FROM views.over_%s FOLLOW", "SELECT n FROM (SELECT n FROM views.%s) AS x FOLLOW"} {
			err := queryError(db, text, name)
			assert.ErrorIs(t, err, eventfold.ErrStatement, text, name)
			assert.ErrorContains(t, err, `view "`+name+`" has `+view.obstacle, text)
			assert.ErrorContains(t, err, "a view that is followed filters, computes and groups", text)
		}
	}
	assert.ErrorContains(t, queryError(db, "SELECT n FROM views.%s ORDER BY n FOLLOW", "sales"), "another ORDER BY")
	assert.ErrorContains(t, queryError(db, "SELECT at FROM views.%s ORDER BY at DESC FOLLOW", "sales"), "another ORDER BY")
	assert.ErrorContains(t, queryError(db, "SELECT item FROM views.%s FOLLOW PROGRESS", "sales"), "select position or event")
	assert.ErrorContains(t, queryError(db, "SELECT at + 0 FROM views.%s FOLLOW PROGRESS", "sales"), "select position or event")
}

// queryError is the error of a statement about a view, nil if it has rows.
func queryError(db *sql.DB, text, view string) error {
	rows, err := db.Query(fmt.Sprintf(text, view))
	if err == nil {
		rows.Close()
	}
	return err
}
