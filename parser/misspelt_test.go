package parser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMisspeltKeywordsAreToldTheirSpelling: the error stands at the word, and says what to write.
func TestMisspeltKeywordsAreToldTheirSpelling(t *testing.T) {
	const insert = "INSERT INTO t (type) VALUES ('x') "
	for _, m := range []struct{ text, word, hint string }{
		{"SELCT 1", "SELCT", "write SELECT"},
		{"SELEC * FROM $all", "SELEC", "write SELECT"},
		{"INSRET INTO t (type) VALUES ('x')", "INSRET", "write INSERT"},
		{"EXPLIAN SELECT 1", "EXPLIAN", "write EXPLAIN"},
		{"BEGN", "BEGN", "write BEGIN"},
		{"ROLBACK", "ROLBACK", "write ROLLBACK"},
		{"WIHT a AS (SELECT 1) SELECT * FROM a", "WIHT", "write WITH"},
		{"SELECT * FORM $all", "FORM", "write FROM"},
		{"SELECT type FORM $all WHERE version = 1", "FORM", "write FROM"},
		{"SELECT type, version FRM $all", "FRM", "write FROM"},
		{"SELECT COUNT(*) FOM $all", "FOM", "write FROM"},
		{"SELECT (SELECT 1 FORM t) FROM u", "FORM", "write FROM"},
		{"SELECT * FROM $all WHER type = 'x'", "WHER", "write WHERE"},
		{"SELECT * FROM $all WEHRE type = 'x'", "WEHRE", "write WHERE"},
		{"SELECT * FROM $all AS a WHRE type = 'x'", "WHRE", "write WHERE"},
		{"SELECT type FROM $all GRUOP BY type", "GRUOP", "write GROUP"},
		{"SELECT type FROM $all GROUP YB type", "YB", "write BY"},
		{"SELECT type FROM $all GROUPBY type", "GROUPBY", "write GROUP BY"},
		{"SELECT type FROM $all ODER BY type", "ODER", "write ORDER"},
		{"SELECT type FROM $all AS a ODER BY type", "ODER", "write ORDER"},
		{"SELECT type FROM $all ORDERBY type", "ORDERBY", "write ORDER BY"},
		{"SELECT type FROM $all ORDER BY type DSEC", "DSEC", "write DESC"},
		{"SELECT type FROM $all GROUP BY type HAVIN COUNT(*) > 1", "HAVIN", "write HAVING"},
		{"SELECT type FROM $all LIMT 3", "LIMT", "write LIMIT"},
		{"SELECT type FROM $all LIMIT 3 OFSET 1", "OFSET", "write OFFSET"},
		{"SELECT 1 UNOIN SELECT 2", "UNOIN", "write UNION"},
		{"SELECT a FROM t JION u ON 1", "JION", "write JOIN"},
		{"SELECT a FROM t LEFT JION u ON 1", "JION", "write JOIN"},
		{"SELECT a FROM t WHERE a = 1 ADN b = 2", "ADN", "write AND"},
		{"SELECT a FROM t WHERE a IN (1) NAD b = 2", "NAD", "write AND"},
		{"SELECT a FROM t WHERE a BETWEN 1 AND 2", "BETWEN", "write BETWEEN"},
		{"SELECT a FROM t WHERE a LKIE 'x'", "LKIE", "write LIKE"},
		{"SELECT CASE WEHN 1 THEN 2 END", "WEHN", "write WHEN"},
		{"SELECT a FROM t WHERE b = 1 FOLOW", "FOLOW", "write FOLLOW"},
		{"SELECT position FROM t WHERE b = 1 FOLLOW PROGRES", "PROGRES", "write PROGRESS"},
		{"SELECT 1 AS OF POSITON 3", "POSITON", "write POSITION"},
		{"INSERT INTOO t (type) VALUES ('x')", "INTOO", "write INTO"},
		{"INSERT INTO t (type) VALUE ('x')", "VALUE", "write VALUES"},
		{"INSERT INTO t (type) VALEUS ('x')", "VALEUS", "write VALUES"},
		{insert + "EXPECTED VERSION 1", "EXPECTED", "write EXPECTING"},
		{insert + "EXPECT VERSION 1", "EXPECT", "write EXPECTING"},
		{insert + "EXPECTNG NO STREAM", "EXPECTNG", "write EXPECTING"},
		{insert + "EXPECTING VERSOIN 1", "VERSOIN", "write VERSION"},
		{insert + "EXPECTING NO STREM", "STREM", "write STREAM"},
		{insert + "EXPECTING STREAM EXIST", "EXIST", "write EXISTS"},
		{insert + "EXPECTING NO EVNT FROM $all", "EVNT", "write EVENT"},
		{insert + "EXPECTING NO EVENT FROM $all WERE type = 'x'", "WERE", "write WHERE"},
		{insert + "EXPECTING NO EVENT FROM $all WHERE type = 'x' AFTR 3", "AFTR", "write AFTER"},
		{insert + "RETURNIG version", "RETURNIG", "write RETURNING"},
		{"ERAES FROM t WHERE TRUE REASON 'x'", "ERAES", "write ERASE"},
		{"ERASE FROM t WERE type = 'x' REASON 'x'", "WERE", "write WHERE"},
		{"ERASE FROM t WHERE type = 'x' REASN 'x'", "REASN", "write REASON"},
		{"ERASE FROM order WHERE TRUE REASON 'x'", "order", `as a name write "order"`},
		{"SHOW STREMS", "STREMS", "write STREAMS"},
		{"START TRANSACTOIN", "TRANSACTOIN", "write TRANSACTION"},
		{"INSERT INTO order (type) VALUES ('x')", "order", `ORDER is a reserved word; as a name write "order"`},
		{"SELECT * FROM group", "group", `as a name write "group"`},
		{"SELECT * FROM order WHERE type = 'x'", "order", `as a name write "order"`},
		{"SELECT a, order FROM t", "order", `as a name write "order"`},
		{"EXPECT order NO STREAM", "order", `as a name write "order"`},
		{"DESCRIBE order", "order", `as a name write "order"`},
	} {
		_, err := Parse(m.text)
		var syntax *SyntaxError
		if !assert.ErrorAs(t, err, &syntax, m.text) {
			continue
		}
		assert.Equal(t, strings.Index(m.text, m.word), int(syntax.Pos), "%s\n%v", m.text, err)
		assert.Contains(t, err.Error(), m.hint, m.text)
		assert.Contains(t, syntax.Msg, m.word, m.text)
	}
}

// TestNothingIsSuggestedThatDoesNotHelp: a word that looks like a keyword is no misspelling where
// the keyword would not help.
func TestNothingIsSuggestedThatDoesNotHelp(t *testing.T) {
	for _, text := range []string{"SELECT FROM t", "SELECT a FROM t WHERE", "SELECT a FROM t u v", "SELECT 1 LIMIT",
		"SELECT a FROM t from2 x y",
		"SELECT a,, form FROM t", "COMMIT now", "SELECT 1 FROM t LIMIT 1, 2 OFFSET 3", "xyzzy",
		strings.Repeat("SELCT ", 20_000)} {
		_, err := Parse(text)
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax, text)
		assert.NotContains(t, syntax.Hint, "write", "%s", err)
	}
}

// TestAsOfInFrontOfWhere reads AS OF POSITION in both places.
func TestAsOfInFrontOfWhere(t *testing.T) {
	for _, text := range []string{"SELECT a FROM t AS OF POSITION 5 WHERE b = 1 GROUP BY a ORDER BY a LIMIT 2",
		"SELECT a FROM t AS OF POSITION 5 GROUP BY a ORDER BY a LIMIT 2",
		"SELECT a FROM t AS x JOIN u ON 1 AS OF POSITION 5 WHERE b = 1"} {
		parsed, err := Parse(text)
		require.NoError(t, err)
		sel := parsed.Statement.(*Select)
		assert.Equal(t, int64(5), sel.AsOf.(*Literal).Value)
		again, err := Parse(renderStatement(sel))
		require.NoError(t, err)
		assert.NotNil(t, again.Statement.(*Select).AsOf)
	}
	for text, msg := range map[string]string{
		"SELECT a FROM t AS OF POSITION 5 WHERE b = 1 AS OF POSITION 6": "given twice",
		"SELECT a FROM t AS OF POSITION 5 WHERE b = 1 UNION SELECT a FROM u": "holds for the whole " +
			"UNION (write it at the end)",
		"SELECT a FROM t AS OF POSITION 5 JOIN u ON 1": "holds for all tables",
		"SELECT a FROM t AS OF POSITION 'x'": "a number or a " +
			"parameter must stand here",
		"INSERT INTO t (type) VALUES ('x') EXPECTING VERSION 'a'": "a number or a " +
			"parameter must stand here",
		"INSERT INTO t (type) VALUES ('x') EXPECTING NO EVENT FROM $all AFTER 'x'": "a number or a " +
			"parameter must stand here",
		"INSERT INTO t (type) VALUES ('x') EXPECTING VERSION \"a\"": "a number or a " +
			"parameter must stand here",
		fmt.Sprintf("INSERT INTO t (type) VALUES ('x') EXPECTING VERSION %s",
			"(SELECT 1)"): "a number or a parameter must stand here",
	} {
		_, err := Parse(text)
		assert.ErrorContains(t, err, msg, text)
	}
}

// TestEditDistance counts neighbours that have changed places once.
func TestEditDistance(t *testing.T) {
	for _, d := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"FORM", "FROM", 1}, {"GRUOP", "GROUP", 1}, {"SELCT", "SELECT", 1},
		{"kitten", "sitting", 3}, {"abc", "abc", 0}, {"ca", "abc", 3}} {
		assert.Equal(t, d.want, EditDistance(d.a, d.b), "%s %s", d.a, d.b)
		assert.Equal(t, d.want, EditDistance(d.b, d.a), "%s %s", d.b, d.a)
	}
}
