package query

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestSubqueriesReadStreamByStreamAnswerAsThoseThatAreRunForEachRow compares random sub-queries about
// the stream of the enclosing row with their twins.
func TestSubqueriesReadStreamByStreamAnswerAsThoseThatAreRunForEachRow(t *testing.T) {
	testenv.WithoutRace(t)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 4))
	_, s := fillInTime(t, r, 300)
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	streamwise := 0
	n := testenv.Scale(100, 4000)
	for range n {
		sub := func() string {
			where := " FROM $all AS i WHERE " + pick("i.stream = o.stream", "o.stream = i.stream") +
				pick("", "", " AND i.version = o.version + 1", " AND o.version - 1 = i.version", " AND i.type = o.type AND i.version > 3",
					" AND (i.version, i.type) = (o.version + 2, o.type)") +
				pick("", " AND i.type = 'Type2'", " AND i.version > 5", " AND i.position % 3 = 1", " AND i.type > 'Type9'",
					" AND i.recorded_at > '2026-02-05'")
			return pick("EXISTS (SELECT 1", "NOT EXISTS (SELECT *", "o.type IN (SELECT i.type", "o.version NOT IN (SELECT i.version - 2") +
				where + "%)"
		}
		text := pick("SELECT COUNT(*), SUM(version), MIN(type) FROM $all AS o WHERE ", "SELECT type, COUNT(*) FROM $all o WHERE ",
			"SELECT position FROM $all o WHERE ") + pick("", "o.version > 2 AND ", "o.type = 'Type1' OR ", "o.type <> 'Type3' AND ") + sub() +
			pick("", "", " AND ", " OR ")
		if strings.HasSuffix(text, " AND ") || strings.HasSuffix(text, " OR ") {
			text += sub()
		}
		switch {
		case strings.HasPrefix(text, "SELECT type"):
			text += " GROUP BY type"
		case strings.HasPrefix(text, "SELECT position"):
			text += " ORDER BY version, position"
		}
		fast := strings.ReplaceAll(text, "%)", ")")
		want := rowsOf(t, s, strings.ReplaceAll(text, "%)", perRow+")"))
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

// TestASubqueryPerStreamTakesTheMemoryOfAStream: the keys of all streams together would need many times
// as much, and a run for each row would read many times as many events.
func TestASubqueryPerStreamTakesTheMemoryOfAStream(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	fill(t, store, 20_000)
	s := &Session{Store: store, Settings: Settings{Memory: 64 << 10}}
	for text, want := range map[string]string{
		"SELECT COUNT(*) FROM $all o WHERE EXISTS (SELECT 1 FROM $all i WHERE i.stream = o.stream AND i.version = o.version + 1)": "18000",
		"SELECT COUNT(*) FROM $all o WHERE o.type = 'OrderEvent07' AND NOT EXISTS (SELECT 1 FROM $all i WHERE i.stream = o.stream " +
			"AND i.type = 'OrderEvent03')": "333",
		"SELECT COUNT(*) FROM $all o WHERE type IN (SELECT type FROM $all i WHERE i.stream = o.stream AND i.version < 3)": "6000",
	} {
		assert.Contains(t, explained(t, s, text), "stream by stream", text)
		assert.Equal(t, []string{want}, rowsOf(t, s, text), text)
	}
}

// TestRowsOfASubqueryPerStreamKeepTheirOrder: the rows of a table come by position where nothing else is
// asked for.
func TestRowsOfASubqueryPerStreamKeepTheirOrder(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	for _, stream := range []string{"b", "a", "b", "a"} {
		exec(t, s, "INSERT INTO "+stream+" (type) VALUES ('x')")
	}
	const where = " FROM $all o WHERE EXISTS (SELECT 1 FROM $all i WHERE i.stream = o.stream AND i.version = 1)"
	assert.Equal(t, []string{"0", "1", "2", "3"}, rowsOf(t, s, "SELECT position"+where))
	assert.Equal(t, []string{`"b"`}, rowsOf(t, s, "SELECT first(stream)"+where))
	assert.Equal(t, []string{"4"}, rowsOf(t, s, "SELECT COUNT(*)"+where))
}

// TestAnErrorOfAnotherStreamsRowIsNoneOfASubqueryPerStream: what is read beside the enclosing query's
// rows is read for some of them only.
func TestAnErrorOfAnotherStreamsRowIsNoneOfASubqueryPerStream(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	exec(t, s, "INSERT INTO a (type) VALUES ('1')")
	exec(t, s, "INSERT INTO b (type) VALUES ('x'), ('y')")
	const text = "SELECT COUNT(*) FROM $all o WHERE o.type = '1' AND EXISTS (SELECT 1 FROM $all i WHERE i.stream = o.stream " +
		"AND CASE WHEN i.type = '1' THEN 1 ELSE abs(-9223372036854775807 - 1) END = 1)"
	assert.Equal(t, []string{"1"}, rowsOf(t, s, text))
}
