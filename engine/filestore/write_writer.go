package filestore

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
	"github.com/google/uuid"
)

// A writer commits appends, one group at a time: it claims what is queued, checks expectations,
// gives out positions and versions, writes all of it as one frame, syncs, and answers everybody.
//
// It runs in a goroutine of its own, started by the first append and ended by closing stopping.
// Everything in the "owned" block belongs to that goroutine.
type writer struct {
	s        *FileStore
	requests chan *request // from Append; never closed
	swaps    chan *swap    // from who writes segments anew; never closed
	chores   chan *chore   // from the eraser; never closed
	stopping chan struct{} // closed by Close when nobody puts requests into the queue any more
	stopped  chan struct{} // closed when run returns
	closeErr error         // of closing the log; read after stopped

	counters writerCounters

	// Owned by run.
	log      *logWriter // nil until the lock is held and the log recovered
	unlock   *writeLock
	poison   error     // the failed sync, or the *MovedError, after which nothing is written
	segment  anchor    // the last segment
	served   time.Time // when a request was served last
	group    group
	clients  int           // whose requests were in the last group, or queued when it was answered
	pace     time.Duration // of the last syncs, a moving average
	timer    *time.Timer   // for what is done when nothing happens
	versions *streamVersions
}

// A group is what one frame will hold. Nothing outside it changes before it is durable, so that
// dropping it undoes it.
type group struct {
	buf      []byte               // room for the frame's header, then the records
	requests []*request           // in the order of their claims
	starts   []uint32             // offset in buf of each record
	seals    []format.Seal        // of each record
	streams  []groupStream        // those that the requests are about
	numbers  map[string]uint32    // of streams, by name
	ids      map[uuid.UUID]uint32 // ordinal in starts of each event that came with its id
	micros   int64                // recorded_at of its events
	own      bool                 // some are of a stream that only the store appends to
	foreign  *format.FrameHeader  // of the frame of another log that the group is; nil for one of its own
}

// A groupStream is a stream that requests of a group are about.
type groupStream struct {
	name    string
	version engine.Version // of its last event, the group's included; NoVersion if there is none
}

// writerCounters are written by the writer and read by Stats.
type writerCounters struct {
	appends, events, groups, syncs atomic.Int64
	syncTime, lastSync, cpu        atomic.Int64 // nanoseconds
	lowSpace                       atomic.Bool
}

const (
	firstGroupSize = 64 << 10 // of the buffer to begin with
)

// startWriter returns the writer, which the first append starts, or nil if the store is closed.
func (s *FileStore) startWriter() *writer {
	if s.started.Load() {
		if s.closed.Load() {
			return nil
		}
		return s.writer
	}
	s.starting.Lock()
	defer s.starting.Unlock()
	if s.closed.Load() {
		return nil
	}
	if !s.started.Load() {
		w := &writer{
			s:        s,
			requests: make(chan *request, s.opt.QueueLength),
			swaps:    make(chan *swap),
			chores:   make(chan *chore),
			stopping: make(chan struct{}),
			stopped:  make(chan struct{}),
		}
		w.versions = newStreamVersions(knownVersions)
		w.group.numbers = map[string]uint32{}
		w.group.ids = map[uuid.UUID]uint32{}
		s.writer = w
		s.started.Store(true)
		// Close stops it by closing stopping and waits for stopped.
		go w.run()
	}
	return s.writer
}

// run is the writer's goroutine.
func (w *writer) run() {
	defer close(w.stopped)
	defer w.shutdown()
	w.timer = time.NewTimer(time.Hour)
	defer w.timer.Stop()
	for {
		select { // also while there are always requests
		case q := <-w.swaps:
			w.swap(q)
		case c := <-w.chores:
			w.chore(c)
		default:
		}
		select {
		case r := <-w.requests:
			w.serve(r)
			continue
		default:
		}
		w.setTimer()
		select {
		case r := <-w.requests:
			w.serve(r)
		case q := <-w.swaps:
			w.swap(q)
		case c := <-w.chores:
			w.chore(c)
		case <-w.timer.C:
			w.idle()
		case <-w.stopping:
			w.drain()
			return
		}
	}
}

// drain serves what is still queued.
func (w *writer) drain() {
	for {
		select {
		case r := <-w.requests:
			w.serve(r)
		default:
			return
		}
	}
}

// tailPause is how long nothing must happen until TAIL is synced.
const tailPause = time.Second

// setTimer sets the timer for what is to be done if no request comes.
func (w *writer) setTimer() {
	switch {
	case w.log == nil || w.poison != nil:
		w.timer.Reset(time.Hour)
	case w.log.durable.offset < w.log.end.offset:
		w.timer.Reset(min(lookInterval, time.Until(w.log.unsyncedSince.Add(w.s.opt.SyncInterval))))
	case w.log.tail.dirt:
		w.timer.Reset(min(lookInterval, time.Until(w.served.Add(tailPause))))
	default:
		w.timer.Reset(lookInterval)
	}
}

// idle does what the timer was set for.
func (w *writer) idle() {
	if w.log == nil || w.poison != nil {
		return
	}
	unsynced := w.log.durable.offset < w.log.end.offset
	switch {
	case unsynced && time.Since(w.log.unsyncedSince) >= w.s.opt.SyncInterval:
		w.syncLate()
	case !unsynced && w.log.tail.dirt && time.Since(w.served) >= tailPause:
		w.log.tail.sync()
	}
	if w.poison == nil {
		w.look()
	}
}

// serve commits a group that begins with r.
func (w *writer) serve(r *request) {
	if err := w.ready(); err != nil {
		w.refuse(r, err)
		return
	}
	began, io := time.Now(), w.log.ioTime
	w.served = began
	w.group.begin(w.log.now(w.s))
	w.claim(r)
	waited := w.gather(began)
	w.commit()
	w.counters.cpu.Add(int64(time.Since(began) - waited - (w.log.ioTime - io)))
}

// refuse answers a request that cannot be written at all, and those that were queued behind it by
// then: what comes later may find things changed.
func (w *writer) refuse(r *request, err error) {
	for queued := len(w.requests); ; queued-- {
		if r.state.CompareAndSwap(requestQueued, requestClaimed) {
			r.err = err
			r.done <- struct{}{}
		}
		if queued == 0 {
			return
		}
		r = <-w.requests
	}
}

// ready takes the write lock and recovers the log, if that has not been done.
func (w *writer) ready() error {
	if w.poison != nil {
		return w.refusal()
	}
	if w.log != nil {
		return w.look()
	}
	s := w.s
	if err := s.makeDir(); err != nil {
		return err
	}
	lock, err := s.lock(s.opt.BusyTimeout, s.closing)
	if err != nil {
		return err
	}
	s.following.Lock()
	defer s.following.Unlock()
	if w.log, err = s.takeOver(); err == nil {
		err = s.readErasures(s.log)
	}
	if err == nil {
		err = w.anchor(lock)
	}
	if err != nil {
		w.giveBack(lock)
		return err
	}
	s.publish(s.log, s.log.end.next, nil)
	s.writing.Store(true)
	s.indexer.begin(func() []*segment { return s.view.Load().segments })
	return nil
}

// claim takes a request into the group, unless it has been abandoned.
func (w *writer) claim(r *request) {
	if !r.state.CompareAndSwap(requestQueued, requestClaimed) {
		return // its goroutine has gone; the garbage collector takes it
	}
	w.group.requests = append(w.group.requests, r)
	w.admit(r)
}

// gather takes what is queued into the group. As long as fewer clients have come than there were
// the last time it waits for them, at most a quarter of the time that a sync takes: one sync for
// all of them is quicker than two. It returns the time spent waiting. Those that had queued up
// behind the last group count, or there would be two crowds for ever that take turns.
func (w *writer) gather(began time.Time) (waited time.Duration) {
	patience := w.pace / 4
	for len(w.group.buf) < format.MaxGroupSize {
		select {
		case r := <-w.requests:
			w.claim(r)
			continue
		default:
		}
		if len(w.group.requests) >= w.clients {
			return waited
		}
		now := time.Now()
		if now.Sub(began) >= patience {
			return waited
		}
		runtime.Gosched()
		waited += time.Since(now)
	}
	return waited
}

// commit writes the group, makes it durable, lets readers see it, and answers.
func (w *writer) commit() {
	g := &w.group
	var err error
	if len(g.starts) > 0 {
		err = w.write()
	}
	if err == nil {
		w.counters.groups.Add(1)
	}
	w.clients = len(g.requests) + len(w.requests)
	w.answer(err)
	g.drop(err)
	if w.poison == nil {
		w.log.noticeNext()
		w.log.prepareNext()
		w.counters.lowSpace.Store(w.log.lowSpace)
	}
}

// write writes and syncs the group and publishes it. An error says what to answer to those whose
// events it holds.
func (w *writer) write() error {
	g, l := &w.group, w.log
	rotated := false
	if n := len(g.buf) - format.FrameHeaderSize; !l.fits(n) {
		if err := w.rotate(n, g.micros); err != nil {
			return err
		}
		rotated = true
	}
	h := g.header()
	off := l.end.offset
	var err error
	if g.buf, err = l.write(g.buf, &h, g.seals); err != nil {
		if !vfs.IsFull(err) {
			return w.poisoned(err)
		}
		l.wipe(len(g.buf))
		return writeError("append", err)
	}
	if err := w.settleGroup(&h, off); err != nil {
		return err
	}
	if rotated {
		l.settle()
		w.s.indexer.add(l.segments[len(l.segments)-2])
	}
	return nil
}

// settleGroup makes the group that has been written durable, and visible to readers.
func (w *writer) settleGroup(h *format.FrameHeader, off int64) error {
	l := w.log
	if l.index.Count() == 0 {
		l.least = h.Micros
	}
	if sabotage.On(sabotage.AckBeforeFdatasync) {
		w.answer(nil)
		w.group.requests = w.group.requests[:0]
	}
	if w.s.opt.Sync == SyncAlways {
		return w.syncGroup(h, off)
	}
	indexFrame(l.index, h, w.group.buf, off)
	if l.unsyncedSince.IsZero() {
		l.unsyncedSince = time.Now()
	}
	w.show()
	if time.Since(l.unsyncedSince) >= w.s.opt.SyncInterval {
		w.syncLate()
	}
	return nil
}

// syncGroup syncs and indexes the group, and publishes it.
func (w *writer) syncGroup(h *format.FrameHeader, off int64) error {
	l := w.log
	if sabotage.On(sabotage.TailBeforeFdatasync) {
		l.durable = l.end
		l.promise(0)
	}
	if sabotage.On(sabotage.PublishBeforeFsync) {
		indexFrame(l.index, h, w.group.buf, off)
		w.show()
		return w.syncNow()
	}
	if len(w.group.starts) < indexBeside {
		if err := w.syncNow(); err != nil {
			return err
		}
		indexFrame(l.index, h, w.group.buf, off)
	} else if err := w.syncBeside(*h, off); err != nil {
		return err
	}
	w.show()
	return nil
}

// syncBeside syncs while another goroutine indexes the group. Readers do not see in an index what
// has not been published, and after a sync that failed nothing is ever published again.
func (w *writer) syncBeside(h format.FrameHeader, off int64) error {
	var indexed sync.WaitGroup
	indexed.Go(func() { indexFrame(w.log.index, &h, w.group.buf, off) })
	defer indexed.Wait()
	return w.syncNow()
}

// indexBeside is the number of events from which on a group is indexed by a goroutine of its own.
// Indexing this many takes longer than starting one.
const indexBeside = 64

// syncNow syncs what has been written, and promises it if it is where the store's names lead to:
// what is acknowledged was there after it was durable, so that only what happens to the names
// afterwards can take it away.
func (w *writer) syncNow() error {
	l := w.log
	if err := l.sync(); err != nil {
		return w.poisoned(err)
	}
	if err := w.inPlace(); err != nil {
		return fmt.Errorf("%w: %w", engine.ErrOutcomeUnknown, err)
	}
	w.pace = (w.pace*7 + l.lastSync) / 8
	w.countSyncs()
	l.promise(0)
	return nil
}

// show lets readers see the group, which has been indexed.
func (w *writer) show() {
	if err := w.tellGroup(); err != nil { // nobody could tell what must not be shown
		w.poisoned(err)
		return
	}
	for _, stream := range w.group.streams {
		w.versions.committed(stream.name, stream.version)
	}
	w.s.publish(w.log.logState, w.log.end.next, w.groupContent())
	if w.group.own {
		w.s.indexer.look()
	}
}

// groupContent returns what is in the group, for those who wait for some of it.
func (w *writer) groupContent() content {
	if w.s.news.waiting.Load() == 0 {
		return nil
	}
	g := &w.group
	return recordNames(g.buf[format.FrameHeaderSize:], len(g.starts))
}

// syncLate syncs what was acknowledged without (SyncInterval).
func (w *writer) syncLate() {
	l := w.log
	l.unsyncedSince = time.Time{}
	if err := l.sync(); err != nil {
		w.poisoned(err)
		return
	}
	if w.inPlace() != nil {
		return
	}
	w.countSyncs()
	l.promise(0)
}

func (w *writer) countSyncs() {
	w.counters.syncs.Store(w.log.syncs)
	w.counters.syncTime.Store(int64(w.log.syncTime))
	w.counters.lastSync.Store(int64(w.log.lastSync))
}

// poisoned notes that a sync has failed, and returns what to answer to those whose events may be on
// the disk or not.
func (w *writer) poisoned(err error) error {
	if moved := w.s.names.lookNow(); moved != nil { // which is the reason, or will be the next one
		w.leave(moved)
		return fmt.Errorf("%w: %w: %w", engine.ErrOutcomeUnknown, moved, err)
	}
	w.poison = err
	w.s.poisoned.Store(true)
	return fmt.Errorf("%w: %w: %w", engine.ErrOutcomeUnknown, engine.ErrPoisoned, err)
}

// answer answers everybody in the group. err is why it was not committed. Also those that were
// refused have waited: they may have been refused because of events that were not durable yet.
func (w *writer) answer(err error) {
	for _, r := range w.group.requests {
		switch {
		case err == nil:
		case r.err == nil && !r.result.Duplicate && len(r.events) > 0:
			r.err = err
		case w.poison != nil:
			r.err = w.refusal() // it wrote nothing
		default:
			r.err = err
		}
		if r.err == nil {
			w.counters.appends.Add(1)
			if !r.result.Duplicate {
				w.counters.events.Add(int64(len(r.events)))
			}
		} else {
			r.result = engine.Appended{}
		}
		r.done <- struct{}{}
	}
}

// shutdown closes the log and gives up the lock.
func (w *writer) shutdown() {
	if w.log == nil || w.hasMoved() {
		return // or it has been done
	}
	w.s.indexer.stop() // it may write only while the lock is held
	if w.poison == nil {
		l := w.log
		added := l.end.next - max(l.opened, l.last().base)
		l.indexer.saveActive(l.last(), l.store, l.index, l.end, uint32(added))
	}
	w.closeErr = wrap("close", w.log.close(w.poison != nil))
	w.unlock.Close()
}

// begin makes the group empty, for events recorded at the given time.
func (g *group) begin(micros int64) {
	g.micros, g.own = micros, false
	if cap(g.buf) < format.FrameHeaderSize {
		g.buf = make([]byte, format.FrameHeaderSize, firstGroupSize)
	}
	g.buf = g.buf[:format.FrameHeaderSize]
}

// header returns what the header of the group's frame says, but for its place.
func (g *group) header() format.FrameHeader {
	h := format.FrameHeader{Count: uint32(len(g.starts)), Kind: format.FrameEvents, Micros: g.micros}
	if g.foreign != nil {
		h.Kind, h.Nonce = g.foreign.Kind, g.foreign.Nonce
	}
	return h
}

// drop forgets the group, which was committed if err is nil.
func (g *group) drop(err error) {
	clear(g.requests)
	g.requests, g.starts, g.seals = g.requests[:0], g.starts[:0], g.seals[:0]
	if err == nil || !sabotage.On(sabotage.UndoForgotten) {
		clear(g.streams)
		g.streams = g.streams[:0]
		clear(g.numbers)
	}
	clear(g.ids)
	if cap(g.buf) > 2*format.MaxGroupSize {
		g.buf, g.seals = nil, nil
	}
}
