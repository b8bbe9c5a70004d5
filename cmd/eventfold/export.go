package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/transfer"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write events to a file",
		ArgsUsage: "[STORE] [FILE]",
		Description: "Writes the events that the store has now to FILE: lines of JSON in the shape of CloudEvents\n" +
			"(.ndjson), CSV, Parquet or SQLite. The name says in which format, and with .gz or .zst behind it\n" +
			"that it is compressed. Without FILE, or with -, lines go to standard output. The file gets its\n" +
			"name when it is whole; an export that was killed goes on when it is run again.",
		Flags: []cli.Flag{
			storeFlag(),
			formatFlag(),
			&cli.StringFlag{Name: "where", Usage: "only events for which the SQL `CONDITION` holds"},
			&cli.Int64Flag{Name: "from", Usage: "only events from `POSITION` on"},
			&cli.StringFlag{Name: "source", Usage: "the `URI` that is the source of CloudEvents", Value: "urn:eventfold"},
			&cli.BoolFlag{Name: "restart", Usage: "begin again, whatever an export that was killed has left"},
		},
		Action: export,
	}
}

func formatFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "format", Usage: "`FORMAT` of the file, if its name does not say it: " + transfer.FormatNames(),
	}
}

// checkpointEvery is how often an export makes durable what it has written, so that it can go on
// from there. Tests have it happen more often.
var checkpointEvery = time.Second

func export(ctx context.Context, c *cli.Command) error {
	dsn, args, err := storeArguments(c, "[FILE]")
	if err != nil {
		return err
	}
	path := "-"
	if len(args) > 0 {
		path = args[0]
	}
	format, compression, err := transfer.FormatOf(c.String("format"), path)
	if err != nil {
		return usageError{err}
	}
	if c.Int64("from") < 0 {
		return usage("--from is a position, which is 0 or more")
	}
	if path == "-" && !format.Text {
		return usage("%s needs a file: its name is missing", format.Name)
	}
	x := &exporting{c: c, dsn: dsn, path: path, format: format, compression: compression}
	if path == "-" {
		return x.toStandardOutput(ctx)
	}
	if x.path, err = wholefile.Resolve(path); err != nil {
		return usageError{err}
	}
	return x.toFile(ctx)
}

// An exporting is one run of export.
type exporting struct {
	c           *cli.Command
	dsn, path   string
	format      *transfer.Format
	compression transfer.Compression
	plan        transfer.Plan
	to          int64 // the position behind the last event
}

// begin opens the store, and decides what is exported: what an earlier run has begun, or what is
// there now.
func (x *exporting) begin(ctx context.Context, begun *transfer.Plan) (*sql.DB, error) {
	config, err := storeConfig(x.dsn, eventfold.ReadOnly)
	if err != nil {
		return nil, err
	}
	x.plan = transfer.Plan{
		Format: x.format.Name, From: engine.Position(x.c.Int64("from")),
		Where: x.c.String("where"), Source: x.c.String("source"),
	}
	if begun != nil {
		x.plan.Head = begun.Head
		if config.Expect, err = parseHead(begun.Head); err != nil {
			return nil, err
		}
	}
	db := eventfold.OpenDB(config)
	if begun == nil {
		x.plan.Head, err = headOf(ctx, db)
	}
	if err == nil {
		var head engine.Head
		head, err = parseHead(x.plan.Head)
		x.to = int64(head.Position)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (x *exporting) toStandardOutput(ctx context.Context) error {
	db, err := x.begin(ctx, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	var p *progress
	if !consoleOf(x.c).terminal() { // where the lines themselves would be written over
		p = newProgress(x.c, "export", "events", x.to-int64(x.plan.From))
		defer p.end()
	}
	events := x.events(ctx, db, x.plan.From, p)
	_, err = transfer.WriteTo(x.c.Root().Writer, x.format, x.compression, x.plan.Source, events)
	return err
}

func (x *exporting) toFile(ctx context.Context) error {
	lock, err := transfer.Lock(x.path)
	if err != nil {
		return err
	}
	defer lock.Close()
	begun, err := x.begun()
	if err != nil {
		return err
	}
	db, err := x.begin(ctx, begun)
	if err != nil {
		return x.stuck(begun, err)
	}
	defer db.Close()
	target, err := transfer.OpenTarget(x.path, x.format, x.compression, x.plan)
	if err != nil {
		return err
	}
	from := target.Next()
	n, err := x.write(ctx, db, target)
	if err != nil {
		return x.stuck(begun, errors.Join(err, target.Close()))
	}
	if err := x.finish(target); err != nil {
		return err
	}
	return x.told(begun, n, int64(from))
}

// begun returns what an earlier run has begun, nil if there is nothing to go on with. What else it has
// left is removed.
func (x *exporting) begun() (*transfer.Plan, error) {
	if !x.c.Bool("restart") {
		plan, err := transfer.Begun(x.path, x.format)
		if plan != nil || err != nil {
			return plan, err
		}
	}
	return nil, transfer.Discard(x.path)
}

// stuck says what to do if the store is not the one any more that an export was begun with.
func (x *exporting) stuck(begun *transfer.Plan, err error) error {
	if begun != nil && errors.As(err, new(*eventfold.HeadError)) {
		return &transfer.StuckError{Path: x.path, Err: err}
	}
	return err
}

// finish gives the file its name. Of Parquet the events are converted before.
func (x *exporting) finish(target transfer.Target) error {
	var total int64 // not known where a condition chooses
	if x.plan.Where == "" {
		total = x.to - int64(x.plan.From)
	}
	progress := newProgress(x.c, "convert", "events", total)
	defer progress.end()
	return target.Finish(progress.set)
}

// told tells what was exported.
func (x *exporting) told(begun *transfer.Plan, n, from int64) error {
	result := struct {
		File    string `json:"file"`
		Events  int64  `json:"events"` // written by this run
		From    int64  `json:"from"`
		To      int64  `json:"to"`
		Resumed bool   `json:"resumed"`
	}{x.path, n, from, x.to, begun != nil}
	text := fmt.Sprintf("%s exported to %s", events(n), x.path)
	if begun != nil {
		text += fmt.Sprintf(", going on at position %d", from)
	}
	return tell(x.c.Root().Writer, x.c.Bool("json"), result, "%s", text)
}

// write writes what is left to the target, and makes it durable now and then.
func (x *exporting) write(ctx context.Context, db *sql.DB, target transfer.Target) (n int64, err error) {
	progress := newProgress(x.c, "export", "events", x.to-int64(target.Next()))
	defer progress.end()
	saved := time.Now()
	for e, err := range x.events(ctx, db, target.Next(), progress) {
		if err == nil {
			err = target.Write(&e)
		}
		if err == nil && time.Since(saved) >= checkpointEvery {
			err = target.Checkpoint()
			saved = time.Now()
		}
		if err != nil { // what is written whole need not be written again
			return n, errors.Join(err, target.Checkpoint())
		}
		n++
	}
	return n, nil
}

// events reads the events that are exported, from a position on.
func (x *exporting) events(
	ctx context.Context, db *sql.DB, from engine.Position, progress *progress,
) iter.Seq2[eventfold.Event, error] {
	text := "SELECT event FROM $all WHERE position >= ? AND position < ?"
	if x.plan.Where != "" {
		text += " AND (" + x.plan.Where + "\n)"
	}
	return func(yield func(eventfold.Event, error) bool) {
		rows, err := db.QueryContext(ctx, text, int64(from), x.to)
		if err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var e eventfold.Event
			err := rows.Scan(&e)
			if progress != nil {
				progress.set(int64(e.Position-from) + 1)
			}
			if !yield(e, err) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(eventfold.Event{}, err)
		}
	}
}

// noHead is the head of a store without events.
const noHead = "0"

// headOf returns the head of a store, as the key expect of a data source name takes it.
func headOf(ctx context.Context, db *sql.DB) (string, error) {
	var head sql.NullString
	err := db.QueryRowContext(ctx, "SELECT text FROM $stats WHERE name = 'head'").Scan(&head)
	if errors.Is(err, sql.ErrNoRows) || err == nil && strings.HasPrefix(head.String, "0:") {
		return noHead, nil
	}
	return head.String, err
}

// parseHead reads a head.
func parseHead(text string) (engine.Head, error) {
	if text == noHead {
		return engine.Head{}, nil
	}
	c, err := eventfold.ParseDSN("file:x?expect=" + strings.TrimSpace(text))
	return c.Expect, err
}
