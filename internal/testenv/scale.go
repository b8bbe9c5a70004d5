package testenv

import "github.com/eventfold/eventfold/internal/race"

// Scale returns how much of a suite to run: ordinary, or torture with the build tag of that name or
// EVENTFOLD_TORTURE set. A number in EVENTFOLD_TORTURE multiplies: EVENTFOLD_TORTURE=0.1 runs a
// tenth of the torture, but at least ordinary. The race detector makes everything ten times slower,
// and gets an eighth of ordinary.
func Scale(ordinary, torture int) int {
	if race.Enabled && ordinary > 0 {
		ordinary = max(1, ordinary/8)
	}
	return max(ordinary, int(Torture()*float64(torture)))
}

// Long reports whether the long variants run.
func Long() bool { return Scale(0, 1000) > 0 }
