package integration

import (
	"fmt"
	"slices"
	"strings"
)

// A joinCase is a join of several tables while it is being generated. Their names are t1, t2 and so
// on.
type joinCase struct {
	*generator
	tables []string // by number
	small  []bool   // has few rows, so that it may be joined by what many rows have in common
	conds  []joinCond
	order  []int // the numbers, as the tables are written
}

// A joinCond is a condition and the numbers of the tables that it is about.
type joinCond struct {
	text   string
	tables []int
}

// maxSteps bounds how many rows a join goes through, as far as joinCase.steps can tell. SQLite takes
// less than a second for so many.
const maxSteps = 2_000_000

// joins joins three to six tables in any order, most of them linked by equalities, some by LEFT
// JOIN.
func (g *generator) joins() statement {
	for {
		c := &joinCase{generator: g}
		n := c.addTables()
		conds := slices.Clone(c.conds)
		from, where := c.from()
		shape, times := g.IntN(4), 1.0
		if shape == 2 { // once for each row outside
			times = float64(g.events) / 10
		}
		if c.steps(conds)*times <= maxSteps {
			return c.written(shape, n, from, where)
		}
		g.thrown++
	}
}

// addTables adds the tables and the conditions on them, and returns how many tables there are.
func (c *joinCase) addTables() int {
	g := c.generator
	n := 3 + g.IntN(4)
	for i := range n {
		c.addTable()
		if i > 0 && (g.chance(90) || !c.small[i]) {
			c.link(i)
		}
	}
	for range g.IntN(4) {
		c.restrict(g.IntN(n))
	}
	if g.chance(20) {
		c.link(1 + g.IntN(n-1))
	}
	return n
}

// steps estimates how many rows SQLite goes through if it takes the tables in the order in which they
// are written, and looks at all events for each row before.
func (c *joinCase) steps(conds []joinCond) (steps float64) {
	const equals = 4 // rows that have the same version: one of each stream
	rows := 1.0
	for i, table := range c.order {
		steps += rows * float64(c.events)
		linked := slices.ContainsFunc(conds, func(w joinCond) bool { return w.links(table, c.order[:i]) })
		switch {
		case linked:
			rows *= equals
		case c.small[table]:
			rows *= 9
		default:
			rows *= float64(c.events) / 3
		}
	}
	return steps + rows
}

// links reports whether the condition finds few rows of a table by those of tables before it.
func (w *joinCond) links(table int, before []int) bool {
	others := slices.DeleteFunc(slices.Clone(w.tables), func(i int) bool { return i == table })
	missing := func(i int) bool { return !slices.Contains(before, i) }
	return len(others) > 0 && len(others) < len(w.tables) && !slices.ContainsFunc(others, missing) &&
		strings.Contains(w.text, " = ") && !strings.Contains(w.text, "type") && !strings.Contains(w.text, "stream")
}

// written writes one of the shapes over n tables.
func (c *joinCase) written(shape, n int, from, where string) statement {
	g := c.generator
	var results []string
	for i := range n {
		results = append(results, fmt.Sprintf("t%d.position", i))
	}
	list := strings.Join(results, ", ")
	switch shape {
	case 0:
		return statement{
			sql:     "SELECT COUNT(*), COUNT(t0.version), SUM(t1.version), MAX(t2.position) FROM " + from + where,
			ordered: true,
		}
	case 1:
		return statement{sql: "SELECT " + list + ", t1.type FROM " + from + where}
	case 2:
		return statement{sql: "SELECT position, (SELECT COUNT(*) FROM " + from + correlated(where) +
			") FROM \"order-1\" AS o WHERE position < 40"}
	}
	return statement{
		sql:     "SELECT " + list + ", t0.type FROM " + from + where + " ORDER BY " + list + g.limit(),
		ordered: true,
	}
}

// correlated makes a sub-query's WHERE depend on the row of the enclosing query.
func correlated(where string) string {
	if where == "" {
		return " WHERE t0.version = o.version"
	}
	return where + " AND t0.version = o.version"
}

// addTable adds a table.
func (c *joinCase) addTable() {
	small := c.chance(60)
	text := c.pick(`"order-1"`, `"account-7"`, `(SELECT * FROM "$all" WHERE type = 'Opened')`, `"order-1"`)
	if small {
		text = c.pick(`(SELECT * FROM "$all" WHERE position < 9)`, `(SELECT * FROM "$all" WHERE version = 2)`,
			`(SELECT * FROM "order-2" WHERE version < 5)`,
			`(SELECT max(position) AS position, stream, max(version) AS version, 'Opened' AS type, NULL AS payload `+
				`FROM "$all" GROUP BY stream)`,
			`(SELECT * FROM "$all" WHERE position < 9)`, `"no such stream"`)
	}
	c.tables, c.small = append(c.tables, text), append(c.small, small)
}

// link adds an equality of table i and one before it.
func (c *joinCase) link(i int) {
	j := c.IntN(i)
	x, y := fmt.Sprintf("t%d.", i), fmt.Sprintf("t%d.", j)
	if c.chance(50) {
		x, y = y, x
	}
	tables := []int{i, j}
	text := c.oneOf(
		func() string { return x + "version = " + y + "version" },
		func() string { return x + "version = " + y + "version" },
		func() string { return x + "position = " + y + "position" },
		func() string { return x + "position = " + y + "position + 1" },
		func() string { return x + "version = " + y + "version + 1" },
		func() string { return x + "version || '' = " + y + "version || ''" },
		func() string { return x + "stream = " + y + "stream AND " + x + "version = " + y + "version" },
	)
	if c.small[i] && c.small[j] && c.chance(40) {
		text = c.pick(x+"stream = "+y+"stream", x+"type = "+y+"type", x+"type = "+y+"type COLLATE NOCASE",
			x+"position > "+y+"version", "1")
	}
	if k := c.IntN(i); k != j && c.chance(15) {
		text, tables = fmt.Sprintf("%sversion = %sversion + t%d.version - 1", x, y, k), append(tables, k)
	}
	for _, part := range strings.Split(text, " AND ") {
		c.conds = append(c.conds, joinCond{part, tables})
	}
}

// restrict adds a condition on table i alone.
func (c *joinCase) restrict(i int) {
	text := c.pick("%s.version = 2", "%s.type = 'Opened'", "%s.stream = 'order-1'", "%s.version < 4",
		"%s.version IN (1, 2)", "%s.payload IS NULL",
		"%s.position IS NULL", "3 = %s.version", "%s.type LIKE 'O%%'", "1 = 1", "coalesce(%s.version, 2) = 2")
	if strings.Contains(text, "%s") {
		text = fmt.Sprintf(text, fmt.Sprintf("t%d", i))
	}
	c.conds = append(c.conds, joinCond{text, []int{i}})
}

// from writes the tables in some order, and the conditions in ON or WHERE.
func (c *joinCase) from() (from, where string) {
	var done []int
	c.order = c.Perm(len(c.tables))
	for order := c.order; len(order) > 0; {
		n := 1
		if len(order) > 1 && c.chance(15) {
			n = 2 // in parentheses
		}
		text := c.item(order[:n])
		from += c.join(done, order[:n], text)
		done, order = append(done, order[:n]...), order[n:]
	}
	if rest := c.take(done, func(joinCond) bool { return true }); len(rest) > 0 {
		where = " WHERE " + strings.Join(rest, " AND ")
	}
	return from, where
}

// item writes a table, or two that are joined in parentheses.
func (c *joinCase) item(tables []int) string {
	text := fmt.Sprintf("%s AS t%d", c.tables[tables[0]], tables[0])
	if len(tables) == 1 {
		return text
	}
	on := c.take(tables, func(w joinCond) bool { return len(w.tables) > 1 && c.chance(70) })
	return fmt.Sprintf("(%s%s%s AS t%d ON %s)", text, c.pick(" JOIN ", " LEFT JOIN "), c.tables[tables[1]], tables[1],
		strings.Join(append(on, "1"), " AND "))
}

// join writes how an item is joined to what stands before it.
func (c *joinCase) join(before, tables []int, item string) string {
	kind := c.pick(", ", ", ", " JOIN ", " JOIN ", " CROSS JOIN ", " LEFT JOIN ")
	there := slices.Concat(before, tables)
	switch {
	case len(before) == 0:
		return item
	case kind == " LEFT JOIN ":
		on := c.take(there, func(w joinCond) bool {
			return slices.ContainsFunc(w.tables, func(i int) bool {
				return slices.Contains(tables, i)
			}) && !c.chance(15)
		})
		if i := tables[0]; len(on) == 0 && !c.small[i] {
			on = []string{fmt.Sprintf("t%d.version = t%d.version", i, before[0])}
		}
		return kind + item + " ON " + strings.Join(append(on, "1"), " AND ")
	case kind == " JOIN " && c.chance(20) && len(tables) == 1 && len(before) == 1:
		return kind + item + c.pick(" USING (version)", " USING (stream, version)")
	case kind == " JOIN ":
		return kind + item + " ON " + strings.Join(append(c.take(there, func(joinCond) bool {
			return c.chance(50)
		}), "1"), " AND ")
	}
	return kind + item
}

// take removes the conditions on tables that are there, as far as wanted says so, and returns their
// texts.
func (c *joinCase) take(done []int, wanted func(joinCond) bool) []string {
	var texts []string
	c.conds = slices.DeleteFunc(c.conds, func(w joinCond) bool {
		there := !slices.ContainsFunc(w.tables, func(i int) bool { return !slices.Contains(done, i) })
		if there = there && wanted(w); there {
			texts = append(texts, w.text)
		}
		return there
	})
	return texts
}
