package crashtest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/eventfold/eventfold/internal/testenv"
)

// report logs the figures of a suite, and adds them as a line of a Markdown table to the file that
// EVENTFOLD_REPORT names.
func report(t testing.TB, suite, figures string) {
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

// random returns a source of random numbers for filestore.Options.Rand.
func random(seed uint64) *randomReader { return &randomReader{r: rand.New(rand.NewPCG(seed, 2))} }

// A randomReader may be used by any number of goroutines.
type randomReader struct {
	mu sync.Mutex // protects r
	r  *rand.Rand
}

// Read implements io.Reader.
func (r *randomReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range p {
		p[i] = byte(r.r.Uint32())
	}
	return len(p), nil
}

// clock returns a clock that goes on by a millisecond whenever it is asked, and now and then back.
func clock() func() time.Time {
	var mu sync.Mutex
	n := 0
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		n++
		return time.Unix(1_700_000_000, 0).Add(time.Duration(n-n%17/16*40) * time.Millisecond)
	}
}
