package filestore

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// eventsOf returns all events of a store.
func eventsOf(t testing.TB, s engine.Store) []engine.Event { return eventsIn(t, s.ReadIndex()) }

// eventsIn returns all events of a ReadIndex.
func eventsIn(t testing.TB, index engine.ReadIndex) (all []engine.Event) {
	c := index.ReadAll(context.Background(), 0, engine.Forwards)
	defer c.Close()
	for c.Next() {
		all = append(all, *c.Event())
	}
	require.NoError(t, c.Err())
	return all
}

// requireSameLog compares a copy with its source: the events, and the receipt.
func requireSameLog(t testing.TB, source, dest *FileStore) {
	require.Equal(t, eventsOf(t, source), eventsOf(t, dest))
	want, err := source.Head()
	require.NoError(t, err)
	got, err := dest.Head()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// A standbyTrial changes a source at random and keeps a standby of it.
type standbyTrial struct {
	t      *testing.T
	random *rand.Rand
	fs     vfs.FS
	source *FileStore // that writes
	reader *FileStore
	copy   *Standby
	n      int
}

func (x *standbyTrial) openSource() {
	compress := CompressNone
	if x.random.IntN(2) == 0 {
		compress = CompressZstd
	}
	x.source = openStore(x.t, imageDir, Options{FS: x.fs, SegmentSize: 32 << 10, Compress: compress})
}

func (x *standbyTrial) openCopy() {
	x.reader = openStore(x.t, imageDir, Options{FS: x.fs, ReadOnly: true})
	var err error
	x.copy, err = OpenStandby(x.t.Context(), x.reader, "copy", Options{FS: x.fs, SegmentSize: 48 << 10})
	require.NoError(x.t, err)
}

func (x *standbyTrial) closeCopy() {
	require.NoError(x.t, x.copy.Close())
	require.NoError(x.t, x.reader.Close())
}

func (x *standbyTrial) append() {
	var batch []engine.Append
	for range 1 + x.random.IntN(3) {
		a := engine.Append{Stream: fmt.Sprintf("s-%d", x.random.IntN(5))}
		for range x.random.IntN(4) {
			x.n++
			e := engine.NewEvent{Type: "t", Payload: fmt.Appendf(nil, `{"n":%d,"x":"%s"}`, x.n,
				strings.Repeat("x", x.random.IntN(600)))}
			if x.random.IntN(3) == 0 {
				e.Metadata, e.Tags = []byte(`{"m":1}`), []string{"a", "b"}
			}
			a.Events = append(a.Events, e)
		}
		batch = append(batch, a)
	}
	_, err := x.source.Append(x.t.Context(), batch...)
	require.NoError(x.t, err)
}

// erase erases some ordinary events.
func (x *standbyTrial) erase() {
	var spans engine.Spans
	for _, e := range eventsOf(x.t, x.source) {
		if e.Stream[0] != '$' && x.random.IntN(20) == 0 {
			spans.Add(engine.Span{From: e.Position, To: e.Position + 1})
		}
	}
	if len(spans) == 0 {
		return
	}
	_, err := x.source.Append(x.t.Context(), engine.Append{Erase: &engine.Erasure{Events: spans, Reason: "r"}})
	require.NoError(x.t, err)
	if x.random.IntN(2) == 0 {
		settleErasures(x.t, x.source)
	}
}

func (x *standbyTrial) step() {
	switch x.random.IntN(12) {
	case 0:
		x.erase()
	case 1:
		require.NoError(x.t, x.source.Close())
		x.openSource()
	case 2:
		x.closeCopy()
		for range x.random.IntN(30) {
			x.append()
		}
		x.openCopy()
	case 3, 4:
		x.check()
	default:
		x.append()
	}
}

// check catches up and compares everything.
func (x *standbyTrial) check() {
	report, err := x.copy.Catch(x.t.Context(), nil)
	require.NoError(x.t, err)
	if x.copy.dest == nil {
		require.Zero(x.t, report.Source)
		return
	}
	reader := openStore(x.t, "copy", Options{FS: x.fs, ReadOnly: true})
	defer reader.Close()
	require.Equal(x.t, report.Head.Position, reader.ReadIndex().Head(), "others see what was taken over")
	want := eventsIn(x.t, x.source.ReadIndex().At(report.Head.Position)) // an erasure may have been done since
	require.Equal(x.t, want, eventsOf(x.t, reader))
	_, err = reader.Verify(x.t.Context())
	require.NoError(x.t, err)
	require.NoError(x.t, x.source.CheckHead(report.Head))
}

func TestAStandbyIsItsSourceAtEveryMoment(t *testing.T) {
	seed := testenv.Seed(t)
	for trial := range testenv.Scale(8, 400) {
		random := rand.New(rand.NewPCG(seed, uint64(trial)))
		x := &standbyTrial{t: t, random: random, fs: vfs.NewMem()}
		x.openSource()
		if random.IntN(2) == 0 {
			x.append()
		}
		mustAppend(t, x.source, "s-0", engine.Any, one("{}")...)
		x.openCopy()
		for range 60 {
			x.step()
		}
		settleErasures(t, x.source)
		x.check()
		x.closeCopy()
		requireTakenOver(t, x)
		require.NoError(t, x.source.Close())
	}
}

// requireTakenOver opens the copy for writing and appends to it: it is a store like any other then,
// and no standby any more.
func requireTakenOver(t *testing.T, x *standbyTrial) {
	s := openStore(t, "copy", Options{FS: x.fs})
	requireSameLog(t, x.source, s)
	mustAppend(t, s, "s-0", engine.StreamExists, one("{}")...)
	_, err := s.Verify(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())

	reader := openStore(t, imageDir, Options{FS: x.fs, ReadOnly: true})
	defer reader.Close()
	_, err = OpenStandby(t.Context(), reader, "copy", Options{FS: x.fs})
	var diverged *engine.HeadError
	require.ErrorAs(t, err, &diverged)
	mustAppend(t, x.source, "s-0", engine.Any, one("{}")...)
	_, err = OpenStandby(t.Context(), reader, "copy", Options{FS: x.fs})
	require.ErrorAs(t, err, &diverged, "also when the source has as many events")
}

func TestWhatAStandbyRefuses(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys})
	mustAppend(t, s, "a", engine.Any, one("1")...)
	reader := openStore(t, imageDir, Options{FS: fsys, ReadOnly: true})
	other := openStore(t, "other", Options{FS: fsys})
	mustAppend(t, other, "a", engine.Any, one("1")...)

	_, err := OpenStandby(t.Context(), reader, imageDir, Options{FS: fsys})
	var foreign *engine.FormatError
	require.ErrorAs(t, err, &foreign, "itself")
	_, err = OpenStandby(t.Context(), reader, "other", Options{FS: fsys, BusyTimeout: -1})
	var locked *engine.LockedError
	require.ErrorAs(t, err, &locked, "a store that is written to")
	require.NoError(t, other.Close())
	_, err = OpenStandby(t.Context(), reader, "other", Options{FS: fsys})
	require.ErrorAs(t, err, &foreign, "another store")
	assert.Contains(t, err.Error(), "another store")

	copied, err := OpenStandby(t.Context(), reader, "copy", Options{FS: fsys})
	require.NoError(t, err)
	defer copied.Close()
	_, err = OpenStandby(t.Context(), reader, "copy", Options{FS: fsys, BusyTimeout: -1})
	require.ErrorAs(t, err, &locked, "two at the same time")
}

// The source was written by somebody who has computed all checksums anew.
func TestAStandbyTakesNoFrameWhoseChainIsWrong(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys})
	mustAppend(t, s, "a", engine.Any, one("1")...)
	reader := openStore(t, imageDir, Options{FS: fsys, ReadOnly: true})
	copied, err := OpenStandby(t.Context(), reader, "copy", Options{FS: fsys})
	require.NoError(t, err)
	defer copied.Close()
	mustAppend(t, s, "a", engine.Any, one("2")...)
	index := reader.ReadIndex().(*readIndex)
	scan, err := newLogScanner(index.view.segments[0], copied.end)
	require.NoError(t, err)
	f, err := scan.next()
	require.NoError(t, err)
	f.end.chain[0] ^= 1
	_, err = copied.foreign(index.view.segments[0], f)
	var corrupt *engine.CorruptError
	require.ErrorAs(t, err, &corrupt)
	assert.Equal(t, format.FrameEvents, f.Kind)
}

// A ledger is applied to a store that has a standby: to a restored one, say. No event tells of that,
// and the standby erases the same nevertheless, also what it gets only then, and in a further standby
// of its own.
func TestALedgerThatWasAppliedToTheSourceReachesItsStandby(t *testing.T) {
	s, restored, marked := backedUp(t, 900)
	standby, further := filepath.Join(t.TempDir(), "standby"), filepath.Join(t.TempDir(), "further")
	head := catch(t, restored, standby)
	assert.Equal(t, head, catch(t, standby, further))
	require.NotEmpty(t, filesWith(t, vfs.OS(), standby, marker))

	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	ledger := ledgerOf(t, s)
	require.NoError(t, os.Remove(filepath.Join(restored, backupName)))
	c := openStore(t, restored, Options{})
	_, err = c.Append(t.Context(), engine.Append{Stream: "late", Events: []engine.NewEvent{{Type: "t"}}})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	applyLedger(t, ledger, restored, Options{})

	head = catch(t, restored, standby)
	for _, dir := range []string{standby, further} {
		if dir == further {
			assert.Equal(t, head, catch(t, standby, further))
		}
		requireClean(t, dir, head, marked)
		before, err := os.Stat(filepath.Join(dir, format.ErasedName))
		require.NoError(t, err)
		assert.Equal(t, head, catch(t, restored, dir), "again, when there is nothing to do")
		after, err := os.Stat(filepath.Join(dir, format.ErasedName))
		require.NoError(t, err)
		assert.True(t, os.SameFile(before, after))
	}
}

// catch makes dir a copy of the store in source, as it is now.
func catch(t *testing.T, source, dir string) engine.Head {
	t.Helper()
	r, err := Open(source, Options{ReadOnly: true})
	require.NoError(t, err)
	defer r.Close()
	s, err := OpenStandby(t.Context(), r, dir, Options{SegmentSize: 48 << 10})
	require.NoError(t, err)
	defer s.Close()
	report, err := s.Catch(t.Context(), nil)
	require.NoError(t, err)
	return report.Head
}

// The same of a backup of such a store: the next run to its directory takes the content away.
func TestALedgerThatWasAppliedToTheSourceReachesItsBackup(t *testing.T) {
	s, restored, marked := backedUp(t, 300)
	require.NoError(t, os.Remove(filepath.Join(restored, backupName)))
	backup := filepath.Join(t.TempDir(), "backup")
	backUp := func() engine.Head {
		c := openStore(t, restored, Options{ReadOnly: true})
		defer c.Close()
		report, err := c.Backup(t.Context(), backup)
		require.NoError(t, err)
		return report.Head
	}
	head := backUp()
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	applyLedger(t, ledgerOf(t, s), restored, Options{})
	assert.Equal(t, head, backUp())
	requireClean(t, backup, head, marked)
}

// A beforeLockFS calls before, once, when a lock is asked for.
type beforeLockFS struct {
	vfs.FS
	before func()
}

func (f *beforeLockFS) Lock(name, holder string) (io.Closer, error) {
	if before := f.before; before != nil {
		f.before = nil
		before()
	}
	return f.FS.Lock(name, holder)
}

// Somebody else makes the copy when this one has found that there is none.
func TestACopyThatSomebodyElseHasMadeMeanwhileIsGoneOnWith(t *testing.T) {
	fsys := vfs.NewMem()
	source := openStore(t, "source", Options{FS: fsys})
	mustAppend(t, source, "s", engine.Any, one("{}")...)
	reader := openStore(t, "source", Options{FS: fsys, ReadOnly: true})
	made := false
	late, err := OpenStandby(t.Context(), reader, "copy", Options{FS: &beforeLockFS{fsys, func() {
		theirs, err := OpenStandby(t.Context(), reader, "copy", Options{FS: fsys})
		require.NoError(t, err)
		require.NoError(t, theirs.Close())
		made = true
	}}})
	require.NoError(t, err)
	require.True(t, made)
	mustAppend(t, source, "s", engine.Any, one("{}")...)
	_, err = late.Catch(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, late.Close())
	assert.Equal(t, eventsOf(t, source), eventsOf(t, openStore(t, "copy", Options{FS: fsys, ReadOnly: true})))
}
