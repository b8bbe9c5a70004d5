//go:build !windows

package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// endings are the signals that end a command, as the end of its context.
var endings = heeded(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

// ignoreBrokenPipes makes writing into a pipe that nobody reads an error instead of the end of the
// process, so that a store is closed as ever.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// brokenPipe reports whether an error says that nobody reads what was written.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
