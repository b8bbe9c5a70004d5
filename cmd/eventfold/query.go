package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/parser"
)

func queryCommand() *cli.Command {
	return &cli.Command{
		Name:      "query",
		Aliases:   []string{"sql"},
		Usage:     "run SQL, on what is stored and on what comes",
		ArgsUsage: "[STORE] [SQL]",
		Description: "Runs the statements of SQL, of a file, or of standard input, one after the other. The store is\n" +
			"opened for reading, beside whoever else uses it, unless --write is given. Nothing is run if one of\n" +
			"the statements cannot be read. A statement with FOLLOW goes on until it is interrupted.",
		Flags: append([]cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "run the statements of `FILE`"},
			&cli.StringSliceFlag{Name: "param", Aliases: []string{"p"}, Usage: "`NAME=VALUE` of the parameter :NAME"},
			&cli.StringSliceFlag{Name: "arg", Aliases: []string{"a"}, Usage: "`VALUE` of the next parameter ?"},
			&cli.BoolFlag{Name: "write", Usage: "open the store for writing"},
			&cli.DurationFlag{
				Name: "watch", Aliases: []string{"w"},
				Usage: "again and again, so `LONG` after the end of the last run",
			},
		}, outputFlags()...),
		Action: runQuery,
	}
}

func runQuery(ctx context.Context, c *cli.Command) (err error) {
	store, args, err := storeArguments(c, "[SQL]")
	if err != nil {
		return err
	}
	script, err := readStatements(ctx, c, args)
	if err != nil {
		return err
	}
	list, _ := splitScript(script)
	if len(list) == 0 {
		return usage("there is no statement")
	}
	if err := readScript(list); err != nil {
		return err
	}
	watch := c.Duration("watch")
	if err := checkWatch(c, list, watch); err != nil {
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
	if watch > 0 {
		return watchScript(ctx, c, s, list, watch)
	}
	return runScript(ctx, c, s, list)
}

// readStatements returns the text of the statements: an argument, a file, or standard input.
func readStatements(ctx context.Context, c *cli.Command, args []string) (string, error) {
	switch {
	case len(args) == 1 && c.IsSet("file"):
		return "", usage("there are statements in the argument %q and in --file", args[0])
	case len(args) == 1:
		return args[0], nil
	case c.IsSet("file") && c.String("file") != "-":
		text, err := readInput(ctx, c.String("file"))
		return string(text), err
	case isTerminal(c.Root().Reader) && !c.IsSet("file"):
		return "", usage("SQL is missing; eventfold shell is for typing it")
	}
	text, err := io.ReadAll(interruptible(ctx, c.Root().Reader))
	return string(text), err
}

// checkWatch reports what cannot be run again and again.
func checkWatch(c *cli.Command, list []*piece, watch time.Duration) error {
	if !c.IsSet("watch") {
		return nil
	}
	if watch <= 0 {
		return usage("--watch is longer than nothing")
	}
	for _, p := range list {
		if s, ok := p.parsed.Statement.(*parser.Select); ok && s.Follow {
			return usage("--watch and FOLLOW exclude each other: FOLLOW goes on by itself")
		}
	}
	return nil
}

// runScript runs the statements once.
func runScript(ctx context.Context, c *cli.Command, s *session, list []*piece) (err error) {
	params, err := newSupply(c.StringSlice("param"), c.StringSlice("arg"))
	if err != nil {
		return err
	}
	dealt := make([][]any, len(list))
	for i, p := range list {
		if dealt[i], err = params.deal(p.parsed.Params); err != nil {
			return err
		}
	}
	if err := params.check(); err != nil {
		return err
	}
	o, err := newOutput(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if c.IsSet("watch") {
		o.unpaged()
	}
	for i, p := range list {
		waiting := newProgress(c, "running", "", 0)
		if err := s.run(ctx, p, dealt[i], o, waiting.end); err != nil {
			return s.halfWay(consoleOf(c), err, i+1 < len(list))
		}
	}
	return s.halfWay(consoleOf(c), nil, false)
}

// watchScript runs the statements again and again, until it is interrupted. On a terminal each
// result takes the place of the one before.
func watchScript(ctx context.Context, c *cli.Command, s *session, list []*piece, every time.Duration) error {
	console := consoleOf(c)
	for {
		if console.terminal() {
			fmt.Fprintf(console.out, "\x1b[H\x1b[2Jevery %s: %s\n\n", every, time.Now().Format(time.DateTime))
		}
		if err := runScript(ctx, c, s, list); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil
		}
	}
}
