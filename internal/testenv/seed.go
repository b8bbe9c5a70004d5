package testenv

import (
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"testing"
)

// seeds are what the random tests begin with where nobody asks for anything else, so that a run
// fails for what was changed and never by luck. New ones are for who looks for faults.
var seeds = [...]uint64{
	9067519465399686295, 3, 17, 20260101, 6364136223846793005, 1442695040888963407, 4711,
}

// Seed returns the seed of a random test: EVENTFOLD_SEED; a new one if that is "random", and in the
// long variants; otherwise the one of a fixed list that the test's name picks. A failing test
// prints it.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	text := Get("EVENTFOLD_SEED")
	switch given, err := strconv.ParseUint(text, 10, 64); {
	case err == nil:
		seed = given
	case text == "" && !Long():
		seed = fixedSeed(t.Name())
	case text != "" && text != "random":
		t.Fatalf("EVENTFOLD_SEED: %v; it takes a number or random", err)
	}
	t.Logf("seed %d (EVENTFOLD_SEED=%d repeats it)", seed, seed)
	return seed
}

func fixedSeed(test string) uint64 {
	h := fnv.New32a()
	h.Write([]byte(test))
	return seeds[h.Sum32()%uint32(len(seeds))]
}
