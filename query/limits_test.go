package query

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// TestTextsAreHeldAgainstTheBudget: whatever function makes a text, a row of many such texts is
// more than a query may hold, and each alone is not.
func TestTextsAreHeldAgainstTheBudget(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 20)
	const text = "printf('%.*c', 100000 + position, 'a')"
	for _, made := range []string{
		text, "hex(" + text + ")", "upper(" + text + ")", "lower(" + text + ")", "quote(" + text + ")",
		"json_quote(" + text + ")",
		"json_array(" + text + ")", "json_object('a', " + text + ")", "concat(" + text + ", 1)",
		"concat_ws(',', " + text + ", 1)",
		text + " || 1", "replace(" + text + ", 'a', 'b')", "unhex(" + text + ")", "trim(" + text + " || 'b', 'b')",
		"max(" + text + ", '')", "json_extract(json_array(" + text + "), '$[0]')", "json_array(" + text + ") ->> 0",
		"strftime(" + text + ", 0)", "date_format('2026-01-01', " + text + ")", "coalesce(" + text + ", 1)",
		"json_extract(json_array(" + text + "), '$[0]', '$[0]')", "CAST(json_array(" + text + ") AS JSON)",
		"CASE WHEN 1 THEN " + text + " END", "(SELECT " + text + ")",
	} {
		small := &Session{Store: store, Settings: Settings{Memory: 2 << 20}}
		_, err := tryRows(context.Background(), small, "SELECT length("+made+") FROM $all")
		assert.NoError(t, err, made)
		many := strings.TrimSuffix(strings.Repeat("length("+made+"),", 40), ",")
		_, err = tryRows(context.Background(), small, "SELECT "+many+" FROM $all")
		var spent *MemoryError
		if assert.ErrorAs(t, err, &spent, made) {
			assert.Equal(t, MemoryError{Clause: "making texts", Limit: 2 << 20}, *spent, made)
		}
	}
}

// TestGroupsPayForTheValuesThatTheyKeep: a group's state is counted with the texts in it, in every
// part of a scan that is divided.
func TestGroupsPayForTheValuesThatTheyKeep(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 5000)
	for _, f := range []string{"MIN", "MAX", "FIRST", "LAST", "GROUP_CONCAT"} {
		text := "SELECT COUNT(m) FROM (SELECT position, " + f + "(printf('%1000d', position)) AS m FROM $all GROUP BY position) AS t"
		_, err := tryRows(context.Background(), &Session{Store: store, Settings: Settings{Memory: 3 << 20}}, text)
		var e *Error
		if assert.ErrorAs(t, err, &e, text) {
			assert.Contains(t, e.Msg, "GROUP BY needs more than the 3145728 bytes", text)
		}
		assert.Equal(t, []string{"5000"}, rowsOf(t, &Session{Store: store, Settings: Settings{Memory: 24 << 20}}, text), text)
	}
}

// TestPartsThatNeedTooMuchAreOneScan: the parts of a divided scan keep a group each for the same
// keys; where that is too much, the scan is not divided.
func TestPartsThatNeedTooMuchAreOneScan(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 40_000)
	text := "SELECT COUNT(m) FROM (SELECT type, MAX(printf('%8000d', position)) AS m FROM $all GROUP BY type) AS t"
	assert.Equal(t, []string{"12"}, rowsOf(t, &Session{Store: store, Settings: Settings{Memory: 300 << 10}}, text))
}

// TestWindowsPayForTheirValues: what window functions give is held with their rows.
func TestWindowsPayForTheirValues(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 1000)
	for _, f := range []string{
		"LAG(%s)", "LEAD(%s)", "FIRST_VALUE(%s)", "LAST_VALUE(%s)", "NTH_VALUE(%s, 1)", "MAX(%s)", "LAST(%s)",
	} {
		text := "SELECT " + fmt.Sprintf(f, "printf('%10000d', position)") + " OVER (ORDER BY position ROWS CURRENT ROW) FROM $all"
		_, err := tryRows(context.Background(), &Session{Store: store, Settings: Settings{Memory: 3 << 20}}, text)
		var spent *MemoryError
		assert.ErrorAs(t, err, &spent, text)
	}
}

// TestWindowsKeepEachRowsValue: the state of an aggregate changes from row to row, its results do
// not.
func TestWindowsKeepEachRowsValue(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 300)
	for _, f := range []string{"MIN", "MAX", "FIRST", "LAST", "GROUP_CONCAT"} {
		x := "(position * 7919 % 101) || 'x'"
		got := rowsOf(t, &Session{Store: store},
			"SELECT "+f+"("+x+") OVER (ORDER BY position ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) FROM $all")
		for i, row := range got {
			want := rowsOf(t, &Session{Store: store},
				fmt.Sprintf("SELECT %s(%s) FROM $all WHERE position BETWEEN %d AND %d", f, x, i-3, i))
			require.Equal(t, want[0], row, "%s at %d", f, i)
		}
	}
}

// TestQueriesGiveBackWhatTheyHold: when a statement has ended, in whatever way, the store's memory
// is what it was.
func TestQueriesGiveBackWhatTheyHold(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 3000)
	memory := NewMemory(8 << 20)
	for _, text := range []string{
		"SELECT payload FROM $all ORDER BY payload",
		"SELECT upper(printf('%100000d', position)) FROM $all LIMIT 50",
		"SELECT type, MAX(payload) FROM $all GROUP BY type",
		"SELECT position, MAX(printf('%10000d', 1)) FROM $all GROUP BY position",
		"SELECT DISTINCT payload FROM $all",
		"SELECT a.type FROM $all a JOIN $all b ON a.payload = b.payload WHERE a.version < 2",
		"SELECT (SELECT MAX(upper(payload)) FROM $all b WHERE b.version < a.version) FROM $all a LIMIT 30",
		"SELECT (SELECT printf('%200000d', 1)), printf('%100000d', 7) FROM $all LIMIT 3",
		"SELECT COUNT(*) FROM $all WHERE payload IN (SELECT payload FROM $all)",
		"SELECT ROW_NUMBER() OVER (ORDER BY payload) FROM $all",
		"WITH c AS (SELECT payload FROM $all) SELECT COUNT(*) FROM c, c AS d WHERE c.payload = d.payload",
		"SELECT payload FROM $all UNION SELECT type FROM $all", "SELECT event FROM $all ORDER BY payload",
		"SELECT payload FROM $all INTERSECT SELECT payload FROM $all", "SELECT type FROM $all EXCEPT ALL SELECT payload FROM $all",
		"SELECT payload FROM $all EXCEPT SELECT type FROM $all LIMIT 3",
		"SELECT DISTINCT ON (payload) * FROM $all", "SELECT DISTINCT ON (type) payload FROM $all ORDER BY payload LIMIT 1",
		"WITH RECURSIVE r (x, n) AS (SELECT payload, 1 FROM $all UNION ALL SELECT x, n + 1 FROM r WHERE n < 5) SELECT x FROM r",
		"WITH RECURSIVE r (x, n) AS (SELECT payload, 1 FROM $all UNION SELECT x, n + 1 FROM r ORDER BY 2 DESC) SELECT x FROM r LIMIT 1000",
		"WITH RECURSIVE r (x) AS (SELECT 1 UNION ALL SELECT x || 'x' FROM r) SELECT COUNT(*) FROM r AS a, r AS b",
		"EXPLAIN ANALYZE SELECT payload FROM $all ORDER BY payload", "SELECT printf('%9000000d', 1)", "SELECT abs(",
		"SELECT position FROM $all WHERE payload REGEXP '(a|b)c' OR type REGEXP type ORDER BY payload",
		"SELECT json('nonsense') FROM $all ORDER BY 1",
		"EXPECT $all NO EVENT FROM $all WHERE payload LIKE '%' || type || 'x%'",
		"INSERT INTO s (type, payload) VALUES (upper(printf('%100000d', 1)), NULL)",
	} {
		s := &Session{Store: store, Settings: Settings{Shared: memory}}
		_, err := tryRows(context.Background(), s, text)
		assert.Zero(t, memory.Used(), "%s: %v", text, err)
	}
	assert.Positive(t, memory.Peak())
	assert.LessOrEqual(t, memory.Peak(), memory.Limit())
}

// TestRowsDoNotAddUp: the texts of a row are gone with it, also in sub-queries that run once per
// row, and conditions that no row passes.
func TestRowsDoNotAddUp(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 1000)
	small := &Session{Store: store, Settings: Settings{Memory: 1 << 20}}
	for _, text := range []string{
		"SELECT length(upper(printf('%10000d', position))) FROM $all",
		"SELECT COUNT(*) FROM $all WHERE upper(printf('%10000d', position)) = 'x'",
		"SELECT MAX(length(upper(printf('%10000d', position)))) FROM $all",
		"SELECT MAX(printf('%10000d', position)) FROM $all",
		"SELECT (SELECT MAX(printf('%10000d', b.version)) FROM \"order-000001\" b WHERE b.version <= a.version) > 'x' FROM $all a",
		"SELECT COUNT(*) FROM $all a LEFT JOIN \"order-000001\" b ON printf('%10000d', a.position) = printf('%10000d', b.position)",
		"SELECT COUNT(*) FROM $all a, \"order-000001\" b WHERE printf('%10000d', a.position) < printf('%5d', b.position)",
		"SELECT SUM(length(printf('%10000d', position))) OVER (ORDER BY position) FROM $all WHERE position < 700",
		"SELECT LENGTH(x) FROM (SELECT printf('%10000d', position) AS x FROM $all UNION ALL SELECT printf('%10000d', position) FROM $all) AS t",
		"SELECT type FROM $all GROUP BY type HAVING upper(printf('%10000d', MAX(position))) = 'x'",
		"SELECT position FROM $all ORDER BY length(printf('%10000d', position)), position LIMIT 5",
		"SELECT printf('%10000d', position) FROM $all INTERSECT SELECT 'x'",
		"SELECT DISTINCT ON (length(x)) x FROM (SELECT printf('%10000d', position) AS x FROM $all) AS t ORDER BY x DESC",
		"WITH RECURSIVE r (x, n) AS (SELECT printf('%10000d', 1), 1 UNION ALL SELECT printf('%10000d', n), n + 1 FROM r WHERE n < 1000) SELECT COUNT(*) FROM r",
		"WITH RECURSIVE r (x, n) AS (SELECT 'x', 1 UNION ALL SELECT printf('%10000d', n), n + 1 FROM r WHERE n < 1000 ORDER BY 2) SELECT COUNT(*) FROM r",
		"WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 100000) SELECT COUNT(*) FROM r",
	} {
		_, err := tryRows(context.Background(), small, text)
		assert.NoError(t, err, text)
	}
}

// TestLongTextsAreKeysToo: of a long text, a key holds a digest: equal texts still have equal keys,
// and others have others.
func TestLongTextsAreKeysToo(t *testing.T) {
	a := strings.Repeat("a", 3*value.LongKey+5)
	key := func(s string, c value.Collation) string { return string(value.AppendKey(nil, value.OfText(s), c)) }
	assert.Less(t, len(key(a, value.Binary)), 100)
	assert.Equal(t, key(a, value.Binary), key(strings.Clone(a), value.Binary))
	assert.NotEqual(t, key(a, value.Binary), key(a[:len(a)-1]+"b", value.Binary))
	assert.NotEqual(t, key(a, value.Binary), key(strings.ToUpper(a), value.Binary))
	assert.Equal(t, key(a, value.Nocase), key(strings.ToUpper(a), value.Nocase))
	assert.NotEqual(t, key(a, value.Nocase), string(value.AppendKey(nil, value.OfBlob(a), value.Nocase)))
}

// TestPathsThroughArraysAreFoundInOnePass: many elements of one array, from its front and from its
// end, are the same in one pass as one by one.
func TestPathsThroughArraysAreFoundInOnePass(t *testing.T) {
	doc := `[0, [1, 2, {"a": [3, 4]}], "x", {"b": 5}, [6, [7, 8]], 9]`
	var paths []*jsonpath.Path
	for _, p := range []string{"$[5]", "$[0]", "$[1][2].a[1]", "$[1][0]", "$[#-1]", "$[#-6]", "$[#-7]", "$[6]",
		"$[4][#-1][0]", "$[4][1][#-1]",
		"$[3].b", "$[#-3].b", "$[#]", "$[2]", "$[1]", "$[#-5][#-1].a"} {
		parsed, err := jsonpath.Parse(p)
		require.NoError(t, err, p)
		paths = append(paths, parsed)
	}
	out := make([]jsonpath.Raw, len(paths))
	jsonpath.ExtractAll(doc, paths, out)
	for i, p := range paths {
		assert.Equal(t, p.Extract(doc), out[i], p.String())
	}
}

// TestVeryManyTermsLookAtTheContext: a row of very many conditions or aggregates counts for more
// than one of a thousand rows.
func TestVeryManyTermsLookAtTheContext(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 200)
	many := strings.Repeat("version <> position + 7 AND ", 2000) + "1"
	for _, text := range []string{
		"SELECT position FROM $all WHERE " + many,
		"SELECT x FROM (SELECT version + 1 AS x, version, position FROM $all LIMIT 200) AS t WHERE " + many,
		"SELECT a.position FROM $all a JOIN $all b ON a.position = b.position WHERE " + strings.Repeat("a.version <> b.position + 7 AND ", 2000) + "1",
		"SELECT 1" + sums(2000) + " FROM (SELECT version FROM $all LIMIT 200) AS t",
	} {
		ctx := &countedContext{Context: context.Background()}
		rows, err := mustCompile(t, text).Query(ctx, &Session{Store: store}, nil)
		require.NoError(t, err)
		opened := ctx.asked.Load()
		for dest := make([]driver.Value, 1); err == nil; {
			err = rows.Next(dest)
		}
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, rows.Close())
		assert.Greater(t, ctx.asked.Load()-opened, int64(50), text[:min(len(text), 100)])
	}
}

// sums writes + SUM(version + 1) + SUM(version + 2) and so on.
func sums(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " + SUM(version + %d)", i)
	}
	return b.String()
}

// A countedContext counts how often it is asked whether it has ended.
type countedContext struct {
	context.Context
	asked atomic.Int64
}

func (c *countedContext) Err() error {
	c.asked.Add(1)
	return c.Context.Err()
}
