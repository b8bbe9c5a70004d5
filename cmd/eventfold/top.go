package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
)

func topCommand() *cli.Command {
	return &cli.Command{
		Name:      "top",
		Usage:     "show what is appended now",
		ArgsUsage: "[STORE]",
		Description: "Shows, again and again, how many events come in a second, of which types and in which streams,\n" +
			"and how large the store is, until it is interrupted. With --json each look is a line.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.DurationFlag{Name: "interval", Aliases: []string{"i"}, Usage: "between two looks", Value: 2 * time.Second},
			&cli.IntFlag{Name: "times", Usage: "look `N` times and end; 0 is for ever"},
			&cli.IntFlag{Name: "rows", Aliases: []string{"n"}, Usage: "the `N` busiest types and streams", Value: 10},
		},
		Action: runTop,
	}
}

// A look is what top shows at one moment.
type look struct {
	At        time.Time `json:"at"`
	Events    int64     `json:"events"`
	DiskBytes int64     `json:"disk_bytes"`
	PerSecond float64   `json:"events_per_second"`
	New       int64     `json:"new_events"` // since the last look
	Types     []busy    `json:"types"`
	Streams   []busy    `json:"streams"`
}

// A busy is a type or a stream with its events since the last look.
type busy struct {
	Name   string `json:"name"`
	Events int64  `json:"events"`
}

func runTop(ctx context.Context, c *cli.Command) (err error) {
	store, _, err := storeArguments(c)
	if err != nil {
		return err
	}
	if c.Duration("interval") <= 0 || c.Int("times") < 0 || c.Int("rows") < 1 {
		return usage("--interval is longer than nothing, --times 0 or more, --rows 1 or more")
	}
	s, err := openSession(ctx, store, eventfold.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	last, err := s.look(ctx, nil, c.Int("rows"))
	if err != nil {
		return err
	}
	for n := 0; c.Int("times") == 0 || n < c.Int("times"); n++ {
		select {
		case <-time.After(c.Duration("interval")):
		case <-ctx.Done():
			return nil
		}
		now, err := s.look(ctx, last, c.Int("rows"))
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = tellLook(c, store, now)
		}
		if err != nil {
			return err
		}
		last = now
	}
	return nil
}

// look looks at the store, and at what has come since the last look.
func (s *session) look(ctx context.Context, last *look, rows int) (*look, error) {
	now := &look{At: time.Now(), Types: []busy{}, Streams: []busy{}}
	err := s.conn.QueryRowContext(ctx, `SELECT MAX(value) FILTER (WHERE name = 'events'),
		MAX(value) FILTER (WHERE name = 'disk_bytes') FROM $stats`).Scan(&now.Events, &now.DiskBytes)
	if err != nil || last == nil {
		return now, err
	}
	now.New = now.Events - last.Events
	now.PerSecond = float64(now.New) / max(now.At.Sub(last.At).Seconds(), 1e-3)
	if now.New == 0 {
		return now, nil
	}
	if now.Types, err = s.busiest(ctx, "type", last.Events, now.Events, rows); err != nil {
		return now, err
	}
	now.Streams, err = s.busiest(ctx, "stream", last.Events, now.Events, rows)
	return now, err
}

// busiest returns the most frequent values of a column between two positions.
func (s *session) busiest(ctx context.Context, column string, from, to int64, n int) ([]busy, error) {
	text := "SELECT " + column + ", COUNT(*) AS n FROM $all WHERE position >= ? AND position < ? GROUP BY " +
		column + " ORDER BY n DESC, " + column + " LIMIT ?"
	rows, err := s.conn.QueryContext(ctx, text, from, to, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []busy{}
	for rows.Next() {
		var b busy
		if err := rows.Scan(&b.Name, &b.Events); err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, rows.Err()
}

// tellLook shows a look. On a terminal it takes the place of the one before.
func tellLook(c *cli.Command, store string, l *look) error {
	if c.Bool("json") {
		return tell(c.Root().Writer, true, l, "")
	}
	console := consoleOf(c)
	width, height := console.size()
	var b bytes.Buffer
	if width > 0 {
		b.WriteString("\x1b[H\x1b[2J")
	}
	fmt.Fprintf(&b, "%s  %s  %s events  %s  %s\n", console.paint(bold, safe(store)), l.At.Format(time.DateTime),
		grouped(l.Events), byteSize(l.DiskBytes), console.paint(bold, fmt.Sprintf("%.1f events/s", l.PerSecond)))
	lines := max(height-4, 0) / 2
	for _, part := range []struct {
		title string
		list  []busy
	}{{"types", l.Types}, {"streams", l.Streams}} {
		if len(part.list) == 0 {
			continue
		}
		if height > 0 && len(part.list) > lines-1 {
			part.list = part.list[:max(lines-1, 1)]
		}
		b.WriteString("\n" + console.paint(faint, part.title) + "\n")
		b.WriteString(drawBars(console, bars(part.list), width))
	}
	_, err := console.out.Write(b.Bytes())
	return err
}

func bars(list []busy) []bar {
	of := make([]bar, len(list))
	for i, x := range list {
		of[i] = bar{x.Name, float64(x.Events)}
	}
	return of
}
