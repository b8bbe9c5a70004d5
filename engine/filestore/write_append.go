package filestore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
)

// A request is an append on its way to the writer. Requests are pooled; so are their buffers.
//
// The goroutine that appends owns a request until it is in the queue, and again when done has
// received. In between it is the writer's, once the writer has claimed it; the goroutine may
// abandon it before that, and then never touches it again.
type request struct {
	state atomic.Int32  // requestQueued, or what has become of it
	done  chan struct{} // holds one: the writer has answered

	batch   []engine.Append
	records []byte          // encoded, but for what FinishRecord adds
	seals   []format.Seal   // of the records
	salts   []byte          // that have been taken ahead; a piece of saltSpace
	events  []engine.Placed // one for each record, ids filled in
	offered bool            // some event came with an id
	own     bool            // some event is of a stream that only the store appends to
	stamp   int64           // of the ids that are made; 0 before the first
	made    []uuid.UUID     // ids that were made before, of all events in order; nil for none

	before []engine.Version // by append, what its stream is at before it; the writer's

	saltSpace [saltsAhead]byte

	// Conditions have been evaluated for the events before checked, with these outcomes.
	conditions bool
	checked    engine.Position
	failed     []engine.FailedCheck

	result engine.Appended
	err    error
}

// What has become of a request. Whoever changes it from requestQueued has decided.
const (
	requestQueued    int32 = iota
	requestClaimed         // by the writer: it will be answered
	requestAbandoned       // by its context: it was not written and never will be
)

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

// A pooled buffer beyond this size is dropped, so that one large append does not keep its memory
// for ever.
const keepBuffer = 1 << 20

// release gives the request back to the pool.
func (r *request) release() {
	done, records, seals, before := r.done, r.records[:0], r.seals[:0], r.before[:0]
	if cap(records) > keepBuffer {
		records, seals, before = nil, nil, nil
	}
	*r = request{done: done, records: records, seals: seals, before: before}
	requests.Put(r)
}

// Append implements Store.
func (s *FileStore) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	if s.closed.Load() {
		return engine.Appended{}, engine.ErrClosed
	}
	if s.opt.ReadOnly {
		return engine.Appended{}, engine.ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return engine.Appended{}, err
	}
	s.shared.appends.Add(1)
	defer s.shared.appends.Add(-1)
	batch, own, err := s.resolve(ctx, batch)
	if err != nil {
		return engine.Appended{}, err
	}
	r, err := s.request(ctx, batch, own)
	if err == nil {
		err = s.enqueue(ctx, r)
	}
	if err != nil {
		r.release()
		return engine.Appended{}, err
	}
	done, err := s.await(ctx, r)
	if err == nil && own {
		s.deriveds.forgetErased(ctx, batch)
	}
	return done, err
}

// request returns the request for a batch whose streams are as they must be. After an error it is
// to be released.
func (s *FileStore) request(ctx context.Context, batch []engine.Append, own bool) (*request, error) {
	r := requests.Get().(*request)
	r.own = own
	return r, s.fillRequest(ctx, r, batch)
}

// fillRequest encodes a batch and checks what the goroutine that appends can check.
func (s *FileStore) fillRequest(ctx context.Context, r *request, batch []engine.Append) error {
	err := s.encode(r, batch)
	if err == nil && r.conditions {
		err = s.checkConditions(ctx, r)
	}
	if err == nil && r.offered && len(r.events) > 1 {
		err = r.checkRepeats()
	}
	if err == nil {
		r.seal()
	}
	return err
}

// enqueue puts the request into the queue, waiting while it is full. After an error it is not
// there.
func (s *FileStore) enqueue(ctx context.Context, r *request) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	w := s.startWriter()
	if w == nil {
		return engine.ErrClosed
	}
	select {
	case w.requests <- r:
		return nil
	default:
	}
	select {
	case w.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return engine.ErrClosed
	}
}

// await waits for the writer's answer, or abandons the request when ctx ends before the writer has
// claimed it.
func (s *FileStore) await(ctx context.Context, r *request) (engine.Appended, error) {
	if ended := ctx.Done(); ended == nil {
		<-r.done // cheaper than a select
	} else {
		select {
		case <-r.done:
		case <-ended:
			if r.state.CompareAndSwap(requestQueued, requestAbandoned) {
				return engine.Appended{}, ctx.Err() // the writer drops the request
			}
			<-r.done
		}
	}
	result, err := r.result, r.err
	r.release()
	return result, err
}

// encode validates the batch and encodes its events into the request.
func (s *FileStore) encode(r *request, batch []engine.Append) error {
	r.state.Store(requestQueued)
	r.batch = batch
	count, size := 0, 0
	for i := range batch {
		count += len(batch[i].Events)
		for j := range batch[i].Events {
			e := &batch[i].Events[j]
			// tags are rare
			size += format.EventHeadSize + len(batch[i].Stream) + len(e.Type) +
				format.ContentSize(len(e.Metadata), len(e.Payload))
		}
		for _, e := range batch[i].Expect {
			if c, ok := e.(*engine.Condition); ok {
				if c == nil {
					return &engine.InvalidError{Append: i, Event: -1, Field: "condition", Reason: "is nil"}
				}
				r.conditions = true
			}
		}
	}
	r.events = make([]engine.Placed, 0, count)
	if size <= engine.MaxAppendSize {
		r.records = slices.Grow(r.records, size)
	}
	for i := range batch {
		for j := range batch[i].Events {
			if err := s.encodeEvent(r, i, j); err != nil {
				return err
			}
		}
	}
	return nil
}

// encodeEvent validates and encodes one event.
func (s *FileStore) encodeEvent(r *request, i, j int) error {
	a := &r.batch[i]
	e := &a.Events[j]
	tags, err := checkEvent(e, i, j)
	if err != nil {
		return err
	}
	if size := format.EventSize(e); size > int64(s.opt.MaxEventSize) {
		return &engine.TooLargeError{What: "event", Size: size, Limit: int64(s.opt.MaxEventSize), Append: i, Event: j}
	}
	id := e.ID
	if id != uuid.Nil {
		r.offered = true
	} else if id, err = s.makeID(r); err != nil {
		return err
	}
	salt, err := s.makeSalt(r)
	if err != nil {
		return err
	}
	r.events = append(r.events, engine.Placed{ID: id})
	r.records = format.AppendEvent(r.records, id, a.Stream, e, tags, salt, len(r.events) == 1)
	if size := int64(len(r.records)); size > engine.MaxAppendSize {
		return &engine.TooLargeError{What: "append", Size: size, Limit: engine.MaxAppendSize}
	}
	return nil
}

// makeID returns an id for an event that came without one.
func (s *FileStore) makeID(r *request) (uuid.UUID, error) {
	if r.made != nil {
		return r.made[len(r.events)], nil
	}
	if r.stamp == 0 {
		r.stamp = s.ids.stamp()
	}
	id, err := s.ids.next(r.stamp)
	return id, wrap("make an event id", err)
}

// makeSalt returns the salt of the next event.
func (s *FileStore) makeSalt(r *request) (*format.Salt, error) {
	if len(r.salts) == 0 {
		r.salts = r.saltSpace[:min(saltsAhead, (cap(r.events)-len(r.events))*format.SaltSize)]
		if err := s.salts.fill(r.salts); err != nil {
			return nil, wrap("make a salt", err)
		}
	}
	salt := (*format.Salt)(r.salts)
	r.salts = r.salts[format.SaltSize:]
	return salt, nil
}

func checkStream(stream string, i int) error {
	fault := engine.CheckStream(stream)
	if fault == engine.NameOK {
		return nil
	}
	return &engine.InvalidError{
		Append: i,
		Event:  -1,
		Field:  "stream",
		Reason: nameReason(fault, stream, engine.MaxStreamSize),
	}
}

// checkEvent checks an event's type and tags, and returns the tags sorted, each once.
func checkEvent(e *engine.NewEvent, i, j int) ([]string, error) {
	invalid := func(field, reason string) error {
		return &engine.InvalidError{Append: i, Event: j, Field: field, Reason: reason}
	}
	if fault := engine.CheckType(e.Type); fault != engine.NameOK {
		return nil, invalid("type", nameReason(fault, e.Type, engine.MaxTypeSize))
	}
	if len(e.Tags) == 0 {
		return nil, nil
	}
	if len(e.Tags) > engine.MaxTags {
		return nil, invalid("tags", fmt.Sprintf("are %d, the limit is %d", len(e.Tags), engine.MaxTags))
	}
	tags := e.Tags
	if !slices.IsSorted(tags) {
		tags = slices.Sorted(slices.Values(tags))
	}
	for k, t := range tags {
		if fault := engine.CheckTag(t); fault != engine.NameOK {
			return nil, invalid("tags", nameReason(fault, t, engine.MaxTagSize))
		}
		if k > 0 && t == tags[k-1] {
			return nil, invalid("tags", fmt.Sprintf("have %q twice", t))
		}
	}
	return tags, nil
}

// nameReasons has the reasons of an InvalidError.
var nameReasons = [...]string{
	engine.NameEmpty:    "must not be empty",
	engine.NameReserved: "must not begin with $",
	engine.NameNotUTF8:  "is not valid UTF-8",
	engine.NameHasNUL:   "holds a NUL byte",
}

// nameReason says what is wrong with a name of at most limit bytes.
func nameReason(fault engine.NameFault, name string, limit int) string {
	if fault == engine.NameTooLong {
		return fmt.Sprintf("has %d bytes, the limit is %d", len(name), limit)
	}
	return nameReasons[fault]
}

// checkRepeats refuses an append that has an id twice.
func (r *request) checkRepeats() error {
	seen := make(map[uuid.UUID]struct{}, len(r.events))
	for _, e := range r.events {
		if _, ok := seen[e.ID]; ok {
			return &engine.DuplicateEventError{ID: e.ID, Kind: engine.RepeatedID, Position: engine.NoPosition}
		}
		seen[e.ID] = struct{}{}
	}
	return nil
}
