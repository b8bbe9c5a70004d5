package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/internal/testenv"
)

// Readers of every kind beside several clients and rotations (T11): what a reader sees has no gaps,
// does not change, and grows only. The race detector is the other half of this test.
func TestReadersBesideWriter(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	appends := testenv.Scale(3000, 200_000)
	s, err := openStrict(crashtest.New(), 1)
	require.NoError(t, err)
	defer s.Close()
	var clients, readers sync.WaitGroup
	var left, read atomic.Int64
	left.Store(int64(appends))
	g := crashtest.NewGenerator(testenv.Seed(t))
	for range 4 {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := s.Append(ctx, g.Append(g.IntN(400))); err != nil {
					t.Errorf("append: %v", err)
					return
				}
			}
		})
	}
	for i := range 8 {
		readers.Go(func() {
			r := &racer{s: s, seen: map[string]engine.Version{}}
			for ctx.Err() == nil {
				n, err := r.look(ctx, i)
				read.Add(n)
				if err != nil && ctx.Err() == nil {
					t.Errorf("reader %d: %v", i, err)
					return
				}
			}
		})
	}
	clients.Wait()
	cancel()
	readers.Wait()
	head := s.ReadIndex().Head()
	require.Equal(t, engine.Position(appends), head)
	report(t, "T11", fmt.Sprintf("8 readers beside 4 clients, %d events written in %d segments, %d read; "+
		"races, gaps and changes: 0",
		head, s.Stats().Segments, read.Load()))
	require.Positive(t, read.Load())
}

// A racer is a reader that remembers what it has seen.
type racer struct {
	s    engine.Store
	next engine.Position
	seen map[string]engine.Version // last version of each stream, as the whole log told
}

// look reads in one of several ways and returns how many events it has read.
func (r *racer) look(ctx context.Context, way int) (n int64, err error) {
	index := r.s.ReadIndex()
	if index.Head() < r.next {
		return 0, fmt.Errorf("the head goes back from %d to %d", r.next, index.Head())
	}
	switch way % 4 {
	case 0: // follow the log
		if err := r.s.Wait(ctx, r.next); err != nil {
			return 0, err
		}
		index = r.s.ReadIndex()
		return r.follow(ctx, index)
	case 1: // read a stream backwards and count it
		return r.stream(ctx, index, fmt.Sprintf("stream-%d", int(index.Head())%4))
	case 2: // an index asked twice gives the same answer
		f := engine.Filter{Types: []string{"type-1"}, From: max(index.Head()-200, 0)}
		one, err := index.Count(ctx, f)
		if err != nil {
			return 0, err
		}
		two, err := index.Count(ctx, f)
		if err == nil && one != two {
			err = fmt.Errorf("counted %d and then %d", one, two)
		}
		return one, err
	}
	h := index.Head() / 2
	c := index.At(h).ReadAll(ctx, h, engine.Backwards)
	defer c.Close()
	for want := h - 1; n < 100 && c.Next(); want-- {
		if n++; c.Event().Position != want {
			return n, fmt.Errorf("position %d instead of %d", c.Event().Position, want)
		}
	}
	return n, c.Err()
}

func (r *racer) follow(ctx context.Context, index engine.ReadIndex) (n int64, err error) {
	c := index.ReadAll(ctx, r.next, engine.Forwards)
	defer c.Close()
	for c.Next() {
		e := c.Event()
		last, known := r.seen[e.Stream]
		if !known {
			last = engine.NoVersion
		}
		if e.Position != r.next || e.Version != last+1 {
			return n, fmt.Errorf("position %d and version %d of %s after %d and %d", e.Position, e.Version, e.Stream,
				r.next-1, last)
		}
		r.seen[e.Stream] = e.Version
		r.next++
		n++
	}
	if err := c.Err(); err != nil {
		return n, err
	}
	if r.next != index.Head() {
		return n, fmt.Errorf("the log ended at %d, the head is %d", r.next, index.Head())
	}
	return n, nil
}

func (r *racer) stream(ctx context.Context, index engine.ReadIndex, stream string) (n int64, err error) {
	v, ok, err := index.StreamVersion(stream)
	if err != nil || !ok {
		return 0, err
	}
	c := index.ReadStream(ctx, stream, 1<<40, engine.Backwards)
	defer c.Close()
	for ; n < 50 && c.Next(); n++ {
		if c.Event().Version != v-engine.Version(n) {
			return n, fmt.Errorf("version %d of %s instead of %d", c.Event().Version, stream, v-engine.Version(n))
		}
	}
	count, errCount := index.Count(ctx, engine.Filter{Streams: []string{stream}})
	if errCount == nil && count != int64(v)+1 {
		errCount = fmt.Errorf("%s has version %d and %d events", stream, v, count)
	}
	return n, errors.Join(c.Err(), errCount)
}
