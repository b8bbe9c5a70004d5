package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
)

func tailCommand() *cli.Command {
	return &cli.Command{
		Name:      "tail",
		Usage:     "show the last events, and those that come",
		ArgsUsage: "[STORE]",
		Description: "Shows the last events, oldest first, or with --since all from there on. With --follow it goes on\n" +
			"with those that come, until it is interrupted. Filters must all hold; of several streams or types\n" +
			"one is enough.",
		Flags: append(append([]cli.Flag{
			storeFlag(),
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on with the events that come"},
			&cli.Int64Flag{Name: "lines", Aliases: []string{"n"}, Usage: "the last `N` events", Value: 10},
		}, filterFlags()...), eventOutputFlags()...),
		Action: tail,
	}
}

// eventFormat is the format of tail that others do not have: a line for people.
const eventFormat = "events"

// eventOutputFlags are outputFlags with one more format, which is the default.
func eventOutputFlags() []cli.Flag {
	flags := outputFlags()
	flags[0] = &cli.StringFlag{
		Name: "output", Aliases: []string{"o"}, Value: eventFormat,
		Usage: "`FORMAT`: " + eventFormat + ", " + formatNames(),
	}
	return flags
}

// filterFlags are the flags that choose events.
func filterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{
			Name: "stream", Aliases: []string{"s"},
			Usage: "only of `STREAM`; with * or ? in it, of those that match",
		},
		&cli.StringSliceFlag{Name: "type", Aliases: []string{"t"}, Usage: "only of `TYPE`"},
		&cli.StringSliceFlag{Name: "tag", Usage: "only with `TAG`"},
		&cli.StringFlag{Name: "where", Usage: "only where `SQL` holds, such as payload->>'$.total' > 100"},
		&cli.StringFlag{Name: "since", Usage: "from `WHERE` on: a position, a time, or so long ago, such as 15m or 2d"},
	}
}

// A filter is a condition in SQL, with its arguments.
type filter struct {
	terms []string
	args  []any
	where string // the text of --where, which stands at the end, on lines of its own
}

// newFilter reads the flags of filterFlags.
func newFilter(c *cli.Command, now time.Time) (*filter, error) {
	f := &filter{}
	f.oneOf("stream", c.StringSlice("stream"), true)
	f.oneOf("type", c.StringSlice("type"), false)
	for _, tag := range c.StringSlice("tag") {
		f.add("HAS(tags, ?)", tag)
	}
	if text := c.String("since"); text != "" {
		if err := f.since(text, now); err != nil {
			return nil, err
		}
	}
	if f.where = c.String("where"); f.where != "" {
		if err := checkCondition(f.where); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *filter) add(term string, args ...any) {
	f.terms, f.args = append(f.terms, term), append(f.args, args...)
}

// oneOf asks a column for one of several values, or patterns.
func (f *filter) oneOf(column string, values []string, patterns bool) {
	var terms []string
	var args []any
	for _, v := range values {
		term := column + " = ?"
		if patterns && strings.ContainsAny(v, "*?") {
			term = "glob(?, " + column + ")"
		}
		terms, args = append(terms, term), append(args, v)
	}
	if len(terms) > 0 {
		f.add("("+strings.Join(terms, " OR ")+")", args...)
	}
}

// since asks for events from a position, or a time, on.
func (f *filter) since(text string, now time.Time) error {
	if position, err := strconv.ParseInt(text, 10, 64); err == nil {
		f.add("position >= ?", position)
		return nil
	}
	at, err := timeOf(text, now)
	f.add("recorded_at >= ?", at)
	return err
}

// timeLayouts are how a time may be written; without a zone it is in UTC.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
}

// timeOf reads a time, or how long ago something was: 90s, 15m, 2h, 3d.
func timeOf(text string, now time.Time) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 1e5 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return now, usage("%q is neither a position nor a time such as 2026-03-01T09:00:00Z, "+
		"nor how long ago, such as 15m or 2d", text)
}

// checkCondition reports what is wrong with a condition, at its place in it.
func checkCondition(text string) error {
	const before = "SELECT 1 FROM $all WHERE (\n"
	list := []*piece{{text: before + text + "\n)"}}
	err := readScript(list)
	if err == nil && len(list[0].parsed.Params.Names)+list[0].parsed.Params.Count > 0 {
		return usage("--where takes no parameters")
	}
	return inCondition(err, 1)
}

// inCondition makes an error that tells of a place in a statement one that tells of it in --where,
// which begins behind so many lines.
func inCondition(err error, behind int) error {
	var known *eventfold.Error
	if !errors.As(err, &known) || known.Line <= behind {
		return err
	}
	moved := *known
	moved.Line -= behind
	return fmt.Errorf("in --where: %w", &moved)
}

// sql returns the condition, TRUE if there is none. --where stands on lines of its own, behind the
// first one of a statement of one line.
func (f *filter) sql() string {
	terms := append([]string{}, f.terms...)
	if f.where != "" {
		terms = append(terms, "(\n"+f.where+"\n)")
	}
	if len(terms) == 0 {
		return "TRUE"
	}
	return strings.Join(terms, " AND ")
}

// tailColumns are what tail shows of an event.
const tailColumns = "position, recorded_at, stream, version, type, payload, metadata, tags"

func tail(ctx context.Context, c *cli.Command) (err error) {
	store, _, err := storeArguments(c)
	if err != nil {
		return err
	}
	if c.Int64("lines") < 0 {
		return usage("--lines is 0 or more")
	}
	f, err := newFilter(c, time.Now())
	if err != nil {
		return err
	}
	o, err := newEventOutput(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	s, err := openSession(ctx, store, eventfold.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	waiting := newProgress(c, "reading", "", 0)
	defer waiting.end()
	text, args, err := tailStatement(ctx, c, s, f)
	if err != nil {
		return err
	}
	if !c.Bool("follow") {
		rows, err := s.conn.QueryContext(ctx, text, args...)
		if err != nil {
			return inCondition(err, 1)
		}
		return o.rows(rows, waiting.end)
	}
	waiting.end()
	err = o.follow(ctx, func(ctx context.Context) (*sql.Rows, error) {
		return s.conn.QueryContext(ctx, text, args...)
	})
	return inCondition(err, 1)
}

// tailStatement returns the statement that gives what is asked for. With --follow it begins at the
// first of the last events, which is found beforehand.
func tailStatement(ctx context.Context, c *cli.Command, s *session, f *filter) (string, []any, error) {
	last := !c.IsSet("since") || c.IsSet("lines")
	if !c.Bool("follow") {
		if !last {
			return "SELECT " + tailColumns + " FROM $all WHERE " + f.sql() + " ORDER BY position", f.args, nil
		}
		inner := "SELECT " + tailColumns + " FROM $all WHERE " + f.sql()
		text := "SELECT * FROM (" + inner +
			fmt.Sprintf(" ORDER BY position DESC LIMIT %d) AS e ORDER BY position", c.Int64("lines"))
		return text, f.args, nil
	}
	if last {
		from, err := lastPositions(ctx, c, s, f)
		if err != nil {
			return "", nil, inCondition(err, 1)
		}
		f.terms, f.args = append([]string{"position >= ?"}, f.terms...), append([]any{from}, f.args...)
	}
	return "SELECT " + tailColumns + " FROM $all WHERE " + f.sql() + " FOLLOW", f.args, nil
}

// lastPositions returns the position of the first of the last events, or the next position of the
// store if there is none.
func lastPositions(ctx context.Context, c *cli.Command, s *session, f *filter) (int64, error) {
	var head int64
	row := s.conn.QueryRowContext(ctx, "SELECT value FROM $stats WHERE name = 'events'")
	if err := row.Scan(&head); err != nil {
		return 0, err
	}
	if c.Int64("lines") == 0 {
		return head, nil
	}
	text := "SELECT position FROM $all WHERE " + f.sql() +
		fmt.Sprintf(" ORDER BY position DESC LIMIT 1 OFFSET %d", c.Int64("lines")-1)
	var from int64
	err := s.conn.QueryRowContext(ctx, text, f.args...).Scan(&from)
	if errors.Is(err, sql.ErrNoRows) { // there are not so many
		return 0, nil
	}
	return from, err
}

// newEventOutput is newOutput for eventOutputFlags.
func newEventOutput(c *cli.Command) (*output, error) {
	if c.String("output") != eventFormat || c.Bool("json") {
		return newOutput(c)
	}
	o := openOutput(consoleOf(c), 0, !c.Bool("no-pager") && !c.Bool("follow"))
	o.special = func(o *output) rowWriter { return &eventLines{o: o} }
	return o, nil
}

// An eventLines writer writes an event of tailColumns on a line, for people.
type eventLines struct {
	o      *output
	screen int
}

func (e *eventLines) begin([]column) error {
	e.screen, _ = e.o.console.size()
	return nil
}

// row writes position, time, place and type of an event, and then as much of its payload as fits.
func (e *eventLines) row(values []any) error {
	c := e.o.console
	position, at := textOf(values[0]), textOf(values[1])
	place := safe(textOf(values[2])) + "@" + textOf(values[3])
	kind := safe(textOf(values[4]))
	payload := e.payload(values[5:], position, at, place, kind)
	line := c.paint(faint, position+"  "+at) + "  " + c.paint(hue(textOf(values[2])), place) + "  " +
		c.paint(bold, kind)
	if payload != "" {
		line += "  " + payload
	}
	_, err := e.o.w.WriteString(line + "\n")
	return err
}

// payload is what stands behind the rest: payload, tags, and metadata that is not empty.
func (e *eventLines) payload(values []any, before ...string) string {
	var parts []string
	if values[0] != nil {
		parts = append(parts, textOf(values[0]))
	}
	for _, v := range values[1:] {
		if text := textOf(v); text != "{}" && text != "[]" {
			parts = append(parts, text)
		}
	}
	text := strings.Join(parts, "  ")
	if e.screen == 0 {
		return safe(text)
	}
	used := 2 * len(before)
	for _, s := range before {
		used += widthOf(s)
	}
	room := max(e.screen-used, 20)
	if len(text) > 16*room {
		text = strings.ToValidUTF8(text[:16*room], "") + "…"
	}
	return shorten(safe(text), room)
}

func (e *eventLines) settle() error { return nil }

func (e *eventLines) end(bool) error { return nil }
