// Eventfold is the command line of event stores.
//
//	eventfold erase    destroys the content of events, and reaches copies by the store's ledger
//	eventfold restore  makes a store of a backup, without what was erased since
//	eventfold retain   erases what a policy does not keep, once or again and again
//	eventfold version  tells the version
//
// Results go to standard output, as text or with --json as a line of JSON, errors to standard error.
// The exit code is 0, or 1 after an error, 2 if the command line is wrong, 3 if somebody else is in
// the way (a lock, another event than was expected), 4 if something is damaged.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the command line and returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := &cli.Command{
		Name:           "eventfold",
		Usage:          "work with event stores",
		Writer:         out,
		ErrWriter:      errOut,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // the error is told below
		OnUsageError:   badUsage,
		Action:         unknownCommand,
		Commands:       []*cli.Command{eraseCommand(), restoreCommand(), retainCommand(), versionCommand()},
	}
	for _, c := range root.Commands {
		c.OnUsageError = badUsage
		c.Flags = append(c.Flags, &cli.BoolFlag{Name: "json", Usage: "tell the result, and an error, as a line of JSON"})
	}
	err := root.Run(ctx, args)
	if err == nil {
		return exitOK
	}
	tellError(errOut, wantsJSON(args), err)
	return exitCode(err)
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

// arguments returns the arguments of a command, which must be as many as the names.
func arguments(c *cli.Command, names ...string) ([]string, error) {
	args := c.Args().Slice()
	if len(args) == len(names) {
		return args, nil
	}
	if len(args) < len(names) {
		return nil, usage("%s is missing; see eventfold %s --help", names[len(args)], c.Name)
	}
	return nil, usage("nobody knows what %q is for; see eventfold %s --help", args[len(names)], c.Name)
}

var errInterrupted = errors.New("interrupted")
