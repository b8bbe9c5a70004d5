package filestore

import (
	"sync"
	"time"

	"github.com/eventfold/eventfold/engine/vfs"
)

// A lookout looks whether other processes have written to the log while somebody waits in a store
// that does not write: one goroutine, however many wait. Where the system gives notice of writes to
// TAIL it looks when it is told, else again and again. BenchmarkOtherProcess holds both, and
// TestLookoutWithAndWithoutNotices compares them.
type lookout struct {
	mu      sync.Mutex // protects running
	running bool
}

const (
	// How often a lookout without notices looks: the first time so long after the last news,
	// then more and more rarely.
	minLookPause = 3 * time.Millisecond
	maxLookPause = 12 * time.Millisecond
	// noticedPause is how long a lookout trusts that it would be told. It also looks at the names
	// then.
	noticedPause = lookInterval
	// linger is how long a lookout goes on when nobody waits: a follower that reads waits again soon.
	linger = time.Second
	// breath is how long a lookout rests when it is told again so soon after the last time: a writer
	// that commits ten thousand times a second must not have readers look as often.
	breath = 500 * time.Microsecond
	// maxMissed is how often in a row a lookout may find what it was not told of until it believes
	// no notices any more: not every file system that is mounted from elsewhere says so.
	maxMissed = 3
)

// begin starts the lookout unless it is running. The caller is counted as waiting.
func (o *lookout) begin(s *FileStore) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running || s.closed.Load() {
		return
	}
	o.running = true
	s.background.Go(func() { o.run(s) }) // ends with the store, with its writing, or when nobody waits
}

// settle waits until begin starts nothing more. The store is closed.
func (o *lookout) settle() {
	o.mu.Lock()
	//lint:ignore SA2001 once it was held, whoever comes finds the store closed
	o.mu.Unlock()
}

// A watch is one run of a lookout.
type watch struct {
	s       *FileStore
	notices *vfs.Notices // nil while there are none
	deaf    bool         // there will be none
	missed  int          // how often in a row something was found without a notice
	pause   time.Duration
	looked  time.Time
	waited  time.Time // when somebody waited last
}

func (o *lookout) run(s *FileStore) {
	w := &watch{s: s, pause: minLookPause, waited: time.Now(), deaf: s.opt.Network}
	defer w.drop()
	w.listen()
	for told := false; !o.ends(w); {
		w.look(told)
		var open bool
		if told, open = w.rest(); !open {
			return
		}
	}
}

// ends reports whether the lookout is not needed any more, and then lets another one begin.
func (o *lookout) ends(w *watch) bool {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if w.s.news.waiting.Load() > 0 {
		w.waited = now
	}
	o.running = !w.s.writing.Load() && now.Sub(w.waited) < linger
	return !o.running
}

// look looks what is new. told says that there was a notice.
func (w *watch) look(told bool) {
	w.looked = time.Now()
	found := w.catchUp()
	switch {
	case told:
		w.missed = 0
	case w.notices == nil && found:
		w.pause = minLookPause
		if w.listen() {
			w.catchUp() // with what came before it listened
		}
	case w.notices == nil:
		w.pause = min(2*w.pause, maxLookPause)
	case found:
		if w.missed++; w.missed == maxMissed {
			w.drop()
			w.deaf = true
		}
	}
}

// catchUp reports whether there was anything new.
func (w *watch) catchUp() bool {
	before := w.s.durable.Load()
	if w.s.catchUp() != nil {
		w.s.news.alarm() // each who waits looks himself, and gets the error
	}
	return w.s.durable.Load() > before
}

// listen asks for notices, and reports whether they come from now on.
func (w *watch) listen() bool {
	if w.deaf {
		return false
	}
	w.s.looking.Lock() // or a catchUp would take this for the start of the writer, and not look
	defer w.s.looking.Unlock()
	if !w.s.following.TryLock() {
		return false // the writer is being started, which ends the lookout
	}
	defer w.s.following.Unlock()
	if w.s.tailFile == nil {
		return false // there is nothing yet
	}
	var err error
	w.notices, err = vfs.NoticesOf(w.s.tailFile)
	w.deaf = err != nil
	return !w.deaf
}

func (w *watch) drop() {
	if w.notices != nil {
		w.notices.Close()
		w.notices, w.pause = nil, minLookPause
	}
}

// rest waits until it is time to look again. told says that there was a notice, open is false when
// the store is closed.
func (w *watch) rest() (told, open bool) {
	pause := w.pause
	var notice <-chan struct{}
	if w.notices != nil {
		notice, pause = w.notices.C, noticedPause
	}
	if w.s.failures.Load() > 0 { // no notice tells that it is over, and nobody waits for one to be told
		pause = min(pause, maxLookPause)
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-notice:
		told = true
	case <-t.C:
		return false, true
	case <-w.s.closing:
		return false, false
	}
	if since := time.Since(w.looked); since < 2*breath {
		return told, w.s.rest(breath)
	}
	return told, true
}
