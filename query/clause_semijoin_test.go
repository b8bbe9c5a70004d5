package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// perRow stands for what keeps a sub-query from being split: its twin in these tests is run for each
// row.
const perRow = " LIMIT -1 OFFSET 0"

// TestAJoinIsNotSplit: without the equalities it would be the product of its tables.
func TestAJoinIsNotSplit(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 20)
	s := &Session{Store: store}
	for text, split := range map[string]bool{
		"SELECT 1 FROM $all b WHERE b.stream = o.stream":                                                                   true,
		"SELECT 1 FROM $all b JOIN $all c ON c.version > b.version WHERE b.stream = o.stream AND c.stream = o.stream":      false,
		"SELECT 1 FROM $all b, $all c WHERE b.stream = o.stream AND c.type = o.type":                                       false,
		"SELECT 1 FROM $all b, json_each(b.payload) j WHERE j.key = o.type AND b.stream = o.stream":                        false,
		"SELECT 1 FROM $all b LEFT JOIN $all c ON c.position = b.position + 1 WHERE b.stream = o.stream AND b.version > 1": false,
	} {
		plan := fmt.Sprint(rowsOf(t, s, "EXPLAIN SELECT position FROM $all o WHERE EXISTS ("+text+")"))
		assert.Equal(t, split, strings.Contains(plan, "semi-join"), "%s\n%s", text, plan)
	}
}

// TestACorrelatedSubqueryReadsItsTableOnce holds what is read to a few times the log, where a run
// for each row reads it as often as there are rows.
func TestACorrelatedSubqueryReadsItsTableOnce(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	const n = 500
	fill(t, store, n)
	s := &Session{Store: store}
	for _, text := range []string{
		"EXISTS (SELECT 1 FROM $all AS i WHERE i.payload->>'$.total' = o.payload->>'$.total' AND i.position > 450%s)",
		"NOT EXISTS (SELECT * FROM $all i WHERE o.payload->>'$.n' = 7 + i.payload->>'$.n' AND i.version > 2%s)",
		"type IN (SELECT i.type FROM $all i WHERE i.payload->>'$.n' = o.payload->>'$.n' AND i.version > 2%s)",
		"type NOT IN (SELECT i.type FROM $all i WHERE i.payload->>'$.n' = o.payload->>'$.n' + 1%s)",
	} {
		query := "SELECT position FROM $all AS o WHERE o.version > 4 AND " + text
		plain, once := fmt.Sprintf(query, perRow), fmt.Sprintf(query, "")
		examined := func(text string) (events int) {
			for _, line := range rowsOf(t, s, "EXPLAIN ANALYZE "+text) {
				var skipped int
				fmt.Sscanf(line, `"examined" | "%d events, %d segments skipped"`, &events, &skipped)
			}
			return events
		}
		assert.Less(t, examined(once), 6*n, once)
		assert.Equal(t, rowsOf(t, s, plain), rowsOf(t, s, once), once)
	}
}

// TestASubqueryForFewRowsIsNotRunForAll: a row or two are looked up by the index.
func TestASubqueryForFewRowsIsNotRunForAll(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	const n = 12_000
	fill(t, store, n)
	s := &Session{Store: store}
	text := "EXPLAIN ANALYZE SELECT position FROM $all AS o WHERE o.stream = 'order-000100' AND EXISTS " +
		"(SELECT 1 FROM $all AS i WHERE i.stream = o.stream AND i.version = o.version + 1)"
	var events, skipped int
	for _, line := range rowsOf(t, s, text) {
		fmt.Sscanf(line, `"examined" | "%d events, %d segments skipped"`, &events, &skipped)
	}
	assert.Positive(t, events)
	assert.Less(t, events, 200)
}

// mixed are payload values that compare in surprising ways.
var mixed = []string{
	"1", "1.0", `"1"`, "2", "-7", "null", "true", `"a"`, `"A"`, `"a "`, `""`, `"2026-01-01"`,
	`"2026-01-01T00:00:00Z"`, `"2026-01-01 00:00:00"`, "9007199254740993", "1e300",
}

// TestSplitSubqueriesAnswerAsThoseThatAreRunForEachRow compares random correlated sub-queries with
// their twins, errors and NULLs among the answers.
func TestSplitSubqueriesAnswerAsThoseThatAreRunForEachRow(t *testing.T) {
	testenv.WithoutRace(t)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 1))
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	s := &Session{Store: store}
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	for range 40 {
		exec(t, s, "INSERT INTO $all (stream, type, payload) VALUES (?, ?, ?)", pick("a", "b", "c"),
			pick("T", "t", "u"), []byte(fmt.Sprintf(`{"x":%s,"y":%s}`, pick(mixed...), pick(mixed...))))
	}
	value := func(alias string) string {
		return strings.ReplaceAll(pick("_.payload->>'$.x'", "_.payload->>'$.y'", "_.type", "_.stream", "_.version",
			"_.recorded_at", "_.payload->'$.x'", "_.type COLLATE NOCASE", "lower(_.type)", "_.version + 1",
			"CAST(_.payload->>'$.x' AS TEXT)", "CAST(_.payload->>'$.y' AS INTEGER)",
			"'2026-01-01' || substr(_.type, 2)", "date(_.recorded_at)", "_.position % 5"), "_", alias)
	}
	equality := func() string {
		if r.IntN(2) == 0 {
			return value("i") + " = " + value("o")
		}
		return value("o") + " = " + value("i")
	}
	rest := func() string {
		return pick("", "", " AND i.version > 1", " AND i.type = 'T'", " AND i.recorded_at > i.payload->>'$.x'",
			" AND o.version < 9", " AND i.position < o.position", " AND i.stream = 'none'", " AND "+equality())
	}
	for range testenv.Scale(300, 20_000) {
		from := pick("$all AS i", "$all AS i", "(SELECT * FROM $all WHERE version > 2) AS i",
			"$all AS i JOIN $all AS j ON i.position = j.position", "\"a\" AS i", "none AS i")
		where := " FROM " + from + " WHERE " + equality() + rest()
		sub := pick("EXISTS (SELECT 1"+where,
			"EXISTS (SELECT DISTINCT i.type AS x"+where,
			"EXISTS (SELECT MAX(i.type)"+where, "EXISTS (SELECT ROW_NUMBER() OVER (ORDER BY i.type)"+where, "NOT EXISTS (SELECT *"+where,
			value("o")+" IN (SELECT "+value("i")+where, value("o")+" NOT IN (SELECT "+value("i")+where)
		query := pick("SELECT o.position FROM $all AS o WHERE ",
			"SELECT o.position, o.type FROM $all o WHERE version > 1 OR ",
			"SELECT position, ", "SELECT COUNT(*) FROM $all o WHERE NOT ") + sub
		end := ")"
		if strings.HasPrefix(query, "SELECT position, ") {
			end = ") FROM $all AS o"
		}
		plain, plainErr := tryRows(context.Background(), s, query+perRow+end)
		once, onceErr := tryRows(context.Background(), s, query+end)
		require.Equal(t, plain, once, query+end)
		if plainErr != nil || onceErr != nil {
			require.Error(t, onceErr, query+end)
			require.EqualError(t, plainErr, onceErr.Error(), query+end)
		}
	}
}

// TestASplitSubqueryThatNeedsTooMuchMemoryIsRunForEachRow: the answer does not depend on the memory
// of what is only faster.
func TestASplitSubqueryThatNeedsTooMuchMemoryIsRunForEachRow(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	const n = 400
	fill(t, store, n)
	s := &Session{Store: store, Settings: Settings{Memory: 32 << 10}}
	query := "SELECT COUNT(*) FROM $all AS o WHERE NOT EXISTS (SELECT 1 FROM $all AS i WHERE i.position = o.position + 1)"
	assert.Equal(t, []string{"1"}, rowsOf(t, s, query))
}
