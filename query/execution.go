package query

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/spill"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An execution is what the operators and sub-queries of one running statement share.
// One goroutine uses it, except budget, which parallel aggregation shares among its workers.
type execution struct {
	ctx     context.Context
	session *Session
	args    []expr.Argument
	now     time.Time
	index   engine.ReadIndex // the snapshot that every table of the statement reads
	since   engine.Position  // scans of events give those from here on; see [eventTable.scan]
	keeping bool             // for a materialised view: conditions of the query that reads it do not hold
	own     []ownEvent       // events of the open transaction, which come after the snapshot
	streams ownStreams       // of the open transaction
	budget  *budget          // shared with the workers of parallel aggregation

	once       map[int]*onceResult            // results of uncorrelated sub-queries, by their number
	ctes       map[*withName][][]value.Value  // rows of the names of WITH that are used more than once
	working    map[*recursion][][]value.Value // what recursive SELECTs read at the moment
	events     []*engine.Event                // events that evalEvent captured
	keepEvents bool                           // rows are held: captured events are kept; otherwise one is reused
	counters   *counters                      // shared likewise

	following *followingRows // of a SELECT with FOLLOW, once it is open
	spilled   *spill.File    // nil before something is kept in it

	elements int64 // bytes held for the elements of slices in sets of memo

	memo expr.Memo // what depends on the arguments and the instant alone, computed once
	envs *expr.Env // the environments that are in use, the last one first

	ownBudget   budget
	ownCounters counters
}

// execOf returns the execution that has made an environment.
func execOf(en *expr.Env) *execution { return en.Exec.(*execution) }

// TextLimit implements expr.Execution, as do the methods that follow: a text may take a part of the
// budget.
func (ex *execution) TextLimit() int { return int(ex.budget.text) }

// Hold holds n bytes of the budget.
func (ex *execution) Hold(n int64, what string) error { return ex.budget.hold(n, what) }

// HoldToEnd makes end release what is held.
func (ex *execution) HoldToEnd(n int64) { ex.elements += n }

// Release releases n bytes of the budget.
func (ex *execution) Release(n int64) { ex.budget.release(n) }

// Discard counts n bytes as waste.
func (ex *execution) Discard(n int64) { ex.budget.discard(n) }

// Keyring is the connection's.
func (ex *execution) Keyring() expr.Keyring { return ex.session.Settings.Keyring }

// Memo is what depends on the arguments and the instant alone.
func (ex *execution) Memo() *expr.Memo { return &ex.memo }

// counters tell EXPLAIN ANALYZE what the statement did.
type counters struct {
	examined atomic.Int64 // events looked at
	skipped  atomic.Int64 // segments that were not looked into
}

// newExecution starts a statement that reads: it takes the transaction's snapshot, or the store as
// it is now.
func newExecution(ctx context.Context, s *Session, args []expr.Argument) *execution {
	ex := newWriteExecution(ctx, s, args)
	ex.snapshot()
	return ex
}

// newWriteExecution starts a statement that may not read at all.
func newWriteExecution(ctx context.Context, s *Session, args []expr.Argument) *execution {
	ex := &execution{ctx: ctx, session: s, args: args, now: s.now()}
	ex.limitMemory(s)
	return ex
}

// limitMemory gives the statement its budget.
func (ex *execution) limitMemory(s *Session) {
	ex.budget, ex.counters = &ex.ownBudget, &ex.ownCounters
	ex.budget.set(&s.Settings)
}

// snapshot returns what the statement reads, which is fixed when it is first asked for.
func (ex *execution) snapshot() engine.ReadIndex {
	switch {
	case ex.index != nil:
	case ex.session.Tx != nil:
		tx := ex.session.Tx
		ex.index, ex.own, ex.streams = tx.reads.watch(tx.index, &ex.session.Settings), tx.events, tx.streams
	case ex.session.pinned != nil:
		ex.index = ex.session.pinned
	default:
		ex.index = ex.session.Store.ReadIndex()
	}
	return ex.index
}

// env returns a new environment for expressions. outer is the enclosing query's, nil for none.
func (ex *execution) env(outer *expr.Env) *expr.Env {
	e := expr.NewEnv(expr.Env{
		Ctx: ex.ctx, Args: ex.args, Now: ex.now, Exec: ex, Row: expr.Row{Outer: outer}, Before: ex.envs,
	})
	ex.envs = e
	return e
}

// leave tells that the environments made since mark, which was ex.envs then, are no longer used:
// nothing that they have made is. Who opens operators that end before the statement does calls it.
func (ex *execution) leave(mark *expr.Env) {
	for e := ex.envs; e != mark && e != nil; e = e.Before {
		e.Begin()
	}
	ex.envs = mark
}

// end gives back what the statement holds, when it has ended. It may be called twice.
func (ex *execution) end() {
	ex.leave(nil)
	ex.endSpill()
	if ex.elements > 0 {
		ex.budget.release(ex.elements)
		ex.elements = 0
	}
	if ex.budget == &ex.ownBudget {
		ex.budget.close()
	}
}

// capturedSize is about what a captured event takes, without its texts.
const capturedSize = 256

// captured returns the event that the current row's pseudo-column event is written to.
func (ex *execution) captured() (*engine.Event, error) {
	if ex.keepEvents || len(ex.events) == 0 {
		if err := ex.budget.hold(capturedSize, "ORDER BY"); err != nil {
			return nil, err
		}
		ex.events = append(ex.events, new(engine.Event))
	}
	return ex.events[len(ex.events)-1], nil
}
