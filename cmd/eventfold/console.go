package main

import (
	"errors"
	"io"
	"os"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

// A console is where the results and the messages of a command go, and what is known of the terminal
// that may be there.
type console struct {
	out    *outlet   // results
	errOut io.Writer // messages and progress
	colour bool      // results may be coloured
}

// newConsole looks at what a process has for its output and its errors.
func newConsole(out, errOut io.Writer) *console {
	c := &console{out: &outlet{w: out}, errOut: errOut}
	c.colour = c.terminal() && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return c
}

// consoleOf returns the console of the command line that a command belongs to.
func consoleOf(c *cli.Command) *console {
	return c.Root().Metadata[consoleKey].(*console)
}

// consoleKey is where the root command keeps its console.
const consoleKey = "console"

// terminal reports whether results go to a terminal.
func (c *console) terminal() bool { return isTerminal(c.out.w) }

// size returns the columns and lines of the terminal that results go to, zeros if there is none.
func (c *console) size() (width, height int) { return terminalSize(c.out.w) }

// isTerminal reports whether a reader or writer is a terminal.
func isTerminal(of any) bool {
	f, ok := of.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalSize returns the columns and lines of a terminal, zeros if it is none.
func terminalSize(w io.Writer) (width, height int) {
	if !isTerminal(w) {
		return 0, 0
	}
	width, height, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24 // a terminal that does not know
	}
	return width, height
}

// unread reports whether err says nothing but that nobody reads the results any more.
func (c *console) unread(err error) bool { return c.out.gone && withoutBrokenPipe(err) == nil }

// An outlet is the standard output. It notices that nobody reads it any more, which ends a command
// but is no fault of it: head has seen enough.
type outlet struct {
	w    io.Writer
	gone bool // the reader
}

// withoutBrokenPipe returns what an error says besides that nobody reads what was written, nil if that
// is all.
func withoutBrokenPipe(err error) error {
	switch x := err.(type) {
	case interface{ Unwrap() []error }:
		var others []error
		for _, e := range x.Unwrap() {
			others = append(others, withoutBrokenPipe(e))
		}
		return errors.Join(others...)
	case interface{ Unwrap() error }:
		if inner := x.Unwrap(); inner != nil && withoutBrokenPipe(inner) == nil {
			return nil
		}
		return err
	}
	if brokenPipe(err) {
		return nil
	}
	return err
}

func (o *outlet) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if brokenPipe(err) {
		o.gone = true
	}
	return n, err
}
