// Eventfold is the command line of event stores; docs/cli.md shows every command.
//
//	eventfold query    runs SQL, on what is stored and on what comes
//	eventfold shell    the same, interactively
//	eventfold append   appends events that come as lines of JSON
//	eventfold tail     shows the last events, and those that come
//	eventfold trace    shows what caused an event, and what it caused
//	eventfold erase    destroys the content of events, and reaches copies by the store's ledger
//	eventfold restore  makes a store of a backup, without what was erased since
//	eventfold retain   erases what a policy does not keep, once or again and again
//
// and others: see eventfold --help.
//
// Results go to standard output, as text or with --json as lines of JSON, errors, messages and
// progress to standard error. The store is the one of --store, or else the first argument, or else
// that of the variable EVENTFOLD_STORE.
//
// The exit code is 0, or 1 after an error, 2 if the command line is wrong, 3 if somebody else is in
// the way (a lock, another event than was expected), 4 if something is damaged.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/urfave/cli/v3"
)

func main() {
	ignoreBrokenPipes()
	ctx, stop := signal.NotifyContext(context.Background(), endings...)
	context.AfterFunc(ctx, stop) // a second signal ends whatever does not heed the first
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	console := newConsole(out, errOut)
	err := rootCommand(console, in).Run(ctx, args)
	if console.out.gone { // which is no error; any other is one
		err = withoutBrokenPipe(err)
	}
	if err == nil {
		return exitOK
	}
	tellError(errOut, wantsJSON(args), err)
	return exitCode(err)
}

// rootCommand makes the command that all others stand below.
func rootCommand(console *console, in io.Reader) *cli.Command {
	root := &cli.Command{
		Name:                  "eventfold",
		Usage:                 "work with event stores",
		Reader:                in,
		Writer:                console.out,
		ErrWriter:             console.errOut,
		Metadata:              map[string]any{consoleKey: console},
		ExitErrHandler:        func(context.Context, *cli.Command, error) {}, // the error is told by run
		OnUsageError:          badUsage,
		Action:                unknownCommand,
		EnableShellCompletion: true,
		ConfigureShellCompletionCommand: func(c *cli.Command) {
			c.Hidden, c.Usage = false, "write a script that completes commands in bash, zsh, fish or pwsh"
		},
	}
	for _, group := range groups {
		for _, make := range group.commands {
			c := make()
			c.Category = group.name
			finish(c)
			root.Commands = append(root.Commands, c)
		}
	}
	return root
}

// finish gives a command, and those below it, what all have.
func finish(c *cli.Command) {
	c.OnUsageError = badUsage
	c.DisableSliceFlagSeparator = true // a comma is part of a value
	c.Flags = append(c.Flags, &cli.BoolFlag{Name: "json", Usage: "tell the result, and an error, as lines of JSON"})
	for _, below := range c.Commands {
		finish(below)
	}
}

// A usageError says what is wrong with the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage makes a usageError.
func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func badUsage(_ context.Context, _ *cli.Command, err error, _ bool) error { return usageError{err} }

// unknownCommand is what happens without a command that is known.
func unknownCommand(_ context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return usage("there is no command %q; see eventfold --help", c.Args().First())
	}
	return cli.ShowRootCommandHelp(c)
}
