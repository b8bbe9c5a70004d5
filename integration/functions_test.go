package integration

import (
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
)

// oddValues are the arguments that functions are tried with: what is nothing, empty, negative,
// huge, tiny, no UTF-8, and what means something to some function.
var oddValues = []string{
	"NULL", "0", "1", "-1", "3", "9223372036854775807", "-9223372036854775808",
	"0.0", "-0.0", "0.5", "-2.5", "1e-320", "-1e-310", "1e308", "9e999", "-9e999",
	"''", "'a'", "'ab '", "'é'", "'12'", "' 1.5x'", "'-0'", "'1e-320'", "'9e999'",
	"x''", "x'00'", "x'c3'", "x'414243'", "CAST(x'ff61' AS TEXT)", "CAST(x'6100c3' AS TEXT)",
	`'{"a":1,"b":[1,2]}'`, `'[1,"b",{"c":null}]'`, `'"\ud83d"'`, "'{a:1}'", "'[1,]'", "x'5b315d'", "x'7b613a317d'",
	"'$'", "'$.a'", "'$[1]'", "'$.a['", "'x'",
	"'2026-02-30'", "'2026-01-31 10:20:30.5'", "'+1 month'", "'%d|%s|%.2f'", "'%r'", "'utc'", "'localtime'",
}

// oddFunctions are the functions that SQLite has, too, with the number of arguments that they are
// tried with.
var oddFunctions = []struct {
	names    string
	min, max int
}{
	{"abs sign ceil ceiling floor trunc sqrt exp ln log10 log2 sin cos tan asin acos atan sinh cosh tanh asinh acosh " +
		"atanh degrees radians", 1, 1},
	{"length octet_length lower upper hex quote unicode typeof likely unlikely json json_quote", 1, 1},
	{"round log trim ltrim rtrim unhex json_type json_valid json_array_length", 1, 2},
	{"mod pow power atan2 instr glob ifnull nullif", 2, 2},
	{"max min coalesce iif if substr substring like json_extract", 2, 3},
	{"concat printf format date time datetime strftime julianday unixepoch", 1, 3},
	{"char json_array", 0, 3},
	{"concat_ws", 2, 3},
	{"replace", 3, 3},
	{"json_object", 2, 2},
}

// oddShapes are other expressions of one value, of two and of three.
var oddShapes = [4][]string{
	1: {
		"-%s", "+%s", "NOT %s", "CAST(%s AS INTEGER)", "CAST(%s AS REAL)", "CAST(%s AS TEXT)", "CAST(%s AS BLOB)",
		"CAST(%s AS NUMERIC)", "%s IS NULL", "%s IS TRUE",
	},
	2: {
		"%s + %s", "%s - %s", "%s * %s", "%s / %s", "%s %% %s", "%s || %s", "%s -> %s", "%s ->> %s", "%s = %s",
		"%s < %s", "%s >= %s", "%s IS %s", "%s LIKE %s", "%s AND %s", "%s OR %s",
		"%s COLLATE NOCASE = %s", "%s COLLATE RTRIM = %s", "%s < %s COLLATE RTRIM", "%s IN (%s)",
		"(SELECT sum(x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT total(x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT avg(x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT min(x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT max(x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT count(DISTINCT x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT group_concat(x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT group_concat(x ORDER BY x DESC) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT string_agg(x, x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT json_group_array(x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT json_group_object(x, x ORDER BY x) FROM (SELECT %s AS x UNION ALL SELECT %s) AS t)",
		"(SELECT count(*) FROM (SELECT %s AS x UNION SELECT %s) AS t)",
	},
	3: {
		"%s BETWEEN %s AND %s", "%s NOT IN (%s, %s)", "CASE %s WHEN %s THEN %s ELSE 'none' END",
		"CASE WHEN %s THEN %s ELSE %s END", "%s LIKE %s ESCAPE %s",
	},
}

// An oddDifference is a kind of difference that is among the deviations.
type oddDifference struct {
	deviation string // its name
	is        func(text string, ours, theirs answered) bool
}

var oddDifferences = []oddDifference{
	{"paths", func(_ string, ours, theirs answered) bool {
		return theirs.err == nil && (ours.fails("bad JSON path") || ours.fails("ESCAPE takes a single character") ||
			ours.fails("json_extract() takes 2 or more") || ours.fails("strftime() takes 1 or more"))
	}},
	{"payloads that are not JSON", func(text string, ours, theirs answered) bool {
		return strings.Contains(text, "x'") && ours.null() &&
			(theirs.fails("malformed JSON") || theirs.fails("bad JSON path") || theirs.err == nil &&
				strings.Contains(text, "x'7b613a317d'"))
	}},
	{"JSONB", func(text string, ours, theirs answered) bool {
		return strings.Contains(text, "x'00'") && (strings.Contains(text, "json") || strings.Contains(text, "->")) &&
			!strings.HasPrefix(fmt.Sprint(ours.value), "[")
	}},
	{"JSON is UTF-8", func(_ string, ours, theirs answered) bool {
		a, ok := ours.value.(string)
		b, ok2 := theirs.value.(string)
		return ok && ok2 && strings.Contains(a, "\ufffd") && !utf8.ValidString(b)
	}},
	{"NUL", func(text string, _, _ answered) bool {
		return (strings.Contains(text, "x'00'") || strings.Contains(text, "x'6100c3'")) &&
			(strings.Contains(text, "LIKE") || strings.Contains(text, "->") ||
				startsWith(text, "substr", "substring", "replace", "printf", "format", "strftime", "quote", "like",
					"glob",
					"trim", "ltrim", "rtrim", "unhex", "json_extract", "json_type", "json_array_length"))
	}},
	{"no UTF-8", func(text string, _, _ answered) bool {
		return (strings.Contains(text, "x'c3'") || strings.Contains(text, "x'ff61'")) &&
			startsWith(text, "trim", "ltrim", "rtrim", "unhex")
	}},
	{"local time", func(text string, ours, theirs answered) bool { return ours.fails("there is no local time") }},
	{"slips", func(text string, ours, theirs answered) bool {
		return startsWith(text, "substr", "substring") &&
			(strings.Contains(text, ", -9223372036854775808") || strings.Contains(text, ", -9e999")) ||
			strings.Contains(text, "'utc'") && ours.null() &&
				startsWith(text, "date", "time", "datetime", "julianday", "unixepoch", "strftime")
	}},
}

func startsWith(text string, names ...string) bool {
	for _, name := range names {
		if strings.HasPrefix(text, name+"(") {
			return true
		}
	}
	return false
}

// An answered is the value of an expression and its type, or an error.
type answered struct {
	value any
	typ   any
	err   error
}

func (a answered) fails(message string) bool {
	return a.err != nil && strings.Contains(a.err.Error(), message)
}
func (a answered) null() bool { return a.err == nil && a.value == nil }

func (a answered) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%v %.80q", a.typ, fmt.Sprint(a.value))
}

// same tells whether two answers are, to the sign of a zero; reals may differ by a part in 10^12.
func (a answered) same(b answered) bool {
	f, isReal := a.value.(float64)
	g, isReal2 := b.value.(float64)
	switch {
	case a.err != nil || b.err != nil:
		return a.err != nil && b.err != nil
	case isReal && isReal2:
		return math.Signbit(f) == math.Signbit(g) && (f == g || math.Abs(f-g) <= 1e-12*max(math.Abs(f), math.Abs(g)))
	}
	return a.value == b.value && a.typ == b.typ
}

// evaluate evaluates expressions, many in one statement; where that fails, it halves the list.
func evaluate(t *testing.T, db *sql.DB, list []string) []answered {
	t.Helper()
	var text strings.Builder
	for i, e := range list {
		fmt.Fprintf(&text, "%s %s, typeof(%s)", []string{",", "SELECT"}[btoi(i == 0)], e, e)
	}
	row := make([]any, 2*len(list))
	if err := db.QueryRow(text.String()).Scan(pointers(row)...); err != nil {
		if len(list) == 1 {
			return []answered{{err: err}}
		}
		half := len(list) / 2
		return append(evaluate(t, db, list[:half]), evaluate(t, db, list[half:])...)
	}
	out := make([]answered, len(list))
	for i := range out {
		out[i] = answered{value: plain(row[2*i]), typ: plain(row[2*i+1])}
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func plain(v any) any {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v
}

// oddExpressions gives all expressions of up to two odd values, and n of three.
func oddExpressions(r *rand.Rand, n int) []string {
	var list []string
	three := oddShapes[3]
	add := func(shape string, values int) {
		switch values {
		case 0:
			list = append(list, shape)
		case 1:
			for _, a := range oddValues {
				list = append(list, fmt.Sprintf(shape, a))
			}
		case 2:
			for _, a := range oddValues {
				for _, b := range oddValues {
					list = append(list, fmt.Sprintf(shape, a, b))
				}
			}
		case 3:
			three = append(three, shape)
		}
	}
	for _, f := range oddFunctions {
		for _, name := range strings.Fields(f.names) {
			for k := f.min; k <= f.max; k++ {
				add(name+"("+strings.TrimSuffix(strings.Repeat("%s, ", k), ", ")+")", k)
			}
		}
	}
	for values, shapes := range oddShapes[:3] {
		for _, shape := range shapes {
			add(shape, values)
		}
	}
	value := func() string { return oddValues[r.IntN(len(oddValues))] }
	for range n {
		list = append(list, fmt.Sprintf(three[r.IntN(len(three))], value(), value(), value()))
	}
	return list
}

// emptyPair is a pair without tables, on the clock of the machine.
func emptyPair(t *testing.T) pair {
	t.Helper()
	ours, err := sql.Open("eventfold", ":memory:")
	require.NoError(t, err)
	theirs, err := sql.Open("sqlite", "file::memory:")
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, ours.Close())
		assert.NoError(t, theirs.Close())
	})
	return pair{ours: ours, theirs: theirs}
}

// TestFunctionsOfOddArguments holds that every difference from SQLite is among the deviations: each
// function and operator with combinations of odd values, a fifth of those of up to two; with
// EVENTFOLD_EXPRESSIONS all of them, and so many of three.
func TestFunctionsOfOddArguments(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 5))
	list := oddExpressions(r, budget(t, "EVENTFOLD_EXPRESSIONS", 5000, 0))
	if testenv.Get("EVENTFOLD_EXPRESSIONS") == "" {
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		list = list[:budget(t, "EVENTFOLD_EXPRESSIONS", len(list)/5, 0)]
	}
	p := emptyPair(t)
	failed, known := 0, map[string]int{}
	const atOnce = 64
	for len(list) > 0 && failed < 20 {
		n := min(atOnce, len(list))
		a, b := evaluate(t, p.ours, list[:n]), evaluate(t, p.theirs, list[:n])
		for i, text := range list[:n] {
			if a[i].same(b[i]) {
				continue
			}
			if name := knownDifference(text, a[i], b[i]); name != "" {
				known[name]++
				continue
			}
			failed++
			t.Errorf("%s\nours:   %v\nSQLite: %v", text, a[i], b[i])
		}
		list = list[n:]
	}
	t.Logf("known differences: %v", known)
	for name := range known {
		assert.True(t, hasDeviation(name), name)
	}
}

// TestFunctionsTakeAsManyArguments compares which numbers of arguments are an error.
func TestFunctionsTakeAsManyArguments(t *testing.T) {
	p := emptyPair(t)
	for _, f := range oddFunctions {
		for _, name := range strings.Fields(f.names) {
			for k := range 6 {
				text := name + "(" + strings.TrimSuffix(strings.Repeat("'1', ", k), ", ") + ")"
				a, b := evaluate(t, p.ours, []string{text})[0], evaluate(t, p.theirs, []string{text})[0]
				if !a.same(b) {
					assert.NotEmpty(t, knownDifference(text, a, b), "%s\nours:   %v\nSQLite: %v", text, a, b)
				}
			}
		}
	}
}

func knownDifference(text string, ours, theirs answered) string {
	for _, d := range oddDifferences {
		if d.is(text, ours, theirs) {
			return d.deviation
		}
	}
	return ""
}

func hasDeviation(name string) bool {
	for _, d := range deviations {
		if d.name == name {
			return true
		}
	}
	return false
}
