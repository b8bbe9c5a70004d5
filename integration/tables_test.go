package integration

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/internal/testenv"
)

// TestSameTablesAsSQLite runs random statements over functions in FROM, VALUES, row values and every
// kind of join on both. EVENTFOLD_JOINS sets how many.
func TestSameTablesAsSQLite(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(testenv.Seed(t), 11))}
	n := budget(t, "EVENTFOLD_JOINS", 1000)
	p := newPair(t, g.Rand, 120)
	failed, bothFailed, rows := 0, 0, 0
	for done := 0; done < n && failed < 10; done++ {
		s := g.tables()
		ours, ourErr := declared(p.ours, s.ours)
		theirs, theirErr := query(p.theirs, s.theirs)
		if ourErr != nil && theirErr != nil {
			bothFailed++
			continue
		}
		rows += len(theirs)
		if ourErr == nil && theirErr != nil && strings.Contains(s.ours, "SELECT *") &&
			strings.Contains(theirErr.Error(), "ambiguous column name") {
			continue // SQLite makes a name of a column of the star that USING has merged, and does not find it
		}
		if !sameAnswer(t, statement{loose: true}, s.ours, ours, ourErr, theirs, theirErr) {
			t.Logf("SQLite was given %s", s.theirs)
			failed++
		}
	}
	assert.Less(t, bothFailed, n/4, "most statements must run")
	t.Logf("%d statements, %d refused by both, %d rows, %d differences", n, bothFailed, rows, failed)
}
