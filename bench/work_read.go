package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventfold/eventfold"
)

// A reading is a workload on the data set that gives a figure and what it has read. The answer is
// the same from every peer.
type reading struct {
	metric  string
	measure func() (value float64, answer string, err error)
}

// reads opens the data set and asks all there is to ask.
func (j job) reads(p peer) (results []result, err error) {
	names := namesOf(j.Events)
	debug.FreeOSMemory()
	before := resident()
	start := time.Now()
	err = j.opened(p, func() error {
		var d digest
		err := p.readStream(names.near[0], d.add)
		reopened := milliseconds(time.Since(start))
		if err == nil {
			results = append(results, result{Metric: "reopen", Value: reopened, Answer: fmt.Sprint(d)})
		} else if !errors.Is(err, errUnsupported) {
			return err
		}
		debug.FreeOSMemory()
		results = append(results, result{Metric: "memory", Value: max(float64(resident()-before), 0) / (1 << 20)})
		for _, r := range j.readings(p, names) {
			value, answer, err := r.measure()
			switch {
			case errors.Is(err, errUnsupported):
			case err != nil:
				results = append(results, result{Metric: r.metric, Failed: err.Error()})
			default:
				results = append(results, result{Metric: r.metric, Value: value, Answer: answer})
			}
		}
		return nil
	})
	return results, err
}

func (j job) readings(p peer, names setNames) []reading {
	asked := func(ask func() (string, error)) func() (float64, string, error) {
		return func() (value float64, answer string, err error) {
			value, err = j.timed(func() (err error) { answer, err = ask(); return err })
			return value, answer, err
		}
	}
	return []reading{
		{"streams of 10", func() (float64, string, error) { return j.streams(p, names.near) }},
		{"streams of 10, apart", func() (float64, string, error) { return j.streams(p, names.apart) }},
		{"streams of 1000", func() (float64, string, error) { return j.streams(p, names.long) }},
		{"one event", func() (float64, string, error) { return j.points(p) }},
		{"scan", func() (float64, string, error) { return j.scan(p.scan) }},
		{"scan events", func() (float64, string, error) { return j.scanEvents(p) }},
		{"count per type", asked(func() (string, error) {
			counts, err := p.countByType()
			return inOrder(counts), err
		})},
		{"count one type", asked(func() (string, error) {
			n, err := p.countOfType(typeNames[3])
			return fmt.Sprint(n), err
		})},
		{"sum per type", asked(func() (string, error) {
			sums, err := p.sumByType()
			return inOrder(sums), err
		})},
	}
}

// inOrder writes numbers by name, in the order of the names.
func inOrder(numbers map[string]int64) string {
	var s strings.Builder
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		fmt.Fprintf(&s, "%s|%d\n", name, numbers[name])
	}
	return s.String()
}

// answered is how many of the streams, or events, of a timed workload its answer is made of.
const answered = 20

// streams returns streams read per second. They have been read before, some of them often.
func (j job) streams(p peer, names []string) (rate float64, answer string, err error) {
	var d digest
	for _, name := range names[:min(len(names), answered)] {
		if err := p.readStream(name, d.add); err != nil {
			return 0, "", err
		}
	}
	m := newMaker(9)
	var ignored digest
	rate, err = j.perSecond(func() error { return p.readStream(names[m.IntN(len(names))], ignored.add) })
	return rate, fmt.Sprint(d), err
}

// points returns events read per second, each by its place in the log.
func (j job) points(p peer) (rate float64, answer string, err error) {
	m, events := newMaker(10), int64(wholeSet(j.Events))
	var d, ignored digest
	for range answered {
		if err := p.readAt(m.Int64N(events), d.add); err != nil {
			return 0, "", err
		}
	}
	rate, err = j.perSecond(func() error { return p.readAt(m.Int64N(events), ignored.add) })
	return rate, fmt.Sprint(d), err
}

// perSecond calls do for as long as a timed workload lasts, once at least.
func (j job) perSecond(do func() error) (rate float64, err error) {
	n, start := 0, time.Now()
	for n == 0 || time.Since(start) < j.Each {
		if err := do(); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// scan returns events per second.
func (j job) scan(scan func(func(*event)) error) (rate float64, answer string, err error) {
	var d digest
	start := time.Now()
	err = scan(func(e *event) {
		sink += uint64(e.position) + uint64(len(e.payload))
		d.add(e)
	})
	return float64(d.events) / time.Since(start).Seconds(), fmt.Sprint(d), err
}

func (j job) scanEvents(p peer) (rate float64, answer string, err error) {
	ours, ok := p.(*eventfoldSQL)
	if !ok {
		return 0, "", errUnsupported
	}
	n, start := 0, time.Now()
	err = ours.scanEvents(func(e *eventfold.Event) {
		sink += uint64(e.Position) + uint64(len(e.Payload))
		n++
	})
	return float64(n) / time.Since(start).Seconds(), fmt.Sprint(n), err
}

// timesAsked is how often a question is asked, if that does not take longer than a timed workload.
const timesAsked = 5

// timed returns the milliseconds that ask takes, the median of as often as it is asked.
func (j job) timed(ask func() error) (float64, error) {
	took, err := repeated(timesAsked, j.Each, ask)
	if err != nil {
		return 0, err
	}
	return quantile(took, 0.5), nil
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
