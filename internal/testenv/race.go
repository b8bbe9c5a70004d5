package testenv

import (
	"testing"

	"github.com/eventfold/eventfold/internal/race"
)

// WithoutRace skips a test under the race detector, for what is one goroutine's long work over many
// states or random statements: the detector has nothing to find there and takes ten times as long.
// .ci/run runs such tests without it.
func WithoutRace(t testing.TB) {
	t.Helper()
	if race.Enabled {
		t.Skip("-race: one goroutine's long work, which .ci/run does without the race detector")
	}
}
