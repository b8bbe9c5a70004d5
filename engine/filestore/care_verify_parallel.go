package filestore

import (
	"context"
	"runtime"
	"sync/atomic"
)

// Verify checks segments side by side, each from what its own header and the segment before it
// claim, and joins them in their order. Whatever is not as it should be is left to segmentPatiently,
// which checks one segment behind the other: it alone says what is wrong and where, so that the
// report does not depend on how many processors there are. BenchmarkVerify holds it, and
// TestVerifySideBySideSaysTheSame compares the two.

// maxVerifiers is how many segments are checked at a time at most: each takes the memory of an
// index, and of a frame.
const maxVerifiers = 8

// segments checks all segments.
func (v *verification) segments() error {
	parts, stop := v.begin(min(maxVerifiers, runtime.GOMAXPROCS(0), len(v.index.view.segments)))
	defer stop()
	for i := range v.index.view.segments {
		if i >= len(parts) || !v.joinPart(i, <-parts[i]) {
			if err := v.segmentPatiently(i); err != nil {
				return err
			}
		}
		v.report.Segments++
	}
	return nil
}

// begin starts so many goroutines that check segments by themselves. Of each segment the outcome
// comes through its channel, nil if it could not be checked so. stop ends the goroutines and waits
// for them.
func (v *verification) begin(workers int) (parts []chan *verification, stop func()) {
	if workers < 2 {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(v.ctx)
	segments, ended := v.index.view.segments, make(chan struct{})
	parts = make([]chan *verification, len(segments))
	for i := range parts {
		parts[i] = make(chan *verification, 1)
	}
	var next atomic.Int64
	index := *v.index
	for range workers {
		go func() { // ends with ctx, or when all are checked; stop waits for it
			defer func() { ended <- struct{}{} }()
			for i := int(next.Add(1)) - 1; i < len(segments); i = int(next.Add(1)) - 1 {
				p := v.part(ctx, &index, i)
				if p.segment(i) != nil {
					p.forget(0)
					p = nil
				}
				parts[i] <- p
			}
		}()
	}
	return parts, func() {
		cancel()
		for range workers {
			<-ended
		}
	}
}

// part returns a verification that begins with segment i, as if all before were checked.
func (v *verification) part(ctx context.Context, index *readIndex, i int) *verification {
	p := &verification{store: v.store, index: index, ctx: ctx, meter: v.meter}
	seg := index.view.segments[i]
	p.end.next, p.end.chain = seg.base, seg.header.ChainIn
	if i > 0 {
		p.end.micros = index.view.segments[i-1].sealed.Load().greatest
	}
	return p
}

// joinPart is join. It reports false, and takes back what the progress has counted of the segment,
// if that is to be checked again.
func (v *verification) joinPart(i int, p *verification) bool {
	if v.join(i, p) {
		return true
	}
	if p != nil {
		p.forget(0)
	}
	return false
}

// forget takes back from the progress what has been checked since the report had so many bytes.
func (v *verification) forget(since int64) {
	v.store.verifying.done.Add(since - v.report.Bytes)
	v.meter.takeBack(v.report.Bytes - since)
}

// join takes over what was found of segment i, if all is well and it follows what was checked
// before. Where an index was damaged, those behind it were compared with what it says.
func (v *verification) join(i int, p *verification) bool {
	seg := v.index.view.segments[i]
	if p == nil || len(v.report.BadIndexes) > 0 || p.index.view.segments[i] != seg ||
		i > 0 && (seg.base != v.end.next || seg.header.ChainIn != v.end.chain) {
		return false
	}
	v.end = p.end
	v.erased = v.erased.Union(p.erased)
	v.told = append(v.told, p.told...)
	v.report.Frames += p.report.Frames
	v.report.Events += p.report.Events
	v.report.Bytes += p.report.Bytes
	v.report.Indexes += p.report.Indexes
	v.report.BadIndexes = append(v.report.BadIndexes, p.report.BadIndexes...)
	return true
}

// A verifyProgress tells how far the verifications are that run.
type verifyProgress struct {
	running, done, all atomic.Int64 // all and done in bytes
}

// begin counts a verification of so many bytes in. The function returned counts it out again.
func (p *verifyProgress) begin(bytes int64) (end func()) {
	p.running.Add(1)
	p.all.Add(bytes)
	return func() {
		if p.running.Add(-1) == 0 {
			p.all.Store(0)
			p.done.Store(0)
		}
	}
}

// now returns how many bytes are checked, and how many there are to check, which are about right:
// never more are checked.
func (p *verifyProgress) now() (done, all int64) {
	done, all = p.done.Load(), p.all.Load()
	return min(done, all), all
}

// bytes returns about how many bytes of log are below a head.
func (r *readIndex) bytes() int64 {
	total := int64(0)
	for i := range r.view.segments {
		total += r.bytesOf(i)
	}
	return total
}

// bytesOf is about how many bytes of that are segment i's.
func (r *readIndex) bytesOf(i int) int64 {
	seg := r.view.segments[i]
	if sealed := seg.sealed.Load(); sealed != nil {
		return sealed.end
	}
	if n := r.limit(i); n > 0 {
		if off, err := seg.index().Offset(n - 1); err == nil {
			return off
		}
	}
	return 0
}
