// Package filestore is the embedded event store: a log of segments in a directory, with indexes
// that are derived from it. [Open] opens one. FORMAT.md draws the bytes on disk and says how damage
// is told from a crash; docs/design.md says what holds a store together while it runs.
package filestore

import (
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
	deriveds  deriveds
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
	failed     time.Time     // when the last look failed that failures counts; protected by looking
	failures   atomic.Int32  // of looks in a row, see lasting; changes under looking

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

// publish lets readers see the log up to end. The caller owns l. what tells what is in the events
// that they did not see before.
func (s *FileStore) publish(l *logState, end engine.Position, what content) {
	v, erasures, erased := s.view.Load(), l.erasures.now, l.erased
	if v == nil || v.replaced != l.replaced || v.erasures != erasures || v.erased != erased ||
		!sameSegments(v.segments, l.segments) {
		segments := append([]*segment(nil), l.segments...)
		s.view.Store(&view{
			store: l.store, segments: segments, replaced: l.replaced, erasures: erasures, erased: erased,
		})
	}
	if begin := engine.Position(s.durable.Load()); end > begin {
		s.durable.Store(int64(end))
		s.news.tell(begin, end, what)
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
	s.deriveds.files.Lock()
	//lint:ignore SA2001 once it was held, nobody writes a file that is derived any more
	s.deriveds.files.Unlock()
	var err error
	if s.started.Load() {
		close(s.writer.stopping)
		<-s.writer.stopped
		err = s.writer.closeErr
	}
	s.lookout.settle()
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
		Followers:     int(s.news.waiting.Load()),
		FormatMajor:   format.Major,
		FormatMinor:   format.Minor,
		Poisoned:      s.poisoned.Load(),
		Writable:      s.writing.Load(),
	}
	st.Verified, st.ToVerify = s.verifying.now()
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
