package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
)

// windows makes a statement of one to three functions over windows of all kinds, some of them
// named; SQLite has no QUALIFY.
func (g *generator) windows() statement {
	var list, named []string
	for i := range 1 + g.IntN(3) {
		window := g.windowSpec()
		f := g.windowFunction(window.total, window.frame)
		over := " OVER (" + window.text() + ")"
		switch g.IntN(4) {
		case 0:
			over = fmt.Sprintf(" OVER w%d", i)
			named = append(named, fmt.Sprintf("w%d AS (%s)", i, window.text()))
		case 1:
			over = fmt.Sprintf(" OVER (w%d %s)", i, strings.TrimSpace(window.order+window.frame))
			named = append(named, fmt.Sprintf("w%d AS (%s)", i, window.partition))
		}
		list = append(list, fmt.Sprintf("%s%s AS c%d", f, over, i))
	}
	text := "SELECT position, " + strings.Join(list, ", ") + " FROM " + g.table() + g.where()
	if len(named) > 0 {
		text += " WINDOW " + strings.Join(named, ", ")
	}
	ours, theirs := text, text
	if g.chance(30) {
		cond := g.pick("c0 > 3", "c0 IS NULL", "c0 = position", "c0 IN (1, 2) AND position > 5", "c0 < 2 OR position % 7 = 1")
		ours, theirs = text+" QUALIFY "+cond, "SELECT * FROM ("+text+") WHERE "+cond
	}
	tail := " ORDER BY position" + g.limit()
	return statement{sql: ours + tail, theirs: theirs + tail, ordered: true}
}

// A windowSpec is a window; total tells that its order leaves no two rows equal.
type windowSpec struct {
	partition, order, frame string
	total                   bool
}

func (w *windowSpec) text() string { return strings.TrimSpace(w.partition + w.order + w.frame) }

func (g *generator) windowSpec() (w windowSpec) {
	if g.chance(60) {
		w.partition = "PARTITION BY " + g.pick("type", "stream", "version % 3", "type, stream", "payload ->> '$.b'")
	}
	key := g.pick("version", "position", "(payload ->> '$.n')", "(payload ->> '$.f')", "(payload ->> '$.l[0]')",
		"(payload ->> '$.s')", "version % 5", "type")
	w.order = " ORDER BY " + key + g.direction()
	if g.chance(60) {
		w.order += ", position" + g.pick("", " DESC")
		w.total = true
	}
	w.total = w.total || key == "position"
	if g.chance(75) {
		w.frame = g.frame(!strings.Contains(w.order, ","))
	}
	if strings.HasPrefix(w.frame, " ROWS") && !w.total {
		w.order += ", position" // which rows are near is not said otherwise
		w.total = true
	}
	return w
}

// frame is a frame; single tells that there is one term to add an offset to.
func (g *generator) frame(single bool) string {
	unit := g.pick("ROWS", "RANGE", "GROUPS")
	number := func() string { return g.pick("0", "1", "2", "3", "7", "1000") }
	if unit == "RANGE" {
		number = func() string { return g.pick("0", "1", "2", "0.5", "1.75", "20", "1e300", "9223372036854775807") }
	}
	bounds := []string{"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING"}
	if unit == "RANGE" && !single {
		bounds = []string{"UNBOUNDED PRECEDING", "CURRENT ROW", "UNBOUNDED FOLLOWING"}
	}
	bound := func(i int) string {
		if strings.Contains(bounds[i], " ") {
			return bounds[i]
		}
		return number() + " " + bounds[i]
	}
	start := g.IntN(len(bounds) - 1)
	end := max(start, 1) + g.IntN(len(bounds)-max(start, 1))
	frame := " " + unit + " BETWEEN " + bound(start) + " AND " + bound(end)
	if bounds[start] != "FOLLOWING" && g.chance(20) {
		frame = " " + unit + " " + bound(start)
		if bounds[start] == "UNBOUNDED FOLLOWING" {
			frame = " " + unit + " UNBOUNDED PRECEDING"
		}
	}
	return frame + g.pick("", "", " EXCLUDE NO OTHERS", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES")
}

// windowFunction is a function, one whose result depends on the order of equal rows only if there
// are none.
func (g *generator) windowFunction(total bool, frame string) string {
	x := g.pick("version", "position", "type", "payload ->> '$.n'", "payload ->> '$.f'", "payload ->> '$.s'",
		"payload ->> '$.l[0]'")
	number := g.pick("version", "position", "payload ->> '$.n'", "payload ->> '$.f'")
	filter := g.pick("", "", "", " FILTER (WHERE version % 2)", " FILTER (WHERE payload ->> '$.n' > 10)")
	if total && g.chance(50) {
		return g.oneOf(
			func() string { return g.pick("ROW_NUMBER()", "NTILE(3)", "NTILE(1000)") },
			func() string {
				return g.pick("LAG", "LEAD") + "(" + x + g.pick("", ", 1", ", 2", ", 0, 'none'", ", 3, version") + ")"
			},
			func() string { return g.pick("FIRST_VALUE", "LAST_VALUE") + "(" + x + ")" },
			func() string { return "NTH_VALUE(" + x + ", " + g.pick("1", "2", "5", "version + 1") + ")" },
			func() string { // of frames that lose an empty text SQLite cuts off too much: see the deviations
				return "GROUP_CONCAT(NULLIF(" + x + ", '')" + g.pick("", ", '-'") + ")" + filter
			},
		)
	}
	return g.oneOf(
		func() string { return g.pick("RANK()", "DENSE_RANK()", "PERCENT_RANK()", "CUME_DIST()") },
		func() string { return g.pick("COUNT(*)", "COUNT("+x+")") + filter },
		func() string { return g.pick("MIN", "MAX") + "(" + x + ")" + filter },
		func() string { return g.pick("SUM", "SUM", "AVG", "TOTAL") + "(" + number + ")" + filter },
	)
}

// TestSameWindowsAsSQLite runs window functions over windows of all kinds on both.
// EVENTFOLD_STATEMENTS sets how many.
func TestSameWindowsAsSQLite(t *testing.T) {
	n := budget(t, "EVENTFOLD_STATEMENTS", 5000, 80_000) / 4
	comparison{numbers: 13, statements: n, events: 150, next: (*generator).windows}.run(t)
}

// TestIntervalsOfAFrameAreSeconds: where every unit has one length, RANGE with intervals over times
// is RANGE with seconds over their numbers.
func TestIntervalsOfAFrameAreSeconds(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(testenv.Seed(t), 7))}
	p := newPair(t, g.Rand, 150)
	const from = ` FROM (SELECT position, stream, payload ->> '$.n' AS n,
		from_unixtime(1767225600 + (payload ->> '$.n') * 3600) AS t FROM $all)`
	seconds := map[string]int{"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 7 * 86400}
	for range 200 {
		partition := g.pick("", "PARTITION BY stream ")
		direction := g.pick("", " DESC", " NULLS LAST", " DESC NULLS FIRST")
		exclude := g.pick("", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES")
		var interval, number [2]string
		ends := [...]string{g.pick("PRECEDING", "FOLLOWING"), "FOLLOWING"}
		for i := range ends {
			unit := g.pick("SECOND", "MINUTE", "HOUR", "HOUR", "HOUR", "DAY", "WEEK")
			k := g.IntN(12)
			interval[i] = fmt.Sprintf("INTERVAL '%d' %s %s", k, unit, ends[i])
			number[i] = fmt.Sprintf("%d %s", k*seconds[unit], ends[i])
		}
		f := g.pick("COUNT(*)", "SUM(n)", "MIN(position)", "MAX(n)")
		text := func(key string, b [2]string) string {
			return "SELECT position, " + f + " OVER (" + partition + "ORDER BY " + key + direction + " RANGE BETWEEN " +
				b[0] + " AND " + b[1] + exclude + ")" + from + " ORDER BY position"
		}
		times, err := query(p.ours, text("t", interval))
		require.NoError(t, err, text("t", interval))
		numbers, err := query(p.ours, text("unixepoch(t)", number))
		require.NoError(t, err, text("unixepoch(t)", number))
		assert.True(t, equal(times, numbers), "%s\ntimes:   %v\nnumbers: %v", text("t", interval), clip(times), clip(numbers))
	}
}
