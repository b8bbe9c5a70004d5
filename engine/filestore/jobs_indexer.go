package filestore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// An indexer sees to it that every sealed segment answers from an index file: it opens files that
// are there and, when this process may write, makes those that are missing or damaged. It works in
// the background, and nothing that fails in it harms an append or an answer: until a segment has
// its file it is asked in memory.
//
// Its goroutine runs while there is something to do. add starts it; stop ends it and waits for it.
type indexer struct {
	fs       vfs.FS
	cache    *index.BlockCache
	mayWrite func() bool // whether this process holds the write lock
	// rebuild indexes a sealed segment from its records, for a segment whose index is not in
	// memory.
	rebuild func(ctx context.Context, seg *segment) (*index.Memory, error)
	retry   time.Duration // how long to wait after a failure, to begin with

	// spare, if not nil, does one piece of other work in the background when no index is wanted,
	// and reports whether there may be more. It ends early when ctx does. It is called only while
	// this process may write.
	spare func(ctx context.Context) (more bool, err error)

	runs        atomic.Pointer[[]*index.Run] // merged indexes; changes under mu
	maxUnmerged int                          // see the constant

	ctx     context.Context // ends with stop
	cancel  context.CancelFunc
	running sync.WaitGroup
	wake    chan struct{} // holds one; tells a waiting goroutine that there is more to do

	mu      sync.Mutex // protects what follows
	pending []*segment
	damaged map[*segment]bool // the file must be written anew
	open    []*index.File     // opened so far; closed by close
	active  bool              // the goroutine runs
	stopped bool
	lastErr error // of the last attempt; nil after one that succeeded

	segments   func() []*segment // see begin; nil before it
	runsOpened bool
}

// How long the indexer waits after a failure: a disk may be full, another process may be about to
// write the file.
const (
	minIndexRetry = time.Second
	maxIndexRetry = time.Minute
)

// newIndexer makes the indexer of a store. Nothing runs before the first add.
func newIndexer(
	fsys vfs.FS, cache *index.BlockCache, mayWrite func() bool,
	rebuild func(context.Context, *segment) (*index.Memory, error),
) *indexer {
	x := &indexer{
		fs:          fsys,
		cache:       cache,
		mayWrite:    mayWrite,
		rebuild:     rebuild,
		retry:       minIndexRetry,
		maxUnmerged: maxUnmerged,
		wake:        make(chan struct{}, 1),
		damaged:     map[*segment]bool{},
	}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	return x
}

// indexFileName returns the name of the index file of the segment with the file name given.
func indexFileName(segment string) string { return strings.TrimSuffix(segment, ".log") + ".idx" }

// indexName returns the name of a segment's index file, with directory. A new generation with the
// same content keeps it.
func (s *segment) indexName() string {
	return vfs.Join(vfs.Parent(s.name), indexFileName(format.SegmentFileName(s.number, s.header.Content)))
}

// Meta describes the events of a sealed segment.
func (s *segment) indexMeta(store uuid.UUID, sealed *sealedInfo) index.Meta {
	return index.Meta{Store: store, Number: s.number, Generation: s.header.Content, Base: s.base,
		Count: sealed.count, End: sealed.end, Chain: sealed.lastChain}
}

// openSealed returns the index of the segment that m describes: its file, or one that says that the
// file is missing. The caller gives the segment to add if it is not a *File.
func (x *indexer) openSealed(seg *segment, m index.Meta) index.Index {
	f, err := x.openFile(seg.indexName(), m)
	if err != nil {
		return missingIndex{&index.Damage{File: seg.indexName(), Block: -1, Err: err}}
	}
	return f
}

func (x *indexer) openFile(name string, m index.Meta) (*index.File, error) {
	f, err := index.OpenFile(x.fs, name, m, x.cache)
	if err == nil {
		x.keep(f)
	}
	return f, err
}

// keep notes a file that close is to close.
func (x *indexer) keep(f *index.File) {
	x.mu.Lock()
	x.open = append(x.open, f)
	x.mu.Unlock()
}

// openActive opens the index file that an earlier Close has left of the last segment's first
// events. promised is the offset below which the segment is known to be durable. It returns the
// index, to which later events can be added, and the place where these begin. ok is false if there
// is no such file, or none that fits; then the segment must be read from its beginning.
func (x *indexer) openActive(seg *segment, store uuid.UUID, promised int64) (m *index.Memory, end logEnd, ok bool) {
	meta := index.Meta{Store: store, Number: seg.number, Generation: seg.header.Content, Base: seg.base}
	f, err := index.OpenAnyFile(x.fs, seg.indexName(), meta, x.cache)
	if err != nil {
		return nil, logEnd{}, false
	}
	if f.Count() > 0 && f.End <= promised {
		if end, err = behindIndex(f, seg); err == nil {
			x.keep(f)
			return index.NewMemoryBehind(f), end, true
		}
	}
	f.Close()
	return nil, logEnd{}, false
}

// saveActive writes the index of the last segment, of which everything up to end is durable, so
// that the next Open need not read it. It does nothing if reading is quicker. added is how many of
// its events this process has appended.
func (x *indexer) saveActive(seg *segment, store uuid.UUID, m *index.Memory, end logEnd, added uint32) error {
	damaged := m.Skip > 0 && m.PrefixFile() == nil
	if !damaged && !worthSaving(m.Count(), m.Count()-m.Skip, added) {
		return nil
	}
	meta := index.Meta{Store: store, Number: seg.number, Generation: seg.header.Content, Base: seg.base,
		Count: m.Count(), End: end.offset, Chain: end.chain}
	return index.WriteFile(context.Background(), x.fs, seg.indexName(), m, meta)
}

// minActiveIndex is the number of new events for which saveActive writes a file in any case. Reading
// fewer takes a few milliseconds. saveCost is for how many events writing one takes as long as its
// sync does.
const (
	minActiveIndex = 16 << 10
	saveCost       = 4 << 10
)

// worthSaving reports whether saveActive writes a file of count events, of which fresh are in no file
// yet. Where processes come and go that append a few events each, added by this one, all of them have
// read what was fresh for them: together about fresh²/(2 added) events. When that is as many as are
// written now, all has taken no more than twice the time that the best choice would have.
func worthSaving(count, fresh, added uint32) bool {
	return fresh >= minActiveIndex || added > 0 &&
		uint64(fresh)*uint64(fresh) >= 2*uint64(added)*(uint64(count)+saveCost)
}

// add has the index file of a segment opened or made. The segment must be sealed, or be about to
// be. Any goroutine may call it; it does not wait. After stop it does nothing.
func (x *indexer) add(seg *segment) { x.want(seg, false) }

// rewrite has the index file of a sealed segment made anew, because the one that is there is
// damaged.
func (x *indexer) rewrite(seg *segment) { x.want(seg, true) }

func (x *indexer) want(seg *segment, damaged bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if damaged && !x.stopped {
		x.damaged[seg] = true
	}
	x.wantLocked(seg)
}

func (x *indexer) wantLocked(seg *segment) {
	if x.stopped || slices.Contains(x.pending, seg) {
		return
	}
	x.pending = append(x.pending, seg)
	x.startLocked()
}

// look has the goroutine look for something to do.
func (x *indexer) look() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.startLocked()
}

// startLocked sees to it that the goroutine runs and looks for something to do.
func (x *indexer) startLocked() {
	if x.stopped {
		return
	}
	if !x.active {
		x.active = true
		x.running.Go(x.run) // ends when nothing is to be done, or with stop, which waits
	}
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// stop ends the goroutine and waits for it. The files stay open.
func (x *indexer) stop() {
	x.mu.Lock()
	x.stopped = true
	x.mu.Unlock()
	x.cancel()
	x.running.Wait()
}

// close stops and closes all files. Nobody may be reading any more, or must be content with
// fs.ErrClosed.
func (x *indexer) close() {
	x.stop()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.open {
		f.Close()
	}
	x.open, x.pending = nil, nil
}

// run works until nothing is to be done.
func (x *indexer) run() {
	wait := x.retry
	for {
		switch progress, left := x.round(); {
		case !left:
			return
		case progress:
			wait = x.retry
		default:
			x.pause(wait)
			wait = min(2*wait, maxIndexRetry)
		}
	}
}

// pause waits for the time given, or until there is more to do.
func (x *indexer) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-x.wake:
	case <-x.ctx.Done():
	}
}

// round tries every pending segment once, and then to merge. progress tells whether something was
// done, left whether something remains; when nothing does the goroutine is not active any more.
func (x *indexer) round() (progress, left bool) {
	x.mu.Lock()
	x.wokenLocked() // what was asked for before is looked at now
	todo := append([]*segment(nil), x.pending...)
	x.mu.Unlock()
	for _, seg := range todo {
		if x.ctx.Err() != nil {
			break
		}
		done, err := x.process(seg)
		x.mu.Lock()
		x.lastErr = err
		if done {
			x.forgetLocked(seg)
			progress = true
		}
		x.mu.Unlock()
	}
	more, err := x.merge()
	if !more && err == nil && x.spare != nil && x.mayWrite() && x.ctx.Err() == nil {
		more, err = x.spare(x.ctx)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		x.lastErr = err
	}
	woken := x.wokenLocked() // somebody has asked for something that may not have been seen
	progress = progress || more && err == nil || woken
	left = (len(x.pending) > 0 || more || woken || x.segments != nil && !x.runsOpened) && x.ctx.Err() == nil
	x.active = left
	return progress, left
}

// wokenLocked reports whether startLocked was called since it was asked last.
func (x *indexer) wokenLocked() bool {
	select {
	case <-x.wake:
		return true
	default:
		return false
	}
}

func (x *indexer) forgetLocked(seg *segment) {
	if i := slices.Index(x.pending, seg); i >= 0 {
		x.pending = slices.Delete(x.pending, i, i+1) // which lets go of it: the segment may have been replaced
	}
}

// process gives a segment its index file. It reports false if that must be tried again later.
func (x *indexer) process(seg *segment) (done bool, err error) {
	sealed, held := seg.sealed.Load(), seg.index()
	if sealed == nil {
		return false, nil
	}
	x.mu.Lock()
	damaged := x.damaged[seg]
	x.mu.Unlock()
	if _, ok := held.(*index.File); ok && !damaged {
		return true, nil
	}
	m, name := seg.indexMeta(seg.header.Store, sealed), seg.indexName()
	if !damaged {
		f, err := x.openFile(name, m)
		if err == nil {
			seg.setIndex(f)
			return true, nil
		}
		if vfs.TooManyFiles(err) {
			return false, err
		}
	}
	if !x.mayWrite() {
		return damaged, nil // a reader that found damage keeps what it has built in memory
	}
	if err := x.make(seg, held, name, m); err != nil {
		return false, err
	}
	f, err := x.openFile(name, m)
	if err != nil {
		return false, err
	}
	x.mu.Lock()
	delete(x.damaged, seg)
	x.mu.Unlock()
	seg.setIndex(f)
	return true, nil
}

// make writes the index file of a segment, from memory if its index is there, else from its
// records.
func (x *indexer) make(seg *segment, held index.Index, name string, m index.Meta) error {
	if src, ok := held.(*index.Memory); ok && src.Count() == m.Count {
		err := index.WriteFile(x.ctx, x.fs, name, src, m)
		var damage *index.Damage // of the file that src begins in
		if !errors.As(err, &damage) {
			return err
		}
	}
	src, err := x.rebuild(x.ctx, seg)
	if err != nil {
		return err
	}
	return index.WriteFile(x.ctx, x.fs, name, src, m)
}

// A missingIndex stands for the index file of a sealed segment that is not there. Every answer is
// an *Damage, upon which the segment's index is rebuilt in memory.
type missingIndex struct{ why *index.Damage }

func (m missingIndex) Offset(uint32) (int64, error)        { return 0, m.why }
func (m missingIndex) Frame(uint32) (int64, uint32, error) { return 0, 0, m.why }
func (m missingIndex) Since(int64, uint32) (uint32, error) { return 0, m.why }
func (m missingIndex) RecordedAt(uint32) (int64, error)    { return 0, m.why }

func (m missingIndex) Lookup(index.Dictionary, string, uint32) (index.Entry, bool, error) {
	return index.Entry{}, false, m.why
}

func (m missingIndex) Postings(_ index.Dictionary, _ string, _, _ uint32, dst []uint32) ([]uint32, error) {
	return dst, m.why
}

func (m missingIndex) Keys(index.Dictionary, string, uint32, func(index.Entry) bool) error {
	return m.why
}

func (m missingIndex) Candidates(_ uuid.UUID, _ uint32, dst []uint32) ([]uint32, error) {
	return dst, m.why
}
