package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
)

// An oracle notes what appends were told.
type oracle struct {
	start   time.Time
	acks    atomic.Int64
	unknown atomic.Int64

	mu        sync.Mutex
	placed    map[uuid.UUID]engine.Placed
	refused   map[uuid.UUID]bool
	batches   [][]uuid.UUID
	conflicts int
	history   []porcupine.Operation
	disowned  map[uuid.UUID]bool // whether every answer to them was a server's refusal
}

func newOracle() *oracle {
	return &oracle{start: time.Now(), placed: map[uuid.UUID]engine.Placed{}, refused: map[uuid.UUID]bool{},
		disowned: map[uuid.UUID]bool{}}
}

// listen notes what servers answer.
func (o *oracle) listen(s *jetstream.Store) {
	s.Between(func(send jetstream.Sender) jetstream.Sender {
		return func(ctx context.Context, messages []*nats.Msg) error {
			id := uuid.MustParse(messages[0].Header.Get("Ef-Id"))
			err := send(ctx, messages) // who does not wait any more lets them be sent
			o.mu.Lock()
			defer o.mu.Unlock()
			refused, known := o.disowned[id]
			o.disowned[id] = jetstream.IsRefusal(err) && (refused || !known)
			return err
		}
	})
}

// A call is what an append expects of one stream, and how many events it has for it.
type call struct {
	stream string
	expect engine.ExpectedVersion
	events int
}

// A reply is what became of it: the version of the first event, or the actual one of a refusal.
type reply struct {
	ok      bool
	version engine.Version
}

// versions is a stream as one number, its last version. Streams are independent of each other.
var versions = porcupine.Model{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		streams := map[string][]porcupine.Operation{}
		for _, op := range history {
			s := op.Input.(call).stream
			streams[s] = append(streams[s], op)
		}
		for _, part := range streams {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return engine.NoVersion },
	Step: func(state, input, output any) (bool, any) {
		last, c, r := state.(engine.Version), input.(call), output.(reply)
		if !c.expect.Holds(last) { // what it says that there is may be a moment old
			return !r.ok && r.version <= last && !c.expect.Holds(r.version), last
		}
		return r.ok && r.version == last+1, last + engine.Version(c.events)
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

// appender appends until stop is closed, and settles what it does not know.
func (o *oracle) appender(t *testing.T, client int, s *jetstream.Store, r *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if !o.append(t, client, s, r) {
			return
		}
	}
}

// append appends once, and reports whether the outcome is one that there may be.
func (o *oracle) append(t *testing.T, client int, s *jetstream.Store, r *rand.Rand) bool {
	batch := o.batch(s, r)
	ctx, cancel := t.Context(), context.CancelFunc(func() {})
	if r.IntN(4) == 0 { // somebody who does not wait
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
	}
	began := time.Since(o.start)
	done, err := s.Append(ctx, batch...)
	cancel()
	if errors.Is(err, engine.ErrOutcomeUnknown) || errors.Is(err, context.DeadlineExceeded) {
		o.unknown.Add(1)
		done, err = s.Append(t.Context(), batch...)
	}
	return o.note(t, client, batch, began, done, err)
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
			if err != nil || !ok {
				v = 0
			}
			a.Expect = []engine.Expectation{[]engine.ExpectedVersion{engine.Exact(v), engine.Exact(v), engine.Exact(v),
				engine.Exact(v + 1), engine.NoStream, engine.StreamExists}[r.IntN(6)]}
		}
		batch = append(batch, a)
	}
	return batch
}

func idsOf(batch []engine.Append) (ids []uuid.UUID) {
	for _, a := range batch {
		for _, e := range a.Events {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// note notes an outcome, and reports whether it is one that there may be.
func (o *oracle) note(t *testing.T, client int, batch []engine.Append, began time.Duration, done engine.Appended,
	err error) bool {
	ended := time.Since(o.start)
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := idsOf(batch)
	var conflict *engine.ConflictError
	if errors.As(err, &conflict) {
		o.conflicts++
		for _, id := range ids {
			o.refused[id] = true
		}
	} else if !assert.NoError(t, err) {
		return false
	}
	if err == nil {
		o.acks.Add(1)
		o.batches = append(o.batches, ids)
		for i, e := range done.Events {
			assert.Equal(t, ids[i], e.ID)
			o.placed[e.ID] = e
		}
	}
	for _, a := range batch {
		c := call{stream: a.Stream, expect: engine.Any, events: len(a.Events)}
		if len(a.Expect) > 0 {
			c.expect = a.Expect[0].(engine.ExpectedVersion)
		}
		if r, known := replyTo(&a, done, conflict); known {
			o.history = append(o.history, porcupine.Operation{ClientId: client, Input: c, Output: r,
				Call: began.Nanoseconds(), Return: ended.Nanoseconds()})
		}
	}
	return true
}

// replyTo is what one of a batch's appends was told. Of an append that was refused for what another
// one of the batch expects nothing is known.
func replyTo(a *engine.Append, done engine.Appended, conflict *engine.ConflictError) (r reply, known bool) {
	if conflict == nil {
		at := slices.IndexFunc(done.Events, func(e engine.Placed) bool { return e.ID == a.Events[0].ID })
		return reply{ok: true, version: done.Events[at].Version}, true
	}
	for _, c := range conflict.Checks {
		if c.Stream == a.Stream {
			return reply{version: c.Actual}, true
		}
	}
	return reply{}, false
}

// check compares a log with what was told, and returns the first thing that is wrong.
func (o *oracle) check(events []engine.Event) error {
	next := map[string]engine.Version{}
	at := map[uuid.UUID]engine.Event{}
	for i, e := range events {
		_, twice := at[e.ID]
		switch {
		case e.Position != engine.Position(i):
			return fmt.Errorf("event %d has position %d", i, e.Position)
		case e.Version != next[e.Stream]:
			return fmt.Errorf("position %d: version %d of %s where %d should be", i, e.Version, e.Stream, next[e.Stream])
		case twice:
			return fmt.Errorf("position %d: the event at %d is stored twice", i, at[e.ID].Position)
		case o.refused[e.ID]:
			return fmt.Errorf("position %d: an event that was refused is stored", i)
		}
		next[e.Stream]++
		at[e.ID] = e
	}
	for id, p := range o.placed {
		if e := at[id]; p != (engine.Placed{Position: e.Position, Version: e.Version, ID: e.ID}) {
			return fmt.Errorf("what was acknowledged as %+v is not there, but at %d", p, e.Position)
		}
	}
	for _, ids := range o.batches {
		for i, id := range ids {
			if at[id].Position != at[ids[0]].Position+engine.Position(i) {
				return fmt.Errorf("an append is in pieces: %d and %d", at[ids[0]].Position, at[id].Position)
			}
		}
	}
	if len(at) != len(o.placed) {
		return fmt.Errorf("%d events are stored, and %d were acknowledged", len(at), len(o.placed))
	}
	return nil
}

// storedAlthough is how many appends were stored although the servers had refused every attempt.
func (o *oracle) storedAlthough() (n int) {
	for id, refused := range o.disowned {
		if _, stored := o.placed[id]; stored && refused {
			n++
		}
	}
	return n
}

// The oracle and the model find what is wrong.
func TestTheOracleSeesLies(t *testing.T) {
	a, b := uuid.New(), uuid.New()
	good := []engine.Event{{Position: 0, Stream: "s", ID: a}, {Position: 1, Version: 1, Stream: "s", ID: b}}
	told := func() *oracle {
		o := newOracle()
		for _, e := range good {
			o.placed[e.ID] = engine.Placed{Position: e.Position, Version: e.Version, ID: e.ID}
		}
		o.batches = [][]uuid.UUID{{a, b}}
		return o
	}
	assert.NoError(t, told().check(good))
	assert.Error(t, told().check(good[:1]), "an event is lost")
	assert.Error(t, told().check([]engine.Event{good[0], good[0]}), "an event is twice there")
	assert.Error(t, told().check([]engine.Event{good[0], {Position: 1, Version: 0, Stream: "s", ID: b}}))
	o := told()
	o.refused[b] = true
	assert.Error(t, o.check(good))
	o = told()
	delete(o.placed, b)
	o.batches = nil
	assert.Error(t, o.check(good), "an event that nobody was told of")

	at := func(from, to int64, c call, r reply) porcupine.Operation {
		return porcupine.Operation{Call: from, Return: to, Input: c, Output: r}
	}
	two := call{stream: "s", expect: engine.Any, events: 2}
	assert.True(t, porcupine.CheckOperations(versions, []porcupine.Operation{
		at(0, 10, two, reply{true, 2}), at(5, 15, two, reply{true, 0}),
		at(20, 30, call{"s", engine.Exact(1), 1}, reply{false, 2})}))
	assert.False(t, porcupine.CheckOperations(versions, []porcupine.Operation{
		at(0, 10, two, reply{true, 0}), at(5, 15, two, reply{true, 0})}), "a version is given twice")
	assert.False(t, porcupine.CheckOperations(versions, []porcupine.Operation{
		at(0, 10, two, reply{true, 0}), at(20, 30, call{"s", engine.NoStream, 1}, reply{false, engine.NoVersion})}),
		"a refusal for what is not so")
}
