package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
)

func projectionsCommand() *cli.Command {
	flags := func(more ...cli.Flag) []cli.Flag {
		return append([]cli.Flag{
			&cli.StringFlag{Name: "db", Usage: "the SQLite `FILE` that holds the read model", Required: true},
		}, more...)
	}
	version := &cli.IntFlag{Name: "version", Usage: "of the projection, `N`, if the database has several"}
	return &cli.Command{
		Name:  "projections",
		Usage: "look after projections",
		Description: "For projections that eventfold.Project runs, with their read model in a file of SQLite; for other\n" +
			"databases there are the functions of the Go package. A runner that runs does what it is asked for\n" +
			"within a second, otherwise the next one does.",
		Action: unknownBelow,
		Commands: []*cli.Command{
			{
				Name: "list", Usage: "list projections, and how far they are", ArgsUsage: "[STORE]", Action: listProjections,
				Flags:       flags(storeFlag()),
				Description: "With STORE, which may be in use, also how many events they are behind, and for how long.",
			},
			{
				Name: "parked", Usage: "list events that a projection has refused", ArgsUsage: "NAME", Action: listParked,
				Flags: flags(),
			},
			{
				Name: "retry", Usage: "have parked events tried again", ArgsUsage: "NAME [POSITION...]", Action: retryParked,
				Flags: flags(version),
			},
			{
				Name: "reset", Usage: "have a projection begin again", ArgsUsage: "NAME", Action: resetProjection,
				Flags: flags(version),
			},
			{
				Name: "drop", Usage: "forget a version that nobody runs any more", ArgsUsage: "NAME", Action: dropProjection,
				Flags: flags(version), Description: "Its checkpoint and its parked events go; its tables are yours to drop.",
			},
		},
	}
}

// openTarget opens the database of the read model, which must be there.
func openTarget(c *cli.Command) (*sql.DB, error) {
	name := c.String("db")
	if _, err := os.Stat(name); err != nil {
		return nil, err
	}
	absolute, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	options := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(5000)"}}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute), RawQuery: options.Encode()}
	return sql.Open("sqlite", u.String())
}

// A projectionState tells of a projection.
type projectionState struct {
	Name    string     `json:"name"`
	Version int        `json:"version"`
	State   string     `json:"state"`
	Next    int64      `json:"next"`
	Lag     *int64     `json:"lag,omitempty"`
	Left    *float64   `json:"left_seconds,omitempty"`
	Parked  int        `json:"parked"`
	Seen    time.Time  `json:"seen_at"`
	Stopped *time.Time `json:"stopped_at,omitempty"`
	Error   string     `json:"error,omitempty"`
}

func newProjectionState(s eventfold.ProjectionStatus, head int64) projectionState {
	p := projectionState{
		Name: s.Name, Version: s.Version, State: s.State(), Next: int64(s.Next), Parked: s.Parked,
		Seen: s.Seen, Error: s.Error,
	}
	if !s.Stopped.IsZero() {
		p.Stopped = &s.Stopped
	}
	if head >= 0 {
		lag := s.Lag(eventfold.Position(head))
		p.Lag = &lag
		if left, known := s.Left(eventfold.Position(head)); known {
			seconds := left.Seconds()
			p.Left = &seconds
		}
	}
	return p
}

// String says it in a line.
func (p projectionState) String() string {
	text := fmt.Sprintf("%s, version %d: %s, next position %d", p.Name, p.Version, p.State, p.Next)
	if p.Lag != nil {
		text += fmt.Sprintf(", %s behind", events(*p.Lag))
		if p.Left != nil && *p.Left > 0 {
			text += ", " + shortDuration(time.Duration(*p.Left*float64(time.Second))) + " left"
		}
	}
	if p.Parked > 0 {
		text += fmt.Sprintf(", %d parked", p.Parked)
	}
	text += ", seen at " + p.Seen.Format(time.RFC3339)
	if p.Error != "" {
		text += "\n  " + p.Error
	}
	return text
}

func listProjections(ctx context.Context, c *cli.Command) error {
	head := int64(-1)
	if c.IsSet("store") || c.NArg() > 0 || os.Getenv(storeVariable) != "" {
		dsn, _, err := storeArguments(c)
		if err != nil {
			return err
		}
		if head, err = countEvents(ctx, dsn); err != nil {
			return err
		}
	}
	db, err := openTarget(c)
	if err != nil {
		return err
	}
	defer db.Close()
	list, err := eventfold.Projections(ctx, db)
	if err != nil {
		return err
	}
	for _, s := range list {
		p := newProjectionState(s, head)
		if err := tell(c.Root().Writer, c.Bool("json"), p, "%s", p); err != nil {
			return err
		}
	}
	return nil
}

// countEvents returns the head of a store.
func countEvents(ctx context.Context, dsn string) (n int64, err error) {
	db, err := openStore(dsn, eventfold.ReadOnly, "")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM $all").Scan(&n)
	return n, err
}

func listParked(ctx context.Context, c *cli.Command) error {
	args, err := arguments(c, "NAME")
	if err != nil {
		return err
	}
	db, err := openTarget(c)
	if err != nil {
		return err
	}
	defer db.Close()
	list, err := eventfold.ParkedEvents(ctx, db, args[0])
	if err != nil {
		return err
	}
	for _, e := range list {
		p := struct {
			Name     string    `json:"name"`
			Version  int       `json:"version"`
			Position int64     `json:"position"`
			Stream   string    `json:"stream"`
			Type     string    `json:"type"`
			Attempts int       `json:"attempts"`
			ParkedAt time.Time `json:"parked_at"`
			Error    string    `json:"error"`
			Retry    bool      `json:"retry_asked"`
		}{e.Name, e.Version, int64(e.Position), e.Stream, e.Type, e.Attempts, e.ParkedAt, e.Error, e.RetryAsked}
		if err := tell(c.Root().Writer, c.Bool("json"), p, "position %d, %s in %s, version %d, %s: %s",
			p.Position, p.Type, p.Stream, p.Version, plural(int64(p.Attempts), "attempt"), p.Error); err != nil {
			return err
		}
	}
	return nil
}

// chooseVersion returns the version of a projection that the flag names, or the only one.
func chooseVersion(ctx context.Context, c *cli.Command, db *sql.DB, name string) (int, error) {
	if c.IsSet("version") {
		return c.Int("version"), nil
	}
	list, err := eventfold.Projections(ctx, db)
	if err != nil {
		return 0, err
	}
	version, n := 0, 0
	for _, s := range list {
		if s.Name == name {
			version = s.Version
			n++
		}
	}
	switch n {
	case 0:
		return 0, fmt.Errorf("there is no projection %q in %s", name, c.String("db"))
	case 1:
		return version, nil
	}
	return 0, usage("there are %d versions of %s: say which with --version", n, name)
}

func retryParked(ctx context.Context, c *cli.Command) error {
	if c.NArg() == 0 {
		return usage("NAME is missing; see eventfold projections retry --help")
	}
	name := c.Args().First()
	var at []eventfold.Position
	for _, text := range c.Args().Tail() {
		p, err := strconv.ParseInt(text, 10, 64)
		if err != nil || p < 0 {
			return usage("%q is no position", text)
		}
		at = append(at, eventfold.Position(p))
	}
	return onProjection(ctx, c, name, func(db *sql.DB, version int) error {
		n, err := eventfold.RetryParked(ctx, db, name, version, at...)
		if err != nil {
			return err
		}
		done := struct {
			Name    string `json:"name"`
			Version int    `json:"version"`
			Asked   int    `json:"asked"`
		}{name, version, n}
		return tell(c.Root().Writer, c.Bool("json"), done, "%s will be tried again", events(int64(n)))
	})
}

func resetProjection(ctx context.Context, c *cli.Command) error {
	return changeProjection(ctx, c, eventfold.ResetProjection, "will begin again")
}

func dropProjection(ctx context.Context, c *cli.Command) error {
	return changeProjection(ctx, c, eventfold.DropProjection, "is forgotten")
}

// changeProjection does something to one version of a projection, and says what became of it.
func changeProjection(
	ctx context.Context, c *cli.Command, change func(context.Context, *sql.DB, string, int) error, outcome string,
) error {
	args, err := arguments(c, "NAME")
	if err != nil {
		return err
	}
	return onProjection(ctx, c, args[0], func(db *sql.DB, version int) error {
		if err := change(ctx, db, args[0], version); err != nil {
			return err
		}
		done := struct {
			Name    string `json:"name"`
			Version int    `json:"version"`
		}{args[0], version}
		return tell(c.Root().Writer, c.Bool("json"), done, "%s, version %d, %s", args[0], version, outcome)
	})
}

// onProjection opens the database, finds the version, and calls do.
func onProjection(
	ctx context.Context, c *cli.Command, name string, do func(db *sql.DB, version int) error,
) (err error) {
	db, err := openTarget(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	version, err := chooseVersion(ctx, c, db, name)
	if err != nil {
		return err
	}
	return do(db, version)
}
