package parser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mistakes are texts that are refused, with line:column and a part of the message.
var mistakes = []struct{ text, place, msg string }{
	// texts
	{"", "1:1", "there is no statement"},
	{" ;; -- x", "1:9", "there is no statement"},
	{"SELECT 'a\xffb'", "1:10", "not valid UTF-8"},
	{"SELECT a\x00b", "1:9", "NUL"},
	{"SELECT a\u00a0b", "1:9", "special blank"},
	{"SELECT 'abc FROM $all", "1:8", "string is not closed"},
	{"SELECT \"abc FROM $all", "1:8", "quoted name is not closed"},
	{"SELECT ``", "1:8", "a name cannot be empty"},
	{"SELECT 1 /* x", "1:10", "comment is not closed"},
	{"SELECT x'abc'", "1:8", "even number of hexadecimal digits"},
	{"SELECT x'", "1:8", "blob is not closed"},
	{"SELECT 1; SELECT 2", "1:11", "only one statement"},
	{"DESC t; DROP TABLE x", "1:9", "only one statement"},
	{"SELECT (1", "1:8", "this ( is never closed"},
	{"SELECT type,\n       COUNT(*\nFROM $all", "2:13", "this ( is never closed"},
	{"SELECT 1)", "1:9", "this ) was never opened"},
	// numbers and parameters
	{"SELECT 1e", "1:8", "not a number: 1e"},
	{"SELECT 1e+", "1:8", "not a number: 1e+"},
	{"SELECT 0x", "1:8", "not a number: 0x"},
	{"SELECT 0x11112222333344445", "1:8", "at most 64 bits"},
	{"SELECT 12abc", "1:8", "not a number: 12abc"},
	{"SELECT ?, :v1, ?", "1:11", "named or positional parameters, not both"},
	{"SELECT :v1, ?", "1:13", "named or positional parameters, not both"},
	{"SELECT ?0", "1:8", "between 1 and 32766"},
	{"SELECT ?32767", "1:8", "between 1 and 32766"},
	{"SELECT ?32766, ?", "1:16", "at most 32766 parameters"},
	{"SELECT $1a", "1:8", "a parameter is written"},
	{"SELECT :1", "1:8", "a parameter is written"},
	// operators of other dialects
	{"SELECT 4//2", "1:9", "integer division is DIV"},
	{"SELECT payload #>> '{a,b}' FROM t", "1:16", "payload->>'$.a.b'"},
	{"SELECT a # b", "1:10", "a comment begins with --"},
	{"SELECT a & b", "1:10", "no bitwise operators"},
	{"SELECT a | b", "1:10", "no bitwise operators"},
	{"SELECT a ^ b", "1:10", "no bitwise operators"},
	{"SELECT ~a", "1:8", "no bitwise operators"},
	{"SELECT a << 2", "1:10", "no bitwise operators"},
	{"SELECT a && b", "1:10", "write AND"},
	{"SELECT !a", "1:8", "write NOT"},
	{"SELECT a <=> b", "1:10", "IS NOT DISTINCT FROM"},
	{"SELECT a::text", "1:9", "write CAST(x AS type)"},
	{"SELECT a @> b", "1:10", "HAS(tags"},
	{"SELECT @@version", "1:8", "no server variables"},
	{"SELECT [type]", "1:8", "names take double quotes"},
	{`SELECT 'it\'s'`, "1:14", "string is not closed"},
	{`SELECT \x`, "1:8", "a quote inside a string is written twice"},
	{"SELECT * FROM t WHERE $__timeFilter(recorded_at)", "1:23", "a Grafana macro was not expanded: $__timeFilter"},
	{"SELECT a ILIKE 'x'", "1:10", "LIKE already ignores the case"},
	{"SELECT a FROM t WHERE a GLOB 'x*'", "1:25", "write LIKE or REGEXP"},
	{"SELECT a XOR b", "1:10", "write a <> b"},
	{"SELECT binary a b", "1:17", `syntax error at "b"`},
	{"SELECT _binary 'x'", "1:16", `syntax error at "'x'"`},
	// literals of other dialects
	{"SELECT E'x'", "1:9", "no letter in front"},
	{"SELECT N'x'", "1:9", "no letter in front"},
	{"SELECT 'a' 'b'", "1:12", `syntax error at "'b'"`},
	{"SELECT a AS 'x'", "1:13", "names take double quotes"},
	{"SELECT a 'x'", "1:10", "names take double quotes"},
	{"SELECT INTERVAL '1 day'", "1:17", "INTERVAL 1 DAY"},
	// expressions
	{"SELECT * FROM order-123 WHERE\n  type == 'x' AND AND version > 1", "2:19", `syntax error at "AND"`},
	{"SELECT type FROM $all WHERE", "1:28", "the statement ends too early"},
	{"SELECT a = b = c", "1:14", "comparisons do not chain; use parentheses"},
	{"SELECT a < b IN (1)", "1:14", "comparisons do not chain"},
	{"SELECT a = NOT b", "1:12", "a NOT behind an operator needs parentheses"},
	{"SELECT a = b NOT IN (1)", "1:14", "comparisons do not chain"},
	{"SELECT a ISNULL || b", "1:17", "use parentheses"},
	{"SELECT a NOT b", "1:14", `syntax error at "b"`},
	{"SELECT a IS", "1:12", "the statement ends too early"},
	{"SELECT a IN ?", "1:13", "write one ? per value"},
	{"SELECT a IN b", "1:13", "IN takes a list or a sub-query"},
	{"SELECT a IN", "1:12", "the statement ends too early"},
	{"SELECT (1, 2)", "1:8", "row values are not supported"},
	{"SELECT (1, 2) = (1, 2)", "1:8", "row values are not supported"},
	{"SELECT ()", "1:9", `syntax error at ")"`},
	{"SELECT (1 2)", "1:11", `syntax error at "2"`},
	{"SELECT a BETWEEN 1", "1:19", "the statement ends too early"},
	{"SELECT a BETWEEN 1 OR 2", "1:20", `syntax error at "OR"`},
	{"SELECT a LIKE 'x' ESCAPE", "1:25", "the statement ends too early"},
	{"SELECT a ESCAPE 'x'", "1:10", `syntax error at "ESCAPE"`},
	{"SELECT a COLLATE 'x'", "1:18", `syntax error at "'x'"`},
	{"SELECT EXISTS (1)", "1:8", "EXISTS takes a sub-query"},
	{"SELECT CASE END", "1:13", `syntax error at "END"`},
	{"SELECT CASE WHEN a END", "1:20", `syntax error at "END"`},
	{"SELECT CASE WHEN a THEN b", "1:26", "the statement ends too early"},
	{"SELECT CASE a ELSE b END", "1:15", `syntax error at "ELSE"`},
	{"SELECT a END", "1:10", `syntax error at "END"`},
	{"SELECT a.b.c.d", "1:13", `syntax error at "."`},
	{"SELECT x.y.z", "1:8", "there is no schema"},
	{"SELECT a.1", "1:9", `syntax error at ".1"`},
	{"SELECT a.", "1:9", `syntax error at "."`},
	// calls
	{"SELECT f(a b)", "1:12", `syntax error at "b"`},
	{"SELECT f(a AS b)", "1:12", `syntax error at "AS"`},
	{"SELECT f(a,)", "1:12", `syntax error at ")"`},
	{"SELECT f(*, 1)", "1:8", "a * in a call stands alone"},
	{"SELECT COUNT(DISTINCT *)", "1:8", "a * in a call stands alone"},
	{"SELECT f(t.*)", "1:8", "a * in a call stands alone"},
	{"SELECT 2 + *", "1:12", `syntax error at "*"`},
	{"SELECT `0`(1)", "1:8", "there is no function"},
	{"SELECT a.f(1)", "1:11", `syntax error at "("`},
	{"SELECT CAST(a)", "1:14", "CAST takes a type"},
	{"SELECT CAST(a AS)", "1:17", `syntax error at ")"`},
	{"SELECT CAST(a, b AS TEXT)", "1:8", "CAST takes one value"},
	{"SELECT CAST(a AS 'TEXT')", "1:18", `syntax error at "'TEXT'"`},
	{"SELECT SUBSTRING(a FOR 2 FROM 1)", "1:20", "FROM before FOR"},
	{"SELECT GROUP_CONCAT(a ORDER BY b)", "1:23", "ORDER BY inside of a call"},
	{"SELECT GROUP_CONCAT(a SEPARATOR ',')", "1:23", "write GROUP_CONCAT(x, separator)"},
	{"SELECT COUNT(*) FILTER (WHERE )", "1:31", `syntax error at ")"`},
	{"SELECT COUNT(*) FILTER (a = 1)", "1:25", `syntax error at "a"`},
	{"SELECT COUNT(*) OVER w FROM t", "1:22", "named windows are not supported"},
	{"SELECT SUM(a) OVER (ORDER BY)", "1:29", `syntax error at ")"`},
	{"SELECT SUM(a) OVER (a)", "1:21", `syntax error at "a"`},
	{"SELECT SUM(a) OVER (PARTITION a)", "1:21", `syntax error at "PARTITION"`},
	{"SELECT SUM(a) OVER (ORDER BY a ROWS BETWEEN CURRENT ROW AND 1 PRECEDING)", "1:32", "ends before it begins"},
	{"SELECT SUM(a) OVER (ROWS BETWEEN 1 AND 2)", "1:34", "a frame's end is"},
	{"SELECT SUM(a) OVER (GROUPS UNBOUNDED PRECEDING)", "1:21", "GROUPS is not supported"},
	// clauses
	{"SELECT", "1:7", "the statement ends too early"},
	{"SELECT FROM t", "1:8", `syntax error at "FROM"`},
	{"SELECT a,, b", "1:10", `syntax error at ","`},
	{"SELECT a, FROM t", "1:11", `syntax error at "FROM"`},
	{"SELECT a b c FROM t", "1:12", `syntax error at "c"`},
	{"SELECT a FROM", "1:14", "the statement ends too early"},
	{"SELECT a FROM t WHERE b WHERE c", "1:25", `syntax error at "WHERE"`},
	{"SELECT a FROM t HAVING b GROUP BY c", "1:26", `syntax error at "GROUP"`},
	{"SELECT a FROM t GROUP c", "1:23", `syntax error at "c"`},
	{"SELECT a FROM t ORDER BY a DESC b", "1:33", `syntax error at "b"`},
	{"SELECT 1 ORDER BY 1 UNION SELECT 2", "1:21", `syntax error at "UNION"`},
	{"SELECT 1 UNION 2", "1:16", `syntax error at "2"`},
	{"SELECT 1 INTERSECT SELECT 2", "1:10", "INTERSECT is not supported"},
	{"SELECT 1 EXCEPT SELECT 2", "1:10", "EXCEPT is not supported"},
	{"SELECT 1 LIMIT", "1:15", "the statement ends too early"},
	{"SELECT 1 LIMIT 1, 2, 3", "1:20", `syntax error at ","`},
	{"SELECT 1 FROM t LIMIT 1, 2 OFFSET 3", "1:28", `syntax error at "OFFSET"`},
	{"SELECT 1 FROM t LIMIT ALL OFFSET 1, 2", "1:35", `syntax error at ","`},
	{"SELECT 1 FROM t OFFSET 1, 2", "1:25", `syntax error at ","`},
	{"SELECT 1 FROM t WHERE a, b", "1:24", `syntax error at ","`},
	{"SELECT * + 1 FROM t", "1:10", `syntax error at "+"`},
	{"SELECT t.* AS x FROM t", "1:8", "a * must stand alone"},
	{"SELECT (.*) FROM t", "1:9", `syntax error at "."`},
	{"SELECT t.*.x FROM t", "1:11", `syntax error at "."`},
	{"SELECT 1 AS OF POSITION", "1:24", "the statement ends too early"},
	{"SELECT 1 FROM t AS OF POSITION 1.5", "1:32", "an integer or a parameter"},
	{"SELECT 1 FROM t AS OF POSITION a", "1:32", `syntax error at "a"`},
	{"SELECT 1 FROM t FOLLOW LIMIT 3", "1:17", "FOLLOW stands at the end"},
	{"SELECT 1 FROM t WHERE a FOLLOW LIMIT 3", "1:25", "FOLLOW stands at the end"},
	{"SELECT 1 FOR UPDATE", "1:10", "there are no row locks"},
	{"SELECT 1 FETCH FIRST 1 ROW ONLY", "1:10", "write LIMIT n"},
	{"WITH RECURSIVE a AS (SELECT 1) SELECT 1", "1:6", "WITH RECURSIVE is not supported"},
	{"WITH a (x) AS (SELECT 1) SELECT 1", "1:8", "list of columns"},
	{"WITH a AS (INSERT INTO t VALUES (1)) SELECT 1", "1:11", `syntax error at "("`},
	{"WITH a AS (SELECT 1), A AS (SELECT 2) SELECT 1", "1:23", "given twice"},
	{"WITH a AS (SELECT 1)", "1:21", "the statement ends too early"},
	// FROM
	{"SELECT a FROM 'order-1'", "1:15", "names take double quotes"},
	{"SELECT a FROM ?", "1:15", "INSERT INTO ? and EXPECT ?"},
	{"SELECT a FROM select", "1:15", `syntax error at "select"`},
	{"SELECT a FROM order-", "1:20", "does not end with"},
	{`SELECT a FROM x."y"`, "1:15", "there is no schema"},
	{`SELECT a FROM "` + strings.Repeat("x", 256) + `"`, "1:15", "at most 255 bytes"},
	{"SELECT a FROM json_each(b)", "1:24", "table functions are not supported"},
	{"SELECT a FROM t u v", "1:19", `syntax error at "v"`},
	{"SELECT a FROM t JOIN", "1:21", "the statement ends too early"},
	{"SELECT a FROM t JOIN u ON", "1:26", "the statement ends too early"},
	{"SELECT a FROM t LEFT JOIN u", "1:28", "the statement ends too early"},
	{"SELECT a FROM t LEFT JOIN u JOIN v ON 1", "1:29", `syntax error at "JOIN"`},
	{"SELECT a FROM t JOIN u USING (a, A)", "1:34", "named twice"},
	{"SELECT a FROM t FULL JOIN u ON 1", "1:17", "FULL JOIN is not supported"},
	{"SELECT a FROM t RIGHT JOIN u ON 1", "1:17", "swap the tables"},
	{"SELECT a FROM t NATURAL JOIN u", "1:17", "NATURAL JOIN is not supported"},
	// INSERT
	{"INSERT INTO t (type, payload) VALUES (?)", "1:38", "this row has 1 value, not 2"},
	{"INSERT INTO t VALUES (1, 2), (3, 4, 5)", "1:30", "this row has 3 values, not 2"},
	{"INSERT INTO t VALUES ()", "1:22", "a row of VALUES is empty"},
	{"INSERT INTO t VALUES", "1:21", "the statement ends too early"},
	{"INSERT INTO t (type, TYPE) VALUES (1, 2)", "1:22", "named twice"},
	{"INSERT INTO t (t.type) VALUES (1)", "1:16", "no table in front"},
	{"INSERT INTO t (type) VALUES (DEFAULT)", "1:30", "leave the column out"},
	{"INSERT INTO t (type) SELECT 1", "1:22", "INSERT ... SELECT is not supported"},
	{"INSERT INTO t DEFAULT VALUES", "1:15", "an event needs a type"},
	{"INSERT OR IGNORE INTO t VALUES (1)", "1:8", "recognised"},
	{"INSERT INTO t (type) VALUES ('a') ON CONFLICT DO NOTHING", "1:35", "ON CONFLICT is not supported"},
	{"INSERT INTO 't' VALUES (1)", "1:13", "names take double quotes"},
	{"INSERT INTO t (type) VALUES ('x') EXPECTING SOMETHING", "1:45",
		`EXPECTING takes ANY, NO STREAM, STREAM EXISTS, VERSION n or NO EVENT FROM ..., not "SOMETHING"`},
	{"INSERT INTO t (type) VALUES ('x') EXPECTING", "1:44", "the statement ends too early"},
	{"INSERT INTO t (type) VALUES ('x') EXPECTING VERSION x", "1:53", `syntax error at "x"`},
	{"INSERT INTO t (type) VALUES ('x') EXPECTING NO EVENT FROM u WHERE AFTER 3", "1:73", `syntax error at "3"`},
	{"INSERT INTO t (type) VALUES ('x') RETURNING id EXPECTING ANY", "1:48", "EXPECTING stands before RETURNING"},
	{"INSERT INTO t (type) VALUES ('x') RETURNING id + 1", "1:48", `syntax error at "+"`},
	{"INSERT INTO t (type) VALUES ('x') x", "1:35", `syntax error at "x"`},
	// other statements
	{"DELETE FROM $all", "1:1", "events are immutable; append a correcting event"},
	{"UPDATE t SET a = '{}'::jsonb", "1:1", "events are immutable; append a correcting event"},
	{"MERGE INTO t", "1:1", "events are immutable"},
	{"CREATE TABLE t (id INT", "1:1", "nothing to create"},
	{"DROP TABLE t", "1:1", "cannot be dropped"},
	{"ALTER TABLE t ADD x", "1:1", "nothing to alter"},
	{"PRAGMA x", "1:1", "data source name"},
	{"STREAM * FROM t", "1:1", "a statement begins with SELECT, INSERT"},
	{"(SELECT 1)", "1:1", "a statement begins with SELECT, INSERT"},
	{"SHOW VARIABLES LIKE 'x'", "1:6", "SHOW takes TABLES"},
	{"SHOW COLUMNS FROM t x", "1:21", `syntax error at "x"`},
	{"SHOW STREAMS LIKE order", "1:19", `syntax error at "order"`},
	{"DESCRIBE", "1:9", "the statement ends too early"},
	{"EXPLAIN anything ' \" (", "1:18", "string is not closed"},
	{"EXPLAIN DELETE FROM t", "1:9", "EXPLAIN takes a SELECT or an INSERT"},
	{"EXPLAIN ANALYZE INSERT INTO t VALUES (1)", "1:17", "takes only a SELECT"},
	{"BEGIN EXCLUSIVE", "1:7", "no exclusive transactions"},
	{"COMMIT now", "1:8", `syntax error at "now"`},
	{"SAVEPOINT", "1:10", "the statement ends too early"},
	{"EXPECT t", "1:9", "the statement ends too early"},
	{"BACKUP '/tmp/x'", "1:8", `syntax error at "'/tmp/x'"`},
	{"VERIFY all", "1:8", `syntax error at "all"`},
	{"FORGET 'a' REASON 'b'", "1:8", `FORGET SUBJECT 'customer:42' REASON 'why', not "'a'"`},
	{"FORGET SUBJECT 'a'", "1:19", "the statement ends too early"},
	{"FORGET SUBJECT 'a' BECAUSE 'b'", "1:20", `takes a REASON behind the subject, not "BECAUSE"`},
	{"FORGET SUBJECT 'a' REASON", "1:26", "the statement ends too early"},
	{"FORGET SUBJECT 'a' REASON 'b' 'c'", "1:31", `syntax error at "'c'"`},
	{"FORGET SUBJCT 'a' REASON 'b'", "1:8", "SUBJECT"},
	{"GRANT ALL ON t TO x", "1:1", "GRANT is not supported (who can read the directory"},
	{"LISTEN x", "1:1", "write SELECT ... FOLLOW"},
	{"EXEC f", "1:1", "no procedures"},
	{"SELECT * INTO x FROM t", "1:10", "INSERT INTO ... VALUES"},
	{"INSERT INTO t SET type = 'x'", "1:15", "VALUES"},
	{"SELECT ISNULL(a, b)", "1:8", "IFNULL(x, y)"},
	{"SELECT a FROM t OFFSET 1 ROWS", "1:26", "write LIMIT n OFFSET m"},
	{"BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE", "1:19", "one snapshot"},
}

func TestMistakes(t *testing.T) {
	for _, m := range mistakes {
		_, err := Parse(m.text)
		var syntax *SyntaxError
		if !assert.ErrorAs(t, err, &syntax, m.text) {
			continue
		}
		assert.Equal(t, m.place, fmt.Sprintf("%d:%d", syntax.Line, syntax.Column), "%s\n%v", m.text, err)
		assert.Contains(t, err.Error(), m.msg, m.text)
	}
}

func TestLimits(t *testing.T) {
	x := strings.Repeat
	for _, l := range []struct{ ok, bad, msg string }{
		{"SELECT " + x("(", 150) + "1" + x(")", 150), "SELECT " + x("(", 151) + "1" + x(")", 151),
			"parentheses are nested more than 150 deep"},
		{"SELECT " + x("f(", 150) + "1" + x(")", 150), "SELECT " + x("f(", 5000),
			"parentheses are nested more than 150 deep"},
		{"SELECT " + x("NOT ", 200) + "1", "SELECT " + x("NOT ", 201) + "1", "nested more than 200 deep"},
		{"SELECT " + x("- ", 200) + "a", "SELECT " + x("+ ", 100) + x("- ", 101) + "a", "nested more than 200 deep"},
		{"SELECT " + x("CASE WHEN 1 THEN ", 200) + "1" + x(" END", 200), "SELECT " + x("CASE ", 201) + "1",
			"nested more than 200 deep"},
		{"SELECT " + x("NOT a AND ", 5000) + "1", "SELECT " + x("NOT (", 140) + x("- ", 61) + "1" + x(")", 140),
			"nested more than 200 deep"},
		{"SELECT 1" + x(" - -a", 900), "SELECT 1" + x(" - -a", 1000), "more than 1,000 levels deep"},
		{"SELECT a" + x(" IS NULL", 900), "SELECT a" + x(" IS NULL", 1000), "more than 1,000 levels deep"},
		{"SELECT a" + x(" COLLATE b", 900), "SELECT a" + x(" COLLATE b", 30_000), "more than 1,000 levels deep"},
		{"SELECT 1" + x(",1", 49_990), "SELECT 1" + x(",1", 50_000), "more than 100,000 tokens"},
		{"SELECT 1 -- " + x("x", 1<<20), "SELECT 1 -- " + x("x", 16<<20), "longer than 16 MiB"},
		{"SELECT 1 FROM t" + x(", t", 63), "SELECT 1 FROM t" + x(" LEFT JOIN t ON 1", 64), "at most 64 tables"},
		{"SELECT 1" + x(" UNION SELECT 1", 499), "SELECT 1" + x(" UNION SELECT 1", 500), "at most 500 SELECTs"},
		{"SELECT 1 FROM " + x("(SELECT 1 FROM ", 149) + "t" + x(")", 149),
			"SELECT " + x("(SELECT ", 151) + "1" + x(")", 151), "parentheses are nested more than 150 deep"},
	} {
		_, err := Parse(l.ok)
		assert.NoError(t, err, shorten(l.ok))
		_, err = Parse(l.bad)
		if assert.Error(t, err, shorten(l.bad)) {
			assert.Contains(t, err.Error(), l.msg, shorten(l.bad))
		}
	}
}

// TestNamedParameters looks at the limit on different names.
func TestNamedParameters(t *testing.T) {
	var text strings.Builder
	text.WriteString("SELECT :a")
	for i := range maxNames - 1 {
		fmt.Fprintf(&text, ", :a%d", i)
	}
	_, err := Parse(text.String())
	require.NoError(t, err)
	_, err = Parse(text.String() + ", :b")
	assert.ErrorContains(t, err, "at most 1000 named parameters")
}
