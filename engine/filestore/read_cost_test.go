package filestore

import (
	"fmt"
	"slices"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// costLog makes a log of two segments with n events each, 100 to a frame: of 10 types, one of them
// rare, in n/10 streams.
func costLog(t testing.TB, n int) *handLog {
	l := newHandLog(t, vfs.NewMem())
	for range 2 {
		for range n / 100 {
			frame := make([]engine.Event, 100)
			for i := range frame {
				p := len(l.events) + i
				frame[i] = engine.Event{Stream: fmt.Sprintf("s-%06d", p/10), Type: fmt.Sprintf("type-%d", p%9),
					Payload: make([]byte, 200),
					ID:      uuid.UUID{byte(p >> 16), byte(p >> 8), byte(p)}}
				if p%1000 == 999 {
					frame[i].Type = "rare"
				}
				if p%2 == 0 {
					frame[i].Tags = []string{"even"}
				}
			}
			l.append(frame...)
		}
		if len(l.view.segments) < 2 {
			l.seal()
		}
	}
	return l
}

// TestReadsReadLittle holds how many bytes the usual questions read.
func TestReadsReadLittle(t *testing.T) {
	const n = 20_000 // events per segment, of about 260 bytes
	l := costLog(t, n)
	files := []*hostileFile{l.hostile(0), l.hostile(1)}
	index := l.index()
	scan := func(f engine.Filter) (events, skipped int) {
		c := index.Scan(bg, f, engine.ColAll)
		for f.Limit == 0 || events < f.Limit {
			b := c.Next()
			if b == nil {
				break
			}
			events += b.Len
		}
		require.NoError(t, c.Err())
		_, skipped = c.Examined()
		return events, skipped
	}
	first := func(c engine.Cursor) int {
		require.True(t, c.Next())
		return 1
	}
	sealed, active := l.view.segments[0], l.view.segments[1]
	tests := []struct {
		name   string
		read   func() int
		events int
		bytes  [2]int64 // of each segment, at most
		reads  int64
	}{
		{"the first event", func() int { e, _ := scan(engine.Filter{Limit: 1}); return e }, 1, [2]int64{512, 0}, 1},
		{"the last event", func() int { e, _ := scan(engine.Filter{Limit: 1, Direction: engine.Backwards}); return e },
			1, [2]int64{0, 512}, 3},
		{"the last of a common type", func() int {
			e, _ := scan(engine.Filter{Limit: 1, Direction: engine.Backwards, Types: []string{"type-3"}})
			return e
		}, 1, [2]int64{0, 512}, 2},
		{"the last of a rare type", func() int {
			e, _ := scan(engine.Filter{Limit: 1, Direction: engine.Backwards, Types: []string{"rare"}})
			return e
		}, 1, [2]int64{0, 512}, 3},
		{"ten in the middle", func() int { e, _ := scan(engine.Filter{Limit: 10, From: n/2 + 7}); return e }, 10,
			[2]int64{4096, 0}, 1},
		{"all of a rare type", func() int { e, _ := scan(engine.Filter{Types: []string{"rare"}}); return e },
			2 * n / 1000, [2]int64{20 * 512, 20 * 512}, 2*n/1000 + 1},
		{"rare and even",
			func() int { e, _ := scan(engine.Filter{Types: []string{"rare"}, Tags: []string{"even"}}); return e }, 0,
			[2]int64{0, 0}, 0},
		{"an unknown stream",
			func() int { e, s := scan(engine.Filter{Streams: []string{"nobody"}}); require.Equal(t, 2, s); return e },
			0, [2]int64{0, 0}, 0},
		{"a stream", func() int {
			e, s := scan(engine.Filter{Streams: []string{"s-000100"}})
			require.Equal(t, 1, s)
			return e
		}, 10, [2]int64{4096, 0}, 1},
		{"a version of a stream", func() int {
			e, _ := scan(engine.Filter{
				Streams:       []string{"s-000100"},
				MinVersion:    4,
				MaxVersion:    4,
				HasMaxVersion: true,
			})
			return e
		}, 1, [2]int64{512, 0}, 1},
		{"an event by its id",
			func() int { e, s := scan(engine.Filter{IDs: []uuid.UUID{{0, 1, 2}}}); require.Equal(t, 1, s); return e },
			1, [2]int64{512, 0}, 1},
		{"a time", func() int {
			e, s := scan(engine.Filter{Since: l.events[n+10].RecordedAt, Before: l.events[n+12].RecordedAt})
			require.Equal(t, 1, s)
			return e
		}, 2, [2]int64{0, 65536}, 4},
		{"positions", func() int { e, s := scan(engine.Filter{From: 5, To: 7}); require.Equal(t, 1, s); return e }, 2,
			[2]int64{65536, 0}, 3},
		{"ReadAll, one event", func() int {
			return first(index.ReadAll(bg, n/2, engine.Forwards))
		}, 1, [2]int64{65536, 0}, 3},
		{"ReadStream", func() int {
			return len(readCursor(t, index.ReadStream(bg, "s-000100", 0, engine.Forwards)))
		}, 10, [2]int64{4096, 0}, 1},
		{"ReadStream, the last event", func() int {
			return first(index.ReadStream(bg, "s-000100", 1<<40, engine.Backwards))
		}, 1, [2]int64{4096, 0}, 1},
		{"count of a type", func() int {
			k, err := index.Count(bg, engine.Filter{Types: []string{"rare"}})
			require.NoError(t, err)
			return int(k)
		}, 2 * n / 1000, [2]int64{0, 0}, 0},
		{"types", func() int { k, err := index.Types(bg); require.NoError(t, err); return len(k) }, 10, [2]int64{0, 0},
			0},
		{"streams", func() int { return len(listStreams(t, index.Streams(bg, "s-0001"))) }, 100, [2]int64{0, 0}, 0},
	}
	require.NotNil(t, sealed.sealed.Load())
	require.Nil(t, active.sealed.Load())
	for _, tt := range tests {
		reads := int64(0)
		for _, f := range files {
			f.bytes.Store(0)
			f.reads.Store(0)
		}
		require.Equal(t, tt.events, tt.read(), tt.name)
		for i, f := range files {
			require.LessOrEqual(t, f.bytes.Load(), tt.bytes[i], "%s, bytes of segment %d", tt.name, i)
			reads += f.reads.Load()
		}
		require.LessOrEqual(t, reads, tt.reads, "%s, reads", tt.name)
	}
}

// TestReadsStayBelowTheWatermark reads an active segment whose file goes on behind the head.
func TestReadsStayBelowTheWatermark(t *testing.T) {
	r := testRand(t)
	l := newHandLog(t, vfs.NewMem())
	for i := range 200 {
		l.append(randomEvent(r, i), randomEvent(r, i))
		events := slices.Clone(l.events)
		if i%20 != 7 {
			continue
		}
		file := l.hostile(0)
		file.bound = l.off
		index := l.index()
		for range 3 {
			l.append(randomEvent(r, i))
		}
		compareReads(t, r, index, events, 30)
		l.view.segments[0].file = file.File
	}
}

// TestReadingAllocatesBlocksOnly holds that events cost no allocation of their own.
func TestReadingAllocatesBlocksOnly(t *testing.T) {
	skipUnderRace(t)
	const n = 20_000
	l := costLog(t, n/2)
	const blocks = n * 400 / largeBlock
	all := func(reuse bool, dir engine.Direction) func() {
		return func() {
			c := l.index().ReadAll(bg, engine.Position(dir)*n, dir)
			if reuse {
				c.(engine.Reuser).Reuse()
			}
			k := 0
			for c.Next() {
				k++
			}
			require.Equal(t, n, k)
			c.Close()
		}
	}
	scan := func(columns engine.ColumnSet, f engine.Filter) func() {
		return func() {
			c := l.index().Scan(bg, f, columns)
			for c.Next() != nil {
			}
			require.NoError(t, c.Err())
			c.Close()
		}
	}
	stream := func() {
		c := l.index().ReadStream(bg, "s-000100", 0, engine.Forwards)
		for c.Next() {
		}
		require.NoError(t, c.Err())
		c.Close()
	}
	for _, tt := range []struct {
		name  string
		read  func()
		least float64 // allocations at most
	}{
		{"forwards", all(false, engine.Forwards), 40 + blocks + n/2/256},
		{"backwards", all(false, engine.Backwards), 40 + blocks + n/2/256},
		{"forwards with reuse", all(true, engine.Forwards), 40 + n/2/256},
		{"backwards with reuse", all(true, engine.Backwards), 40 + n/2/256},
		{"payloads", scan(engine.ColPayload|engine.ColType, engine.Filter{}), 60 + blocks},
		{"types", scan(engine.ColType, engine.Filter{}), 110}, // records first, then columns that are made of the index
		{"a type", scan(engine.ColType|engine.ColTime, engine.Filter{Types: []string{"type-1"}}), 110},
		{"a stream of 10", stream, 16},
	} {
		require.LessOrEqual(t, testing.AllocsPerRun(5, tt.read), tt.least, tt.name)
	}
}

// TestStreamsAllocateLittle holds what reading a stream of a store on a disk allocates.
func TestStreamsAllocateLittle(t *testing.T) {
	skipUnderRace(t)
	for _, tt := range []struct{ events, allocs int }{{10, 18}, {1000, 80}} {
		s, names := benchStore(t, 4000, tt.events, 4)
		for i := range 3 { // by then all has been read before
			least := testing.AllocsPerRun(len(names)-1, func() {
				i++
				c := s.ReadIndex().ReadStream(bg, names[i%len(names)], 0, engine.Forwards)
				c.(engine.Reuser).Reuse()
				k := 0
				for c.Next() {
					k++
				}
				require.NoError(t, c.Err())
				if k != tt.events {
					t.Errorf("%d events", k)
				}
				c.Close()
			})
			if i > 0 {
				require.LessOrEqual(t, least, float64(tt.allocs), "a stream of %d", tt.events)
			}
		}
		require.NoError(t, s.Close())
	}
}

// TestPartsDivideEvenly holds that the parts of a long scan are of about equal size, begin with
// frames, and lose nothing.
func TestPartsDivideEvenly(t *testing.T) {
	l := costLog(t, 10_000)
	index := l.index()
	for _, f := range []engine.Filter{{}, {From: 777, To: 17_001}, {Types: []string{"type-1"}},
		{Since: l.events[7_000].RecordedAt},
		{Before: l.events[7_000].RecordedAt, Direction: engine.Backwards}} {
		whole := selected(l.events, &engine.Filter{From: f.From, To: f.To, Since: f.Since, Before: f.Before})
		for _, n := range []int{1, 2, 4} {
			parts := index.Parts(f, n)
			if n == 1 {
				require.Equal(t, []engine.Filter{f}, parts)
				continue
			}
			require.GreaterOrEqual(t, len(parts), min(n, len(whole)/minPart))
			require.LessOrEqual(t, len(parts), n)
			var got []engine.Event
			for i, part := range parts {
				events := len(selected(whole, &engine.Filter{From: part.From, To: part.To}))
				require.InDelta(t, len(whole)/len(parts), events, 150, "part %d of %d", i, n)
				require.True(t, i == 0 || part.From%100 == 0, "part %d begins at %d, within a frame", i, part.From)
				if part.Direction = engine.Forwards; true {
					got = append(got, readBatches(t, index.Scan(bg, part, engine.ColAll))...)
				}
			}
			forwards := f
			forwards.Direction = engine.Forwards
			sameEvents(t, selected(l.events, &forwards), got, f)
		}
	}
	require.Len(t, index.Parts(engine.Filter{To: 5000}, 8), 1, "not worth a goroutine")
	require.Len(t, index.Parts(engine.Filter{Types: []string{}}, 8), 1)
}

// TestDamagedBeginningOfActiveIndex continues an index file that turns out to be damaged.
func TestDamagedBeginningOfActiveIndex(t *testing.T) {
	r := testRand(t)
	for range 20 {
		fsys := vfs.NewMem()
		l := newHandLog(t, fsys)
		frame := func() {
			l.append(randomEvent(r, len(l.events)), randomEvent(r, len(l.events)))
		}
		for range 1 + r.IntN(100) {
			frame()
		}
		seg := l.last()
		m := index.Meta{
			Store:  l.view.store,
			Number: seg.number,
			Base:   0,
			Count:  uint32(len(l.events)),
			End:    l.off,
			Chain:  l.chain,
		}
		require.NoError(t, index.WriteFile(bg, fsys, "x.idx", seg.index().(*index.Memory), m))
		damageBlocks(t, fsys, "x.idx", r)
		file, err := index.OpenFile(fsys, "x.idx", m, index.NewBlockCache(1<<20, 1<<20))
		require.NoError(t, err)
		seg.setIndex(index.NewMemoryBehind(file))
		for range r.IntN(30) {
			frame()
		}
		compareReads(t, r, l.index(), l.events, 20)
		require.Nil(t, seg.index().(*index.Memory).PrefixFile())
		require.NoError(t, file.Close())
	}
}
