package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
)

func plotCommand() *cli.Command {
	return &cli.Command{
		Name:      "plot",
		Usage:     "draw events over time, or by type, or any query",
		ArgsUsage: "[STORE] [SQL]",
		Description: "Draws the number of events over time as a line, or with --by type, stream or category as bars.\n" +
			"SQL is a SELECT whose first column is a name or a time and whose second is a number: times make a\n" +
			"line, names bars. It is drawn in the terminal, or into the file of --to, SVG or PNG by its name.",
		Flags: append([]cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "by", Usage: "`WHAT`: time, type, stream, category", Value: "time"},
			&cli.StringFlag{
				Name:  "every",
				Usage: "`UNIT` of time: minute, hour, day, week, month, year (default: what gives up to 100 points)",
			},
			&cli.StringFlag{Name: "to", Usage: "`FILE` that ends in .svg or .png"},
			&cli.StringFlag{Name: "title", Usage: "`TEXT` above it"},
			&cli.IntFlag{Name: "limit", Aliases: []string{"n"}, Usage: "at most `N` bars", Value: 20},
			&cli.IntFlag{Name: "width", Usage: "`N` columns, or pixels of a file"},
			&cli.IntFlag{Name: "height", Usage: "`N` lines, or pixels of a file"},
		}, filterFlags()...),
		Action: runPlot,
	}
}

// A bar is a name, or a time, and a number.
type bar struct {
	name  string
	value float64
}

// A picture is what is drawn.
type picture struct {
	title         string
	line          bool // over time; otherwise bars
	bars          []bar
	width, height int // 0 is what is usual
}

// mostPoints is how many points or bars a picture has.
const mostPoints = 10_000

func runPlot(ctx context.Context, c *cli.Command) (err error) {
	store, args, err := storeArguments(c, "[SQL]")
	if err != nil {
		return err
	}
	draw, err := drawerOf(c)
	if err != nil {
		return err
	}
	s, err := openSession(ctx, store, eventfold.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	waiting := newProgress(c, "reading", "", 0)
	p, err := pictureOf(ctx, c, s, args)
	waiting.end()
	if err != nil {
		return err
	}
	if len(p.bars) == 0 {
		return errors.New("there is nothing to draw")
	}
	return draw(c, p)
}

// drawerOf returns what draws: the terminal, or a file.
func drawerOf(c *cli.Command) (func(*cli.Command, *picture) error, error) {
	width, height := c.Int("width"), c.Int("height")
	if min(width, height) < 0 || max(width, height) > 10_000 || c.Int("limit") < 1 {
		return nil, usage("--width and --height are up to 10000, --limit is 1 or more")
	}
	switch ending := strings.ToLower(filepath.Ext(c.String("to"))); {
	case !c.IsSet("to") && c.Bool("json"):
		return tellPicture, nil
	case !c.IsSet("to"):
		return drawPicture, nil
	case ending == ".svg", ending == ".png":
		return savePicture, nil
	}
	return nil, usage("--to %s: the name of the file ends in .svg or .png", c.String("to"))
}

// pictureOf asks the store.
func pictureOf(ctx context.Context, c *cli.Command, s *session, args []string) (*picture, error) {
	p := &picture{title: c.String("title"), width: c.Int("width"), height: c.Int("height")}
	if len(args) == 1 {
		for _, other := range []string{"by", "every", "stream", "type", "tag", "where", "since"} {
			if c.IsSet(other) {
				return nil, usage("--%s and SQL exclude each other", other)
			}
		}
		list, _ := splitScript(args[0])
		if err := readScript(list); err != nil {
			return nil, err
		}
		return p, p.read(ctx, s, args[0], nil)
	}
	f, err := newFilter(c, time.Now())
	if err != nil {
		return nil, err
	}
	if c.String("by") == "time" {
		return p, inCondition(p.overTime(ctx, c, s, f), 1)
	}
	by := c.String("by")
	if by != "type" && by != "stream" && by != "category" {
		return nil, usage("--by is time, type, stream or category, not %q", by)
	}
	if p.title == "" {
		p.title = "events by " + by
	}
	text := "SELECT " + by + ", COUNT(*) AS n FROM $all WHERE " + f.sql() +
		fmt.Sprintf(" GROUP BY %s ORDER BY n DESC, %[1]s LIMIT %d", by, c.Int("limit"))
	return p, inCondition(p.read(ctx, s, text, f.args), 1)
}

// timeUnits are what --every may say, and how long each is.
var timeUnits = []struct {
	name string
	long time.Duration
}{
	{"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour}, {"week", 7 * 24 * time.Hour},
	{"month", 30 * 24 * time.Hour}, {"year", 365 * 24 * time.Hour},
}

// overTime counts the events of each unit of time, those without events as well.
func (p *picture) overTime(ctx context.Context, c *cli.Command, s *session, f *filter) error {
	p.line = true
	var first, last sql.NullTime
	row := s.conn.QueryRowContext(ctx, "SELECT MIN(recorded_at), MAX(recorded_at) FROM $all WHERE "+f.sql(), f.args...)
	if err := row.Scan(&first, &last); err != nil || !first.Valid {
		return err
	}
	unit := c.String("every")
	known := false
	for _, u := range timeUnits {
		if unit == "" && (last.Time.Sub(first.Time)/u.long <= 100 || u.name == "year") {
			unit = u.name
		}
		known = known || u.name == unit
		if u.name == unit && last.Time.Sub(first.Time)/u.long > mostPoints {
			return usage("there are more than %d units from the first event to the last: "+
				"say a longer one than --every %s", mostPoints, unit)
		}
	}
	if !known {
		return usage("--every is minute, hour, day, week, month or year, not %q", unit)
	}
	if p.title == "" {
		p.title = "events by " + unit
	}
	text := "SELECT date_trunc('" + unit + "', recorded_at) AS at, COUNT(*) FROM $all WHERE " + f.sql() +
		" GROUP BY at ORDER BY at"
	if err := p.read(ctx, s, text, f.args); err != nil {
		return err
	}
	return p.fill(unit)
}

// fill puts a zero where nothing was counted.
func (p *picture) fill(unit string) error {
	next := map[string]func(time.Time) time.Time{
		"minute": func(t time.Time) time.Time { return t.Add(time.Minute) },
		"hour":   func(t time.Time) time.Time { return t.Add(time.Hour) },
		"day":    func(t time.Time) time.Time { return t.AddDate(0, 0, 1) },
		"week":   func(t time.Time) time.Time { return t.AddDate(0, 0, 7) },
		"month":  func(t time.Time) time.Time { return t.AddDate(0, 1, 0) },
		"year":   func(t time.Time) time.Time { return t.AddDate(1, 0, 0) },
	}[unit]
	var filled []bar
	var expected time.Time
	for i, b := range p.bars {
		at, err := timeOf(b.name, time.Time{})
		if err != nil {
			return err
		}
		for i > 0 && expected.Before(at) && len(filled) < 2*mostPoints {
			filled = append(filled, bar{timeText(expected), 0})
			expected = next(expected)
		}
		filled, expected = append(filled, bar{timeText(at), b.value}), next(at)
	}
	p.bars = filled
	return nil
}

// read takes the first two columns of a query.
func (p *picture) read(ctx context.Context, s *session, text string, args []any) error {
	rows, err := s.conn.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := columnsOf(rows)
	if err != nil {
		return err
	}
	if len(columns) < 2 {
		return usage("the query has %s: the first is a name or a time, the second a number",
			plural(int64(len(columns)), "column"))
	}
	p.line = p.line || columns[0].kind == "TIMESTAMP"
	if p.title == "" {
		p.title = columns[1].name + " by " + columns[0].name
	}
	for rows.Next() {
		values, err := scanRow(rows, len(columns))
		if err != nil {
			return err
		}
		if len(p.bars) == mostPoints {
			return usage("the query gives more than %d rows", mostPoints)
		}
		b := bar{name: textOf(values[0])}
		switch v := values[1].(type) {
		case nil:
		case int64:
			b.value = float64(v)
		case float64:
			b.value = v
		default:
			return usage("the second column is to be a number, and is %s in row %d", safe(textOf(v)), len(p.bars)+1)
		}
		p.bars = append(p.bars, b)
	}
	return rows.Err()
}

// tellPicture writes the points as lines of JSON.
func tellPicture(c *cli.Command, p *picture) error {
	for _, b := range p.bars {
		line := struct {
			Name  string  `json:"name"`
			Value float64 `json:"value"`
		}{b.name, b.value}
		if err := tell(c.Root().Writer, true, line, ""); err != nil {
			return err
		}
	}
	return nil
}

// savePicture writes a file, which is the earlier one or the whole new one at any moment.
func savePicture(c *cli.Command, p *picture) error {
	name := c.String("to")
	content, err := p.render(strings.ToLower(filepath.Ext(name)) == ".svg")
	if err != nil {
		return err
	}
	if err := wholefile.Write(name, 0o644, wholefile.Content(content)); err != nil {
		return err
	}
	drawn := struct {
		File   string `json:"file"`
		Title  string `json:"title"`
		Points int64  `json:"points"`
	}{name, p.title, int64(len(p.bars))}
	return tell(c.Root().Writer, c.Bool("json"), drawn,
		"%s of %s drawn into %s", plural(drawn.Points, "point"), p.title, name)
}
