package filestore

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
)

// eraseTemp is the file that becomes the next generation of a segment in which events are erased.
const eraseTemp = "erase.tmp"

// tornPrefix begins the names of the files to which recovery saves what it cuts off.
const tornPrefix = "torn-"

// An eraser carries out the erasures that the log tells of and that are not done: it has every
// segment that holds what they name written anew without it, removes what else may hold it, and then
// appends the event that tells that they are done. What it has done when its process ends the next
// one finds done.
//
// It belongs to the indexer's goroutine, which calls next.
type eraser struct {
	s        *FileStore
	rewriter *rewriter

	clean    map[cleanPart]bool         // parts that are known to hold no content
	replaced []vfs.FileInfo             // the files that were written anew, for as long as there are erasures
	cut      map[int64]bool             // numbers of segments that have nothing but their frames
	until    time.Time                  // before, the last segment is not completed again; see eraseRate
	timer    atomic.Pointer[time.Timer] // has the indexer look again then

	foreignReaders []int // who had files open when what ERASED names was done

	stalled atomic.Bool // next does nothing
	// holders are the processes that have one of the files open, which have no name any more.
	holders func(files []vfs.FileInfo) []int

	mu      sync.Mutex      // protects what follows, which others read
	trouble string          // why the last attempt failed
	refused map[int64]error // why a segment, by its number, cannot be written anew: it is damaged
}

// saying returns what is to be added to the reason why a segment has not been written anew.
func (x *eraser) saying(seg *segment) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	why := x.trouble
	if damage, ok := x.refused[seg.number]; ok {
		why = plainText(damage)
	}
	if why == "" {
		return ""
	}
	return ": " + why
}

// isRefused reports whether a segment cannot be written anew.
func (x *eraser) isRefused(seg *segment) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, refused := x.refused[seg.number]
	return refused
}

// failed notes why an attempt has failed, "" if it has not.
func (x *eraser) failed(why string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.trouble = why
}

// A cleanPart is what one erasure names in one segment.
type cleanPart struct {
	erasure uuid.UUID
	segment int64
}

// Completing the last segment begins a new one. So that who erases what is new again and again does
// not keep the disk busy with making segments, nor make very many, it happens the more rarely the
// larger they are and the more there are.
const (
	eraseRate  = 4 << 20               // bytes of new segments per second
	eraseApart = 10 * time.Millisecond // for each segment
)

func newEraser(s *FileStore, w *rewriter) *eraser {
	return &eraser{
		s:        s,
		rewriter: w,
		clean:    map[cleanPart]bool{},
		cut:      map[int64]bool{},
		refused:  map[int64]error{},
		holders:  vfs.HoldersOfRemoved,
	}
}

// next does one piece of what is to be done, and reports whether there may be more. After an error
// it is to be tried again later.
func (x *eraser) next(ctx context.Context) (more bool, err error) {
	e := x.s.view.Load().erasures
	if e == nil || x.s.poisoned.Load() || x.stalled.Load() {
		return false, nil
	}
	more, err = x.piece(ctx, e)
	if err != nil {
		x.failed(plainText(err))
		return !errors.Is(err, errSwapRefused), err
	}
	x.failed("")
	return more, nil
}

func (x *eraser) piece(ctx context.Context, e *erasures) (more bool, err error) {
	if err := x.rewriter.settle(ctx); err != nil {
		return true, err
	}
	if sabotage.On(sabotage.EraseDoneTooEarly) {
		_ = x.finish(ctx, e)
	}
	if more, waiting, err := x.completeLast(ctx, e); more || waiting || err != nil {
		return more, err
	}
	segments := x.s.view.Load().segments
	for i := range len(segments) - 1 {
		if written, err := x.segment(ctx, e, i); written || err != nil {
			return true, err
		}
	}
	over := x.over(e, segments)
	if x.s.opt.applying {
		over = over.foreign()
	}
	if len(over.open) == 0 {
		return false, nil // only what is damaged is left
	}
	if err := x.clear(ctx, over.all()); err != nil {
		return true, err
	}
	return true, x.finish(ctx, over)
}

// completeLast has the last segment completed if an erasure names events in it, or a write that has
// failed may have left something behind its end. more tells that this
// may have changed what is to be done, waiting that it is too soon. Otherwise what tells of the
// erasures is durable.
func (x *eraser) completeLast(ctx context.Context, e *erasures) (more, waiting bool, err error) {
	index := x.s.current()
	last := index.view.segments[len(index.view.segments)-1]
	unclean := false
	err = x.s.askWriter(ctx, func(w *writer) error {
		unclean = w.log.unclean
		return w.settleLog()
	})
	if err != nil || !unclean && e.within(last.base, index.head) == nil {
		return false, false, err
	}
	if left := time.Until(x.until); left > 0 {
		x.timer.Store(time.AfterFunc(left, x.s.indexer.look)) // stop ends it
		return false, true, nil
	}
	var ready <-chan struct{}
	err = x.s.askWriter(ctx, func(w *writer) error {
		ready = w.prepareSuccessor(last)
		return w.settleLog()
	})
	if err != nil {
		return true, false, err
	}
	if ready != nil {
		select {
		case <-ready:
		case <-ctx.Done():
			return true, false, ctx.Err()
		}
	}
	apart := time.Duration(last.header.Capacity) * time.Second / eraseRate
	x.until = time.Now().Add(apart + eraseApart*time.Duration(len(index.view.segments)))
	return true, false, x.s.askWriter(ctx, func(w *writer) error { return w.completeSegment(last) })
}

// stop ends what would wake the indexer.
func (x *eraser) stop() {
	if t := x.timer.Load(); t != nil {
		t.Stop()
	}
}

// segment writes complete segment i anew if it holds what is to be erased.
func (x *eraser) segment(ctx context.Context, e *erasures, i int) (written bool, err error) {
	segments := x.s.view.Load().segments
	seg := segments[i]
	if x.isRefused(seg) {
		return false, nil
	}
	needed, err := x.needed(ctx, e, i)
	if err != nil || !needed {
		return false, x.refuse(seg, err)
	}
	named := e.within(seg.base, segments[i+1].base)
	r := &rewriting{
		temp: eraseTemp, seg: seg, size: usefulSize(segments, i),
		packed: seg.compressed || x.s.opt.Compress == CompressZstd,
	}
	content, err := newErasedSegment(r, named)
	if err != nil {
		return false, err
	}
	compare, err := newFrameComparer(r, named)
	if err != nil {
		return false, err
	}
	r.content, r.same = content, compare.same
	before, errInfo := seg.file.Info()
	if err := x.rewriter.rewrite(ctx, r); err != nil {
		return true, x.refuse(seg, err)
	}
	if errInfo == nil {
		x.replaced = append(x.replaced, before)
	}
	for _, o := range e.open {
		if reaching(o.events, seg.base, segments[i+1].base) != nil {
			x.clean[cleanPart{o.id, seg.number}] = true
		}
	}
	x.cut[seg.number] = true
	return true, nil
}

// refuse notes that a segment is damaged, which reading and Verify report. Other errors it returns.
func (x *eraser) refuse(seg *segment, err error) error {
	var corrupt *engine.CorruptError
	if errors.As(err, &corrupt) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.refused[seg.number] = err
		return nil
	}
	return err
}

// needed reports whether complete segment i holds content that an erasure names, or bytes outside of
// its frames: nobody knows of what.
func (x *eraser) needed(ctx context.Context, e *erasures, i int) (bool, error) {
	index := x.s.current()
	seg := index.view.segments[i]
	if !x.cut[seg.number] {
		more, err := hasMore(index.view.segments, i)
		if err != nil || more {
			return err == nil, err
		}
		x.cut[seg.number] = true
	}
	for _, o := range e.open {
		part := cleanPart{o.id, seg.number}
		if x.clean[part] || reaching(o.events, seg.base, index.view.segments[i+1].base) == nil {
			continue
		}
		erased, err := index.isErased(ctx, i, o.events)
		if err != nil || !erased {
			return err == nil, err
		}
		x.clean[part] = true
	}
	return false, nil
}

// hasMore reports whether the file of complete segment i holds bytes that are of no frame: copies of
// events behind an end that was superseded, or what a write that failed has left.
func hasMore(segments []*segment, i int) (bool, error) {
	seg, useful := segments[i], usefulSize(segments, i)
	size, err := seg.file.Size()
	if err != nil || size > useful {
		return err == nil, wrap("look at "+seg.name, err)
	}
	end := seg.sealed.Load().end
	gap := make([]byte, min(format.SealAt(end), useful)-end)
	if n, err := seg.file.ReadAt(gap, end); n < len(gap) {
		return false, wrap("read "+seg.name, errors.Join(errSegmentShort, vfs.IgnoreEOF(err)))
	}
	return len(bytes.Trim(gap, "\x00")) > 0, nil
}

// over returns the erasures of which no segment holds anything any more.
func (x *eraser) over(e *erasures, segments []*segment) *erasures {
	over := &erasures{}
	for _, o := range e.open {
		whole := true
		for i, seg := range segments[:len(segments)-1] {
			if x.isRefused(seg) {
				whole = whole && x.cut[seg.number] && reaching(o.events, seg.base, segments[i+1].base) == nil
			}
		}
		if whole {
			over.open = append(over.open, o)
		}
	}
	return over
}

// clear removes every file that may hold what was erased besides the segments in use, durably, and
// drops what is kept of them in memory, also by those who have derived something from it.
func (x *eraser) clear(ctx context.Context, erased engine.Spans) error {
	s := x.s
	if err := s.deriveds.forget(ctx, erased); err != nil {
		return err
	}
	if err := s.forgetFiles(ctx, erased); err != nil {
		return err
	}
	files, err := s.fs.List(s.dir)
	if err != nil {
		return wrap("list "+s.dir, err)
	}
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.isLeft(file) {
			if err := s.fs.Remove(vfs.Join(s.dir, file)); err != nil {
				return wrap("remove "+file, err)
			}
		}
	}
	s.plain.clear()
	return writeError("sync "+s.dir, s.fs.SyncDir(s.dir))
}

// isLeft reports whether a file of the store's directory is one that may hold what was erased: bytes
// that recovery has cut off, a file that was being written when a process ended, or a generation of
// a segment that is not in use. While the eraser works nobody writes such files.
func (s *FileStore) isLeft(file string) bool {
	if strings.HasPrefix(file, tornPrefix) && strings.HasSuffix(file, ".bin") {
		return !sabotage.On(sabotage.EraseForgetsTorn)
	}
	if file == compressTemp || file == eraseTemp {
		return true
	}
	number, generation, ok := format.ParseSegmentFileName(file)
	segments := s.view.Load().segments
	i := number - segments[0].number
	if !ok || i < 0 || i >= int64(len(segments)) || sabotage.On(sabotage.EraseKeepsOldGeneration) {
		return false
	}
	return segments[i].generation != generation
}

// finish tells that erasures are done.
func (x *eraser) finish(ctx context.Context, e *erasures) error {
	readers := x.readers(ctx)
	told := slices.DeleteFunc(slices.Clone(e.open), func(o openErasure) bool { return o.foreign })
	for open := range slices.Chunk(told, maxDone) {
		batch := engine.Append{Stream: engine.ErasuresStream}
		for i := range open {
			done := engine.ErasureDone{Erasure: open[i].id, Segments: x.segmentsOf(&open[i]), Readers: readers}
			batch.Events = append(batch.Events, done.NewEvent())
		}
		if err := x.s.appendOwn(ctx, batch); err != nil {
			return err
		}
	}
	if len(told) < len(e.open) {
		if err := x.finishForeign(ctx, readers); err != nil {
			return err
		}
	}
	for _, o := range e.open {
		for part := range x.clean {
			if part.erasure == o.id {
				delete(x.clean, part)
			}
		}
	}
	if x.s.view.Load().erasures == nil {
		x.replaced = nil
	}
	return nil
}

// Bounds of what is told of erasures that are done.
const (
	maxDone     = 1000 // erasures in one append
	maxSegments = 1000 // numbers of segments in one event: it must fit into the least limit of events
	maxReaders  = 1000
)

// segmentsOf returns the numbers of the segments that held what an erasure names, the first ones if
// they are very many.
func (x *eraser) segmentsOf(o *openErasure) (numbers []int64) {
	index := x.s.current()
	for i, seg := range index.view.segments {
		end := seg.base + engine.Position(index.limit(i))
		if reaching(o.events, seg.base, end) != nil && len(numbers) < maxSegments {
			numbers = append(numbers, seg.number)
		}
	}
	return numbers
}

// readers returns the processes, as far as this one may see them, that have a file open which was
// written anew: they can read what was erased until they close it. This process is one of them while
// a cursor has it. Who is about to close it, as a look-up that was under way does, has about half a
// second until it is named.
func (x *eraser) readers(ctx context.Context) []int {
	if len(x.replaced) == 0 || !vfs.IsOS(x.s.opt.FS) {
		return nil
	}
	var readers []int
	for wait := time.Millisecond; wait <= 256*time.Millisecond; wait *= 2 {
		if x.s.retired.count() > 0 {
			runtime.GC() // which closes the files of segments that nobody has any more
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done(): // so that nothing is told at all
			return nil
		}
		if readers = x.holders(x.replaced); len(readers) == 0 {
			return nil
		}
	}
	return readers[:min(len(readers), maxReaders)]
}
