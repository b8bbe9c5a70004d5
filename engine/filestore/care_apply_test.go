package filestore

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// ledgerOf returns the ledger of a store.
func ledgerOf(t testing.TB, s *FileStore) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, s.WriteLedger(context.Background(), &b))
	return b.Bytes()
}

// backedUp returns a store with n events, of which some are marked, and a backup of it in target.
func backedUp(t testing.TB, n int) (s *FileStore, target string, marked engine.Spans) {
	t.Helper()
	root := t.TempDir()
	target = filepath.Join(root, "backup")
	s = openStore(t, filepath.Join(root, "store"), Options{SegmentSize: 64 << 10})
	marked = appendMarked(t, s, n)
	_, err := s.Backup(context.Background(), target)
	require.NoError(t, err)
	return s, target, marked
}

// applyLedger applies a ledger to the copy in dir.
func applyLedger(t testing.TB, ledger []byte, dir string, o Options) ApplyReport {
	t.Helper()
	report, err := ApplyErasures(context.Background(), bytes.NewReader(ledger), dir, o)
	require.NoError(t, err)
	return report
}

// requireClean checks that the copy in dir shows and holds nothing of what was erased, and that
// Verify finds nothing.
func requireClean(t testing.TB, dir string, head engine.Head, marked engine.Spans) {
	t.Helper()
	assert.Empty(t, filesWith(t, vfs.OS(), dir, marker))
	c, err := Open(dir, Options{ReadOnly: true, Expect: &head})
	require.NoError(t, err)
	defer c.Close()
	requireErased(t, c, marked)
	report, err := c.Verify(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.BadIndexes)
	assert.Equal(t, head, report.Head)
}

// An old backup gets rid of what was erased since, keeps its head and remains a backup; so does
// what was restored from it. Doing it again finds nothing to do, and changes no file.
func TestALedgerErasesInABackupOfAnyAge(t *testing.T) {
	for _, compress := range []Compression{CompressNone, CompressZstd} {
		root := t.TempDir()
		target := filepath.Join(root, "backup")
		s := openStore(t, filepath.Join(root, "store"), Options{SegmentSize: 64 << 10, Compress: compress})
		marked := appendMarked(t, s, 900)
		if compress == CompressZstd {
			settleCompression(t, s)
		}
		made, err := s.Backup(t.Context(), target)
		require.NoError(t, err)
		late := appendMarked(t, s, 90)
		_, err = s.Append(t.Context(), erasing(marked.Union(late)...))
		require.NoError(t, err)
		ledger := ledgerOf(t, s)
		settleErasures(t, s)
		assert.True(t, bytes.Equal(ledgerBody(ledger), ledgerBody(ledgerOf(t, s))), "it is the same before and after")

		report := applyLedger(t, ledger, target, Options{})
		assert.Equal(t, made.Head, report.Head)
		assert.Equal(t, marked.Count()+late.Count(), report.Named)
		assert.Equal(t, late.Count(), report.Beyond)
		assert.Equal(t, marked.Count(), report.Erased)
		assert.Zero(t, report.Before)
		requireClean(t, target, made.Head, marked)

		before := treeOf(t, target)
		report = applyLedger(t, ledger, target, Options{})
		assert.Equal(t, marked.Count(), report.Before)
		assert.Zero(t, report.Erased)
		assert.Equal(t, before, treeOf(t, target))

		_, err = s.Backup(t.Context(), target)
		require.NoError(t, err, "it is a backup still")
		assert.NoFileExists(t, filepath.Join(target, format.ErasedName))
		b := openStore(t, target, Options{ReadOnly: true})
		requireErased(t, b, marked.Union(late))
		_, err = b.Verify(t.Context())
		require.NoError(t, err)
	}
}

// ledgerBody returns the lines of a ledger that tell of events: the first has the head, and the last
// the sum.
func ledgerBody(b []byte) []byte {
	lines := bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	return bytes.Join(lines[1:len(lines)-1], nil)
}

// A copy to which a ledger was applied is a store: it can be appended to, backed up, and its own
// ledger names what the one that was applied has named.
func TestACopyThatALedgerWasAppliedToIsAStoreLikeAnyOther(t *testing.T) {
	root := t.TempDir()
	target, second, third := filepath.Join(root, "b1"), filepath.Join(root, "b2"), filepath.Join(root, "b3")
	s := openStore(t, filepath.Join(root, "store"), Options{SegmentSize: 64 << 10})
	marked := appendMarked(t, s, 300)
	for _, dir := range []string{target, third} {
		_, err := s.Backup(t.Context(), dir)
		require.NoError(t, err)
	}
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	ledger := ledgerOf(t, s)
	applyLedger(t, ledger, target, Options{})

	c := openStore(t, target, Options{SegmentSize: 64 << 10})
	own := ledgerOf(t, c)
	_, err = c.Append(t.Context(), engine.Append{Stream: "other", Events: []engine.NewEvent{{Type: "t"}}})
	require.NoError(t, err)
	mine, err := c.Append(t.Context(), erasing(engine.Span{From: 300, To: 301}))
	require.NoError(t, err)
	settleErasures(t, c)
	assert.Equal(t, engine.Position(301), mine.Events[0].Position)
	_, err = c.Verify(t.Context())
	require.NoError(t, err)

	_, err = c.Backup(t.Context(), second)
	require.NoError(t, err)
	b := openStore(t, second, Options{ReadOnly: true})
	_, err = b.Verify(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.Close())
	_, err = c.Backup(t.Context(), second)
	require.NoError(t, err, "the file ERASED is one of a backup")

	report := applyLedger(t, own, third, Options{})
	assert.Equal(t, marked.Count(), report.Erased)
	requireClean(t, third, report.Head, marked)
}

// What a ledger names that has another content in the copy is not touched, nor is anything else.
func TestALedgerOfOtherEventsChangesNothing(t *testing.T) {
	root := t.TempDir()
	target, dir := filepath.Join(root, "backup"), filepath.Join(root, "store")
	s := openStore(t, dir, Options{SegmentSize: 64 << 10})
	appendMarked(t, s, 100)
	_, err := s.Backup(t.Context(), target)
	require.NoError(t, err)
	marked := appendMarked(t, s, 60)
	_, err = s.Append(t.Context(), erasing(engine.Span{From: 0, To: 1}, marked[0], marked[1]))
	require.NoError(t, err)
	ledger := ledgerOf(t, s)

	c := openStore(t, target, Options{SegmentSize: 64 << 10})
	appendMarked(t, c, 60) // restored, and used
	require.NoError(t, c.Close())
	before := treeOf(t, target)
	_, err = ApplyErasures(t.Context(), bytes.NewReader(ledger), target, Options{})
	var other *SealError
	require.ErrorAs(t, err, &other)
	assert.Equal(t, marked[0].From, other.Position)
	assert.NotEqual(t, other.Ledger, other.Copy)
	assert.Contains(t, err.Error(), "nothing was changed")
	assert.Equal(t, before, treeOf(t, target))

	foreign := openStore(t, filepath.Join(root, "foreign"), Options{})
	appendMarked(t, foreign, 100)
	require.NoError(t, foreign.Close())
	_, err = ApplyErasures(t.Context(), bytes.NewReader(ledger), filepath.Join(root, "foreign"), Options{})
	var format *engine.FormatError
	require.ErrorAs(t, err, &format)
	assert.Contains(t, err.Error(), "the ledger of the store")
	_, err = ApplyErasures(t.Context(), bytes.NewReader(ledger), filepath.Join(root, "missing"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A ledger is taken whole or not at all: one that was cut or changed anywhere is refused, with its
// line.
func TestALedgerThatWasCutOrChangedIsRefused(t *testing.T) {
	s := openStore(t, "/store", Options{FS: vfs.NewMem()})
	marked := appendMarked(t, s, 30)
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	ledger := ledgerOf(t, s)
	_, err = readLedger(bytes.NewReader(ledger))
	require.NoError(t, err)
	_, err = readLedger(bytes.NewReader(bytes.TrimSuffix(ledger, []byte("\n"))))
	require.NoError(t, err, "an editor may take the last end of line away")
	refused := func(b []byte) *LedgerError {
		t.Helper()
		_, err := readLedger(bytes.NewReader(b))
		var fault *LedgerError
		require.ErrorAs(t, err, &fault)
		return fault
	}
	for n := range len(ledger) - 1 {
		line := 1 + int64(bytes.Count(ledger[:min(n+1, len(ledger)-1)], []byte("\n"))) // that is not whole
		require.Equal(t, line, refused(ledger[:n]).Line, "cut at byte %d", n)
	}
	for n := range ledger {
		for _, b := range []byte{ledger[n] ^ 1, ledger[n] ^ 4, ' ', '9'} {
			changed := bytes.Clone(ledger)
			if changed[n] = b; b != ledger[n] && strings.TrimSpace(string(changed)) != strings.TrimSpace(string(ledger)) {
				l, err := readLedger(bytes.NewReader(changed))
				require.Error(t, err, "byte %d is %q: %v", n, b, l)
			}
		}
	}
	assert.Equal(t, &LedgerError{1, "is missing: this is no ledger"}, refused(nil))
	assert.Equal(t, "does not begin a ledger", refused([]byte("SQLite format 3\x00\n")).Reason)
	assert.Equal(t, "has version 2, this version of eventfold knows 1", refused([]byte(`{"ledger":2,"x":[]}`)).Reason)
	assert.Contains(t, refused(bytes.Repeat([]byte("x"), 1<<20)).Reason, "longer than")
	assert.Equal(t, "stands behind the last one", refused(append(bytes.Clone(ledger), ledger...)).Reason)
}

// A ledger has nothing of what was written: no names, no reasons, no content.
func TestALedgerHoldsNothingPersonal(t *testing.T) {
	s := openStore(t, "/store", Options{FS: vfs.NewMem()})
	appendMarked(t, s, 3000)
	_, err := s.Append(t.Context(), erasing(engine.Span{From: 0, To: 1500}))
	require.NoError(t, err)
	text := string(ledgerOf(t, s))
	for _, word := range []string{marker, "Art. 17", "tests", "kept", `"s"`} {
		assert.NotContains(t, text, word)
	}
	assert.Equal(t, 1+1+3+1, strings.Count(text, "\n"), "runs share lines")
}

// Whoever damages ERASED keeps the copy from being opened, and the ledger mends it.
func TestADamagedFileERASEDIsRefusedAndALedgerMendsIt(t *testing.T) {
	s, target, marked := backedUp(t, 300)
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	ledger := ledgerOf(t, s)
	report := applyLedger(t, ledger, target, Options{})
	name := filepath.Join(target, format.ErasedName)
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	for n := range whole {
		if n%7 != 0 {
			continue
		}
		b := bytes.Clone(whole)
		b[n] ^= 0x10
		require.NoError(t, os.WriteFile(name, b, 0o600))
		_, err := Open(target, Options{ReadOnly: true})
		var corrupt *engine.CorruptError
		require.ErrorAs(t, err, &corrupt, "byte %d", n)
		require.Equal(t, name, corrupt.File)
	}
	applyLedger(t, ledger, target, Options{})
	requireClean(t, target, report.Head, marked)

	require.NoError(t, os.Remove(name)) // then nothing names what is erased
	c := openStore(t, target, Options{ReadOnly: true})
	_, err = c.Verify(t.Context())
	require.ErrorContains(t, err, "no erasure names it")
	require.NoError(t, c.Close())
	applyLedger(t, ledger, target, Options{})
	requireClean(t, target, report.Head, marked)

	f := format.Erased{Store: report.Store, Done: true, Events: engine.Spans{{From: 0, To: 2}}}
	require.NoError(t, os.WriteFile(name, f.Encode(), 0o600)) // it claims too much
	c = openStore(t, target, Options{ReadOnly: true})
	_, err = c.Verify(t.Context())
	require.Error(t, err)
}

// While somebody writes to the copy, nothing is done to it.
func TestALedgerIsNotAppliedToAStoreInUse(t *testing.T) {
	s, target, marked := backedUp(t, 30)
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	c := openStore(t, target, Options{})
	_, err = c.Append(t.Context(), engine.Append{Stream: "other", Events: []engine.NewEvent{{Type: "t"}}})
	require.NoError(t, err)
	_, err = ApplyErasures(t.Context(), bytes.NewReader(ledgerOf(t, s)), target, Options{BusyTimeout: -1})
	var locked *engine.LockedError
	require.ErrorAs(t, err, &locked)
	assert.NoFileExists(t, filepath.Join(target, format.ErasedName))
}

// A reader in the copy sees nothing of it any more as soon as it looks again.
func TestAReaderOfTheCopyFollowsALedgerThatIsApplied(t *testing.T) {
	s, target, marked := backedUp(t, 300)
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	reader := openStore(t, target, Options{ReadOnly: true})
	require.Equal(t, engine.Position(300), reader.ReadIndex().Head())
	applyLedger(t, ledgerOf(t, s), target, Options{})
	requireErased(t, reader, marked)
	_, err = reader.Verify(t.Context())
	require.NoError(t, err)
}

// An erasure that the copy knows of itself, and that was under way when the copy was made, is
// carried out as well; nothing is appended.
func TestALedgerCarriesOutWhatTheCopyHasLeftUndone(t *testing.T) {
	root := t.TempDir()
	target := filepath.Join(root, "backup")
	s := openStore(t, filepath.Join(root, "store"), Options{SegmentSize: 64 << 10})
	marked := appendMarked(t, s, 300)
	s.eraser.stall(t)
	_, err := s.Append(t.Context(), erasing(marked[:50]...))
	require.NoError(t, err)
	made, err := s.Backup(t.Context(), target)
	require.NoError(t, err)
	_, err = s.Append(t.Context(), erasing(marked[50:]...))
	require.NoError(t, err)
	applyLedger(t, ledgerOf(t, s), target, Options{})
	requireClean(t, target, made.Head, marked)
	c := openStore(t, target, Options{})
	assert.True(t, c.isBackup())
}

// What a crash has left in a copy may be of an event that came into the store later, and was erased
// there: it goes, too, although the copy has no such event.
func TestALedgerRemovesWhatACrashHasLeftInTheCopy(t *testing.T) {
	root := t.TempDir()
	target := filepath.Join(root, "copy")
	s := openStore(t, filepath.Join(root, "store"), Options{SegmentSize: 64 << 10})
	_, err := s.Append(t.Context(), engine.Append{Stream: "s", Events: []engine.NewEvent{{Type: "t"}}})
	require.NoError(t, err)
	made, err := s.Backup(t.Context(), target)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(target, backupName)))
	marked := appendMarked(t, s, 1)
	_, err = s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	for _, name := range []string{"torn-1-00002000.bin", compressTemp, format.SegmentFileName(1, 3)} {
		require.NoError(t, os.WriteFile(filepath.Join(target, name), []byte(marker), 0o600))
	}
	if m, err := readManifest(vfs.OS(), target); assert.NoError(t, err) {
		assert.Zero(t, m.Segments[0].Generation)
	}
	report := applyLedger(t, ledgerOf(t, s), target, Options{})
	assert.Equal(t, []int64{1, 1, 0}, []int64{report.Named, report.Beyond, report.Erased})
	assert.Empty(t, filesWith(t, vfs.OS(), target, marker))
	c := openStore(t, target, Options{ReadOnly: true, Expect: &made.Head})
	_, err = c.Verify(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Close())
	before := treeOf(t, target)
	applyLedger(t, ledgerOf(t, s), target, Options{})
	assert.Equal(t, before, treeOf(t, target))
}

// No store writes a ledger that names what tells of erasures. Whoever does so destroys nothing.
func TestALedgerThatNamesErasuresIsRefused(t *testing.T) {
	root := t.TempDir()
	target := filepath.Join(root, "backup")
	s := openStore(t, filepath.Join(root, "store"), Options{SegmentSize: 64 << 10})
	marked := appendMarked(t, s, 3)
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	settleErasures(t, s)
	_, err = s.Backup(t.Context(), target)
	require.NoError(t, err)
	forged := forgeLedger(t, s, engine.Spans{{From: 1, To: 4}})
	_, err = ApplyErasures(t.Context(), bytes.NewReader(forged), target, Options{})
	var invalid *engine.InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.NoFileExists(t, filepath.Join(target, format.ErasedName))
}

// forgeLedger returns a ledger that names any events.
func forgeLedger(t *testing.T, s *FileStore, events engine.Spans) []byte {
	var b bytes.Buffer
	l := &ledgerWriter{out: bufio.NewWriter(&b), sum: sha256.New()}
	version := ledgerVersion
	l.line(ledgerHead{&version, s.view.Load().store, ledgerPlace{1000, strings.Repeat("0", 64)}})
	require.NoError(t, s.current().eachSeal(t.Context(), events, l.add))
	l.flush()
	require.NoError(t, l.end())
	return b.Bytes()
}

// Salvage takes what ERASED names for erased, whether or not that has been carried out.
func TestSalvageHeedsTheFileERASED(t *testing.T) {
	s, target, marked := backedUp(t, 300)
	f := format.Erased{Store: s.view.Load().store, Events: marked}
	require.NoError(t, writeErasedFile(vfs.OS(), target, &f))
	for _, done := range []bool{false, true} {
		to := filepath.Join(t.TempDir(), "saved", strconv.FormatBool(done))
		require.NoError(t, os.MkdirAll(to, 0o700))
		report, err := Salvage(t.Context(), target, to, Options{SegmentSize: 64 << 10})
		require.NoError(t, err)
		assert.Equal(t, marked.Count(), report.Erased)
		assert.Empty(t, filesWith(t, vfs.OS(), to, marker))
		c := openStore(t, to, Options{ReadOnly: true})
		_, err = c.Verify(t.Context())
		require.NoError(t, err)
		require.NoError(t, c.Close())
		_, err = s.Append(t.Context(), erasing(marked...))
		require.NoError(t, err)
		applyLedger(t, ledgerOf(t, s), target, Options{})
	}
}
