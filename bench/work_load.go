package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const loadDeadline = 2 * time.Minute // a store that takes longer has no data set to read

var errTooSlow = errors.New("the data set takes too long to load")

// load appends the data set. Without "loaded" there is none to read.
func (j job) load(p peer, ids string) (results []result, err error) {
	if err := useIDs(p, ids); err != nil {
		return nil, err
	}
	n, rate := 0, 0.0
	err = j.opened(p, func() (err error) {
		n, rate, err = j.fill(p, j.Events, ids != "")
		return err
	})
	results = []result{{Metric: "load" + ids, Value: rate}}
	if errors.Is(err, errTooSlow) {
		return results, nil
	}
	if err != nil {
		return nil, err
	}
	bytes, err := diskBytes(j.Dir)
	return append(results, result{Metric: "loaded" + ids, Value: float64(n), Answer: fmt.Sprint(n)},
		result{Metric: "disk" + ids, Value: float64(bytes) / float64(n)}), err
}

// fill appends a data set to an open peer and returns how many events it has, and events per second
// without the time that making them takes.
func (j job) fill(p peer, events int, ids bool) (n int, rate float64, err error) {
	var busy time.Duration
	err = dataset(events, ids, func(batch []event) error {
		before := time.Now()
		err := p.appendAll(context.Background(), batch)
		busy += time.Since(before)
		if err != nil {
			return err
		}
		if n += len(batch); busy > loadDeadline && n < events {
			return errTooSlow
		}
		return nil
	})
	return n, float64(n) / busy.Seconds(), err
}
