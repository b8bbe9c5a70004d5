package query

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestPositionsThatAreJumpedToAreThoseThatAScanFinds compares random conditions on the remainder of a
// position with twins that are not recognised.
func TestPositionsThatAreJumpedToAreThoseThatAScanFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 5))
	_, s := fillInTime(t, r, 1500)
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	for i := range testenv.Scale(150, 4000) {
		jumps := i%5 == 0 // a stride that leads to few enough events, and nothing else that leads to them
		every := pick("7", "300", "1", "1000", "-7", "0", "'300'", "4.0", "NULL", "(400 + 1)", "5000")
		rest := pick("3", "0", "299", "-1", "3.0", "'3'", "NULL", "2 + 1")
		narrower := pick("", "", " AND position >= 300", " AND position < 1000", " AND position BETWEEN 7 AND 310",
			" AND type = 'Type1'", " AND stream LIKE 'order%'", " AND version < 3")
		if jumps {
			every, rest = pick("300", "1000", "(400 + 1)", "5000"), pick("3", "0", "299", "2 + 1")
			narrower = pick("", " AND position >= 300", " AND position < 1000", " AND position BETWEEN 7 AND 310")
		}
		condition := pick("{} % "+every+" = "+rest, rest+" = {} % "+every, "{} % "+every+" = "+rest)
		text := "SELECT " + pick("position", "position", "position, type, payload", "COUNT(*), MIN(position)", "type") + " FROM $all WHERE " +
			condition + narrower
		if !strings.Contains(text, "COUNT") {
			text += pick("", " ORDER BY position DESC", " ORDER BY position LIMIT 2", " LIMIT 1 OFFSET 1", " ORDER BY position DESC LIMIT 1")
		}
		fast := strings.ReplaceAll(text, "{}", "position")
		want := rowsOf(t, s, strings.ReplaceAll(text, "{}", "(position + 0)"))
		require.Equal(t, want, rowsOf(t, s, fast), fast)
		if jumps {
			require.Contains(t, explained(t, s, fast), "modulo", fast)
		}
	}
}

// TestEveryThousandthEventIsFoundWithoutReadingThoseBetween holds how many events are looked at.
func TestEveryThousandthEventIsFoundWithoutReadingThoseBetween(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	fill(t, store, 5000)
	s := &Session{Store: store}
	for text, most := range map[string]int{
		"SELECT position FROM $all WHERE position % 1000 = 7":                       5,
		"SELECT COUNT(*) FROM $all WHERE position % 4 = 1":                          1250,
		"SELECT payload FROM $all WHERE 7 = position % 1000":                        5,
		"SELECT type FROM $all WHERE position % 500 = 0 AND position > 2000":        5,
		"SELECT type FROM $all WHERE position % 500 = 0 ORDER BY position DESC":     10,
		"SELECT type FROM $all WHERE position % 500 = 0 AND type = 'OrderEvent01'":  1100,
		"SELECT type FROM $all WHERE position % 500 = 0 AND stream = 'order-00200'": 10,
	} {
		var events, skipped int
		for _, line := range rowsOf(t, s, "EXPLAIN ANALYZE "+text) {
			fmt.Sscanf(line, `"examined" | "%d events, %d segments skipped"`, &events, &skipped)
		}
		assert.LessOrEqual(t, events, most, text)
	}
}

// TestEXPLAINSaysWhatTheIndexesKnow: such scans read no events.
func TestEXPLAINSaysWhatTheIndexesKnow(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	fill(t, store, 200)
	s := &Session{Store: store}
	for text, indexed := range map[string]bool{
		"SELECT SUM(position) FROM $all WHERE position > 70":                         true,
		"SELECT COUNT(*) FROM $all WHERE type LIKE '%07'":                            true,
		"SELECT MAX(position + 1) FROM $all WHERE version % 2 = 1 AND type <> 'x'":   true,
		"SELECT position FROM $all WHERE type IN ('OrderEvent01', 'x')":              true,
		"SELECT COUNT(*) FROM $all WHERE minute(recorded_at) <> 99":                  true,
		"SELECT position FROM $all WHERE position > 190":                             false,
		"SELECT type, payload FROM $all":                                             false,
		"SELECT COUNT(*) FROM $all WHERE stream = 'order-000001' AND version % 2":    false,
		"SELECT version FROM $all WHERE id = '00000000-0000-0000-0000-000000000001'": false,
	} {
		assert.Equal(t, indexed, strings.Contains(explained(t, s, text), "from the indexes"), text)
	}
}

// TestEventsOfATransactionAreJumpedToToo: they have no positions yet, and come behind all others.
func TestEventsOfATransactionAreJumpedToToo(t *testing.T) {
	store := openStore(t, filestore.Options{Prealloc: filestore.PreallocNone})
	fill(t, store, 20)
	s := &Session{Store: store}
	exec(t, s, "BEGIN")
	exec(t, s, "INSERT INTO a (type) VALUES ('x')")
	assert.Equal(t, []string{"3", "13"}, rowsOf(t, s, "SELECT position FROM $all WHERE position % 10 = 3"))
	exec(t, s, "ROLLBACK")
	assert.Equal(t, []string{"3", "13"}, rowsOf(t, s, "SELECT position FROM $all WHERE position % 10 = 3"))
}
