package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

var clientCounts = []int{1, 8, 64, greatestClients}

const greatestClients = 256

// clientCountsWithIDs are fewer: what an id costs does not depend on how many wait.
var clientCountsWithIDs = []int{1, 64}

// appends measures one event per append with more and more clients, then batches of 100, as a
// transaction of 100 statements and as one of 100 rows. Every event that was acknowledged must be
// there in the end.
func (j job) appends(p peer, ids string) (results []result, err error) {
	if err := useIDs(p, ids); err != nil {
		return nil, err
	}
	counts := clientCounts
	if ids != "" {
		counts = clientCountsWithIDs
	}
	err = j.opened(p, func() error {
		stored := 0
		for _, clients := range counts {
			some, n, err := j.appendWith(p, clients, ids)
			if err != nil {
				return err
			}
			results, stored = append(results, some...), stored+n
		}
		some, n, err := j.batches(p, ids)
		if err != nil {
			return err
		}
		results = append(results, some...)
		return mustHold(p, stored+n)
	})
	return results, err
}

// mustHold returns an error unless the peer has so many events.
func mustHold(p peer, events int) error {
	found := 0
	err := p.scan(func(*event) { found++ })
	if errors.Is(err, errUnsupported) {
		return nil
	}
	if err == nil && found != events {
		err = fmt.Errorf("%d events were acknowledged, and %d are stored", events, found)
	}
	return err
}

// writerCost begins to count, if p is one of ours, and returns what tells how many microseconds of
// its own an append has cost the writer since.
func writerCost(p peer) func() (micros float64, ok bool) {
	counts, ours := p.(statistician)
	if !ours {
		return func() (float64, bool) { return 0, false }
	}
	before, err := counts.stats()
	return func() (float64, bool) {
		after, errAfter := counts.stats()
		if err != nil || errAfter != nil || after.Appends == before.Appends {
			return 0, false
		}
		spent := float64((after.WriterCPU - before.WriterCPU).Nanoseconds()) / 1000
		return spent / float64(after.Appends-before.Appends), true
	}
}

// appendWith returns events per second and latencies in microseconds, and how many events were
// appended.
func (j job) appendWith(p peer, clients int, ids string) (results []result, n int, err error) {
	cost := writerCost(p)
	writers := newWriters(p, clients, ids != "")
	start := time.Now()
	if err := writers.run(start.Add(j.Each)); err != nil {
		return nil, 0, err
	}
	elapsed := time.Since(start)
	took := writers.latencies()
	name := fmt.Sprint("append ", clients)
	if micros, ok := cost(); ok {
		results = append(results, result{Metric: name + " writer" + ids, Value: micros})
	}
	return append(results, result{Metric: name + ids, Value: float64(len(took)) / elapsed.Seconds()},
		result{Metric: name + " p50" + ids, Value: 1000 * quantile(took, 0.5)},
		result{Metric: name + " p99" + ids, Value: 1000 * quantile(took, 0.99)}), len(took), nil
}

// madeEvents are what clients append, with streams of their own: making an event takes as long as
// some stores take to append it, so they are made before the clock starts.
var madeEvents = sync.OnceValue(func() []event {
	m := randomMaker()
	list := make([]event, 4096)
	for i := range list {
		list[i] = m.event("", 0)
	}
	return list
})

// writers are clients that append an event after the other, each to a stream of its own.
type writers struct {
	peer    peer
	ids     bool
	typ     string // of the events, if it is not that of the made ones
	made    []event
	streams []string    // of the clients
	took    [][]float64 // milliseconds
	error   atomic.Pointer[error]
}

func newWriters(p peer, clients int, ids bool) *writers {
	w := &writers{peer: p, ids: ids, made: madeEvents(), took: make([][]float64, clients)}
	m := randomMaker()
	for range clients {
		w.streams = append(w.streams, m.stream())
	}
	return w
}

// randomMaker makes other events than any maker before.
func randomMaker() maker { return newMaker(rand.Uint64()) }

// run appends until the time has come, each client where it has ended before.
func (w *writers) run(until time.Time) error {
	var group sync.WaitGroup
	for c := range w.streams {
		group.Go(func() { w.client(c, until) }) // ends when the time is over
	}
	group.Wait()
	if err := w.error.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *writers) client(c int, until time.Time) {
	identity := randomMaker()
	for version := int64(len(w.took[c])); w.error.Load() == nil; version++ {
		e := w.made[(c*61+int(version))%len(w.made)]
		e.stream, e.version, e.typ = w.streams[c], version, cmp.Or(w.typ, e.typ)
		if w.ids {
			e.id = identity.id()
		}
		before := time.Now()
		if !before.Before(until) && (c > 0 || version > 0) { // one has to have something to tell
			return
		}
		if err := w.peer.append(context.Background(), c, &e); err != nil {
			w.error.Store(&err)
			return
		}
		w.took[c] = append(w.took[c], milliseconds(time.Since(before)))
	}
}

// latencies returns what every append of all clients took, in milliseconds.
func (w *writers) latencies() []float64 { return slices.Concat(w.took...) }

// batches appends a hundred events at a time, first in a transaction, then as rows of one statement
// where there are statements.
func (j job) batches(p peer, ids string) (results []result, n int, err error) {
	ways := []struct {
		name   string
		append func(context.Context, []event) error
	}{{"batches of 100", p.appendAll}}
	if r, ok := p.(rower); ok {
		ways = append(ways, ways[0])
		ways[1].name, ways[1].append = "100 rows a statement", r.appendRows
	}
	for _, way := range ways {
		rate, some, err := j.batchesBy(way.append, ids != "")
		if errors.Is(err, errUnsupported) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		results, n = append(results, result{Metric: way.name + ids, Value: rate}), n+some
	}
	return results, n, nil
}

func (j job) batchesBy(add func(context.Context, []event) error, ids bool) (rate float64, n int, err error) {
	m := randomMaker()
	start := time.Now()
	var busy time.Duration // without making the events
	for n == 0 || time.Since(start) < j.Each {
		events := make([]event, 100)
		stream := m.stream()
		for i := range events {
			events[i] = m.event(stream, int64(i))
			if ids {
				events[i].id = m.id()
			}
		}
		before := time.Now()
		if err := add(context.Background(), events); err != nil {
			return 0, 0, err
		}
		busy += time.Since(before)
		n += len(events)
	}
	return float64(n) / busy.Seconds(), n, nil
}
