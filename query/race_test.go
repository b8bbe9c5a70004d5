package query

import (
	"testing"

	"github.com/eventfold/eventfold/internal/race"
)

// skipUnderRace ends a test that counts allocations: the race detector makes pools forget at
// random, which allocates. .ci/run runs these tests once more without it.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if race.Enabled {
		t.Skip("counts allocations, of which the race detector adds some at random; .ci/run counts without it")
	}
}
