package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold"
)

// A result is one measured figure.
type result struct {
	Metric string  // "append 64", "scan", ...
	Value  float64 // in the metric's unit
	Answer string  `json:",omitempty"` // of a report, the same from every store
	Failed string  `json:",omitempty"` // why there is no figure
}

// A job is what a child process is asked to measure: one peer, one kind of work.
type job struct {
	Peer   string
	Work   string // "append", "load", "read" or "limits"
	Dir    string
	Events int           // of the data set
	Each   time.Duration // the length of each timed workload
}

var clientCounts = []int{1, 8, 64, 256}

func (j job) run() ([]result, error) {
	if j.Work == "limits" {
		return j.limits()
	}
	for _, p := range peers {
		if p.name == j.Peer {
			return j.runPeer(p.make())
		}
	}
	return nil, fmt.Errorf("there is no peer %q", j.Peer)
}

func (j job) runPeer(p peer) ([]result, error) {
	work := map[string]func(peer) ([]result, error){"append": j.appends, "load": j.load, "read": j.reads}[j.Work]
	if work == nil {
		return nil, fmt.Errorf("there is no work %q", j.Work)
	}
	results, err := work(p)
	if errors.Is(err, errUnsupported) {
		err = nil
	}
	return results, err
}

func (j job) limits() ([]result, error) {
	sync, err := measureSync(j.Dir, j.Each)
	if err != nil {
		return nil, err
	}
	rows, err := measureRows(min(j.Events, 500_000))
	if err != nil {
		return nil, err
	}
	events, err := measureEvents(2 * j.Events)
	if err != nil {
		return nil, err
	}
	short, err := measureShortQueries(j.Each / 4)
	if err != nil {
		return nil, err
	}
	return []result{
		{Metric: "sync", Value: sync},
		{Metric: "memcpy", Value: measureBytes(j.Each/4, func(src, dst []byte) { copy(dst, src) })},
		{Metric: "crc32c", Value: measureBytes(j.Each/4, func(src, _ []byte) { sink += uint64(crc32Of(src)) })},
		{Metric: "records", Value: measureRecords(j.Each / 4)},
		{Metric: "rows", Value: rows},
		{Metric: "events", Value: events},
		{Metric: "short queries", Value: short},
	}, nil
}

// appends measures one event per append with more and more clients, then batches of 100.
func (j job) appends(p peer) (results []result, err error) {
	if err := p.open(j.Dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for _, clients := range clientCounts {
		cost := writerCost(p)
		rate, p50, p99, err := j.appendWith(p, clients)
		if err != nil {
			return results, err
		}
		if micros, ok := cost(); ok {
			results = append(results, result{Metric: fmt.Sprintf("append %d writer", clients), Value: micros})
		}
		results = append(results, result{Metric: fmt.Sprintf("append %d", clients), Value: rate},
			result{Metric: fmt.Sprintf("append %d p50", clients), Value: p50}, result{Metric: fmt.Sprintf("append %d p99", clients), Value: p99})
	}
	rate, err := j.batches(p)
	return append(results, result{Metric: "batches of 100", Value: rate}), err
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

// madeEvents is how many different events a client of appendWith has. Making one takes as long as
// some stores take to append it, so they are made before the clock starts.
const madeEvents = 64

// appendWith returns events per second and latencies in microseconds.
func (j job) appendWith(p peer, clients int) (rate, p50, p99 float64, err error) {
	ctx := context.Background()
	var failed atomic.Pointer[error]
	latencies := make([][]time.Duration, clients)
	made := make([][]event, clients)
	for c := range made {
		m := newMaker(uint64(time.Now().UnixNano()) + uint64(c))
		made[c] = make([]event, madeEvents)
		stream := m.stream()
		for i := range made[c] {
			made[c][i] = m.event(stream, 0)
		}
	}
	var group sync.WaitGroup
	start := time.Now()
	for c := range clients {
		group.Go(func() { // ends when the time is over
			for version := int64(0); failed.Load() == nil; version++ {
				e := made[c][version%madeEvents]
				e.version = version
				before := time.Now()
				if before.Sub(start) >= j.Each {
					return
				}
				if err := p.append(ctx, c, &e); err != nil {
					failed.Store(&err)
					return
				}
				latencies[c] = append(latencies[c], time.Since(before))
			}
		})
	}
	group.Wait()
	elapsed := time.Since(start)
	if e := failed.Load(); e != nil {
		return 0, 0, 0, *e
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	at := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))].Nanoseconds()) / 1000 }
	return float64(len(all)) / elapsed.Seconds(), at(0.5), at(0.99), nil
}

func (j job) batches(p peer) (rate float64, err error) {
	m := newMaker(uint64(time.Now().UnixNano()))
	n, start := 0, time.Now()
	var busy time.Duration // without making the events
	for time.Since(start) < j.Each {
		events := make([]event, 100)
		stream := m.stream()
		for i := range events {
			events[i] = m.event(stream, int64(i))
		}
		before := time.Now()
		if err := p.appendAll(context.Background(), events); err != nil {
			return 0, err
		}
		busy += time.Since(before)
		n += len(events)
	}
	return float64(n) / busy.Seconds(), nil
}

const (
	loadBatch    = 1000
	shortStream  = 10
	longStream   = 1000
	loadDeadline = 2 * time.Minute // a store that takes longer has no data set to read
)

// dataset yields the events of the data set in batches: half of them in streams of 10, half in
// streams of 1,000, mixed. It is the same for every peer.
func dataset(events int, yield func(batch []event) error) (short, long []string, err error) {
	m := newMaker(42)
	longs := make([]string, max(events/2/longStream, 1))
	versions := make([]int64, len(longs))
	for i := range longs {
		longs[i] = m.stream()
	}
	batch := make([]event, 0, loadBatch)
	for n, turn := 0, 0; n < events; {
		stream := m.stream()
		short = append(short, stream)
		for v := range int64(shortStream) {
			batch = append(batch, m.event(stream, v))
			l := turn % len(longs)
			batch = append(batch, m.event(longs[l], versions[l]))
			versions[l]++
			turn++
			n += 2
		}
		if len(batch) >= loadBatch || n >= events {
			if err := yield(batch); err != nil {
				return nil, nil, err
			}
			batch = batch[:0]
		}
	}
	return short, longs, nil
}

// load appends the data set.
func (j job) load(p peer) (results []result, err error) {
	if err := p.open(j.Dir); err != nil {
		return nil, err
	}
	n := 0
	var busy time.Duration
	_, _, err = dataset(j.Events, func(batch []event) error {
		before := time.Now()
		err := p.appendAll(context.Background(), batch)
		busy += time.Since(before)
		n += len(batch)
		if busy > loadDeadline && n < j.Events {
			return errTooSlow
		}
		return err
	})
	if closeErr := p.close(); err == nil {
		err = closeErr
	}
	rate := float64(n) / busy.Seconds()
	if errors.Is(err, errTooSlow) {
		return []result{{Metric: "load", Value: rate}}, nil
	}
	if err != nil {
		return nil, err
	}
	bytes, err := diskBytes(j.Dir)
	return []result{{Metric: "load", Value: rate}, {Metric: "loaded", Value: float64(n)},
		{Metric: "disk", Value: float64(bytes) / float64(n)}}, err
}

var errTooSlow = errors.New("the data set takes too long to load")

// diskBytes counts the blocks that a directory takes, so that room only reserved counts too.
func diskBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n, err := allocated(path)
		total += n
		return err
	})
	return total, err
}

// reads opens the data set and asks all there is to ask.
func (j job) reads(p peer) (results []result, err error) {
	add := func(metric string, value float64, err error) error {
		if err == nil {
			results = append(results, result{Metric: metric, Value: value})
		} else if !errors.Is(err, errUnsupported) {
			return fmt.Errorf("%s: %w", metric, err)
		}
		return nil
	}
	short, long, err := dataset(j.Events, func([]event) error { return nil })
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	before := resident()
	start := time.Now()
	if err := p.open(j.Dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	found := 0
	err = p.readStream(short[0], func(*event) { found++ })
	if err == nil && found != shortStream {
		return nil, fmt.Errorf("the first stream has %d events", found)
	}
	if err := add("reopen", float64(time.Since(start).Microseconds())/1000, err); err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	results = append(results, result{Metric: "memory", Value: float64(resident()-before) / (1 << 20)})

	for _, w := range []struct {
		metric  string
		measure func() (float64, error)
	}{
		{"streams of 10", func() (float64, error) { return j.streams(p, short) }},
		{"streams of 1000", func() (float64, error) { return j.streams(p, long) }},
		{"scan", func() (float64, error) { return j.scan(p.scan) }},
		{"scan events", func() (float64, error) { return j.scanEvents(p) }},
		{"count per type", func() (float64, error) {
			return j.timed(func() error { _, err := p.countByType(); return err })
		}},
		{"count one type", func() (float64, error) {
			return j.timed(func() error { _, err := p.countOfType(typeNames[3]); return err })
		}},
		{"sum per type", func() (float64, error) {
			return j.timed(func() error { _, err := p.sumByType(); return err })
		}},
	} {
		value, err := w.measure()
		if err := add(w.metric, value, err); err != nil {
			return nil, err
		}
	}
	return append(results, j.reports(p)...), nil
}

// streams returns streams read per second.
func (j job) streams(p peer, names []string) (float64, error) {
	m := newMaker(9)
	n, start := 0, time.Now()
	for time.Since(start) < j.Each {
		if err := p.readStream(names[m.IntN(len(names))], func(e *event) { sink += uint64(e.version) }); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// scan returns events per second.
func (j job) scan(scan func(func(*event)) error) (float64, error) {
	n, start := 0, time.Now()
	err := scan(func(e *event) {
		sink += uint64(e.position) + uint64(len(e.payload))
		n++
	})
	if err == nil && n < j.Events {
		err = fmt.Errorf("the scan found %d events of %d", n, j.Events)
	}
	return float64(n) / time.Since(start).Seconds(), err
}

func (j job) scanEvents(p peer) (float64, error) {
	ours, ok := p.(*eventfoldSQL)
	if !ok {
		return 0, errUnsupported
	}
	n, start := 0, time.Now()
	err := ours.scanEvents(func(e *eventfold.Event) {
		sink += uint64(e.Position) + uint64(len(e.Payload))
		n++
	})
	return float64(n) / time.Since(start).Seconds(), err
}

// timed returns the milliseconds that ask takes, the median of five.
func (j job) timed(ask func() error) (float64, error) {
	var times []float64
	for range 5 {
		start := time.Now()
		if err := ask(); err != nil {
			return 0, err
		}
		times = append(times, float64(time.Since(start).Nanoseconds())/1e6)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// resident returns the process's resident memory in bytes, 0 where the system does not tell.
func resident() int64 {
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(status))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
