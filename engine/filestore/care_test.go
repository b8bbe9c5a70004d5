package filestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
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

// Verify notices a change of any byte of a complete segment that Open does not read, and of its
// index file.
func TestVerifyFindsDamage(t *testing.T) {
	img, n := rotated(t, true)
	first := format.SegmentFileName(1, 0)
	m, err := format.DecodeManifest(img[format.ManifestName], format.ManifestName)
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
			// Zeros between the last frame and the seal, or of the header's page, mean nothing;
			// neither does one of its two copies.
			inHeader := at < format.SegmentHeaderSize
			inGap := int64(at) >= m.Segment(1).End && int64(at) < format.SealAt(m.Segment(1).End)
			require.True(t, inHeader || inGap, "byte %d", at)
			require.Equal(t, int64(n), report.Events)
			continue
		}
		var corrupt *engine.CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.LessOrEqual(t, corrupt.Offset, int64(at))
		require.Equal(t, int64(1), corrupt.Segment)
	}
}

func TestVerifyComparesIndexFiles(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	appendNumbered(t, s, 0, 500)
	require.Greater(t, s.Stats().Segments, 2)
	require.Eventually(t, func() bool {
		return s.Stats().IndexedTo == s.Stats().Segments-1
	}, time.Minute, time.Millisecond)
	got, err := s.Verify(context.Background())
	require.NoError(t, err)
	assert.Equal(t, s.Stats().Segments-1, got.Indexes)
	assert.Empty(t, got.BadIndexes)
	require.NoError(t, s.Close())

	img := takeImage(t, fsys)
	name := strings.TrimSuffix(format.SegmentFileName(1, 0), ".log") + ".idx"
	damaged := bytes.Clone(img[name])
	damaged[100] ^= 1
	s = openStore(t, imageDir, Options{FS: img.with(name, damaged).fs(t)})
	got, err = s.Verify(&countingContext{Context: bg, at: func() {
		stats := s.Stats()
		assert.LessOrEqual(t, stats.Verified, stats.ToVerify, "though segments behind it are read twice")
	}})
	require.NoError(t, err)
	assert.Equal(t, []string{vfs.Join(imageDir, name)}, got.BadIndexes)
}

// A backup taken while appends go on is a store whose head the source had, and only what is new is
// copied the next time.
func TestBackup(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	ctx := context.Background()
	report, err := s.Backup(ctx, "backup")
	require.NoError(t, err, "an empty store")
	assert.Equal(t, engine.BackupReport{}, report)
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
	var earlier engine.Head
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
	mustAppend(t, b, "s0", engine.Any, one("of its own")...)
	var wrong *engine.HeadError
	_, err = s.Backup(ctx, "backup")
	require.ErrorAs(t, err, &wrong)
	require.NoError(t, b.Close())
	appendNumbered(t, s, int(n.Load()), int(n.Load())+1)
	_, err = s.Backup(ctx, "backup")
	require.ErrorAs(t, err, &wrong)

	other := openStore(t, "other", Options{FS: fsys})
	mustAppend(t, other, "s0", engine.Any, one("1")...)
	var refused *BackupError
	_, err = other.Backup(ctx, "backup")
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "holds a backup of another store", refused.Reason)
}

func TestSalvage(t *testing.T) {
	img, n := rotated(t, true)
	want := numbered(n)
	ctx := context.Background()
	second := format.SegmentFileName(2, 0)
	base := func() engine.Position {
		h, err := format.DecodeSegmentHeader(img[second], second)
		require.NoError(t, err)
		return h.Base
	}()
	third, err := format.DecodeSegmentHeader(img[format.SegmentFileName(3, 0)], "")
	require.NoError(t, err)
	frameOf := func(seg int64, skip int) (from, to int, p engine.Position) {
		s := openStore(t, imageDir, Options{FS: img.fs(t), ReadOnly: true})
		sc, err := newLogScanner(s.view.Load().segments[seg-1], startOf(&s.view.Load().segments[seg-1].header, 0))
		require.NoError(t, err)
		var f *logFrame
		for range skip + 1 {
			f, err = sc.next()
			require.NoError(t, err)
		}
		return int(f.offset), int(f.offset) + int(f.Size), f.First
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
		{"one frame", img.with(second, lose(from, to)), []Gap{{
			From:   p,
			To:     p + 1,
			File:   vfs.Join(imageDir, second),
			Offset: int64(from),
		}}},
		{"the trailer of a frame", img.with(second, lose(to-8, to)), nil}, // its record checks by itself
		{"a segment", img.with(second, nil), []Gap{{From: base, To: third.Base, File: vfs.Join(imageDir, second)}}},
		{"a header", img.with(second, lose(0, format.SegmentHeaderSize)), nil},
		{"MANIFEST and TAIL", img.with(format.ManifestName, nil).with(format.TailName, nil), nil},
		{"the last segment", img.with(format.SegmentFileName(3, 0), nil), []Gap{{
			From: third.Base,
			To:   engine.Position(n),
			File: vfs.Join(imageDir, format.SegmentFileName(3, 0)),
		}}},
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

// Verify compares the index file of the last segment, which Close has left of its first events, up
// to where it ends.
func TestVerifyComparesTheLastIndexFile(t *testing.T) {
	testenv.WithoutRace(t)
	fsys := vfs.NewMem()
	fill := func(s *FileStore, from, to int) {
		for from < to {
			var batch []engine.Append
			for ; from < to && len(batch) < 1000; from++ {
				batch = append(batch, engine.Append{Stream: fmt.Sprint("s", from%997), Events: one(fmt.Sprint(from))})
			}
			_, err := s.Append(context.Background(), batch...)
			require.NoError(t, err)
		}
	}
	const segmentSize = 64 << 20
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: segmentSize})
	fill(s, 0, minActiveIndex+500)
	require.NoError(t, s.Close())
	name := indexFileName(format.SegmentFileName(1, 0))
	img := takeImage(t, fsys)
	require.Contains(t, img, name)
	blocks := len(img[name]) / index.BlockSize
	ctx := context.Background()

	intact := openStore(t, imageDir, Options{FS: img.fs(t), SegmentSize: segmentSize})
	report, err := intact.Verify(ctx)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Indexes)
	assert.Empty(t, report.BadIndexes)
	fill(intact, minActiveIndex+500, minActiveIndex+700) // and with events behind it
	report, err = intact.Verify(ctx)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Indexes)
	assert.Empty(t, report.BadIndexes)

	right := img[name]
	spoil := map[string]func(b []byte){
		"a bit":           func(b []byte) { b[(blocks/2)*index.BlockSize+77] ^= 1 },
		"the last block":  func(b []byte) { b[len(b)-9] ^= 1 },
		"with a checksum": func(b []byte) { spoilBlock(b, 1, testIndexMeta(t, img)) },
	}
	for what, change := range spoil {
		for _, readOnly := range []bool{false, true} {
			damaged := bytes.Clone(right)
			change(damaged)
			fsys := img.with(name, damaged).fs(t)
			s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: segmentSize, ReadOnly: readOnly})
			report, err := s.Verify(ctx)
			require.NoError(t, err, what)
			assert.Equal(t, []string{vfs.Join(imageDir, name)}, report.BadIndexes, what)
			got, err := payloads(s)
			require.NoError(t, err)
			require.Len(t, got, minActiveIndex+500)
			for n := range 997 { // nobody asks the damaged file any more
				c := s.ReadIndex().ReadStream(ctx, fmt.Sprint("s", n), 0, engine.Forwards)
				for at := n; c.Next(); at += 997 {
					require.Equal(t, engine.Position(at), c.Event().Position, what)
				}
				require.NoError(t, c.Err())
				require.NoError(t, c.Close())
			}
			if readOnly {
				require.NoError(t, s.Close())
				continue
			}
			mustAppend(t, s, "one more", engine.Any, one("x")...)
			require.NoError(t, s.Close())
			s = openStore(t, imageDir, Options{FS: fsys, SegmentSize: segmentSize})
			report, err = s.Verify(ctx)
			require.NoError(t, err)
			assert.Empty(t, report.BadIndexes, "%s: Close has written another", what)
			require.NoError(t, s.Close())
		}
	}
}

// testIndexMeta returns what seeds the checksums of the index file of an image's first segment.
func testIndexMeta(t *testing.T, img image) index.Meta {
	h, err := format.DecodeSegmentHeader(img[format.SegmentFileName(1, 0)], "")
	require.NoError(t, err)
	return index.Meta{Store: h.Store, Number: h.Number, Generation: h.Content}
}

// spoilBlock changes a block of an index file and makes its checksum right again.
func spoilBlock(b []byte, block int, m index.Meta) {
	content := b[block*index.BlockSize:][:index.BlockPayload]
	content[40] ^= 4
	binary.LittleEndian.PutUint32(b[block*index.BlockSize+index.BlockPayload:],
		index.BlockCRC(m.BlockSeed(), uint32(block), content))
}

// An index file of a complete segment that is wrong though its checksums are right is not asked any
// more once Verify has found out.
func TestVerifyReplacesAWrongIndex(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	appendNumbered(t, s, 0, 500)
	settleIndexes(t, s)
	require.NoError(t, s.Close())
	img := takeImage(t, fsys)
	name := indexFileName(format.SegmentFileName(1, 0))
	wrong := bytes.Clone(img[name])
	for block := range len(wrong)/index.BlockSize - 1 {
		spoilBlock(wrong, block, testIndexMeta(t, img))
	}
	for _, readOnly := range []bool{false, true} {
		fsys = img.with(name, wrong).fs(t)
		s = openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize, ReadOnly: readOnly})
		report, err := s.Verify(context.Background())
		require.NoError(t, err)
		require.Equal(t, []string{vfs.Join(imageDir, name)}, report.BadIndexes)
		for n := range 3 {
			c := s.ReadIndex().ReadStream(context.Background(), fmt.Sprint("s", n), 0, engine.Forwards)
			found := 0
			for ; c.Next(); found++ {
				require.Equal(t, engine.Position(3*found+n), c.Event().Position)
			}
			require.NoError(t, c.Err())
			require.GreaterOrEqual(t, found, 166)
		}
		if !readOnly {
			appendNumbered(t, s, 500, 501)
			settleIndexes(t, s)
			report, err = s.Verify(context.Background())
			require.NoError(t, err)
			assert.Empty(t, report.BadIndexes)
			assert.Equal(t, img[name], takeImage(t, fsys)[name], "made anew, and equal")
		}
		require.NoError(t, s.Close())
	}
}

// Merged indexes are compared by a process that does not use them, too.
func TestVerifyComparesRunsOfOthers(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	appendNumbered(t, s, 0, 6000)
	settleIndexes(t, s)
	require.NotEmpty(t, s.indexer.runList())
	run := s.indexer.runList()[0]
	require.NoError(t, s.Close())
	img := takeImage(t, fsys)
	verify := func(fsys vfs.FS) engine.VerifyReport {
		s := openStore(t, imageDir, Options{FS: fsys, ReadOnly: true})
		report, err := s.Verify(context.Background())
		require.NoError(t, err)
		return report
	}
	name := index.RunName(run.From, run.To)
	report := verify(img.fs(t))
	assert.Empty(t, report.BadIndexes)
	assert.Greater(t, report.Indexes, report.Segments-1)
	damaged := bytes.Clone(img[name])
	damaged[100] ^= 1
	assert.Equal(t, []string{vfs.Join(imageDir, name)}, verify(img.with(name, damaged).fs(t)).BadIndexes)
}

// Verify reads MANIFEST, too: Open would make it anew, but a store that is open does not look.
func TestVerifyReadsManifest(t *testing.T) {
	img, n := rotated(t, true)
	name := vfs.Join(imageDir, format.ManifestName)
	changes := map[string]func(m *format.Manifest){
		"the end":         func(m *format.Manifest) { m.Segments[0].End += 8 },
		"the number":      func(m *format.Manifest) { m.Segments[1].Next++ },
		"the chain":       func(m *format.Manifest) { m.Segments[0].LastChain[3] ^= 1 },
		"the first time":  func(m *format.Manifest) { m.Segments[1].Least-- },
		"the last time":   func(m *format.Manifest) { m.Segments[0].Greatest++ },
		"the base":        func(m *format.Manifest) { m.Segments[1].Base++ },
		"the first event": func(m *format.Manifest) { m.First++ },
		"another store":   func(m *format.Manifest) { m.Store[0] ^= 1 },
		"all, by a bit":   nil,
		"nothing: it lags": func(m *format.Manifest) {
			m.Segments[1] = format.ManifestSegment{Number: 2, Base: m.Segments[1].Base}
			m.Segments = m.Segments[:2]
		},
		"nothing: it is so": func(*format.Manifest) {},
	}
	for what, change := range changes {
		fsys := img.fs(t)
		s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize, ReadOnly: true})
		if change == nil {
			f, err := fsys.Open(name, os.O_RDWR)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte{0xff}, 50)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		} else {
			m, err := readManifest(fsys, imageDir)
			require.NoError(t, err)
			change(m)
			require.NoError(t, writeManifest(fsys, imageDir, m))
		}
		report, err := s.Verify(context.Background())
		require.NoError(t, err, what)
		require.Equal(t, int64(n), report.Events)
		if strings.HasPrefix(what, "nothing") {
			assert.Empty(t, report.BadIndexes, what)
		} else {
			assert.Equal(t, []string{name}, report.BadIndexes, what)
		}
		require.NoError(t, s.Close())
	}
	// Times that MANIFEST has told wrongly since the store was opened make time bounds skip events.
	for _, change := range []func(m *format.Manifest){changes["the first time"], changes["the last time"]} {
		fsys := img.fs(t)
		m, err := readManifest(fsys, imageDir)
		require.NoError(t, err)
		change(m)
		require.NoError(t, writeManifest(fsys, imageDir, m))
		s := openStore(t, imageDir, Options{FS: fsys, ReadOnly: true})
		_, err = s.Verify(context.Background())
		var corrupt *engine.CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.NoError(t, s.Close())
	}
}

func TestVerifyOfNothing(t *testing.T) {
	s := openStore(t, "not yet", Options{FS: vfs.NewMem()})
	report, err := s.Verify(context.Background())
	require.NoError(t, err)
	assert.Equal(t, engine.VerifyReport{}, report)
}

// A system that does not let a file be opened or read is not damage.
func TestVerifyTellsErrorsFromDamage(t *testing.T) {
	img, _ := rotated(t, true)
	fsys := &countingFS{FS: img.fs(t)}
	cache := vfs.NewFileCache(2)
	s := openStore(t, imageDir, Options{FS: fsys, ReadOnly: true, files: cache})
	for cache.Shrink() {
	}
	fsys.most = fsys.now.Load() + 1 // the directory and TAIL stay open
	blocked, err := fsys.Open(vfs.Join(imageDir, format.ManifestName), os.O_RDONLY)
	require.NoError(t, err)
	_, err = s.Verify(context.Background())
	require.ErrorIs(t, err, syscall.EMFILE)
	var corrupt *engine.CorruptError
	require.NotErrorAs(t, err, &corrupt)
	require.NoError(t, blocked.Close())
	fsys.most = 0
	_, err = s.Verify(context.Background())
	require.NoError(t, err)
}
