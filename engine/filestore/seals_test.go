package filestore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// eachFrame calls yield for every frame of a plain segment's bytes, the seal included.
func eachFrame(t testing.TB, b []byte, yield func(frame []byte, at format.Place)) {
	h, err := format.DecodeSegmentHeader(b, "a segment")
	require.NoError(t, err)
	for off := int64(format.SegmentHeaderSize); off < int64(len(b)); {
		at := format.Place{Store: h.Store, Segment: h.Number, Offset: off}
		f, err := format.DecodeFrameHeader(b[off:], at)
		if err != nil { // zeros before a seal, or behind the last frame
			if at.Offset = format.SealAt(off); at.Offset >= int64(len(b)) || at.Offset == off {
				return
			}
			if f, err = format.DecodeFrameHeader(b[at.Offset:], at); err != nil {
				return
			}
		}
		yield(b[at.Offset:at.Offset+int64(f.Size)], at)
		off = at.Offset + int64(f.Size)
	}
}

// erased returns the image with the events erased that erase names, as whoever can write to the
// files could do it.
func (img image) erased(t testing.TB, erase func(engine.Position) bool) image {
	changed := maps.Clone(img)
	for name, b := range img {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		b, crc := bytes.Clone(b), uint32(0)
		eachFrame(t, b, func(frame []byte, at format.Place) {
			_, err := format.EraseFrame(frame, at, crc, erase)
			require.NoError(t, err)
			crc = format.FrameCRC(frame)
		})
		changed[name] = b
	}
	return changed
}

func verifyWith(s *FileStore, named func(engine.Position) bool) error {
	v := &verification{store: s, index: s.ReadIndex().(*readIndex), ctx: context.Background()}
	for i := range v.index.view.segments {
		if err := v.segment(i); err != nil {
			return err
		}
	}
	var told toldErasure
	for p := range v.index.head {
		if named(p) {
			told.erased.Events.Add(engine.Span{From: p, To: p + 1})
		}
	}
	v.told = append(v.told, told)
	return v.erasures()
}

// What is marked as erased is read without payload and metadata. Verify asks whether an erasure
// names it: otherwise the mark would be a way to take events away without a trace.
func TestRecordMarkedAsErasedThatNoErasureNamesIsDamage(t *testing.T) {
	testenv.WithoutRace(t)
	img, n := rotated(t, true)
	s := openStore(t, imageDir, Options{FS: img.fs(t)})
	want := everything(t, s)
	receipts := map[engine.Position]engine.Head{}
	for p := range engine.Position(n + 1) {
		h, err := s.ReadIndex().(*readIndex).headAt(p)
		require.NoError(t, err)
		receipts[h.Position] = h
	}
	for p := range engine.Position(n) {
		erase := func(q engine.Position) bool { return q == p || q == engine.Position(n/2) }
		fsys := img.erased(t, erase).fs(t)
		first := min(p, engine.Position(n/2))
		s := openStore(t, imageDir, Options{FS: fsys, Expect: new(receipts[engine.Position(n)])})
		got := everything(t, s)
		for i, e := range want {
			if erase(e.Position) {
				e.Payload, e.Metadata, e.JSON, e.Redacted = nil, []byte("{}"), false, true
			}
			require.Equal(t, e, got[i])
		}
		_, err := s.Verify(context.Background())
		var corrupt *engine.CorruptError
		require.ErrorAs(t, err, &corrupt)
		assert.Equal(t, first, corrupt.FirstLost)
		assert.Equal(t, first+1, corrupt.NextGood)
		assert.Contains(t, corrupt.Reason, fmt.Sprintf("position %d is marked as erased", first))
		b := fsBytes(t, fsys, corrupt.File)[corrupt.Offset:]
		require.NoError(t, format.CheckRecord(b, s.view.Load().store, first), "the offset is the record's")
		require.NoError(t, verifyWith(s, erase), "when an erasure names both")
		require.Error(t, verifyWith(s, func(q engine.Position) bool { return erase(q) && q != first }))
		require.NoError(t, s.Close())
	}
	all := img.erased(t, func(engine.Position) bool { return true }).fs(t)
	for _, receipt := range receipts { // each opens the store in which nothing is left
		require.NoError(t, openStore(t, imageDir, Options{FS: all, Expect: &receipt}).Close())
	}
}

func fsBytes(t testing.TB, fsys vfs.FS, name string) []byte {
	b, err := vfs.ReadFile(fsys, name, 1<<30)
	require.NoError(t, err)
	return b
}

// A store with erased events goes on: it takes appends, is compressed, backed up and read from the
// copy, all with the chain that it had.
func TestStoreGoesOnAroundErasedRecords(t *testing.T) {
	img, n := rotated(t, true)
	odd := func(p engine.Position) bool { return p%2 == 1 && p < engine.Position(n) }
	fsys := img.erased(t, odd).fs(t)
	s := openStore(t, imageDir, Options{FS: fsys, Compress: CompressZstd})
	for i := range 300 {
		mustAppend(t, s, "s", engine.Any, one(payloadOf(n+i))...)
	}
	settleCompression(t, s)
	require.Positive(t, s.Stats().Compressed)
	want := everything(t, s)
	require.True(t, want[1].Redacted)
	require.False(t, want[2].Redacted)
	require.NoError(t, verifyWith(s, odd))
	_, err := s.Backup(context.Background(), "copy")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	for _, dir := range []string{imageDir, "copy"} {
		again := openStore(t, dir, Options{FS: fsys})
		assert.Equal(t, want, everything(t, again), dir)
		assert.NoError(t, verifyWith(again, odd), dir)
	}
}

// An erased event cannot be compared with one that is offered again: it is the same one if stream,
// type and tags say so.
func TestRetryOfAnErasedEventIsADuplicate(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys})
	id := uuid.UUID{1, 6: 0x40, 8: 0x80}
	e := engine.NewEvent{ID: id, Type: "Opened", Payload: []byte(`{"n":1}`), Tags: []string{"a"}}
	mustAppend(t, s, "s", engine.Any, e)
	require.NoError(t, s.Close())
	img := takeImage(t, fsys).erased(t, func(engine.Position) bool { return true })
	s = openStore(t, imageDir, Options{FS: img.fs(t)})
	for _, payload := range []string{`{"n":1}`, `{"n":2}`} {
		e.Payload = []byte(payload)
		got := mustAppend(t, s, "s", engine.Any, e)
		assert.True(t, got.Duplicate)
		assert.Equal(t, engine.Position(0), got.Events[0].Position)
	}
	others := map[string]func(e *engine.NewEvent, stream *string){
		"another type":   func(e *engine.NewEvent, _ *string) { e.Type = "Closed" },
		"other tags":     func(e *engine.NewEvent, _ *string) { e.Tags = []string{"b"} },
		"another stream": func(_ *engine.NewEvent, stream *string) { *stream = "t" },
	}
	for name, change := range others {
		other, stream := e, "s"
		change(&other, &stream)
		_, err := s.Append(context.Background(), engine.Append{Stream: stream, Events: []engine.NewEvent{other}})
		assert.ErrorAs(t, err, new(*engine.DuplicateEventError), name)
	}
}

func TestSalvageTellsHowManyEventsWereErased(t *testing.T) {
	img, n := rotated(t, true)
	fsys := img.erased(t, func(p engine.Position) bool { return p%3 == 0 }).fs(t)
	report, err := Salvage(context.Background(), imageDir, "saved", Options{FS: fsys})
	require.NoError(t, err)
	assert.Equal(t, int64(n), report.Events)
	assert.Equal(t, int64((n+2)/3), report.Erased)
	saved := everything(t, openStore(t, "saved", Options{FS: fsys}))
	assert.Nil(t, saved[0].Payload)
	assert.Equal(t, payloadOf(1), string(saved[1].Payload))
}

// The seals that the goroutines compute which append are those of the records, in their order: of
// one event, of many small ones, of few large ones, and of so many that they are computed in
// several goroutines.
func TestSealsOfAppendsAreThoseOfTheirRecords(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	s := openStore(t, "store", Options{FS: vfs.NewMem()})
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			stream := fmt.Sprintf("client-%d", client)
			for _, shape := range [][2]int{{1, 10}, {3000, 40}, {7, 100_000}, {1, 1 << 20 >> 1}, {500, 700}, {2, 0}} {
				events := make([]engine.NewEvent, shape[0])
				for i := range events {
					events[i] = one(strings.Repeat("x", shape[1]+i%5*7))[0]
				}
				_, err := s.Append(context.Background(), engine.Append{Stream: stream, Events: events})
				assert.NoError(t, err)
			}
		})
	}
	clients.Wait()
	report, err := s.Verify(context.Background())
	require.NoError(t, err)
	assert.Equal(t, int64(4*3512-4), report.Events)
}

// However the bytes of a frame are spread over its records, and with the zeros behind them.
func TestSealsOfUnevenRecordsAreSharedOut(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	for _, sizes := range [][]int{
		{500_000}, {1, 500_000}, {500_000, 1}, {1, 2, 3, 500_000, 1, 1}, {200_000, 1, 1, 200_000}, {400_001, 400_002},
	} {
		var b []byte
		var want []format.Seal
		for i, size := range sizes {
			at := len(b)
			b = format.AppendRecord(b, 0, uuid.UUID{1}, "s", "T", nil, &format.Salt{byte(i)}, nil, make([]byte, size))
			r, err := format.DecodeRecord(b[at:])
			require.NoError(t, err)
			want = append(want, r.Seal())
		}
		for pad := range format.FrameAlign {
			assert.Equal(t, want, appendSeals(nil, append(b, make([]byte, pad)...), len(sizes)), "%v, %d", sizes, pad)
		}
	}
}

// No two events have the same salt, so that what was erased cannot be found by comparing seals of
// equal events either. The salts are those of the random numbers that were given.
func TestEventsHaveDifferentSalts(t *testing.T) {
	seals := func(o Options) (all []format.Seal) {
		o.FS = vfs.NewMem()
		s := openStore(t, imageDir, o)
		for range 10 {
			mustAppend(t, s, "s", engine.Any, slices.Repeat(one("equal"), 40)...)
		}
		require.NoError(t, s.Close())
		for name, b := range takeImage(t, o.FS) {
			if !strings.HasSuffix(name, ".log") {
				continue
			}
			eachFrame(t, b, func(frame []byte, _ format.Place) {
				for rest := format.FrameRecords(frame); len(rest) >= format.MinRecordSize; {
					r, err := format.DecodeRecord(rest)
					require.NoError(t, err)
					all, rest = append(all, r.Seal()), rest[r.Size:]
				}
			})
		}
		return all
	}
	distinct := map[format.Seal]bool{}
	for range 2 {
		for _, seal := range seals(Options{}) {
			distinct[seal] = true
		}
	}
	assert.Len(t, distinct, 2*400)
	same := func() Options { return Options{Rand: strings.NewReader(strings.Repeat("not random at all ", 5000))} }
	assert.Equal(t, seals(same()), seals(same()))
}

// A store that was written before the first release has another chain. It is told by its name, and
// not taken for damage, whatever can be missing; and nothing of it is changed.
func TestUnreleasedStoreIsRefusedAndLeftAlone(t *testing.T) {
	entries, err := os.ReadDir("testdata/unreleased")
	require.NoError(t, err)
	whole := image{}
	for _, e := range entries {
		whole[e.Name()], err = os.ReadFile(filepath.Join("testdata/unreleased", e.Name()))
		require.NoError(t, err)
	}
	require.Len(t, whole, 5)
	for _, missing := range []string{"", format.ManifestName, format.TailName} {
		img := whole.with(missing, nil)
		for _, o := range []Options{{}, {ReadOnly: true}, {MustExist: true}} {
			o.FS = img.fs(t)
			_, err := Open(imageDir, o)
			var format *engine.FormatError
			require.ErrorAs(t, err, &format, "without %s", missing)
			assert.Contains(t, format.Reason, "before the first release")
			after := takeImage(t, o.FS)
			delete(after, lockName)
			assert.Equal(t, img, after)
		}
	}
	fsys := whole.fs(t)
	_, err = Salvage(context.Background(), imageDir, "saved", Options{FS: fsys})
	assert.ErrorAs(t, err, new(*engine.FormatError))
}
