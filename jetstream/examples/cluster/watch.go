package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/jetstream/internal/servers"
)

// A watch asks the servers about the log, as who looks after them does.
type watch struct {
	conn *nats.Conn
	api  js.JetStream
}

func newWatch(c *servers.Cluster) (*watch, error) {
	conn, err := nats.Connect(strings.Join(c.URLs(), ","), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	api, err := js.New(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &watch{conn: conn, api: api}, nil
}

func (w *watch) close() { w.conn.Close() }

// leader is the name of the server that leads, which there is sooner or later.
func (w *watch) leader(ctx context.Context) (name string, err error) {
	err = w.until(ctx, func(c *js.ClusterInfo) bool {
		name = c.Leader
		return true
	})
	return name, err
}

// together waits until every server has what the leader has.
func (w *watch) together(ctx context.Context) error {
	return w.until(ctx, func(c *js.ClusterInfo) bool {
		behind := func(p *js.PeerInfo) bool { return !p.Current || p.Offline }
		return len(c.Replicas) == 2 && !slices.ContainsFunc(c.Replicas, behind)
	})
}

// until asks until somebody leads and something holds, or ctx ends.
func (w *watch) until(ctx context.Context, holds func(c *js.ClusterInfo) bool) error {
	for {
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		stream, err := w.api.Stream(asking, "EF_demo")
		cancel()
		if err == nil {
			if c := stream.CachedInfo().Cluster; c != nil && c.Leader != "" && holds(c) {
				return nil
			}
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}
