package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
)

func copyCommand() *cli.Command {
	return &cli.Command{
		Name:      "copy",
		Usage:     "copy a store, or what is new in it",
		ArgsUsage: "[STORE] TO",
		Description: "Makes the directory TO a copy of the store as it is now, with every position, time and receipt,\n" +
			"while others write to the store. One that is a copy already gets what is new: a copy that was killed\n" +
			"is run again.\n\n" +
			"TO may be a bucket, nats://SERVER,SERVER/BUCKET?create=true, which gets every position, version, id\n" +
			"and time; nobody may append to it by then. STORE may be one, too: the directory is as one of a node.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "to", Usage: "copy to `TO`; then it is no argument"},
		},
		Action: runCopy,
	}
}

func replicateCommand() *cli.Command {
	return &cli.Command{
		Name:      "replicate",
		Usage:     "keep a standby of a store",
		ArgsUsage: "[STORE] DIR",
		Description: "Makes DIR a copy of the store, as copy does, and keeps it one until it is interrupted, within a\n" +
			"second. Others may read DIR meanwhile. To take the store's place, end this command and open DIR\n" +
			"for writing: from its first append on it follows nobody any more.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.DurationFlag{Name: "every", Usage: "tell how far it is, so often; 0 is only once, when it has caught up"},
		},
		Action: runReplicate,
	}
}

// A replica tells how far a copy is.
type replica struct {
	Dir    string `json:"dir"`
	Events int64  `json:"events"`
	Head   string `json:"head,omitempty"`
	Behind int64  `json:"behind"`
}

func newReplica(dir string, r eventfold.StandbyReport) replica {
	n := int64(r.Head.Position)
	p := replica{Dir: dir, Events: n, Behind: int64(r.Source) - n}
	if n > 0 {
		p.Head = fmt.Sprintf("%d:%x", r.Head.Position, r.Head.Chain)
	}
	return p
}

// holdCopy keeps every other copy to a directory away until it is closed: of two that make it at one
// moment each might take what the other has begun for an earlier one. Where nothing may be made beside
// the directory, one that is there already does without: the copy's own lock keeps others out.
func holdCopy(to string) (io.Closer, error) {
	config, err := eventfold.ParseDSN(to)
	if err != nil {
		return nil, err
	}
	dir := filepath.Clean(config.Path)
	held, err := wholefile.Hold(dir, ".copying.lock", "copied to")
	if _, missing := os.Stat(dir); missing == nil && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
		return io.NopCloser(nil), nil
	}
	return held, err
}

func runCopy(ctx context.Context, c *cli.Command) error {
	dsn, to, err := copyArguments(c)
	if err != nil {
		return err
	}
	switch {
	case isCluster(dsn) && isCluster(to):
		return usage("of two buckets none is a directory: copy the one into a directory, and that into the other")
	case isCluster(to):
		return copyToBucket(ctx, c, dsn, to)
	case isCluster(dsn):
		return copyFromBucket(ctx, c, dsn, to)
	}
	return copyDirectory(ctx, c, dsn, to)
}

// copyArguments returns the store and where it is copied to.
func copyArguments(c *cli.Command) (dsn, to string, err error) {
	if c.IsSet("to") {
		dsn, _, err = storeArguments(c)
		return dsn, c.String("to"), err
	}
	dsn, args, err := storeArguments(c, "TO")
	if err != nil {
		return "", "", err
	}
	return dsn, args[0], nil
}

// copyDirectory copies one directory into another one.
func copyDirectory(ctx context.Context, c *cli.Command, dsn, to string) error {
	held, err := holdCopy(to)
	if err != nil {
		return err
	}
	defer held.Close()
	r, err := catchUp(ctx, c, "copy", dsn, to)
	if err != nil {
		return err
	}
	p := newReplica(to, r)
	if p.Events == 0 {
		return tell(c.Root().Writer, c.Bool("json"), p, "nothing to copy: the store has no events")
	}
	return tell(c.Root().Writer, c.Bool("json"), p, "%s is a copy of %s, head %s", p.Dir, events(p.Events), p.Head)
}

// catchUp makes a directory a copy of the store as it is now, and tells how far that is. The first report
// comes behind a whole segment, and is not of what was there before.
func catchUp(ctx context.Context, c *cli.Command, what, dsn, dir string) (eventfold.StandbyReport, error) {
	p := newProgress(c, what, "events", 0)
	defer p.end()
	ctx = engine.WithProgress(ctx, p.followInput) // the first time it is made as a backup is
	return eventfold.Copy(ctx, dsn, dir, func(r eventfold.StandbyReport) {
		p.total(int64(r.Source))
		p.set(int64(r.Head.Position))
	})
}

func runReplicate(ctx context.Context, c *cli.Command) error {
	dsn, args, err := storeArguments(c, "DIR")
	if err != nil {
		return err
	}
	for _, name := range []string{dsn, args[0]} {
		if err := refuseCluster(name, "a node keeps its copy up to date by itself; copy makes one once"); err != nil {
			return err
		}
	}
	every := c.Duration("every")
	if every < 0 {
		return usage("--every is a duration, such as 10s")
	}
	held, err := holdCopy(args[0])
	if err != nil {
		return err
	}
	defer held.Close()
	if _, err := catchUp(ctx, c, "replicate", dsn, args[0]); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) { // which is how it is meant to end
			return nil
		}
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var failed error
	var told time.Time
	err = eventfold.Replicate(ctx, dsn, args[0], func(r eventfold.StandbyReport) {
		if !told.IsZero() && (every == 0 || time.Since(told) < every) {
			return
		}
		told = time.Now()
		p := newReplica(args[0], r)
		if failed = tell(c.Root().Writer, c.Bool("json"), p, "%s has caught up: %s", p.Dir, events(p.Events)); failed != nil {
			stop()
		}
	})
	if err != nil {
		return err
	}
	return failed
}
