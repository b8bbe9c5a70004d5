package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

var _ engine.Store = (*Store)(nil)

// A Store is a log in a JetStream stream with its copy in a local directory.
type Store struct {
	cfg     Config
	conn    *nats.Conn
	js      js.JetStream
	stream  js.Stream
	replica *filestore.Replica
	busy    time.Duration // how long whoever has the local copy open is waited for; 0 is the default, -1 not at all

	life   context.Context // of everything that the store does by itself; its cause is why it has ended
	end    context.CancelCauseFunc
	follow sync.WaitGroup
	erased chan struct{} // holds one: the log has told of an erasure

	gate    sync.RWMutex // held for reading by every append; Close waits for them with it
	closed  atomic.Bool
	locks   stripes
	batches chan struct{} // holds one for each batch that is being published
	synced  atomic.Int64  // when, in nanoseconds, the local copy was known to hold all that was stored
	asked   atomic.Int64  // when the leader was last asked and has answered
	known   atomic.Uint64 // the last sequence that was heard of

	appends, appended atomic.Int64

	members chan *member // from publish to publishing

	// attempt is publish; tests put something between.
	attempt func(ctx context.Context, messages []*nats.Msg, alone bool) (ack, error)
	// applyTo is that of replica, likewise.
	applyTo func(ctx context.Context, appends []filestore.Applied) (int, error)
}

// copySync is the longest time between two syncs of the local copy. What a crash takes of it comes again
// from the stream; another process that reads the copy sees what is synced.
const copySync = 100 * time.Millisecond

// openBatches is how many batches a Store has open at once: the servers allow a stream 50, unless
// they are told otherwise, and other nodes want theirs.
const openBatches = 16

// Open opens the bucket and its local copy, and returns when the copy holds what the stream held by
// then. The context bounds that, nothing after it.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.checkNode(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.openTimeout())
	defer cancel()
	s := newStore(c)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.shut(err))
	}
	return s, nil
}

// newStore makes a Store that is not open yet.
func newStore(c Config) *Store {
	s := &Store{cfg: c, locks: newStripes(), batches: make(chan struct{}, openBatches),
		erased: make(chan struct{}, 1), members: make(chan *member)}
	s.life, s.end = context.WithCancelCause(context.Background())
	s.attempt = s.publish
	return s
}

func (s *Store) open(ctx context.Context) error {
	if err := s.openCopy(ctx); err != nil {
		return err
	}
	s.follow.Go(s.run) // these end with life
	s.follow.Go(s.carry)
	s.follow.Go(s.ask)
	for range publishers {
		s.follow.Go(s.publishing)
	}
	var answer error
	if err := s.catchUp(ctx, &answer); err != nil {
		if ctx.Err() != nil && s.life.Err() == nil {
			return s.cfg.unreachable(err, answer)
		}
		return err
	}
	return nil
}

// openCopy opens the stream, and the local copy, which must be one of it.
func (s *Store) openCopy(ctx context.Context) error {
	if err := s.reachStream(ctx); err != nil {
		return err
	}
	size, err := s.eventSize(s.conn.MaxPayload())
	if err != nil {
		return err
	}
	if s.replica, err = filestore.OpenReplica(ctx, s.cfg.Local, filestore.Options{MaxEventSize: size,
		SyncInterval: copySync, BusyTimeout: s.busy}); err != nil {
		return err
	}
	s.applyTo = s.replica.ApplyAll
	return s.checkLocal(ctx)
}

// eventSize returns the limit of the size of an event.
func (s *Store) eventSize(maxPayload int64) (int, error) {
	room := int(maxPayload) - roomForHeaders
	if s.cfg.MaxEventSize > room || room < engine.MinEventLimit {
		return 0, &ConfigError{"max_payload of nats-server", fmt.Sprintf("is %d; events of %d bytes need %d", maxPayload,
			max(s.cfg.MaxEventSize, engine.MinEventLimit), max(s.cfg.MaxEventSize, engine.MinEventLimit)+roomForHeaders)}
	}
	if s.cfg.MaxEventSize != 0 {
		return s.cfg.MaxEventSize, nil
	}
	return min(engine.DefaultMaxEventSize, room), nil
}

// checkLocal refuses a local copy of another log: its last event must be the one that the stream has
// in that place.
func (s *Store) checkLocal(ctx context.Context) error {
	head := s.head()
	if head == 0 {
		return nil
	}
	e, err := s.eventAt(ctx, head-1)
	if err != nil {
		return err
	}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		m, err := s.stream.GetMsg(ctx, uint64(head))
		if err == nil {
			if m.Header.Get(headerID) != e.ID.String() {
				return &ConfigError{"Local", fmt.Sprintf("is %s, whose last event is %s, and stream %s has another one in its place; "+
					"choose another directory, or an empty one", s.cfg.Local, e.ID, s.cfg.stream())}
			}
			return nil
		}
		if errors.Is(err, js.ErrMsgNotFound) && pause == time.Second { // who does not lead any more may be behind for a while
			return &DamagedError{Stream: s.cfg.stream(), Position: head - 1,
				Reason: "the local copy in " + s.cfg.Local + " holds more events than the stream", Err: err}
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func (s *Store) head() engine.Position { return s.replica.Store().ReadIndex().Head() }

// eventAt reads one event of the local copy.
func (s *Store) eventAt(ctx context.Context, p engine.Position) (engine.Event, error) {
	c := s.replica.Store().ReadIndex().ReadAll(ctx, p, engine.Forwards)
	defer c.Close()
	if !c.Next() {
		return engine.Event{}, errors.Join(c.Err(), fmt.Errorf("eventfold: there is no event at position %d", p))
	}
	return *c.Event(), nil
}

// catchUp is sync, asked again as long as ctx lets it and it can help. It notes the last error.
func (s *Store) catchUp(ctx context.Context, answer *error) error {
	for pause := minFollowPause; ; pause = min(2*pause, maxFollowPause) {
		err := s.sync(ctx)
		if err == nil || permanent(err) {
			return err
		}
		if ended := ctx.Err(); ended != nil {
			return ended
		}
		if s.life.Err() != nil {
			return context.Cause(s.life)
		}
		*answer = err
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// withAnswer adds to an error what was answered last, if anything was.
func withAnswer(err, answer error) error {
	if answer == nil {
		return err
	}
	return fmt.Errorf("%w (the last answer was: %v)", err, answer)
}

// sync waits until the local copy holds what the stream's leader says is stored. The leader's answer
// is waited for no longer than syncPatience.
func (s *Store) sync(ctx context.Context) error {
	began := time.Now()
	asking, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	last, err := s.last(asking)
	if err != nil {
		return err
	}
	if known := s.hear(last); known > last {
		return s.reach(ctx, engine.Position(known)-1) // who has answered leads no more
	}
	if err := s.reach(ctx, engine.Position(last)-1); err != nil {
		return err
	}
	s.synced.Store(began.UnixNano())
	return nil
}

// hear notes a sequence, and returns the last one that was heard of.
func (s *Store) hear(sequence uint64) uint64 {
	for {
		known := s.known.Load()
		if sequence <= known || s.known.CompareAndSwap(known, sequence) {
			return max(known, sequence)
		}
	}
}

// reach waits until the local copy holds the event at a position.
func (s *Store) reach(ctx context.Context, p engine.Position) error {
	if s.head() > p {
		return nil
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	err := s.replica.Store().Wait(waiting, p)
	if err != nil && ctx.Err() == nil && s.life.Err() != nil {
		return context.Cause(s.life)
	}
	return err
}

// fail ends what the store does by itself: the log cannot be trusted, or the local copy not written.
func (s *Store) fail(err error) { s.end(err) }

// ReadIndex implements engine.Store. It is that of the local copy.
func (s *Store) ReadIndex() engine.ReadIndex { return s.replica.Store().ReadIndex() }

// Wait implements engine.Store. If nothing can be followed any more it returns why.
func (s *Store) Wait(ctx context.Context, p engine.Position) error {
	if s.closed.Load() {
		return engine.ErrClosed
	}
	return s.reach(ctx, p)
}

// Stats implements engine.Store. They are those of the local copy, but for what this Store has
// appended, and how far it is behind.
func (s *Store) Stats() engine.Stats {
	stats := s.replica.Store().Stats()
	stats.Appends, stats.Appended = s.appends.Load(), s.appended.Load()
	lag := s.Lag()
	stats.Remote, stats.Behind, stats.Synced = true, lag.Events, lag.Synced
	return stats
}

// Err returns why the store follows and appends no more, nil as long as it does.
func (s *Store) Err() error {
	if s.life.Err() == nil {
		return nil
	}
	return context.Cause(s.life)
}

// closePatience is how long Close waits for appends whose outcome is not known yet.
const closePatience = 5 * time.Second

// Close implements engine.Store. Appends that get no answer within five seconds end with
// engine.ErrOutcomeUnknown.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	patience := time.AfterFunc(closePatience, func() { s.end(engine.ErrClosed) })
	defer patience.Stop()
	s.gate.Lock() // waits for the appends that have begun; whoever comes later finds the store closed
	//lint:ignore SA2001 shut waits for goroutines that may be about to append, and must not hold the gate
	s.gate.Unlock()
	return s.shut(engine.ErrClosed)
}

// shut ends everything that Open has begun.
func (s *Store) shut(why error) error {
	s.end(why)
	if s.conn != nil {
		s.conn.Close() // first, because the follower may wait for an answer
	}
	s.follow.Wait()
	if s.replica != nil {
		return s.replica.Close()
	}
	return nil
}

// sleep returns ctx's error if it ends before the time is over.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
