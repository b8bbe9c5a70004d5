package main

import (
	"errors"
	"os"
	"syscall"
)

// endings are the signals that end a command, as the end of its context.
var endings = heeded(os.Interrupt, syscall.SIGTERM)

// ignoreBrokenPipes does nothing: there is no such signal.
func ignoreBrokenPipes() {}

// What the system says of a pipe that nobody reads.
const (
	errorBrokenPipe = syscall.Errno(109)
	errorNoData     = syscall.Errno(232)
)

// brokenPipe reports whether an error says that nobody reads what was written.
func brokenPipe(err error) bool {
	return errors.Is(err, errorBrokenPipe) || errors.Is(err, errorNoData)
}
