package integration

import (
	"fmt"
	"strings"
	"testing"
)

// compound is two to four SELECTs joined by UNION, INTERSECT and EXCEPT, from left to right.
func (g *generator) compound() statement {
	columns := 1 + g.IntN(2)
	one := func() string {
		s := "SELECT " + g.setKey() + " AS k"
		if columns == 2 {
			s += ", " + g.pick("type", "version % 2", "1", "NULL") + " AS n"
		}
		return s + " FROM " + g.table() + g.where()
	}
	s := one()
	operators := 1 + g.IntN(3)
	for range operators {
		s += g.pick(" UNION ", " UNION ALL ", " INTERSECT ", " INTERSECT ", " EXCEPT ", " EXCEPT ") + one()
	}
	how := g.IntN(4)
	if operators > 1 && strings.Contains(s, "NOCASE") {
		// Which of the texts stays that are equal is said by nobody, and SQLite, which merges in the order
		// of one collation what it compares by another, gives a row of a UNION twice.
		how = 1
	}
	switch how {
	case 0:
		return statement{sql: s + g.pick(" ORDER BY k", " ORDER BY 1 DESC"), loose: true}
	case 1:
		return statement{sql: "SELECT COUNT(*), COUNT(k) FROM (" + s + ") AS t", ordered: true}
	case 2:
		return statement{sql: `SELECT position FROM "$all" WHERE type IN (SELECT k FROM (` + s + ") AS t)", loose: true}
	}
	return statement{sql: s, loose: true}
}

// setKey is an expression of which rows of two SELECTs often have the same.
func (g *generator) setKey() string {
	return g.oneOf(
		func() string { return "type" }, func() string { return "type COLLATE NOCASE" },
		func() string { return "stream" }, func() string { return "version" }, func() string { return "version % 4" },
		func() string { return "position % 7" }, func() string { return "(payload ->> '$.n') % 5" },
		func() string { return "(payload ->> '$.s')" }, func() string { return "(payload -> '$.l[0]')" },
		func() string { return "version * 1.0" }, func() string { return g.any(1) },
	)
}

// recursive is a WITH RECURSIVE that ends.
func (g *generator) recursive() statement {
	return []func() statement{g.counting, g.counting, g.walking, g.branching, g.circling}[g.IntN(5)]()
}

// counting counts up, with a column that is made of those of the row before.
func (g *generator) counting() statement {
	next := g.pick("y", "y + 1", "x || y", "y * 2.5", "NULL", "x % 3", "coalesce(y, 'n') || 'x'", "(SELECT MAX(version) FROM \"$all\" WHERE version < x)")
	first := g.pick("1", "NULL", "'a'", "1.5", "(SELECT COUNT(*) FROM \"order-1\")")
	s := fmt.Sprintf("WITH RECURSIVE n (x, y) AS (SELECT %d, %s", g.IntN(3), first)
	if g.chance(30) {
		s += g.pick(" UNION ALL", " UNION") + " SELECT 2, " + g.pick("7", "'b'", "NULL")
	}
	all := g.pick("UNION ALL", "UNION")
	s += fmt.Sprintf(" %s SELECT x + %d, %s FROM n WHERE x < %d", all, 1+g.IntN(2), next, 2+g.IntN(9))
	if g.chance(25) {
		s += fmt.Sprintf(" %s SELECT x + 3, y FROM n WHERE x < 6", all)
	}
	return statement{sql: s + ") " + g.pick("SELECT x, y FROM n", "SELECT COUNT(*), COUNT(y), MAX(x) FROM n",
		"SELECT a.x, b.y FROM n AS a JOIN n AS b ON a.x = b.x", "SELECT x FROM n WHERE x IN (SELECT MIN(x) FROM n)",
		"SELECT x, COUNT(*) FROM n GROUP BY x HAVING x > 1"), loose: true}
}

// walking goes along the log, from event to event.
func (g *generator) walking() statement {
	join := g.pick("JOIN w ON ", "JOIN w ON ", "CROSS JOIN w WHERE ")
	from, end := `"$all" AS e `+join, ""
	if g.chance(30) { // which ends with the row that has no other
		from, end = `w LEFT JOIN "$all" AS e ON `, " WHERE w.p >= 0"
	}
	on := g.pick("e.position = w.p + 1", "e.position = w.p + 7", "e.stream = w.s AND e.version = w.v + 1 AND e.position > w.p",
		"e.position = w.p * 2 + 1 AND e.type <> 'closed'")
	return statement{sql: "WITH RECURSIVE w (p, v, s, x) AS (SELECT position, version, stream, " + g.any(1) + " FROM " + g.table() +
		fmt.Sprintf(" WHERE position < %d", 1+g.IntN(30)) + g.pick(" UNION ALL", " UNION") +
		" SELECT e.position, e.version, e.stream, " + g.pick("w.x", "e.type", "e.payload ->> '$.n'", "w.p + e.position") +
		" FROM " + from + on + end + ") " +
		g.pick("SELECT p, s, x FROM w", "SELECT s, COUNT(*), MAX(p), MIN(x) FROM w GROUP BY s", "SELECT DISTINCT x FROM w"),
		loose: true}
}

// branching walks through a tree in an order.
func (g *generator) branching() statement {
	order := g.pick("2 DESC, 1", "2, 1 DESC", "1", "length(name), 1", "depth DESC, name DESC")
	if order == "length(name), 1" { // ORDER BY takes results
		order = "2, 1"
	}
	limit := ""
	if g.chance(50) {
		limit = fmt.Sprintf(" LIMIT %d", 1+g.IntN(20))
		if g.chance(50) {
			limit += fmt.Sprintf(" OFFSET %d", g.IntN(5))
		}
	}
	return statement{sql: "WITH RECURSIVE t (name, depth) AS (SELECT 'r', 0 UNION ALL SELECT t.name || b.x, t.depth + 1 FROM t, " +
		"(SELECT DISTINCT substr(type, 1, 1) AS x FROM " + g.table() + ") AS b WHERE t.depth < 3 ORDER BY " + order + limit +
		") SELECT name, depth FROM t", ordered: true}
}

// circling ends where nothing is new.
func (g *generator) circling() statement {
	m := 2 + g.IntN(30)
	return statement{sql: fmt.Sprintf("WITH RECURSIVE c (x) AS (SELECT %d UNION SELECT (x * %d + %d) %% %d FROM c) SELECT x FROM c",
		g.IntN(m), 1+g.IntN(5), g.IntN(7), m), ordered: true}
}

// TestSameSetsAndRecursionsAsSQLite runs compound and recursive SELECTs on both.
// EVENTFOLD_STATEMENTS sets how many.
func TestSameSetsAndRecursionsAsSQLite(t *testing.T) {
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 80_000) / 4
	next := func(g *generator) statement { return []func() statement{g.compound, g.recursive}[g.IntN(2)]() }
	comparison{numbers: 11, statements: n, events: 200, next: next, withRows: 50}.run(t)
}

// otherwise makes a statement that SQLite does not have, and another that says the same there.
func (g *generator) otherwise() statement {
	return []func() statement{g.first, g.counted, g.starred}[g.IntN(3)]()
}

// first is DISTINCT ON, which is the row with the number 1 of those that agree.
func (g *generator) first() statement {
	keys := g.pick("type", "stream", "version % 3", "stream, type", "(payload ->> '$.s')", "type COLLATE NOCASE", "position / 50, type")
	order := g.pick("", "type DESC, ", "version, ", "(payload ->> '$.n') DESC, ", "stream, ", "(payload ->> '$.s') NULLS LAST, ") +
		"position" + g.pick("", " DESC")
	results := "position, stream, " + g.any(1) + " AS x"
	rest := " FROM " + g.table() + g.where()
	limit := g.limit()
	inner := "SELECT " + results + ", row_number() OVER (PARTITION BY " + keys + " ORDER BY " + order + ") AS rn, " +
		"row_number() OVER (ORDER BY " + order + ") AS ro" + rest
	return statement{
		sql:     "SELECT DISTINCT ON (" + keys + ") " + results + rest + " ORDER BY " + order + limit,
		theirs:  "SELECT position, stream, x FROM (" + inner + ") WHERE rn = 1 ORDER BY ro" + limit,
		ordered: true, loose: true,
	}
}

// counted is INTERSECT ALL or EXCEPT ALL, where rows that are equal are told apart by a number.
func (g *generator) counted() statement {
	op := g.pick("INTERSECT", "EXCEPT")
	key := g.pick("type", "version", "stream || type", "position % 5", "(payload ->> '$.s')")
	left, right := " FROM "+g.table()+g.where(), " FROM "+g.table()+g.where()
	numbered := func(rest string) string {
		return "SELECT " + key + " AS k, row_number() OVER (PARTITION BY " + key + ") AS n" + rest
	}
	return statement{
		sql:    "SELECT " + key + " AS k" + left + " " + op + " ALL SELECT " + key + right,
		theirs: "SELECT k FROM (" + numbered(left) + " " + op + " " + numbered(right) + ")", loose: true,
	}
}

// starred is a * with EXCLUDE and REPLACE.
func (g *generator) starred() statement {
	x := g.any(1)
	rest := " FROM " + g.table() + g.where()
	return statement{
		sql:    "SELECT * EXCLUDE (id, recorded_at, tags, metadata) REPLACE (" + x + " AS payload)" + rest,
		theirs: "SELECT position, stream, version, type, " + x + " AS payload" + rest, loose: true,
	}
}

// TestWhatSQLiteSaysOtherwise compares statements that SQLite does not have with others that say the
// same there.
func TestWhatSQLiteSaysOtherwise(t *testing.T) {
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 60_000) / 6
	comparison{numbers: 12, statements: n, events: 200, next: (*generator).otherwise}.run(t)
}
