package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// The variables of a mortal: where it dies, as what its progress tells of and how many, such as
// export:300, and after how long an export makes durable what it has.
const (
	dieAt     = "EVENTFOLD_TEST_DIE_AT"
	saveEvery = "EVENTFOLD_TEST_SAVE_EVERY"
)

// runMortal is the program, which kills itself half way.
func runMortal() {
	what, text, _ := strings.Cut(os.Getenv(dieAt), ":")
	last, err := strconv.ParseInt(text, 10, 64)
	every, errEvery := time.ParseDuration(os.Getenv(saveEvery))
	if err != nil || errEvery != nil {
		panic(dieAt + " or " + saveEvery + " is wrong") // this test is
	}
	checkpointEvery = every
	atProgress = func(p *progress) {
		if p.what == what && p.done.Load() >= last {
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				_ = self.Kill()
			}
			select {} // until it is killed
		}
	}
	main()
}
