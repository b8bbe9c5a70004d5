package query

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
)

// A waste is what a statement has thrown away: memory that stays taken until the garbage collector
// has run. The collector lets memory double before it begins, and what is allocated while it works
// is not collected by it; where it gets little of the processors, long texts would take many times
// of what the statement may hold. So a statement that has thrown away much waits for a collection.
// The goroutines of a divided scan share it.
type waste struct {
	bytes atomic.Int64
	due   atomic.Int64 // bytes at which it is to be thought of
	mu    sync.Mutex   // protects nothing: while one goroutine collects, the others make no more waste
}

const (
	wasteLeast = 4 << 10 // bytes thrown away at once that are not counted: ordinary queries leave it to the collector
	wasteParts = 4       // waste may be so great a part of the budget,
	wasteLive  = 4       // or of all that lives in the process, if that is more: what a collection costs grows with it
)

// discard tells that n bytes are no longer used. It may run the garbage collector.
func (b *budget) discard(n int64) {
	if n < wasteLeast {
		return
	}
	if w := &b.waste; w.bytes.Add(n) >= w.due.Load() {
		w.collect(b.limit / wasteParts)
	}
}

// collect runs the garbage collector, if that is worth it.
func (w *waste) collect(least int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	bytes := w.bytes.Load()
	if bytes < w.due.Load() {
		return // another has just done it
	}
	if due := liveBytes() / wasteLive; bytes < due {
		w.due.Store(due)
		return
	}
	runtime.GC()
	w.bytes.Add(-bytes)
	w.due.Store(least)
}

// liveBytes is what the last collection has left.
func liveBytes() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64())
}
