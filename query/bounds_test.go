package query

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/query/internal/value/valuetest"
)

// TestPatternsOfStreamsFindWhatTheyMatch: LIKE and glob find the same streams whether an index, a
// list of streams or nothing leads to them. Every sign of ASCII stands at the beginning of a stream
// and behind a sign that is no letter, and in the patterns in the other case, since a pattern
// bounds the scan up to its first letter.
func TestPatternsOfStreamsFindWhatTheyMatch(t *testing.T) {
	store := openStore(t, filestore.Options{})
	all := &Session{Store: store}
	exec(t, all, "BEGIN")
	var streams, likes, globs []string
	for c := byte('!'); c <= '~'; c++ {
		other := c
		if isLetter(c) {
			other ^= 'a' - 'A'
		}
		if c != '$' { // which begins no name of a stream
			streams = append(streams, fmt.Sprintf("%cb1", c))
		}
		streams = append(streams, fmt.Sprintf("1%c", c), fmt.Sprintf("-%cé", c))
		likes = append(likes, fmt.Sprintf("%cB%%", other), fmt.Sprintf("1%c", other), fmt.Sprintf("1%c%%", other),
			fmt.Sprintf("-%c_", other))
		globs = append(globs, fmt.Sprintf("%cb*", c), fmt.Sprintf("1%c", other), fmt.Sprintf("-%c?", c))
	}
	for _, stream := range streams {
		exec(t, all, "INSERT INTO $all (stream, type) VALUES (?, 'x')", stream)
	}
	exec(t, all, "COMMIT")
	inTx := &Session{Store: store} // whose own events keep LIKE from listing streams: its prefix alone bounds the scan
	exec(t, inTx, "BEGIN")
	exec(t, inTx, "INSERT INTO $all (stream, type) VALUES ('Ab', 'mine'), ('1Z9', 'mine')")

	check := func(condition, pattern string, match func(pattern, stream string) bool) {
		want := []string{}
		for _, stream := range streams {
			if match(pattern, stream) {
				want = append(want, fmt.Sprintf("%q", stream))
			}
		}
		slices.Sort(want)
		for _, s := range []*Session{all, inTx} {
			for _, from := range []string{"$all", "(SELECT * FROM $all)"} {
				text := "SELECT DISTINCT stream FROM " + from + " WHERE type = 'x' AND " + condition
				got := rowsOf(t, s, text, pattern)
				slices.Sort(got)
				require.Equal(t, want, got, "%s of %q in a transaction: %t", text, pattern, s == inTx)
			}
		}
	}
	for _, pattern := range append(likes, "", "%", "_b1", "Ab1") {
		check("stream LIKE ?", pattern, valuetest.Like)
	}
	for _, pattern := range globs {
		if pattern[0] != '[' && pattern[1] != '[' { // sets are no business of valuetest.Glob
			check("glob(?, stream)", pattern, valuetest.Glob)
		}
	}
	assert.Equal(t, []string{`"Ab"`}, rowsOf(t, inTx, "SELECT stream FROM $all WHERE type = 'mine' AND stream LIKE 'aB%'"))
	assert.Equal(t, []string{`"1Z9"`},
		rowsOf(t, inTx, "SELECT stream FROM $all WHERE type = 'mine' AND stream LIKE '1z%'"))
}

// TestTheZeroTimeOfGoIsABound: it is before all events.
func TestTheZeroTimeOfGoIsABound(t *testing.T) {
	s := &Session{Store: openStore(t, filestore.Options{})}
	exec(t, s, "INSERT INTO a (type) VALUES ('x'), ('y')")
	for text, want := range map[string]string{
		"SELECT COUNT(*) FROM $all WHERE recorded_at < ?":                                                 "0",
		"SELECT COUNT(*) FROM a WHERE recorded_at <= ?":                                                   "0",
		"SELECT COUNT(*) FROM $all WHERE recorded_at >= ?":                                                "2",
		"SELECT COUNT(*) FROM $all WHERE type = 'x' AND date(recorded_at) < date(?)":                      "0",
		"SELECT COUNT(*) FROM (SELECT type, COUNT(*) FROM $all WHERE recorded_at < ? GROUP BY type) AS t": "0",
	} {
		assert.Equal(t, []string{want}, rowsOf(t, s, text, time.Time{}), text)
	}
}
