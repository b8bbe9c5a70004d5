package integration

import (
	"fmt"
	"strings"
	"testing"
)

// A twin is a piece of a statement as each side writes it: SQLite has no lists of columns behind an
// alias, no LATERAL, and here no generate_series.
type twin struct{ ours, theirs string }

func both(text string) twin { return twin{text, text} }

// together puts pieces together, %s standing for each.
func together(format string, parts ...twin) twin {
	ours, theirs := make([]any, len(parts)), make([]any, len(parts))
	for i, p := range parts {
		ours[i], theirs[i] = p.ours, p.theirs
	}
	return twin{fmt.Sprintf(format, ours...), fmt.Sprintf(format, theirs...)}
}

// tables makes a statement over functions, VALUES and all kinds of joins.
func (g *generator) tables() statement {
	s := []func() twin{g.smallJoin, g.smallJoin, g.smallJoin, g.jsonTable, g.jsonTable, g.jsonTable, g.lateral,
		g.rowValues, g.rowValues, g.inTable, g.valuesQuery, g.series}[g.IntN(12)]()
	out := statement{sql: s.ours, theirs: s.theirs, loose: true}
	if strings.Contains(s.ours, "SELECT *") {
		// SQLite makes a name of a column of the star that USING has merged, and does not find it
		out.slip = "ambiguous column name"
	}
	return out
}

// small is a literal of few different ones, which equal each other now and then.
func (g *generator) small() string {
	return g.pick("1", "2", "3", "4", "2.0", "'2'", "'a'", "'A'", "'b'", "NULL")
}

// values is VALUES as a table with the alias, whose columns have the names.
func (g *generator) values(alias string, names ...string) twin {
	row := func() string {
		return "(" + g.list(len(names), len(names), g.small) + ")"
	}
	text := "VALUES " + g.list(1, 5, row)
	var renamed []string
	for i, name := range names {
		renamed = append(renamed, fmt.Sprintf("column%d AS %s", i+1, name))
	}
	return twin{
		fmt.Sprintf("(%s) AS %s(%s)", text, alias, strings.Join(names, ", ")),
		fmt.Sprintf("(SELECT %s FROM (%s)) AS %s", strings.Join(renamed, ", "), text, alias),
	}
}

// smallJoin joins two to four tables of a few rows in every way.
func (g *generator) smallJoin() twin {
	n := 2 + g.IntN(3)
	from := g.smallTable(0)
	for i := 1; i < n; i++ {
		right := g.smallTable(i)
		if i+1 < n && g.chance(25) {
			i++
			right = together("(%s%s%s"+g.on(i-1, i)+")", right, both(g.joinWord()), g.smallTable(i))
			from = together("%s%s%s"+g.on(0, i), from, both(g.joinWord()), right)
			continue
		}
		switch {
		case g.chance(20):
			from = together("%s NATURAL%s%s", from, both(g.joinWord()), right)
		case g.chance(30):
			from = together("%s%s%s USING (k)", from, both(g.joinWord()), right)
		case g.chance(15):
			from = together("%s, %s", from, right)
		case g.chance(10):
			from = together("%s%s%s", from, both(g.joinWord()), right)
		default:
			from = together("%s%s%s"+g.on(g.IntN(i), i), from, both(g.joinWord()), right)
		}
	}
	list := g.pick("*", "t0.k, t1.v1, t0.v0, t1.k", "t1.k, t0.*", "COUNT(*), MIN(t0.v0), COUNT(t1.k)")
	where := ""
	if g.chance(40) {
		i := g.IntN(n)
		where = fmt.Sprintf(g.pick(" WHERE t%[1]d.k = 2", " WHERE t%[1]d.v%[1]d IS NULL", " WHERE t%[1]d.k IS NOT NULL",
			" WHERE coalesce(t%[1]d.k, 2) = 2", " WHERE (t%[1]d.k, t%[1]d.v%[1]d) > (1, 'a')", " WHERE 1 = 0",
			" WHERE t%[1]d.k IN (VALUES (2), ('a'))"), i)
	}
	return together("SELECT "+list+" FROM %s"+where, from)
}

func (g *generator) smallTable(i int) twin {
	return g.values(fmt.Sprintf("t%d", i), "k", fmt.Sprintf("v%d", i))
}

func (g *generator) joinWord() string {
	return g.pick(" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " FULL OUTER JOIN ", " INNER JOIN ")
}

// on is a condition on two of the tables.
func (g *generator) on(i, j int) string {
	return " ON " + fmt.Sprintf(g.pick("t%[1]d.k = t%[2]d.k", "t%[1]d.k = t%[2]d.k", "t%[1]d.v%[1]d = t%[2]d.k",
		"t%[1]d.k < t%[2]d.k", "t%[1]d.k = t%[2]d.k AND t%[2]d.v%[2]d IS NOT NULL", "t%[1]d.k = 2", "1",
		"(t%[1]d.k, t%[1]d.v%[1]d) = (t%[2]d.k, t%[2]d.v%[2]d)", "t%[2]d.k IS t%[1]d.k",
		"t%[1]d.k = t%[2]d.k AND t%[1]d.v%[1]d = 'a'"), i, j)
}

// jsonTable goes through the JSON of events.
func (g *generator) jsonTable() twin {
	f := g.pick("json_each", "json_each", "json_tree")
	x := g.pick("e.payload", "e.payload", "e.payload", "e.metadata", "e.tags", "e.payload -> '$.o'", "e.payload ->> '$.l'")
	if g.chance(50) {
		x += g.pick(", '$'", ", '$.o'", ", '$.l'", `, '$."a b"'`, ", '$.none'", ", NULL")
		if f == "json_each" && g.chance(30) { // of a tree there SQLite takes o.j for the key
			x = "e.payload" + g.pick(", '$.o.j'", ", '$.o.j[1].x'")
		}
	}
	call := fmt.Sprintf("%s(%s) AS i", f, x)
	cond := func() string {
		return g.pick("i.key = 'n'", "i.key = 1", "i.value > 3", "i.type = 'integer'", "i.atom IS NULL", "i.value = 'a'",
			"i.fullkey LIKE '$.o%'", "i.path = '$.o'", "i.value = e.version", "e.position < 40", "e.type = 'Opened'",
			"i.key IN (SELECT 'n')", "typeof(i.key) = 'integer'", "(i.type, i.key) > ('n', 'l')")
	}
	join := g.pick(", ", ", ", " JOIN ", " CROSS JOIN ", " LEFT JOIN ")
	on := ""
	if strings.Contains(join, " JOIN") && join != " CROSS JOIN " && g.chance(60) {
		on = " ON " + cond()
	}
	from := g.table() + " AS e" + join + call + on
	if g.chance(20) {
		from += `, json_each(i.json) AS o`
	} else if g.chance(20) {
		from += ` LEFT JOIN "order-1" AS o ON o.version = i.key AND o.type = e.type`
	} else {
		from += " LEFT JOIN (SELECT 'n' AS key, 1 AS x) AS o ON o.key = i.key"
	}
	where := ""
	if g.chance(70) {
		where = " WHERE " + cond()
		if g.chance(40) {
			where += " AND " + cond()
		}
	}
	list := g.pick("e.position, i.key, i.value, i.type", "e.position, i.fullkey, i.path, i.atom", "i.type, o.key",
		"COUNT(*), COUNT(i.key), MAX(i.fullkey), COUNT(o.key)", "e.stream, i.root, i.value, i.key, typeof(i.value)")
	if strings.Contains(from, `"order-1" AS o`) {
		list = "e.position, i.key, o.position"
	}
	if g.chance(20) {
		return both("SELECT i.type, COUNT(*), COUNT(DISTINCT i.key) FROM " + from + where + " GROUP BY i.type")
	}
	return both("SELECT " + list + " FROM " + from + where)
}

// lateral is a sub-query that reads the row before it; SQLite is given joins and scalar sub-queries.
func (g *generator) lateral() twin {
	left := g.pick(`"order-1"`, `"account-7"`) + " AS e"
	cond := g.pick("x.version = e.version", "x.version < e.version AND x.type = e.type", "x.position = e.position + 1")
	if g.chance(50) {
		return twin{
			"SELECT e.position, l.n, l.m FROM " + left + ", LATERAL (SELECT COUNT(*) AS n, MAX(x.version) AS m FROM " +
				`"order-2" AS x WHERE ` + cond + ") AS l",
			`SELECT e.position, (SELECT COUNT(*) FROM "order-2" AS x WHERE ` + cond + `), (SELECT MAX(x.version) FROM ` +
				`"order-2" AS x WHERE ` + cond + ") FROM " + left,
		}
	}
	join, extra := g.pick(" JOIN ", " LEFT JOIN "), g.pick("1", "e.type = 'Opened'", "x.type = 'Opened'")
	return twin{
		"SELECT e.position, x.position, x.type FROM " + left + join + "LATERAL (SELECT position, type FROM " +
			`"order-2" AS x WHERE ` + cond + ") AS x ON " + extra,
		"SELECT e.position, x.position, x.type FROM " + left + join + `"order-2" AS x ON ` + cond + " AND " + extra,
	}
}

// rowValues compares rows.
func (g *generator) rowValues() twin {
	n := 2 + g.IntN(2)
	row := func(item func() string) string { return "(" + g.list(n, n, item) + ")" }
	constant := func() string { return row(g.small) }
	columns := func() string {
		return row(func() string {
			return g.pick("version", "position", "type", "stream", "(payload ->> '$.n')", "(payload ->> '$.s')", "version % 3")
		})
	}
	few := func() string {
		return g.pick("SELECT "+g.list(n, n, func() string { return g.pick("version", "type", "stream", "position", "1") })+
			" FROM "+g.table()+" WHERE position < 60",
			"VALUES "+g.list(1, 4, constant))
	}
	x := columns()
	if g.chance(20) {
		x = constant()
	}
	cond := g.oneOf(
		func() string {
			return x + g.pick(" = ", " <> ", " < ", " <= ", " > ", " >= ", " IS ", " IS NOT ") + columns()
		},
		func() string {
			return x + g.pick(" = ", " <> ", " < ", " <= ", " > ", " >= ", " IS ", " IS NOT ") + constant()
		},
		func() string { return constant() + g.pick(" = ", " < ", " >= ") + columns() },
		func() string { return x + g.pick("", " NOT") + " IN (" + few() + ")" },
		func() string { return x + g.pick("", " NOT") + " IN (" + few() + ")" },
		func() string {
			return x + g.pick(" = ", " < ", " >= ", " IS ", " <> ") + "(" + few() + " ORDER BY 1, 2 LIMIT 1)"
		},
		func() string { return x + g.pick("", " NOT") + " BETWEEN " + constant() + " AND " + columns() },
		func() string {
			return "CASE " + x + " WHEN " + constant() + " THEN 1 WHEN " + columns() + " THEN 2 END IS NULL"
		},
		func() string { return "(" + x + " = " + columns() + ") IS NULL" },
		func() string {
			return "(position, version) " + g.pick("<", "<=", ">", ">=", "=") + fmt.Sprintf(" (%d, %d)", g.IntN(400), g.IntN(90))
		},
		func() string {
			return fmt.Sprintf("(%d, 'Opened') ", g.IntN(90)) + g.pick("<", "<=", ">", ">=", "=") + " (version, type)"
		},
	)
	if strings.Contains(cond, "VALUES") && strings.Contains(cond, "ORDER BY") {
		cond = x + " IN (" + few() + ")" // SQLite has no ORDER BY behind VALUES
		if strings.Contains(cond, "ORDER BY") {
			cond = "1"
		}
	}
	if g.chance(40) {
		return both("SELECT position, " + strings.ReplaceAll(cond, "WHERE position < 60", "WHERE position < 9") + " FROM " +
			g.table())
	}
	return both("SELECT position FROM " + g.table() + " WHERE " + cond)
}

// inTable looks values up in a name of WITH.
func (g *generator) inTable() twin {
	body := g.pick("SELECT type FROM "+g.table()+" WHERE position < 5", "VALUES ('Opened'), ('x'), (NULL)",
		"SELECT DISTINCT version % 4 FROM "+g.table(), "VALUES (1), (2.0), ('3')")
	x := g.pick("type", "version", "(payload ->> '$.n')", "version % 5")
	return both("WITH few(x) AS (" + body + "), two(x, y) AS (VALUES (1, 'Opened'), (2, 'Closed'), (NULL, 'Opened')) " +
		"SELECT position FROM " + g.table() + " WHERE " + x + g.pick(" IN few", " NOT IN few") +
		g.pick("", " AND (version % 3, type) IN two", " OR (version % 3, type) NOT IN two"))
}

// valuesQuery is VALUES in the places of a SELECT.
func (g *generator) valuesQuery() twin {
	n := 1 + g.IntN(3)
	rows := func() string {
		return "VALUES " + g.list(1, 4, func() string { return "(" + g.list(n, n, g.small) + ")" })
	}
	return both(g.oneOf(
		rows,
		func() string { return rows() + g.pick(" UNION ", " UNION ALL ") + rows() },
		func() string { return "SELECT * FROM (" + rows() + ") AS t WHERE column1 > 1" },
		func() string { return "SELECT column1, COUNT(*) FROM (" + rows() + ") GROUP BY column1" },
		func() string { return "WITH a AS (" + rows() + ") SELECT COUNT(*), MAX(column1) FROM a, a AS b" },
		func() string { return "SELECT position, (VALUES (version + 1)) FROM " + g.table() },
		func() string { return "SELECT position FROM " + g.table() + " WHERE EXISTS (VALUES (1))" },
	))
}

// series counts.
func (g *generator) series() twin {
	start, stop, step := g.IntN(30)-10, g.IntN(60)-20, g.IntN(9)-4
	if step == 0 {
		step = 1
	}
	op := "<="
	if step < 0 {
		op = ">="
	}
	s := twin{
		fmt.Sprintf("generate_series(%d, %d, %d) AS g", start, stop, step),
		fmt.Sprintf("(WITH RECURSIVE r(value) AS (SELECT %[1]d WHERE %[1]d %[4]s %[2]d UNION ALL SELECT value + %[3]d FROM r "+
			"WHERE value + %[3]d %[4]s %[2]d) SELECT value FROM r) AS g", start, stop, step, op),
	}
	table := both(g.table() + " AS e")
	return []func() twin{
		func() twin { return together("SELECT g.value, g.value % 3 FROM %s", s) },
		func() twin {
			return together("SELECT g.value, e.position FROM %s LEFT JOIN %s ON e.version = g.value", s, table)
		},
		func() twin {
			return together("SELECT g.value, e.position FROM %s JOIN %s ON e.version = g.value", table, s)
		},
		func() twin {
			return together("SELECT g.value, e.position FROM %s LEFT JOIN %s ON g.value > e.version WHERE e.position < 9", table, s)
		},
		func() twin {
			return together("SELECT COUNT(*), SUM(g.value) FROM %s, %s WHERE e.position < 20", table, s)
		},
		func() twin {
			return together("SELECT COUNT(*), SUM(e.version) FROM %s FULL JOIN %s ON e.version = g.value", s, table)
		},
		func() twin {
			return together("SELECT e.position FROM %s WHERE e.version IN (SELECT value FROM %s)", table, s)
		},
	}[g.IntN(7)]()
}

// TestSameTablesAsSQLite runs random statements over functions in FROM, VALUES, row values and every
// kind of join on both. EVENTFOLD_JOINS sets how many.
func TestSameTablesAsSQLite(t *testing.T) {
	n := budget(t, "EVENTFOLD_JOINS", 1000, 20_000)
	comparison{numbers: 14, statements: n, events: 120, next: (*generator).tables, refused: 25}.run(t)
}
