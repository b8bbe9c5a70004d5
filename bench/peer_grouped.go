package main

import (
	"context"
	"errors"
)

// A grouped store puts a group commit in front of another: one goroutine gathers what clients want
// to append and commits it in one transaction, which is what people build when SQLite's one sync
// per append becomes too slow.
type grouped struct {
	store    peer
	requests chan groupRequest // from append; closed by close
	stopped  chan struct{}     // closed when run returns
	peer                       // everything but appending is the store's
}

type groupRequest struct {
	event *event
	reply chan error
}

const greatestGroup = 1024

func (g *grouped) open(dir string) error {
	if err := g.store.open(dir); err != nil {
		return err
	}
	g.peer = g.store
	g.requests, g.stopped = make(chan groupRequest, greatestGroup), make(chan struct{})
	go g.run() // ends when close closes requests; close waits for it
	return nil
}

// useIDs implements identifier.
func (g *grouped) useIDs() { g.store.(identifier).useIDs() }

func (g *grouped) run() {
	defer close(g.stopped)
	var events []event
	var replies []chan error
	for first := range g.requests {
		events, replies = append(events[:0], *first.event), append(replies[:0], first.reply)
	gather:
		for len(events) < greatestGroup {
			select {
			case next, ok := <-g.requests:
				if !ok {
					break gather
				}
				events, replies = append(events, *next.event), append(replies, next.reply)
			default:
				break gather
			}
		}
		err := g.store.appendAll(context.Background(), events)
		for i, reply := range replies {
			if err != nil && len(replies) > 1 { // one of them spoils the group: each by itself
				reply <- g.store.append(context.Background(), 0, &events[i])
				continue
			}
			reply <- err
		}
	}
}

func (g *grouped) append(ctx context.Context, _ int, e *event) error {
	reply := make(chan error, 1)
	select {
	case g.requests <- groupRequest{e, reply}:
		return <-reply
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *grouped) close() error {
	if g.requests == nil {
		return errors.New("not open")
	}
	close(g.requests)
	<-g.stopped
	return g.store.close()
}
