package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// orderEvent makes an event as programs store them: 256 bytes of JSON with numbers, names and a
// sentence, no two the same.
func orderEvent(r *rand.Rand, id int) engine.NewEvent {
	words := strings.Fields("please deliver to the back door after five and ring twice the parcel is heavy leave it " +
		"with our neighbour if nobody answers call first thank you")
	payload := fmt.Appendf(nil,
		`{"order":%d,"customer":"c-%06d","amount":%d,"currency":"EUR","lines":[{"sku":"A-%04d","n":%d}],"note":"`,
		1_000_000+id, r.IntN(100_000), r.IntN(100_000), r.IntN(3000), 1+r.IntN(9))
	for len(payload) < 254 {
		payload = append(append(payload, words[r.IntN(len(words))]...), ' ')
	}
	payload = append(payload[:254], `"}`...)
	return engine.NewEvent{Type: fmt.Sprintf("Order%s",
		[]string{"Placed", "Paid", "Packed", "Shipped", "Closed"}[r.IntN(5)]), Payload: payload,
		Metadata: fmt.Appendf(nil, `{"user":"u-%05d"}`, r.IntN(500))}
}

// appendOrders appends n orders in groups of ten, over some streams. The same r gives the same
// ones.
func appendOrders(t testing.TB, s engine.Store, r *rand.Rand, n int) {
	for i := 0; i < n; i += 10 {
		var events []engine.NewEvent
		for j := range 10 {
			events = append(events, orderEvent(r, i+j))
		}
		_, err := s.Append(context.Background(), engine.Append{
			Stream: fmt.Sprintf("order-%d", r.IntN(n/40+1)),
			Events: events,
		})
		require.NoError(t, err)
	}
}

// compressOptions are those of a store of several segments with several blocks each, which is the
// same whenever it is made.
func compressOptions(fsys vfs.FS, compress Compression) Options {
	now := time.UnixMilli(1_750_000_000_000)
	return Options{FS: fsys, SegmentSize: 256 << 10, Prealloc: PreallocNone, Compress: compress,
		Rand: rand.NewChaCha8([32]byte{7}),
		Now:  func() time.Time { now = now.Add(time.Millisecond); return now }}
}

// settleCompression waits until every complete segment is compressed.
func settleCompression(t testing.TB, s *FileStore) {
	t.Helper()
	require.Eventually(t, func() bool { st := s.Stats(); return st.Compressed == st.Segments-1 && st.Compressed > 0 },
		30*time.Second, time.Millisecond)
}

// everything reads a store in every way: whole in both directions, every stream, and single events
// in random order.
func everything(t testing.TB, s engine.Store) []engine.Event {
	t.Helper()
	ctx, index := context.Background(), s.ReadIndex()
	all := drain(t, index.ReadAll(ctx, 0, engine.Forwards))
	back := drain(t, index.ReadAll(ctx, index.Head(), engine.Backwards))
	require.Len(t, back, len(all))
	streams := map[string][]engine.Event{}
	for i := range all {
		require.Equal(t, all[i], back[len(back)-1-i])
		streams[all[i].Stream] = append(streams[all[i].Stream], all[i])
	}
	for stream, want := range streams {
		require.Equal(t, want, drain(t, index.ReadStream(ctx, stream, 0, engine.Forwards)), stream)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		e := all[r.IntN(len(all))]
		c := index.ReadAll(ctx, e.Position, engine.Forwards)
		require.True(t, c.Next())
		require.Equal(t, e, *c.Event())
		require.NoError(t, c.Close())
		c = index.ReadStream(ctx, e.Stream, e.Version, engine.Backwards)
		require.True(t, c.Next())
		require.Equal(t, e, *c.Event())
		require.NoError(t, c.Close())
	}
	return all
}

func drain(t testing.TB, c engine.Cursor) (all []engine.Event) {
	t.Helper()
	for c.Next() {
		all = append(all, *c.Event())
	}
	require.NoError(t, c.Err())
	require.NoError(t, c.Close())
	return all
}

// compressedStore makes a store of compressed segments and returns its files, closed, and its
// events.
func compressedStore(t testing.TB, orders int) (image, []engine.Event) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, compressOptions(fsys, CompressZstd))
	appendOrders(t, s, rand.New(rand.NewPCG(3, 3)), orders)
	settleCompression(t, s)
	all := everything(t, s)
	require.NoError(t, s.Close())
	return takeImage(t, fsys), all
}

// A store is the same store when its segments are compressed: events, chain, indexes and what
// Verify says.
func TestCompressedIsTheSame(t *testing.T) {
	const n = 3000
	plainFS, packedFS := vfs.NewMem(), vfs.NewMem()
	plain := openStore(t, imageDir, compressOptions(plainFS, CompressNone))
	packed := openStore(t, imageDir, compressOptions(packedFS, CompressZstd))
	appendOrders(t, plain, rand.New(rand.NewPCG(3, 3)), n)
	appendOrders(t, packed, rand.New(rand.NewPCG(3, 3)), n)
	settleIndexes(t, plain)
	settleCompression(t, packed)
	require.Greater(t, packed.Stats().Compressed, 3)
	assert.Zero(t, plain.Stats().Compressed)
	require.Eventually(t, func() bool {
		return packed.Stats().DiskBytes < plain.Stats().DiskBytes/2
	}, time.Minute, time.Millisecond, "when the old files have gone")

	want := everything(t, plain)
	require.Len(t, want, n)
	require.Equal(t, want, everything(t, packed))
	one, err := plain.Verify(context.Background())
	require.NoError(t, err)
	two, err := packed.Verify(context.Background())
	require.NoError(t, err)
	require.Equal(t, one, two)
	require.Equal(t, packed.Stats().Segments-1, two.Indexes)
	require.NoError(t, plain.Close())
	require.NoError(t, packed.Close())

	before, after := takeImage(t, plainFS), takeImage(t, packedFS)
	logs, indexes := 0, 0
	for name, b := range before {
		number, _, isLog := format.ParseSegmentFileName(name)
		switch {
		case strings.HasSuffix(name, ".idx"):
			require.Equal(t, b, after[name], name)
			indexes += len(b)
		case isLog && after[name] == nil:
			logs += len(after[format.SegmentFileName(number, 1)])
			require.NotEmpty(t, after[format.SegmentFileName(number, 1)])
		}
	}
	events := len(want) * two.Segments / (two.Segments + 1)
	t.Logf("about %d bytes per event in a compressed segment, %d in its index, of 256 bytes of payload", logs/events,
		indexes/len(want))

	for _, compress := range []Compression{CompressNone, CompressZstd} {
		options := compressOptions(packedFS, compress)
		s := openStore(t, imageDir, options)
		require.Equal(t, two.Segments-1, s.Stats().Compressed)
		require.Equal(t, want, everything(t, s))
		again, err := s.Verify(context.Background())
		require.NoError(t, err)
		require.Equal(t, two, again)
		require.NoError(t, s.Close())
	}
	require.Equal(t, after, takeImage(t, packedFS), "reading has changed something")
}

// The size that events have on the disk when they are orders of 256 bytes, committed by the hundred
// and by the one.
func TestCompressedSize(t *testing.T) {
	for _, group := range []int{100, 1} {
		fsys := vfs.NewMem()
		s := openStore(t, imageDir, Options{
			FS:          fsys,
			SegmentSize: 1 << 20,
			Prealloc:    PreallocNone,
			Compress:    CompressZstd,
		})
		r := rand.New(rand.NewPCG(5, 5))
		for n := 0; s.Stats().Segments < 3; n += group {
			var batch []engine.Append
			for i := range group {
				batch = append(batch, engine.Append{
					Stream: fmt.Sprintf("order-%06d", (n+i)/10),
					Events: []engine.NewEvent{orderEvent(r, n+i)},
				})
			}
			_, err := s.Append(context.Background(), batch...)
			require.NoError(t, err)
		}
		settleCompression(t, s)
		logs, indexes, events := int64(0), int64(0), int64(0)
		for _, seg := range s.view.Load().segments[:2] {
			info, err := fsys.Stat(seg.name)
			require.NoError(t, err)
			logs += info.Size
			info, err = fsys.Stat(seg.indexName())
			require.NoError(t, err)
			indexes += info.Size
			events += int64(seg.sealed.Load().count)
		}
		t.Logf("groups of %d: %d bytes per event compressed, and %d of index", group, logs/events, indexes/events)
		if group > 1 {
			assert.LessOrEqual(t, (logs+indexes)/events, int64(150))
		}
		require.NoError(t, s.Close())
	}
}

// Every part of a compressed segment is changed, bit by bit and sector by sector. Whoever reads all
// of it notices, or is given what was written.
func TestCompressedDamage(t *testing.T) {
	testenv.WithoutRace(t)
	img, want := compressedStore(t, 2000)
	name := format.SegmentFileName(2, 1)
	whole := img[name]
	require.NotEmpty(t, whole)
	file := func(at, n int, change func(b []byte)) image {
		b := bytes.Clone(whole)
		change(b[at:min(at+n, len(b))])
		return img.with(name, b)
	}
	found, harmless := 0, 0
	check := func(damaged image, where string) {
		s, err := Open(imageDir, Options{FS: damaged.fs(t)})
		if err != nil {
			requireLoud(t, err)
			found++
			return
		}
		defer s.Close()
		_, verified := s.Verify(context.Background())
		c := s.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)
		defer c.Close()
		for n := 0; c.Next(); n++ {
			require.Equal(t, want[n], *c.Event(), where)
		}
		if err := errors.Join(verified, c.Err()); err != nil {
			var corrupt *engine.CorruptError
			require.ErrorAs(t, verified, &corrupt, where)
			require.Equal(t, int64(2), corrupt.Segment, where)
			require.Contains(t, corrupt.File, name, where)
			if c.Err() != nil {
				require.ErrorAs(t, c.Err(), &corrupt, where)
			}
			found++
			return
		}
		harmless++
	}
	flip := func(b []byte) { b[0] ^= 0x20 }
	for at := 0; at < len(whole); at += 641 {
		check(file(at, 1, flip), fmt.Sprintf("byte %d", at))
	}
	for at := 0; at < len(whole); at += 4096 {
		check(file(at, 512, func(b []byte) { clear(b) }), fmt.Sprintf("sector at %d", at))
	}
	layout, err := format.DecodeLayout(whole[:format.SegmentHeaderSize], name)
	require.NoError(t, err)
	require.Greater(t, int(layout.Blocks), 2)
	for _, size := range []int{0, 100, 5000, len(whole) / 2, int(layout.Maps[0]) + 4} {
		check(img.with(name, whole[:size]), fmt.Sprintf("cut to %d", size))
	}
	t.Logf("%d damaged files noticed, %d read as they were written", found, harmless)
	require.Positive(t, found)

	// Both copies of what there are two of make the segment unreadable; one is enough.
	twice := func(a, b int) image {
		c := bytes.Clone(whole)
		c[a] ^= 1
		c[b] ^= 1
		return img.with(name, c)
	}
	for what, at := range map[string][2]int{
		"header": {50, format.SegmentSecondCopy + 50},
		"layout": {format.LayoutAt, format.SegmentSecondCopy + format.LayoutAt},
		"map":    {int(layout.Maps[0]) + 5, int(layout.Maps[1]) + 5},
	} {
		_, err := Open(imageDir, Options{FS: twice(at[0], at[1]).fs(t)})
		var corrupt *engine.CorruptError
		require.ErrorAs(t, err, &corrupt, what)
		require.Equal(t, want[corrupt.FirstLost].Position, corrupt.FirstLost)
		s, err := Open(imageDir, Options{FS: file(at[0], 1, flip).fs(t)})
		require.NoError(t, err, what)
		require.Equal(t, want, everything(t, s))
		require.NoError(t, s.Close())
	}
	other := bytes.Clone(whole)
	for _, at := range []int{0, format.SegmentSecondCopy} {
		other[at+format.LayoutAt+36] = 9 // a codec of the future
		copy(other[at+format.LayoutCRCAt:], binaryCRC(other[at:at+format.LayoutCRCAt]))
	}
	_, err = Open(imageDir, Options{FS: img.with(name, other).fs(t)})
	var format *engine.FormatError
	require.ErrorAs(t, err, &format)
}

func binaryCRC(b []byte) []byte {
	c := format.CRC(b)
	return []byte{byte(c), byte(c >> 8), byte(c >> 16), byte(c >> 24)}
}

// Damage costs the events of a block, and Salvage saves the others, in front of it and behind.
func TestSalvageOfCompressed(t *testing.T) {
	img, want := compressedStore(t, 2000)
	name := format.SegmentFileName(2, 1)
	b := bytes.Clone(img[name])
	layout, err := format.DecodeLayout(b[:format.SegmentHeaderSize], name)
	require.NoError(t, err)
	b[format.SegmentHeaderSize+(int(layout.Maps[0])-format.SegmentHeaderSize)*2/5] ^= 1
	fsys := img.with(name, b).fs(t)
	report, err := Salvage(context.Background(), imageDir, "saved", Options{
		FS:          fsys,
		Compress:    CompressZstd,
		SegmentSize: 256 << 10,
	})
	require.NoError(t, err)
	require.Len(t, report.Gaps, 1)
	gap := report.Gaps[0]
	require.Positive(t, gap.To-gap.From)
	require.Less(t, int(gap.To-gap.From), len(want)/5)
	require.Equal(t, int64(len(want))-int64(gap.To-gap.From), report.Events)
	s := openStore(t, "saved", Options{FS: fsys})
	got := everything(t, s)
	require.Equal(t, want[gap.From-1].Payload, got[gap.From-1].Payload)
	require.Equal(t, want[gap.To].Payload, got[gap.From].Payload)
}

// A backup of a compressed store is one too, whole and incremental, also if segments are compressed
// while it is made.
func TestBackupOfCompressed(t *testing.T) {
	ctx := context.Background()
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, compressOptions(fsys, CompressNone))
	appendOrders(t, s, rand.New(rand.NewPCG(3, 3)), 2000)
	settleIndexes(t, s)
	check := func(compressed int) {
		t.Helper()
		b := openStore(t, "backup", Options{FS: fsys, ReadOnly: true})
		report := b.OpenReport()
		require.Empty(t, report.String())
		require.Equal(t, compressed, b.Stats().Compressed)
		require.Equal(t, everything(t, s), everything(t, b))
		_, err := b.Verify(ctx)
		require.NoError(t, err)
		require.NoError(t, b.Close())
	}
	_, err := s.Backup(ctx, "backup")
	require.NoError(t, err)
	check(0)

	old := s.ReadIndex().(*readIndex) // with the files that are about to be replaced
	require.NoError(t, s.Close())
	s = openStore(t, imageDir, compressOptions(fsys, CompressZstd))
	appendOrders(t, s, rand.New(rand.NewPCG(4, 4)), 500)
	settleCompression(t, s)
	_, err = s.Backup(ctx, "backup")
	require.NoError(t, err)
	check(s.Stats().Segments - 1)

	// The head lies at the end of a compressed segment: of that one a copy is made that ends there.
	seg := s.view.Load().segments[2]
	b, err := s.newBackup(ctx, "early")
	require.NoError(t, err)
	b.index = s.ReadIndex().At(seg.base).(*readIndex)
	head, err := s.current().headAt(seg.base)
	require.NoError(t, err)
	b.report.Head = head
	require.NoError(t, b.make())
	early := openStore(t, "early", Options{FS: fsys})
	require.Equal(t, everything(t, s)[:seg.base], everything(t, early))
	appendOrders(t, early, rand.New(rand.NewPCG(5, 5)), 100)
	_, err = early.Verify(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, early.Stats().Compressed)

	// The file of a segment goes while Backup is on the way to it.
	require.NotEmpty(t, old.view.segments)
	raw := openStore(t, "raw", compressOptions(fsys, CompressNone))
	appendOrders(t, raw, rand.New(rand.NewPCG(3, 3)), 2000)
	settleIndexes(t, raw)
	index := raw.ReadIndex().(*readIndex)
	require.NoError(t, fsys.Remove(index.view.segments[0].name))
	b, err = raw.newBackup(ctx, "late")
	require.NoError(t, err)
	b.index = index
	require.NoError(t, b.make())
	late := openStore(t, "late", Options{FS: fsys})
	require.Equal(t, everything(t, raw), everything(t, late))
}

// A process that reads follows while another one writes and compresses: it sees every event, takes
// the new files, and lets go of the old ones.
func TestFollowCompression(t *testing.T) {
	dir := t.TempDir()
	options := Options{SegmentSize: 256 << 10, Prealloc: PreallocNone, Compress: CompressZstd}
	s := openStore(t, dir, options)
	r := rand.New(rand.NewPCG(3, 3))
	appendOrders(t, s, r, 100)
	reader := openStore(t, dir, Options{ReadOnly: true})
	stuck := drainPart(t, reader, 50)
	for range 8 {
		appendOrders(t, s, r, 400)
		require.NoError(t, reader.Wait(context.Background(), s.ReadIndex().Head()-1))
		require.Equal(t, everything(t, s), everything(t, reader))
	}
	settleCompression(t, s)
	appendOrders(t, s, r, 10) // the reader looks when there is something new
	require.Eventually(t, func() bool {
		reader.ReadIndex()
		return reader.Stats().Compressed == s.Stats().Compressed
	}, time.Minute, time.Millisecond)
	all := everything(t, s)
	require.Equal(t, all, everything(t, reader))
	require.Equal(t, all[50:100], drainN(t, stuck, 50), "a cursor goes on in the file it has open")
	require.NoError(t, stuck.Close())
	late := openStore(t, dir, Options{ReadOnly: true})
	require.Equal(t, all, everything(t, late))
	require.NoError(t, late.Close())

	require.Eventually(t, func() bool {
		runtime.GC()
		s.retired.mu.Lock()
		defer s.retired.mu.Unlock()
		return len(s.retired.files) == 0
	}, time.Minute, time.Millisecond, "nobody has the old segments any more, and their files are still open")

	// The reader becomes the writer.
	require.NoError(t, reader.Close())
	second := openStore(t, dir, Options{SegmentSize: 256 << 10, Prealloc: PreallocNone})
	all = everything(t, second)
	appendOrders(t, s, r, 1000)
	settleCompression(t, s)
	require.NoError(t, s.Close())
	appendOrders(t, second, r, 10)
	require.Equal(t, second.Stats().Segments-1, second.Stats().Compressed)
	require.NoError(t, second.Close())
	third := openStore(t, dir, options)
	require.Equal(t, all, everything(t, third)[:len(all)])
	_, err := third.Verify(context.Background())
	require.NoError(t, err)
}

// drainPart reads the first n events and leaves the cursor open.
func drainPart(t testing.TB, s engine.Store, n int) engine.Cursor {
	c := s.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)
	drainN(t, c, n)
	return c
}

func drainN(t testing.TB, c engine.Cursor, n int) (events []engine.Event) {
	for range n {
		require.True(t, c.Next())
		events = append(events, *c.Event())
	}
	return events
}

// When the disk is full a segment stays as it is, nothing is left of the attempt, and it is made up
// for when there is room.
func TestCompressWithoutRoom(t *testing.T) {
	fsys := &faultFS{FS: vfs.NewMem()}
	var full atomic.Bool
	var refused atomic.Int64
	full.Store(true)
	fsys.set(func(op, name string) error {
		if name == compressTemp && op == "write" && full.Load() && refused.Add(1)%3 == 0 {
			return syscall.ENOSPC
		}
		return nil
	})
	options := compressOptions(fsys, CompressZstd)
	options.SegmentSize = 512 << 10
	s := openStore(t, imageDir, options)
	s.indexer.mu.Lock()
	s.indexer.retry = time.Millisecond
	s.indexer.mu.Unlock()
	appendOrders(t, s, rand.New(rand.NewPCG(3, 3)), 3000)
	require.Eventually(t, func() bool { return refused.Load() >= 6 }, time.Minute, time.Millisecond)
	assert.Zero(t, s.Stats().Compressed)
	want := everything(t, s)
	full.Store(false)
	settleCompression(t, s)
	require.Equal(t, want, everything(t, s))
	require.NoError(t, s.Close())
	for name := range takeImage(t, fsys) {
		_, generation, ok := format.ParseSegmentFileName(name)
		assert.NotEqual(t, compressTemp, name)
		assert.True(t, !ok || generation == 1 || name == format.SegmentFileName(int64(s.Stats().Segments), 0), name)
	}
}

// A store is closed while it compresses, at every step. What is there afterwards is the old file or
// the new one, and the next process that writes removes what is of no use.
func TestCloseWhileCompressing(t *testing.T) {
	base := vfs.NewMem()
	s := openStore(t, imageDir, compressOptions(base, CompressNone))
	appendOrders(t, s, rand.New(rand.NewPCG(3, 3)), 1500)
	settleIndexes(t, s)
	want := everything(t, s)
	require.NoError(t, s.Close())
	img := takeImage(t, base)
	var calls atomic.Int64
	open := func(do func(call int64)) (*faultFS, *FileStore) {
		fsys := &faultFS{FS: img.fs(t)}
		s := openStore(t, imageDir, compressOptions(fsys, CompressZstd))
		calls.Store(0)
		fsys.set(func(_, name string) error {
			if name == compressTemp || strings.Contains(name, ".1.log") {
				do(calls.Add(1))
			}
			return nil
		})
		return fsys, s
	}
	_, s = open(func(int64) {})
	mustAppend(t, s, "order-0", engine.Any, one("{}")...)
	settleCompression(t, s)
	require.NoError(t, s.Close())
	steps := calls.Load()
	require.Greater(t, steps, int64(20))
	sawOld, sawNew := false, false
	for step := int64(1); step <= steps; step += 2 {
		reached, closed := make(chan struct{}), make(chan struct{})
		fsys, s := open(func(call int64) {
			if call == step {
				close(reached)
			}
		})
		mustAppend(t, s, "order-0", engine.Any, one("{}")...)
		go func() {
			<-reached
			assert.NoError(t, s.Close())
			close(closed)
		}()
		<-closed
		again := openStore(t, imageDir, compressOptions(fsys, CompressNone))
		report := again.OpenReport()
		require.Empty(t, report.String())
		require.Equal(t, want, everything(t, again)[:len(want)])
		sawOld = sawOld || again.Stats().Compressed < again.Stats().Segments-1
		sawNew = sawNew || again.Stats().Compressed > 0
		mustAppend(t, again, "order-0", engine.Any, one("{}")...)
		files := takeImage(t, fsys)
		assert.NotContains(t, files, compressTemp)
		for _, seg := range again.view.Load().segments {
			other := format.SegmentFileName(seg.number, 1-seg.generation)
			assert.NotContains(t, files, other, "step %d", step)
		}
		require.NoError(t, again.Close())
	}
	assert.True(t, sawOld)
	assert.True(t, sawNew)
}

// Which of two generations is used: the one that MANIFEST names; if it is lost the newest one that
// is whole.
func TestTwoGenerations(t *testing.T) {
	plainFS := vfs.NewMem()
	s := openStore(t, imageDir, compressOptions(plainFS, CompressNone))
	appendOrders(t, s, rand.New(rand.NewPCG(3, 3)), 2000)
	settleIndexes(t, s)
	require.NoError(t, s.Close())
	before := takeImage(t, plainFS)
	img, want := compressedStore(t, 2000)
	first, second := format.SegmentFileName(1, 0), format.SegmentFileName(1, 1)
	both := img.with(first, before[first])
	damaged := bytes.Clone(both[second])
	damaged[50], damaged[format.SegmentSecondCopy+50] = 99, 99
	for _, tt := range []struct {
		name       string
		image      image
		compressed bool // segment 1 of the opened store
	}{
		{"MANIFEST names the new one", both, true},
		{"MANIFEST names the old one", before.with(second, img[second]), false},
		{"MANIFEST is lost", both.with(format.ManifestName, nil), true},
		{"MANIFEST is lost, and the new one damaged", both.with(format.ManifestName, nil).with(second, damaged), false},
		{"the one that MANIFEST names is not there", both.with(second, nil), false},
	} {
		fsys := tt.image.fs(t)
		s := openStore(t, imageDir, compressOptions(fsys, CompressNone))
		require.Equal(t, tt.compressed, s.view.Load().segments[0].compressed, tt.name)
		require.Equal(t, want, everything(t, s), tt.name)
		mustAppend(t, s, "order-0", engine.Any, one("{}")...)
		require.NoError(t, s.Close())
		_, err := fsys.Stat(vfs.Join(imageDir, first))
		require.Equal(t, !tt.compressed, err == nil, tt.name)
		_, err = fsys.Stat(vfs.Join(imageDir, second))
		require.Equal(t, tt.compressed, err == nil, tt.name)
	}
}

// A segment that is damaged is left as it is: the damage is for reading and Verify to report, and
// the file for Salvage.
func TestCompressorLeavesDamageAlone(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, compressOptions(fsys, CompressNone))
	appendOrders(t, s, rand.New(rand.NewPCG(3, 3)), 2000)
	settleIndexes(t, s)
	require.NoError(t, s.Close())
	img := takeImage(t, fsys)
	name := format.SegmentFileName(2, 0)
	b := bytes.Clone(img[name])
	b[100_000] ^= 1
	fsys = img.with(name, b).fs(t)
	s = openStore(t, imageDir, compressOptions(fsys, CompressZstd))
	mustAppend(t, s, "order-0", engine.Any, one("{}")...)
	segments := s.Stats().Segments
	require.Eventually(t, func() bool { return s.Stats().Compressed == segments-2 }, time.Minute, time.Millisecond)
	_, err := s.Verify(context.Background())
	var corrupt *engine.CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.NoError(t, s.Close())
	require.Equal(t, b, takeImage(t, fsys)[name])
}

// The file is an engine.File like another: it reads any bytes at any place, and cannot be written
// to.
func TestCompressedFileReads(t *testing.T) {
	for _, size := range []int{format.SegmentHeaderSize, format.SegmentHeaderSize + 1,
		format.SegmentHeaderSize + format.PackedBlockSize, 3*format.PackedBlockSize + 77, 20 * format.PackedBlockSize} {
		for _, block := range []int{format.PackedBlockSize, format.MaxPackedBlock} { // as now, and as before
			checkCompressedFile(t, size, block)
		}
	}
}

func checkCompressedFile(t *testing.T, size, block int) {
	r := rand.New(rand.NewPCG(1, 1))
	fsys := vfs.NewMem()
	h := format.SegmentHeader{Store: uuid.New(), Number: 3, Base: 10}
	content := h.Encode()
	for len(content) < size { // stretches that get smaller, and stretches that do not
		part := bytes.Repeat([]byte{byte(len(content))}, 30_000)
		if r.IntN(2) == 0 {
			for i := range part {
				part[i] = byte(r.Uint32())
			}
		}
		content = append(content, part...)
	}
	content = content[:size]
	src, err := fsys.Open("src", os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	require.NoError(t, vfs.WriteFull(src, content, 0))
	p, err := newPackerOf(block)
	require.NoError(t, err)
	f, err := fsys.Open("packed", os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	packed := h
	packed.Incompatible, packed.Flags = format.FeatureCompressed, format.SegmentCompressed
	require.NoError(t, p.pack(context.Background(), f, &rewriting{seg: &segment{}, content: src, size: int64(size)},
		&packed))

	cache := newPlainCache(DefaultCompressCache)
	head, err := readSegmentHeader(f, "packed")
	require.NoError(t, err)
	z, head, err := cache.unpack(f, head, "packed")
	require.NoError(t, err)
	require.Equal(t, h, head)
	got, err := z.Size()
	require.NoError(t, err)
	require.Equal(t, int64(size), got)
	for range 300 {
		off, n := r.IntN(size+10), r.IntN(1+r.IntN(3*block))
		a, b := make([]byte, n), make([]byte, n)
		na, errA := src.ReadAt(a, int64(off))
		nb, errB := z.ReadAt(b, int64(off))
		require.Equal(t, na, nb)
		require.Equal(t, a[:na], b[:nb])
		require.Equal(t, na < n, errB != nil, "%d at %d of %d", n, off, size)
		require.Equal(t, errA != nil && na < n, errB != nil)
	}
	_, err = z.WriteAt([]byte{1}, 0)
	require.ErrorIs(t, err, os.ErrPermission)
	require.ErrorIs(t, z.Truncate(0), os.ErrPermission)
	require.ErrorIs(t, z.Preallocate(0), os.ErrPermission)
	require.NoError(t, z.Close())
	info, err := fsys.Stat("packed")
	require.NoError(t, err)
	require.Less(t, info.Size, int64(size)+5*format.PageSize, filepath.Base("packed"))
}
