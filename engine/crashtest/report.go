package crashtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/eventfold/eventfold/internal/race"
)

// Seed returns the seed of a random test: EVENTFOLD_SEED, or a random one. A failing test prints it.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("EVENTFOLD_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("EVENTFOLD_SEED: %v", err)
		}
		seed = given
	}
	t.Logf("seed %d (EVENTFOLD_SEED=%d repeats it)", seed, seed)
	return seed
}

// Scale returns how much of a suite to run: ordinary, or torture with the build tag of that name or EVENTFOLD_TORTURE set.
// A number in EVENTFOLD_TORTURE multiplies: EVENTFOLD_TORTURE=0.1 runs a tenth of the torture, but at least ordinary.
// The race detector makes everything ten times slower, and gets an eighth of ordinary.
func Scale(ordinary, torture int) int {
	factor := 0.0
	if race.Enabled && ordinary > 0 {
		ordinary = max(1, ordinary/8)
	}
	if tortured {
		factor = 1
	}
	if text := os.Getenv("EVENTFOLD_TORTURE"); text != "" {
		given, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(fmt.Sprintf("EVENTFOLD_TORTURE: %v", err))
		}
		factor = given
	}
	return max(ordinary, int(factor*float64(torture)))
}

// Torture reports whether the long variants run.
func Torture() bool { return Scale(0, 1000) > 0 }

// Report logs the figures of a suite, and adds them as a line of a Markdown table to the file that EVENTFOLD_REPORT names.
func Report(t testing.TB, suite, figures string) {
	t.Helper()
	t.Logf("%s: %s", suite, figures)
	name := os.Getenv("EVENTFOLD_REPORT")
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
