package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An image is what is in the files of a store.
type image map[string][]byte

const imageDir = "store"

// takeImage reads all files.
func takeImage(t testing.TB, fsys vfs.FS) image {
	names, err := fsys.List(imageDir)
	require.NoError(t, err)
	img := image{}
	for _, name := range names {
		b, err := vfs.ReadFile(fsys, vfs.Join(imageDir, name), 1<<30)
		if errors.Is(err, fs.ErrNotExist) {
			continue // an index file was given its name meanwhile
		}
		require.NoError(t, err)
		img[name] = b
	}
	return img
}

// fs returns a new file system with the image in it.
func (img image) fs(t testing.TB) vfs.FS {
	fsys := vfs.NewMem()
	require.NoError(t, fsys.MkdirAll(imageDir))
	for name, b := range img {
		f, err := fsys.Open(vfs.Join(imageDir, name), os.O_RDWR|os.O_CREATE)
		require.NoError(t, err)
		_, err = f.WriteAt(b, 0)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	return fsys
}

// with returns the image with one file replaced, or removed if b is nil.
func (img image) with(name string, b []byte) image {
	other := maps.Clone(img)
	if b == nil {
		delete(other, name)
	} else {
		other[name] = b
	}
	return other
}

// payloads reads all events of a store and returns their payloads, and checks positions and
// versions.
func payloads(s engine.Store) ([]string, error) {
	c := s.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)
	defer c.Close()
	var all []string
	versions := map[string]engine.Version{}
	for c.Next() {
		e := c.Event()
		if e.Position != engine.Position(len(all)) || e.Version != versions[e.Stream] {
			return nil, fmt.Errorf("event %d of stream %s has position %d and version %d", len(all), e.Stream,
				e.Position, e.Version)
		}
		versions[e.Stream]++
		all = append(all, string(e.Payload))
	}
	return all, c.Err()
}

func numbered(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = payloadOf(i)
	}
	return all
}

func payloadOf(i int) string { return fmt.Sprintf("%d%s", i, strings.Repeat("x", 10+i%7*13)) }

// appendNumbered appends the events from..to-1, one group each.
func appendNumbered(t testing.TB, s engine.Store, from, to int) {
	for i := from; i < to; i++ {
		got := mustAppend(t, s, fmt.Sprintf("s%d", i%3), engine.Any, one(payloadOf(i))...)
		require.Equal(t, engine.Position(i), got.Events[0].Position)
	}
}

const testSegmentSize = 32 << 10

// requireStore opens a store and checks that it has n events, that it takes one more, and that
// opening it again repairs nothing.
func requireStore(t testing.TB, fsys vfs.FS, n int, why string) OpenReport {
	o := Options{FS: fsys, SegmentSize: testSegmentSize, BusyTimeout: -1}
	s, err := Open(imageDir, o)
	require.NoError(t, err, why)
	defer s.Close()
	got, err := payloads(s)
	require.NoError(t, err, why)
	require.Equal(t, numbered(n), got, why)
	report := s.OpenReport()
	appendNumbered(t, s, n, n+1)
	require.NoError(t, s.Close(), why)

	s, err = Open(imageDir, o)
	require.NoError(t, err, why)
	defer s.Close()
	again := s.OpenReport()
	require.Empty(t, again.String(), why)
	got, err = payloads(s)
	require.NoError(t, err, why)
	require.Equal(t, numbered(n+1), got, why)
	return report
}

// logOf returns the name of the newest segment in the image.
func (img image) logOf() string {
	names := slices.Sorted(maps.Keys(img))
	for _, name := range slices.Backward(names) {
		if strings.HasSuffix(name, ".log") {
			return name
		}
	}
	return ""
}

// lastWrite returns two images, before and after the n-th append, of a store that has not been
// closed, and where its frame lies.
func lastWrite(t testing.TB, n int) (before, after image, from, to int) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	appendNumbered(t, s, 0, n)
	before = takeImage(t, fsys)
	appendNumbered(t, s, n, n+1)
	after = takeImage(t, fsys)
	a, b := before[before.logOf()], after[after.logOf()]
	require.Equal(t, len(a), len(b))
	for from = 0; a[from] == b[from]; from++ {
	}
	for to = len(a); a[to-1] == b[to-1]; to-- {
	}
	return before, after, from, format.AlignUp(to, format.FrameAlign)
}

// A write that was cut short at any byte is cut off, and reported; the append was never
// acknowledged.
func TestTornTailAtEveryByte(t *testing.T) {
	before, after, from, to := lastWrite(t, 4)
	name := before.logOf()
	for cut := from; cut <= to; cut++ {
		torn := bytes.Clone(before[name])
		copy(torn[from:cut], after[name][from:cut])
		why := fmt.Sprintf("%d of %d bytes written", cut-from, to-from)
		fsys := before.with(name, torn).fs(t)
		n := 4
		if bytes.Equal(torn[from:to], after[name][from:to]) {
			n = 5
		}
		report := requireStore(t, fsys, n, why)
		if n == 5 {
			assert.Equal(t, int64(1), report.Superseded, why)
			continue
		}
		if bytes.Equal(torn, before[name]) {
			assert.Empty(t, report.String(), why)
			continue
		}
		require.Len(t, report.Torn, 1, why)
		assert.Equal(t, int64(from), report.Torn[0].Offset, why)
		saved, err := vfs.ReadFile(fsys, report.Torn[0].SavedAs, 1<<20)
		require.NoError(t, err, why)
		assert.Equal(t, torn[from:from+int(report.Torn[0].Bytes)], saved, why)
	}
}

// Sectors of a write may reach the disk in any order.
func TestTornTailInAnyOrder(t *testing.T) {
	before, after, from, to := lastWrite(t, 4)
	name := before.logOf()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		torn := bytes.Clone(before[name])
		for at := from; at < to; at += 8 {
			if r.IntN(2) == 0 {
				copy(torn[at:at+8], after[name][at:at+8])
			}
		}
		n := 4
		if bytes.Equal(torn[from:to], after[name][from:to]) {
			n = 5
		}
		requireStore(t, before.with(name, torn).fs(t), n, "some of the bytes written")
	}
}

// The same damage after TAIL has promised the frame, or after a later frame has, is not a torn
// write.
func TestDamageOfWhatWasPromised(t *testing.T) {
	_, after, from, to := lastWrite(t, 4)
	name := after.logOf()
	for at := from; at < to; at++ {
		damaged := bytes.Clone(after[name])
		damaged[at] ^= 1
		_, err := Open(imageDir, Options{FS: after.with(name, damaged).fs(t)})
		var corrupt *engine.CorruptError
		require.ErrorAs(t, err, &corrupt, "byte %d", at-from)
		assert.Equal(t, int64(from), corrupt.Offset)
		assert.Equal(t, engine.Position(4), corrupt.FirstLost)
		assert.Equal(t, engine.NoPosition, corrupt.NextGood)
		assert.Equal(t, vfs.Join(imageDir, name), corrupt.File)

		// Without TAIL, the promise of a later frame tells.
		damaged = bytes.Clone(after[name])
		damaged[format.SegmentHeaderSize+100] ^= 1
		_, err = Open(imageDir, Options{FS: after.with(name, damaged).with(format.TailName, nil).fs(t)})
		require.ErrorAs(t, err, &corrupt)
		assert.Equal(t, int64(format.SegmentHeaderSize), corrupt.Offset)
		assert.Equal(t, engine.Position(0), corrupt.FirstLost)
		assert.Equal(t, engine.Position(1), corrupt.NextGood)
	}
}

// A frame of the same store that belongs at the same place, but to an attempt that was lost, is
// noticed by the link of the frame behind it.
func TestFrameOfALostAttempt(t *testing.T) {
	before, lost, from, to := lastWrite(t, 4)
	fsys := before.fs(t)
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	payload := []byte(payloadOf(4))
	payload[0] = '?'
	mustAppend(t, s, "s1", engine.Any, one(string(payload))...)
	appendNumbered(t, s, 5, 7)
	require.NoError(t, s.Close())
	img := takeImage(t, fsys)
	name := img.logOf()
	mixed := bytes.Clone(img[name])
	require.NotEqual(t, lost[name][from:to], mixed[from:to])
	copy(mixed[from:to], lost[name][from:to])
	_, err := Open(imageDir, Options{FS: img.with(name, mixed).fs(t)})
	var corrupt *engine.CorruptError
	require.ErrorAs(t, err, &corrupt)
	assert.Equal(t, int64(to), corrupt.Offset)
}

// A header that claims more than the file holds costs no memory, however right its checksum is.
func TestLengthIsComparedWithTheFile(t *testing.T) {
	before, after, from, _ := lastWrite(t, 4)
	name := before.logOf()
	header, err := format.DecodeSegmentHeader(before[name], name)
	require.NoError(t, err)
	at := format.Place{Store: header.Store, Segment: header.Number, Offset: int64(from)}
	h, err := format.DecodeFrameHeader(after[name][from:], at)
	require.NoError(t, err)
	h.Size = format.MaxFrameSize &^ (format.FrameAlign - 1)
	forged := bytes.Clone(before[name])
	format.PutFrameHeader(forged[from:], h, at)
	fsys := before.with(name, forged).fs(t)
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	s, err := Open(imageDir, Options{FS: fsys, ReadOnly: true})
	require.NoError(t, err)
	runtime.ReadMemStats(&end)
	s.Close()
	assert.Less(t, end.TotalAlloc-start.TotalAlloc, uint64(len(forged)+1<<20))
	requireStore(t, fsys, 4, "with a forged header")
}

// rotated returns the image of a store with several segments, closed or not, and how many events it
// has.
func rotated(t testing.TB, closed bool) (image, int) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	n := 0
	for s.Stats().Segments < 3 || n%10 != 5 {
		appendNumbered(t, s, n, n+1)
		n++
	}
	if closed {
		require.NoError(t, s.Close())
	}
	return takeImage(t, fsys), n
}

func TestRotation(t *testing.T) {
	for _, closed := range []bool{true, false} {
		img, n := rotated(t, closed)
		report := requireStore(t, img.fs(t), n, "closed or not")
		assert.Empty(t, report.String())

		report = requireStore(t, img.with(format.ManifestName, nil).fs(t), n, "without MANIFEST")
		assert.Equal(t, OpenReport{Manifest: true}, report)
		report = requireStore(t, img.with(format.ManifestName, []byte("junk")).fs(t), n, "with a damaged MANIFEST")
		assert.Equal(t, OpenReport{Manifest: true}, report)
		requireStore(t, img.with(format.TailName, nil).fs(t), n, "without TAIL")
		requireStore(t, img.with(format.TailName, []byte("junk")).fs(t), n, "with a damaged TAIL")
		requireStore(t, img.with(nextTemp, []byte("junk")).fs(t), n, "with a rest of a successor")
	}
}

// A damaged byte anywhere is either an error of opening or reading, or changes nothing.
func TestBitRot(t *testing.T) {
	testenv.WithoutRace(t)
	img, n := rotated(t, true)
	want := numbered(n)
	detected, harmless := 0, 0
	for _, name := range slices.Sorted(maps.Keys(img)) {
		step := 1 + len(img[name])/250
		for at := 0; at < len(img[name]); at += step {
			damaged := bytes.Clone(img[name])
			damaged[at] ^= 1 << (at % 8)
			s, err := Open(imageDir, Options{FS: img.with(name, damaged).fs(t), SegmentSize: testSegmentSize})
			if err != nil {
				requireLoud(t, err)
				detected++
				continue
			}
			got, err := payloads(s)
			if err == nil {
				require.Equal(t, want, got, "%s, byte %d", name, at)
				harmless++
			} else {
				requireLoud(t, err)
				detected++
			}
			require.NoError(t, s.Close())
		}
	}
	t.Logf("%d damages detected, %d harmless", detected, harmless)
	assert.Positive(t, detected)
	assert.Positive(t, harmless)
}

func requireLoud(t testing.TB, err error) {
	var corrupt *engine.CorruptError
	var format *engine.FormatError
	require.True(t, errors.As(err, &corrupt) || errors.As(err, &format), "%v", err)
}

// A file that is missing or cut short is noticed.
func TestMissingAndShortFiles(t *testing.T) {
	for _, closed := range []bool{true, false} {
		img, n := rotated(t, closed)
		for name, b := range img {
			if !strings.HasSuffix(name, ".log") {
				continue
			}
			_, err := Open(imageDir, Options{FS: img.with(name, nil).fs(t)})
			var corrupt *engine.CorruptError
			require.ErrorAs(t, err, &corrupt, "%s is missing", name)
			for size := 0; size < len(b); size += 1 + len(b)/40 {
				s, err := Open(imageDir, Options{FS: img.with(name, b[:size]).fs(t)})
				if err != nil {
					requireLoud(t, err)
					continue
				}
				got, err := payloads(s)
				if err != nil {
					requireLoud(t, err)
				} else {
					require.Equal(t, numbered(n), got, "%s cut to %d bytes", name, size)
				}
				s.Close()
			}
		}
	}
}

func TestForeignFiles(t *testing.T) {
	newer := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at]++
		return b
	}
	img, _ := rotated(t, true)
	first := format.SegmentFileName(1, 0)
	h := bytes.Clone(img[first])
	for _, copyAt := range []int{0, format.SegmentSecondCopy} {
		h[copyAt+8] = 2
		putCRC(h[copyAt:copyAt+format.SegmentCopySize], format.SegmentCRCAt)
	}
	features := bytes.Clone(img[first])
	for _, copyAt := range []int{0, format.SegmentSecondCopy} {
		features[copyAt+12+3] = 0x80 // the last to be given out
		putCRC(features[copyAt:copyAt+format.SegmentCopySize], format.SegmentCRCAt)
	}
	m := newer(img[format.ManifestName], 8)
	putCRC(m, len(m)-4)
	tests := []struct {
		name string
		img  image
	}{
		{"a foreign directory", image{"photo.jpg": []byte("jpg")}},
		{"a foreign segment", image{first: bytes.Repeat([]byte("not a log"), 1000)}},
		{"an empty segment", image{first: {}}},
		{"a newer segment", img.with(first, h)},
		{"unknown features", img.with(first, features)},
		{"a newer MANIFEST", img.with(format.ManifestName, m)},
	}
	for _, tt := range tests {
		_, err := Open(imageDir, Options{FS: tt.img.fs(t)})
		var format *engine.FormatError
		require.ErrorAs(t, err, &format, tt.name)
	}
	fsys := vfs.NewMem()
	f, err := fsys.Open(imageDir, os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	f.Close()
	_, err = Open(imageDir, Options{FS: fsys})
	var format *engine.FormatError
	require.ErrorAs(t, err, &format, "a path that is a file")
}

func putCRC(b []byte, at int) {
	sum := format.CRC(b[:at])
	b[at], b[at+1], b[at+2], b[at+3] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
}
