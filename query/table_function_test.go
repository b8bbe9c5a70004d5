package query

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestFunctionsInFromHoldOnlyWhereTheyAre: however many rows they give, they are never held
// together.
func TestFunctionsInFromHoldOnlyWhereTheyAre(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 50)
	small := &Session{Store: store, Settings: Settings{Memory: 1 << 20}}
	array := "'[' || replace(printf('%.*c', 50000, 'x'), 'x', '1,') || '1]'"
	deep := "replace(printf('%.*c', 5000, 'x'), 'x', '[') || replace(printf('%.*c', 5000, 'x'), 'x', ']')"
	for text, want := range map[string]string{
		"SELECT COUNT(*), SUM(value) FROM generate_series(1, 300000)":                              "300000 | 45000150000",
		"SELECT COUNT(*) FROM generate_series('2026-01-01', '2026-03-01', INTERVAL 1 MINUTE)":      "84961",
		"SELECT COUNT(*) FROM $all AS e, generate_series(1, 5000) AS g WHERE g.value > 4999":       "50",
		"SELECT COUNT(*) FROM $all AS e LEFT JOIN generate_series(1, 5000) AS g ON g.value > 4999": "50",
		"SELECT COUNT(*), SUM(value) FROM json_each(" + array + ")":                                "50001 | 50001",
		"SELECT COUNT(*), MAX(length(fullkey)) FROM json_tree(" + deep + ")":                       "5000 | 14998",
		"SELECT COUNT(*) FROM $all AS e, json_each(" + array + ") AS i WHERE i.key = 7":            "50",
	} {
		assert.Equal(t, []string{want}, rowsOf(t, small, text), text)
	}
	_, err := tryRows(context.Background(), small,
		"SELECT COUNT(*) FROM $all AS e JOIN generate_series(1, 1000000) AS g ON g.value = e.position")
	var spent *MemoryError
	require.ErrorAs(t, err, &spent, "what an equality joins is kept, and counted")
	assert.Equal(t, "JOIN", spent.Clause)
}

// TestEndlessRowsEndWithTheContext: whoever waits for a series without an end, or a product, can
// stop.
func TestEndlessRowsEndWithTheContext(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 50)
	deep := "replace(printf('%.*c', 9000, 'x'), 'x', '[') || '\"' || printf('%.*c', 900000, 'a') || '\"' || " +
		"replace(printf('%.*c', 9000, 'x'), 'x', ']')"
	for _, text := range []string{
		"SELECT COUNT(*) FROM generate_series(1, 1e18)",
		"SELECT value FROM generate_series(1, 1e18) WHERE value < 0",
		"SELECT COUNT(*) FROM generate_series('0001-01-01', '9999-01-01', INTERVAL 1 MICROSECOND)",
		"SELECT COUNT(*) FROM generate_series(1, 1e9) AS a, generate_series(a.value, 1e9) AS b WHERE b.value < 0",
		"SELECT COUNT(*) FROM generate_series(1, 1e9) AS a, LATERAL (SELECT COUNT(*) AS n FROM $all WHERE position = a.value) AS b",
		"SELECT SUM(length(value || '')) FROM json_tree(" + deep + ")",
		"SELECT COUNT(*) FROM generate_series(1, 3000) AS a, generate_series(1, 3000) AS b FULL JOIN (VALUES (1)) AS c ON a.value + b.value < 0",
		"SELECT COUNT(*) FROM generate_series(1, 20000) AS a WHERE (a.value, NULL) IN (SELECT -value, 1 FROM generate_series(1, 20000))",
	} {
		ctx := &endingContext{Context: context.Background(), after: 300}
		_, err := tryRows(ctx, &Session{Store: store}, text)
		assert.ErrorIs(t, err, context.Canceled, text)
	}
}

// An endingContext has ended when it has been asked often enough.
type endingContext struct {
	context.Context
	asked, after int
}

func (c *endingContext) Err() error {
	if c.asked++; c.asked > c.after {
		return context.Canceled
	}
	return nil
}

// TestWhatFromHoldsIsGivenBack: when a statement has ended, in whatever way, the store's memory is
// what it was.
func TestWhatFromHoldsIsGivenBack(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 300)
	memory := NewMemory(8 << 20)
	long := "printf('%.*c', 100000, 'a')"
	for _, text := range []string{
		"SELECT i.value FROM $all AS e, json_each('[\"' || " + long + " || '\"]') AS i",
		"SELECT i.value FROM $all AS e, json_each('[\"' || " + long + " || e.type || '\"]') AS i LIMIT 3",
		"SELECT i.value FROM $all AS e, json_each(e.type) AS i",
		"SELECT fullkey FROM json_tree('{\"' || " + long + " || '\": [1]}')",
		"SELECT a.payload, b.payload FROM $all AS a FULL JOIN $all AS b ON a.version = b.position",
		"SELECT a.payload, b.payload FROM $all AS a FULL JOIN $all AS b ON a.version = b.position LIMIT 2",
		"SELECT l.x FROM $all AS e, LATERAL (SELECT payload || " + long + " AS x FROM $all AS i WHERE i.position = e.version ORDER BY x) AS l",
		"SELECT l.x FROM $all AS e, LATERAL (SELECT json(payload || 'x') AS x FROM $all AS i ORDER BY x) AS l",
		"VALUES (" + long + "), (" + long + "), (json('x'))",
		"SELECT COUNT(*) FROM $all WHERE (type, payload) IN (SELECT type, payload FROM $all)",
		"SELECT COUNT(*) FROM $all AS e WHERE (type, 1) = (SELECT type || " + long + ", 1 FROM $all AS i WHERE i.position = e.version)",
		"SELECT COUNT(*) FROM generate_series(1, 10), generate_series(1, 'x') AS b",
	} {
		s := &Session{Store: store, Settings: Settings{Shared: memory}}
		_, err := tryRows(context.Background(), s, text)
		assert.Zero(t, memory.Used(), "%s: %v", text, err)
	}
	assert.Positive(t, memory.Peak())
}

// TestRowsOfFunctionsDoNotAddUp: what is made for one row is gone with it.
func TestRowsOfFunctionsDoNotAddUp(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 500)
	small := &Session{Store: store, Settings: Settings{Memory: 1 << 20}}
	for _, text := range []string{
		"SELECT length(i.value || 'x') FROM $all AS e, json_each('[\"' || printf('%10000d', e.position) || '\"]') AS i",
		"SELECT length(printf('%10000d', value)) FROM generate_series(1, 500)",
		"SELECT COUNT(*) FROM generate_series(1, 500) WHERE printf('%10000d', value) = 'x'",
		"SELECT length(l.x) FROM $all AS e, LATERAL (SELECT printf('%10000d', e.position) AS x) AS l",
		"SELECT COUNT(*) FROM $all AS e LEFT JOIN json_each(e.tags) AS i ON printf('%10000d', e.position) = i.value",
		"SELECT COUNT(*) FROM generate_series(1, 500) AS g WHERE (g.value, printf('%10000d', g.value)) = (SELECT 1, printf('%10000d', g.value))",
	} {
		_, err := tryRows(context.Background(), small, text)
		assert.NoError(t, err, text)
	}
}

var examinedEvents = regexp.MustCompile(`(\d+) events, \d+ segments`)

// TestBoundsReachTablesBesideFunctions: conditions on an event table let it read less, wherever it
// stands in FROM.
func TestBoundsReachTablesBesideFunctions(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 2000)
	s := &Session{Store: store}
	for _, from := range []string{
		"$all AS e, json_each(e.tags) AS i WHERE %s",
		"generate_series(1, 2) AS g, $all AS e WHERE %s",
		"$all AS e LEFT JOIN json_each(e.tags) AS i ON TRUE WHERE %s",
		"(VALUES (1)) AS v RIGHT JOIN $all AS e ON v.column1 = e.version WHERE %s",
		"generate_series(1, 2) AS g, LATERAL (SELECT * FROM $all AS e WHERE %s AND e.version > g.value) AS l",
	} {
		text := "EXPLAIN ANALYZE SELECT COUNT(*) FROM " + fmt.Sprintf(from, "e.position BETWEEN 100 AND 109")
		examined := 0
		for _, row := range rowsOf(t, s, text) {
			if m := examinedEvents.FindStringSubmatch(row); m != nil {
				examined, _ = strconv.Atoi(m[1])
			}
		}
		assert.Positive(t, examined, text)
		assert.LessOrEqual(t, examined, 20, text)
	}
}

// TestAPageOfRowsReadsOnlyWhatIsBehindIt: a comparison of rows bounds the scan by its first values.
func TestAPageOfRowsReadsOnlyWhatIsBehindIt(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 2000)
	rows := rowsOf(t, &Session{Store: store},
		"EXPLAIN SELECT position FROM $all WHERE (position, type) > (1990, '') AND (type, version) = ('T', 1)")
	assert.Contains(t, rows[1], "positions [1990, end] versions [1, 1] types [T]")
}
