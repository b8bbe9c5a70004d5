package eventfold

import (
	"context"
	"strconv"
	"sync"

	"github.com/google/uuid"
)

// A request makes the ids of the events that are appended under a context: the first, the second
// and so on of a key.
type request struct {
	key    string
	random bool // the key is made by Retry, so that nobody can have used it before

	mu   sync.Mutex // protects used
	used int        // ids that were given out
}

// requestSpace is the name space of the ids of requests, a UUID made for it.
var requestSpace = uuid.MustParse("6f1c7d0e-3a5b-4f0c-9b8e-2d1a7c4e5f60")

// id returns the id of the nth event.
func (r *request) id(n int) uuid.UUID {
	return uuid.NewSHA1(requestSpace, []byte(strconv.Itoa(n)+"/"+r.key))
}

// next returns the next id.
func (r *request) next() uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := r.id(r.used)
	r.used++
	return id
}

// count is how many ids were given out.
func (r *request) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// back takes ids back that were given to an append which has failed: the next append is that one
// again, or takes its place.
func (r *request) back(used int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used = used
}

// skip takes as given out what another has given out of the same key.
func (r *request) skip(used int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used = max(r.used, used)
}

type requestKey struct{}

// requestOf returns the request that ctx is of, nil if it is of none.
func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// WithRequest returns a context under which [AppendEvents] and [Decide] make the ids of events out of
// key, such as the Idempotency-Key of an HTTP request or the id of a message, in the order in which
// they are appended. A request that comes again with its key appends nothing twice, in whichever
// process: use [RequestDone] to tell its answer, or Decide, which asks by itself. A key belongs to
// one request of one store for ever.
//
// The appends under one context follow each other; it is not for several goroutines.
func WithRequest(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, requestKey{}, &request{key: key})
}

// RequestDone reports whether something was appended for the request of ctx before, and where. It is
// asked before anything is appended under that context; without a request it is not done.
func RequestDone(ctx context.Context, db Querier) (a Appended, done bool, err error) {
	r := requestOf(ctx)
	if r == nil || r.random {
		return Appended{}, false, nil
	}
	for n := r.count(); ; n++ {
		found := false
		query := `SELECT event FROM $all WHERE id = ?`
		err := eachEvent(ctx, db, query, []any{r.id(n)}, func(e Event) error {
			a.Events = append(a.Events, Placed{Position: e.Position, Version: e.Version, ID: e.ID})
			a.RecordedAt, found = e.RecordedAt, true
			return nil
		})
		if err != nil {
			return Appended{}, false, err
		}
		if !found {
			a.Duplicate = len(a.Events) > 0
			return a, a.Duplicate, nil
		}
	}
}
