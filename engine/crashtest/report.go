package crashtest

import (
	"fmt"
	"os"
	"testing"

	"github.com/eventfold/eventfold/internal/race"
	"github.com/eventfold/eventfold/internal/testenv"
)

// Seed returns the seed of a random test: EVENTFOLD_SEED, or a random one. A failing test prints
// it.
func Seed(t testing.TB) uint64 {
	t.Helper()
	return testenv.Seed(t)
}

// Scale returns how much of a suite to run: ordinary, or torture with the build tag of that name or
// EVENTFOLD_TORTURE set. A number in EVENTFOLD_TORTURE multiplies: EVENTFOLD_TORTURE=0.1 runs a
// tenth of the torture, but at least ordinary. The race detector makes everything ten times slower,
// and gets an eighth of ordinary.
func Scale(ordinary, torture int) int {
	if race.Enabled && ordinary > 0 {
		ordinary = max(1, ordinary/8)
	}
	return max(ordinary, int(testenv.Torture()*float64(torture)))
}

// Torture reports whether the long variants run.
func Torture() bool { return Scale(0, 1000) > 0 }

// Report logs the figures of a suite, and adds them as a line of a Markdown table to the file that
// EVENTFOLD_REPORT names.
func Report(t testing.TB, suite, figures string) {
	t.Helper()
	t.Logf("%s: %s", suite, figures)
	name := testenv.Get("EVENTFOLD_REPORT")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Errorf("EVENTFOLD_REPORT: %v", err)
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "| %s | %s | %s |\n", suite, t.Name(), figures)
}
