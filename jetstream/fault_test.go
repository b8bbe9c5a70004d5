package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/jetstream"
)

// The store keeps the contract on three servers.
func TestContractOnThreeServers(t *testing.T) {
	if !testenv.Long() {
		t.Skip("takes a minute; set EVENTFOLD_TORTURE")
	}
	c := startCluster(t, 3)
	enginetest.Run(t, func(t *testing.T) engine.Store { return c.openNew(t) })
}

// An oracle notes what appends were told.
type oracle struct {
	mu      sync.Mutex
	placed  map[uuid.UUID]engine.Placed
	refused map[uuid.UUID]bool
	batches [][]uuid.UUID
	acks    atomic.Int64
	unknown atomic.Int64
}

// appender appends until stop is closed, and then settles what it does not know.
func (o *oracle) appender(t *testing.T, s *jetstream.Store, r *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		batch := o.batch(s, r)
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if r.IntN(4) == 0 { // somebody who does not wait
			ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
		}
		done, err := s.Append(ctx, batch...)
		cancel()
		for errors.Is(err, engine.ErrOutcomeUnknown) || errors.Is(err, context.DeadlineExceeded) {
			o.unknown.Add(1)
			done, err = s.Append(t.Context(), batch...)
		}
		if !o.note(t, batch, done, err) {
			return
		}
	}
}

// batch makes an append to one stream or two.
func (o *oracle) batch(s *jetstream.Store, r *rand.Rand) (batch []engine.Append) {
	first := r.IntN(10)
	for n := range 1 + r.IntN(2) {
		a := engine.Append{Stream: fmt.Sprint("s", (first+n)%10)}
		for range 1 + r.IntN(4) {
			a.Events = append(a.Events, engine.NewEvent{ID: uuid.New(), Type: "t", Payload: []byte("x")})
		}
		if r.IntN(2) == 0 {
			v, ok, err := s.ReadIndex().StreamVersion(a.Stream)
			if err == nil && ok {
				a.Expect = []engine.Expectation{engine.Exact(v)}
			}
		}
		batch = append(batch, a)
	}
	return batch
}

// note notes an outcome, and reports whether it is one that there may be.
func (o *oracle) note(t *testing.T, batch []engine.Append, done engine.Appended, err error) bool {
	var ids []uuid.UUID
	for _, a := range batch {
		for _, e := range a.Events {
			ids = append(ids, e.ID)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.As(err, new(*engine.ConflictError)) {
		for _, id := range ids {
			o.refused[id] = true
		}
		return true
	}
	if !assert.NoError(t, err) {
		return false
	}
	o.acks.Add(1)
	o.batches = append(o.batches, ids)
	for i, e := range done.Events {
		assert.Equal(t, ids[i], e.ID)
		o.placed[e.ID] = e
	}
	return true
}

// check compares a log with what was told.
func (o *oracle) check(t *testing.T, events []engine.Event) {
	next := map[string]engine.Version{}
	at := map[uuid.UUID]engine.Event{}
	for i, e := range events {
		require.Equal(t, engine.Position(i), e.Position)
		require.Equal(t, next[e.Stream], e.Version)
		next[e.Stream]++
		require.NotContains(t, at, e.ID, "no event is stored twice")
		require.False(t, o.refused[e.ID], "nothing that was refused is stored")
		at[e.ID] = e
	}
	for id, p := range o.placed {
		e := at[id]
		require.Equal(t, p, engine.Placed{Position: e.Position, Version: e.Version, ID: e.ID}, "what was acknowledged is there")
	}
	for _, ids := range o.batches {
		for i, id := range ids {
			require.Equal(t, at[ids[0]].Position+engine.Position(i), at[id].Position, "an append is in one piece")
		}
	}
	require.Len(t, at, len(o.placed), "nothing else is stored")
}

// While servers are killed one after the other, two nodes append. What was acknowledged is stored,
// once, in its place, and nothing that was refused; every node reads the same.
func TestKilledServersLoseAndDoubleNothing(t *testing.T) {
	c := startCluster(t, 3)
	a, b := twoNodes(t, c)
	o := &oracle{placed: map[uuid.UUID]engine.Placed{}, refused: map[uuid.UUID]bool{}}
	seed := testenv.Seed(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 8 {
		s := []*jetstream.Store{a, b}[i%2]
		wg.Go(func() { o.appender(t, s, rand.New(rand.NewPCG(seed, uint64(i))), stop) })
	}
	more := func(n int64) { // waits for some acknowledgements
		for until := o.acks.Load() + n; o.acks.Load() < until && t.Context().Err() == nil && !t.Failed(); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	r := rand.New(rand.NewPCG(seed, 99))
	kills := testenv.Scale(3, 100)
	for range kills {
		more(100)
		n := c.nodes[r.IntN(3)]
		n.kill()
		if r.IntN(2) == 0 {
			more(20)
		}
		n.start()
	}
	more(100)
	close(stop)
	wg.Wait()
	fresh, err := jetstream.Open(t.Context(), bucketOf(t, c))
	require.NoError(t, err)
	defer fresh.Close()
	events := readAll(t, fresh)
	o.check(t, events)
	last := engine.Position(len(events) - 1)
	for _, s := range []*jetstream.Store{a, b} {
		require.NoError(t, s.Wait(t.Context(), last))
		assert.Equal(t, events, readAll(t, s))
	}
	t.Logf("%d kills, %d events, %d appends acknowledged, %d events refused, %d outcomes unknown at first", kills,
		len(events), o.acks.Load(), len(o.refused), o.unknown.Load())
}

// bucketOf is the bucket that twoNodes has made last.
func bucketOf(t *testing.T, c *cluster) jetstream.Config {
	return c.config(t, fmt.Sprint("two", buckets.Load()))
}
