package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A randomView is a view, and its SELECT as SQLite is asked it, with those of other views within.
type randomView struct {
	name string
	twin
	grouped bool // it may be materialised
}

// source is the view in FROM.
func (v *randomView) source(alias string) twin {
	return twin{"views." + v.name + " AS " + alias, "(" + v.theirs + ") AS " + alias}
}

// view makes the SELECT of a view with the columns k, x and p.
func (g *generator) view() randomView {
	v := randomView{name: fmt.Sprintf("v%d", len(g.views))}
	if len(g.views) > 0 && g.chance(25) {
		below := &g.views[g.IntN(len(g.views))]
		list := g.pick("k, x, p", "x AS k, k AS x, p", "k || '' AS k, p + 1 AS x, p", "k, x, p * 2 AS p")
		v.twin = together("SELECT "+list+" FROM %s"+g.viewCondition(), below.source("t"))
		return v
	}
	v.grouped = g.chance(45)
	if v.grouped {
		v.twin = both(g.keptGroups())
		return v
	}
	rest := " FROM " + g.table() + g.where()
	v.twin = both(g.oneOf(
		func() string { return "SELECT " + g.key() + " AS k, " + g.any(1) + " AS x, position AS p" + rest },
		func() string { return "SELECT type AS k, " + g.any(1) + " AS x, position AS p" + rest },
		func() string { return "SELECT DISTINCT " + g.key() + " AS k, version % 3 AS x, 1 AS p" + rest },
		func() string {
			return "SELECT stream AS k, version AS x, position AS p" + rest + g.pick(" UNION ", " UNION ALL ", " EXCEPT ") +
				"SELECT type, version, position FROM " + g.table() + g.where()
		},
		func() string {
			return "SELECT stream AS k, row_number() OVER (PARTITION BY type ORDER BY position) AS x, position AS p" + rest
		},
		func() string {
			return `SELECT a.type AS k, b.version AS x, a.position AS p FROM "order-1" AS a ` + g.pick("JOIN", "LEFT JOIN") +
				` "account-7" AS b ON a.version = b.version`
		},
		func() string {
			return "SELECT type AS k, version AS x, position AS p" + rest + " ORDER BY position LIMIT 20"
		},
		func() string {
			return "SELECT type AS k, MAX(version) AS x, COUNT(*) AS p" + rest + " GROUP BY 1 HAVING p > 2"
		},
	))
	return v
}

// keptGroups is a SELECT whose groups a materialised view can keep.
func (g *generator) keptGroups() string {
	key := g.pick("type", "stream", "(payload ->> '$.s')", "(payload ->> '$.n') % 3", "type || stream", "version % 4",
		"upper(type) COLLATE NOCASE || ''") // of texts that are equal SQLite takes that of whichever row it reads first
	x := g.pick("MAX(version)", "MIN(payload ->> '$.s')", "SUM(payload ->> '$.n')", "AVG(version)", "MAX(position) - MIN(position)",
		"SUM(version) FILTER (WHERE type = 'Opened')", "TOTAL(payload ->> '$.f')", "COUNT(payload ->> '$.s')")
	where := g.pick("", "", " WHERE "+g.bound(), " WHERE type <> 'Closed'", " WHERE (payload ->> '$.n') > 3")
	having := g.pick("", "", " HAVING COUNT(*) > 3", " HAVING MAX(position) > 40")
	if g.chance(15) {
		return "SELECT 'all' AS k, " + x + " AS x, COUNT(*) AS p FROM " + g.table() + where + having
	}
	return "SELECT " + key + " AS k, " + x + " AS x, COUNT(*) AS p FROM " + g.table() + where + " GROUP BY 1" + having
}

// viewCondition is a WHERE over the columns of a view, as together takes it.
func (g *generator) viewCondition() string {
	return g.pick("", "", "", "", "", " WHERE p > 1", " WHERE k = 'Opened'", " WHERE k = 'order-1'", " WHERE p < 100", " WHERE x IS NULL",
		" WHERE k > 'a' AND p > 20", " WHERE k LIKE 'O%%'", " WHERE k IN ('Opened', 'order-1', 2)", " WHERE p = 7",
		" WHERE k = 1 OR x = 3", " WHERE p BETWEEN 3 AND 9 AND x <> 1", " WHERE k || '' = 'Closed'")
}

// overViews reads one or two views.
func (g *generator) overViews() statement {
	v, w := &g.views[g.IntN(len(g.views))], &g.views[g.IntN(len(g.views))]
	t := v.source("t")
	s := g.oneOfTwins(
		func() twin { return together("SELECT k, x, p FROM %s"+g.viewCondition(), t) },
		func() twin { return together("SELECT * FROM %s"+g.viewCondition(), t) },
		func() twin { return together("SELECT COUNT(*), COUNT(x), SUM(p) FROM %s"+g.viewCondition(), t) },
		func() twin { return together("SELECT k, COUNT(*), MIN(p) FROM %s"+g.viewCondition()+" GROUP BY k", t) },
		func() twin {
			return together("SELECT t.k, u.p FROM %s JOIN %s ON t.k = u.k AND t.p = u.p", t, w.source("u"))
		},
		func() twin {
			return together("SELECT t.x, u.x FROM %s LEFT JOIN %s ON t.p = u.p WHERE t.p < 12", t, w.source("u"))
		},
		func() twin {
			return together("SELECT position FROM \"$all\" WHERE "+g.pick("type", "stream", "version")+" IN (SELECT k FROM %s"+
				g.viewCondition()+")", t)
		},
		func() twin { return together("SELECT (SELECT MAX(p) FROM %s), type FROM \"order-1\"", t) },
	)
	return statement{sql: s.ours, theirs: s.theirs, loose: true}
}

func (g *generator) oneOfTwins(choices ...func() twin) twin { return choices[g.IntN(len(choices))]() }

// TestSameViewsAsSQLite reads random views, plain and materialised ones, as of random positions; for
// SQLite their SELECTs stand in FROM. EVENTFOLD_STATEMENTS sets how many.
func TestSameViewsAsSQLite(t *testing.T) {
	open := func(t *testing.T, g *generator, events int) asked {
		p := newPair(t, g.Rand, 0)
		g.views = nil
		for range 30 {
			v := g.view()
			create := "CREATE VIEW " + v.name + " AS " + v.ours
			if _, err := p.ours.Exec(strings.Replace(create, " VIEW", " MATERIALIZED VIEW", 1)); v.grouped {
				require.NoError(t, err, create)
			} else if err != nil {
				_, err = p.ours.Exec(create)
				require.NoError(t, err, create)
			}
			g.views = append(g.views, v)
		}
		appendEvents(t, p.ours, g.Rand, events)
		copyEvents(t, p.ours, p.theirs)
		bindTo(t, p)
		return asked{ours: p.ours, theirs: p.theirs}
	}
	next := func(g *generator) statement {
		if g.chance(50) {
			return g.overViews().asOf(len(g.views) + g.events - 1)
		}
		return g.overViews().asOf(len(g.views) + g.IntN(g.events))
	}
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 60_000) / 5
	comparison{numbers: 15, statements: n, events: 150, every: 100, next: next, open: open, withRows: 30}.run(t)
}
