package eventfold_test

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// expanded returns a statement with one placeholder for every element of a slice, and its
// arguments.
func expanded(text string, args []any) (string, []any) {
	var out strings.Builder
	var all []any
	next := 0
	for _, r := range text {
		if r != '?' {
			out.WriteRune(r)
			continue
		}
		arg := args[next]
		next++
		v := reflect.ValueOf(arg)
		if v.Kind() != reflect.Slice || v.Type().Elem().Kind() == reflect.Uint8 {
			out.WriteByte('?')
			all = append(all, arg)
			continue
		}
		for i := range v.Len() {
			all = append(all, v.Index(i).Interface())
		}
		out.WriteString(strings.TrimPrefix(strings.Repeat(", ?", v.Len()), ", "))
	}
	return strings.ReplaceAll(out.String(), "'C', , ", "'C', "), all
}

// answer returns the rows of a query as text, or the error without its place.
func answer(db *sql.DB, text string, args []any) string {
	rows, err := db.Query(text, args...)
	if err != nil {
		return answerError(err)
	}
	defer rows.Close()
	names, _ := rows.Columns()
	var out strings.Builder
	for rows.Next() {
		row := make([]any, len(names))
		for i := range row {
			row[i] = new(any)
		}
		if err := rows.Scan(row...); err != nil {
			return err.Error()
		}
		for _, v := range row {
			fmt.Fprintf(&out, "%v|", *v.(*any))
		}
		out.WriteByte('\n')
	}
	if rows.Err() != nil {
		return answerError(rows.Err())
	}
	return out.String()
}

func answerError(err error) string {
	_, text, _ := strings.Cut(err.Error(), "column ")
	_, text, _ = strings.Cut(text, ": ")
	if text == "" {
		text = err.Error()
	}
	return "error: " + text
}

// listed are statements with a ? for every slice of the lists below.
var listed = []string{
	`SELECT position FROM $all WHERE type IN (?)`,
	`SELECT position FROM $all WHERE type NOT IN (?)`,
	`SELECT position FROM $all WHERE stream IN (?) ORDER BY position DESC LIMIT 3`,
	`SELECT position FROM $all WHERE stream NOT IN (?)`,
	`SELECT position FROM $all WHERE position IN (?)`,
	`SELECT position FROM $all WHERE position NOT IN (?)`,
	`SELECT position FROM $all WHERE version IN (?) AND stream = 's-1'`,
	`SELECT version FROM "s-1" WHERE version IN (?)`,
	`SELECT position FROM $all WHERE id IN (?)`,
	`SELECT position FROM $all WHERE id NOT IN (?)`,
	`SELECT position FROM $all WHERE recorded_at IN (?)`,
	`SELECT position FROM $all WHERE recorded_at NOT IN (?)`,
	`SELECT position FROM $all WHERE tags IN (?)`,
	`SELECT position FROM $all WHERE payload->>'n' IN (?)`,
	`SELECT position FROM $all WHERE payload->'n' IN (?)`,
	`SELECT position FROM $all WHERE type IN ('C', ?, 7, type || 'x')`,
	`SELECT position FROM $all WHERE type COLLATE NOCASE IN (?)`,
	`SELECT position FROM $all WHERE type IN (?) OR stream IN ('s-2')`,
	`SELECT position FROM $all WHERE NOT (type IN (?) AND position > 3)`,
	`SELECT position FROM $all WHERE CAST(position AS TEXT) IN (?)`,
	`SELECT name FROM $streams WHERE name IN (?)`,
	`SELECT name FROM $types WHERE name IN (?)`,
	`SELECT NULL IN (?), 1 IN (?), 'A' IN (?), x'41' IN (?), NULL NOT IN (?), 1.0 NOT IN (?)`,
	`SELECT 1 + (2 IN (?)), CASE 'A' WHEN 'A' THEN 'A' IN (?) END`,
	`SELECT COUNT(*) FROM $all GROUP BY type IN (?) ORDER BY 1`,
	`SELECT type, SUM(position IN (?)) FROM $all GROUP BY type HAVING type IN (?) ORDER BY type`,
	`SELECT a.position FROM $all a JOIN $all b ON a.position = b.position WHERE b.type IN (?) AND a.stream NOT IN ` +
		`(?) ORDER BY 1`,
	`SELECT a.position, b.position FROM $all a LEFT JOIN $all b ON a.position = b.position AND b.type IN (?) ORDER ` +
		`BY 1`,
	`SELECT position FROM (SELECT * FROM $all) WHERE type IN (?)`,
	`SELECT position FROM $all o WHERE EXISTS (SELECT 1 FROM $all i WHERE i.stream = o.stream AND i.type IN (?) AND ` +
		`i.position < o.position)`,
	`EXPLAIN SELECT * FROM $all WHERE type IN (?) AND stream IN (?)`,
	`EXPLAIN SELECT * FROM $all WHERE position IN (?) OR type IN (?)`,
	`EXPLAIN SELECT * FROM $all WHERE id IN (?) AND recorded_at IN (?)`,
	`EXPLAIN SELECT * FROM $all WHERE stream IN (?) OR type IN (?)`,
	`EXPLAIN SELECT * FROM $all WHERE 'A' IN (?)`,
}

var filters = regexp.MustCompile(`(?m)^ *filter\|.*$`)

// TestASliceInINIsItsElements holds that a slice for IN gives what as many placeholders give,
// wherever the IN stands, whatever its elements are, and however many there are.
func TestASliceInINIsItsElements(t *testing.T) {
	db := openDB(t, ":memory:")
	seed(t, db, 30)
	mustExec(t, db, `INSERT INTO tagged (type, payload, tags) VALUES ('T', '{"n": 4}', ?), ('7', '{"n": "4"}', NULL)`,
		[]string{"b", "a"})
	ids := column[string](t, db, `SELECT id FROM $all ORDER BY position LIMIT 3`)
	times := column[time.Time](t, db, `SELECT recorded_at FROM $all ORDER BY position LIMIT 3`)
	long := make([]any, 20)
	for i := range long {
		long[i] = []any{"A", "s-1", i, float64(i), fmt.Sprint(i), nil, []byte("A"), ids[i%3], true}[i%9]
	}
	lists := []any{
		[]string{}, []string(nil), []string{"A"}, []string{"A", "B", "A"}, []string{"a", "4"}, []string{"s-1", "s-2"},
		[]string{""},
		[]int{3}, []int64{3, 5, -1}, []float64{4, 2.5, 1e300}, []bool{true}, []any{nil}, []any{nil, "A", 3}, []any{
			nil, nil,
		},
		[][]byte{[]byte("A"), nil}, ids, []uuid.UUID{uuid.MustParse(ids[0])}, []any{ids[1], strings.ToUpper(ids[2])},
		times, []any{times[0], times[1].Format(time.RFC3339Nano)}, []any{times[0], 7}, []string{
			"2026-01-01", "no time",
		}, []string{`["a","b"]`},
		long, slices.Repeat([]any{"x"}, 40),
	}
	for _, text := range listed {
		for _, list := range lists {
			args := slices.Repeat([]any{list}, strings.Count(text, "?"))
			other, all := expanded(text, args)
			want := answer(db, other, all)
			got := answer(db, text, args)
			if strings.HasPrefix(text, "EXPLAIN") { // which names the placeholders of the conditions
				want, got = filters.ReplaceAllString(want, ""), filters.ReplaceAllString(got, "")
			}
			assert.Equal(t, want, got, "%s with %v", text, list)
		}
	}
}

// TestOnePlanServesSlicesOfAllLengths runs a prepared statement with slices and without.
func TestOnePlanServesSlicesOfAllLengths(t *testing.T) {
	db := openDB(t, ":memory:")
	seed(t, db, 30)
	prepared, err := db.Prepare(`SELECT COUNT(*) FROM $all WHERE type IN (?, 'C') AND position NOT IN (?)`)
	require.NoError(t, err)
	defer prepared.Close()
	for _, tt := range []struct {
		types, positions any
		want             int
	}{
		{[]string{"A", "B"}, []int{}, 30},
		{"A", 0, 19},
		{[]string(nil), []int{2, 5, 8}, 7},
		{[]any{nil, "B"}, []any{nil}, 0},
		{"none", []int{2}, 9},
	} {
		var got int
		require.NoError(t, prepared.QueryRow(tt.types, tt.positions).Scan(&got))
		assert.Equal(t, tt.want, got, "%v %v", tt.types, tt.positions)
	}
}

// TestASliceIsOneArgumentWhereverItStands uses parameters by name and by number in an IN and
// elsewhere, where they are JSON.
func TestASliceIsOneArgumentWhereverItStands(t *testing.T) {
	db := openDB(t, ":memory:")
	for _, arg := range []any{sql.Named("l", []string{"a", "b"}), []string{"a", "b"}} {
		text := `SELECT ?1, 'a' IN (?1), 'c' NOT IN (?1), ?1 IN ('["a","b"]')`
		if _, named := arg.(sql.NamedArg); named {
			text = strings.ReplaceAll(text, "?1", ":l")
		}
		assert.Equal(t, "[\"a\",\"b\"]|1|1|1|\n", answer(db, text, []any{arg}))
	}
	assert.Equal(t, "1|0|\n", answer(db, `SELECT ?1 IS NULL, 'a' IN (?1)`, []any{[]string(nil)}))
	assert.Equal(t, "1|\n", answer(db, `SELECT '["a"]' IN (?1 || '')`, []any{[]string{"a"}}), "no bare parameter")
	bad := []string{"a", "\xff"}
	_, err := db.Exec(`SELECT ?`, bad)
	assert.ErrorIs(t, err, eventfold.ErrArgument)
	assert.ErrorContains(t, err, "element 1 of the slice is not valid UTF-8")
	assert.Equal(t, "1|\n", answer(db, `SELECT 'a' IN (?)`, []any{bad}))
}

// TestASliceStandsInAConditionOfAnAppend has a slice in EXPECTING, which the store's writer looks
// at.
func TestASliceStandsInAConditionOfAnAppend(t *testing.T) {
	db := openDB(t, ":memory:")
	seed(t, db, 9)
	text := `INSERT INTO s (type, tags) VALUES ('X', ?) EXPECTING NO EVENT FROM $all WHERE type IN (?) AND position ` +
		`NOT IN (?)`
	_, err := db.Exec(text, []string{"t"}, []string{"A"}, []int{1, 2})
	assert.ErrorIs(t, err, eventfold.ErrConditionFailed)
	_, err = db.Exec(text, []string{"t"}, []string{"A", "B"},
		column[int64](t, db, `SELECT position FROM $all WHERE type IN (?)`, []string{"A", "B"}))
	assert.NoError(t, err)
	_, err = db.Exec(text, []string{"t"}, []string{}, []int(nil))
	assert.NoError(t, err)
	tx, err := db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.Exec(text, []string{"t"}, []string{"X"}, []int{})
	assert.ErrorIs(t, err, eventfold.ErrConditionFailed)
}

// TestASliceStandsInFollow has a slice in a query that waits.
func TestASliceStandsInFollow(t *testing.T) {
	db := openDB(t, ":memory:")
	seed(t, db, 3)
	rows, err := db.Query(`SELECT type FROM $all WHERE type IN (?) AND position NOT IN (?) FOLLOW`, []string{"A", "B"},
		[]int{0, 1})
	require.NoError(t, err)
	defer rows.Close()
	seed(t, db, 3)
	for _, want := range []string{"A", "B"} {
		var got string
		require.True(t, rows.Next())
		require.NoError(t, rows.Scan(&got))
		assert.Equal(t, want, got)
	}
}

// TestALongSliceIsHeldByQueryMemory holds that no count limits a slice, only the memory of the
// query does, and the context.
func TestALongSliceIsHeldByQueryMemory(t *testing.T) {
	long := make([]int, 200_000)
	for i := range long {
		long[i] = i + 1
	}
	db := openDB(t, ":memory:")
	assert.Equal(t, []int64{1}, column[int64](t, db, `SELECT 200000 IN (?)`, long))
	assert.Equal(t, []int64{1}, column[int64](t, db, `SELECT 0 NOT IN (:list)`, sql.Named("list", long)))

	small := openDB(t, ":memory:?query_memory=1MiB")
	for _, text := range []string{`SELECT 0 IN (?)`, `SELECT * FROM $all WHERE position IN (?)`} {
		_, err := small.Exec(text, long)
		var spent *eventfold.MemoryError
		require.ErrorAs(t, err, &spent, text)
		assert.Equal(t, "IN", spent.Clause)
		assert.ErrorContains(t, err, "raise query_memory")
	}
	assert.Equal(t, []int64{1}, column[int64](t, small, `SELECT 5 IN (?)`, long[:1000]))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := db.QueryContext(ctx, `SELECT 0 IN (?)`, long)
	assert.ErrorIs(t, err, context.Canceled)
}

// TestBytesInASliceAreCopied changes a slice of bytes after the query has begun.
func TestBytesInASliceAreCopied(t *testing.T) {
	db := openDB(t, ":memory:")
	seed(t, db, 3)
	list := [][]byte{[]byte("A"), []byte("B")}
	rows, err := db.Query(`SELECT CAST(type AS BLOB) IN (?1), ?1 FROM $all WHERE CAST(type AS BLOB) IN (?1)`, list)
	require.NoError(t, err)
	defer rows.Close()
	list[0][0], list[1][0] = 'X', 'X'
	n := 0
	for rows.Next() {
		var in bool
		var text string
		require.NoError(t, rows.Scan(&in, &text))
		assert.True(t, in)
		assert.Equal(t, `["A","B"]`, text)
		n++
	}
	assert.Equal(t, 2, n)
}
