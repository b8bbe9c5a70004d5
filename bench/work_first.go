package main

import (
	"fmt"
	"runtime"
	"time"
)

// A firstRead is what a process reads first. Each has a process of its own for each try.
type firstRead struct {
	name    string
	streams func(setNames) []string
}

var firstReads = []firstRead{
	{"first of 10", func(n setNames) []string { return n.near }},
	{"first of 10, apart", func(n setNames) []string { return n.apart }},
	{"first of 1000", func(n setNames) []string { return n.long }},
}

// first reads one stream in a process that has not read anything before: how long that takes when
// the store is open, and how much the heap of Go has given out for it. The system has the files in
// memory. N says which of firstReads, and which try.
func (j job) first(p peer) (results []result, err error) {
	kind := firstReads[j.N%len(firstReads)]
	streams := kind.streams(namesOf(j.Events))
	stream := streams[j.N/len(firstReads)*7919%len(streams)]
	if err := warm(j.Dir); err != nil {
		return nil, err
	}
	err = j.opened(p, func() error {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var d digest
		start := time.Now()
		if err := p.readStream(stream, d.add); err != nil {
			return err
		}
		took := milliseconds(time.Since(start))
		runtime.ReadMemStats(&after)
		results = []result{
			{Metric: kind.name, Value: took, Answer: fmt.Sprint(d)},
			{Metric: kind.name + " heap", Value: float64(after.TotalAlloc-before.TotalAlloc) / 1e6},
		}
		return nil
	})
	return results, err
}
