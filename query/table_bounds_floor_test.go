package query

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
)

// TestRoundedTimesBoundWhatIsRead compares conditions on days and truncated times with twins that the
// store knows nothing of.
func TestRoundedTimesBoundWhatIsRead(t *testing.T) {
	testenv.WithoutRace(t)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 3))
	_, s := fillInTime(t, r, 600)
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	day := func() string {
		return fmt.Sprintf("'2026-%02d-%02d%s'", 1+r.IntN(3), 1+r.IntN(28), pick("", "", "", "", " 10:00:00", " 00:00:00.000000"))
	}
	bounded := 0
	for range testenv.Scale(200, 10_000) {
		x := pick("date(recorded_at)", "date_trunc('day', recorded_at)", "date_trunc('week', recorded_at)",
			"date_trunc('hour', recorded_at)", "date_trunc('month', recorded_at)", "date_trunc('quarter', recorded_at)")
		where := x + " " + pick("=", "=", "<", "<=", ">", ">=", "<>") + " " + day()
		switch r.IntN(6) {
		case 0:
			where = x + " BETWEEN " + day() + " AND " + day()
		case 1:
			where = x + " IN (" + day() + ", " + day() + ", NULL)"
		case 2:
			where = day() + pick("=", "<", ">=") + x
		case 3:
			where += " AND " + pick("date(recorded_at) > '2026-02-10'", "type = 'Type1'", "date(recorded_at) <> 'x'", "recorded_at < '2026-03-01'")
		}
		for _, text := range []string{"SELECT position FROM {} WHERE ", "SELECT COUNT(*) FROM {} WHERE ",
			"SELECT COUNT(type), MIN(type) FROM {} WHERE ", "SELECT COUNT(payload) FROM {} WHERE "} {
			text += where
			want := rowsOf(t, s, strings.Replace(text, "{}", "(SELECT * FROM $all LIMIT -1)", 1))
			require.Equal(t, want, rowsOf(t, s, strings.Replace(text, "{}", "$all", 1)), text)
		}
		if strings.Contains(fmt.Sprint(rowsOf(t, s, "EXPLAIN SELECT id FROM $all WHERE "+where)), "times [") {
			bounded++
		}
	}
	assert.Positive(t, bounded)
}

// TestOffsetsBehindTypesAreNotRead compares pages of some types with those of a twin that reads all, and
// holds what they look at.
func TestOffsetsBehindTypesAreNotRead(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 4))
	_, s := fillInTime(t, r, 3000)
	for range testenv.Scale(60, 2000) {
		where := []string{"type = 'Type1'", "type IN ('Type0', 'Type3')", "type = 'none'", "type = 'Type2' AND position > 700",
			"type = 'Type2' AND position BETWEEN 100 AND 1500"}[r.IntN(5)]
		text := "SELECT position, type FROM $all WHERE " + where + []string{"", " ORDER BY position", " ORDER BY position DESC"}[r.IntN(3)] +
			fmt.Sprintf(" LIMIT %d OFFSET %d", r.IntN(5)+1, r.IntN(1200))
		twin := strings.Replace(text, "WHERE ", "WHERE version > -9 AND ", 1)
		require.Equal(t, rowsOf(t, s, twin), rowsOf(t, s, text), text)
		events, skipped := -1, 0
		for _, line := range rowsOf(t, s, "EXPLAIN ANALYZE "+text) {
			fmt.Sscanf(line, `"examined" | "%d events, %d segments skipped"`, &events, &skipped)
		}
		assert.LessOrEqual(t, events, 200, text)
	}
}
