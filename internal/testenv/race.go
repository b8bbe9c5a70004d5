package testenv

import (
	"testing"

	"github.com/eventfold/eventfold/internal/race"
)

// WithoutRace skips a test under the race detector, for what is one goroutine's long work over many
// states: the detector has nothing to find there and takes ten times as long. ./test.sh runs such
// tests once more without it, and .ci/run those that compile packages.
func WithoutRace(t testing.TB) {
	t.Helper()
	if race.Enabled {
		t.Skip("-race: one goroutine's long work, which ./test.sh or .ci/run does without the race detector")
	}
}
