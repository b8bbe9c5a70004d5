package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An indexedForm makes statements that the indexes answer, or lead along the streams, and what EXPLAIN
// says of most of them.
type indexedForm struct {
	name string
	says string
	make func(g *generator) statement
}

var indexedForms = []indexedForm{
	{"groups of streams", "shortcut", func(g *generator) statement {
		return g.groups(g.pick("stream", "{category}", "substr(stream, 1, 3)", "stream, {category}"),
			g.pick("COUNT(*)", "COUNT(*), MAX(version)", "MIN(position), COUNT(*)", "MAX(version) - MIN(version), MAX(position)",
				"SUM(length(stream)), COUNT(DISTINCT {category})"),
			g.pick("", "", " WHERE stream LIKE 'o%'", " WHERE stream > 'b'", " WHERE {category} <> 'order'"))
	}},
	{"groups of types and times", "shortcut", func(g *generator) statement {
		return g.groups(g.pick("type", "date(recorded_at)", "type, date(recorded_at)", "strftime('%Y-%m', recorded_at)", "substr(type, 1, 1)"),
			g.pick("COUNT(*)", "COUNT(*), SUM(length(type))", "COUNT(DISTINCT type)", "SUM(type = 'Opened'), COUNT(*)"),
			g.pick("", "", " WHERE type <> 'Closed'", " WHERE type IN ('Opened', 'opened')", " WHERE position < 200"))
	}},
	{"windows of streams", "stream by stream", func(g *generator) statement {
		over := " OVER (PARTITION BY stream" + g.pick("", ", type") + " ORDER BY " + g.pick("version", "position", "position DESC", "type, version") + ")"
		return statement{sql: "SELECT position, " + g.pick("ROW_NUMBER()", "LAG(type)", "LEAD(version, 2, -1)", "SUM(version)", "COUNT(*)",
			"SUM(payload ->> '$.n')", "FIRST_VALUE(position)") + over + ` FROM "$all"` + g.pick("", "", " WHERE version % 3 <> 1", " WHERE type <> 'Closed'")}
	}},
	{"OFFSET behind types", "which are not read", func(g *generator) statement {
		return statement{ordered: true, sql: `SELECT position, version FROM "$all" WHERE ` +
			g.pick("type = 'Opened'", "type IN ('Closed', 'opened')", "type = 'Deposited' AND position >= 20") +
			g.pick("", " ORDER BY position DESC", " ORDER BY position") + fmt.Sprintf(" LIMIT %d OFFSET %d", 1+g.IntN(5), 1+g.IntN(60))}
	}},
	{"ranges of days", "times [", func(g *generator) statement {
		return statement{sql: `SELECT position, type FROM "$all" WHERE date(recorded_at) ` + g.pick("=", "=", "<", "<=", ">", ">=") +
			g.pick(" '2026-03-01'", " '2026-03-01'", " '2026-02-28'", " '2026-03-02'") + g.pick("", " AND version > 2", " AND type = 'Opened'")}
	}},
	{"joins of streams", "stream by stream", (*generator).joinedStreams},
	{"sub-queries of streams", "stream by stream", (*generator).semiStreams},
	{"remainders of positions", "modulo", func(g *generator) statement {
		every := 4 + g.IntN(40)
		return statement{sql: g.pick("SELECT position", "SELECT COUNT(*), MIN(position), MAX(position)", "SELECT position / 2, 'x'") +
			` FROM "$all" WHERE ` + fmt.Sprintf(g.pick("position %% %d = %d", "%[2]d = position %% %[1]d"), every, g.IntN(every)) +
			g.pick("", "", " AND position > 100", " AND position BETWEEN 7 AND 250")}
	}},
	{"columns of the indexes", "from the indexes", func(g *generator) statement {
		return statement{sql: "SELECT " + g.pick("position, version", "position, type", "MAX(version), COUNT(*), MIN(type)", "position, recorded_at") +
			` FROM "$all" WHERE ` + g.pick("version % 2 = 1", "type LIKE 'O%'", "version > 3 AND version < 30", "version < 9 AND type <> 'Closed'",
			"position % 3 = version % 3", "type = 'Opened' AND version % 2", "recorded_at > '2026-03-01T09:00:00.000100Z' AND version > 1")}
	}},
}

// groups is a SELECT with GROUP BY.
func (g *generator) groups(keys, values, where string) statement {
	text := "SELECT " + keys + ", " + values + ` FROM "$all"` + where + " GROUP BY " + keys
	const category = "CASE instr(stream, '-') WHEN 0 THEN stream ELSE substr(stream, 1, instr(stream, '-') - 1) END"
	return statement{sql: strings.ReplaceAll(text, "{category}", "category"), theirs: strings.ReplaceAll(text, "{category}", category)}
}

// joinedStreams joins two or three times the log by streams.
func (g *generator) joinedStreams() statement {
	on := func(x, y string) string {
		return x + ".stream = " + y + ".stream AND " + g.pick(x+".version = "+y+".version + 1", y+".version + 2 = "+x+".version",
			x+".version = "+y+".version", x+".version = "+y+".version + 1 AND "+x+".type <> "+y+".type",
			x+".type = "+y+".type AND "+x+".version = "+y+".version - 1")
	}
	from := `"$all" AS a ` + g.pick("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN") + ` "$all" AS b ON ` + on("b", "a")
	results := g.pick("a.position, b.position, b.type", "COUNT(*), SUM(b.version), MAX(a.type)", "a.type, b.type, b.version - a.version")
	if g.chance(30) {
		from += g.pick(" JOIN", " LEFT JOIN") + ` "$all" AS c ON ` + on("c", "a")
	}
	return statement{sql: "SELECT " + results + " FROM " + from +
		g.pick("", "", " WHERE a.version % 3 = 1", " WHERE b.type IS NULL OR b.type = 'Opened'", " WHERE a.type <> 'Closed' AND b.version < 40")}
}

// semiStreams asks for each event about others of its stream.
func (g *generator) semiStreams() statement {
	sub := ` FROM "$all" AS i WHERE i.stream = o.stream` + g.pick("", " AND i.version = o.version + 1", " AND o.version - 2 = i.version",
		" AND i.type = o.type AND i.version > 30") + g.pick("", " AND i.type = 'Opened'", " AND i.version % 4 = 1", " AND i.position < 90")
	cond := g.pick("EXISTS (SELECT 1", "NOT EXISTS (SELECT 1", "o.type IN (SELECT i.type", "o.type NOT IN (SELECT i.type") + sub + ")"
	text := ` FROM "$all" AS o WHERE ` + g.pick("", "o.version > 3 AND ", "o.type = 'Closed' OR ") + cond
	return statement{sql: g.pick("SELECT COUNT(*), MAX(position)"+text, "SELECT type, COUNT(*)"+text+" GROUP BY type",
		"SELECT position"+text+" ORDER BY version, position")}
}

// TestSameAnswersFromIndexesAsSQLite runs statements that read no events, or read them stream by stream,
// on both, and holds that most of them do. EVENTFOLD_STATEMENTS sets how many.
func TestSameAnswersFromIndexesAsSQLite(t *testing.T) {
	var ours querier
	made, met := map[string]int{}, map[string]int{}
	next := func(g *generator) statement {
		form := indexedForms[g.IntN(len(indexedForms))]
		s := form.make(g)
		steps, err := query(ours, "EXPLAIN "+s.sql)
		require.NoError(t, err, s.sql)
		made[form.name]++
		if strings.Contains(fmt.Sprint(steps), form.says) {
			met[form.name]++
		}
		return s
	}
	open := func(t *testing.T, g *generator, events int) asked {
		p := newPair(t, g.Rand, events)
		ours = p.ours
		return asked{ours: p.ours, theirs: p.theirs}
	}
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 80_000) / 8
	comparison{numbers: 23, statements: n, events: 300, next: next, withRows: 60, open: open}.run(t)
	for _, form := range indexedForms {
		if made[form.name] >= 20 {
			assert.Greater(t, 2*met[form.name], made[form.name], form.name)
		}
	}
}
