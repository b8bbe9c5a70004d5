package filestore

import (
	"context"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
)

// A meter counts bytes for who wants to know how far something is. Nobody does if it is nil.
type meter struct {
	tell  func(engine.Progress)
	total int64
	done  atomic.Int64
	told  atomic.Int64 // the greatest number of whole steps that was told
}

// meterStep is after how many bytes a meter tells.
const meterStep = 1 << 20

// newMeter returns the meter of something that is about so many bytes of work.
func newMeter(ctx context.Context, total int64) *meter {
	if tell := engine.ProgressOf(ctx); tell != nil {
		return &meter{tell: tell, total: total}
	}
	return nil
}

// add counts bytes that are done. Any goroutine may call it.
func (m *meter) add(n int64) {
	if m == nil {
		return
	}
	done := m.done.Add(n)
	for told := m.told.Load(); done/meterStep > told; told = m.told.Load() {
		if m.told.CompareAndSwap(told, done/meterStep) {
			m.tell(engine.Progress{Done: done, Total: m.total})
			return
		}
	}
}

// takeBack uncounts bytes that will be done once more. Nothing is told, and nothing again until what
// was told last is passed: progress does not go back.
func (m *meter) takeBack(n int64) {
	if m != nil {
		m.done.Add(-n)
	}
}
