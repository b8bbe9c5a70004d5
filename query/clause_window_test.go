package query

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestGallopFindsTheEdgeFromAnywhere: wherever the search begins, it finds the same.
func TestGallopFindsTheEdgeFromAnywhere(t *testing.T) {
	for n := range 40 {
		for edge := range n + 1 {
			for near := range n + 3 {
				looked := 0
				got := gallop(near, n, func(i int) bool {
					require.True(t, i >= 0 && i < n, "%d of %d", i, n)
					looked++
					return i < edge
				})
				require.Equal(t, edge, got, "of %d from %d", n, near)
				if near == edge {
					require.LessOrEqual(t, looked, 2, "of %d from %d", n, near)
				}
			}
		}
	}
}

// A framedRow is a row of the tables of TestEveryAggregateIsAWindowFunction.
type framedRow struct{ p, k int }

// A modelFrame is a frame as the tests compute it, from the definition alone.
type modelFrame struct {
	unit, exclude string
	start, end    int // less than 0 for PRECEDING; unbounded from -modelUnbounded to modelUnbounded
}

const modelUnbounded = 1000

func (m modelFrame) String() string {
	bound := func(n int) string {
		switch {
		case n == -modelUnbounded:
			return "UNBOUNDED PRECEDING"
		case n == modelUnbounded:
			return "UNBOUNDED FOLLOWING"
		case n < 0:
			return fmt.Sprintf("%d PRECEDING", -n)
		case n == 0:
			return "CURRENT ROW"
		}
		return fmt.Sprintf("%d FOLLOWING", n)
	}
	return m.unit + " BETWEEN " + bound(m.start) + " AND " + bound(m.end) + m.exclude
}

// order is the ORDER BY of the frame: ROWS tells rows apart that are equal otherwise.
func (m modelFrame) order() string {
	if m.unit == "ROWS" {
		return "k, p"
	}
	return "k"
}

// of returns the rows that row i sees, of rows that are sorted.
func (m modelFrame) of(rows []framedRow, i int) (seen []int) {
	groups := map[int]int{}
	for _, r := range rows {
		if _, ok := groups[r.k]; !ok {
			groups[r.k] = len(groups)
		}
	}
	for j, r := range rows {
		far := map[string]int{
			"ROWS": j - i, "GROUPS": groups[r.k] - groups[rows[i].k], "RANGE": r.k - rows[i].k,
		}[m.unit]
		peer := r.k == rows[i].k && m.unit != "ROWS" || j == i
		switch {
		case far < m.start || far > m.end:
		case m.exclude == " EXCLUDE CURRENT ROW" && j == i:
		case m.exclude == " EXCLUDE GROUP" && peer:
		case m.exclude == " EXCLUDE TIES" && peer && j != i:
		default:
			seen = append(seen, r.p)
		}
	}
	return seen
}

// modelFrames are frames of all kinds.
func modelFrames() (list []modelFrame) {
	ends := []int{-modelUnbounded, -3, -1, 0, 2, modelUnbounded}
	for _, unit := range []string{"ROWS", "RANGE", "GROUPS"} {
		for i, start := range ends[:5] {
			for _, end := range ends[max(i, 1):] {
				for _, exclude := range []string{"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"} {
					list = append(list, modelFrame{unit, exclude, start, end})
				}
			}
		}
	}
	return list
}

// TestEveryAggregateIsAWindowFunction: over frames of all kinds, each gives what it gives as a
// plain aggregate of the rows that the frame has by its definition.
func TestEveryAggregateIsAWindowFunction(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 40)
	s := &Session{Store: store}
	r := rand.New(rand.NewPCG(testenv.Seed(t), 1))
	const from = "(SELECT position AS p, position * 7919 % 13 AS k, nullif(position * 31 % 17, 3) AS x FROM $all ORDER BY 2, 1)"
	var rows []framedRow
	for p := range 40 {
		rows = append(rows, framedRow{p, p * 7919 % 13})
	}
	slices.SortStableFunc(rows, func(a, b framedRow) int { return a.k - b.k })
	everyAggregate(t, func(_, call string) {
		call = strings.ReplaceAll(fmt.Sprintf(call, "x"), "position", "p") + []string{"", " FILTER (WHERE p % 3 <> 1)"}[r.IntN(2)]
		want := map[string]string{}
		for _, frame := range modelFrames() {
			if r.IntN(8) > 0 {
				continue
			}
			text := fmt.Sprintf("SELECT %s OVER (ORDER BY %s %s) FROM %s", call, frame.order(), frame, from)
			got := rowsOf(t, s, text)
			require.Len(t, got, len(rows))
			for range 6 {
				i := r.IntN(len(rows))
				seen := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(frame.of(rows, i))), ", "), "[]")
				if _, ok := want[seen]; !ok {
					want[seen] = rowsOf(t, s, "SELECT "+call+" FROM "+from+" WHERE p IN ("+seen+")")[0]
				}
				requireSameNumbers(t, want[seen], got[i], "%s\nrow %d, which sees %s", text, i, seen)
			}
		}
	})
}

// requireSameNumbers holds that two texts are the same, or numbers that differ by what rounding in
// another order makes of them.
func requireSameNumbers(t *testing.T, want, got, format string, args ...any) {
	t.Helper()
	w, err := strconv.ParseFloat(want, 64)
	g, err2 := strconv.ParseFloat(got, 64)
	if err != nil || err2 != nil || math.Abs(w-g) > 1e-9*max(1, math.Abs(w)) {
		require.Equal(t, want, got, append([]any{format}, args...)...)
	}
}

// TestFramesOfMonthsFollowTheCalendar compares RANGE with months, whose edges may go back from one
// row to the next, with what a plain model of them says.
func TestFramesOfMonthsFollowTheCalendar(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 1)
	s := &Session{Store: store}
	r := rand.New(rand.NewPCG(testenv.Seed(t), 2))
	var texts []string
	for range 120 { // the ends of months, in the morning and at night
		texts = append(texts, fmt.Sprintf("2024-%02d-%02d %02d:30:00", 1+r.IntN(12), 26+r.IntN(4), 2+r.IntN(2)*20))
	}
	slices.Sort(texts)
	with := "WITH d AS (SELECT timestamp('" + strings.Join(texts, "') AS t UNION ALL SELECT timestamp('") + "')) "
	within := "FROM d WHERE t BETWEEN lo AND hi)"
	for _, desc := range []string{"", " DESC"} {
		for _, frame := range [][2]string{
			{"1 MONTH", "0 DAY"}, {"2 MONTH", "1 MONTH"}, {"1 QUARTER", "1 DAY"}, {"1 YEAR", "1 YEAR"},
		} {
			over := fmt.Sprintf("OVER (ORDER BY t%s RANGE BETWEEN INTERVAL %s PRECEDING AND INTERVAL %s FOLLOWING)",
				desc, frame[0], frame[1])
			got := rowsOf(t, s, with+"SELECT t, COUNT(*) "+over+", MIN(t) "+over+", MAX(t) "+over+" FROM d ORDER BY t")
			before, behind := "t - INTERVAL "+frame[0], "t + INTERVAL "+frame[1]
			if desc != "" {
				before, behind = "t - INTERVAL "+frame[1], "t + INTERVAL "+frame[0]
			}
			want := rowsOf(t, s, with+"SELECT t, (SELECT COUNT(*) "+within+", (SELECT MIN(t) "+within+", (SELECT MAX(t) "+within+
				" FROM (SELECT t, "+before+" AS lo, "+behind+" AS hi FROM d) ORDER BY t")
			assert.Equal(t, strings.Join(want, "\n"), strings.Join(got, "\n"), over)
		}
	}
}

// TestWindowsOfOneOrderAreSortedOnce: functions whose windows divide and order rows alike are
// computed together, whatever their frames and however the windows are named.
func TestWindowsOfOneOrderAreSortedOnce(t *testing.T) {
	for text, want := range map[string][]int{
		"SELECT RANK() OVER w, SUM(version) OVER (w ROWS 1 PRECEDING), COUNT(*) OVER (PARTITION BY type ORDER BY version) " +
			"WINDOW w AS (PARTITION BY type ORDER BY version)": {3},
		"SELECT RANK() OVER (ORDER BY version), RANK() OVER (ORDER BY version DESC), LAG(1) OVER (ORDER BY version)": {2, 1},
		"SELECT SUM(version) OVER (ORDER BY version ROWS 1 PRECEDING), SUM(version) OVER (ORDER BY version ROWS 2 PRECEDING), " +
			"1 + SUM(version) OVER (ORDER BY version ROWS 1 PRECEDING)": {2},
	} {
		list, window, named := strings.Cut(text, "WINDOW")
		if named {
			window = " WINDOW" + window
		}
		plan := mustCompile(t, list+" FROM $all"+window)
		var got []int
		for _, calls := range plan.run.(*selectStatement).plan.cores[0].windows.orders {
			got = append(got, len(calls))
		}
		assert.Equal(t, want, got, text)
	}
}
