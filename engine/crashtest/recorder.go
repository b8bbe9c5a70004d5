package crashtest

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
)

// A Moment is one at which the power may fail: what the disk may have then, and what has been
// promised by then.
type Moment struct {
	FS     *FS
	Oracle *Oracle
	Call   Call // during which, or after which, it was
	Before bool // before the call had its effect
}

// String implements fmt.Stringer.
func (m *Moment) String() string {
	when := "after"
	if m.Before {
		when = "before"
	}
	return fmt.Sprintf("%s %s %s at %d", when, m.Call.Op, m.Call.Name, m.Call.Offset)
}

// A Recorder collects the moments of a workload: one after each call that changed something, and
// one before each sync, at which it also looks what readers can see.
type Recorder struct {
	fs     *FS
	oracle *Oracle
	yields int                          // how often a sync lets others run before it begins
	store  atomic.Pointer[engine.Store] // whose readers are looked at

	mu      sync.Mutex // protects all below
	moments []Moment
	changes [2]int // of the file system and the oracle, at the last moment
	last    *Oracle
}

// Record begins to collect moments of a file system, which nobody uses yet, and of the oracle of
// its store.
func Record(f *FS, o *Oracle) *Recorder {
	r := &Recorder{fs: f, oracle: o, yields: 10, changes: [2]int{-1, -1}}
	f.Before(r.before)
	f.After(r.after)
	return r
}

// Watch makes the recorder look what the store's readers see.
func (r *Recorder) Watch(s engine.Store) { r.store.Store(&s) }

// Moments returns what has been collected.
func (r *Recorder) Moments() []Moment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moments
}

func (r *Recorder) before(c Call) {
	if !c.Op.Syncs() {
		return
	}
	for range r.yields { // somebody may have been told already that all is durable: let it speak
		runtime.Gosched()
	}
	if s := r.store.Load(); s != nil {
		r.oracle.See((*s).ReadIndex().Head())
	}
	r.note(c, true)
}

func (r *Recorder) after(c Call) {
	if c.Op.changes() {
		r.note(c, false)
	}
}

// note takes the promises before the disk: what is promised meanwhile need not be on it.
func (r *Recorder) note(c Call, before bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changes := [2]int{r.fs.changeCount(), r.oracle.version()}
	if changes == r.changes {
		return
	}
	if r.last == nil || changes[1] != r.changes[1] {
		r.last = r.oracle.Clone()
	}
	o := r.last
	f := r.fs.Clone()
	if o.len() < r.oracle.len() { // what was tried meanwhile may be on it
		o = o.Clone()
		o.Extend(r.oracle)
		r.last = nil
	}
	r.changes = changes
	r.moments = append(r.moments, Moment{FS: f, Oracle: o, Call: c, Before: before})
}
