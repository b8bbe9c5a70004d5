package main

import (
	"context"
	"time"
)

const growthDeadline = time.Minute

// growth appends to more and more streams, one for each ten events of the data set: first each gets
// its first event, then each its second, until each has ten. An append is of a thousand streams. The
// figures are the rates of the first, the second and the tenth time round.
func (j job) growth(p peer) (results []result, err error) {
	err = j.opened(p, func() error {
		m := newMaker(5)
		streams := make([]string, wholeSet(j.Events)/shortStream)
		for i := range streams {
			streams[i] = m.stream()
		}
		var total time.Duration
		for version := range int64(shortStream) {
			var busy time.Duration
			for at := 0; at < len(streams); at += loadBatch {
				batch := make([]event, min(loadBatch, len(streams)-at))
				for i := range batch {
					batch[i] = m.event(streams[at+i], version)
				}
				before := time.Now()
				if err := p.appendAll(context.Background(), batch); err != nil {
					return err
				}
				busy += time.Since(before)
			}
			if name := growthNames[version]; name != "" {
				results = append(results, result{Metric: name, Value: float64(len(streams)) / busy.Seconds()})
			}
			if total += busy; total > growthDeadline && version < shortStream-1 {
				results = append(results, result{Metric: growthNames[shortStream-1], Failed: "it takes more than a minute"})
				return nil
			}
		}
		return nil
	})
	return results, err
}

var growthNames = map[int64]string{0: "growth, new", 1: "growth, second", shortStream - 1: "growth, tenth"}
