package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventfold/eventfold/internal/race"
	"github.com/eventfold/eventfold/internal/testenv"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// What a statement of a user who may only read may take: much more than the 64 MiB that it may
// hold, because the garbage collector lets memory double before it collects, and never more than
// this.
const (
	hostileMemory = 256 << 20
	hostileGrace  = time.Second // of processor time, beyond the context
	stuckAfter    = time.Minute // beyond the context, on whatever machine
)

// hostileTime is how long the context of a hostile statement lasts.
func hostileTime() time.Duration {
	if testenv.Torture() > 0 {
		return 2 * time.Second
	}
	return 200 * time.Millisecond
}

// nested writes f(f(...f(inner)...)).
func nested(f, inner string, depth int) string {
	return strings.Repeat(f+"(", depth) + inner + strings.Repeat(")", depth)
}

// list writes text n times, separated by commas; %d in it is the number.
func list(text string, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.ReplaceAll(text, "%d", strconv.Itoa(i)))
	}
	return b.String()
}

// chain writes WITH c0 AS (first), c1 AS (SELECT next FROM c0), ... SELECT last FROM the last one.
func chain(first, next, last string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "WITH c0 AS (SELECT %s)", first)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, ", c%d AS (SELECT %s FROM c%d)", i, next, i-1)
	}
	return fmt.Sprintf("%s SELECT %s FROM c%d", b.String(), last, n)
}

// doubled writes names of WITH of which each reads the one before twice.
func doubled(n int, last string) string {
	var b strings.Builder
	b.WriteString("WITH c0 AS (SELECT 1 AS x)")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, ", c%d AS (SELECT a.x FROM c%d a, c%d b)", i, i-1, i-1)
	}
	return fmt.Sprintf("%s SELECT %s FROM c%d", b.String(), last, n)
}

// endless writes a recursion that does not end.
func endless(first, next, more string) string {
	return "WITH RECURSIVE n (x) AS (SELECT " + first + " UNION ALL SELECT " + next + " FROM n" + more + ") SELECT COUNT(*) FROM n"
}

// What stands for texts of 15 and 64 MiB, which are put in when the statement is run.
const (
	veryLong = "{very long}"
	tooLong  = "{too long}"
)

const (
	long  = "printf('%.*c',16000000,'a')"
	large = "printf('%.*c',15000000 + length(type),'a')" // computed for every row
	rows  = " FROM $all"
)

// hostile are statements that would take all memory, or all time, if nothing held them back.
func hostile() map[string]string {
	return map[string]string{
		// what a serializable transaction notes
		"serializable, every row": "SELECT COUNT(*) FROM $all a WHERE NOT EXISTS (SELECT 1 FROM $all b WHERE b.stream = a.stream || a.version)",
		"serializable, two lists": "SELECT COUNT(*) FROM $all a WHERE NOT EXISTS (SELECT 1 FROM $all b " +
			"WHERE b.stream = a.stream || 'x' AND b.type = a.type || a.position AND b.payload->>'$.n' > 1)",
		"serializable, ids":       "SELECT COUNT(*) FROM $all a WHERE NOT EXISTS (SELECT 1 FROM $all b WHERE b.id = a.id AND b.type = 'None')",
		"serializable, many":      "SELECT COUNT(*) FROM $all WHERE stream IN (" + list("'stream-%d'", 100_000) + ")",
		"serializable, very long": "SELECT COUNT(*) FROM $all WHERE stream = '" + veryLong + "' OR type = '" + veryLong + "'",

		// texts
		"hex of hex":         "SELECT length(" + nested("hex", long, 10) + ")",
		"hex of hex of rows": "SELECT length(" + nested("hex", large, 10) + ")" + rows,
		"quote of quote":     "SELECT length(" + nested("quote", "'''' || "+long, 100) + ")",
		"upper of many":      "SELECT " + list("upper("+long+" || %d)", 1000),
		"upper of many rows": "SELECT " + list("length(upper("+large+" || %d))", 1000) + rows,
		"json_array doubles": chain("'aaaaaaaa' AS x", "json_array(x, x) AS x", "length(x)", 40),
		"concat doubles":     chain("'aaaaaaaa' AS x", "x || x AS x", "length(x)", 400),
		"replace doubles":    chain("'aaaaaaaa' AS x", "replace(x, 'a', 'aa') AS x", "length(x)", 400),
		"columns double": chain(list("'aaaaaaaa' AS x%d", 50), list("x%d || x%d AS x%d", 50), "length(x0)",
			40),
		"json_quote": "SELECT length(" +
			nested("json_quote", "CAST("+nested("json_quote", "'\"' || "+long, 1)+" AS TEXT) || ''", 30) + ")",
		"json_quote of controls": "SELECT length(json_quote(replace(" + long + ", 'a', char(1))))",
		"json_object":            "SELECT length(json_object(" + list("'k%d', "+large, 300) + "))" + rows,
		"json_extract": "SELECT length(json_extract('[\"' || " + large + " || '\"]'," +
			list("'$[0]'", 500) + "))" + rows,
		"json_extract of elements": "SELECT length(json_extract('[0' || replace(" + large + ", 'a', ',1') || ']'," +
			list("'$[%d]'", 500) + "))" + rows,
		"concat of many": "SELECT length(concat(" + list(large, 500) + "))" + rows,
		"max of many":    "SELECT length(max(" + list(large+"||%d", 500) + "))" + rows,
		"array of many":  "SELECT length(json_array(" + list(large, 500) + "))" + rows,
		"sorted by many": "SELECT 1" + rows + " ORDER BY " + list("upper("+large+"||%d)", 200),
		"printf widths":  "SELECT length(printf('" + strings.Repeat("%15000000d", 200) + "', 1))",
		"printf precision": "SELECT length(printf('%.15000000f', 1.5)), length(printf('%!.15000000e', 1.5)), " +
			"length(printf('%,.15000000d', 1))",
		"printf columns": "SELECT " + list("length(printf('%15000000d', length(type) + %d))", 100) + rows,
		"unused results": "SELECT COUNT(x) FROM (SELECT " + large + " AS x" + rows + ") AS t",
		"case of many":   "SELECT " + list("CASE WHEN length("+large+") > %d THEN 1 END", 300) + rows,
		"substr of rows": "SELECT substr(" + long + ", -length(type) - position)" + rows,
		"trim of rows":   "SELECT rtrim(" + long + " || position, '0123456789')" + rows,
		// views, which somebody else has defined; see hostileStore
		"views joined with themselves": "SELECT COUNT(*) FROM views.twice5 WHERE type <> 'x'",
		"views in sub-queries":         "SELECT (SELECT COUNT(*) FROM views.twice3 v WHERE v.position > e.position) FROM $all e",
		"long cast": "SELECT CAST(replace(" + large + ", 'a', '1') AS INTEGER) + replace(" + large +
			", 'a', '1')" + rows,
		"unhex": "SELECT unhex(" + nested("hex", large, 1) + ")" + rows,
		"strftime": "SELECT length(strftime(replace(" + long +
			", 'a', '%J'), type)), length(strftime(replace(printf('%.*c',7500000,'a'), 'a', '%J'), '2026-01-01'))",
		"date_format": "SELECT length(date_format('2026-01-01', replace(printf('%.*c',7500000 + " +
			"length(type),'a'), 'a', '%W')))" + rows,
		"char of many": "SELECT length(" + nested("json_quote", "char("+list("1", 30000)+")", 8) + ")",
		// groups
		"max by stream": "SELECT COUNT(*), SUM(length(m)) FROM (SELECT stream, max(printf('%.*c',100000,type)) " +
			"AS m" + rows + " GROUP BY stream) AS t",
		"max by position": "SELECT COUNT(*), SUM(length(m)) FROM (SELECT position, max(printf('%.*c',300000,type)) " +
			"AS m" + rows + " GROUP BY position) AS t",
		"last by stream": "SELECT COUNT(*), SUM(length(m)) FROM (SELECT stream, last(payload || " +
			"printf('%.*c',20000,'a')) AS m" + rows + " GROUP BY stream) AS t",
		"first by stream": "SELECT COUNT(*), SUM(length(m)) FROM (SELECT stream, first(printf('%.*c',20000,type)) " +
			"AS m" + rows + " GROUP BY stream) AS t",
		"group_concat": "SELECT length(group_concat(" + large + ")), length(group_concat(" + large + ", " + long +
			"))" + rows,
		"group by long": "SELECT COUNT(*) FROM (SELECT COUNT(*)" + rows +
			" GROUP BY printf('%1000000d', position)) AS t",
		"distinct long": "SELECT COUNT(DISTINCT printf('%1000000d', position)), COUNT(DISTINCT " + large + ")" +
			rows,
		"distinct of many": "SELECT COUNT(DISTINCT " + list(large+"||%d", 100) + ")" + rows,
		"select distinct":  "SELECT DISTINCT printf('%1000000d', position)" + rows,
		"group_concat in order": "SELECT length(group_concat(" + large + " ORDER BY type DESC)), " +
			"length(string_agg(type, " + large + " ORDER BY position))" + rows,
		"group_concat in order of many": "SELECT length(string_agg(type, ',' ORDER BY " +
			list("upper("+large+"||%d)", 100) + "))" + rows,
		"json_group_array": "SELECT length(json_group_array(replace(" + large + ", 'a', char(1)))), " +
			"length(json_group_object(type, " + large + "))" + rows,
		"json_group_array in order": "SELECT length(json_group_array(replace(" + large +
			", 'a', char(1)) ORDER BY position DESC))" + rows,
		"percentiles of long": "SELECT length(percentile_disc(" + large + ", 0.5)), length(mode(" + large + "))" + rows,
		"max_by of long": "SELECT COUNT(*) FROM (SELECT max_by(" + large + ", position), last(" + large + " ORDER BY " +
			large + ")" + rows + " GROUP BY stream) AS t",
		"median of pairs": "SELECT median(a.position * b.position) FROM $all a, $all b",
		"mode of pairs":   "SELECT mode(a.type || b.position) FROM $all a, $all b",
		"window median":   "SELECT SUM(m) FROM (SELECT median(position * 7919 % 10007) OVER (ORDER BY position) AS m" + rows + ") AS t",
		"window in order": "SELECT SUM(length(l)) FROM (SELECT GROUP_CONCAT(position ORDER BY type DESC) OVER (ORDER BY " +
			"position) AS l" + rows + ") AS t",
		"window json": "SELECT SUM(length(l)) FROM (SELECT json_group_array(payload) OVER (ORDER BY position) AS l" +
			rows + ") AS t",
		"cube": "SELECT COUNT(*) FROM (SELECT COUNT(*)" + rows + " GROUP BY CUBE (" + list("position % (2 + %d)", 12) +
			")) AS t",
		"rollup of long":    "SELECT COUNT(*) FROM (SELECT COUNT(*)" + rows + " GROUP BY ROLLUP (type, printf('%1000000d', position))) AS t",
		"rollup of rollups": "SELECT COUNT(*)" + rows + " GROUP BY " + list("ROLLUP ("+list("version + %d", 7)+")", 4),
		"very many sets":    "SELECT 1 GROUP BY " + list("GROUPING SETS ((1), (2))", 12) + ", " + list("version", 1800),
		"max of long":       "SELECT MAX(printf('%.*c',1000000,type)), MIN(" + large + ")" + rows + " GROUP BY type",
		"payloads sorted":   "SELECT payload, type" + rows + " ORDER BY payload DESC",
		"payloads nocase":   "SELECT MAX(payload COLLATE NOCASE)" + rows + " GROUP BY payload COLLATE NOCASE",
		"events sorted":     "SELECT event" + rows + " ORDER BY type, payload",
		"window": "SELECT SUM(length(l)) FROM (SELECT LAG(" + large + ") OVER (ORDER BY position) AS l" +
			rows + ") AS t",
		"window max": "SELECT SUM(length(l)) FROM (SELECT MAX(printf('%100000d', position)) OVER (ORDER BY " +
			"position ROWS BETWEEN 5 PRECEDING AND CURRENT ROW) AS l" + rows + ") AS t",
		"window concat": "SELECT SUM(length(l)) FROM (SELECT GROUP_CONCAT(type || printf('%1000d', 1)) OVER " +
			"(ORDER BY position ROWS BETWEEN 5000 PRECEDING AND CURRENT ROW) AS l" + rows + ") AS t",
		"window order": "SELECT ROW_NUMBER() OVER (PARTITION BY printf('%100000d', version) ORDER BY " +
			"printf('%100000d', position))" + rows,
		"window of equals": "SELECT GROUP_CONCAT(type) OVER (ORDER BY 1 RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW)" + rows,
		"window of equals, summed": "SELECT SUM(length(l)) FROM (SELECT GROUP_CONCAT(1) FILTER (WHERE version > 90) OVER (ORDER BY 1 " +
			"RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) AS l" + rows + ") AS t",
		"window to the end": "SELECT MAX(printf('%100000d', position)) OVER (ORDER BY position ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)" + rows,
		"window of slides":  "SELECT MIN(printf('%10000d', position)) OVER (ORDER BY version, position GROUPS BETWEEN 3000 PRECEDING AND 3000 FOLLOWING EXCLUDE TIES)" + rows,
		"window of months": "SELECT SUM(1) OVER (ORDER BY from_unixtime(position * 40000) RANGE BETWEEN INTERVAL 3 MONTH PRECEDING AND " +
			"INTERVAL 2 MONTH FOLLOWING EXCLUDE GROUP)" + rows,
		"window of texts":    "SELECT COUNT(*) OVER (ORDER BY printf('%100000d', position) RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW)" + rows,
		"windows with names": "SELECT " + list("NTH_VALUE(type, %d + 1) IGNORE NULLS OVER w%d", 2000) + rows + " WINDOW " + list("w%d AS (ORDER BY version, position ROWS %d PRECEDING)", 2000),
		"qualify": "SELECT COUNT(*) FROM (SELECT 1" + rows + " QUALIFY LAG(" + large + ") OVER (ORDER BY position) = type OR " +
			"RANK() OVER (ORDER BY version) > (SELECT COUNT(*) FROM $all a, $all b WHERE a.position + b.position > $all.position)) AS t",
		"in select": "SELECT COUNT(*)" + rows +
			" WHERE printf('%100000d', position) IN (SELECT printf('%100000d', position)" + rows + ")",
		"join on long": "SELECT COUNT(*) FROM $all a JOIN $all b ON printf('%100000d', a.position) = " +
			"printf('%100000d', b.position)",
		"join of all": "SELECT COUNT(*) FROM $all a, $all b, $all c WHERE a.type || b.type || c.type = 'x'",
		"correlated": "SELECT (SELECT max(printf('%.*c',1000000,b.type)) FROM $all b WHERE b.position <= " +
			"a.position)" + " FROM $all a",
		"union of long": "SELECT COUNT(*) FROM (SELECT " + large + " AS x" + rows + " UNION SELECT payload || " +
			large + rows + ") AS t",
		"kept twice": "WITH a AS (SELECT printf('%100000d', position) AS x" + rows +
			") SELECT COUNT(*) FROM a, a AS b",
		"columns of events": "SELECT " + list("payload || %d", 1000) + rows,
		"tags":              "SELECT " + list("tags || %d", 1000) + rows,
		// time
		"like": "SELECT " + long + " LIKE '%' || printf('%.*c',40000,'a') || 'b%'",
		"like of rows": "SELECT COUNT(*)" + rows + " WHERE " + large +
			" LIKE '%' || printf('%.*c',40000,'a') || 'b%'",
		"like of underscores": "SELECT " + long + " LIKE '%' || replace(printf('%.*c',20000,'x'), 'x', '_a') || 'b%'",
		"like of an end":      "SELECT " + long + " LIKE '%' || replace(printf('%.*c',20000,'x'), 'x', 'a_') || 'b'",
		"like of parts":       "SELECT " + long + " LIKE replace(printf('%.*c',20000,'x'), 'x', '%a') || 'b%'",
		"many likes": "SELECT " +
			list("length(printf('%.*c',1000+%d,'a') LIKE '%' || replace(printf('%.*c',20000,'x'), 'x', 'a%'))", 3000) +
			rows,
		"glob": "SELECT glob('*' || printf('%.*c',40000,'a') || 'b*', " + long + ")",
		"glob of classes": "SELECT glob('*' || replace(printf('%.*c',10000,'x'), 'x', '[a]') || 'b*', " + long +
			")",
		"glob of questions": "SELECT glob('*' || printf('%.*c',40000,'?') || 'b', " + long + ")",
		"glob of a class":   "SELECT glob('*[' || printf('%.*c',40000,'b') || ']*', " + long + ")",
		"regexp":            "SELECT " + long + " REGEXP '(a|b|ab)*(a?){900}c$'",
		"regexp of rows":    "SELECT COUNT(*)" + rows + " WHERE " + large + " REGEXP '(a|b|ab)*(a?){300}c$'",
		"regexp in bounds":  "SELECT " + long + " REGEXP '(a|b|ab)*(a?){200}c$'",
		"regexp of rows in bounds": "SELECT COUNT(*)" + rows + " WHERE " + large +
			" REGEXP '(a|b|ab)*(a?){200}c$'",
		"regexp of groups":      "SELECT 'x' REGEXP replace(printf('%.*c',40000,'a'),'a','(a|b)*')",
		"regexp of some groups": "SELECT " + long + " REGEXP replace(printf('%.*c',300,'a'),'a','(a|b)*')",
		"many regexps":          "SELECT " + list("'a%d' REGEXP '(a|b|%d){200}'", 3000),
		"many regexps of rows":  "SELECT " + list("type REGEXP '(a|b|%d){200}' || type", 2000) + rows,
		"replaced by groups": "SELECT length(regexp_replace(" + long +
			", replace(printf('%.*c',300,'a'),'a','(a|b)*') || 'c', 'x', 'g'))",
		"replaced to the end":  "SELECT length(regexp_replace(" + long + ", '(a.*z|a)', '\\0\\0', 'g'))",
		"replaced of rows":     "SELECT COUNT(*)" + rows + " WHERE regexp_replace(" + large + ", '(a.*z|a)', 'b', 'g') = type",
		"replaced by long":     "SELECT regexp_replace(" + long + ", 'a', " + long + ", 'g')",
		"replaced in bounds":   "SELECT length(regexp_replace(" + long + ", '(a|b|ab)*(a?){200}c$', 'x', 'g'))",
		"extracted":            "SELECT regexp_extract(" + long + ", '((a|b|ab)*)(a?){300}c$', 1)",
		"extracted of rows":    "SELECT " + list("regexp_extract(type || %d, '(a|b|%d){200}' || type)", 2000) + rows,
		"repeated":             "SELECT length(repeat(" + long + ", 9223372036854775807)), lpad('a', 9223372036854775807, " + long + ")" + rows,
		"repeated of rows":     "SELECT COUNT(*)" + rows + " WHERE repeat('ab', 4000000) = rpad(type, 8000000, 'é')",
		"reversed":             "SELECT reverse(" + large + ")" + rows + " ORDER BY 1",
		"split":                "SELECT split_part(" + long + ", 'a', 9000000) || split_part(" + long + ", 'a', -9000000)" + rows,
		"hashed":               "SELECT md5(" + long + ") || sha256(" + long + " || type)" + rows,
		"folded":               "SELECT COUNT(*)" + rows + " WHERE replace(" + large + ", 'a', 'É') ILIKE '%é%' || replace(printf('%.*c',20000,'x'), 'x', 'é_') || 'b%'",
		"folded pattern":       "SELECT COUNT(*)" + rows + " WHERE type ILIKE replace(printf('%.*c',20000,'x'), 'x', 'É') || type",
		"zones":                "SELECT COUNT(*)" + rows + " WHERE recorded_at AT TIME ZONE ('+' || printf('%02d', position % 24) || ':00') < '2020-01-01'",
		"no zones":             "SELECT recorded_at AT TIME ZONE " + long + rows,
		"zones of zones":       "SELECT COUNT(*)" + rows + " WHERE recorded_at" + strings.Repeat(" AT TIME ZONE 'Europe/Berlin'", 900) + " = 1",
		"many casts":           "SELECT type" + strings.Repeat("::TEXT", 30000) + rows,
		"900 casts":            "SELECT type" + strings.Repeat("::TEXT", 900) + rows,
		"intervals of many":    "SELECT recorded_at + (" + strings.TrimSuffix(strings.Repeat("INTERVAL 1 SECOND + ", 20000), "+ ") + ")" + rows,
		"long interval":        "SELECT recorded_at + CAST(" + long + " || ' days' AS INTERVAL)" + rows,
		"elements of elements": "SELECT length(json_extract(replace(printf('%.*c',9000,'x'), 'x', '[') || replace(printf('%.*c',9000,'x'), 'x', ']'), '$" + strings.Repeat("[*]", 900) + "'))" + rows,
		"all of large":         "SELECT payload -> '$[*]' AS all_of_it" + rows + " ORDER BY 1",
		"keys of many":         "SELECT json_keys('{' || replace(" + large + ", 'a', '\"a\":1,') || '\"b\":2}')" + rows,
		"trim": "SELECT length(trim(replace(printf('%.*c',5000000,'a'), 'a', 'é'), " +
			"replace(printf('%.*c',5000000,'a'), 'a', 'ü') || 'é'))",
		"rtrim": "SELECT length(rtrim(replace(printf('%.*c',5000000,'a'), 'a', 'é'), " +
			"replace(printf('%.*c',5000000,'a'), 'a', 'ü') || 'é'))",
		"unhex of others": "SELECT length(unhex(replace(" + long + ", 'a', 'z'), replace(" + long +
			", 'a', 'y') || 'z'))",
		"in of expressions": "SELECT COUNT(*)" + rows + " WHERE type IN (" + list("version || %d", 24000) + ")",
		"in of many":        "SELECT COUNT(*)" + rows + " WHERE type IN (" + list("'x%d'", 49000) + ")",
		"or of many": "SELECT COUNT(*)" + rows + " WHERE " +
			strings.TrimSuffix(strings.Repeat("version = position + 7 OR ", 16000), "OR "),
		"and of many": "SELECT COUNT(*)" + rows + " WHERE " +
			strings.TrimSuffix(strings.Repeat("version <> position + 7 AND ", 16000), "AND "),
		"sum of many": "SELECT SUM(" + strings.TrimSuffix(strings.Repeat("version + ", 49000), "+ ") + ")" +
			rows,
		"path of many": "SELECT json_extract(" + long +
			", '$' || replace(printf('%.*c',5000000,'x'), 'x', '[0]'))",
		"path too long":    "SELECT payload -> '$" + strings.Repeat("[0]", 100000) + "'" + rows,
		"paths of many":    "SELECT " + list("payload ->> '$.a%d'", 2000) + rows,
		"elements of many": "SELECT " + list("payload ->> '$[%d]'", 2000) + rows,
		"from the end": "SELECT json_extract(replace(printf('%.*c',5000000,'x'), 'x', '[') || " +
			"replace(printf('%.*c',5000000,'x'), 'x', ']'), '$" + strings.Repeat("[#-1]", 900) + "')" + rows,
		"deep json": "SELECT json_valid(replace(" + long + ", 'a', '[')), json_valid('[' || replace(" +
			large + ", 'a', '1,') || '1]')" + rows,
		"instr": "SELECT instr(" + large + ", printf('%.*c',7000000,'a') || 'b'), replace(" + large +
			", printf('%.*c',1000000,'a') || 'b', 'c')" + rows,
		"length of rows": "SELECT length(" + long + ") + unicode(" + long + ") + instr(" + long + ", type)" +
			rows,
		"left and right": "SELECT left(" + long + ", 7000000 + length(type)), right(" + long +
			", length(type))" + rows,
		"compared": "SELECT COUNT(*)" + rows + " WHERE " + long + " || type COLLATE NOCASE > " + long +
			" || 'x' COLLATE NOCASE",
		"doubled names":       doubled(40, "COUNT(*)"),
		"doubled, correlated": "SELECT (" + doubled(30, "COUNT(*) + a.position") + ") FROM $all a",
		"explained":           "EXPLAIN " + doubled(60, "x"),
		"explained, analyzed": "EXPLAIN ANALYZE SELECT " + large + rows + " ORDER BY 1",
		// sets, recursions and stars
		"endless":               endless("1", "x + 1", ""),
		"endless, remembered":   strings.ReplaceAll(endless("1", "x + 1", ""), " ALL", ""),
		"endless, in order":     endless("1", "x + 1", " ORDER BY 1 DESC"),
		"endless, the same":     endless("1", "x", ""),
		"endless, doubling":     endless("'a'", "x || x", ""),
		"endless, branching":    endless("1", "x + b.y", ", (SELECT 1 AS y UNION ALL SELECT 2) AS b"),
		"endless, of long":      endless("'a'", "left("+long+", 15000000)", ""),
		"endless beside events": endless("1", "x + e.position", ", $all AS e"),
		"endless, joined":       strings.ReplaceAll(endless("1", "x + 1", ""), "COUNT(*) FROM n", "COUNT(*) FROM n, n AS m"),
		"recursion of rows": "SELECT (WITH RECURSIVE n (x) AS (SELECT a.position UNION ALL SELECT x + 1 FROM n " +
			"WHERE x < 100000000) SELECT COUNT(*) FROM n) FROM $all AS a",
		"recursions inside each other": strings.Repeat("WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + (", 60) + "SELECT 1" +
			strings.Repeat(") FROM n WHERE x < 9) SELECT MAX(x) FROM n", 60),
		"except of long":     "SELECT " + large + rows + " EXCEPT SELECT payload || " + large + rows,
		"intersect of rows":  "SELECT position, type" + rows + strings.Repeat(" INTERSECT ALL SELECT position, type"+rows, 499),
		"distinct on long":   "SELECT DISTINCT ON (printf('%1000000d', position)) type" + rows,
		"first of long":      "SELECT DISTINCT ON (position) printf('%.*c',1000000,type) AS x" + rows + " ORDER BY x DESC",
		"first by long":      "SELECT DISTINCT ON (type) position" + rows + " ORDER BY " + large,
		"stars of many":      "SELECT " + strings.TrimSuffix(strings.Repeat("* EXCLUDE (id) REPLACE (1 AS type), ", 5000), ", ") + rows,
		"excluding many":     "SELECT * EXCLUDE (" + list("x%d", 45000) + ")" + rows,
		"categories of many": "SELECT COUNT(*)" + rows + " WHERE category IN (" + list("'x%d'", 49000) + ")",
		"category of a long": "SELECT COUNT(*)" + rows + " WHERE category = " + long,
		// groups that are followed
		"followed by long":  "SELECT printf('%1000000d', position) AS k, COUNT(*)" + rows + " GROUP BY k FOLLOW",
		"followed distinct": "SELECT DISTINCT " + large + " || position AS x, change" + rows + " FOLLOW",
		"followed results": "SELECT position, as_of, MAX(" + nested("hex", large, 3) + ")" + rows +
			" GROUP BY position FOLLOW PROGRESS AFTER -1",
		"followed concat":     "SELECT group_concat(" + large + "), as_of" + rows + " FOLLOW AFTER 1000",
		"followed having":     "SELECT position, change" + rows + " GROUP BY position HAVING length(max(" + large + ")) < 0 FOLLOW",
		"followed from ahead": "SELECT COUNT(*)" + rows + " FOLLOW AFTER 9223372036854775806",
		"followed by many": "SELECT " + list("version + %d AS x%d", 1500) + rows + " GROUP BY " + list("x%d", 1500) +
			" FOLLOW",
		// functions in FROM, VALUES and joins
		"series": "SELECT COUNT(*) FROM generate_series(1, 1e18)",
		"series of series": "SELECT COUNT(*) FROM generate_series(1, 1000000000) a, " +
			"generate_series(a.value, 1000000000) b WHERE a.value + b.value < 0",
		"series that is kept": "SELECT COUNT(*) FROM $all e JOIN generate_series(1, 1e15) g ON g.value = e.position",
		"series of times":     "SELECT COUNT(*) FROM generate_series('0001-01-01', '9999-01-01', INTERVAL 1 MICROSECOND)",
		"json_each of many": "SELECT SUM(i.value) FROM $all, json_each('[' || replace(printf('%.*c',7000000,'a'), " +
			"'a', '1,') || '1]') AS i",
		"json_each of rows": "SELECT COUNT(i.value)" + rows + ", json_each('[\"' || " + large + " || '\"]') AS i",
		"json_tree of depth": "SELECT SUM(length(value)) FROM json_tree(replace(printf('%.*c',9000,'x'),'x','[') || '\"' || " +
			"printf('%.*c',14000000,'a') || '\"' || replace(printf('%.*c',9000,'x'),'x',']'))",
		"json_tree of long names": "SELECT SUM(length(fullkey)), MAX(path) FROM json_tree(replace(" +
			"printf('%.*c',9000,'x'), 'x', '{\"' || printf('%.*c',1000,'k') || '\":') || '1' || " +
			"replace(printf('%.*c',9000,'x'),'x','}'))",
		"full join":            "SELECT COUNT(*) FROM $all a FULL JOIN $all b ON a.payload || b.payload = 'x'",
		"full join of long":    "SELECT COUNT(*) FROM $all a FULL JOIN (SELECT " + large + " AS x" + rows + ") b ON a.type = b.x",
		"natural joins":        "SELECT COUNT(*) FROM $all NATURAL JOIN $all AS b NATURAL FULL JOIN $all AS c",
		"rows in select":       "SELECT COUNT(*)" + rows + " WHERE (payload, type) IN (SELECT payload || printf('%100000d', position), type" + rows + ")",
		"rows with NULL":       "SELECT COUNT(*)" + rows + " WHERE (version, NULL) IN (SELECT -1 - position, version" + rows + ")",
		"rows in many":         "SELECT COUNT(*)" + rows + " WHERE (type, version) IN (" + list("('x', version + %d)", 9000) + ")",
		"values of many":       "VALUES " + list("(%d, 'x')", 16000),
		"values of many texts": "VALUES " + list("("+large[:strings.Index(large, " + length")]+",'a'))", 1000),
		"lateral": "SELECT SUM(length(m)) FROM $all a, LATERAL (SELECT max(printf('%.*c',1000000,b.type)) AS m " +
			"FROM $all b WHERE b.position <= a.position) l",
		// erasing, which is refused before anything is read or computed
		"erased":            "ERASE FROM $all WHERE length(" + large + ") > 0 REASON 'x'",
		"erased for a long": "ERASE FROM $all WHERE TRUE REASON '" + veryLong + "'",
		"forgotten":         "FORGET SUBJECT " + nested("hex", long, 10) + " REASON " + long,
		// counting what would be erased
		"erase explained":           "EXPLAIN ERASE FROM $all WHERE TRUE REASON 'x'",
		"erase in pieces explained": "EXPLAIN ERASE FROM $all WHERE position % 2 = 0 REASON 'x'",
		"erase of many explained": "EXPLAIN ERASE FROM $all WHERE length(upper(" + large +
			")) > position REASON 'x'",
		"erase by many explained": "EXPLAIN ERASE FROM $all WHERE (SELECT COUNT(*) FROM $all a, $all b " +
			"WHERE a.position + b.position > $all.position) > 0 REASON 'x'",
		"erase by payload explained":  "EXPLAIN ERASE FROM $all WHERE json_array_length(payload) > 5 REASON 'x'",
		"erase for a long, explained": "EXPLAIN ERASE FROM $all WHERE TRUE REASON '" + veryLong + "'",
		"erase by a doubled name":     "EXPLAIN ERASE FROM $all WHERE position IN (" + doubled(40, "x") + ") REASON 'x'",
		// texts of statements
		"parentheses": "SELECT " + strings.Repeat("(", 99000),
		"closed":      "SELECT " + strings.Repeat("(", 49000) + "1" + strings.Repeat(")", 49000),
		"not not":     "SELECT " + strings.Repeat("NOT ", 99000) + "1",
		"minus minus": "SELECT " + strings.Repeat("- ", 99000) + "1",
		"case case":   "SELECT " + strings.Repeat("CASE WHEN 1 THEN ", 20000) + "1" + strings.Repeat(" END", 20000),
		"a or a":      "SELECT " + strings.TrimSuffix(strings.Repeat("a OR ", 49000), "OR "),
		"a minus a":   "SELECT " + strings.TrimSuffix(strings.Repeat("1 - ", 49000), "- "),
		"a times a":   "SELECT " + strings.TrimSuffix(strings.Repeat("1 * ", 900), "* ") + rows,
		"arrows":      "SELECT payload" + strings.Repeat(" -> 'a'", 900) + rows,
		"names":       chain("1 AS x", "x", "x", 8000),
		"unions":      strings.TrimSuffix(strings.Repeat("SELECT 1 UNION ", 20000), "UNION "),
		"500 unions":  strings.TrimSuffix(strings.Repeat("SELECT position FROM $all UNION ", 500), "UNION "),
		"sub-queries": strings.Repeat("SELECT * FROM (", 20000) + "SELECT 1" + strings.Repeat(") AS t", 20000),
		"140 sub-queries": strings.Repeat("SELECT * FROM (", 140) + "SELECT * FROM $all" +
			strings.Repeat(") AS t", 140),
		"nested selects":  strings.Repeat("SELECT (", 140) + "SELECT COUNT(*) FROM $all" + strings.Repeat(")", 140),
		"many columns":    "SELECT " + list("version + %d AS x%d", 2000) + rows + " ORDER BY " + list("x%d + 1", 20000),
		"many orders":     "SELECT " + list("version + %d", 2000) + rows + " ORDER BY " + list("version + %d", 20000),
		"many groups":     "SELECT " + list("version + %d", 2000) + rows + " GROUP BY " + list("version + %d", 20000),
		"many aggregates": "SELECT " + list("SUM(version + %d)", 2000) + rows,
		"more aggregates": "SELECT " + strings.TrimSuffix(strings.Repeat("SUM(version) + ", 15000), "+ ") + rows,
		"many windows":    "SELECT " + list("SUM(version + %d) OVER (ORDER BY position)", 2000) + rows,
		"windows alike":   "SELECT " + strings.TrimSuffix(strings.Repeat("SUM(version) OVER w + ", 9000), "+ ") + rows + " WINDOW w AS (ORDER BY position)",
		"windows of many": "SELECT " + strings.TrimSuffix(strings.Repeat("SUM(1) OVER w + ", 9000), "+ ") + rows + " WINDOW w AS (PARTITION BY " + list("version + %d", 8000) + ")",
		"window names":    "SELECT 1" + rows + " WINDOW " + list("w%d AS (PARTITION BY version + %d)", 6000),
		"joined tables": "SELECT COUNT(*) FROM " + list("$all AS t%d", 64) + " WHERE " +
			strings.TrimSuffix(strings.Repeat("t1.type = t2.type AND ", 4000), "AND "),
		"joined names":    "SELECT COUNT(*) FROM " + list("(SELECT 1 AS x) AS t%d", 64),
		"a long name":     "SELECT \"" + veryLong + "\"" + rows,
		"a long string":   "SELECT length(upper('" + veryLong + "'))" + rows,
		"a long comment":  "SELECT /*" + veryLong + "*/ 1 FROM",
		"a long number":   "SELECT 1" + veryLong + rows,
		"a long function": "SELECT " + strings.Repeat("x", 1<<20) + "(1)",
		"many errors":     "SELECT " + list("nonsense(%d)", 20000),
		"too long":        "SELECT '" + tooLong + "'",
	}
}

// TestHostileStatementsHurtNobodyElse: whatever a user who may only read asks for, the process that
// asks it takes little more memory than it was given, and stops soon after it is told to.
func TestHostileStatementsHurtNobodyElse(t *testing.T) {
	if dsn := testenv.Get("EVENTFOLD_TEST_HOSTILE"); dsn != "" {
		runHostile(dsn)
		return
	}
	if race.Enabled || testing.Short() {
		t.Skip("-short, -race: measures memory and processor time; .ci/run runs it without -race")
	}
	dir := hostileStore(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // of a child that is stuck
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHostileStatementsHurtNobodyElse$")
	child.Env = append(os.Environ(), "EVENTFOLD_TEST_HOSTILE=file:"+dir+"?mode=ro&query_memory=64MiB")
	out, err := child.CombinedOutput()
	told := string(out)
	t.Log(told)
	require.NoError(t, err, "the process with the statements has died:\n%s", told[max(0, len(told)-4000):])
	tried := 0
	for line := range strings.Lines(told) {
		if strings.HasPrefix(line, "statement ") {
			tried++
		}
		if strings.Contains(line, "BAD") {
			t.Error(line)
		}
	}
	assert.Equal(t, len(hostile()), tried, "not every statement was tried")
}

// hostileStore makes a store of some thousand streams, with a few large payloads.
func hostileStore(t *testing.T) string {
	dir := t.TempDir()
	db := openDB(t, dir+"?sync=interval")
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Raw(func(c any) error {
		store := c.(*eventfold.Conn).Store()
		for i := range 4000 {
			a := eventfold.Append{Stream: fmt.Sprintf("stream-%d", i)}
			for k := range 5 {
				a.Events = append(a.Events,
					eventfold.NewEvent{Type: fmt.Sprintf("T%d", k), Tags: []string{"tag", "tog"},
						Payload: fmt.Appendf(nil, `{"n": %d, "list": [1, 2, 3, {"deep": [%d]}], "text": "%s"}`, i, k,
							strings.Repeat("x", 100))})
			}
			if _, err := store.Append(context.Background(), a); err != nil {
				return err
			}
		}
		for i := range 40 {
			body := "[" + strings.Repeat("1,", 250_000) + strconv.Itoa(i) + "]"
			a := eventfold.Append{Stream: "large", Events: []eventfold.NewEvent{{Type: "Large", Payload: []byte(body)}}}
			if _, err := store.Append(context.Background(), a); err != nil {
				return err
			}
		}
		return nil
	}))
	mustExec(t, db, "CREATE VIEW twice0 AS SELECT position, type FROM $all")
	for i := range 5 {
		mustExec(t, db, fmt.Sprintf("CREATE VIEW twice%d AS "+
			"SELECT a.position, b.type FROM views.twice%d a JOIN views.twice%d b ON a.type = b.type", i+1, i, i))
	}
	return dir
}

// runHostile runs the statements one after the other and says of each what it took.
func runHostile(dsn string) {
	db, err := sql.Open("eventfold", dsn)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	for _, name := range slices.Sorted(maps.Keys(hostile())) {
		text := hostile()[name]
		for mark, size := range map[string]int{veryLong: 15 << 20, tooLong: 64 << 20} {
			if before, after, found := strings.Cut(text, mark); found {
				text = before + strings.Repeat("1", size) + after
			}
		}
		if o := testenv.Get("EVENTFOLD_ONLY"); o != "" && !strings.Contains(name, o) {
			continue
		}
		if o := testenv.Get("EVENTFOLD_FROM"); name < o {
			continue
		}
		runtime.GC()
		debug.FreeOSMemory()
		// begins the peak anew; if it may not, the peak is of all statements
		os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
		fmt.Printf("statement %s: ", name)
		stuck := time.AfterFunc(hostileTime()+stuckAfter, func() { panic("stuck in " + name) }) // which shows where
		before, began := cpuTime(), time.Now()
		over, err := runLimited(db, text, strings.HasPrefix(name, "serializable"))
		stuck.Stop()
		took, peak := cpuTime()-before, peakMemory()
		bad := ""
		refused := errors.Is(err, eventfold.ErrReadOnly) // and not for what it would have computed
		if peak > hostileMemory || over > hostileGrace || refused != strings.HasPrefix(text, "ERASE") {
			bad = "BAD "
		}
		fmt.Printf("%s%d MiB, %v, %v of processor time, %v after its end: %.150q\n", bad, peak>>20,
			time.Since(began).Round(time.Millisecond), took.Round(time.Millisecond), over.Round(time.Millisecond),
			fmt.Sprint(err))
	}
}

// runLimited reads all rows of a statement, in a serializable transaction or by itself, and tells how
// much processor time it took after its context had ended.
func runLimited(db *sql.DB, text string, inTx bool) (over time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), hostileTime())
	defer cancel()
	var ended atomic.Int64
	stop := context.AfterFunc(ctx, func() { ended.Store(int64(cpuTime())) })
	if !inTx {
		err = readEverything(ctx, db, text)
	} else if tx, berr := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable}); berr == nil {
		err = readEverything(ctx, tx, text)
		tx.Rollback()
	} else {
		err = berr
	}
	stop()
	if at := ended.Load(); at != 0 {
		over = cpuTime() - time.Duration(at)
	}
	return over, err
}

func readEverything(ctx context.Context, db interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, text string) error {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	dest := make([]any, len(columns))
	for i := range dest {
		dest[i] = new(sql.RawBytes)
	}
	for rows.Next() {
		if strings.HasPrefix(text, "SELECT event") {
			continue
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), io.EOF)
}

// cpuTime is what this process has taken of the processors.
func cpuTime() time.Duration {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// peakMemory is the most that was resident of this process.
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}
