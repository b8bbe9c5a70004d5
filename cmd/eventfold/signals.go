package main

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// heeded returns those of the signals that the process is to heed: one that was ignored when it was
// started stays ignored, as nohup and a shell's & want it, but for SIGTERM, which asks it alone. It is
// for the start of the process.
func heeded(signals ...os.Signal) []os.Signal {
	return slices.DeleteFunc(signals, func(s os.Signal) bool {
		return s != syscall.SIGTERM && signal.Ignored(s)
	})
}
