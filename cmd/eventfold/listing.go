package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
)

// runOne runs one statement of this program on the store of a command, and writes its rows.
func runOne(ctx context.Context, c *cli.Command, store, text string, args ...any) (err error) {
	o, err := newOutput(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	s, err := openSession(ctx, store, eventfold.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	list, _ := splitScript(text)
	if err := readScript(list); err != nil {
		return err
	}
	waiting := newProgress(c, "reading", "", 0)
	return s.run(ctx, list[0], args, o, waiting.end)
}

// An ordering is what --sort may name, and what it means in SQL.
type ordering struct{ name, sql string }

// sortFlag is the flag --sort.
func sortFlag(orders []ordering) cli.Flag {
	names := make([]string, len(orders))
	for i, o := range orders {
		names[i] = o.name
	}
	return &cli.StringFlag{Name: "sort", Usage: "by `WHAT`: " + strings.Join(names, ", "), Value: names[0]}
}

// orderOf returns what --sort means.
func orderOf(c *cli.Command, orders []ordering) (string, error) {
	at := slices.IndexFunc(orders, func(o ordering) bool { return o.name == c.String("sort") })
	if at < 0 {
		return "", usage("nothing is sorted by %q; see eventfold %s --help", c.String("sort"), c.Name)
	}
	return orders[at].sql, nil
}

// limitFlag is the flag --limit.
func limitFlag() cli.Flag {
	return &cli.Int64Flag{Name: "limit", Aliases: []string{"n"}, Usage: "only the first `N`; 0 is all"}
}

// limitOf is the LIMIT that --limit means.
func limitOf(c *cli.Command) (string, error) {
	switch n := c.Int64("limit"); {
	case n < 0:
		return "", usage("--limit is 0, which is all, or more")
	case n > 0:
		return fmt.Sprintf(" LIMIT %d", n), nil
	}
	return "", nil
}

// streamOrders are what streams are sorted by.
var streamOrders = []ordering{
	{"name", "stream"}, {"events", "events DESC, stream"}, {"created", "created_at DESC, stream"},
	{"updated", "updated_at DESC, stream"},
}

func streamsCommand() *cli.Command {
	return &cli.Command{
		Name:      "streams",
		Usage:     "list streams, or categories of streams",
		ArgsUsage: "[STORE] [PATTERN]",
		Description: "Lists the streams whose names match PATTERN, such as 'order-*': * is any characters, ? one of\n" +
			"them, [a-c] one of these. A category is what stands before the first - of a stream's name.",
		Flags: append([]cli.Flag{
			storeFlag(), sortFlag(streamOrders), limitFlag(),
			&cli.BoolFlag{Name: "categories", Usage: "one row for each category"},
		}, outputFlags()...),
		Action: listStreams,
	}
}

func listStreams(ctx context.Context, c *cli.Command) error {
	store, args, err := storeArguments(c, "[PATTERN]")
	if err != nil {
		return err
	}
	orders := streamOrders
	if c.Bool("categories") {
		orders = categoryOrders
	}
	order, err := orderOf(c, orders)
	if err != nil {
		return err
	}
	limit, err := limitOf(c)
	if err != nil {
		return err
	}
	text, where, values := "SELECT stream, events, created_at, updated_at FROM $streams", "", []any(nil)
	if c.Bool("categories") {
		text = categoriesSQL
	}
	if len(args) == 1 {
		where, values = " WHERE glob(?, stream)", []any{args[0]}
	}
	if c.Bool("categories") {
		where += " GROUP BY category"
	}
	return runOne(ctx, c, store, text+where+" ORDER BY "+order+limit, values...)
}

const categoriesSQL = "SELECT category, COUNT(*) AS streams, SUM(events) AS events, " +
	"MIN(created_at) AS created_at, MAX(updated_at) AS updated_at FROM $streams"

// categoryOrders are the same for categories.
var categoryOrders = []ordering{
	{"name", "category"}, {"events", "events DESC, category"}, {"created", "created_at DESC, category"},
	{"updated", "updated_at DESC, category"},
}

// typeOrders are what types are sorted by.
var typeOrders = []ordering{
	{"events", "events DESC, type"}, {"name", "type"}, {"first", "first_position"}, {"last", "last_position DESC"},
}

func typesCommand() *cli.Command {
	return &cli.Command{
		Name:        "types",
		Usage:       "list the types of events",
		ArgsUsage:   "[STORE] [PATTERN]",
		Description: "Lists the types that match PATTERN, such as 'Order*', with their numbers of events.",
		Flags:       append([]cli.Flag{storeFlag(), sortFlag(typeOrders), limitFlag()}, outputFlags()...),
		Action:      listTypes,
	}
}

func listTypes(ctx context.Context, c *cli.Command) error {
	store, args, err := storeArguments(c, "[PATTERN]")
	if err != nil {
		return err
	}
	order, err := orderOf(c, typeOrders)
	if err != nil {
		return err
	}
	limit, err := limitOf(c)
	if err != nil {
		return err
	}
	where, values := "", []any(nil)
	if len(args) == 1 {
		where, values = " WHERE glob(?, type)", []any{args[0]}
	}
	text := "SELECT type, events, first_position, last_position FROM $types" + where + " ORDER BY " + order + limit
	return runOne(ctx, c, store, text, values...)
}

func statsCommand() *cli.Command {
	return &cli.Command{
		Name:      "stats",
		Usage:     "show the figures of a store",
		ArgsUsage: "[STORE] [PATTERN]",
		Description: "Shows events, streams, bytes and files of the store. Counters of appends are those of the\n" +
			"process that appends, which can ask for them itself: SELECT * FROM $stats.",
		Flags: append([]cli.Flag{
			storeFlag(),
			&cli.BoolFlag{Name: "all", Usage: "also those of this process"},
		}, outputFlags()...),
		Action: showStats,
	}
}

// storeFigures are the names of those that do not belong to a process.
const storeFigures = "'events', 'streams', 'disk_bytes', 'segments', 'compressed_segments', 'indexed_segments', " +
	"'format_major', 'format_minor', 'head', 'recovery'"

func showStats(ctx context.Context, c *cli.Command) error {
	store, args, err := storeArguments(c, "[PATTERN]")
	if err != nil {
		return err
	}
	text, values := "SELECT name, value, text FROM $stats WHERE TRUE", []any(nil)
	if !c.Bool("all") && len(args) == 0 {
		text += " AND name IN (" + storeFigures + ")"
	}
	if len(args) == 1 {
		text, values = text+" AND glob(?, name)", []any{args[0]}
	}
	return runOne(ctx, c, store, text, values...)
}
