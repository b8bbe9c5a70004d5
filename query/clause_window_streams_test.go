package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestWindowsReadStreamByStreamGiveWhatSortedOnesGive compares random windows with twins that are
// computed over all rows at once.
func TestWindowsReadStreamByStreamGiveWhatSortedOnesGive(t *testing.T) {
	testenv.WithoutRace(t)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 2))
	_, s := fillInTime(t, r, 1000)
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	streamwise := 0
	for range testenv.Scale(60, 4000) {
		var values []string
		for range 1 + r.IntN(3) {
			call := pick("ROW_NUMBER()", "RANK()", "DENSE_RANK()", "LAG(type)", "LEAD(version, 2)", "SUM(version)", "COUNT(*)",
				"FIRST_VALUE(recorded_at)", "LAST_VALUE(type)", "NTILE(3)", "SUM(payload->>'$.n')", "PERCENT_RANK()",
				"MAX(type)", "NTH_VALUE(position, 2)")
			over := pick("stream", "stream, type", "type, stream", "stream, category") + pick("", " ORDER BY version", " ORDER BY position",
				" ORDER BY version", " ORDER BY version DESC", " ORDER BY type, version", " ORDER BY recorded_at, position")
			if strings.Contains(over, "ORDER") && !strings.Contains(over, "DESC") {
				over += pick("", "", " ROWS 2 PRECEDING", " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING")
			}
			if strings.HasSuffix(over, "ORDER BY version") && r.IntN(3) == 0 {
				over += " RANGE 3 PRECEDING"
			}
			values = append(values, call+" OVER (PARTITION BY "+over+")")
		}
		text := "SELECT position, " + strings.Join(values, ", ") + " FROM {}" +
			pick("", "", "", " WHERE type <> 'Type2'", " WHERE version < 40", " WHERE position % 3 = 1", " WHERE recorded_at > '2026-02-05'", " WHERE stream LIKE '%1'")
		fast := strings.Replace(text, "{}", "$all", 1)
		want := rowsOf(t, s, strings.Replace(text, "{}", "(SELECT *, category FROM $all)", 1))
		got := rowsOf(t, s, fast)
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(t, want, got, fast)
		if strings.Contains(fmt.Sprint(rowsOf(t, s, "EXPLAIN "+fast)), "stream by stream") {
			streamwise++
		}
	}
	assert.Positive(t, streamwise)
}

// TestWindowsPerStreamTakeTheMemoryOfAFewStreams: all rows together would need many times as much.
func TestWindowsPerStreamTakeTheMemoryOfAFewStreams(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	fill(t, store, 20_000)
	s := &Session{Store: store, Settings: Settings{Memory: 600_000}}
	for text, want := range map[string]string{
		"SELECT COUNT(*), SUM(n) FROM (SELECT ROW_NUMBER() OVER (PARTITION BY stream ORDER BY version) AS n FROM $all) AS t":                    "20000 | 110000",
		"SELECT COUNT(*), SUM(n) FROM (SELECT SUM(payload->>'$.n') OVER (PARTITION BY stream ORDER BY version) - position AS n FROM $all) AS t": "20000 | 899790000",
		"SELECT COUNT(*), COUNT(n) FROM (SELECT LAG(type) OVER (PARTITION BY stream ORDER BY version) AS n FROM $all WHERE version <> 0) AS t":  "18000 | 16000",
	} {
		assert.Equal(t, []string{want}, rowsOf(t, s, text), text)
	}
	_, err := tryRows(t.Context(), s, "SELECT COUNT(n) FROM (SELECT ROW_NUMBER() OVER (PARTITION BY type) AS n FROM $all) AS t")
	var spent *MemoryError
	assert.ErrorAs(t, err, &spent)
}

// TestWindowsOverATransactionsOwnEventsSeeThem: they stand in no stream of the index.
func TestWindowsOverATransactionsOwnEventsSeeThem(t *testing.T) {
	store := openStore(t, filestore.Options{})
	s := &Session{Store: store}
	exec(t, s, "INSERT INTO a (type) VALUES ('x'), ('y')")
	exec(t, s, "BEGIN")
	exec(t, s, "INSERT INTO a (type) VALUES ('z')")
	assert.Equal(t, []string{`NULL | "x"`, `"x" | "y"`, `"y" | "z"`},
		rowsOf(t, s, "SELECT LAG(type) OVER (PARTITION BY stream ORDER BY type), type FROM $all"))
	exec(t, s, "ROLLBACK")
}

// TestAFrameThatIsNoneIsAnErrorOfNoRowsToo: whether the rows would come stream by stream or not.
func TestAFrameThatIsNoneIsAnErrorOfNoRowsToo(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	exec(t, s, "INSERT INTO a (type) VALUES ('x')")
	for _, from := range []string{"$all", "(SELECT stream, version, type FROM $all) AS t"} {
		text := "SELECT COUNT(*) OVER (PARTITION BY stream ORDER BY version ROWS ? PRECEDING) FROM " + from + " WHERE type > 'y'"
		_, err := tryRows(t.Context(), s, text, int64(-1))
		assert.ErrorContains(t, err, "must be an integer that is not negative", from)
	}
}
