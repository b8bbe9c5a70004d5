package main

import (
	"context"
	"fmt"
	"time"

	"github.com/eventfold/eventfold/engine"
)

// A verifier is one of ours, which can check every byte that it has.
type verifier interface {
	verify(ctx context.Context) (engine.VerifyReport, error)
}

// verify implements verifier.
func (s *eventfoldEngine) verify(ctx context.Context) (engine.VerifyReport, error) {
	return s.store.Verify(ctx)
}

// verify measures the bytes of log that VERIFY checks in a second. It reads the index files besides,
// and builds each anew to compare.
func (j job) verify(p peer) (results []result, err error) {
	v, ok := p.(verifier)
	if !ok {
		return nil, errUnsupported
	}
	err = j.opened(p, func() error {
		start := time.Now()
		report, err := v.verify(context.Background())
		if err != nil {
			return err
		}
		spent := time.Since(start)
		results = []result{
			{Metric: "verify", Value: float64(report.Bytes) / 1e6 / spent.Seconds(), Answer: fmt.Sprint(report.Events)},
			{Metric: "verify time", Value: milliseconds(spent)},
		}
		return nil
	})
	return results, err
}
