package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A generator makes random statements of the dialect that SQLite understands too.
// It stays away from the documented deviations, which have tests of their own.
type generator struct {
	*rand.Rand
	alias string   // of the table whose columns are in scope, with a dot; "" for none
	free  bool     // no columns are in scope: constant expressions only
	times []string // literals for recorded_at, written as SQLite holds it
	views []randomView

	events int // how many there are, which bounds joins
	thrown int // joins that would have been too large
}

func (g *generator) oneOf(choices ...func() string) string { return choices[g.IntN(len(choices))]() }

func (g *generator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) column(name string) string {
	if g.free {
		return g.pick("1", "'x'", "NULL")
	}
	return g.alias + name
}

// list joins between least and most strings.
func (g *generator) list(least, most int, item func() string) string {
	items := make([]string, least+g.IntN(most-least+1))
	for i := range items {
		items[i] = item()
	}
	return strings.Join(items, ", ")
}

func (g *generator) integer() string {
	return g.oneOf(
		func() string { return fmt.Sprint(g.IntN(20)) },
		func() string { return fmt.Sprint(g.IntN(2000) - 1000) },
		func() string {
			return g.pick("0", "1", "-1", "9223372036854775807", "-9223372036854775807", "4294967296", "0x1F")
		},
	)
}

func (g *generator) real() string {
	return g.oneOf(
		func() string { return fmt.Sprintf("%.2f", g.Float64()*100-50) },
		func() string { return g.pick("0.0", "1.5", "-2.5", "1e3", "2.5e-3", "1e300", ".5", "3.") },
	)
}

func (g *generator) textLiteral() string {
	return g.pick("'Opened'", "'Deposited'", "'order-1'", "'a'", "'A'", "'b'", "''", "'12'", "'12abc'", "'-3.5'", "'é'",
		"'x''y'", "'100%'", "'a_b'", "' pad '")
}

// path gives a JSON operand: an extraction from the payload.
func (g *generator) path() string {
	op := g.pick("->>", "->>", "->>", "->")
	at := g.pick("'$.n'", "'$.n'", "'$.s'", "'n'", "'s'", "'$.f'", "'$.b'", "'$.z'", "'$.o.k'", "'$.l[0]'",
		"'$.l[#-1]'", "'$.l'", "'$.o'", "'$.none'", `'$."a b"'`)
	return "(" + g.column("payload") + " " + op + " " + at + ")"
}

// moment is a time as text: of an event, or any.
func (g *generator) moment() string {
	if !g.free && g.chance(50) {
		return g.column("recorded_at")
	}
	return g.pick("'2026-03-04 05:06:07'", "'2024-02-29'", "'1999-12-31T23:59:59.999Z'", "'2026-01-31 10:20'",
		"'12:30:45'", "'2026-07-01 00:00:00+02:00'", "'nonsense'", "NULL", "''")
}

func (g *generator) modifiers() string {
	return g.pick("", "", "", ", '+1 day'", ", '-3 months'", ", 'start of month'", ", 'start of year', '+2 hours'",
		", '+1.5 seconds'", ", 'weekday 1'", ", '+1 year', '-1 day'")
}

func (g *generator) document() string {
	return g.column(g.pick("payload", "payload", "payload", "metadata", "tags"))
}

func (g *generator) numeric(depth int) string {
	if depth <= 0 {
		return g.oneOf(g.integer, g.integer, g.real,
			func() string { return g.column("position") },
			func() string { return g.column("version") },
			func() string {
				if g.free {
					return g.integer()
				}
				return "(" + g.column("payload") + " ->> '$.n')"
			})
	}
	d := depth - 1
	return g.oneOf(
		func() string { return g.numeric(0) },
		func() string {
			return "(" + g.numeric(d) + g.pick(" + ", " - ", " * ", " / ", " % ") + g.numeric(d) + ")"
		},
		func() string {
			return g.numeric(d) + g.pick(" + ", " - ", " * ", " / ", " % ") + g.numeric(d) +
				g.pick(" + ", " - ", " * ") + g.numeric(0)
		},
		func() string { return "-(" + g.numeric(d) + ")" },
		func() string { return "abs(" + g.numeric(0) + ")" },
		func() string { return "length(" + g.text(d) + ")" },
		func() string { return "instr(" + g.text(d) + ", " + g.text(0) + ")" },
		func() string { return "CAST(" + g.any(d) + " AS " + g.pick("INTEGER", "REAL", "NUMERIC") + ")" },
		func() string { return "coalesce(" + g.list(2, 3, func() string { return g.numeric(d) }) + ")" },
		func() string { return "round(" + g.real() + ", " + g.pick("0", "1", "2") + ")" },
		func() string {
			return g.pick("max", "min") + "(" + g.list(2, 3, func() string { return g.numeric(d) }) + ")"
		},
		func() string { return "unicode(" + g.text(d) + ")" },
		func() string { return "sign(" + g.numeric(d) + ")" },
		func() string { return g.pick("unixepoch", "julianday") + "(" + g.moment() + g.modifiers() + ")" },
		func() string {
			return "CAST(strftime('" + g.pick("%Y", "%m", "%d", "%H", "%M", "%S", "%s", "%j", "%w") + "', " +
				g.moment() + g.modifiers() + ") AS INTEGER)"
		},
		func() string {
			if g.free {
				return "json_array_length('[1, [2], 3]')"
			}
			return "json_array_length(" + g.document() + g.pick("", ", '$.l'", ", '$.o.j'", ", '$.none'") + ")"
		},
	)
}

func (g *generator) text(depth int) string {
	if depth <= 0 {
		return g.oneOf(g.textLiteral, g.textLiteral,
			func() string { return g.column("type") },
			func() string { return g.column("stream") },
			func() string {
				if g.free {
					return g.textLiteral()
				}
				return "(" + g.column("payload") + " ->> '$.s')"
			})
	}
	d := depth - 1
	return g.oneOf(
		func() string { return g.text(0) },
		func() string { return "(" + g.any(d) + " || " + g.any(d) + ")" },
		func() string {
			return g.pick("upper", "lower", "trim", "ltrim", "rtrim", "hex", "quote", "typeof") + "(" + g.any(d) + ")"
		},
		func() string {
			return "substr(" + g.text(d) + ", " + fmt.Sprint(g.IntN(9)-4) + g.pick("", ", "+fmt.Sprint(g.IntN(6)-2)) +
				")"
		},
		func() string { return "replace(" + g.text(d) + ", " + g.textLiteral() + ", " + g.textLiteral() + ")" },
		func() string { return "CAST(" + g.any(d) + " AS TEXT)" },
		func() string { return "nullif(" + g.text(d) + ", " + g.text(d) + ")" },
		func() string { return "ifnull(" + g.any(d) + ", " + g.text(d) + ")" },
		func() string { return "iif(" + g.condition(d) + ", " + g.text(d) + ", " + g.text(d) + ")" },
		func() string { return g.pick("date", "time", "datetime") + "(" + g.moment() + g.modifiers() + ")" },
		func() string {
			return "strftime('" + g.pick("%Y-%m-%d", "%H:%M:%f", "%j %W %w", "%d/%m %%") + "', " + g.moment() +
				g.modifiers() + ")"
		},
		func() string {
			return "printf('" + g.pick("%5d|%s", "%-8s|%s", "%05.2f %s", "%x,%q", "%+d %Q", "%10.3e|%s", "%,d %s") +
				"', " + g.numeric(0) + ", " + g.text(0) + ")"
		},
		func() string {
			if g.free {
				return "json_type('[1]', '$[0]')"
			}
			return g.pick("json_type", "json_extract") + "(" + g.document() +
				g.pick(", '$.n'", ", '$.o'", ", '$.l[1]'", ", '$[0]'", ", '$.by'", ", '$'") + ")"
		},
		func() string { // not of a CAST, which here makes a text of JSON and in SQLite does not
			if g.free {
				return "json_quote(" + g.textLiteral() + ")"
			}
			return "json_quote(" + g.oneOf(g.path, g.textLiteral, func() string { return g.numeric(0) }) + ")"
		},
	)
}

func (g *generator) any(depth int) string {
	choices := []func() string{
		func() string { return g.numeric(depth) },
		func() string { return g.text(depth) },
		func() string { return "NULL" },
	}
	if !g.free {
		choices = append(choices, g.path, g.path)
	}
	if depth > 0 {
		d := depth - 1
		choices = append(choices,
			func() string { return "(" + g.condition(d) + ")" },
			func() string {
				return "CASE WHEN " + g.condition(d) + " THEN " + g.any(d) + " WHEN " + g.condition(d) + " THEN " +
					g.any(d) + g.pick(" END", " ELSE "+g.any(d)+" END")
			},
			func() string {
				return "CASE " + g.any(d) + " WHEN " + g.any(d) + " THEN " + g.any(d) + " ELSE " + g.any(d) + " END"
			},
		)
	}
	return g.oneOf(choices...)
}

// operand is something that may stand beside a comparison without parentheses.
func (g *generator) operand(depth int) string {
	return g.oneOf(
		func() string { return g.numeric(depth) },
		func() string { return g.text(depth) },
		func() string { return "(" + g.any(depth) + ")" })
}

func (g *generator) comparison(depth int) string {
	return g.operand(depth) + g.pick(" = ", " <> ", " < ", " <= ", " > ", " >= ", " IS ", " IS NOT ", " == ", " != ") +
		g.operand(depth)
}

func (g *generator) condition(depth int) string {
	if depth <= 0 {
		return g.comparison(0)
	}
	d := depth - 1
	not := g.pick("", "", "NOT ")
	return g.oneOf(
		func() string { return g.comparison(d) },
		func() string { return g.comparison(d) },
		func() string { return g.condition(d) + " AND " + g.condition(d) },
		func() string { return g.condition(d) + " OR " + g.condition(d) },
		func() string { return "NOT " + g.condition(d) },
		func() string { return "(" + g.condition(d) + ")" },
		func() string { return g.operand(d) + g.pick(" IS NULL", " IS NOT NULL", " ISNULL", " NOTNULL") },
		func() string {
			return g.operand(d) + " " + not + "IN (" + g.list(1, 4, func() string { return g.any(0) }) + ")"
		},
		func() string { return g.operand(d) + " " + not + "BETWEEN " + g.numeric(0) + " AND " + g.numeric(0) },
		func() string {
			return g.text(d) + " " + not + "LIKE " +
				g.pick("'O%'", "'%e%'", "'_pened'", "'order-_'", "'%'", "''", "'a\\_b' ESCAPE '\\'", "'É%'", "'X''Y'")
		},
	)
}

// bound is a condition that the planner can turn into a bound of the scan.
func (g *generator) bound() string {
	n := func() string { return fmt.Sprint(g.IntN(420) - 10) }
	return g.oneOf(
		func() string { return g.column("position") + g.pick(" < ", " <= ", " > ", " >= ", " = ") + n() },
		func() string { return n() + g.pick(" < ", " <= ", " > ", " >= ", " = ") + g.column("position") },
		func() string { return g.column("position") + " BETWEEN " + n() + " AND " + n() },
		func() string { return g.column("position") + " IN (" + g.list(1, 4, n) + ")" },
		func() string {
			return g.column("version") + g.pick(" < ", " <= ", " > ", " >= ", " = ") + fmt.Sprint(g.IntN(20))
		},
		func() string {
			return g.column("position") + g.pick(" < ", " >= ") + g.pick("12.5", "'17'", "'abc'", "NULL", "-3", "1e18")
		},
		func() string {
			return g.column("stream") + g.pick(" = ", " <> ", " > ") +
				g.pick("'order-1'", "'order-2'", "'account-7'", "'ORDER-1'", "'none'")
		},
		func() string { return g.column("stream") + " IN ('order-1', 'account-7', 'none')" },
		func() string {
			return g.column("stream") +
				g.pick(" LIKE 'order-%'", " LIKE 'ORDER-%'", " LIKE '%7'", " NOT LIKE 'order-%'")
		},
		func() string {
			return g.column("type") + g.pick(" = ", " <> ") + g.pick("'Opened'", "'Deposited'", "'opened'", "'none'")
		},
		func() string { return g.column("type") + " IN ('Opened', 'Closed')" },
		func() string {
			return g.column("type") + g.pick(" = ", " <> ", " < ", " >= ") + g.pick("'opened'", "'CLOSED'", "'none'") +
				" COLLATE NOCASE"
		},
		func() string {
			return g.column("recorded_at") + g.pick(" = ", " <> ", " < ", " <= ", " > ", " >= ") + g.time()
		},
		func() string { return g.time() + g.pick(" < ", " >= ") + g.column("recorded_at") },
		func() string { return g.column("recorded_at") + " BETWEEN " + g.time() + " AND " + g.time() },
		func() string { return g.column("recorded_at") + " IN (" + g.list(1, 3, g.time) + ")" },
		func() string { return "1 = 0" },
	)
}

// time is a literal that recorded_at can be compared with. SQLite compares texts, and so it is
// written as its texts are.
func (g *generator) time() string {
	if len(g.times) == 0 {
		return "'2026-01-01T00:00:00.000000Z'"
	}
	return "'" + g.times[g.IntN(len(g.times))] + "'"
}

func (g *generator) where() string {
	switch g.IntN(5) {
	case 0:
		return ""
	case 1:
		return " WHERE " + g.bound()
	case 2:
		return " WHERE " + g.bound() + " AND " + g.bound()
	case 3:
		return " WHERE " + g.bound() + " AND (" + g.condition(2) + ")"
	}
	return " WHERE " + g.condition(3)
}

func (g *generator) table() string {
	return g.pick(`"$all"`, `"$all"`, `"$all"`, `"order-1"`, `"account-7"`, `"no such stream"`)
}

func (g *generator) aggregate() string {
	filter := ""
	if g.chance(25) {
		filter = " FILTER (WHERE " + g.condition(1) + ")"
	}
	distinct := g.pick("", "", "DISTINCT ")
	return g.oneOf(
		func() string { return "COUNT(*)" + filter },
		func() string { return "COUNT(" + distinct + g.any(1) + ")" + filter },
		func() string { return g.pick("MIN", "MAX") + "(" + g.any(1) + ")" + filter },
		func() string { return "SUM(" + distinct + g.column("version") + ")" + filter },
		func() string {
			return g.pick("TOTAL", "AVG") + "(" + distinct + "(" + g.column("payload") + " ->> '$.n'))" + filter
		},
		func() string { return "SUM(" + g.column("payload") + " ->> '$.n')" + filter },
		func() string { return "SUM(length(" + g.text(0) + "))" + filter },
	)
}

// shown is an aggregate that is not compared with anything, and so may be a time.
func (g *generator) shown() string {
	if g.chance(10) {
		return g.pick("MIN", "MAX") + "(" + g.column("recorded_at") + ")"
	}
	return g.aggregate()
}

func (g *generator) key() string {
	return g.oneOf(
		func() string { return g.column("type") },
		func() string { return g.column("stream") },
		func() string { return "(" + g.column("payload") + " ->> '$.n') % 3" },
		func() string { return "(" + g.column("payload") + " ->> '$.s')" },
		func() string { return g.column("position") + " / 50" },
		func() string { return "substr(" + g.column("type") + ", 1, 1)" },
		func() string { return g.any(1) },
	)
}

func (g *generator) limit() string {
	switch g.IntN(4) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" LIMIT %d", g.IntN(12)-1)
	case 2:
		return fmt.Sprintf(" LIMIT %d OFFSET %d", g.IntN(12), g.IntN(8)-1)
	}
	return fmt.Sprintf(" LIMIT %d, %d", g.IntN(5), g.IntN(10))
}

func (g *generator) direction() string {
	return g.pick("", " ASC", " DESC", " DESC", " NULLS LAST", " DESC NULLS FIRST", " ASC NULLS LAST")
}

// A statement is a random query.
type statement struct {
	sql     string
	theirs  string // what SQLite is asked, where it needs other words; "" for the same
	before  string // what SQLite runs first; "" for nothing
	ordered bool   // its rows have one order only
	loose   bool   // 1 and 1.0 are the same: UNION keeps one of equal values, and nothing says which
	slip    string // a part of an error of SQLite alone that says nothing; "" for none
}

// statement makes one that needs no other words.
func (g *generator) statement() statement {
	return []func() statement{g.plain, g.plain, g.grouped, g.grouped, g.whole, g.distinct, g.derived, g.union, g.with,
		g.subquery, g.join, g.joins, g.window, g.compound, g.recursive}[g.IntN(15)]()
}

// anything makes a statement of any kind.
func (g *generator) anything() statement {
	return []func() statement{g.statement, g.statement, g.statement, g.statement, g.aggregates, g.aggregates,
		g.windows, g.tables, g.tables, g.otherwise}[g.IntN(10)]()
}

func (g *generator) plain() statement {
	s := "SELECT " + g.list(1, 3, func() string { return g.any(2) }) + ", position FROM " + g.table() + g.where()
	switch g.IntN(3) {
	case 0:
		return statement{sql: s}
	case 1:
		return statement{sql: s + " ORDER BY position" + g.pick("", " DESC") + g.limit(), ordered: true}
	}
	return statement{sql: s + " ORDER BY " + g.orderKey() + g.direction() + ", position" + g.limit(), ordered: true}
}

// orderKey is an expression that no ORDER BY could take for a constant: newer versions of SQLite
// lose the order of what comes after a constant DESC.
func (g *generator) orderKey() string {
	return g.oneOf(
		func() string { return g.column("type") },
		func() string { return g.column("stream") + " || " + g.text(1) },
		func() string { return "version % 4" },
		func() string { return "(" + g.column("payload") + " ->> '$.n') + " + g.numeric(1) },
		func() string { return "(" + g.column("payload") + " ->> '$.s')" },
		func() string { return "coalesce((" + g.column("payload") + " ->> '$.l[0]'), " + g.any(1) + ")" },
		func() string { return g.column("type") + " COLLATE NOCASE" },
		func() string { return g.column("recorded_at") },
	)
}

func (g *generator) grouped() statement {
	key := g.key()
	if g.chance(10) {
		key = "recorded_at"
	}
	s := "SELECT " + key + " AS k, " + g.list(1, 3, g.shown) + " FROM " + g.table() + g.where()
	if by := g.pick("k", "1", key); by == key && strings.Contains(key, "NULL") {
		s += " GROUP BY k" // SQLite makes the number 0 of 4 IS (NULL), and then takes it for that of a column
	} else {
		s += " GROUP BY " + by
	}
	if g.chance(30) {
		s += " HAVING " + g.aggregate() + g.pick(" > ", " < ", " IS NOT ") + g.integer()
	}
	if g.chance(60) {
		return statement{sql: s + " ORDER BY " + g.pick("", "+") + "1" + g.direction() + g.limit(), ordered: true}
	}
	return statement{sql: s}
}

func (g *generator) whole() statement {
	aggregate := func() string {
		if g.chance(15) {
			return "GROUP_CONCAT(" + g.pick("type", "DISTINCT type", "stream || version, '-'") + ")"
		}
		return g.shown()
	}
	return statement{sql: "SELECT " + g.list(1, 4, aggregate) + " FROM " + g.table() + g.where(), ordered: true}
}

func (g *generator) distinct() statement {
	key := g.key()
	s := "SELECT DISTINCT " + key + " AS k FROM " + g.table() + g.where()
	if g.chance(50) {
		return statement{sql: s + " ORDER BY k" + g.direction() + g.limit(), ordered: true}
	}
	return statement{sql: s}
}

func (g *generator) derived() statement {
	inner := "SELECT " + g.key() + " AS k, " + g.aggregate() + " AS v FROM " + g.table() + g.where() + " GROUP BY 1"
	return statement{sql: "SELECT k, v, " + g.pick("v IS NULL", "typeof(k)", "k || v", "v + 1") + " FROM (" + inner +
		") AS d" +
		g.pick("", " WHERE v > 1", " WHERE k IS NOT NULL", " WHERE d.k > 'a'") + g.pick("", " ORDER BY k")}
}

func (g *generator) union() statement {
	one := func() string { return "SELECT " + g.key() + " AS k, 1 AS n FROM " + g.table() + g.where() }
	s := one() + g.pick(" UNION ", " UNION ALL ") + one()
	if g.chance(30) {
		s += g.pick(" UNION ", " UNION ALL ") + one()
	}
	return statement{sql: s + g.pick("", " ORDER BY k", " ORDER BY 1 DESC, 2"), loose: true}
}

func (g *generator) with() statement {
	return statement{sql: "WITH a AS (SELECT type AS t, position AS p, " + g.any(1) + " AS x FROM " + g.table() +
		g.where() + "), " +
		"b AS (SELECT t, COUNT(*) AS n, MAX(p) AS last FROM a GROUP BY t) " +
		g.pick("SELECT * FROM b ORDER BY t", "SELECT t, n FROM b WHERE n > 3 ORDER BY n, t", "SELECT COUNT(*), "+
			"MIN(x), MAX(x) FROM a"), ordered: true}
}

func (g *generator) subquery() statement {
	inner := "(SELECT " + g.pick("MAX(position)", "COUNT(*)", "MIN(version)") + " FROM " + g.table() + g.where() + ")"
	outer := "SELECT position FROM \"$all\" AS o WHERE "
	return statement{sql: g.oneOf(
		func() string { return outer + "position < " + inner },
		func() string { return "SELECT " + inner + ", COUNT(*) FROM \"$all\"" },
		func() string {
			return outer + "type " + g.pick("", "NOT ") + "IN (" +
				g.pick("SELECT type FROM "+g.table()+g.where(), "(SELECT type FROM "+g.table()+")") + ")"
		},
		func() string {
			return outer + g.pick("", "NOT ") +
				"EXISTS (SELECT 1 FROM \"$all\" AS i WHERE i.stream = o.stream AND i.version = o.version + 1)"
		},
		func() string { return outer + g.pick("", "NOT ") + g.correlated() },
		func() string { return "SELECT position, " + g.correlated() + " FROM \"$all\" AS o" },
		func() string {
			return "SELECT position, (SELECT COUNT(*) FROM \"$all\" AS i WHERE i.type = o.type AND i.position < " +
				"o.position) FROM \"$all\" AS o WHERE o.position < 40"
		},
	)}
}

// correlated is a condition that looks for events by what they have in common with o's.
func (g *generator) correlated() string {
	from := g.pick("\"$all\" AS i", "\"order-1\" AS i", "(SELECT * FROM \"$all\" WHERE version > 2) AS i")
	equal := g.pick("i.stream = o.stream", "o.type = i.type", "i.payload ->> '$.n' = o.payload ->> '$.n'",
		"i.payload ->> '$.s' = o.payload ->> '$.s'", "i.version = o.version + 1", "i.payload ->> '$.n' = o.version",
		"i.type = o.type AND i.version = o.version", "o.type = lower(i.type)")
	rest := g.pick("", "", " AND i.version > 3", " AND i.type = 'Closed'", " AND i.payload ->> '$.n' > 5",
		" AND i.position > o.position")
	where := " FROM " + from + " WHERE " + equal + rest + ")"
	return g.pick("EXISTS (SELECT 1"+where, "EXISTS (SELECT COUNT(*)"+where, "EXISTS (SELECT DISTINCT i.type"+where,
		"o.type IN (SELECT i.type"+where, "o.payload ->> '$.s' NOT IN (SELECT i.payload ->> '$.s'"+where)
}

func (g *generator) join() statement {
	kind := g.pick(" JOIN ", " LEFT JOIN ", " INNER JOIN ")
	on := g.pick("a.stream = b.stream AND a.version = b.version + 1", "a.version = b.version", "a.type = b.type AND "+
		"a.position < 60",
		"(a.payload ->> '$.n') = (b.payload ->> '$.n')", "a.position = b.version AND b.type = 'Opened'")
	g.alias = g.pick("a.", "b.")
	extra := g.pick("", " WHERE "+g.bound())
	g.alias = ""
	return statement{sql: "SELECT a.position, b.position, b.type FROM " + g.table() + " AS a" + kind +
		`"order-1" AS b ON ` + on + extra +
		" ORDER BY a.position, b.position" + g.limit(), ordered: true}
}

func (g *generator) window() statement {
	over := "(PARTITION BY " + g.pick("type", "stream", "version % 3") + " ORDER BY " +
		g.pick("position", "version, position", "position DESC") + ")"
	f := g.pick("ROW_NUMBER()", "RANK()", "COUNT(*)", "SUM(version)", "LAG(type)", "LAG(version, 2, -1)",
		"LEAD(position)", "FIRST_VALUE(type)",
		"LAST_VALUE(position)", "AVG(version)", "MIN(type)", "DENSE_RANK()")
	if g.chance(25) {
		over = "(ORDER BY position ROWS BETWEEN " + g.pick("UNBOUNDED PRECEDING", "2 PRECEDING", "CURRENT ROW") +
			" AND " + g.pick("CURRENT ROW", "1 FOLLOWING", "UNBOUNDED FOLLOWING") + ")"
		f = g.pick("SUM(version)", "COUNT(*)", "MAX(position)", "FIRST_VALUE(position)", "LAST_VALUE(position)")
	}
	return statement{
		sql: "SELECT position, " + f + " OVER " + over + " AS w FROM " + g.table() + g.where() +
			" ORDER BY position" + g.limit(),
		ordered: true,
	}
}
