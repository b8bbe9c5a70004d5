package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
)

func eraseCommand() *cli.Command {
	return &cli.Command{
		Name:  "erase",
		Usage: "destroy the content of events, for ever",
		ArgsUsage: `[STORE] "FROM $all WHERE ..."
   eventfold erase --ledger FILE [STORE]
   eventfold erase --apply-ledger FILE|STORE [COPY]`,
		Description: "Erases payload and metadata of the events that the condition names, and waits until no file of\n" +
			"the store holds them. Copies of the store get rid of them by its ledger, which tells positions\n" +
			"and seals, and no content. STORE is a directory or a data source name, and so is COPY: either may\n" +
			"be named by --store.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "reason", Usage: "why, `TEXT` that stays for ever; nothing personal"},
			&cli.StringFlag{Name: "actor", Usage: "who, `TEXT` that stays for ever"},
			&cli.BoolFlag{Name: "dry-run", Usage: "tell what would be erased, and erase nothing"},
			&cli.BoolFlag{Name: "wait", Value: true, Usage: "until nothing is left; --wait=false leaves it to who writes next"},
			&cli.StringFlag{Name: "ledger", Usage: "write the ledger of STORE to `FILE` (- is standard output)"},
			&cli.StringFlag{Name: "apply-ledger", Usage: "erase in COPY what the ledger in `FILE|STORE` names"},
		},
		Action: erase,
	}
}

func erase(ctx context.Context, c *cli.Command) error {
	if c.IsSet("apply-ledger") {
		return eraseByLedger(ctx, c)
	}
	names := []string{`"FROM ... WHERE ..."`}
	first := strings.Fields(c.Args().First())
	if c.IsSet("ledger") && c.NArg() < 2 && (len(first) == 0 || !strings.EqualFold(first[0], "FROM")) {
		names = nil // that alone is something to do, and an argument is the store
	}
	store, args, err := storeArguments(c, names...)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return writeLedger(ctx, store, c.String("ledger"), c.Root().Writer)
	}
	if fields := strings.Fields(args[0]); len(fields) == 0 || !strings.EqualFold(fields[0], "FROM") {
		return usage(`what to erase is %q; it is to begin with FROM, as in "FROM $all WHERE ..."`, args[0])
	}
	if c.Bool("dry-run") {
		return planErasure(ctx, c, store, args[0])
	}
	if c.String("reason") == "" {
		return usage("--reason is missing: say why, without anything personal")
	}
	return eraseNow(ctx, c, store, args[0])
}

// eraseByLedger erases in a copy what a ledger names.
func eraseByLedger(ctx context.Context, c *cli.Command) error {
	for _, other := range []string{"ledger", "reason", "actor", "dry-run"} {
		if c.IsSet(other) {
			return usage("--%s and --apply-ledger exclude each other", other)
		}
	}
	dir, _, err := storeArguments(c)
	if err != nil {
		return err
	}
	report, err := applyLedger(ctx, c, c.String("apply-ledger"), dir)
	if err != nil {
		return err
	}
	return tell(c.Root().Writer, c.Bool("json"), newApplied(&report),
		"%s erased, %d erased before, %d not in this copy", events(report.Erased), report.Before, report.Beyond)
}

// planErasure tells what an erasure would erase.
func planErasure(ctx context.Context, c *cli.Command, dsn, from string) error {
	db, err := openStore(dsn, eventfold.ReadOnly, "")
	if err != nil {
		return err
	}
	defer db.Close()
	progress := newProgress(c, "reading", "", 0)
	defer progress.end()
	rows, err := db.QueryContext(ctx, "EXPLAIN ERASE "+from+" REASON ?", "dry run")
	if err != nil {
		return err
	}
	defer rows.Close()
	var step, detail string
	for rows.Next() {
		if err := rows.Scan(&step, &detail); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	progress.end()
	plan := struct {
		DryRun bool  `json:"dry_run"`
		Events int64 `json:"events"`
	}{DryRun: true}
	_, _ = fmt.Sscan(detail, &plan.Events) // "no events" are 0
	return tell(c.Root().Writer, c.Bool("json"), plan, "would erase %s", events(plan.Events))
}

// An erased is what erase tells.
type erased struct {
	Events   int64 `json:"events"`
	Position int64 `json:"position"` // of the event that tells of it; -1 if nothing was to be erased
	Done     bool  `json:"done"`
}

// eraseNow erases, waits, and writes the ledger, each if it is wanted.
func eraseNow(ctx context.Context, c *cli.Command, dsn, from string) error {
	db, err := openStore(dsn, eventfold.ReadWrite, c.String("actor"))
	if err != nil {
		return err
	}
	defer db.Close()
	progress := newProgress(c, "erase", "", 0)
	defer progress.end()
	result, err := db.ExecContext(ctx, "ERASE "+from+" REASON ?", c.String("reason"))
	progress.end()
	if err != nil {
		return err
	}
	e, err := newErased(result)
	if err != nil {
		return err
	}
	if c.IsSet("ledger") { // first: copies need not wait for the store
		if err := writeLedger(ctx, dsn, c.String("ledger"), c.Root().Writer); err != nil {
			return err
		}
	}
	if c.Bool("wait") && e.Events > 0 {
		if err := awaitErasures(ctx, c, db, e.Position); err != nil {
			return err
		}
		e.Done = true
	}
	out := c.Root().Writer
	if c.String("ledger") == "-" {
		out = c.Root().ErrWriter
	}
	return tell(out, c.Bool("json"), e, "%s", e)
}

func newErased(result sql.Result) (*erased, error) {
	n, err := result.RowsAffected()
	if err != nil || n == 0 {
		return &erased{Position: -1, Done: true}, err
	}
	position, err := result.LastInsertId()
	return &erased{Events: n, Position: position}, err
}

// String says it in a sentence.
func (e *erased) String() string {
	switch {
	case e.Events == 0:
		return "nothing to erase"
	case !e.Done:
		return events(e.Events) + " erased for readers; the files follow, see $erasures"
	}
	return events(e.Events) + " erased"
}
