package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// followerCounts are how many follow a stream each while one client appends to all of them in turn.
// Every event is one follower's: what more of them cost is what the others cost.
var followerCounts = []int{0, 1, 1000}

// followers measures the writer beside so many followers, and from the beginning of an append to the
// delivery of its event.
func (j job) followers(p peer) (results []result, err error) {
	f, ok := p.(follower)
	if !ok {
		return nil, errUnsupported
	}
	err = j.opened(p, func() error {
		for _, count := range followerCounts {
			some, err := j.followedBy(p, f, count)
			if err != nil {
				return fmt.Errorf("%s: %w", counted(count, "follower"), err)
			}
			results = append(results, some...)
		}
		return nil
	})
	return results, err
}

// deliveryDeadline is how long a delivery may take before it counts as lost.
const deliveryDeadline = time.Minute

func (j job) followedBy(p peer, f follower, count int) (results []result, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	streams := followedStreams(count)
	if err := firstEvents(p, streams); err != nil {
		return nil, err
	}
	in := newInbox()
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel() // before that
	for _, stream := range streams[:count] {
		following.Go(func() { // ends with ctx
			err := f.follow(ctx, stream, in.deliver)
			if ctx.Err() == nil {
				in.fail(errors.Join(err, errors.New("a follower has ended")))
			}
		})
	}
	if err := in.wait(count); err != nil { // everybody has seen the first event of his stream
		return nil, err
	}
	n, rate, err := j.appendInTurn(p, streams)
	if err != nil {
		return nil, err
	}
	name := counted(count, "follower")
	results = append(results, result{Metric: "writer beside " + name, Value: rate})
	if count == 0 {
		return results, nil
	}
	if err := in.wait(count + n); err != nil {
		return nil, err
	}
	took := in.took[count:]
	return append(results, result{Metric: "delivery to " + name + " p50", Value: quantile(took, 0.5)},
		result{Metric: "delivery to " + name + " p99", Value: quantile(took, 0.99)}), nil
}

// followedStreams are the streams of so many followers, one at least.
func followedStreams(count int) []string {
	m := randomMaker()
	streams := make([]string, max(count, 1))
	for i := range streams {
		streams[i] = m.stream()
	}
	return streams
}

func firstEvents(p peer, streams []string) error {
	events := make([]event, len(streams))
	for i, stream := range streams {
		events[i] = randomEvent(stream, 0)
	}
	return p.appendAll(context.Background(), events)
}

// randomEvent makes an event whose metadata say when that was.
func randomEvent(stream string, version int64) event {
	made := madeEvents()
	e := made[int(version)%len(made)]
	e.stream, e.version = stream, version
	e.metadata = fmt.Appendf(nil, madeAt+"%d}", time.Now().UnixNano())
	return e
}

const madeAt = `{"at":`

// An inbox keeps how long deliveries have taken, in milliseconds since the event was made.
type inbox struct {
	changed *sync.Cond // its lock protects the others
	took    []float64
	err     error // the first
}

func newInbox() *inbox { return &inbox{changed: sync.NewCond(new(sync.Mutex))} }

// deliver is what a follower calls with an event of randomEvent.
func (in *inbox) deliver(e *event) {
	now := time.Now().UnixNano()
	text, _ := bytes.CutPrefix(bytes.ReplaceAll(e.metadata, []byte(" "), nil), []byte(madeAt))
	at, err := strconv.ParseInt(string(bytes.TrimSuffix(text, []byte("}"))), 10, 64)
	if err != nil {
		in.fail(err)
		return
	}
	in.changed.L.Lock()
	in.took = append(in.took, float64(now-at)/1e6)
	in.changed.L.Unlock()
	in.changed.Broadcast()
}

func (in *inbox) fail(err error) {
	in.changed.L.Lock()
	in.err = cmp.Or(in.err, err)
	in.changed.L.Unlock()
	in.changed.Broadcast()
}

// wait waits until so many events have been delivered since the beginning.
func (in *inbox) wait(events int) error {
	late := time.AfterFunc(deliveryDeadline, func() { in.fail(errors.New("events have not been delivered")) })
	defer late.Stop()
	in.changed.L.Lock()
	defer in.changed.L.Unlock()
	for len(in.took) < events && in.err == nil {
		in.changed.Wait()
	}
	return in.err
}

// appendInTurn appends to the streams, which have an event each, one after the other for a while.
func (j job) appendInTurn(p peer, streams []string) (n int, rate float64, err error) {
	start := time.Now()
	for n == 0 || time.Since(start) < j.Each {
		e := randomEvent(streams[n%len(streams)], 1+int64(n/len(streams)))
		if err := p.append(context.Background(), 0, &e); err != nil {
			return 0, 0, err
		}
		n++
	}
	return n, float64(n) / time.Since(start).Seconds(), nil
}
