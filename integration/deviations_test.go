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
	"github.com/eventfold/eventfold/engine"
)

// A deviation is one of the eight places where the dialect deliberately gives another answer than SQLite.
type deviation struct {
	name  string
	title string // as docs/sql.md has it
	cases []deviating
}

// deviating is a statement and what each side answers: its rows, written "a | b; c | d", or a part of its error.
type deviating struct {
	sql          string
	theirs, ours string
}

// The prefixes of the answers that are errors: when the statement is prepared, and at the latest when its rows are read.
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
	{"unknown names", "Unknown columns, functions and `$` tables are errors when the statement is prepared", []deviating{
		{`SELECT rowid FROM "$all" ORDER BY 1 LIMIT 1`, "1", refused + `there is no column "rowid"`},
		{`SELECT nosuch(1)`, refused + "no such function", refused + "no such function: nosuch()"},
		{`SELECT * FROM "$nosuch"`, refused + "no such table", refused + `there is no table "$nosuch"`},
		{`SELECT COUNT(*) FROM "a stream that is not there"`, refused + "no such table", "0"},
	}},
	{"bare columns", "A column that is neither grouped nor aggregated is an error.", []deviating{
		{`SELECT type, position FROM "$all" GROUP BY type ORDER BY type`, "Noted | 2; Opened | 0", refused + `column "position" is neither grouped nor aggregated`},
		{`SELECT stream, MAX(position) FROM "$all"`, "account-1 | 2", refused + `column "stream" is neither grouped nor aggregated`},
		{`SELECT type, MIN(position) FROM "$all" GROUP BY type ORDER BY type`, "Noted | 2; Opened | 0", "Noted | 2; Opened | 0"},
	}},
	{"times", "`recorded_at` is a time, not text.", []deviating{
		// The events are of nine o'clock. As text, the T of 09:00 is greater than the blank of any hour.
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at > '2026-01-01 10:00'`, "3", "0"},
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at < '2026-01-01T12:00:00+01:00'`, "3", "3"},
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at = '2026-01-01 10:00:00+01:00'`, "0", "3"},
		{`SELECT COUNT(*) FROM "$all" WHERE recorded_at < 'soon'`, "3", fails + "soon"},
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
		{`SELECT 'no {JSON' ->> '$.n'`, fails + "malformed JSON", fails + "malformed JSON"}, // a text that is no payload
	}},
	{"invalid numbers", "Invalid numbers are errors", []deviating{
		{`SELECT 1e`, refused + "unrecognized token", refused + "not a number: 1e"},
		{`SELECT 0x`, refused + "unrecognized token", refused + "not a number: 0x"},
		{`SELECT 12abc`, refused + "unrecognized token", refused + "not a number: 12abc"},
		{`SELECT 1_000`, "1000", refused + "not a number: 1_000"},
		{`SELECT 1e3, .5, 1.`, "1000 | 0.5 | 1", "1000 | 0.5 | 1"},
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

// TestDeviationsAreDocumented holds the reference to the same eight deviations, in the same order.
func TestDeviationsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/sql.md")
	require.NoError(t, err)
	items := regexp.MustCompile(`(?m)^\d\. \*\*(.+?)\*\*`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, items, len(deviations))
	for i, item := range items {
		assert.Equal(t, deviations[i].title, item[1])
	}
}

// deviatingPair is a pair of the same three events of nine o'clock on the first of January 2026.
func deviatingPair(t *testing.T) pair {
	t.Helper()
	nine := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	store, err := engine.Open("store", engine.Options{FS: engine.NewMemFS(), Now: func() time.Time { return nine }})
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
	_, err = ours.Exec(`INSERT INTO "account-1" (type, payload) VALUES ('Opened', '{"n": 1}'), ('Opened', '{"n": 2}'), ('Noted', 'no {JSON')`)
	require.NoError(t, err)
	copyEvents(t, ours, theirs)
	return pair{ours, theirs}
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
