package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
)

// A bucketCopy tells what a bucket has of a store.
type bucketCopy struct {
	Bucket string `json:"bucket"`
	Events int64  `json:"events"`
	Copied int64  `json:"copied"` // by this run
}

// A reach is how far a copy from or to a bucket has come, the first report of which is of what was there
// before. Its report is called by one goroutine.
type reach struct {
	progress    *progress
	began       bool
	first, done int64
	all         int64
}

func (r *reach) report(done, all engine.Position) {
	if !r.began {
		r.began, r.first = true, int64(done)
		r.progress.goOn(int64(done))
	}
	r.done, r.all = int64(done), int64(all)
	r.progress.total(r.all)
	r.progress.set(r.done)
}

// fail says of an error how far the copy has come, and that it goes on there.
func (r *reach) fail(err error) error {
	if r.done == 0 || r.done >= r.all {
		return err
	}
	return fmt.Errorf("%w (%d of %s are there; run it again to go on)", err, r.done, events(r.all))
}

// copyToBucket copies a store, as it is now, into a bucket.
func copyToBucket(ctx context.Context, c *cli.Command, from, to string) (err error) {
	config, err := bucketConfig(to)
	if err != nil {
		return err
	}
	db, err := openStore(from, eventfold.ReadOnly, "")
	if err != nil {
		return err
	}
	defer db.Close()
	index, conn, err := readIndexOf(ctx, db)
	if conn != nil {
		defer conn.Close()
	}
	if err != nil {
		return err
	}
	r := &reach{progress: newProgress(c, "copy", "events", 0)}
	defer r.progress.end()
	err = jetstream.Import(ctx, config, index, r.report)
	r.progress.end()
	if err != nil {
		return r.fail(err)
	}
	told := bucketCopy{config.Bucket, r.done, r.done - r.first}
	text := fmt.Sprintf("bucket %s has the %s of the store", told.Bucket, events(told.Events))
	if told.Events == 0 {
		text = "nothing to copy: the store has no events"
	}
	return tell(c.Root().Writer, c.Bool("json"), told, "%s", text)
}

// copyFromBucket brings a directory up to what a bucket holds now.
func copyFromBucket(ctx context.Context, c *cli.Command, from, to string) error {
	config, err := bucketConfig(from)
	if err != nil {
		return err
	}
	directory, err := eventfold.ParseDSN(to)
	if err != nil {
		return err
	}
	if directory.Mode == eventfold.Memory || directory.Mode == eventfold.ReadOnly {
		return usage("a copy is made in a directory that can be written to")
	}
	held, err := holdCopy(to)
	if err != nil {
		return err
	}
	defer held.Close()
	config.Local = directory.Path
	r := &reach{progress: newProgress(c, "copy", "events", 0)}
	defer r.progress.end()
	head, err := jetstream.Export(ctx, config, r.report)
	r.progress.end()
	if errors.As(err, new(*engine.LockedError)) {
		return fmt.Errorf("%w: a node that is open keeps its directory up to date by itself", err)
	}
	if err != nil {
		return r.fail(err)
	}
	p := replica{Dir: to, Events: int64(head.Position), Head: headText(head)}
	if p.Events == 0 {
		return tell(c.Root().Writer, c.Bool("json"), p, "nothing to copy: the bucket has no events")
	}
	return tell(c.Root().Writer, c.Bool("json"), p, "%s is a copy of %s, head %s", p.Dir, events(p.Events), p.Head)
}

// headText is a head as a receipt has it, "" without events.
func headText(h engine.Head) string {
	if h.Position == 0 {
		return ""
	}
	return fmt.Sprintf("%d:%x", h.Position, h.Chain)
}
