package integration

import (
	"fmt"
	"strings"
	"testing"
)

func same(sql string, ordered bool) statement { return statement{sql: sql, ordered: ordered} }

// aggregates makes a statement with aggregates of all kinds.
func (g *generator) aggregates() statement {
	return []func() statement{
		g.sorted, g.sorted, g.sortedGroups, g.slidingTexts, g.groupingSets, g.groupingSets, g.groupAll, g.distinctRows,
		g.edges, g.spreads, g.percentiles,
	}[g.IntN(11)]()
}

// uniqueOrder is an ORDER BY inside of a call in which no two rows are equal.
func (g *generator) uniqueOrder() string {
	last := g.pick("position", "position DESC")
	if g.chance(30) {
		return " ORDER BY " + last
	}
	return " ORDER BY " + g.orderKey() + g.direction() + ", " + last
}

func (g *generator) filter() string {
	if g.chance(30) {
		return " FILTER (WHERE " + g.condition(1) + ")"
	}
	return ""
}

// member is a value that both take for JSON, or both do not.
func (g *generator) member() string {
	return g.oneOf(g.path, g.path, g.textLiteral, func() string { return g.numeric(0) },
		func() string { return g.pick("type", "stream", "position", "NULL", "version / 2.0") })
}

// sortedText is a call that puts a text together, of rows in an order.
func (g *generator) sortedText() string {
	order := g.uniqueOrder()
	switch g.IntN(6) {
	case 0:
		return "GROUP_CONCAT(" + g.any(1) + order + ")" + g.filter()
	case 1:
		return g.pick("GROUP_CONCAT", "string_agg") + "(" + g.any(1) + ", " +
			g.pick("'; '", "version", "type", "NULL", "''") + order + ")" + g.filter()
	case 2:
		return "json_group_array(" + g.member() + order + ")" + g.filter()
	case 3:
		return "json_group_object(" + g.pick("type", "stream", "position", "(payload ->> '$.s')") + ", " + g.member() +
			order + ")" + g.filter()
	case 4:
		x := g.pick("type", "stream", "version", "(payload ->> '$.n')")
		return g.pick("GROUP_CONCAT", "json_group_array") + "(DISTINCT " + x + " ORDER BY " + x + g.direction() + ")" +
			g.filter()
	}
	return g.pick("COUNT", "MAX", "MIN") + "(" + g.any(1) + order + ")" + g.filter()
}

func (g *generator) sorted() statement {
	return same("SELECT "+g.list(1, 3, g.sortedText)+" FROM "+g.table()+g.where(), true)
}

func (g *generator) sortedGroups() statement {
	return same("SELECT "+g.key()+" AS k, "+g.list(1, 2, g.sortedText)+" FROM "+g.table()+g.where()+" GROUP BY 1", false)
}

func (g *generator) slidingTexts() statement {
	f := g.pick("GROUP_CONCAT(type)", "string_agg(version, '-')", "json_group_array(payload ->> '$.s')",
		"json_group_object(version, type)", "json_group_array(position)")
	frame := g.pick("", " ROWS BETWEEN 3 PRECEDING AND CURRENT ROW", " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING",
		" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING")
	return same("SELECT position, "+f+g.filter()+" OVER ("+g.pick("", "PARTITION BY type ")+"ORDER BY position"+frame+
		") FROM "+g.table()+" WHERE position < 60 ORDER BY position", true)
}

// groupingSets is GROUP BY with several sets, which for SQLite are as many statements.
func (g *generator) groupingSets() statement {
	keys := []string{g.pick("type", "stream"), g.pick("version % 3", "version / 2"), g.pick("length(stream)",
		"(payload ->> '$.n') % 3", "position % 2")}
	clause, sets := g.groupingClause(keys)
	table, where, x := g.table(), g.where(), g.aggregate()
	ours := fmt.Sprintf("SELECT %s, grouping(%s), %s FROM %s%s GROUP BY %s", strings.Join(keys, ", "),
		strings.Join(keys, ", "), x, table, where, clause)
	var theirs []string
	for _, set := range sets {
		results, by, bits := "", []string{}, 0
		for i, k := range keys {
			bits *= 2
			if !set[i] {
				results += "NULL, "
				bits++
				continue
			}
			results += k + ", "
			by = append(by, k)
		}
		s := fmt.Sprintf("SELECT %s%d, %s FROM %s%s", results, bits, x, table, where)
		if len(by) > 0 {
			s += " GROUP BY " + strings.Join(by, ", ")
		}
		theirs = append(theirs, s)
	}
	return statement{sql: ours, theirs: strings.Join(theirs, " UNION ALL ")}
}

// groupingClause writes what stands behind GROUP BY, and tells which of three keys each set has.
func (g *generator) groupingClause(keys []string) (clause string, sets [][3]bool) {
	a, b, c := keys[0], keys[1], keys[2]
	switch g.IntN(5) {
	case 0:
		return "ROLLUP (" + strings.Join(keys, ", ") + ")",
			[][3]bool{{true, true, true}, {true, true, false}, {true, false, false}, {}}
	case 1:
		return "CUBE (" + a + ", (" + b + ", " + c + "))", [][3]bool{{true, true, true}, {true, false, false},
			{false, true, true}, {}}
	case 2:
		return fmt.Sprintf("GROUPING SETS ((%s, %s), %s, (%s), ())", a, b, c, c),
			[][3]bool{{true, true, false}, {false, false, true}, {false, false, true}, {}}
	case 3:
		return fmt.Sprintf("%s, ROLLUP (%s, %s)", a, b, c), [][3]bool{{true, true, true}, {true, true, false},
			{true, false, false}}
	}
	return fmt.Sprintf("GROUPING SETS (CUBE (%s), ROLLUP (%s)), %s", a, b, c), [][3]bool{{true, false, true},
		{false, false, true}, {false, true, true}, {false, false, true}}
}

func (g *generator) groupAll() statement {
	key, x, table, where := g.key(), g.aggregate(), g.table(), g.where()
	s := "SELECT " + key + " AS k, " + x + " AS v, type FROM " + table + where + " GROUP BY "
	return statement{sql: s + "ALL", theirs: s + "1, 3"}
}

func (g *generator) distinctRows() statement {
	a, b, from := g.any(1), g.any(1), g.table()
	where := g.where()
	and := " WHERE "
	if where != "" {
		and = where + " AND "
		if strings.Contains(where, " OR ") {
			and = " WHERE (" + strings.TrimPrefix(where, " WHERE ") + ") AND "
		}
	}
	return statement{sql: "SELECT COUNT(DISTINCT " + a + ", " + b + ") FROM " + from + where, ordered: true,
		theirs: "SELECT COUNT(*) FROM (SELECT DISTINCT " + a + " AS a, " + b + " AS b FROM " + from + and + "(" + a +
			") IS NOT NULL AND (" + b + ") IS NOT NULL)"}
}

// edges are the values of one row.
func (g *generator) edges() statement {
	x, y := g.any(1), g.orderKey()
	from := "(SELECT *, " + x + " AS x, " + y + " AS y FROM " + g.table() + g.where() + ") AS t"
	name, known, order := "FIRST(x ORDER BY y)", "", "y, position"
	switch g.IntN(5) {
	case 0:
		name, order = "LAST(x ORDER BY y)", "y DESC, position DESC"
	case 1:
		name, order = "FIRST(x ORDER BY y DESC NULLS LAST)", "y DESC NULLS LAST, position"
	case 2:
		name, known, order = g.pick("max_by", "arg_max")+"(x, y)", " AND y IS NOT NULL", "y DESC, position"
	case 3:
		name, known = g.pick("min_by", "arg_min")+"(x, y)", " AND y IS NOT NULL"
	}
	if g.chance(50) {
		return statement{sql: "SELECT " + name + " FROM " + from, ordered: true,
			theirs: "SELECT (SELECT x FROM " + from + " WHERE x IS NOT NULL" + known + " ORDER BY " + order + " LIMIT 1)"}
	}
	return statement{sql: "SELECT type, " + name + " FROM " + from + " GROUP BY type",
		theirs: "SELECT type, (SELECT x FROM " + from + " WHERE t.type = o.type AND x IS NOT NULL" + known + " ORDER BY " + order +
			" LIMIT 1) FROM " + strings.TrimSuffix(from, "t") + "o GROUP BY type"}
}

// spreads are variances of integers, which SQLite can compute exactly from sums.
func (g *generator) spreads() statement {
	x := g.pick("version", "position", "length(type)", "(position * 7919) % 101 - 50")
	square := "(COUNT(*) * SUM((" + x + ") * (" + x + ")) - SUM(" + x + ") * SUM(" + x + ")) * 1.0 / COUNT(*)"
	name, value := "var_pop", square+" / COUNT(*)"
	if g.chance(50) {
		name, value = g.pick("variance", "var_samp"), square+" / nullif(COUNT(*) - 1, 0)"
	}
	if g.chance(40) {
		name, value = strings.Replace(strings.Replace(name, "variance", "stddev", 1), "var", "stddev", 1), "sqrt("+value+")"
	}
	rest := " FROM " + g.table() + g.where() + " GROUP BY type"
	return statement{sql: "SELECT type, " + name + "(" + x + ")" + rest, theirs: "SELECT type, " + value + rest}
}

// percentiles are between two rows, which SQLite can number.
func (g *generator) percentiles() statement {
	x, p := g.pick("version", "position", "(payload ->> '$.f')", "(payload ->> '$.n')"),
		g.pick("0.5", "0", "1", "0.25", "0.9", "0.125")
	table, where := g.table(), g.where()
	numbered := "(SELECT x, ROW_NUMBER() OVER (ORDER BY x) - 1 AS i, COUNT(*) OVER () AS n FROM (SELECT " + x +
		" AS x FROM " + table + where + ") WHERE x IS NOT NULL)"
	if g.chance(40) {
		name := g.pick("percentile_disc(%s, %s)", "quantile(%s, %s)", "percentile_disc(%[2]s) WITHIN GROUP (ORDER BY %[1]s)")
		return statement{sql: "SELECT " + fmt.Sprintf(name, x, p) + " FROM " + table + where, ordered: true,
			theirs: "SELECT (SELECT x FROM " + numbered + " WHERE (i + 1.0) / n >= " + p + " ORDER BY i LIMIT 1)"}
	}
	name := g.pick("percentile_cont(%s, %s)", "quantile_cont(%s, %s)", "percentile_cont(%[2]s) WITHIN GROUP (ORDER BY %[1]s)",
		"percentile_cont(1 - %[2]s) WITHIN GROUP (ORDER BY %[1]s DESC)", "percentile(%s, 100 * %s)")
	if p == "0.5" {
		name = "median(%[1]s)"
	}
	return statement{sql: "SELECT " + fmt.Sprintf(name, x, p) + " FROM " + table + where, ordered: true,
		theirs: "SELECT (SELECT a.x + (b.x - a.x) * (" + p + " * (a.n - 1) - a.i) FROM " + numbered + " AS a JOIN " + numbered +
			" AS b ON b.i = min(a.i + 1, a.n - 1) WHERE a.i = CAST(" + p + " * (a.n - 1) AS INTEGER)) * 1.0"}
}

// TestSameAggregatesAsSQLite runs random aggregates on both: with ORDER BY inside, over several sets
// of groups, and those that SQLite needs other words for. EVENTFOLD_STATEMENTS sets how many.
func TestSameAggregatesAsSQLite(t *testing.T) {
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 60_000) / 2
	comparison{numbers: 6, statements: n, events: 300, next: (*generator).aggregates}.run(t)
}
