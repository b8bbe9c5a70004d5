package filestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/filestore/internal/index/indextest"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/require"
)

// compareReads asks a ReadIndex everything and compares with the list of its events.
func compareReads(t testing.TB, r *rand.Rand, index engine.ReadIndex, events []engine.Event, filters int) {
	require.Equal(t, engine.Position(len(events)), index.Head())
	compareAll(t, r, index, events)
	compareStreams(t, r, index, events)
	compareLists(t, index, events)
	if len(events) == 0 {
		return
	}
	for range filters {
		f := randomFilter(r, events)
		want := selected(events, &f)
		c := index.Scan(bg, f, engine.ColAll)
		got := readBatches(t, c)
		sameEvents(t, want, got, f)
		compareColumns(t, index, want, f)
		n, err := index.Count(bg, f)
		require.NoError(t, err)
		require.Equal(t, len(want), int(n), "%+v", f)
		var parts []engine.Event
		for _, part := range index.(engine.Parter).Parts(f, 1+r.IntN(5)) {
			part := readBatches(t, index.Scan(bg, part, engine.ColAll))
			if f.Direction == engine.Backwards {
				part = append(part, parts...)
				parts = nil
			}
			parts = append(parts, part...)
		}
		sameEvents(t, want, parts, f)
	}
}

// compareColumns compares scans that read no more than the indexes know.
func compareColumns(t testing.TB, index engine.ReadIndex, want []engine.Event, f engine.Filter) {
	for set := range engine.ColumnSet(8) {
		columns := engine.ColumnSet(0)
		for i, column := range []engine.ColumnSet{engine.ColVersion, engine.ColType, engine.ColTime} {
			if set&(1<<i) != 0 {
				columns |= column
			}
		}
		c := index.Scan(bg, f, columns)
		n := 0
		for b := c.Next(); b != nil; b = c.Next() {
			for i := range b.Len {
				require.Less(t, n, len(want), "%+v", f)
				require.Equal(t, want[n].Position, b.Positions[i], "%+v", f)
				if columns&engine.ColVersion != 0 {
					require.Equal(t, want[n].Version, b.Versions[i], "%+v", f)
				}
				if columns&engine.ColType != 0 {
					require.Equal(t, want[n].Type, b.Types[i], "%+v", f)
				}
				if columns&engine.ColTime != 0 {
					require.Equal(t, want[n].RecordedAt.UnixMicro(), b.Times[i], "%+v", f)
				}
				n++
			}
		}
		require.NoError(t, c.Err())
		require.NoError(t, c.Close())
		if f.Limit <= 0 || n < f.Limit {
			require.Len(t, want, n, "%+v", f)
		}
	}
}

func compareAll(t testing.TB, r *rand.Rand, index engine.ReadIndex, events []engine.Event) {
	n := len(events)
	for _, from := range []engine.Position{-5, -1, 0, engine.Position(r.IntN(n + 1)), engine.Position(n - 1),
		engine.Position(n), engine.Position(n + 7)} {
		for _, dir := range []engine.Direction{engine.Forwards, engine.Backwards} {
			f := engine.Filter{From: from, Direction: dir}
			if dir == engine.Backwards {
				f = engine.Filter{To: from + 1, Direction: dir}
				if from < 0 {
					f.Types = []string{}
				}
			}
			sameEvents(t, selected(events, &f), readCursor(t, index.ReadAll(bg, from, dir)), fmt.Sprint(from, dir))
		}
	}
}

func compareStreams(t testing.TB, r *rand.Rand, index engine.ReadIndex, events []engine.Event) {
	byName := map[string][]engine.Event{}
	for _, e := range events {
		byName[e.Stream] = append(byName[e.Stream], e)
	}
	for _, name := range append(testStreams, "one-0001", "one-0002", "nobody", "") {
		of := byName[name]
		v, ok, err := index.StreamVersion(name)
		require.NoError(t, err)
		require.Equal(t, len(of) > 0, ok)
		require.Equal(t, engine.Version(len(of)-1), v)
		if len(of) == 0 {
			c := index.ReadStream(bg, name, 0, engine.Forwards)
			require.False(t, c.Next())
			require.Equal(t, &engine.StreamNotFoundError{Stream: name}, c.Err())
			continue
		}
		n := engine.Version(len(of))
		for _, from := range []engine.Version{-1, 0, engine.Version(r.IntN(len(of))), n - 1, n, n + 3} {
			sameEvents(t, of[min(max(from, 0), n):], readCursor(t, index.ReadStream(bg, name, from, engine.Forwards)),
				from)
			f := engine.Filter{Direction: engine.Backwards}
			back := selected(of[:min(from+1, n)], &f)
			sameEvents(t, back, readCursor(t, index.ReadStream(bg, name, from, engine.Backwards)), from)
		}
	}
}

func compareLists(t testing.TB, index engine.ReadIndex, events []engine.Event) {
	for _, prefix := range []string{"", "account-", "one-00", "nobody"} {
		require.Equal(t, streamsOf(events, prefix), listStreams(t, index.Streams(bg, prefix)))
	}
	types, err := index.Types(bg)
	require.NoError(t, err)
	require.Equal(t, typesOf(events), types)
}

func TestReadsAgreeWithModel(t *testing.T) {
	r := testRand(t)
	for range rounds(3) {
		l := randomLog(t, r, 1+r.IntN(2000), r.IntN(9))
		compareReads(t, r, l.index(), l.events, 100)
		for range 4 {
			h := r.IntN(len(l.events) + 1)
			compareReads(t, r, l.index().At(engine.Position(h)), l.events[:h], 15)
		}
	}
}

// testRand gives each run another seed, and prints it. EVENTFOLD_SEED repeats a run.
func testRand(t testing.TB) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(testenv.Seed(t), 1))
}

// rounds returns how often a random test is repeated: much more often with EVENTFOLD_TORTURE.
func rounds(n int) int {
	if testenv.Torture() > 0 {
		return 100 * n
	}
	return n
}

func TestReadsWithoutMemoryIndexAgreeWithModel(t *testing.T) {
	r := testRand(t)
	for range rounds(5) {
		l := randomLog(t, r, 1+r.IntN(500), r.IntN(6))
		l.naive(func(n *indextest.Model) index.Index { return sparseIndex{n} })
		compareReads(t, r, l.index(), l.events, 60)
		h := r.IntN(len(l.events) + 1)
		compareReads(t, r, l.index().At(engine.Position(h)), l.events[:h], 20)
	}
}

// TestBlocksStaySmall: a batch that needs many blocks before the first is free again does not make
// each twice as large.
func TestBlocksStaySmall(t *testing.T) {
	m := blockMemory{reuse: true}
	for range 100 {
		b := m.get(4096)
		require.LessOrEqual(t, cap(b), 2*largeBlock)
		m.release(b)
	}
	require.LessOrEqual(t, cap(m.get(3*largeBlock)), 4*largeBlock)
}

// TestReadsWithReuseAgreeWithModel looks at each event before the memory is used again.
func TestReadsWithReuseAgreeWithModel(t *testing.T) {
	r := testRand(t)
	l := randomLog(t, r, 2500, 6)
	for range 60 {
		f := randomFilter(r, l.events)
		want := selected(l.events, &f)
		c := l.index().Scan(bg, f, engine.ColAll)
		c.(engine.Reuser).Reuse()
		for b := c.Next(); b != nil; b = c.Next() {
			for i := range b.Len {
				got := engine.Event{
					Position: b.Positions[i], Stream: b.Streams[i], Version: b.Versions[i], ID: b.IDs[i],
					Type:    b.Types[i],
					Payload: b.Payloads[i], Metadata: b.Metadata[i], Tags: b.Tags[i],
					RecordedAt: time.UnixMicro(b.Times[i]).UTC(),
					JSON:       b.JSON[i], Redacted: b.Redacted[i],
				}
				sameEvents(t, want[:1], []engine.Event{got}, f)
				want = want[1:]
			}
		}
		require.NoError(t, c.Err())
		require.Empty(t, want)
	}
	for _, dir := range []engine.Direction{engine.Forwards, engine.Backwards} {
		for _, c := range []engine.Cursor{l.index().ReadAll(bg, 5000, dir),
			l.index().ReadStream(bg, "account-1", 5000, dir),
			l.index().ReadAll(bg, 0, dir), l.index().ReadStream(bg, "account-1", 0, dir)} {
			c.(engine.Reuser).Reuse()
			n := 0
			for ; c.Next(); n++ {
				e := c.Event()
				sameEvents(t, l.events[e.Position:e.Position+1], []engine.Event{*e}, dir)
			}
			require.NoError(t, c.Err())
		}
	}
}

// TestDataHandedOutStays reads everything before it looks at anything.
func TestDataHandedOutStays(t *testing.T) {
	r := testRand(t)
	l := randomLog(t, r, 3000, 3)
	for range 2 {
		sameEvents(t, l.events, readCursor(t, l.index().ReadAll(bg, 0, engine.Forwards)), "all")
	}
}

// TestColumnsNotAskedForAreEmpty also holds that types and numbers survive the blocks, which are
// then used again.
func TestColumnsNotAskedForAreEmpty(t *testing.T) {
	l := randomLog(t, testRand(t), 3000, 3)
	for bit := engine.ColumnSet(0); bit <= engine.ColAll; bit = max(1, bit*2) {
		c := l.index().Scan(bg, engine.Filter{}, bit)
		n := 0
		for b := c.Next(); b != nil; b = c.Next() {
			for column, length := range map[engine.ColumnSet]int{
				engine.ColStream: len(b.Streams), engine.ColVersion: len(b.Versions), engine.ColID: len(b.IDs),
				engine.ColType: len(b.Types), engine.ColPayload: len(b.Payloads),
				engine.ColMetadata: len(b.Metadata), engine.ColTags: len(b.Tags), engine.ColTime: len(b.Times),
				engine.ColRedacted: len(b.Redacted),
			} {
				require.Equal(t, bit&column != 0, length == b.Len, "asked %b, column %b", bit, column)
				require.True(t, length == 0 || length == b.Len)
			}
			require.Equal(t, len(b.JSON), len(b.Payloads))
			for i := range b.Len {
				e := &l.events[n]
				require.Equal(t, e.Position, b.Positions[i])
				switch bit {
				case engine.ColType:
					require.Equal(t, e.Type, b.Types[i])
				case engine.ColVersion:
					require.Equal(t, e.Version, b.Versions[i])
				case engine.ColTime:
					require.Equal(t, e.RecordedAt.UnixMicro(), b.Times[i])
				}
				n++
			}
		}
		require.NoError(t, c.Err())
		require.Equal(t, len(l.events), n)
	}
}

// TestEqualTypesShareOneString holds what the contract promises of a batch's types.
func TestEqualTypesShareOneString(t *testing.T) {
	l := randomLog(t, testRand(t), 3000, 3)
	c := l.index().Scan(bg, engine.Filter{}, engine.ColType)
	seen := map[string]*byte{}
	for b := c.Next(); b != nil; b = c.Next() {
		for _, name := range b.Types {
			if seen[name] == nil {
				seen[name] = unsafe.StringData(name)
			}
			require.Same(t, seen[name], unsafe.StringData(name))
		}
	}
	require.Len(t, seen, len(testTypes))
}

// TestTruncatedLogBeginsLater reads a log whose first segments are gone.
func TestTruncatedLogBeginsLater(t *testing.T) {
	l := randomLog(t, testRand(t), 2000, 6)
	for len(l.view.segments) < 3 {
		l.append(randomEvent(testRand(t), 1))
		l.seal()
	}
	cut := *l.view
	cut.segments = cut.segments[2:]
	index := newReadIndex(l.shared, &cut, engine.Position(len(l.events)))
	kept := l.events[cut.segments[0].base:]
	sameEvents(t, kept, readCursor(t, index.ReadAll(bg, 0, engine.Forwards)), "all")
	for _, name := range testStreams {
		f := engine.Filter{Streams: []string{name}}
		want := selected(kept, &f)
		if len(want) == 0 {
			continue
		}
		sameEvents(t, want, readCursor(t, index.ReadStream(bg, name, 0, engine.Forwards)), name)
		f.Direction = engine.Backwards
		sameEvents(t, selected(kept, &f), readCursor(t, index.ReadStream(bg, name, 1<<40, engine.Backwards)), name)
	}
}

func TestAtRefusesImpossibleHeads(t *testing.T) {
	index := randomLog(t, testRand(t), 10, 1).index()
	require.Panics(t, func() { index.At(-1) })
	require.Panics(t, func() { index.At(index.Head() + 1) })
	require.Panics(t, func() { index.At(0).At(1) })
}

// TestBrokenIndexMakesReadsSlowNotWrong lets the index of every sealed segment fail, after more and
// more answers.
func TestBrokenIndexMakesReadsSlowNotWrong(t *testing.T) {
	r := testRand(t)
	l := randomLog(t, r, 300, 4)
	for len(l.view.segments) < 3 {
		l.append(randomEvent(r, len(l.events)))
		l.seal()
	}
	rebuilt := 0
	for answers := range 40 {
		var told []*segment
		l.shared.damaged = func(seg *segment, err error) {
			require.ErrorIs(t, err, errBrokenIndex)
			told = append(told, seg)
		}
		l.mem()
		l.naive(func(n *indextest.Model) index.Index {
			left := new(atomic.Int64)
			left.Store(int64(answers))
			return brokenIndex{n, left}
		})
		compareReads(t, r, l.index(), l.events, 3)
		for _, seg := range told {
			require.IsType(t, &index.Memory{}, seg.index())
		}
		rebuilt += len(told)
	}
	require.Greater(t, rebuilt, 40)
}

// TestDamageIsDetected changes bytes of the log, one after the other, and reads by every path: what
// comes out is right, or it is a *CorruptError that names the segment.
func TestDamageIsDetected(t *testing.T) {
	r := testRand(t)
	l := newHandLog(t, vfs.NewMem())
	for i := range 40 {
		e := randomEvent(r, i)
		l.append(e, randomEvent(r, i))
		if i == 20 {
			l.frame(format.FrameNote, len(l.events), 0, []byte("a note"))
			l.seal()
		}
	}
	detected, harmless := 0, 0
	for i, seg := range l.view.segments {
		file := l.hostile(i)
		size, err := file.Size()
		require.NoError(t, err)
		for at := int64(format.SegmentHeaderSize); at < size; at += 1 + r.Int64N(41) {
			flip := byte(1 << r.IntN(8))
			file.damage = func(b []byte, off, _ int64) {
				if at >= off && at < off+int64(len(b)) {
					b[at-off] ^= flip
				}
			}
			found := false
			check := func(what string, want []engine.Event, c engine.Cursor) {
				n := 0
				for ; c.Next(); n++ {
					sameEvents(t, want[n:n+1], []engine.Event{*c.Event()}, what)
				}
				if c.Err() == nil {
					require.Equal(t, len(want), n, what)
					return
				}
				var corrupt *engine.CorruptError
				require.ErrorAs(t, c.Err(), &corrupt)
				require.Equal(t, seg.number, corrupt.Segment)
				require.Equal(t, seg.name, corrupt.File)
				found = true
			}
			back := slices.Clone(l.events)
			slices.Reverse(back)
			check("forwards", l.events, l.index().ReadAll(bg, 0, engine.Forwards))
			check("backwards", back, l.index().ReadAll(bg, engine.Position(len(back)), engine.Backwards))
			for _, name := range testStreams {
				f := engine.Filter{Streams: []string{name}}
				if want := selected(l.events, &f); len(want) > 0 {
					check(name, want, l.index().ReadStream(bg, name, 0, engine.Forwards))
				}
			}
			file.damage = nil
			if found {
				detected++
			} else {
				harmless++ // between frames
			}
		}
	}
	t.Log("detected", detected, "harmless", harmless)
	require.Greater(t, detected, 100)
}

// TestDamageThatGoesAwayIsReadAgain damages every fourth read.
func TestDamageThatGoesAwayIsReadAgain(t *testing.T) {
	r := testRand(t)
	l := randomLog(t, r, 400, 2)
	back := slices.Clone(l.events)
	slices.Reverse(back)
	for i := range l.view.segments {
		l.hostile(i).damage = func(b []byte, _, reads int64) {
			if reads%4 == 1 { // reading again may take up to three reads
				b[r.IntN(len(b))] ^= 1
			}
		}
	}
	for range 30 {
		sameEvents(t, l.events, readCursor(t, l.index().ReadAll(bg, 0, engine.Forwards)), "forwards")
		sameEvents(t, back, readCursor(t, l.index().ReadAll(bg, 1<<40, engine.Backwards)), "backwards")
		f := engine.Filter{Streams: []string{"account-1"}}
		sameEvents(t, selected(l.events, &f), readCursor(t, l.index().ReadStream(bg, "account-1", 0, engine.Forwards)),
			"stream")
	}
}

// TestForgedFramesDoNotPanic changes bytes and makes the checksums right again, as no disk does:
// reads may give what is there, or a *CorruptError, and nothing else.
func TestForgedFramesDoNotPanic(t *testing.T) {
	r := testRand(t)
	for range rounds(300) {
		l := newHandLog(t, vfs.NewMem())
		for i := range 12 {
			l.append(randomEvent(r, i), randomEvent(r, i), randomEvent(r, i))
		}
		l.seal()
		l.append(randomEvent(r, 20), randomEvent(r, 21))
		seg := l.view.segments[r.IntN(2)]
		off, first, err := seg.index().Frame(uint32(r.IntN(2)))
		require.NoError(t, err)
		forgeFrame(t, r, l, seg, off, first)
		check := func(err error) {
			var corrupt *engine.CorruptError
			var notFound *engine.StreamNotFoundError
			if err != nil && !errors.As(err, &corrupt) && !errors.As(err, &notFound) {
				require.NoError(t, err)
			}
		}
		for _, dir := range []engine.Direction{engine.Forwards, engine.Backwards} {
			cursors := []engine.Cursor{l.index().ReadAll(bg, 1000, dir), l.index().ReadAll(bg, 1, dir)}
			for _, name := range testStreams {
				cursors = append(cursors, l.index().ReadStream(bg, name, engine.Version(dir)*100, dir))
			}
			for _, c := range cursors {
				for n := 0; c.Next(); n++ {
					require.Less(t, n, 100)
				}
				check(c.Err())
			}
		}
		if sealed := seg.sealed.Load(); sealed != nil {
			s := segmentReader{ctx: bg, shared: l.shared, store: l.view.store, seg: seg}
			_, err := s.scanIndex()
			check(err)
		}
	}
}

// forgeFrame changes some bytes of the frame at off and corrects the checksums of its header, its
// first record and itself.
func forgeFrame(t *testing.T, r *rand.Rand, l *handLog, seg *segment, off int64, first uint32) {
	header := make([]byte, format.FrameHeaderSize)
	_, err := seg.file.ReadAt(header, off)
	require.NoError(t, err)
	h, err := format.DecodeFrameHeader(header, format.Place{Store: l.view.store, Segment: seg.number, Offset: off})
	require.NoError(t, err)
	b := make([]byte, h.Size)
	_, err = seg.file.ReadAt(b, off)
	require.NoError(t, err)
	for range 1 + r.IntN(2) {
		at := format.FrameSizeAt + r.IntN(format.FrameHeaderSize-format.FrameSizeAt)
		if r.IntN(2) == 0 {
			at = format.FrameHeaderSize + r.IntN(format.EventHeadSize)
		}
		b[at] = []byte{0, 1, 255, byte(r.Uint32())}[r.IntN(4)]
	}
	record := b[format.FrameHeaderSize:]
	if n := format.RecordSize(record); n >= format.EventHeadSize && n <= len(record) {
		crc := format.RecordCRC(record, l.view.store, seg.base+engine.Position(first),
			format.CRC(record[format.EventHeadSize:n]))
		binary.LittleEndian.PutUint32(record[format.RecordCRCAt:], crc)
	}
	binary.LittleEndian.PutUint32(b[format.FrameHeaderCRCAt:], format.FrameHeaderCRC(b, format.Place{
		Store:   l.view.store,
		Segment: seg.number,
		Offset:  off,
	}))
	if size := binary.LittleEndian.Uint32(b[format.FrameSizeAt:]); size >= format.MinFrameSize && int(size) <= len(b) {
		format.PutFrameTrailer(b[:size], format.FrameChain(b[:size]))
	}
	_, err = seg.file.WriteAt(b, off)
	require.NoError(t, err)
}
