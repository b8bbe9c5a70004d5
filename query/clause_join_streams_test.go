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

// asTheyLie stands for what keeps a table from being read stream by stream: its twin in these tests is
// joined by a hash of all its rows.
const asTheyLie = "(SELECT *, category FROM $all)"

// TestJoinsReadStreamByStreamGiveWhatHashedOnesGive compares random joins of two to four tables with
// twins that are joined by a hash of all rows.
func TestJoinsReadStreamByStreamGiveWhatHashedOnesGive(t *testing.T) {
	testenv.WithoutRace(t)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 3))
	_, s := fillInTime(t, r, 600)
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	streamwise := 0
	n := testenv.Scale(80, 4000)
	for range n {
		tables := 2 + r.IntN(3)
		text, results := "{} AS t0", []string{"t0.position"}
		for i := 1; i < tables; i++ {
			x, y := fmt.Sprintf("t%d", i), fmt.Sprintf("t%d", r.IntN(i))
			on := pick(x+".stream = "+y+".stream", y+".stream = "+x+".stream")
			for range 1 + r.IntN(2) {
				on += " AND " + strings.NewReplacer("x", x, "y", y).Replace(pick("x.version = y.version + 1", "y.version = x.version",
					"x.version = y.version + 1", "y.version = x.version - 2", "x.position > y.position AND x.version < y.version + 3",
					"x.t@pe = y.t@pe AND x.version = y.version - 3", "(x.version, x.t@pe) = (y.version + 1, 'T@pe2')",
					"CASE WHEN y.version > 2 THEN y.version END = x.version", "x.recorded_at = y.recorded_at AND x.version < 9",
					"x.version = y.version AND x.t@pe <> 'T@pe1'"))
			}
			text += pick(" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ") + "{} AS " + x + " ON " + strings.ReplaceAll(on, "@", "y")
			results = append(results, x+".position", x+".type")
		}
		text = "SELECT " + strings.Join(results, ", ") + " FROM " + text +
			pick("", "", " WHERE t1.type <> 'Type2'", " WHERE t0.version < 40", " WHERE t1.version IS NULL OR t1.version % 3 = 1",
				" WHERE t0.stream LIKE '%1'", " WHERE t1.recorded_at > '2026-02-05'")
		if r.IntN(4) == 0 {
			text = "SELECT COUNT(*), SUM(t1.version), MIN(t0.type), COUNT(DISTINCT t1.stream)" + text[strings.Index(text, " FROM "):]
		}
		fast := strings.ReplaceAll(text, "{}", "$all")
		want := rowsOf(t, s, strings.ReplaceAll(text, "{}", asTheyLie))
		got := rowsOf(t, s, fast)
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(t, want, got, fast)
		if strings.Contains(explained(t, s, fast), "stream by stream") {
			streamwise++
		}
	}
	assert.Greater(t, streamwise, n/2)
}

// TestAJoinPerStreamTakesTheMemoryOfAStream: all rows of a side together would need many times as much.
func TestAJoinPerStreamTakesTheMemoryOfAStream(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	fill(t, store, 20_000)
	s := &Session{Store: store, Settings: Settings{Memory: 64 << 10}}
	for text, want := range map[string]string{
		"SELECT COUNT(*) FROM $all a JOIN $all b ON b.stream = a.stream AND b.version = a.version + 1":                     "18000",
		"SELECT COUNT(*), COUNT(b.type) FROM $all a LEFT JOIN $all b ON b.stream = a.stream AND b.version = a.version + 1": "20000 | 18000",
		"SELECT COUNT(*) FROM $all a JOIN $all b USING (stream) JOIN $all c USING (stream) WHERE c.version = 3":            "200000",
		"SELECT COUNT(*) FROM $all a, $all b WHERE a.stream = b.stream AND b.type = 'OrderEvent07' AND a.version = 0":      "1667",
	} {
		assert.Contains(t, explained(t, s, text), "stream by stream", text)
		assert.Equal(t, []string{want}, rowsOf(t, s, text), text)
	}
}

// TestAJoinIsReadStreamByStreamOnlyWhereThatIsOfUse: not where records have to be read, where few events
// are looked for, and where a result depends on the order of the rows.
func TestAJoinIsReadStreamByStreamOnlyWhereThatIsOfUse(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	fill(t, store, 2000)
	s := &Session{Store: store}
	const on = " FROM $all a JOIN $all b ON b.stream = a.stream AND b.version = a.version + 1"
	for text, streams := range map[string]bool{
		"SELECT a.position, b.type" + on:                               true,
		"SELECT COUNT(*), MIN(b.type)" + on:                            true,
		"SELECT a.position, b.type" + on + " ORDER BY 1":               true,
		"SELECT b.payload" + on:                                        false,
		"SELECT COUNT(*)" + on + " WHERE a.position < 20":              false,
		"SELECT COUNT(*)" + on + " WHERE a.stream = 'order-000001'":    false,
		"SELECT first(a.type)" + on:                                    false,
		"SELECT group_concat(a.type)" + on:                             false,
		"SELECT max_by(a.type, b.version)" + on:                        false,
		"SELECT COUNT(*) FROM $all a FULL JOIN $all b USING (stream)":  false,
		"SELECT COUNT(*) FROM $all a JOIN $all b ON a.stream = b.type": false,
		"SELECT COUNT(*) FROM $all a JOIN $all b ON a.stream = b.stream COLLATE NOCASE AND a.version = b.version": false,
	} {
		assert.Equal(t, streams, strings.Contains(explained(t, s, text), "stream by stream"), text)
	}
}

// TestAJoinSeesTheEventsOfItsTransaction: they stand in no stream of the index.
func TestAJoinSeesTheEventsOfItsTransaction(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	exec(t, s, "INSERT INTO a (type) VALUES ('x'), ('y')")
	exec(t, s, "BEGIN")
	exec(t, s, "INSERT INTO a (type) VALUES ('z') EXPECTING VERSION 1")
	const text = "SELECT x.type, y.type FROM $all x JOIN $all y ON x.stream = y.stream AND y.version = x.version + 1"
	assert.Equal(t, []string{`"x" | "y"`, `"y" | "z"`}, rowsOf(t, s, text))
	exec(t, s, "ROLLBACK")
	assert.Equal(t, []string{`"x" | "y"`}, rowsOf(t, s, text))
}
