package filestore

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// derive keeps a text under a name, as of now.
func derive(t testing.TB, s *FileStore, name, text string) error {
	t.Helper()
	index := s.current()
	erasures, err := index.erasuresVersion()
	require.NoError(t, err)
	d := engine.Derived{Position: index.head, Erasures: erasures}
	return s.WriteDerived(t.Context(), name, d, func(to io.Writer) error {
		_, err := io.WriteString(to, text)
		return err
	})
}

// derived returns what is kept under a name, "" for nothing that can be used.
func derivedText(t testing.TB, s *FileStore, name string) (text string, d engine.Derived) {
	t.Helper()
	err := s.ReadDerived(t.Context(), name, func(found engine.Derived, from io.Reader) error {
		b, err := io.ReadAll(from)
		if err == nil {
			text, d = string(b), found
		}
		return err
	})
	if err != nil {
		require.ErrorIs(t, err, engine.ErrNoDerived)
		return "", engine.Derived{}
	}
	return text, d
}

func TestWhatIsDerivedIsReadByEveryProcessThatFollows(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	assert.ErrorIs(t, derive(t, s, "view-1", "x"), engine.ErrReadOnly, "before there is a writer")
	appendNumbered(t, s, 0, 5)
	text, _ := derivedText(t, s, "view-1")
	assert.Empty(t, text)
	require.NoError(t, derive(t, s, "view-1", "five"))
	reader := openStore(t, dir, Options{ReadOnly: true})
	for _, s := range []*FileStore{s, reader} {
		text, d := derivedText(t, s, "view-1")
		assert.Equal(t, "five", text)
		assert.Equal(t, engine.Derived{Position: 5, Erasures: engine.NoVersion}, d)
	}
	assert.ErrorIs(t, derive(t, reader, "view-1", "x"), engine.ErrReadOnly)
	assert.ErrorIs(t, reader.RemoveDerived(t.Context(), nil), engine.ErrReadOnly)
	require.NoError(t, s.RemoveDerived(t.Context(), func(name string) bool { return name != "view-1" }))
	text, _ = derivedText(t, reader, "view-1")
	assert.Empty(t, text)
	require.NoError(t, s.Close())
	assert.ErrorIs(t, s.WriteDerived(t.Context(), "view-1", engine.Derived{Position: 5}, nil), engine.ErrClosed)
	assert.ErrorIs(t, s.ReadDerived(t.Context(), "view-1", nil), engine.ErrClosed)
}

func TestWhatIsDerivedOfNoHeadOfTheLogIsNotKept(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	appendNumbered(t, s, 0, 5)
	keep := func(d engine.Derived) error {
		return s.WriteDerived(t.Context(), "a", d, func(io.Writer) error { return nil })
	}
	for _, d := range []engine.Derived{
		{Position: 0, Erasures: engine.NoVersion}, {Position: 6, Erasures: engine.NoVersion}, {Position: 5, Erasures: 0},
		{Position: -1, Erasures: engine.NoVersion},
	} {
		assert.ErrorIs(t, keep(d), engine.ErrStaleDerived, "%+v", d)
	}
	var invalid *engine.InvalidError
	err := s.WriteDerived(t.Context(), "../a", engine.Derived{}, nil)
	assert.ErrorAs(t, err, &invalid)
	assert.ErrorAs(t, s.ReadDerived(t.Context(), "A", nil), &invalid)
}

func TestWhatFailsHalfWayLeavesWhatWasKeptBefore(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	appendNumbered(t, s, 0, 5)
	require.NoError(t, derive(t, s, "a", "before"))
	broken := errors.New("broken")
	err := s.WriteDerived(t.Context(), "a", engine.Derived{Position: 5, Erasures: engine.NoVersion},
		func(to io.Writer) error {
			_, err := to.Write(make([]byte, 1<<20))
			return errors.Join(err, broken)
		})
	assert.ErrorIs(t, err, broken)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.WriteDerived(ctx, "a", engine.Derived{Position: 5, Erasures: engine.NoVersion},
		func(io.Writer) error { return nil })
	assert.ErrorIs(t, err, context.Canceled)
	text, _ := derivedText(t, s, "a")
	assert.Equal(t, "before", text)
	assert.NoFileExists(t, filepath.Join(dir, format.DerivedTemp))
}

// TestWhatIsDerivedOfAnotherLogIsNotRead: of another store, of one that went another way after a file
// was kept, of one that is shorter, and of anything that is no such file.
func TestWhatIsDerivedOfAnotherLogIsNotRead(t *testing.T) {
	dir, other, shorter, file := t.TempDir(), t.TempDir(), t.TempDir(), "a"+format.DerivedSuffix
	s := openStore(t, dir, Options{})
	appendNumbered(t, s, 0, 5)
	require.NoError(t, s.Close())
	copyFiles(t, dir, other) // which is the same store, for five events
	copyFiles(t, dir, shorter)
	s = openStore(t, dir, Options{})
	appendNumbered(t, s, 5, 9)
	require.NoError(t, derive(t, s, "a", "nine"))
	went := openStore(t, other, Options{})
	for i := range 4 {
		mustAppend(t, went, "s", engine.Any, one(payloadOf(15+i))...)
	}
	fresh := openStore(t, t.TempDir(), Options{})
	appendNumbered(t, fresh, 0, 9)
	for name, s := range map[string]*FileStore{
		"another way": went, "another store": fresh, "shorter": openStore(t, shorter, Options{}),
	} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, file), b, 0o600))
		text, _ := derivedText(t, s, "a")
		assert.Empty(t, text, name)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, file)))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, file, "sub"), 0o700))
	text, _ := derivedText(t, s, "a")
	assert.Empty(t, text, "a directory")
	require.Error(t, derive(t, s, "a", "x"))
	require.NoError(t, s.RemoveDerived(t.Context(), func(string) bool { return false }), "which stays")
}

// TestAnErasureRemovesWhatIsDerivedFromItBeforeItIsDone, whole files, torn ones and those that nobody
// can read, and leaves what is derived from earlier events.
func TestAnErasureRemovesWhatIsDerivedFromItBeforeItIsDone(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	appendNumbered(t, s, 0, 5)
	require.NoError(t, derive(t, s, "early", "early groups"))
	appendNumbered(t, s, 5, 9)
	require.NoError(t, derive(t, s, "late", "late groups"))
	for file, text := range map[string]string{"torn.state": "EVFDERI1", "odd.state": "groups", format.DerivedTemp: "groups"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "neighbour.state", "sub"), 0o700))
	told := 0
	stop := s.OnErase(func(context.Context, engine.Spans) error {
		told++
		if told == 2 { // before it is done
			assert.FileExists(t, filepath.Join(dir, "late.state"))
			list, err := s.Erasures(t.Context())
			require.NoError(t, err)
			var files []string
			for _, p := range list[0].Pending {
				files = append(files, p.File)
			}
			assert.Subset(t, files, []string{"late.state", "torn.state", "odd.state", format.DerivedTemp})
			assert.NotContains(t, files, "early.state")
		}
		return nil
	})
	defer stop()
	_, err := s.Append(t.Context(), engine.Append{Erase: &engine.Erasure{Events: engine.Spans{{From: 6, To: 7}}, Reason: "x"}})
	require.NoError(t, err)
	settleErasures(t, s)
	names, err := vfs.OS().List(dir)
	require.NoError(t, err)
	assert.Contains(t, names, "early.state")
	for _, gone := range []string{"late.state", "torn.state", "odd.state", format.DerivedTemp} {
		assert.NotContains(t, names, gone)
	}
	assert.Equal(t, 2, told)
	// what was made before does not know of it
	err = s.WriteDerived(t.Context(), "late", engine.Derived{Position: 9, Erasures: engine.NoVersion},
		func(io.Writer) error { return nil })
	assert.ErrorIs(t, err, engine.ErrStaleDerived)
	require.NoError(t, derive(t, s, "late", "made anew"))
}

// TestNothingIsDerivedWhileAnErasureIsNotDone, since it could not be told what it is made of.
func TestNothingIsDerivedWhileAnErasureIsNotDone(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	appendNumbered(t, s, 0, 5)
	s.eraser.stalled.Store(true)
	_, err := s.Append(t.Context(), engine.Append{Erase: &engine.Erasure{Events: engine.Spans{{From: 1, To: 2}}, Reason: "x"}})
	require.NoError(t, err)
	assert.ErrorIs(t, derive(t, s, "a", "x"), engine.ErrStaleDerived)
	s.eraser.stalled.Store(false)
	s.indexer.look()
	settleErasures(t, s)
	assert.NoError(t, derive(t, s, "a", "x"))
}

// TestABackupHasNothingThatIsDerived, and whoever applies a ledger to a copy removes it there.
func TestABackupHasNothingThatIsDerived(t *testing.T) {
	dir, backup, ledger := t.TempDir(), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "ledger")
	s := openStore(t, dir, Options{})
	appendNumbered(t, s, 0, 9)
	require.NoError(t, derive(t, s, "a", "groups"))
	_, err := s.Backup(t.Context(), backup)
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(backup, "a.state"))
	copied := t.TempDir()
	require.NoError(t, s.Close())
	copyFiles(t, dir, copied)
	s = openStore(t, dir, Options{})
	_, err = s.Append(t.Context(), engine.Append{Erase: &engine.Erasure{Events: engine.Spans{{From: 6, To: 7}}, Reason: "x"}})
	require.NoError(t, err)
	settleErasures(t, s)
	f, err := os.Create(ledger)
	require.NoError(t, err)
	require.NoError(t, s.WriteLedger(t.Context(), f))
	_, err = f.Seek(0, io.SeekStart)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(copied, "a.state"))
	_, err = ApplyErasures(t.Context(), f, copied, Options{})
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.NoFileExists(t, filepath.Join(copied, "a.state"))
}
