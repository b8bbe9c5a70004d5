package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An INSERT without RETURNING makes one allocation before the store sees it, however many arguments
// it has. BenchmarkInsert holds that, with TestInsertAllocations; in transactions,
// BenchmarkTransactionWithIDs of the driver does.

// An insertion is the memory that one execution of an INSERT works in. A session has one for all
// its INSERTs without RETURNING, one after the other: a store keeps no more of what is appended
// than it has copied.
type insertion struct {
	execution execution
	env       expr.Env
	args      []expr.Argument
	rows      []newRow
	appends   []engine.Append
	events    []engine.NewEvent
	expect    []engine.Expectation
}

// begin makes the insertion ready for the statement.
func (in *insertion) begin(ctx context.Context, s *Session) *expr.Env {
	in.execution = execution{ctx: ctx, session: s, args: in.args, now: s.now()}
	in.execution.limitMemory(s)
	in.env = expr.Env{Ctx: ctx, Args: in.args, Now: in.execution.now, Exec: &in.execution}
	in.env.Meter = value.MeterOf(&in.env)
	in.execution.envs = &in.env
	return &in.env
}

// end lets go of what the statement was about. Room for many rows is not kept.
func (in *insertion) end() {
	in.execution.end()
	if len(in.rows) > 1 {
		*in = insertion{}
		return
	}
	clear(in.args)
	clear(in.rows)
	clear(in.appends)
	clear(in.events)
	clear(in.expect)
	in.execution, in.env = execution{}, expr.Env{}
}

// A bytesKeeper makes texts of arguments that are bytes, whose owner may write to them again when
// the call is over. The zero bytesKeeper copies each by itself.
type bytesKeeper struct {
	borrow bool      // the text is not needed when the call is over
	copies *textHeap // where to copy to
}

func (k bytesKeeper) text(b []byte) string {
	switch {
	case k.borrow:
		return value.StringOf(b)
	case k.copies != nil:
		return k.copies.add(b)
	}
	return string(b)
}

// A textHeap holds many texts in few allocations. They live as long as anybody uses one of them.
type textHeap struct {
	chunk []byte
}

// The sizes of a textHeap's chunks, which double.
const (
	firstTextChunk = 512
	lastTextChunk  = 64 << 10
)

func (h *textHeap) add(b []byte) string {
	if cap(h.chunk)-len(h.chunk) < len(b) {
		if len(b) > lastTextChunk/4 {
			return string(b)
		}
		h.chunk = make([]byte, 0, max(len(b), min(max(2*cap(h.chunk), firstTextChunk), lastTextChunk)))
	}
	h.chunk = append(h.chunk, b...)
	return value.StringOf(h.chunk[len(h.chunk)-len(b):])
}

// The sizes of the chunks of keepIn, which double.
const (
	firstChunk = 2
	lastChunk  = 256
)

// keepIn copies the elements to the chunk, or to a new one if that is full, and returns the copy,
// which stays where it is.
func keepIn[T any](chunk *[]T, from []T) []T {
	if len(from) == 0 {
		return nil
	}
	if cap(*chunk)-len(*chunk) < len(from) {
		*chunk = make([]T, 0, max(len(from), min(max(2*cap(*chunk), firstChunk), lastChunk)))
	}
	n := len(*chunk)
	*chunk = append(*chunk, from...)
	return (*chunk)[n:len(*chunk):len(*chunk)]
}
