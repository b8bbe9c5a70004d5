package filestore

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A complete segment never changes; what is to be stored in another way is written to a file of its
// own, the segment's next generation: that gets its name when it is durable, then MANIFEST names
// it, and then the file before it is removed. Whoever still reads that one goes on, because it is
// open. At any moment the files that MANIFEST names are all there.

// replace puts another generation of segment i, which is complete, in its place. The old one can
// still be read by those who have it.
func (l *logState) replace(i int, newer *segment) {
	old := l.segments[i]
	newer.sealed.Store(old.sealed.Load())
	newer.setIndex(old.index())
	if _, ok := newer.fileIndex(); !ok {
		l.indexer.add(newer)
	}
	l.segments = slices.Clone(l.segments)
	l.segments[i] = newer
	l.replaced++
	l.retired.add(old)
}

// noticeManifest reads MANIFEST if another process has written it since it was read last, and
// reports whether it did.
func (l *logState) noticeManifest() bool {
	info, err := l.fs.Stat(vfs.Join(l.dir, format.ManifestName))
	if err != nil || info.Inode == l.seen.Inode && info.Size == l.seen.Size && info.Modified.Equal(l.seen.Modified) {
		return false
	}
	m, err := readManifest(l.fs, l.dir)
	if err != nil || m == nil || m.Store != l.store {
		return false // it tells nothing, and what is known remains true
	}
	l.manifest, l.lost, l.seen = m, false, info
	return true
}

// adopt takes the generations of complete segments that are to be used now. Another process may
// have removed the files of the others.
func (l *logState) adopt() error {
	names, err := l.list()
	if err != nil || len(names) == 0 {
		return err
	}
	for i, seg := range l.segments {
		at := seg.number - names[0].number
		if at < 0 || at >= int64(len(names)) || names[at].generation == seg.generation || seg.sealed.Load() == nil {
			continue
		}
		newer, err := l.open(names[at])
		if err != nil {
			return err
		}
		if newer.base != seg.base || newer.header.ChainIn != seg.header.ChainIn {
			newer.file.Close()
			return l.headerError(names[at], newer.name, format.ErrSegmentFields)
		}
		l.replace(i, newer)
	}
	return nil
}

// choose returns which of the generations of a segment that are there is to be used: the one that
// MANIFEST names. If it names none of them, the newest; there must be something wrong with a file
// that has its name and is not complete, but an older one that is there serves as well.
func (l *logState) choose(number int64, generations []uint32) uint32 {
	if m := l.manifest.Segment(number); m != nil && slices.Contains(generations, m.Generation) {
		return m.Generation
	}
	slices.Sort(generations)
	newest := generations[len(generations)-1]
	for i := len(generations) - 1; i >= 0 && len(generations) > 1; i-- {
		if l.canBeRead(segmentName{number, generations[i]}) {
			return generations[i]
		}
	}
	return newest
}

// canBeRead reports whether a segment's file is there with a header, and a map if it is compressed.
func (l *logState) canBeRead(n segmentName) bool {
	f, _, _, err := l.files().read(n)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// removeLeftovers removes what a process that died, or could not write MANIFEST, has left behind:
// other generations than those in use, and unfinished files. The caller holds the write lock. What
// cannot be removed does no harm.
func (l *logState) removeLeftovers() {
	files, err := l.fs.List(l.dir)
	if err != nil || len(l.segments) == 0 {
		return
	}
	var left []string
	for _, file := range files {
		number, generation, ok := format.ParseSegmentFileName(file)
		i := number - l.segments[0].number
		temp := file == compressTemp || file == eraseTemp || file == format.ErasedTemp ||
			file == format.DerivedTemp || strings.HasSuffix(file, ".idx.tmp")
		ours := ok && i >= 0 && i < int64(len(l.segments))
		if temp || ours && l.segments[i].generation != generation {
			left = append(left, file)
		}
	}
	if len(left) == 0 || l.fs.SyncDir(l.dir) != nil { // the system may show a MANIFEST that is not durable
		return
	}
	for _, file := range left {
		l.fs.Remove(vfs.Join(l.dir, file))
	}
}

// A manifestWriter writes MANIFEST for a log that others describe. It may be used by several
// goroutines: a description that is older than the one in the file is not written.
type manifestWriter struct {
	described uint64 // descriptions so far; belongs to the owner of the log

	mu      sync.Mutex // protects written, and is held while the file is written
	written uint64     // the description in the file
}

// number returns the number of a description that is made now.
func (w *manifestWriter) number() uint64 {
	w.described++
	return w.described
}

func (w *manifestWriter) write(fsys vfs.FS, dir string, m *format.Manifest, number uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if number <= w.written {
		return nil
	}
	if err := writeManifest(fsys, dir, m); err != nil {
		return err
	}
	w.written = number
	return nil
}

// retiredFiles are the open files of segments that were replaced. Each is closed when nobody has
// the segment any more, and all when the store is closed: until then the system keeps the room that
// a removed file takes.
type retiredFiles struct {
	mu    sync.Mutex // protects files
	files map[vfs.File]struct{}
}

// add takes over the file of a segment.
func (r *retiredFiles) add(seg *segment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		r.files = map[vfs.File]struct{}{}
	}
	r.files[seg.file] = struct{}{}
	runtime.AddCleanup(seg, r.drop, seg.file)
}

func (r *retiredFiles) drop(f vfs.File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.files[f]; ok {
		delete(r.files, f)
		f.Close()
	}
}

// count returns how many of the files are open.
func (r *retiredFiles) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.files)
}

func (r *retiredFiles) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range r.files {
		f.Close()
	}
	clear(r.files)
}

// A swap asks the writer to put a new generation of a segment in its place, and for a MANIFEST that
// says so; without a segment for the MANIFEST alone.
type swap struct {
	old, newer *segment
	done       chan struct{} // closed when the writer has decided
	save       func() error  // writes the MANIFEST; nil if the writer has refused. Set before done is closed
}

// swap does what q asks. It does not wait for the disk.
func (w *writer) swap(q *swap) {
	defer close(q.done)
	if w.log == nil || w.poison != nil {
		return
	}
	l := w.log
	if q.old != nil {
		i := slices.Index(l.segments, q.old)
		if i < 0 {
			return
		}
		l.replace(i, q.newer)
		w.s.publish(l.logState, engine.Position(w.s.durable.Load()), nil)
	}
	m, number := l.describeDurable(), l.manifests.number()
	q.save = func() error { return l.manifests.write(l.fs, l.dir, m, number) }
}

var errSwapRefused = errors.New("eventfold: the store is not written to any more")

// swapSegment puts newer in the place of a segment, and returns what writes the MANIFEST that names
// it: before that the old file must stay. Without segments it only returns what writes a MANIFEST
// of what is there now.
func (s *FileStore) swapSegment(ctx context.Context, old, newer *segment) (save func() error, err error) {
	q := &swap{old: old, newer: newer, done: make(chan struct{})}
	select {
	case s.writer.swaps <- q:
		<-q.done
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if q.save == nil {
		return nil, errSwapRefused
	}
	return q.save, nil
}
