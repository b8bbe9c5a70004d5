package eventfold

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// A request makes the ids of the events that are appended under a context, out of its key, the number
// of the call that appends them, and their place in it. So each call finds what it has appended
// itself, whatever the calls before it do when the request comes again. A nil request makes none.
type request struct {
	key    string
	random bool // the key is made by Retry, so that nobody can have used it before

	mu    sync.Mutex // protects calls
	calls int        // that were made
}

// requestSpace is the name space of the ids of requests, a UUID made for it.
var requestSpace = uuid.MustParse("6f1c7d0e-3a5b-4f0c-9b8e-2d1a7c4e5f60")

// id returns the id of the nth event of a call.
func (r *request) id(call, n int) uuid.UUID {
	return uuid.NewSHA1(requestSpace, fmt.Appendf(nil, "%d.%d/%s", call, n, r.key))
}

// begin returns the number of the call that begins.
func (r *request) begin() (call int) {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	return r.calls - 1
}

// back takes the number of a call back that has failed: the next one is that again, or takes its
// place.
func (r *request) back(call int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = call
}

// count is how many calls were made, and so the number of the next one.
func (r *request) count() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// over counts a call of functions of the program, which may have made others, up to the number next,
// and whose error is err. It has its number also where it has appended nothing, because it may
// append something when the request comes again. A call that the store has let fail has none: the
// program makes it again, under the same ids.
func (r *request) over(call, next int, err error) {
	if r == nil || ofTheStore(err) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = max(r.calls, next, call+1)
}

// ofTheStore tells an error of the store, or of a context, from one of the functions of a program.
func ofTheStore(err error) bool {
	return errors.As(err, new(*Error)) || IsConflict(err) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

type requestKey struct{}

// requestOf returns the request that ctx is of, nil if it is of none.
func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// WithRequest returns a context under which [AppendEvents], [Decide] and [Retry] make the ids of events
// out of key, such as the Idempotency-Key of an HTTP request or the id of a message. A request that
// comes again with its key makes the same calls in the same order, each of which appends nothing
// twice, in whichever process: Decide tells what it has appended the first time and does not decide
// again, AppendEvents returns the first places. [RequestDone] tells of all of them at once. A key
// belongs to one request of one store for ever.
//
// A call that fails with an error of the store, [ErrOutcomeUnknown] too, may be made again under the
// same context. Calls in a transaction have succeeded before its COMMIT fails: make that transaction
// again within [Retry], or under a new context of WithRequest with the same key; under the same context
// its events would get other ids. The calls under one context follow each other; it is not for several
// goroutines.
func WithRequest(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, requestKey{}, &request{key: key})
}

// RequestDone reports whether something was appended for the request of ctx before, by any of its
// calls, and where. It is asked before anything is appended under that context; without a request
// it is not done. Where several calls append, a request that was interrupted between them is done in
// part: let such a request make its calls again, or append everything with one. Events that were
// given ids of their own are not known by the request.
func RequestDone(ctx context.Context, db Querier) (a Appended, done bool, err error) {
	r := requestOf(ctx)
	if r == nil || r.random {
		return Appended{}, false, nil
	}
	for call := r.count(); ; call++ {
		found := false
		call, found, err = r.find(ctx, db, call)
		if err != nil {
			return Appended{}, false, err
		}
		if !found {
			return a, a.Duplicate, nil
		}
		if err := r.appended(ctx, db, call, &a); err != nil {
			return Appended{}, false, err
		}
	}
}

// callsAhead is among how many calls RequestDone looks for the next that has appended something.
const callsAhead = 8

// find returns the first call from a number on that has appended something.
func (r *request) find(ctx context.Context, db Querier, from int) (call int, found bool, err error) {
	calls := map[uuid.UUID]int{}
	ids := make([]any, callsAhead)
	for i := range ids {
		id := r.id(from+i, 0)
		ids[i], calls[id] = id, from+i
	}
	call = from + callsAhead
	query := `SELECT id FROM $all WHERE id IN (?` + strings.Repeat(", ?", callsAhead-1) + `)`
	err = each(ctx, db, query, ids, func(rows *sql.Rows) error {
		var id uuid.UUID
		err := rows.Scan(&id)
		call, found = min(call, calls[id]), true
		return err
	})
	return call, found, err
}

// appended adds what a call has appended.
func (r *request) appended(ctx context.Context, db Querier, call int, a *Appended) error {
	for n := 0; ; n++ {
		found := false
		query := `SELECT event FROM $all WHERE id = ?`
		err := eachEvent(ctx, db, query, []any{r.id(call, n)}, func(e Event) error {
			a.Events = append(a.Events, Placed{Position: e.Position, Version: e.Version, ID: e.ID})
			a.RecordedAt, a.Duplicate, found = e.RecordedAt, true, true
			return nil
		})
		if err != nil || !found {
			return err
		}
	}
}

// again returns what the next call has appended if that was made before, and counts it then.
func (r *request) again(ctx context.Context, db Querier) (a Appended, before bool, err error) {
	if r == nil || r.random {
		return Appended{}, false, nil
	}
	call := r.count()
	if err := r.appended(ctx, db, call, &a); err != nil {
		return Appended{}, false, err
	}
	if a.Duplicate {
		r.over(call, call+1, nil)
	}
	return a, a.Duplicate, nil
}
