package filestore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// BenchmarkFollowers measures what an append in memory costs beside followers of other streams, in
// processor time: each waits for a stream of its own, or, as "woken", for every commit, which it then
// passes over by itself. Bad news: with a stream of its own more than a tenth above nobody's,
// however many there are.
func BenchmarkFollowers(b *testing.B) {
	for _, c := range []struct {
		name  string
		count int
		woken bool
	}{{"none", 0, false}, {"own=100", 100, false}, {"own=1000", 1000, false}, {"woken=1000", 1000, true}} {
		b.Run(c.name, func(b *testing.B) {
			s := openStore(b, "store", Options{FS: vfs.NewMem()})
			mustAppend(b, s, "first", engine.Any, one("1")...)
			ctx, cancel := context.WithCancel(bg)
			var following sync.WaitGroup
			for i := range c.count {
				following.Go(func() { // ends with ctx
					what := engine.Filter{Streams: []string{fmt.Sprint("s-", i)}}
					sub := engine.Subscribe(ctx, s, what, engine.ColAll)
					defer sub.Close()
					if c.woken {
						sub.TellEachHead()
					}
					for _, err := sub.Next(); err == nil; _, err = sub.Next() {
					}
				})
			}
			for int(s.news.waiting.Load()) < c.count {
				time.Sleep(time.Millisecond)
			}
			before := cpuTime()
			b.ResetTimer()
			for range b.N {
				mustAppend(b, s, "busy", engine.Any, one("1")...)
			}
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
			b.StopTimer()
			cancel()
			following.Wait()
		})
	}
}

// BenchmarkOtherProcess measures a store that follows what another one, which is open beside it on
// the same disk, writes every 5 ms: how long after the append has returned an event is delivered
// (less than nothing if that was before), and how much of a processor followers take while nobody
// writes. Polling is the plain way. Bad news: a
// median above 0.5 ms where notices come, more than 0.1 % with 20 followers.
func BenchmarkOtherProcess(b *testing.B) {
	for _, polling := range []bool{false, true} {
		for _, followers := range []int{1, 20, 200} {
			b.Run(fmt.Sprintf("polling=%v/followers=%d", polling, followers), func(b *testing.B) {
				benchmarkOtherProcess(b, polling, followers)
			})
		}
	}
}

func benchmarkOtherProcess(b *testing.B, polling bool, followers int) {
	dir := b.TempDir()
	s := openStore(b, dir, Options{})
	mustAppend(b, s, "first", engine.Any, one("1")...)
	reader := openStore(b, dir, Options{ReadOnly: true, Network: polling})
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	for i := 1; i < followers; i++ {
		go reader.Await(engine.Filter{Streams: []string{fmt.Sprint("s-", i)}}).Wait(ctx, 1) // ends with ctx
	}
	delivered := make(chan time.Time)
	go func() { // ends with ctx
		sub := engine.Subscribe(ctx, reader, engine.Filter{From: 1, Streams: []string{"s"}}, engine.ColAll)
		for batch, err := sub.Next(); err == nil; batch, err = sub.Next() {
			for range batchLen(batch) {
				delivered <- time.Now()
			}
		}
	}()
	for int(reader.news.waiting.Load()) < followers {
		time.Sleep(time.Millisecond)
	}
	const idle = 2 * time.Second
	time.Sleep(idle / 4)
	before := cpuTime()
	time.Sleep(idle)
	idled := 100 * (cpuTime() - before).Seconds() / idle.Seconds()
	var took []time.Duration
	b.ResetTimer()
	for range b.N {
		_, err := s.Append(bg, engine.Append{Stream: "s", Events: one("1")})
		appended := time.Now()
		require.NoError(b, err)
		took = append(took, (<-delivered).Sub(appended))
		time.Sleep(5 * time.Millisecond)
	}
	slices.Sort(took)
	assert.NotEmpty(b, took)
	b.ReportMetric(idled, "idle-%")
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "median-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
}

func batchLen(b *engine.Batch) int {
	if b == nil {
		return 0
	}
	return b.Len
}
