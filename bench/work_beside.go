package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// besideEvents is how many events there are for readers beside a writer, at most.
const besideEvents = 100_000

// besideType is the type of what the writer appends, so that the sums of the other types stay.
const besideType = "Beside"

// A crowd is some clients that read again and again, as fast as they can.
type crowd struct {
	name    string
	clients int
	read    func(p peer, m maker, events int) (answer string, err error)
}

var crowds = []crowd{
	{"4 sums", 4, func(p peer, _ maker, _ int) (string, error) {
		sums, err := p.sumByType()
		delete(sums, besideType)
		return inOrder(sums), err
	}},
	{"100 points", 100, func(p peer, m maker, events int) (string, error) {
		var d digest
		err := p.readAt(m.Int64N(int64(events)), d.add)
		return fmt.Sprint(d.events), err
	}},
}

// beside measures one writer alone, and beside each crowd of readers, and each crowd alone.
func (j job) beside(p peer) (results []result, err error) {
	err = j.opened(p, func() error {
		events, _, err := j.fill(p, min(j.Events, besideEvents), false)
		if err != nil {
			return err
		}
		alone := newBesideWriter(p)
		if err := alone.run(time.Now().Add(j.Each)); err != nil {
			return err
		}
		results = append(results, latencies("writer alone", alone, j.Each)...)
		for _, c := range crowds {
			some, err := j.besideCrowd(p, c, events)
			if errors.Is(err, errUnsupported) {
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			results = append(results, some...)
		}
		return nil
	})
	return results, err
}

func newBesideWriter(p peer) *writers {
	w := newWriters(p, 1, false)
	w.typ = besideType
	return w
}

func latencies(name string, w *writers, spent time.Duration) []result {
	took := w.latencies()
	return []result{
		{Metric: name, Value: float64(len(took)) / spent.Seconds()},
		{Metric: name + " p50", Value: quantile(took, 0.5)},
		{Metric: name + " p99", Value: quantile(took, 0.99)},
	}
}

func (j job) besideCrowd(p peer, c crowd, events int) ([]result, error) {
	answer, err := c.read(p, newMaker(11), events)
	if err != nil {
		return nil, err
	}
	writer := newBesideWriter(p)
	var writing error
	reads, err := c.gather(p, events, j.Each, func(until time.Time) { writing = writer.run(until) })
	if err := errors.Join(err, writing); err != nil {
		return nil, err
	}
	results := latencies("writer beside "+c.name, writer, j.Each)
	alone, err := c.gather(p, events, j.Each, func(time.Time) {})
	return append(results, result{Metric: c.name + " beside a writer", Value: reads},
		result{Metric: c.name + " alone", Value: alone, Answer: answer}), err
}

// gather lets all clients of the crowd read for a while, calls meanwhile, and returns reads per
// second. A read that has begun is waited for and counts.
func (c crowd) gather(
	p peer, events int, while time.Duration, meanwhile func(until time.Time),
) (rate float64, err error) {
	var group sync.WaitGroup
	var reads atomic.Int64
	var failed atomic.Pointer[error]
	start := time.Now()
	until := start.Add(while)
	for i := range c.clients {
		group.Go(func() { // ends when the time is over
			for m := newMaker(uint64(i)); failed.Load() == nil && time.Now().Before(until); reads.Add(1) {
				if _, err := c.read(p, m, events); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	meanwhile(until)
	group.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(reads.Load()) / time.Since(start).Seconds(), nil
}
