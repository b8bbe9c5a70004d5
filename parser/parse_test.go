package parser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// expressions are expressions and how they render: with every parenthesis.
var expressions = []struct{ text, want string }{
	// constants
	{`1`, `1`},
	{`1.5e3`, `1500.0`},
	{`.5`, `0.5`},
	{`0xFF`, `255`},
	{`0xFFFFFFFFFFFFFFFF`, `-1`},
	{`-9223372036854775808`, `-9223372036854775808`},
	{`9223372036854775808`, `9.223372036854776e+18`},
	{`- -9223372036854775808`, `(- -9223372036854775808)`},
	{`-(5)`, `-5`},
	{`- -0.0`, `(- (- 0.0))`},
	{`-(9223372036854775808)`, `-9.223372036854776e+18`},
	{`'it''s \n'`, `'it''s \n'`},
	{`x'00fF'`, `x'00ff'`},
	{`NULL`, `NULL`},
	{`true`, `TRUE`},
	{`DATE '2024-01-01'`, `date('2024-01-01')`},
	{`timestamp '2024-01-01 00:00'`, `timestamp('2024-01-01 00:00')`},
	// names
	{`"type"`, `"type"`},
	{"`a``b`", "\"a`b\""},
	{`"a""b"`, `"a""b"`},
	{`stream`, `"stream"`},
	{`e.stream`, `"e"."stream"`},
	{`e.order`, `"e"."order"`},
	{`"main"."$all"."type"`, `"$all"."type"`},
	{`$all.type`, `"$all"."type"`},
	{`ordü`, `"ordü"`},
	{`key + position + version + event`, `("key" + "position" + "version" + "event")`},
	{`interval + date + timestamp + first + offset + rows`,
		`("interval" + "date" + "timestamp" + "first" + "offset" + "rows")`},
	// precedence
	{`1 + 2 * 3`, `(1 + (2 * 3))`},
	{`1 - 2 - 3`, `((1 - 2) - 3)`},
	{`1 + 2 - 3 + 4`, `(((1 + 2) - 3) + 4)`},
	{`a || b || c`, `("a" || "b" || "c")`},
	{`a || b * c`, `(("a" || "b") * "c")`},
	{`- a || b`, `((- "a") || "b")`},
	{`a LIKE 'x' || 'y'`, `("a" LIKE ('x' || 'y'))`},
	{`a OR b AND c`, `("a" OR ("b" AND "c"))`},
	{`NOT a = b AND c`, `((NOT ("a" = "b")) AND "c")`},
	{`NOT a IS NULL`, `(NOT ("a" IS NULL))`},
	{`a = b IS NULL`, `(("a" = "b") IS NULL)`},
	{`a IS NULL + 1`, `("a" IS (NULL + 1))`},
	{`a AND b OR c AND d OR e`, `(("a" AND "b") OR ("c" AND "d") OR "e")`},
	{`(a || b) || (c || d)`, `("a" || "b" || ("c" || "d"))`},
	{`(a OR b) AND c`, `(("a" OR "b") AND "c")`},
	{`payload->'a'->>'$.b'`, `(("payload" -> 'a') ->> '$.b')`},
	{`payload->>'a' || 'x'`, `(("payload" ->> 'a') || 'x')`},
	{`f(x)->y`, `(f("x") -> "y")`},
	{`a -> - b COLLATE nocase`, `("a" -> ((- "b") COLLATE NOCASE))`},
	{`- - a COLLATE nocase COLLATE binary`, `(((- (- "a")) COLLATE NOCASE) COLLATE BINARY)`},
	{`-(a COLLATE nocase)`, `(- ("a" COLLATE NOCASE))`},
	{`a COLLATE nocase = b`, `(("a" COLLATE NOCASE) = "b")`},
	{`7 DIV 2 * 3`, `((7 DIV 2) * 3)`},
	{`unix_timestamp(x) DIV 300 * 300`, `((unix_timestamp("x") DIV 300) * 300)`},
	// comparisons
	{`a == b`, `("a" = "b")`},
	{`a != b`, `("a" <> "b")`},
	{`a IS b`, `("a" IS "b")`},
	{`a IS NOT b`, `("a" IS NOT "b")`},
	{`a IS NOT DISTINCT FROM b`, `("a" IS "b")`},
	{`a IS DISTINCT FROM b + 1`, `("a" IS NOT ("b" + 1))`},
	{`a ISNULL`, `("a" IS NULL)`},
	{`a NOTNULL`, `("a" IS NOT NULL)`},
	{`a NOT NULL`, `("a" IS NOT NULL)`},
	{`a IS NOT FALSE`, `("a" IS NOT FALSE)`},
	{`a IN (1, 'x', b)`, `("a" IN (1, 'x', "b"))`},
	{`a NOT IN ()`, `("a" NOT IN ())`},
	{`a IN ((SELECT 1))`, `("a" IN (SELECT 1))`},
	{`a IN (SELECT 1)`, `("a" IN (SELECT 1))`},
	{`a NOT LIKE 'x!%' ESCAPE '!'`, `("a" NOT LIKE 'x!%' ESCAPE '!')`},
	{`a NOT REGEXP '^x'`, `(NOT ("a" REGEXP '^x'))`},
	{`a BETWEEN 1 AND 2 AND b`, `(("a" BETWEEN 1 AND 2) AND "b")`},
	{`NOT a NOT BETWEEN 1 + 1 AND 2`, `(NOT ("a" NOT BETWEEN (1 + 1) AND 2))`},
	{`EXISTS (SELECT 1) AND NOT EXISTS (SELECT 2)`, `(EXISTS (SELECT 1) AND (NOT EXISTS (SELECT 2)))`},
	{`(SELECT MAX(position) FROM $all) + 1`, `((SELECT max("position") FROM "$all") + 1)`},
	// CASE
	{`CASE a WHEN 1 THEN 'x' ELSE 'y' END`, `CASE "a" WHEN 1 THEN 'x' ELSE 'y' END`},
	{`CASE WHEN a THEN CASE b WHEN 1 THEN 2 END WHEN NOT c THEN 3 END + 1`,
		`(CASE WHEN "a" THEN CASE "b" WHEN 1 THEN 2 END WHEN (NOT "c") THEN 3 END + 1)`},
	// calls
	{`COUNT(*)`, `count(*)`},
	{`COUNT(DISTINCT type)`, `count(DISTINCT "type")`},
	{`COUNT(ALL type)`, `count("type")`},
	{`f()`, `f()`},
	{`left(a, 1) || replace(a, 'b', 'c') || if(a, b, c)`,
		`(left("a", 1) || replace("a", 'b', 'c') || if("a", "b", "c"))`},
	{`GROUP_CONCAT(type, ', ')`, `group_concat("type", ', ')`},
	{`string_agg(DISTINCT type, ', ' ORDER BY type DESC, b + 1 NULLS LAST) || 'x'`,
		`(string_agg(DISTINCT "type", ', ' ORDER BY "type" DESC, ("b" + 1) NULLS LAST) || 'x')`},
	{`COUNT(* ORDER BY a)`, `count(* ORDER BY "a")`},
	{`FIRST(a ORDER BY LAST(b ORDER BY c)) FILTER (WHERE d) OVER ()`,
		`first("a" ORDER BY last("b" ORDER BY "c")) FILTER (WHERE "d") OVER ()`},
	{`percentile_cont(0.5) WITHIN GROUP (ORDER BY a DESC) FILTER (WHERE b)`,
		`percentile_cont(0.5) WITHIN GROUP (ORDER BY "a" DESC) FILTER (WHERE "b")`},
	{`mode() WITHIN GROUP (ORDER BY a) + within + sets + cube + rollup(a) + grouping(a, b)`,
		`(mode() WITHIN GROUP (ORDER BY "a") + "within" + "sets" + "cube" + rollup("a") + grouping("a", "b"))`},
	{`CAST(a AS double  precision)`, `CAST("a" AS DOUBLE PRECISION)`},
	{`cast(a + 1 as decimal(10, 2))`, `CAST(("a" + 1) AS DECIMAL(10,2))`},
	{`EXTRACT(epoch FROM recorded_at)`, `extract('epoch', "recorded_at")`},
	{`SUBSTRING(a FROM 2 FOR 3)`, `substring("a", 2, 3)`},
	{`substr(a FROM 2)`, `substring("a", 2)`},
	{`substr(a, 2)`, `substr("a", 2)`},
	{`TRIM(a)`, `trim("a")`},
	{`TRIM(a, 'x')`, `trim("a", 'x')`},
	{`TRIM('x' FROM a)`, `trim("a", 'x')`},
	{`TRIM(LEADING 'x' FROM a)`, `ltrim("a", 'x')`},
	{`TRIM(TRAILING FROM a)`, `rtrim("a")`},
	{`TRIM(BOTH 'x' || 'y' FROM a || b)`, `trim(("a" || "b"), ('x' || 'y'))`},
	{`CURRENT_TIMESTAMP`, `current_timestamp()`},
	{`CURRENT_TIMESTAMP(6)`, `current_timestamp(6)`},
	{`now() - INTERVAL 3 days`, `(now() - INTERVAL (3) day)`},
	{`a + INTERVAL -1 HOUR < b`, `(("a" + INTERVAL (-1) hour) < "b")`},
	{`a + INTERVAL (b * 2) month - 1`, `(("a" + INTERVAL (("b" * 2)) month) - 1)`},
	{`COUNT(*) FILTER (WHERE a = 1)`, `count(*) FILTER (WHERE ("a" = 1))`},
	{`SUM(a) FILTER (WHERE b) + 1`, `(sum("a") FILTER (WHERE "b") + 1)`},
	{`SUM(a) OVER ()`, `sum("a") OVER ()`},
	{`LAG(a, 1) OVER (PARTITION BY b, c + 1 ORDER BY d DESC NULLS LAST, e)`,
		`lag("a", 1) OVER (PARTITION BY "b", ("c" + 1) ORDER BY "d" DESC NULLS LAST, "e")`},
	{`SUM(a) FILTER (WHERE c) OVER (ORDER BY b ROWS 2 PRECEDING)`,
		`sum("a") FILTER (WHERE "c") OVER (ORDER BY "b" ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)`},
	{`SUM(a) OVER (ORDER BY b RANGE BETWEEN UNBOUNDED PRECEDING AND 1 + 1 FOLLOWING) * 2`,
		`(sum("a") OVER (ORDER BY "b" RANGE BETWEEN UNBOUNDED PRECEDING AND (1 + 1) FOLLOWING) * 2)`},
	{`SUM(a) OVER w + 1`, `(sum("a") OVER "w" + 1)`},
	{`SUM(a) OVER "rows"`, `sum("a") OVER "rows"`},
	{`SUM(a) OVER (w)`, `sum("a") OVER ("w")`},
	{`SUM(a) OVER (w ORDER BY b)`, `sum("a") OVER ("w" ORDER BY "b")`},
	{`SUM(a) OVER ("order" ROWS 1 PRECEDING)`,
		`sum("a") OVER ("order" ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)`},
	{`SUM(a) OVER (PARTITION BY b GROUPS ? PRECEDING)`,
		`sum("a") OVER (PARTITION BY "b" GROUPS BETWEEN ?1 PRECEDING AND CURRENT ROW)`},
	{`SUM(a) OVER (ROWS BETWEEN CURRENT ROW AND +1 FOLLOWING EXCLUDE NO OTHERS)`,
		`sum("a") OVER (ROWS BETWEEN CURRENT ROW AND (+ 1) FOLLOWING)`},
	{`SUM(a) OVER (ORDER BY b RANGE INTERVAL '7' DAY PRECEDING EXCLUDE TIES)`,
		`sum("a") OVER (ORDER BY "b" RANGE BETWEEN INTERVAL ('7') day PRECEDING AND CURRENT ROW EXCLUDE TIES)`},
	{`SUM(a) OVER (ORDER BY b GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING EXCLUDE GROUP)`,
		`sum("a") OVER (ORDER BY "b" GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING EXCLUDE GROUP)`},
	{`SUM(a) OVER (ORDER BY b ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW)`,
		`sum("a") OVER (ORDER BY "b" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW)`},
	{`LAG(a) IGNORE NULLS OVER w`, `lag("a") IGNORE NULLS OVER "w"`},
	{`LAG(a, 2 IGNORE NULLS) OVER w`, `lag("a", 2) IGNORE NULLS OVER "w"`},
	{`LAG(a RESPECT NULLS) OVER (w)`, `lag("a") OVER ("w")`},
	// parameters
	{`? + ?5 + ?`, `(?1 + ?5 + ?6)`},
	{`$2 + ?`, `(?2 + ?3)`},
	{`:name || @other || :name`, `(:name || :other || :name)`},
	// casts, zones, intervals
	{`a::int`, `CAST("a" AS INT)`},
	{`-a::int`, `(- CAST("a" AS INT))`},
	{`-1::text`, `(- CAST(1 AS TEXT))`},
	{`(-1)::text`, `CAST(-1 AS TEXT)`},
	{`a::int::text || b`, `(CAST(CAST("a" AS INT) AS TEXT) || "b")`},
	{`a + b::numeric(10, 2) * 2`, `("a" + (CAST("b" AS NUMERIC(10,2)) * 2))`},
	{`f(a)::double precision > 1`, `(CAST(f("a") AS DOUBLE PRECISION) > 1)`},
	{`(payload->>'$.a')::int`, `CAST(("payload" ->> '$.a') AS INT)`},
	{`a::text COLLATE nocase = b`, `((CAST("a" AS TEXT) COLLATE NOCASE) = "b")`},
	{`-a::int COLLATE nocase`, `((- CAST("a" AS INT)) COLLATE NOCASE)`},
	{`a COLLATE nocase::text`, `CAST(("a" COLLATE NOCASE) AS TEXT)`},
	{`a IS NULL::text`, `("a" IS CAST(NULL AS TEXT))`},
	{`CASE WHEN a THEN 1 END::text`, `CAST(CASE WHEN "a" THEN 1 END AS TEXT)`},
	{`(SELECT 1)::text`, `CAST((SELECT 1) AS TEXT)`},
	{`?::int + ?2::text`, `(CAST(?1 AS INT) + CAST(?2 AS TEXT))`},
	{`a::timestamp with time zone IS NULL`, `(CAST("a" AS TIMESTAMP WITH TIME ZONE) IS NULL)`},
	{`a AT TIME ZONE 'UTC'`, `timezone('UTC', "a")`},
	{`- a at time zone b.c + 1`, `(timezone("b"."c", (- "a")) + 1)`},
	{`a || b AT TIME ZONE 'UTC' || c`, `("a" || timezone('UTC', "b") || "c")`},
	{`a AT TIME ZONE 'UTC' AT TIME ZONE z`, `timezone("z", timezone('UTC', "a"))`},
	{`payload->>'$.at' AT TIME ZONE 'UTC' > b`, `(timezone('UTC', ("payload" ->> '$.at')) > "b")`},
	{`payload->'a'->>-1 AT TIME ZONE z AT TIME ZONE y`,
		`timezone("y", timezone("z", (("payload" -> 'a') ->> -1)))`},
	{`payload->>(a AT TIME ZONE z)`, `("payload" ->> timezone("z", "a"))`},
	{`a::timestamp AT TIME ZONE (b || c)`, `timezone(("b" || "c"), CAST("a" AS TIMESTAMP))`},
	{`extract(hour FROM a AT TIME ZONE ?)`, `extract('hour', timezone(?1, "a"))`},
	{`a + INTERVAL '1 day'`, `("a" + INTERVAL '1 day')`},
	{`a - INTERVAL ? + INTERVAL (2 * 3) HOUR`, `(("a" - INTERVAL ?1) + INTERVAL ((2 * 3)) hour)`},
	{`2 * INTERVAL '1' DAY`, `(2 * INTERVAL ('1') day)`},
	{`at + zone + functions`, `("at" + "zone" + "functions")`},
	{`a NOT ILIKE 'x!%' ESCAPE '!'`, `("a" NOT ILIKE 'x!%' ESCAPE '!')`},
	{`a ILIKE b || c AND d`, `(("a" ILIKE ("b" || "c")) AND "d")`},
	// comments
	{`1--1`, `1`},
	{"1 -- x\n + 2", `(1 + 2)`},
	{`/*! 1, */ 2 /* ' */`, `2`},
	{`/*!*/ 1`, `1`},
}

func TestExpressions(t *testing.T) {
	for _, e := range expressions {
		parsed, err := Parse("SELECT " + e.text)
		if !assert.NoError(t, err, e.text) {
			continue
		}
		results := parsed.Statement.(*Select).First.Results
		if assert.Len(t, results, 1, e.text) {
			assert.Equal(t, e.want, Render(results[0].Expr), e.text)
			assert.Empty(t, results[0].Alias, e.text)
		}
	}
}

// TestRenderingIsStable parses what was rendered: it must mean the same.
func TestRenderingIsStable(t *testing.T) {
	for _, text := range corpus() {
		parsed, err := Parse(text)
		if err != nil {
			continue
		}
		rendered := renderStatement(parsed.Statement)
		again, err := Parse(rendered)
		if assert.NoError(t, err, "%s\nrendered %s", text, rendered) {
			assert.Equal(t, rendered, renderStatement(again.Statement), text)
		}
	}
}

// corpus returns every text of the tables in the tests of this package.
func corpus() []string {
	var texts []string
	for _, e := range expressions {
		texts = append(texts, "SELECT "+e.text)
	}
	for _, s := range statements {
		texts = append(texts, s.text)
	}
	for _, m := range mistakes {
		texts = append(texts, m.text)
	}
	return append(texts, moreSeeds...)
}

// moreSeeds have the words of the grammar that no table has.
var moreSeeds = []string{
	"BEGIN DEFERRED TRANSACTION",
	"SELECT CAST(a AS CHARACTER VARYING(3)), b::TIMESTAMP WITHOUT TIME ZONE, LOCALTIME, LOCALTIMESTAMP",
	"SELECT t + INTERVAL 1 YEAR - INTERVAL 2 QUARTER + INTERVAL '3' WEEK, u - INTERVAL 4 MINUTE",
	"SELECT INTERVAL 5 SECOND, INTERVAL 6 MILLISECOND, INTERVAL 7 MICROSECOND",
}

// TestPlaces looks at the places of the nodes, which errors of later stages point at.
func TestPlaces(t *testing.T) {
	text := "SELECT (a) + f(b, c) FILTER (WHERE g), x NOT IN (1), CASE WHEN y THEN 2 END IS NULL, -z * 2"
	parsed, err := Parse(text)
	require.NoError(t, err)
	r := parsed.Statement.(*Select).First.Results
	at := func(pos Pos) string { return text[pos:min(int(pos)+4, len(text))] }

	sum := r[0].Expr.(*Nary)
	assert.Equal(t, "a) +", at(sum.At()))
	assert.Equal(t, "f(b,", at(sum.Terms[1].At()))
	assert.Equal(t, "g), ", at(sum.Terms[1].(*Call).Filter.At()))
	in := r[1].Expr.(*In)
	assert.Equal(t, "x NO", at(in.At()))
	assert.Equal(t, "NOT ", at(in.Pos))
	is := r[2].Expr.(*Binary)
	assert.Equal(t, "CASE", at(is.At()))
	assert.Equal(t, "IS N", at(is.Pos))
	assert.Equal(t, "NULL", at(is.Y.At()))
	product := r[3].Expr.(*Binary)
	assert.Equal(t, "* 2", at(product.Pos))
	assert.Equal(t, "-z *", at(product.At()))
}

func TestTextOfResults(t *testing.T) {
	parsed, err := Parse("SELECT count( * ) , (a)+b AS x, sum(c) FILTER (WHERE d) \"y z\", CASE WHEN 1 THEN 2 END, " +
		"DATE '2020-01-01' d, t.* FROM t")
	require.NoError(t, err)
	var got []string
	for _, r := range parsed.Statement.(*Select).First.Results {
		got = append(got, fmt.Sprintf("%s|%s|%s", r.Text, r.Alias, r.StarTable))
	}
	assert.Equal(t, []string{
		"count( * )||", "(a)+b|x|", "sum(c) FILTER (WHERE d)|y z|", "CASE WHEN 1 THEN 2 END||", "DATE '2020-01-01'|d|",
		"||t",
	}, got)
}

func TestParameters(t *testing.T) {
	for text, want := range map[string]Params{
		"SELECT 1":                          {},
		"SELECT ?, ?":                       {Count: 2},
		"SELECT $3, $1":                     {Count: 3},
		"SELECT :b, @a, :b":                 {Names: []string{"b", "a"}},
		"SELECT '?', \"?\" -- ?":            {},
		"INSERT INTO ? (type) VALUES (?)":   {Count: 2},
		"SELECT 1 FROM t AS OF POSITION ?9": {Count: 9},
	} {
		parsed, err := Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, parsed.Params, text)
		assert.Equal(t, text, parsed.Text)
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"":              nil,
		" ;; -- x\n ; ": nil,
		"SELECT 1":      {"SELECT 1"},
		" SELECT 1 ; /* ; */ SELECT ';' AS \";\";\n-- done": {"SELECT 1", `SELECT ';' AS ";"`},
		"SELECT ?; SELECT :a; BAD (":                        {"SELECT ?", "SELECT :a", "BAD ("},
		"\uFEFFSELECT 1;DESC a-b;SELECT 2":                  {"SELECT 1", "DESC a-b", "SELECT 2"},
	} {
		got, err := Split(text)
		assert.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	_, err := Split("SELECT 1;\nSELECT 'x")
	var syntax *SyntaxError
	require.ErrorAs(t, err, &syntax)
	assert.Equal(t, "2:8", fmt.Sprintf("%d:%d", syntax.Line, syntax.Column))
	for _, text := range []string{"!", "SELECT 1; )", "SELECT 1; x'", "SELECT /*"} {
		_, err := Split(text)
		assert.ErrorAs(t, err, &syntax, text)
		assert.NotContains(t, syntax.Msg, "internal error", text)
	}
}

// TestTextsWithManyMistakesGiveOne reads texts in which much is wrong: the first mistake is told
// of.
func TestTextsWithManyMistakesGiveOne(t *testing.T) {
	for text, column := range map[string]int{
		"SELECT a b c, (SELECT, 1 END FROM)":                             12,
		"WITH a AS (SELECT a b c FROM), a AS 1 SELECT IN LIMIT 1, 2, 3":  23,
		"SELECT 1 FROM (a b c, (d e f) g) h i j":                         20,
		"SELECT CASE END, END, CAST(a), a IN b FROM x.y.z LEFT JOIN u":   13,
		"INSERT INTO t (a, A) VALUES (), (1 2) EXPECTING, RETURNING a.b": 19,
		"EXPECT t NO, ANY, VERSION, NO EVENT FROM ?, NO EVENT FROM u x":  12,
		"SELECT 1 UNION, UNION 2 AS OF POSITION a AS OF POSITION b":      15,
		"SELECT SUM(a) OVER (b + ROWS x PARTITION c ORDER d), f(*, 1) 2": 23,
	} {
		_, err := Parse(text)
		var syntax *SyntaxError
		if assert.ErrorAs(t, err, &syntax, text) {
			assert.Equal(t, column, syntax.Column, "%s\n%v", text, err)
		}
	}
}

func TestByteOrderMark(t *testing.T) {
	parsed, err := Parse("\uFEFFSELECT type\v\f")
	require.NoError(t, err)
	assert.Equal(t, `SELECT "type"`, renderStatement(parsed.Statement))
}

func TestFlatChains(t *testing.T) {
	for _, op := range []string{"AND", "OR", "+", "||"} {
		parsed, err := Parse("SELECT a" + strings.Repeat(" "+op+" a", 40_000))
		require.NoError(t, err, op)
		n := parsed.Statement.(*Select).First.Results[0].Expr.(*Nary)
		assert.Len(t, n.Terms, 40_001, op)
	}
}

// TestWordsOfClausesAreNamesWhereAnOperandStands reads words that begin or end a clause elsewhere.
func TestWordsOfClausesAreNamesWhereAnOperandStands(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT a FROM t WHERE follow":                  `SELECT "a" FROM "t" WHERE "follow"`,
		"SELECT a FROM t ORDER BY desc DESC, - asc ASC": `SELECT "a" FROM "t" ORDER BY "desc" DESC, (- "asc")`,
		"SELECT offset OFFSET FROM t OFFSET offset": `SELECT "offset" AS "OFFSET" FROM "t" LIMIT -1 OFFSET ` +
			`"offset"`,
		"SELECT a IS NOT DISTINCT FROM from_ FROM t": `SELECT ("a" IS "from_") FROM "t"`,
		"SELECT f(a) filter FROM t over":             `SELECT f("a") AS "filter" FROM "t" AS "over"`,
		"SELECT SUM(a) OVER (ORDER BY rows ROWS 1 + range PRECEDING)": `SELECT sum("a") OVER (ORDER BY "rows" ROWS ` +
			`BETWEEN (1 + "range") PRECEDING AND CURRENT ROW)`,
		"SELECT window qualify, count(*) over FROM qualify window WHERE window": `SELECT "window" AS "qualify", count(*) AS "over" FROM "qualify" ` +
			`AS "window" WHERE "window"`,
		"SELECT ties, others FROM t WINDOW window AS (ORDER BY exclude) QUALIFY qualify": `SELECT "ties", "others" FROM "t" WINDOW "window" AS ` +
			`(ORDER BY "exclude") QUALIFY "qualify"`,
		"SELECT ignore ignore, respect FROM t qualify JOIN u window ON 1": `SELECT "ignore" AS "ignore", "respect" FROM "t" AS "qualify" ` +
			`JOIN "u" AS "window" ON 1`,
		"SELECT a FROM t JOIN u ON LEFT(a, 1) = b LEFT JOIN v ON 1": `SELECT "a" FROM "t" JOIN "u" ON (left("a", 1) ` +
			`= "b") ` +
			`LEFT JOIN "v" ON 1`,
	} {
		parsed, err := Parse(text)
		if assert.NoError(t, err, text) {
			assert.Equal(t, want, renderStatement(parsed.Statement), text)
		}
	}
}
