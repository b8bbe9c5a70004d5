// Package filestore is the embedded event store: a log of segments in a directory, with indexes
// that are derived from it. [Open] opens one. FORMAT.md draws the bytes on disk and says how damage
// is told from a crash; docs/design.md says what holds a store together while it runs.
package filestore

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A FileStore is the embedded event store: a log in a directory. Open makes one.
//
// Readers load durable and then view, and need nothing else; they never wait for anybody. Before
// the first append a FileStore follows the log as other processes write it; with the first append
// it takes the write lock and becomes the only one who writes.
type FileStore struct {
	dir    string
	fs     *storeFS
	opt    Options // every default filled in
	shared readShared
	names  *anchors

	view    atomic.Pointer[view]
	durable atomic.Int64 // number of events that readers may see; never decreases

	closed   atomic.Bool
	poisoned atomic.Bool
	writing  atomic.Bool // the write lock is held and the log recovered

	news    news // of durable
	lookout lookout

	verifying verifyProgress
	indexer   *indexer
	eraser    *eraser // belongs to the indexer's goroutine but for what it says
	files     *vfs.FileCache
	plain     *plainCache
	retired   retiredFiles
	ids       idSource
	salts     saltSource

	gate    sync.RWMutex  // held for reading while a request is put into the queue, for writing by Close
	closing chan struct{} // closed by Close

	background sync.WaitGroup // goroutines that closing ends

	starting sync.Mutex  // held while the writer is started, and by Close
	ending   sync.Mutex  // held by Close until everything is closed; taken before all others
	started  atomic.Bool // writer is there
	writer   *writer     // nil until the first append

	looking    sync.Mutex    // held while somebody looks what other processes have written; taken before following
	looksBegun atomic.Uint64 // changes under looking
	lookErr    error         // of the last look; protected by looking

	following sync.Mutex // protects what follows, until there is a writer: then it owns log
	log       *logState
	tailFile  vfs.File  // TAIL, to look whether it has changed; nil if it was not there
	directory io.Closer // the directory that is held; nil before it is there, or if the file system cannot hold one
	followErr error     // why following has stopped

	reporting sync.Mutex // protects report
	report    OpenReport
}

var _ engine.Store = (*FileStore)(nil)

// ReadIndex returns the store as it is now. While another process writes the log, that is as far as
// this process knows it to be durable.
func (s *FileStore) ReadIndex() engine.ReadIndex {
	if !s.writing.Load() && !s.closed.Load() {
		s.catchUp()
	}
	return s.current()
}

// current returns the store as it is known, without looking at the disk.
func (s *FileStore) current() *readIndex {
	head := engine.Position(s.durable.Load())
	return newReadIndex(&s.shared, s.view.Load(), head)
}

// How often a store that does not write looks whether another process has, while somebody waits.
const followInterval = 3 * time.Millisecond

// Wait returns nil when the head is beyond p, ctx.Err() when ctx ends first, ErrClosed when the
// store is closed, and a [*MovedError] when its names lead elsewhere.
func (s *FileStore) Wait(ctx context.Context, p engine.Position) error {
	if !s.closed.Load() && engine.Position(s.durable.Load()) > p {
		return nil
	}
	s.news.waiters.Add(1)
	defer s.news.waiters.Add(-1)
	for {
		changed := s.news.channel()
		following := !s.writing.Load()
		if following {
			if err := s.catchUp(); err != nil {
				return err
			}
		}
		if err := s.ended(); err != nil {
			return err
		}
		if engine.Position(s.durable.Load()) > p {
			return nil
		}
		if err := s.waitChange(ctx, changed, following); err != nil {
			return err
		}
	}
}

// ended returns why the store cannot be used any more: ErrClosed, or a *MovedError. It does not
// look at the disk.
func (s *FileStore) ended() error {
	if s.closed.Load() {
		return engine.ErrClosed
	}
	return s.names.err()
}

// Moved looks whether the names of the store still lead to its files, and returns a [*MovedError]
// if they do not.
func (s *FileStore) Moved() error { return s.names.lookNow() }

// waitChange waits until changed is closed, and if following no longer than followInterval.
func (s *FileStore) waitChange(ctx context.Context, changed <-chan struct{}, following bool) error {
	var tick <-chan time.Time
	if following {
		t := time.NewTimer(followInterval)
		defer t.Stop()
		tick = t.C
	}
	select {
	case <-changed:
	case <-tick:
	case <-s.closing:
		return engine.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// A broadcast wakes everybody who waits for a change.
type broadcast struct {
	waiters atomic.Int32
	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil if nobody has asked
}

// channel returns the channel that is closed at the next change. What has changed must be looked at
// after the call.
func (b *broadcast) channel() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

// announce tells of a change. It costs one load while nobody waits.
func (b *broadcast) announce() {
	if b.waiters.Load() == 0 {
		return
	}
	b.mu.Lock()
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
	b.mu.Unlock()
}

// publish lets readers see the log up to end. The caller owns l.
func (s *FileStore) publish(l *logState, end engine.Position) {
	v, erasures, erased := s.view.Load(), l.erasures.now, l.erased
	if v == nil || v.replaced != l.replaced || v.erasures != erasures || v.erased != erased ||
		!sameSegments(v.segments, l.segments) {
		segments := append([]*segment(nil), l.segments...)
		s.view.Store(&view{
			store: l.store, segments: segments, replaced: l.replaced, erasures: erasures, erased: erased,
		})
	}
	if int64(end) > s.durable.Load() {
		s.durable.Store(int64(end))
		s.news.announce()
	}
}

func sameSegments(a, b []*segment) bool {
	return len(a) == len(b) && (len(a) == 0 || a[len(a)-1] == b[len(b)-1])
}

// OpenReport tells what had to be repaired so far: by Open, or by the first append.
func (s *FileStore) OpenReport() OpenReport {
	s.reporting.Lock()
	defer s.reporting.Unlock()
	return s.report
		Verified:      s.verifying.done.Load(),
		ToVerify:      s.verifying.all.Load(),
}

// Close waits for the appends that are queued, ends the writer, and closes the files. A second
// Close returns when the first has done so.
func (s *FileStore) Close() error {
	s.ending.Lock()
	defer s.ending.Unlock()
	s.starting.Lock()
	if s.closed.Swap(true) {
		s.starting.Unlock()
		return nil
	}
	close(s.closing)
	s.starting.Unlock()

	s.gate.Lock()
	//lint:ignore SA2001 once it was held, nobody is putting a request into the queue any more
	s.gate.Unlock()
	var err error
	if s.started.Load() {
		close(s.writer.stopping)
		<-s.writer.stopped
		err = s.writer.closeErr
	}
	s.background.Wait()
	s.following.Lock()
	defer s.following.Unlock()
	s.closeFiles()
	return err
}

// closeFiles closes what is open for reading.
func (s *FileStore) closeFiles() {
	s.eraser.stop()
	s.indexer.stop()
	s.indexer.close()
	s.log.close()
	s.retired.close()
	if s.tailFile != nil {
		s.tailFile.Close()
	}
	if s.directory != nil {
		s.directory.Close()
	}
}

// diskBytes returns the size of all files of the store.
func (s *FileStore) diskBytes() int64 {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return 0
	}
	total := int64(0)
	for _, name := range names {
		if info, err := s.fs.Stat(vfs.Join(s.dir, name)); err == nil && !info.Dir {
			total += info.Size
		}
	}
	return total
}

// Now returns the time of the store's clock, which is Options.Now. An event may be recorded later
// than that if the clock went back.
func (s *FileStore) Now() time.Time { return s.opt.Now() }

// Stats implements Store.
func (s *FileStore) Stats() engine.Stats {
	head := engine.Position(s.durable.Load())
	v := s.view.Load()
	st := engine.Stats{
		Events:        int64(head),
		Streams:       -1,
		DiskBytes:     s.diskBytes(),
		Segments:      len(v.segments),
		QueueCapacity: s.opt.QueueLength,
		Followers:     int(s.news.waiters.Load()),
		FormatMajor:   format.Major,
		FormatMinor:   format.Minor,
		Poisoned:      s.poisoned.Load(),
		Writable:      s.writing.Load(),
	}
	report := s.OpenReport()
	st.Recovery = report.String()
	if len(v.segments) > 0 {
		st.Events -= int64(v.segments[0].base)
	}
	for _, seg := range v.segments {
		if _, file := seg.fileIndex(); file {
			st.IndexedTo++
		}
		if seg.compressed {
			st.Compressed++
		}
	}
	if s.started.Load() {
		s.writer.counters.addTo(&st)
		st.QueueLength = len(s.writer.requests)
	}
	return st
}

func (c *writerCounters) addTo(st *engine.Stats) {
	st.Appends = c.appends.Load()
	st.Appended = c.events.Load()
	st.Groups = c.groups.Load()
	st.Syncs = c.syncs.Load()
	st.SyncTime = time.Duration(c.syncTime.Load())
	st.LastSync = time.Duration(c.lastSync.Load())
	st.WriterCPU = time.Duration(c.cpu.Load())
	st.LowSpace = c.lowSpace.Load()
}
