package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
)

func traceCommand() *cli.Command {
	return &cli.Command{
		Name:      "trace",
		Usage:     "show what caused an event, and what it caused",
		ArgsUsage: "[STORE] EVENT",
		Description: "EVENT is a position, an event's id, or a correlation id. Shows all events with the same\n" +
			"correlation, and those that one of them has caused, as a tree: each below the event whose id is its\n" +
			"cause. Both are fields of the metadata, by default " + strings.Join(correlationKeys, ", ") + ";\n" +
			strings.Join(causationKeys, ", ") + ".",
		Flags: append([]cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "correlation", Usage: "`FIELD` of the metadata that is the correlation"},
			&cli.StringFlag{Name: "causation", Usage: "`FIELD` of the metadata that is the id of the cause"},
			&cli.IntFlag{Name: "limit", Aliases: []string{"n"}, Usage: "at most `N` events", Value: 1000},
		}, &cli.BoolFlag{Name: "no-pager", Usage: "never show a long result in a pager"}),
		Action: runTrace,
	}
}

// The fields of the metadata that people use; the first that is there counts.
var (
	correlationKeys = []string{"correlation_id", "correlationId", "$correlationId"}
	causationKeys   = []string{"causation_id", "causationId", "$causationId"}
)

// fieldSQL reads the first of some fields of the metadata.
func fieldSQL(flag string, usual []string) string {
	if flag != "" {
		usual = []string{flag}
	}
	terms := make([]string, len(usual))
	for i, key := range usual {
		path := "$." + `"` + strings.ReplaceAll(key, `"`, `\"`) + `"`
		terms[i] = "(metadata->>'" + strings.ReplaceAll(path, "'", "''") + "')"
	}
	if len(terms) == 1 {
		return terms[0]
	}
	return "coalesce(" + strings.Join(terms, ", ") + ")"
}

// A traced is an event of a trace.
type traced struct {
	Position    int64     `json:"position"`
	Stream      string    `json:"stream"`
	Version     int64     `json:"version"`
	ID          string    `json:"id"`
	Type        string    `json:"type"`
	RecordedAt  time.Time `json:"recorded_at"`
	Correlation *string   `json:"correlation,omitempty"`
	Causation   *string   `json:"causation,omitempty"`
	Depth       int       `json:"depth"`

	effects []*traced
}

// A tracer finds the events of a trace.
type tracer struct {
	db                     *sql.DB
	correlation, causation string // the fields, in SQL
	limit                  int
	more                   bool // than limit
}

func runTrace(ctx context.Context, c *cli.Command) (err error) {
	store, args, err := storeArguments(c, "EVENT")
	if err != nil {
		return err
	}
	if c.Int("limit") < 1 {
		return usage("--limit is 1 or more")
	}
	db, err := openStore(store, eventfold.ReadOnly, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t := &tracer{
		db:          db,
		correlation: fieldSQL(c.String("correlation"), correlationKeys),
		causation:   fieldSQL(c.String("causation"), causationKeys),
		limit:       c.Int("limit"),
	}
	waiting := newProgress(c, "reading", "", 0)
	roots, at, err := t.trace(ctx, args[0])
	waiting.end()
	if err != nil {
		return err
	}
	o := openOutput(consoleOf(c), 0, !c.Bool("no-pager") && !c.Bool("json"))
	defer func() { err = errors.Join(err, o.close()) }()
	for _, root := range roots {
		if err := tellTrace(o, root, at, c.Bool("json"), "", ""); err != nil {
			return err
		}
	}
	if t.more {
		fmt.Fprintf(consoleOf(c).errOut, "eventfold: there are more than %s; see --limit\n", plural(int64(t.limit), "event"))
	}
	return nil
}

// trace returns the events that are below no other one, and the position of the one that was asked
// for, -1 if that was a correlation.
func (t *tracer) trace(ctx context.Context, text string) (roots []*traced, at int64, err error) {
	at, correlation := int64(-1), text
	first, err := t.find(ctx, text)
	if err != nil {
		return nil, -1, err
	}
	known := map[string]*traced{}
	if first != nil {
		at, correlation = first.Position, ""
		if first.Correlation != nil {
			correlation = *first.Correlation
		}
		if err := t.causes(ctx, first, known); err != nil {
			return nil, -1, err
		}
	}
	list, err := t.effects(ctx, correlation, known)
	if err != nil {
		return nil, -1, err
	}
	if len(list) == 0 {
		return nil, -1, fmt.Errorf("no event has the position, the id or the correlation %q", text)
	}
	return grow(list), at, nil
}

func (t *tracer) selecting() string {
	return "SELECT position, stream, version, id, type, recorded_at, CAST(" + t.correlation + " AS TEXT), CAST(" +
		t.causation + " AS TEXT) FROM $all WHERE "
}

// find returns the event with a position or an id, nil if there is none.
func (t *tracer) find(ctx context.Context, text string) (*traced, error) {
	where, arg := "id = ?", any(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		where, arg = "position = ?", n
	} else if len(text) != 36 {
		return nil, nil
	}
	e := &traced{}
	err := e.scan(t.db.QueryRowContext(ctx, t.selecting()+where, arg))
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, eventfold.ErrArgument) { // it may be a correlation
		return nil, nil
	}
	return e, err
}

func (e *traced) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&e.Position, &e.Stream, &e.Version, &e.ID, &e.Type, &e.RecordedAt, &e.Correlation, &e.Causation)
}

// causes notes an event, its cause, the cause of that, and so on. A cause stands in front of what it
// has caused.
func (t *tracer) causes(ctx context.Context, e *traced, known map[string]*traced) error {
	for len(known) < t.limit {
		known[e.ID] = e
		if e.Causation == nil {
			return nil
		}
		cause, err := t.find(ctx, *e.Causation)
		if err != nil || cause == nil || cause.Position >= e.Position || cause.ID != *e.Causation {
			return err
		}
		e = cause
	}
	return nil
}

// effects returns what is known, all events of the correlation, and all that one of these has caused,
// in the order of positions.
func (t *tracer) effects(ctx context.Context, correlation string, known map[string]*traced) ([]*traced, error) {
	var list []*traced
	for _, e := range known {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *traced) int { return int(a.Position - b.Position) })
	where, args := t.causation+" IS NOT NULL", []any(nil)
	if correlation != "" {
		where, args = "("+where+" OR "+t.correlation+" = ?)", []any{correlation}
	} else if len(list) > 0 {
		where, args = where+" AND position > ?", []any{list[0].Position}
	}
	rows, err := t.db.QueryContext(ctx, t.selecting()+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e := &traced{}
		if err := e.scan(rows); err != nil {
			return nil, err
		}
		related := correlation != "" && e.Correlation != nil && *e.Correlation == correlation ||
			e.Causation != nil && known[*e.Causation] != nil && known[*e.Causation].Position < e.Position
		if !related || known[e.ID] != nil {
			continue
		}
		if t.more = len(list) >= t.limit; t.more {
			break
		}
		known[e.ID], list = e, append(list, e)
	}
	slices.SortFunc(list, func(a, b *traced) int { return int(a.Position - b.Position) })
	return list, rows.Err()
}

// grow puts each event below its cause, and returns those that have none in the list. A cause stands
// in front of its effect, whatever the metadata say, and so there is no circle.
func grow(list []*traced) (roots []*traced) {
	seen := map[string]*traced{}
	for _, e := range list {
		var cause *traced
		if e.Causation != nil {
			cause = seen[*e.Causation]
		}
		if cause == nil {
			roots = append(roots, e)
		} else {
			e.Depth = cause.Depth + 1
			cause.effects = append(cause.effects, e)
		}
		seen[e.ID] = e
	}
	return roots
}

// deepestTree is how far a tree is drawn to the right.
const deepestTree = 30

// tellTrace writes an event and those below it.
func tellTrace(o *output, root *traced, at int64, asJSON bool, before, below string) error {
	type step struct {
		e             *traced
		before, below string
	}
	stack := []step{{root, before, below}} // and no recursion, since a chain may be long
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if err := tellTraced(o, s.e, at, asJSON, s.before); err != nil {
			return err
		}
		for i, effect := range slices.Backward(s.e.effects) {
			branch, under := "├─ ", "│  "
			if i == len(s.e.effects)-1 {
				branch, under = "└─ ", "   "
			}
			if s.e.Depth >= deepestTree {
				branch, under = "", ""
			}
			stack = append(stack, step{effect, s.below + branch, s.below + under})
		}
	}
	return nil
}

// tellTraced writes one event.
func tellTraced(o *output, e *traced, at int64, asJSON bool, before string) error {
	if asJSON {
		return tell(o.w, true, e, "")
	}
	c := o.console
	name := c.paint(bold, safe(e.Type))
	if e.Position == at {
		name = "▶ " + name
	}
	_, err := fmt.Fprintf(o.w, "%s%s  %s  %s\n", c.paint(faint, before), name,
		c.paint(hue(e.Stream), safe(e.Stream)+"@"+textOf(e.Version)),
		c.paint(faint, textOf(e.Position)+"  "+timeText(e.RecordedAt)))
	return err
}
