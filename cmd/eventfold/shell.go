package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
)

func shellCommand() *cli.Command {
	return &cli.Command{
		Name:      "shell",
		Usage:     "type SQL, and see what it gives",
		ArgsUsage: "[STORE]",
		Description: "Reads statements, which a semicolon ends, and runs each. Tab completes keywords, names of streams,\n" +
			"types, columns, views and functions, and JSON paths. Ctrl-C ends the statement that runs, Ctrl-D the\n" +
			"shell. .help tells what else there is. The store is opened for reading unless --write is given.",
		Flags: append([]cli.Flag{
			storeFlag(),
			&cli.BoolFlag{Name: "write", Usage: "open the store for writing"},
			&cli.BoolFlag{Name: "no-history", Usage: "keep nothing of what is typed"},
		}, outputFlags()...),
		Action: runShell,
	}
}

// errCancelled is what a lineSource says when the user does not want what was typed.
var errCancelled = errors.New("cancelled")

// A lineSource gives what is typed: a whole entry at a time, which is one or more statements, or a
// command of the shell.
type lineSource interface {
	read(prompt string) (string, error) // io.EOF at the end
}

// A shell runs what is typed.
type shell struct {
	console *console
	session *session
	errOut  io.Writer
	typed   bool // by somebody at a terminal: errors do not end it
	format  int
	paged   bool
	maxRows int64
	timer   bool
	once    string // the file for the next result, "" for none
	depth   int    // of files that are read
	left    bool   // something of the input was not run behind the error that ended it
	done    bool
}

// mostTyped is how many rows of a result are shown at a terminal.
const mostTyped = 500

func runShell(ctx context.Context, c *cli.Command) (err error) {
	store, _, err := storeArguments(c)
	if err != nil {
		return err
	}
	o, err := newOutput(c)
	if err != nil {
		return err
	}
	mode := eventfold.ReadOnly
	if c.Bool("write") {
		mode = eventfold.ReadWrite
	}
	s, err := openSession(ctx, store, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	sh := &shell{
		console: consoleOf(c), session: s, errOut: consoleOf(c).errOut, format: o.format, paged: !c.Bool("no-pager"),
	}
	if !isTerminal(c.Root().Reader) {
		err := sh.readFrom(ctx, interruptible(ctx, c.Root().Reader))
		return s.halfWay(sh.console, err, sh.left)
	}
	sh.typed, sh.maxRows = true, mostTyped
	return sh.interact(ctx, store, !c.Bool("no-history"))
}

// interact is the conversation with somebody at a terminal. That a transaction is open at its end is
// an error: what was typed is gone.
func (sh *shell) interact(ctx context.Context, store string, remember bool) error {
	ctx, stop := sh.untilTerminated(ctx)
	defer stop()
	mode := "read only"
	if sh.session.write {
		mode = "for writing"
	}
	fmt.Fprintf(sh.console.out, "eventfold %s, %s (%s). .help tells what there is.\n",
		eventfold.ModuleVersion, safe(store), mode)
	lines := newEditor(sh, remember)
	for !sh.done {
		text, err := lines.read(sh.prompt())
		switch {
		case errors.Is(err, errCancelled):
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(sh.console.out)
			return sh.session.halfWay(sh.console, nil, false)
		case err != nil:
			return err
		}
		if err := sh.entered(ctx, text); err != nil && !sh.console.out.gone {
			tellError(sh.errOut, false, err)
		}
	}
	return sh.session.halfWay(sh.console, nil, false)
}

// entered runs what was typed or pasted, which may be several entries, until one fails. An interrupt
// ends that, and leaves the shell.
func (sh *shell) entered(ctx context.Context, text string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if interrupts := heeded(os.Interrupt); len(interrupts) > 0 { // none would be all signals
		ctx, stop = signal.NotifyContext(ctx, interrupts...)
		defer stop()
	}
	return sh.readFrom(ctx, strings.NewReader(text))
}

// untilTerminated returns a context that an interrupt does not end: that ends what was entered, and
// nothing if nothing runs. What else ends a process does, and the process with it, since somebody may
// be waited for who does not type any more.
func (sh *shell) untilTerminated(ctx context.Context) (context.Context, context.CancelFunc) {
	restore := rememberTerminal()
	came := make(chan os.Signal, len(endings))
	signal.Notify(came, endings...)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() { // ended by cancel
		for {
			select {
			case s := <-came:
				if s != os.Interrupt {
					restore()
					sh.terminated()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(came)
		cancel()
		restore()
	}
}

// terminated ends the process. The store is one that was not closed, as after a kill.
func (sh *shell) terminated() {
	if sh.session.open.Load() {
		tellError(sh.errOut, false, errNoCommit)
	}
	os.Exit(exitError)
}

// prompt tells that a transaction is open.
func (sh *shell) prompt() string {
	if sh.session.open.Load() {
		return "eventfold (transaction)> "
	}
	return "eventfold> "
}

// enter runs an entry.
func (sh *shell) enter(ctx context.Context, text string) error {
	if isCommand(text) {
		return sh.command(ctx, text)
	}
	list, _ := splitScript(text)
	if err := readScript(list); err != nil {
		return err
	}
	for i, p := range list {
		sh.left = i+1 < len(list)
		if p.parsed.Params.Count+len(p.parsed.Params.Names) > 0 {
			return usage("a statement that is typed has no parameters: write the value itself")
		}
		if err := sh.runOne(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// runOne runs a statement.
func (sh *shell) runOne(ctx context.Context, p *piece) (err error) {
	o, closeOutput, err := sh.output()
	if err != nil {
		return err
	}
	began := time.Now()
	err = errors.Join(sh.session.run(ctx, p, nil, o, func() {}), closeOutput())
	if sh.timer && err == nil {
		fmt.Fprintf(sh.console.out, "(%d ms)\n", time.Since(began).Milliseconds())
	}
	if sh.console.out.gone && o.pager != nil { // the pager was left, and the shell goes on
		sh.console.out.gone = false
		return nil
	}
	return err
}

// output returns where the next result goes.
func (sh *shell) output() (o *output, end func() error, err error) {
	if sh.once == "" {
		o = openOutput(sh.console, sh.format, sh.paged && sh.typed)
		o.maxRows = sh.maxRows
		return o, o.close, nil
	}
	f, err := os.Create(sh.once)
	sh.once = ""
	if err != nil {
		return nil, nil, err
	}
	o = openOutput(&console{out: &outlet{w: f}, errOut: sh.errOut}, sh.format, false)
	return o, func() error { return errors.Join(o.close(), f.Close()) }, nil
}
