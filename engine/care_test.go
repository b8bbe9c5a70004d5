package engine

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVerify(t *testing.T) {
	img, n := rotated(t, true)
	fsys := img.fs(t)
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	got, err := s.Verify(context.Background())
	require.NoError(t, err)
	head, err := s.Head()
	require.NoError(t, err)
	assert.Equal(t, head, got.Head)
	assert.Equal(t, int64(n), got.Events)
	assert.Equal(t, int64(n), got.Frames)
	assert.Equal(t, 3, got.Segments)
	assert.Empty(t, got.BadIndexes)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = s.Verify(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}

// Verify notices a change of any byte of a complete segment that Open does not read, and of its index file.
func TestVerifyFindsDamage(t *testing.T) {
	img, n := rotated(t, true)
	first := segmentFileName(1, 0)
	m, err := decodeManifest(img[manifestName], manifestName)
	require.NoError(t, err)
	for at := 0; at < len(img[first]); at += 101 {
		damaged := bytes.Clone(img[first])
		damaged[at] ^= 0x10
		s, err := Open(imageDir, Options{FS: img.with(first, damaged).fs(t)})
		if err != nil {
			requireLoud(t, err)
			continue
		}
		report, err := s.Verify(context.Background())
		s.Close()
		if err == nil {
			// Zeros between the last frame and the seal, or of the header's page, mean nothing; neither does one of its two copies.
			inHeader := at < segmentHeaderSize
			inGap := int64(at) >= m.segment(1).end && int64(at) < sealAt(m.segment(1).end)
			require.True(t, inHeader || inGap, "byte %d", at)
			require.Equal(t, int64(n), report.Events)
			continue
		}
		var corrupt *CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.LessOrEqual(t, corrupt.Offset, int64(at))
		require.Equal(t, int64(1), corrupt.Segment)
	}
}

func TestVerifyComparesIndexFiles(t *testing.T) {
	fsys := NewMemFS()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	appendNumbered(t, s, 0, 500)
	require.Greater(t, s.Stats().Segments, 2)
	require.Eventually(t, func() bool { return s.Stats().IndexedTo == s.Stats().Segments-1 }, time.Minute, time.Millisecond)
	got, err := s.Verify(context.Background())
	require.NoError(t, err)
	assert.Equal(t, s.Stats().Segments-1, got.Indexes)
	assert.Empty(t, got.BadIndexes)
	require.NoError(t, s.Close())

	img := takeImage(t, fsys)
	name := strings.TrimSuffix(segmentFileName(1, 0), ".log") + ".idx"
	damaged := bytes.Clone(img[name])
	damaged[100] ^= 1
	s = openStore(t, imageDir, Options{FS: img.with(name, damaged).fs(t)})
	got, err = s.Verify(context.Background())
	require.NoError(t, err)
	assert.Equal(t, []string{joinPath(imageDir, name)}, got.BadIndexes)
}

// A backup taken while appends go on is a store whose head the source had, and only what is new is copied the next time.
func TestBackup(t *testing.T) {
	fsys := NewMemFS()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	ctx := context.Background()
	_, err := s.Backup(ctx, "backup")
	require.Error(t, err, "an empty store")
	var n atomic.Int64
	allow, stopped := make(chan int, 1), make(chan struct{})
	go func() { // appends as many events as it is allowed
		defer close(stopped)
		for more := range allow {
			for range more {
				i := int(n.Load())
				appendNumbered(t, s, i, i+1)
				n.Add(1)
			}
		}
	}()
	var earlier Head
	for round := range 6 {
		before := n.Load()
		allow <- 300
		require.Eventually(t, func() bool { return n.Load() > before+80 }, time.Minute, time.Millisecond)
		report, err := s.Backup(ctx, "backup")
		require.NoError(t, err)
		assert.Equal(t, earlier, report.Earlier)
		assert.Less(t, report.Copied, int64(2*testSegmentSize), "only the last segment is copied")
		earlier = report.Head

		b := openStore(t, "backup", Options{FS: fsys, ReadOnly: true})
		opened := b.OpenReport()
		assert.Empty(t, opened.String(), "round %d", round)
		got, err := payloads(b)
		require.NoError(t, err)
		require.Equal(t, numbered(int(report.Head.Position)), got)
		verified, err := b.Verify(ctx)
		require.NoError(t, err)
		assert.Equal(t, report.Head, verified.Head)
		require.NoError(t, b.Close())
	}
	close(allow)
	<-stopped
	require.Greater(t, s.Stats().Segments, 3)
	names, err := fsys.List(".")
	require.NoError(t, err)
	assert.Equal(t, []string{"backup", imageDir}, names)

	// A backup that has been written to is no prefix any more.
	b := openStore(t, "backup", Options{FS: fsys})
	mustAppend(t, b, "s0", Any, one("of its own")...)
	_, err = s.Backup(ctx, "backup")
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	require.NoError(t, b.Close())
	appendNumbered(t, s, int(n.Load()), int(n.Load())+1)
	_, err = s.Backup(ctx, "backup")
	var wrong *HeadError
	require.ErrorAs(t, err, &wrong)

	other := openStore(t, "other", Options{FS: fsys})
	mustAppend(t, other, "s0", Any, one("1")...)
	var format *FormatError
	_, err = other.Backup(ctx, "backup")
	require.ErrorAs(t, err, &format)
}

func TestSalvage(t *testing.T) {
	img, n := rotated(t, true)
	want := numbered(n)
	ctx := context.Background()
	second := segmentFileName(2, 0)
	base := func() Position {
		h, err := decodeSegmentHeader(img[second], second)
		require.NoError(t, err)
		return h.base
	}()
	third, err := decodeSegmentHeader(img[segmentFileName(3, 0)], "")
	require.NoError(t, err)
	frameOf := func(seg int64, skip int) (from, to int, p Position) {
		s := openStore(t, imageDir, Options{FS: img.fs(t), ReadOnly: true})
		sc, err := newLogScanner(s.view.Load().segments[seg-1], startOf(&s.view.Load().segments[seg-1].header, 0))
		require.NoError(t, err)
		var f *logFrame
		for range skip + 1 {
			f, err = sc.next()
			require.NoError(t, err)
		}
		return int(f.offset), int(f.offset) + int(f.size), f.first
	}
	from, to, p := frameOf(2, 5)
	lose := func(from, to int) []byte {
		b := bytes.Clone(img[second])
		clear(b[from:to])
		return b
	}
	tests := []struct {
		name string
		img  image
		gaps []Gap
	}{
		{"nothing", img, nil},
		{"one frame", img.with(second, lose(from, to)), []Gap{{From: p, To: p + 1, File: joinPath(imageDir, second), Offset: int64(from)}}},
		{"the trailer of a frame", img.with(second, lose(to-8, to)), nil}, // its record checks by itself
		{"a segment", img.with(second, nil), []Gap{{From: base, To: third.base, File: joinPath(imageDir, second)}}},
		{"a header", img.with(second, lose(0, segmentHeaderSize)), nil},
		{"MANIFEST and TAIL", img.with(manifestName, nil).with(tailName, nil), nil},
		{"the last segment", img.with(segmentFileName(3, 0), nil), []Gap{{From: third.base, To: Position(n), File: joinPath(imageDir, segmentFileName(3, 0))}}},
	}
	for _, tt := range tests {
		fsys := tt.img.fs(t)
		before := takeImage(t, fsys)
		report, err := Salvage(ctx, imageDir, "saved", Options{FS: fsys})
		require.NoError(t, err, tt.name)
		assert.Equal(t, tt.gaps, report.Gaps, tt.name)
		assert.Equal(t, before, takeImage(t, fsys), tt.name)
		kept := slices.Clone(want)
		for _, g := range tt.gaps {
			kept = slices.Delete(kept, int(g.From), int(g.To))
		}
		s := openStore(t, "saved", Options{FS: fsys})
		got, err := payloads(s)
		require.NoError(t, err, tt.name)
		assert.Equal(t, kept, got, tt.name)
		assert.Equal(t, int64(len(kept)), report.Events, tt.name)
		_, err = Salvage(ctx, imageDir, "saved", Options{FS: fsys})
		require.Error(t, err, "into a store with events")
	}
}
