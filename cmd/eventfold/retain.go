package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/retain"
)

func retainCommand() *cli.Command {
	return &cli.Command{
		Name:      "retain",
		Usage:     "erase what a policy does not keep",
		ArgsUsage: "[STORE] POLICY",
		Description: "POLICY is a file of JSON, see package retain. With --every the command goes on until it is\n" +
			"interrupted, and tells what each run has erased.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "actor", Usage: "who, `TEXT` that stays for ever"},
			&cli.BoolFlag{Name: "dry-run", Usage: "tell what would be erased, and erase nothing"},
			&cli.DurationFlag{Name: "every", Usage: "again and again, so long after the end of the last run"},
		},
		Action: runRetain,
	}
}

func runRetain(ctx context.Context, c *cli.Command) error {
	store, args, err := storeArguments(c, "POLICY")
	if err != nil {
		return err
	}
	if c.IsSet("every") && (c.Bool("dry-run") || c.Duration("every") <= 0) {
		return usage("--every is longer than nothing, and not for a dry run")
	}
	text, err := readInput(ctx, args[0])
	if err != nil {
		return err
	}
	policy, err := retain.Parse(text)
	if err != nil {
		return usageError{err}
	}
	mode := eventfold.ReadWrite
	if c.Bool("dry-run") {
		mode = eventfold.ReadOnly
	}
	db, err := openStore(store, mode, c.String("actor"))
	if err != nil {
		return err
	}
	defer db.Close()
	switch {
	case c.Bool("dry-run"):
		return planRetain(ctx, c, db, policy)
	case c.IsSet("every"):
		err := policy.Every(ctx, db, c.Duration("every"), func(done []retain.Erased, err error) error {
			return tellRetained(ctx, c, db, done, err)
		})
		if ctx.Err() != nil { // which is how it is meant to end
			return nil
		}
		return err
	}
	progress := newProgress(c, "retain", "events", 0)
	defer progress.end()
	done, err := policy.Run(ctx, &countedErasures{db, progress})
	progress.end()
	return tellRetained(ctx, c, db, done, err)
}

// countedErasures are those of a policy, which tell a progress how many events each has erased.
type countedErasures struct {
	retain.DB
	progress *progress
}

func (e *countedErasures) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	result, err := e.DB.ExecContext(ctx, text, args...)
	if err == nil {
		if n, err := result.RowsAffected(); err == nil {
			e.progress.add(n)
		}
	}
	return result, err
}

// planRetain tells what each rule would erase.
func planRetain(ctx context.Context, c *cli.Command, db *sql.DB, policy *retain.Policy) error {
	progress := newProgress(c, "reading", "", 0)
	defer progress.end()
	plan, err := policy.Plan(ctx, db)
	progress.end()
	if err != nil {
		return err
	}
	for _, o := range plan {
		line := struct {
			Rule   string     `json:"rule"`
			DryRun bool       `json:"dry_run"`
			Events int64      `json:"events"`
			Oldest *time.Time `json:"oldest,omitempty"`
			Newest *time.Time `json:"newest,omitempty"`
		}{Rule: o.Rule, DryRun: true, Events: o.Events}
		if o.Events > 0 {
			line.Oldest, line.Newest = &o.Oldest, &o.Newest
		}
		if err := tell(c.Root().Writer, c.Bool("json"), line, "%s: would erase %s", o.Rule, events(o.Events)); err != nil {
			return err
		}
	}
	return nil
}

// tellRetained waits until what a run has erased is in no file, and tells it, and then its error.
func tellRetained(ctx context.Context, c *cli.Command, db *sql.DB, done []retain.Erased, failed error) error {
	for _, e := range done {
		line := struct {
			Rule   string `json:"rule"`
			Events int64  `json:"events"`
		}{e.Rule, e.Events}
		if err := tell(c.Root().Writer, c.Bool("json"), line, "%s: %s erased", e.Rule, events(e.Events)); err != nil {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	return awaitErasures(ctx, c, db, 0)
}
