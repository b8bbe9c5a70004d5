package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// reads measures and prints how fast the node's copy is read, and a store that the same events were
// appended to.
func (x *bench) reads(ctx context.Context) error {
	embedded, err := filestore.Open(filepath.Join(x.dir, "embedded"), filestore.Options{Sync: filestore.SyncInterval})
	if err != nil {
		return err
	}
	defer embedded.Close()
	c := x.a.ReadIndex().ReadAll(ctx, 0, engine.Forwards)
	defer c.Close()
	for c.Next() {
		e := c.Event()
		one := engine.NewEvent{ID: e.ID, Type: e.Type, Tags: e.Tags, Payload: e.Payload, Metadata: e.Metadata}
		if _, err := embedded.Append(ctx, engine.Append{Stream: e.Stream, Events: []engine.NewEvent{one}}); err != nil {
			return err
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	var node, alone float64
	for range 3 { // the best of three
		n, err := x.read(ctx, x.a.ReadIndex())
		if err != nil {
			return err
		}
		e, err := x.read(ctx, embedded.ReadIndex())
		if err != nil {
			return err
		}
		node, alone = max(node, n), max(alone, e)
	}
	fmt.Printf("reads of all events: %.0f /s on the node, %.0f /s of an embedded store\n", node, alone)
	return nil
}

// read returns how many events are read in a second.
func (x *bench) read(ctx context.Context, from engine.ReadIndex) (rate float64, err error) {
	began, n := time.Now(), 0
	for time.Since(began) < x.took/4 {
		c := from.ReadAll(ctx, 0, engine.Forwards)
		for c.Next() {
			n++
		}
		if err := c.Err(); err != nil {
			return 0, err
		}
		if err := c.Close(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
