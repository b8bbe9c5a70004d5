package filestore

import (
	"context"
	"slices"
	"sync"

	"github.com/eventfold/eventfold/engine"
)

var _ engine.Deriver = (*FileStore)(nil)

// Deriveds are those who keep what they have derived from the content of events, in memory and in
// files. The zero value has none.
type deriveds struct {
	files sync.Mutex // held while a file is written, or files are removed; taken before mu

	mu  sync.Mutex // protects the field below; not held while one of them is called
	all []*derived
}

// A derived is one of them.
type derived struct {
	forget func(ctx context.Context, erased engine.Spans) error
}

// OnErase implements [engine.Deriver].
func (s *FileStore) OnErase(forget func(ctx context.Context, erased engine.Spans) error) (stop func()) {
	d, all := &derived{forget}, &s.deriveds
	all.mu.Lock()
	defer all.mu.Unlock()
	all.all = append(all.all, d)
	return func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		all.all = slices.DeleteFunc(all.all, func(other *derived) bool { return other == d })
	}
}

// forget has everybody forget what was derived from what is erased.
func (d *deriveds) forget(ctx context.Context, erased engine.Spans) error {
	d.mu.Lock()
	all := slices.Clone(d.all)
	d.mu.Unlock()
	for _, one := range all {
		if err := one.forget(ctx, erased); err != nil {
			return wrap("forget what is erased", err)
		}
	}
	return nil
}

// forgetErased has everybody forget what a batch erases that has just been appended. What fails is
// done before the erasure is.
func (d *deriveds) forgetErased(ctx context.Context, batch []engine.Append) {
	for i := range batch {
		if e := batch[i].Erase; e != nil && len(e.Events) > 0 {
			_ = d.forget(ctx, e.Events)
		}
	}
}
