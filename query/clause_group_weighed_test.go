package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// fillInTime appends events of a few types to streams of some categories, over many days in which
// there are gaps.
func fillInTime(t testing.TB, r *rand.Rand, n int) (engine.Store, *Session) {
	now := time.Date(2026, 1, 30, 22, 0, 0, 0, time.UTC)
	store := openStore(t, filestore.Options{SegmentSize: 1 << 20, Prealloc: filestore.PreallocNone,
		Now: func() time.Time { return now }})
	for i := 0; i < n; {
		var batch []engine.Append
		for range 20 {
			batch = append(batch, engine.Append{Stream: fmt.Sprintf("%s-%03d", []string{"order", "user", "Order"}[r.IntN(3)], r.IntN(60))})
			for range r.IntN(4) + 1 {
				batch[len(batch)-1].Events = append(batch[len(batch)-1].Events, engine.NewEvent{
					Type: fmt.Sprintf("Type%d", r.IntN(4)), Payload: fmt.Appendf(nil, `{"n": %d}`, i)})
				i++
			}
		}
		_, err := store.Append(t.Context(), batch...)
		require.NoError(t, err)
		now = now.Add(time.Duration(r.IntN(3600)) * time.Second)
		if r.IntN(20) == 0 {
			now = now.Add(time.Duration(r.IntN(200)) * time.Hour)
		}
	}
	return store, &Session{Store: store}
}

// weighed are parts of statements that need not look at every event.
var weighed = struct{ streamKeys, timeKeys, streamValues, timeValues, streamWhere, timeWhere []string }{
	streamKeys: []string{"stream", "category", "stream LIKE 'o%'", "substr(stream, 1, 7)"},
	timeKeys: []string{"date(recorded_at)", "type", "date_trunc('week', recorded_at)", "strftime('%Y-%m', recorded_at)",
		"hour(recorded_at)", "date_trunc('hour', recorded_at)", "date_format(recorded_at, '%d %H')"},
	streamValues: []string{"COUNT(*)", "MAX(version)", "MIN(version)", "MIN(position)", "MAX(recorded_at)",
		"COUNT(category)", "SUM(length(stream))", "COUNT(DISTINCT category)", "AVG(length(stream) + 0.1)", "bool_or(stream LIKE 'u%')"},
	timeValues: []string{"COUNT(*)", "SUM(CASE WHEN type = 'Type1' THEN 3 ELSE -1 END)", "COUNT(*) FILTER (WHERE type > 'Type1')",
		"COUNT(DISTINCT date(recorded_at))", "TOTAL(day(recorded_at))", "MAX(date(recorded_at))", "bool_and(type < 'Type3')", "COUNT_IF(type = 'Type2')"},
	streamWhere: []string{"", "stream LIKE 'order%'", "category <> 'user'", "stream > 'order-030'"},
	timeWhere: []string{"", "type IN ('Type1', 'Type2')", "recorded_at >= '2026-02-02 03:04:05'", "position BETWEEN 100 AND 700",
		"recorded_at < '2026-02-01' AND type <> 'Type3'", "date(recorded_at) > '2026-02-01'"},
}

// TestRowsThatStandForManyEventsGiveWhatEventsGive compares random statements with twins that read
// every event.
func TestRowsThatStandForManyEventsGiveWhatEventsGive(t *testing.T) {
	testenv.WithoutRace(t)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 1))
	_, s := fillInTime(t, r, 3000)
	some := func(list []string) []string {
		list = slices.Clone(list)
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:1+r.IntN(3)]
	}
	shortcuts := 0
	for range testenv.Scale(150, 5000) {
		keys, values, where := some(weighed.streamKeys), some(weighed.streamValues), weighed.streamWhere[r.IntN(len(weighed.streamWhere))]
		if r.IntN(2) == 0 {
			keys, values, where = some(weighed.timeKeys), some(weighed.timeValues), weighed.timeWhere[r.IntN(len(weighed.timeWhere))]
		}
		text := "SELECT " + strings.Join(append(slices.Clone(keys), values...), ", ") + " FROM {}"
		if where != "" {
			text += " WHERE " + where
		}
		if r.IntN(8) > 0 {
			text += " GROUP BY " + []string{"", "", "", "", "ROLLUP "}[r.IntN(5)] + "(" + strings.Join(keys, "), (") + ")"
			if strings.Contains(text, "ROLLUP") {
				text = strings.Replace(text, "ROLLUP (", "ROLLUP ((", 1) + ")"
			}
		} else {
			text = strings.Replace(text, strings.Join(keys, ", ")+", ", "", 1)
		}
		plain, fast := strings.Replace(text, "{}", "(SELECT *, category FROM $all)", 1), strings.Replace(text, "{}", "$all", 1)
		want, got := rowsOf(t, s, plain), rowsOf(t, s, fast)
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(t, want, got, fast)
		if strings.Contains(fmt.Sprint(rowsOf(t, s, "EXPLAIN "+fast)), "shortcut") {
			shortcuts++
		}
	}
	assert.Positive(t, shortcuts)
}

// TestReportsOverStreamsTypesAndTimesReadNoEvents holds what they look at: nothing, or an event for
// each bucket of time.
func TestReportsOverStreamsTypesAndTimesReadNoEvents(t *testing.T) {
	_, s := fillInTime(t, rand.New(rand.NewPCG(7, 7)), 6000)
	for _, text := range []string{
		"SELECT stream, COUNT(*), MAX(version), MIN(recorded_at) FROM $all GROUP BY stream",
		"SELECT category, COUNT(*) FROM $all WHERE stream LIKE '%7' GROUP BY category",
		"SELECT stream, type FROM $all GROUP BY stream, type HAVING MAX(version) > 1000",
		"SELECT date(recorded_at) AS d, COUNT(*) FROM $all GROUP BY d",
		"SELECT date_trunc('month', recorded_at) AS m, SUM(CASE WHEN type = 'Type1' THEN 1 ELSE 0 END) FROM $all WHERE position > 10 GROUP BY m",
		"SELECT COUNT(*) FROM $all WHERE stream LIKE '%7'",
	} {
		events, skipped := -1, 0
		for _, line := range rowsOf(t, s, "EXPLAIN ANALYZE "+text) {
			fmt.Sscanf(line, `"examined" | "%d events, %d segments skipped"`, &events, &skipped)
		}
		assert.GreaterOrEqual(t, events, 0, text)
		assert.LessOrEqual(t, events, 100, text)
	}
}

// TestStreamsAreGroupedInLittleMemory: the groups of one stream are held at a time.
func TestStreamsAreGroupedInLittleMemory(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	fill(t, store, 20_000)
	s := &Session{Store: store, Settings: Settings{Memory: 50_000}}
	got := rowsOf(t, s, "SELECT COUNT(*), SUM(n), MAX(v) FROM (SELECT stream, COUNT(*) AS n, MAX(version) AS v FROM $all GROUP BY stream) AS t")
	assert.Equal(t, []string{"2000 | 20000 | 9"}, got)
}

// TestATransactionsOwnEventsAreCountedToo: they are in no index yet.
func TestATransactionsOwnEventsAreCountedToo(t *testing.T) {
	_, s := fillInTime(t, rand.New(rand.NewPCG(7, 7)), 200)
	before := rowsOf(t, s, "SELECT COUNT(*), COUNT(type) FROM $all WHERE category = 'own'")
	require.Equal(t, []string{"0 | 0"}, before)
	exec(t, s, "BEGIN")
	exec(t, s, "INSERT INTO \"own-1\" (type) VALUES ('Type1'), ('Type1')")
	assert.Equal(t, []string{`"own-1" | 2`}, rowsOf(t, s, "SELECT stream, COUNT(*) FROM $all WHERE stream LIKE 'own%' GROUP BY stream"))
	exec(t, s, "ROLLBACK")
}

// TestGroupsOfStreamsAreMadeStreamByStream: from the indexes if they know enough, otherwise if all
// groups together need too much memory.
func TestGroupsOfStreamsAreMadeStreamByStream(t *testing.T) {
	store, s := fillInTime(t, rand.New(rand.NewPCG(9, 7)), 3000)
	const small = 150_000
	for text, indexed := range map[string]bool{
		"SELECT stream, SUM(version), FIRST(type) FROM {} GROUP BY stream":                                                     true,
		"SELECT stream, type, COUNT(*), MAX(position) FROM {} WHERE type <> 'Type2' GROUP BY type, stream HAVING COUNT(*) > 2": true,
		"SELECT stream, GROUP_CONCAT(payload), COUNT(DISTINCT type) FROM {} WHERE version > 1 GROUP BY stream":                 false,
		"SELECT upper(stream), GROUP_CONCAT(position || payload) AS p FROM {} GROUP BY stream, position % 3":                   false,
	} {
		want := rowsOf(t, s, strings.Replace(text, "{}", "(SELECT * FROM $all)", 1))
		for _, memory := range []int64{0, small} {
			limited := &Session{Store: store, Settings: Settings{Memory: memory}}
			got := rowsOf(t, limited, strings.Replace(text, "{}", "$all", 1))
			slices.Sort(want)
			slices.Sort(got)
			require.Equal(t, want, got, text)
		}
		plan := fmt.Sprint(rowsOf(t, s, "EXPLAIN "+strings.Replace(text, "{}", "$all", 1)))
		assert.Equal(t, indexed, strings.Contains(plan, "stream by stream"), plan)
	}
	limited := &Session{Store: store, Settings: Settings{Memory: small}}
	_, err := tryRows(t.Context(), limited, "SELECT position, GROUP_CONCAT(payload) FROM $all GROUP BY position")
	var spent *MemoryError
	assert.ErrorAs(t, err, &spent)
}
