package filestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newsNames are those of streams, types and tags: some are prefixes of others, some occur as
// several of these.
var newsNames = []string{"a", "ab", "abc", "b", "ba", "order-1", "order-2"}

func someNames(r *rand.Rand, most int) []string {
	list := []string{}
	for range r.IntN(most + 1) {
		list = append(list, newsNames[r.IntN(len(newsNames))])
	}
	return list
}

// newsFilter makes a random filter, without bounds that depend on what is stored.
func newsFilter(r *rand.Rand) engine.Filter {
	var f engine.Filter
	if r.IntN(3) == 0 {
		f.Streams = someNames(r, 3)
	}
	if r.IntN(4) == 0 {
		f.Types = someNames(r, 3)
	}
	if r.IntN(4) == 0 {
		f.Tags = someNames(r, 2)
	}
	if r.IntN(4) == 0 {
		f.Prefix = newsNames[r.IntN(len(newsNames))]
	}
	if r.IntN(10) == 0 {
		f.IDs = []uuid.UUID{uuid.New()}
	}
	if r.IntN(4) == 0 {
		f.Any = []engine.Alternative{}
		for range r.IntN(3) {
			a := engine.Alternative{Tags: someNames(r, 1)}
			if r.IntN(2) == 0 {
				a.Streams = someNames(r, 2)
			}
			if r.IntN(2) == 0 {
				a.Types = someNames(r, 2)
			}
			f.Any = append(f.Any, a)
		}
	}
	return f
}

func newsEvent(r *rand.Rand) engine.Append {
	tags := map[string]bool{}
	for _, t := range someNames(r, 2) {
		tags[t] = true
	}
	e := engine.NewEvent{Type: newsNames[r.IntN(len(newsNames))]}
	for t := range tags {
		e.Tags = append(e.Tags, t)
	}
	return engine.Append{Stream: newsNames[r.IntN(len(newsNames))], Events: []engine.NewEvent{e}}
}

// TestNewsWakesWhomAScanWouldServe compares who is woken by a commit with what a scan for each
// waiter finds in it: all of these must be woken, and nobody for whom its streams, prefix, types and
// tags leave nothing.
func TestNewsWakesWhomAScanWouldServe(t *testing.T) {
	r := testRand(t)
	s := openSmall(t, vfs.NewMem())
	spared := 0
	for range rounds(300) {
		from := s.ReadIndex().Head()
		var waiters []*waiter
		var filters []engine.Filter
		for range 10 {
			f := newsFilter(r)
			w := s.newWaiter(&f)
			require.True(t, s.news.enter(w, from))
			waiters, filters = append(waiters, w), append(filters, f)
		}
		var batch []engine.Append
		for range 1 + r.IntN(3) {
			batch = append(batch, newsEvent(r))
		}
		_, err := s.Append(bg, batch...)
		require.NoError(t, err)
		for i, w := range waiters {
			f := filters[i]
			f.From = from
			n, err := s.ReadIndex().Count(bg, f)
			require.NoError(t, err)
			if n > 0 {
				require.False(t, w.listed, "%+v sleeps through %+v", f, batch)
				require.Equal(t, from, w.Passed(), "%+v", f)
			}
			if w.listed {
				spared++
				require.Equal(t, s.ReadIndex().Head(), w.Passed(), "%+v", f)
			}
			s.news.leave(w)
		}
	}
	require.Empty(t, s.news.lists)
	require.Empty(t, s.news.lengths)
	require.Zero(t, s.news.waiting.Load())
	require.Positive(t, spared)
}

func TestWhoFollowsAnotherStreamIsNotWoken(t *testing.T) {
	s := openSmall(t, vfs.NewMem())
	none := uuid.New()
	for _, c := range []struct {
		what  engine.Filter
		woken bool
	}{
		{engine.Filter{}, true},
		{engine.Filter{Streams: []string{"other"}}, false},
		{engine.Filter{Streams: []string{"other", "s"}}, true},
		{engine.Filter{Streams: []string{}}, false},
		{engine.Filter{Prefix: "t"}, false},
		{engine.Filter{Prefix: "s"}, true},
		{engine.Filter{Types: []string{"Other"}}, false},
		{engine.Filter{Types: []string{"Happened"}}, true},
		{engine.Filter{Tags: []string{"tag"}}, false},
		{engine.Filter{IDs: []uuid.UUID{none}}, true},
		{engine.Filter{Streams: []string{"other"}, To: 1000}, true},
		{engine.Filter{Any: []engine.Alternative{{Streams: []string{"other"}}, {Tags: []string{"x"}}}}, false},
		{engine.Filter{Any: []engine.Alternative{{Streams: []string{"other"}}, {Types: []string{"Happened"}}}}, true},
		{engine.Filter{Any: []engine.Alternative{{Streams: []string{"other"}}, {}}}, true},
	} {
		w := s.newWaiter(&c.what)
		require.True(t, s.news.enter(w, s.ReadIndex().Head()))
		mustAppend(t, s, "s", engine.Any, one("1")...)
		assert.Equal(t, c.woken, !w.listed, "%+v", c.what)
		s.news.leave(w)
	}
}

// TestNoFollowerMissesAnEvent has followers of all kinds read while several append, in the store
// that writes and in one that follows it.
func TestNoFollowerMissesAnEvent(t *testing.T) {
	for _, c := range []struct {
		name  string
		fsys  vfs.FS
		other bool
	}{{"here", vfs.NewMem(), false}, {"polling", vfs.NewMem(), true}, {"noticing", vfs.OS(), true}} {
		t.Run(c.name, func(t *testing.T) {
			r := testRand(t)
			dir := "store"
			if vfs.IsOS(c.fsys) {
				dir = t.TempDir()
			}
			s := openStore(t, dir, Options{FS: c.fsys, Sync: SyncInterval, SyncInterval: time.Millisecond})
			mustAppend(t, s, "first", engine.Any, one("1")...)
			reader := s
			if c.other {
				reader = openStore(t, dir, Options{FS: c.fsys, ReadOnly: true})
			}
			followAll(t, r, s, reader)
		})
	}
}

func followAll(t *testing.T, r *rand.Rand, s, reader *FileStore) {
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	var following, writing sync.WaitGroup
	defer following.Wait()
	defer cancel()
	const followers = 30
	var mu sync.Mutex // protects got
	got := make([][]engine.Position, followers)
	filters := make([]engine.Filter, followers)
	for i := range filters {
		filters[i] = newsFilter(r)
		following.Go(func() { // ends with ctx
			sub := engine.Subscribe(ctx, reader, filters[i], engine.ColType)
			defer sub.Close()
			for b, err := sub.Next(); err == nil; b, err = sub.Next() {
				if b != nil {
					mu.Lock()
					got[i] = append(got[i], b.Positions[:b.Len]...)
					mu.Unlock()
				}
			}
		})
	}
	for w := range 4 {
		mine := rand.New(rand.NewPCG(r.Uint64(), uint64(w)))
		writing.Go(func() {
			for range 60 {
				_, err := s.Append(bg, newsEvent(mine))
				assert.NoError(t, err)
			}
		})
	}
	writing.Wait()
	for i := range filters {
		want := positionsOf(t, s, filters[i])
		for {
			mu.Lock()
			now := got[i]
			mu.Unlock()
			if len(now) >= len(want) || ctx.Err() != nil {
				require.Equal(t, want, now, "%+v", filters[i])
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// positionsOf reads the positions that pass a filter.
func positionsOf(t *testing.T, s *FileStore, what engine.Filter) (all []engine.Position) {
	c := s.ReadIndex().Scan(bg, what, engine.ColType)
	defer c.Close()
	for b := c.Next(); b != nil; b = c.Next() {
		all = append(all, b.Positions[:b.Len]...)
	}
	require.NoError(t, c.Err())
	return all
}

func TestAFilterWithAnEndIsWokenAtItWhateverIsWritten(t *testing.T) {
	s := openSmall(t, vfs.NewMem())
	sub := engine.Subscribe(bg, s, engine.Filter{Streams: []string{"mine"}, To: 3}, engine.ColAll)
	defer sub.Close()
	b, err := sub.Next()
	require.NoError(t, err)
	require.Nil(t, b)
	ended := make(chan error, 1)
	go func() { // ends with the third event
		_, err := sub.Next()
		ended <- err
	}()
	for i := range 3 {
		mustAppend(t, s, fmt.Sprint("other-", i), engine.Any, one("1")...)
	}
	require.ErrorContains(t, <-ended, "EOF")
}
