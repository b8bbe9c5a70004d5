package integration

import (
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A deviation is one of the places where the dialect deliberately gives another answer than SQLite.
type deviation struct {
	name  string
	title string // as docs/sql.md has it
	cases []deviating
}

// deviating is a statement and what each side answers: its rows, written "a | b; c | d", or a part
// of its error.
type deviating struct {
	sql          string
	theirs, ours string
}

// The prefixes of the answers that are errors: when the statement is prepared, and at the latest
// when its rows are read.
const (
	refused = "refused: "
	fails   = "error: "
)

var deviations = []deviation{
	{"quoted names", "A name in double quotes is never a string.", []deviating{
		{`SELECT "nothing so called" FROM "$all" LIMIT 1`, "nothing so called", refused + "strings take single quotes"},
		{`SELECT COUNT(*) FROM "$all" WHERE type = "Opened"`, "2", refused + "strings take single quotes"},
		{`SELECT COUNT(*) FROM "$all" WHERE "type" = 'Opened'`, "2", "2"},
	}},
	{"unknown names", "Unknown columns, functions and `$` tables are errors when the statement is prepared",
		[]deviating{
			{`SELECT rowid FROM "$all" ORDER BY 1 LIMIT 1`, "1", refused + `there is no column "rowid"`},
			{`SELECT nosuch(1)`, refused + "no such function", refused + "no such function: nosuch()"},
			{`SELECT * FROM "$nosuch"`, refused + "no such table", refused + `there is no table "$nosuch"`},
			{`SELECT COUNT(*) FROM "a stream that is not there"`, refused + "no such table", "0"},
		}},
	{"bare columns", "A column that is neither grouped nor aggregated is an error.", []deviating{
		{`SELECT type, position FROM "$all" GROUP BY type ORDER BY type`, "Noted | 2; Opened | 0",
			refused + `column "position" is neither grouped nor aggregated`},
		{`SELECT stream, MAX(position) FROM "$all"`, "account-1 | 2",
			refused + `column "stream" is neither grouped nor aggregated`},
		// the result of that name, since the column makes no sense
		{`SELECT upper(type) AS stream, COUNT(*) FROM "$all" GROUP BY stream ORDER BY 2 DESC`, "OPENED | 3", "OPENED | 2; NOTED | 1"},
		{`SELECT upper(type) AS type, COUNT(*) FROM "$all" GROUP BY type ORDER BY 1`, "NOTED | 1; OPENED | 2",
			"NOTED | 1; OPENED | 2"},
		{`SELECT type, MIN(position) FROM "$all" GROUP BY type ORDER BY type`, "Noted | 2; Opened | 0",
			"Noted | 2; Opened | 0"},
	}},
	{"times", "`recorded_at` is a time, not text.", []deviating{
		// The events are of nine o'clock. As text, the T of 09:00 is greater than the blank of any
		// hour.
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at > '2026-01-01 10:00'`, "3", "0"},
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at < '2026-01-01T12:00:00+01:00'`, "3", "3"},
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at = '2026-01-01 10:00:00+01:00'`, "0", "3"},
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at < 'soon'`, "3", fails + "soon"},
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at > 1767258000`, "3",
			refused + "a time cannot be compared with a number"},
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at IN (1, 2)`, "0",
			refused + "a time cannot be compared with a number"},
		{`SELECT MAX(recorded_at) - MIN(recorded_at) FROM "$all"`, "0", "0"}, // ours are seconds, theirs years
		{`SELECT recorded_at - '2026-01-01' FROM "$all" LIMIT 1`, "0", "32400"},
		{`SELECT recorded_at + 1 FROM "$all" LIMIT 1`, "2027", refused + "a time is not a number"},
		{`SELECT AVG(recorded_at) FROM "$all"`, "2026", refused + "a time is not a number"},
		{`SELECT abs(recorded_at) FROM "$all" LIMIT 1`, "2026", refused + "a time is not a number"},
		{`SELECT CAST(recorded_at AS INTEGER) FROM "$all" LIMIT 1`, "2026", refused + "a time is not a number"},
		{`SELECT date('2026-03-04') - date('2025-01-04')`, "1", "1"}, // texts, in both
		{`SELECT recorded_at || '' FROM "$all" LIMIT 1`, "2026-01-01T09:00:00.000000Z", "2026-01-01T09:00:00.000000Z"},
	}},
	{"chained comparisons", "Comparisons do not chain.", []deviating{
		{`SELECT 3 > 2 > 1`, "0", refused + "comparisons do not chain; use parentheses"},
		{`SELECT 1 = 1 = 1`, "1", refused + "comparisons do not chain; use parentheses"},
		{`SELECT (3 > 2) > 1, 3 > (2 > 1)`, "0 | 1", "0 | 1"},
	}},
	{"regexp", "`REGEXP` is there", []deviating{
		{`SELECT 'abc' REGEXP 'b.', 'abc' REGEXP '^b'`, refused + "no such function: REGEXP", "1 | 0"},
		{`SELECT 'abc' REGEXP '(?i)B$|C'`, refused + "no such function: REGEXP", "1"},
		{`SELECT 'abc' REGEXP '('`, refused + "no such function: REGEXP", fails + "missing closing )"},
	}},
	{"payloads that are not JSON", "A payload that is not JSON is a blob", []deviating{
		{`SELECT typeof(payload) FROM "$all" WHERE type = 'Noted'`, "text", "blob"},
		{`SELECT payload ->> '$.n' FROM "$all" WHERE type = 'Noted'`, fails + "malformed JSON", "NULL"},
		{`SELECT payload -> 'n' IS NULL FROM "$all" ORDER BY position`, fails + "malformed JSON", "0; 0; 1"},
		{`SELECT SUM(payload ->> '$.n') FROM "$all"`, fails + "malformed JSON", "3"},
		{`SELECT json_type(payload), json_array_length(payload), json_extract(payload, '$.n'), json(payload) FROM ` +
			`"$all" WHERE type = 'Noted'`, fails + "malformed JSON", "NULL | NULL | NULL | NULL"},
		{`SELECT x'414243' -> '$', json_type(x'41')`, fails + "malformed JSON", "NULL | NULL"},
		{`SELECT COUNT(*) FROM "$all", json_each(payload)`, fails + "malformed JSON", "2"},
		// JSON5 is read in texts only
		{`SELECT json(x'5b315d'), json(x'7b613a317d')`, `[1] | {"a":1}`, "[1] | NULL"},
		// a text that is no payload
		{`SELECT 'no {JSON' ->> '$.n'`, fails + "malformed JSON", fails + "malformed JSON"},
	}},
	{"invalid numbers", "Invalid numbers are errors", []deviating{
		{`SELECT 1e`, refused + "unrecognized token", refused + "not a number: 1e"},
		{`SELECT 0x`, refused + "unrecognized token", refused + "not a number: 0x"},
		{`SELECT 12abc`, refused + "unrecognized token", refused + "not a number: 12abc"},
		{`SELECT 1_000`, "1000", refused + "not a number: 1_000"},
		{`SELECT 1e3, .5, 1.`, "1000 | 0.5 | 1", "1000 | 0.5 | 1"},
	}},
	{"JSONB", "There is no JSONB.", []deviating{
		{`SELECT json_array(x'00')`, "[null]", fails + "JSON cannot hold a blob"},
		{`SELECT json_array(x'41')`, fails + "JSON cannot hold BLOB", fails + "JSON cannot hold a blob"},
		{`SELECT json(x'00') IS NULL, json_valid(x'00', 4), json_valid('[1]', 8)`, "0 | 1 | 0", "1 | 0 | 0"},
		{`SELECT hex(jsonb('[1]'))`, "2B1331", refused + "write json(x)"},
	}},
	{"JSON texts", "Whether a text is JSON depends on what made it.", []deviating{
		{`SELECT json_array((SELECT json('[1]')))`, `["[1]"]`, "[[1]]"},
		{`SELECT json_array(x) FROM (SELECT json('[1]') AS x UNION ALL SELECT '[2]')`, `["[1]"]; ["[2]"]`,
			`[[1]]; ["[2]"]`},
		{`SELECT json_array(payload) FROM "$all" LIMIT 1`, `["{\"n\": 1}"]`, `[{"n":1}]`},
		{`SELECT json_array(CAST(json('[1]') AS TEXT))`, "[[1]]", `["[1]"]`},
		{`SELECT json_array(json('[1]'), '[1]', '[[1]]' -> 0, '[[1]]' ->> 0)`, `[[1],"[1]",[1],"[1]"]`,
			`[[1],"[1]",[1],"[1]"]`},
	}},
	{"JSON is UTF-8", "JSON is UTF-8.", []deviating{
		{`SELECT hex('"\ud83d"' ->> '$')`, "EDA0BD", "EFBFBD"},
		{`SELECT hex(json_quote(CAST(x'ff' AS TEXT)))`, "22FF22", "22EFBFBD22"},
		{`SELECT '"\ud83d\ude00"' ->> '$'`, "😀", "😀"},
	}},
	{"depth", "JSON may be nested 10,000 deep.", []deviating{
		{`SELECT json_valid(printf('%.*c', 1001, '[') || printf('%.*c', 1001, ']'))`, "0", "1"},
		{`SELECT json_valid(printf('%.*c', 10001, '[') || printf('%.*c', 10001, ']'))`, "0", "0"},
		{`SELECT json_array_length(printf('%.*c', 1001, '[') || printf('%.*c', 1001, ']'))`, fails + "malformed JSON",
			"1"},
		{`SELECT json_valid(printf('%.*c', 1000, '[') || printf('%.*c', 1000, ']'))`, "1", "1"},
	}},
	{"paths", "What is no JSON path, and no ESCAPE, is an error in any case.", []deviating{
		{`SELECT json_extract('{"a":1}', '$[')`, "NULL", refused + "bad JSON path"},
		{`SELECT '{"a":1}' -> '$.b.'`, "NULL", refused + "bad JSON path"},
		{`SELECT json_extract(NULL, 'x')`, "NULL", refused + "bad JSON path"},
		{`SELECT json_extract('{"a":1}')`, "NULL", refused + "2 or more arguments"},
		{`SELECT json_extract()`, "NULL", refused + "2 or more arguments"},
		{`SELECT strftime()`, "NULL", refused + "1 or more arguments"},
		{`SELECT '{"a":1}' ->> '$["a"]'`, "NULL", "1"}, // which is one here
		{`SELECT '[1]' -> '$['`, fails + "bad JSON path", refused + "bad JSON path"},
		{`SELECT x'41' LIKE 'a' ESCAPE 'xy'`, "0", refused + "ESCAPE takes a single character"},
	}},
	{"NUL", "A NUL is a character like any other.", []deviating{
		{`SELECT hex(printf(CAST(x'610062' AS TEXT))), hex(quote(CAST(x'610062' AS TEXT)))`, "61 | 276127",
			"610062 | 2761006227"},
		{`SELECT 'a' LIKE CAST(x'610062' AS TEXT), glob('a', CAST(x'610062' AS TEXT))`, "1 | 1", "0 | 0"},
		{`SELECT hex(substr(CAST(x'610062' AS TEXT), 2)), hex(trim(CAST(x'6100' AS TEXT), char(0)))`, " | 6100",
			"0062 | 61"},
		{`SELECT json_valid('1' || char(0)), '{"a":1}' -> ('a' || char(0)) IS NULL`, "1 | 0", "0 | 1"},
		{`SELECT length(CAST(x'610062' AS TEXT)), octet_length(CAST(x'610062' AS TEXT)), instr(CAST(x'610062' AS ` +
			`TEXT), 'b')`, "1 | 3 | 3", "1 | 3 | 3"},
	}},
	{"no UTF-8", "`trim` and `unhex` compare characters.", []deviating{
		{`SELECT hex(trim('é', x'c3'))`, "A9", "C3A9"},
		{`SELECT hex(trim('éa', 'é')), hex(unhex('é41', 'é'))`, "61 | 41", "61 | 41"},
	}},
	{"local time", "There is no local time.", []deviating{
		{`SELECT datetime('2026-01-01', 'localtime') > '2025'`, "1", fails + "all times are UTC"},
		{`SELECT date('2026-02-30', '+0 days', 'utc')`, "2026-03-02", "2026-03-02"}, // what is UTC stays what it is
	}},
	{"tags", "`tags` is not compared with one tag.", []deviating{
		{`SELECT COUNT(*) FROM "$all" WHERE tags = 'a'`, "0", refused + "HAS(tags, 'a')"},
		{`SELECT COUNT(*) FROM "$all" WHERE tags IN ('a', '[]')`, "3", refused + "HAS(tags, 'a')"},
		{`SELECT COUNT(*) FROM "$all" WHERE tags LIKE 'a%'`, "0", refused + "HAS(tags, 'a')"},
		{`SELECT COUNT(*) FROM "$all" WHERE tags = '[]'`, "3", "3"},
	}},
	{"slips", "Where SQLite slips, the right answer is given.", []deviating{
		{`SELECT substr('abc', -9223372036854775808)`, "ab", "abc"},
		{`SELECT key, path FROM json_tree('{"a":[1,{"x":2}]}', '$.a[#-1]') LIMIT 1`, "a[#-1] | $", "1 | $.a"},
		{`SELECT date(-1, 'utc'), date(-1)`, "-4713-11-24 | NULL", "NULL | NULL"},
		{`SELECT SUM(column1) FROM (VALUES (9223372036854775807), (9), (-9)) AS v`, fails + "integer overflow", "9223372036854775807"},
		{`SELECT TOTAL(column1) FROM (VALUES (1e308), (1e308), (-1e308)) AS v`, "+Inf", "1e+308"},
		{`SELECT GROUP_CONCAT(column2, '-') OVER (ORDER BY column1 ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) ` +
			`FROM (VALUES (1, 'a'), (2, ''), (3, 'b'), (4, 'c')) AS v`, "a-; b; c; ", "a-; -b; b-c; c"},
	}},
	{"casts", "CAST knows dates.", []deviating{
		{`SELECT CAST('2026-03-04 05:06' AS DATE), CAST('2026-03-04 05:06' AS TIME)`, "2026 | 2026", "2026-03-04 | 05:06:00"},
		{`SELECT CAST('2026-03-04T05:06Z' AS DATETIME), CAST('90 minutes' AS INTERVAL)`, "2026 | 90",
			"2026-03-04 05:06:00 | 1 hour 30 minutes"},
		{`SELECT CAST('12ab' AS UUID), CAST('1.50' AS STRING)`, "12 | 1.5", "12ab | 1.50"},
		{`SELECT CAST('12.756' AS DECIMAL(10, 2))`, "12.756", refused + "write round(CAST(x AS REAL), 2)"},
		{`SELECT CAST('12.7' AS SIGNED), typeof(CAST('a' AS BINARY))`, "12.7 | integer",
			refused + "write CAST(x AS INTEGER)"},
	}},
}

// TestDeviations shows each deviation from SQLite next to SQLite's own answer.
func TestDeviations(t *testing.T) {
	p := deviatingPair(t)
	for _, d := range deviations {
		t.Run(d.name, func(t *testing.T) {
			for _, c := range d.cases {
				assertAnswer(t, p.theirs, "SQLite", c.sql, c.theirs)
				assertAnswer(t, p.ours, "eventfold", c.sql, c.ours)
			}
		})
	}
}

// TestDeviationsAreDocumented holds the reference to the same deviations, in the same order.
func TestDeviationsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/sql.md")
	require.NoError(t, err)
	items := regexp.MustCompile(`(?m)^\d+\. \*\*(.+?)\*\*`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, items, len(deviations))
	for i, item := range items {
		assert.Equal(t, deviations[i].title, item[1])
	}
}

// deviatingPair is a pair of the same three events of nine o'clock on the first of January 2026.
func deviatingPair(t *testing.T) pair {
	t.Helper()
	nine := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	store, err := filestore.Open("store", filestore.Options{FS: vfs.NewMem(), Now: func() time.Time { return nine }})
	require.NoError(t, err)
	ours := eventfold.OpenDB(eventfold.Config{Store: store})
	theirs, err := sql.Open("sqlite", "file::memory:")
	require.NoError(t, err)
	theirs.SetMaxOpenConns(1)
	t.Cleanup(func() {
		assert.NoError(t, ours.Close())
		assert.NoError(t, theirs.Close())
		assert.NoError(t, store.Close())
	})
	_, err = ours.Exec(`INSERT INTO "account-1" (type, payload) VALUES ('Opened', '{"n": 1}'), ('Opened', '{"n": ` +
		`2}'), ('Noted', 'no {JSON')`)
	require.NoError(t, err)
	copyEvents(t, ours, theirs)
	return pair{ours: ours, theirs: theirs}
}

func assertAnswer(t *testing.T, db *sql.DB, who, text, want string) {
	t.Helper()
	message, early := strings.CutPrefix(want, refused)
	if early {
		prepared, err := db.Prepare(text)
		if err == nil {
			prepared.Close()
		}
		assert.ErrorContains(t, err, message, "%s prepares %s", who, text)
		return
	}
	rows, err := query(db, text)
	if message, ok := strings.CutPrefix(want, fails); ok {
		assert.ErrorContains(t, err, message, "%s: %s", who, text)
		return
	}
	if assert.NoError(t, err, "%s: %s", who, text) {
		assert.Equal(t, want, answer(rows), "%s: %s", who, text)
	}
}

// answer writes rows as the tables above do.
func answer(rows [][]any) string {
	var lines []string
	for _, row := range rows {
		var values []string
		for _, v := range row {
			if v == nil {
				v = "NULL"
			}
			values = append(values, fmt.Sprint(v))
		}
		lines = append(lines, strings.Join(values, " | "))
	}
	return strings.Join(lines, "; ")
}
