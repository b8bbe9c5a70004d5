//go:build cgo

package reference

import (
	"database/sql"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A row is a statement that both answer alike, on the table t of this file. Words in braces are
// replaced by random ones, see words.
type row struct {
	text    string
	theirs  string // what DuckDB is asked, if that is not the same
	why     string // it is not the same
	ordered bool   // the rows have one order only
}

// rows are all of them.
func rows() []row {
	return slices.Concat(aggregateRows, groupingRows, functionRows, selectRows, tableRows, windowRows)
}

// table is what the statements are about, as each of the two has it: a number of the row, a key
// with few values and one with NULLs, an integer and a real number with NULLs, a text, a time.
const (
	ourTable = `WITH t AS (SELECT position AS id, type AS k, payload->>'$.g' AS g, payload->>'$.n' AS n, ` +
		`payload->>'$.x' AS x, payload->>'$.s' AS s, timestamp(payload->>'$.at') AS ts FROM $all) `
	theirTable = `CREATE TABLE t (id BIGINT, k VARCHAR, g VARCHAR, n BIGINT, x DOUBLE, s VARCHAR, ts TIMESTAMP)`
)

// words are what stands for a word in braces: one of them each time that it stands there.
var words = map[string][]string{
	"num":   {"n", "x", "id", "n + id", "x * 2", "abs(n)"},
	"int":   {"n", "id", "n + id", "abs(n)"},
	"val":   {"n", "x", "s", "k", "id"},
	"key":   {"k", "g", "id % 3", "n % 2"},
	"p":     {"0", "0.25", "0.5", "0.75", "0.9", "0.1", "1"},
	"q":     {"0.25", "0.5", "0.75", "0.9", "0.1", "1"}, // DuckDB takes 0 in descending order for 1
	"where": {"", "", " WHERE n > 0", " WHERE k = 'a'", " WHERE x IS NOT NULL AND id < 40", " WHERE id < 0", " WHERE id < 2"},
	"desc":  {"", " DESC"},
	"few":   {"1", "2", "3", "10"},
	"unit":  {"'day'", "'month'", "'year'", "'quarter'", "'hour'", "'minute'", "'decade'"},
	"span":  {"'day'", "'month'", "'year'", "'week'", "'quarter'", "'hour'"},
	"part":  {"year", "week", "isoyear", "dow", "isodow", "doy", "hour", "quarter", "century"},
	"zone":  {"'Europe/Berlin'", "'America/New_York'", "'Australia/Lord_Howe'", "'Asia/Kathmandu'"},
}

// A pair is the same rows in both.
type pair struct{ ours, theirs *sql.DB }

func newPair(t *testing.T, r *rand.Rand, n int) pair {
	t.Helper()
	ours, err := sql.Open("eventfold", ":memory:")
	require.NoError(t, err)
	theirs, err := sql.Open("duckdb", "")
	require.NoError(t, err)
	theirs.SetMaxOpenConns(1)
	t.Cleanup(func() {
		assert.NoError(t, ours.Close())
		assert.NoError(t, theirs.Close())
	})
	_, err = theirs.Exec(theirTable)
	require.NoError(t, err)
	for i := range n {
		p := pair{ours, theirs}
		p.insert(t, r, i)
	}
	return pair{ours, theirs}
}

// insert gives a random row to both.
func (p pair) insert(t *testing.T, r *rand.Rand, i int) {
	t.Helper()
	maybe := func(text string) string {
		if r.IntN(8) == 0 {
			return "NULL"
		}
		return text
	}
	k := []string{"a", "b", "c"}[r.IntN(3)]
	at := time.Date(2024+r.IntN(2), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)
	g, n := maybe([]string{"'x'", "'y'"}[r.IntN(2)]), maybe(fmt.Sprint(r.IntN(30)-10))
	x, s := maybe(fmt.Sprintf("%.2f", r.Float64()*100-50)), maybe([]string{"'red'", "'green'", "'blue'"}[r.IntN(3)])
	moment := at.Format("2006-01-02 15:04:05")
	_, err := p.theirs.Exec(fmt.Sprintf("INSERT INTO t VALUES (%d, '%s', %s, %s, %s, %s, '%s')", i, k, g, n, x, s, moment))
	require.NoError(t, err)
	_, err = p.ours.Exec(fmt.Sprintf("INSERT INTO s (type, payload) VALUES ('%s', json_object('g', %s, 'n', %s, 'x', %s, "+
		"'s', %s, 'at', '%s'))", k, g, n, x, s, moment))
	require.NoError(t, err)
}

// fill replaces the words in braces.
func fill(r *rand.Rand, text, theirs string) (ours, other string) {
	if theirs == "" {
		theirs = text
	}
	for {
		from := strings.IndexByte(text, '{')
		if from < 0 {
			return text, theirs
		}
		to := from + strings.IndexByte(text[from:], '}') + 1
		word := text[from:to]
		name := strings.TrimRight(word[1:len(word)-1], "0123456789") // {num1} and {num2} may differ
		list := words[name]
		if list == nil {
			panic("no words stand for " + word)
		}
		chosen := list[r.IntN(len(list))]
		text, theirs = strings.ReplaceAll(text, word, chosen), strings.ReplaceAll(theirs, word, chosen)
	}
}

// ask returns the rows in a form that can be compared.
func ask(db *sql.DB, text string) (out [][]any, err error) {
	rows, err := db.Query(text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, targets := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		for i, v := range values {
			values[i] = normal(v)
		}
		out = append(out, values)
	}
	return out, rows.Err()
}

// normal gives both sides' values the same Go types: numbers are float64, times are texts.
func normal(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000000Z")
	case bool:
		if v {
			return 1.0
		}
		return 0.0
	case int64:
		return float64(v)
	case int32:
		return float64(v)
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	case duckdb.Decimal:
		return v.Float64()
	case float64:
		if v == 0 || math.IsNaN(v) {
			return 0.0 + v*0 // a zero's sign is not told apart
		}
	}
	return v
}

func sortRows(rows [][]any) {
	key := func(row []any) string {
		var b strings.Builder
		for _, v := range row {
			if f, ok := v.(float64); ok {
				v = fmt.Sprintf("%.9g", f)
			}
			fmt.Fprintf(&b, "%v\x00", v)
		}
		return b.String()
	}
	slices.SortFunc(rows, func(a, b []any) int { return strings.Compare(key(a), key(b)) })
}

// equal compares rows; numbers may differ by a part in 10^9.
func equal(a, b [][]any) bool {
	return slices.EqualFunc(a, b, func(x, y []any) bool {
		return slices.EqualFunc(x, y, func(v, w any) bool {
			f, ok := v.(float64)
			g, ok2 := w.(float64)
			if !ok || !ok2 {
				return v == w
			}
			return math.Abs(f-g) <= 1e-9*max(1, math.Abs(f), math.Abs(g))
		})
	})
}

// TestADifferentTextForDuckDBHasAReason, so that none hides another answer.
func TestADifferentTextForDuckDBHasAReason(t *testing.T) {
	for _, row := range rows() {
		assert.Equal(t, row.theirs != "", row.why != "", row.text)
		assert.NotEqual(t, row.text, row.theirs)
	}
}

// TestSameAnswersAsDuckDB runs every row with random words on both, again and again.
// EVENTFOLD_REFERENCE sets how many statements.
func TestSameAnswersAsDuckDB(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 7))
	all := rows()
	n := max(testenv.Number(t, "EVENTFOLD_REFERENCE", 1000), len(all))
	failed := 0
	var p pair
	for done := 0; done < n && failed < 10; done++ {
		if done%(2*len(all)) == 0 {
			p = newPair(t, r, 60)
		}
		row := all[done%len(all)]
		if !p.agree(t, r, row) {
			failed++
		}
	}
	t.Logf("%d statements, %d differences", n, failed)
}

// agree asks both and reports whether they say the same.
func (p pair) agree(t *testing.T, r *rand.Rand, row row) bool {
	text, other := fill(r, row.text, row.theirs)
	ours, err := ask(p.ours, ourText(text))
	theirs, theirErr := ask(p.theirs, other)
	if !row.ordered {
		sortRows(ours)
		sortRows(theirs)
	}
	if err != nil || theirErr != nil || !equal(ours, theirs) {
		t.Errorf("%s\nours:   %v %v\nDuckDB: %v %v", text, ours, err, theirs, theirErr)
		return false
	}
	return true
}

// ourText puts the table in front of a statement, which may have a WITH itself.
func ourText(text string) string {
	if rest, ok := strings.CutPrefix(text, "WITH "); ok {
		return strings.TrimSuffix(ourTable, " ") + ", " + rest
	}
	return ourTable + text
}
