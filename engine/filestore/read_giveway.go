package filestore

import "runtime"

// turns is how often a reader lets others go first. Whoever stands before the append in the queue
// for a processor is mostly a reader too: if each of them passes several times before it works on,
// the append comes up that much sooner. Passing takes about as long as looking at one event.
const turns = 4

// yieldEvents is how many events a reader looks at, and has at most in a batch, before it lets
// others run while an append is under way.
const yieldEvents = 256

// giveWay lets an append go on that may wait for a processor. The scheduler of Go takes a processor
// from a goroutine only after 10 ms, and readers that work in memory would keep all of them for
// that long: an append needs one four times, and a sync takes a tenth of a millisecond. While
// nobody appends it costs one load.
func (r *readIndex) giveWay() {
	if r.hasToGiveWay() {
		for range turns {
			runtime.Gosched()
		}
	}
}

// hasToGiveWay reports whether an append is under way that r is not a part of.
func (r *readIndex) hasToGiveWay() bool { return !r.urgent && r.shared.appends.Load() > 0 }

// forAppend returns the same index for what an append has to read, which gives way to nobody.
func (r *readIndex) forAppend() *readIndex {
	urgent := *r
	urgent.urgent = true
	return &urgent
}
