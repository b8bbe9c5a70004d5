package filestore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// The next backup takes the place of the earlier one with all that was erased since: no file below
// the directory that holds both has it, and no link leads to a generation that is not in use.
func TestTheNextBackupHoldsNothingThatWasErasedSince(t *testing.T) {
	for _, compress := range []Compression{CompressNone, CompressZstd} {
		root := t.TempDir()
		dir, target := filepath.Join(root, "store"), filepath.Join(root, "backup")
		s := openStore(t, dir, Options{SegmentSize: 64 << 10, Compress: compress})
		marked := appendMarked(t, s, 900)
		if compress == CompressZstd {
			settleCompression(t, s)
		}
		_, err := s.Backup(t.Context(), target)
		require.NoError(t, err)
		require.NotEmpty(t, filesWith(t, vfs.OS(), target, marker))

		_, err = s.Append(t.Context(), erasing(marked...))
		require.NoError(t, err)
		settleErasures(t, s)
		require.Empty(t, filesWith(t, vfs.OS(), dir, marker))
		report, err := s.Backup(t.Context(), target)
		require.NoError(t, err)
		assert.Equal(t, s.ReadIndex().Head(), report.Head.Position)
		assert.Empty(t, filesWith(t, vfs.OS(), target, marker))
		entries, err := os.ReadDir(root)
		require.NoError(t, err)
		assert.Len(t, entries, 2, "nothing is left beside them")

		b := openStore(t, target, Options{ReadOnly: true})
		requireErased(t, b, marked)
		_, err = b.Verify(t.Context())
		require.NoError(t, err)
	}
}

// A backup that is made while an erasure is under way says so: it hides what is erased, is left as
// it is by whoever only reads it, and goes on as soon as it is used as a store.
func TestABackupOfAnErasureUnderWayGoesOnWhenItIsUsed(t *testing.T) {
	root := t.TempDir()
	target := filepath.Join(root, "backup")
	s := openStore(t, filepath.Join(root, "store"), Options{SegmentSize: 64 << 10})
	marked := appendMarked(t, s, 300)
	s.eraser.stall(t)
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	_, err = s.Backup(t.Context(), target)
	require.NoError(t, err)

	before := treeOf(t, target)
	b := openStore(t, target, Options{SegmentSize: 64 << 10})
	requireErased(t, b, marked)
	require.NoError(t, b.Close())
	after := treeOf(t, target)
	delete(after, lockName)
	assert.Equal(t, before, after)

	b = openStore(t, target, Options{SegmentSize: 64 << 10})
	_, err = b.Append(t.Context(), engine.Append{Stream: "other", Events: []engine.NewEvent{{Type: "t"}}})
	require.NoError(t, err)
	settleErasures(t, b)
	assert.Empty(t, filesWith(t, vfs.OS(), target, marker))
	_, err = b.Verify(t.Context())
	require.NoError(t, err)
}

// stall keeps an eraser from doing anything until the test ends.
func (x *eraser) stall(t *testing.T) {
	x.stalled.Store(true)
	t.Cleanup(func() { x.stalled.Store(false) })
}

// Verify reports that an event has content which an erasure names that is done.
func TestContentThatWasErasedAndIsThereAgainIsDamage(t *testing.T) {
	fsys := vfs.NewMem()
	o := Options{FS: fsys, SegmentSize: 32 << 10}
	s := openStore(t, imageDir, o)
	marked := appendMarked(t, s, 300)
	first := format.SegmentFileName(1, 0)
	before := fsBytes(t, fsys, vfs.Join(imageDir, first))
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	settleErasures(t, s)
	require.NoError(t, s.Close())

	img := takeImage(t, fsys)
	for name := range img {
		if number, _, ok := format.ParseSegmentFileName(name); ok && number == 1 {
			delete(img, name)
		}
	}
	img[first] = before // somebody has brought it back
	s = openStore(t, imageDir, Options{FS: img.fs(t), ReadOnly: true})
	_, err = s.Verify(t.Context())
	var corrupt *engine.CorruptError
	require.ErrorAs(t, err, &corrupt)
	assert.Equal(t, marked[0].From, corrupt.FirstLost)
	assert.True(t, strings.HasSuffix(corrupt.File, first))
	assert.Contains(t, corrupt.Reason, "position 0 has content, but an erasure that is done names it")
}

// MANIFEST says from where on erasures must be read. One that says too much is reported.
func TestAManifestThatHidesAnErasureIsReported(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: 32 << 10})
	marked := appendMarked(t, s, 300)
	s.eraser.stall(t)
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	img := takeImage(t, fsys)
	m, err := format.DecodeManifest(img[format.ManifestName], format.ManifestName)
	require.NoError(t, err)
	require.LessOrEqual(t, m.Erased, engine.Position(300))
	s = openStore(t, imageDir, Options{FS: img.fs(t), ReadOnly: true})
	report, err := s.Verify(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.BadIndexes)

	m.Erased = 301
	img[format.ManifestName] = m.Encode()
	s = openStore(t, imageDir, Options{FS: img.fs(t), ReadOnly: true})
	report, err = s.Verify(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{vfs.Join(imageDir, format.ManifestName)}, report.BadIndexes)
}

// Salvage takes over what is erased as it is, with what tells of it, and erases what was named and
// not erased yet. Where positions have changed erasures name the new ones. Verify finds nothing.
func TestSalvageKeepsWhatIsErasedErased(t *testing.T) {
	for _, lost := range []bool{false, true} {
		fsys := vfs.NewMem()
		o := Options{FS: fsys, SegmentSize: 32 << 10}
		s := openStore(t, imageDir, o)
		marked := appendMarked(t, s, 400)
		_, err := s.Append(t.Context(), erasing(marked...))
		require.NoError(t, err)
		settleErasures(t, s)
		more := appendMarked(t, s, 50)
		s.eraser.stall(t)
		_, err = s.Append(t.Context(), erasing(more...))
		require.NoError(t, err)
		require.NoError(t, s.Close())
		img := takeImage(t, fsys)
		if lost { // a piece of the first segment: what follows is renumbered
			for name := range img {
				if number, _, ok := format.ParseSegmentFileName(name); ok && number == 1 {
					clear(img[name][9000:12000])
				}
			}
		}
		to := img.fs(t)
		report, err := Salvage(t.Context(), imageDir, "/saved", Options{FS: to, SegmentSize: 32 << 10})
		require.NoError(t, err)
		assert.Equal(t, lost, report.Renumbered > 0)
		saved := openStore(t, "/saved", Options{FS: to, SegmentSize: 32 << 10})
		settleErasures(t, saved)
		_, err = saved.Verify(t.Context())
		require.NoError(t, err)
		assert.Empty(t, filesWith(t, to, "/saved", marker))
		erased := int64(0)
		for _, e := range drain(t, saved.ReadIndex().ReadAll(t.Context(), 0, engine.Forwards)) {
			wasMarked := e.Stream == "s" && strings.Contains(string(e.Payload), marker)
			assert.False(t, wasMarked)
			if e.Redacted {
				erased++
			} else if e.Stream == "s" {
				assert.Contains(t, string(e.Payload), `{"n":`, "nothing else is erased")
			}
		}
		assert.Equal(t, report.Erased, erased)
		if !lost {
			assert.Equal(t, marked.Union(more).Count(), erased)
		}
	}
}

// If what told of an erasure is lost, salvage tells of it.
func TestSalvageTellsOfErasuresOfWhichNothingTells(t *testing.T) {
	img, n := rotated(t, true)
	fsys := img.erased(t, func(p engine.Position) bool { return p%3 == 0 }).fs(t)
	_, err := Salvage(t.Context(), imageDir, "saved", Options{FS: fsys})
	require.NoError(t, err)
	s := openStore(t, "saved", Options{FS: fsys})
	list := settleErasures(t, s)
	require.Len(t, list, 1)
	assert.EqualValues(t, (n+2)/3, list[0].Events.Count())
	_, err = s.Verify(t.Context())
	require.NoError(t, err)
}

// What tells of a destroyed key is no erasure of events: backups, Salvage, Verify and whoever opens
// the store take it for an event that is to be kept, and wait for nothing.
func TestWhatTellsOfADestroyedKeyIsKeptEverywhere(t *testing.T) {
	root, ctx := t.TempDir(), t.Context()
	dir := filepath.Join(root, "store")
	s := openStore(t, dir, Options{SegmentSize: 64 << 10})
	marked := appendMarked(t, s, 300)
	forget := engine.Append{Erase: &engine.Erasure{
		ID: uuid.New(), Subject: "3f2a", Revision: 1, Reason: "Art. 17",
	}}
	told, err := s.Append(ctx, forget)
	require.NoError(t, err)
	_, err = s.Append(ctx, erasing(marked...))
	require.NoError(t, err)
	settleErasures(t, s)
	target, saved := filepath.Join(root, "backup"), filepath.Join(root, "saved")
	for range 2 {
		_, err = s.Backup(ctx, target)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	_, err = Salvage(ctx, dir, saved, Options{SegmentSize: 64 << 10})
	require.NoError(t, err)
	for _, path := range []string{dir, target, saved} {
		s := openStore(t, path, Options{SegmentSize: 64 << 10})
		_, err := s.Verify(ctx)
		require.NoError(t, err, path)
		list, err := s.Erasures(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1, path)
		assert.False(t, list[0].DoneAt.IsZero(), path)
		c := s.ReadIndex().ReadAll(ctx, told.Events[0].Position, engine.Forwards)
		require.True(t, c.Next(), path)
		got, err := engine.ParseForgotten(c.Event().Payload)
		require.NoError(t, err)
		assert.Equal(t, engine.Forgotten{Subject: "3f2a", Revision: 1, Reason: "Art. 17"}, got)
		require.NoError(t, c.Close())
		again, err := s.Append(ctx, forget)
		require.NoError(t, err)
		assert.True(t, again.Duplicate, path)
		require.NoError(t, s.Close())
	}
}
