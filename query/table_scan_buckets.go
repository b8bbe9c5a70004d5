package query

import (
	"context"
	"errors"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// bucketBatches are a row for each type within each bucket of time, a day for instance, which stands
// for all its events: they count them in the indexes, and read one event of each bucket for its time.
// Positions grow with time, so that a bucket is a range of positions.
type bucketBatches struct {
	ctx    context.Context
	index  engine.ReadIndex
	grain  int64 // microseconds; 0 for a single bucket
	what   engine.Filter
	types  []string        // to be told apart; nil for none
	at, to engine.Position // what is left
	asked  int64           // questions so far
	passed int64           // events whose buckets are out
	batch  expr.Batch
	events engine.Batch
}

// errTooFine ends bucketBatches of which so many hold so few events that reading those is less work.
var errTooFine = errors.New("query: the buckets hold too few events")

// questionCost is about what a question to the indexes costs, in events that are read. bucketPatience
// is how many of them are asked before it is looked whether that pays.
const (
	questionCost   = 32
	bucketPatience = 1000
)

// newBucketBatches begins with the first event that passes the filter's bounds of position and time;
// nil if the indexes cannot count.
func newBucketBatches(
	ctx context.Context, index engine.ReadIndex, w *weighing, what engine.Filter,
) (*bucketBatches, error) {
	if n, err := index.Count(ctx, engine.Filter{}); err != nil || engine.Position(n) != index.Head() {
		return nil, err // positions would not tell how many events there are
	}
	b := &bucketBatches{ctx: ctx, index: index, grain: w.grain, what: engine.Filter{Types: what.Types}}
	b.at, b.to = what.From, index.Head()
	if what.To > 0 {
		b.to = min(b.to, what.To)
	}
	if !what.Since.IsZero() || !what.Before.IsZero() {
		if err := b.between(what); err != nil {
			return nil, err
		}
	}
	if !w.types {
		return b, nil
	}
	if b.types = what.Types; b.types != nil {
		return b, nil
	}
	types, err := index.Types(ctx)
	b.types = make([]string, len(types))
	for i := range types {
		b.types[i] = types[i].Type
	}
	return b, err
}

// between narrows the positions to those of the filter's times.
func (b *bucketBatches) between(what engine.Filter) error {
	if !what.Since.IsZero() {
		n, err := b.index.Count(b.ctx, engine.Filter{To: b.to, Before: what.Since})
		if err != nil {
			return err
		}
		b.at = max(b.at, engine.Position(n))
	}
	if !what.Before.IsZero() && b.to > 0 {
		n, err := b.index.Count(b.ctx, engine.Filter{To: b.to, Before: what.Before})
		if err != nil {
			return err
		}
		b.to = min(b.to, engine.Position(n))
	}
	return nil
}

func (b *bucketBatches) next() (*expr.Batch, error) {
	weights := b.batch.Weights[:0]
	b.events.Reset()
	for b.events.Len == 0 || b.events.Len+len(b.types)+1 < batchRows {
		if b.at >= b.to {
			break
		}
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if weights, err = b.bucket(weights); err != nil {
			return nil, err
		}
	}
	if b.events.Len == 0 {
		return nil, nil
	}
	b.batch = expr.Batch{Len: b.events.Len, Events: &b.events, Weights: weights, Serial: b.batch.Serial + 1}
	return &b.batch, nil
}

// bucket adds the rows of the bucket that begins at b.at.
func (b *bucketBatches) bucket(weights []int64) ([]int64, error) {
	from, end, micros := b.at, b.to, int64(0)
	if b.grain > 0 {
		var err error
		if micros, end, err = b.bounds(); err != nil {
			return nil, err
		}
	}
	b.at = end
	b.asked += int64(len(b.types) + 3)
	b.passed += int64(end - from)
	if b.asked > bucketPatience && b.asked*questionCost > b.passed {
		return nil, errTooFine
	}
	add := func(what engine.Filter, name string) error {
		what.From, what.To = from, end
		n, err := b.index.Count(b.ctx, what)
		if n > 0 {
			b.events.Len++
			b.events.Positions = append(b.events.Positions, from)
			b.events.Types = append(b.events.Types, name)
			b.events.Times = append(b.events.Times, micros)
			weights = append(weights, n)
		}
		return err
	}
	if b.types == nil {
		return weights, add(b.what, "")
	}
	for i := range b.types {
		if err := add(engine.Filter{Types: b.types[i : i+1]}, b.types[i]); err != nil {
			return nil, err
		}
	}
	return weights, nil
}

// bounds returns the time of the event at b.at, and the position at which its bucket ends.
func (b *bucketBatches) bounds() (micros int64, end engine.Position, err error) {
	cursor := b.index.Scan(b.ctx, engine.Filter{From: b.at, To: b.at + 1, Limit: 1}, engine.ColTime)
	batch := cursor.Next()
	if batch == nil {
		if err = cursor.Err(); err == nil {
			end = b.at + 1 // it is not stored any more
		}
		return 0, end, errors.Join(err, cursor.Close())
	}
	micros = batch.Times[0]
	if err = cursor.Close(); err != nil {
		return 0, 0, err
	}
	last := value.FloorDiv(micros, b.grain)*b.grain + b.grain
	n, err := b.index.Count(b.ctx, engine.Filter{From: b.at, To: b.to, Before: timeOf(last)})
	return micros, b.at + engine.Position(max(n, 1)), err
}

func (b *bucketBatches) close() error { return nil }
