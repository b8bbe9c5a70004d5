package filestore

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
)

// readShared is what all ReadIndexes of one store have in common.
type readShared struct {
	// ended returns why the store cannot be used any more, such as ErrClosed, or nil. Any goroutine
	// calls it.
	ended func() error
	// damaged is told that a segment's index file cannot be trusted; the store rebuilds it. nil if
	// nobody wants to know.
	damaged func(seg *segment, err error)
	// indexer has the merged indexes of segments. nil if there is none.
	indexer *indexer
	types   nameTable
	// appends is how many appends are under way. Readers give way to them.
	appends atomic.Int32

	rebuilding sync.Mutex // held while the index of a segment is rebuilt in memory, so that it happens once
}

// A readIndex is the embedded store's ReadIndex: a list of segments and how many events of it may
// be seen.
type readIndex struct {
	shared *readShared
	view   *view
	head   engine.Position
	urgent bool // see forAppend
}

var _ engine.ReadIndex = (*readIndex)(nil)

// newReadIndex returns the ReadIndex of the events below head. The head must have been loaded
// before the view, so that the view holds them all.
func newReadIndex(shared *readShared, v *view, head engine.Position) *readIndex {
	return &readIndex{shared: shared, view: v, head: head}
}

func (r *readIndex) Head() engine.Position { return r.head }

func (r *readIndex) At(h engine.Position) engine.ReadIndex {
	if h < 0 || h > r.head {
		panic(fmt.Sprintf("eventfold: ReadIndex.At(%d) with the head at %d", h, r.head))
	}
	return &readIndex{shared: r.shared, view: r.view, head: h, urgent: r.urgent}
}

// StreamVersion asks the newest segment first: the first that knows the stream knows its version.
func (r *readIndex) StreamVersion(stream string) (engine.Version, bool, error) {
	if err := r.usable(context.Background()); err != nil {
		return engine.NoVersion, false, err
	}
	if len(r.view.segments) == 0 {
		return engine.NoVersion, false, nil
	}
	v, ok, err := r.versionIn(len(r.view.segments)-1, stream)
	if !ok && err == nil {
		v, err = r.sealedVersion(stream)
	}
	return v, v != engine.NoVersion && err == nil, err
}

// usable returns the context's error if it has ended, and why the store cannot be used any more.
func (r *readIndex) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.shared.ended()
}

// first returns the position of the oldest event that is still stored.
func (r *readIndex) first() engine.Position {
	if len(r.view.segments) == 0 {
		return 0
	}
	return r.view.segments[0].base
}

// limit returns how many events of segment i are below the head.
func (r *readIndex) limit(i int) uint32 {
	end := r.head
	if i+1 < len(r.view.segments) {
		end = min(end, r.view.segments[i+1].base)
	}
	return uint32(max(0, end-r.view.segments[i].base))
}

// find returns the number of the segment that holds position p, or of the nearest one.
func (r *readIndex) find(p engine.Position) int {
	i := sort.Search(len(r.view.segments), func(i int) bool { return r.view.segments[i].base > p })
	return max(0, i-1)
}

// reader returns a reader of segment i that makes its blocks in memory.
func (r *readIndex) reader(ctx context.Context, i int, memory *blockMemory) segmentReader {
	seg := r.view.segments[i]
	return segmentReader{
		ctx:    ctx,
		shared: r.shared,
		memory: memory,
		store:  r.view.store,
		seg:    seg,
		index:  seg.index(),
		limit:  r.limit(i),
		hidden: r.view.erasures.within(seg.base, r.head),
	}
}
