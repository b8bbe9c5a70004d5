package shred

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A safe is a keyring in files and its epoch keys, each in a directory of its own.
type safe struct{ keys, epochs string }

func newSafe(t *testing.T) safe {
	dir := t.TempDir()
	return safe{filepath.Join(dir, "keys"), filepath.Join(dir, "epochs")}
}

func (s safe) open(t *testing.T, create bool) *File {
	t.Helper()
	f, err := s.tryOpen(create, false)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

func (s safe) tryOpen(create, readOnly bool) (*File, error) {
	e, err := OpenEpochFiles(s.epochs, "")
	if err != nil {
		return nil, err
	}
	return OpenFile(context.Background(), FileOptions{Dir: s.keys, Epochs: e, Create: create, ReadOnly: readOnly})
}

func mustKey(t *testing.T, keys Keyring, subject string) Key {
	t.Helper()
	k, err := keys.Key(t.Context(), subject, true)
	require.NoError(t, err)
	return k
}

func mustErase(t *testing.T, keys Keyring, subject, reason string) {
	t.Helper()
	erased, err := keys.Erase(t.Context(), subject, reason)
	require.NoError(t, err)
	require.True(t, erased)
}

// testKeyring is the contract of a keyring, for all of them.
func testKeyring(t *testing.T, keys Keyring) {
	ctx := t.Context()
	_, err := keys.Key(ctx, "a", false)
	require.ErrorIs(t, err, ErrNoKey)
	_, err = keys.Erase(ctx, "a", "")
	require.ErrorIs(t, err, ErrNoKey)
	require.ErrorIs(t, keys.Allow(ctx, "a"), ErrNoKey)

	a, A, odd := mustKey(t, keys, "a"), mustKey(t, keys, "A"), mustKey(t, keys, "a ' \" \n ü")
	assert.Equal(t, 1, a.Revision)
	assert.Equal(t, "a", a.Subject)
	assert.NotEqual(t, a.Secret, A.Secret, "names differ in their cases")
	assert.Equal(t, a, mustKey(t, keys, "a"))
	require.NoError(t, keys.Allow(ctx, "a"), "who has a key needs no other one")
	assert.Equal(t, a, mustKey(t, keys, "a"))

	mustErase(t, keys, "a", "Art. 17, 'ticket' 7")
	for _, create := range []bool{false, true} {
		_, err = keys.Key(ctx, "a", create)
		var facts *ForgottenError
		require.ErrorAs(t, err, &facts)
		assert.Equal(t, "Art. 17, 'ticket' 7", facts.Reason)
		assert.Equal(t, 1, facts.Revision)
		assert.Equal(t, fingerprint(a.Secret), facts.Fingerprint)
		assert.False(t, facts.At.IsZero())
	}
	erased, err := keys.Erase(ctx, "a", "again")
	require.NoError(t, err)
	assert.False(t, erased)
	assert.Equal(t, A, mustKey(t, keys, "A"))
	assert.Equal(t, odd, mustKey(t, keys, "a ' \" \n ü"))

	require.NoError(t, keys.Allow(ctx, "a"))
	second, err := keys.Key(ctx, "a", false)
	require.NoError(t, err)
	assert.Equal(t, 2, second.Revision)
	assert.NotEqual(t, a.Secret, second.Secret)
	require.Len(t, second.Fences, 1)
	mustErase(t, keys, "a", "second")
	_, err = keys.Key(ctx, "a", false)
	var facts *ForgottenError
	require.ErrorAs(t, err, &facts)
	assert.Equal(t, 2, facts.Revision)
	require.Len(t, facts.Earlier, 1)
	assert.Equal(t, 1, facts.Earlier[0].Revision)

	testOddCalls(t, keys)
	testManyAtOnce(t, keys)
}

// testOddCalls makes calls that are refused, to a keyring with a key for A.
func testOddCalls(t *testing.T, keys Keyring) {
	ctx, before := t.Context(), mustKey(t, keys, "A")
	for _, bad := range []string{"", "\xff", strings.Repeat("x", 256)} {
		_, err := keys.Key(ctx, bad, true)
		assert.ErrorAs(t, err, new(*ArgumentError))
	}
	_, err := keys.Erase(ctx, pepper, "")
	assert.ErrorAs(t, err, new(*ArgumentError), "the pepper is nobody's")
	_, err = keys.Erase(ctx, "A", strings.Repeat("x", 1001))
	assert.ErrorAs(t, err, new(*ArgumentError))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = keys.Erase(ended, "A", "")
	require.ErrorIs(t, err, context.Canceled)
	_, err = keys.Key(ended, "new", true)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, before, mustKey(t, keys, "A"))
}

// testManyAtOnce makes and erases keys from several goroutines.
func testManyAtOnce(t *testing.T, keys Keyring) {
	const subjects, goroutines = 6, 4
	var secrets [goroutines][subjects]Key
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range subjects {
				k, err := keys.Key(t.Context(), fmt.Sprint("many-", i), true)
				assert.NoError(t, err)
				secrets[g][i] = k
			}
		})
	}
	wg.Wait()
	for g := range goroutines {
		assert.Equal(t, secrets[0], secrets[g], "all have got the same keys")
	}
	var erased [goroutines]bool
	for g := range goroutines {
		wg.Go(func() {
			var err error
			erased[g], err = keys.Erase(t.Context(), "many-0", "")
			assert.NoError(t, err)
			_, err = keys.Key(t.Context(), fmt.Sprint("more-", g), true)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	n := 0
	for _, yes := range erased {
		if yes {
			n++
		}
	}
	assert.Equal(t, 1, n, "one of them has erased it")
	assert.Equal(t, secrets[0][1], mustKey(t, keys, "many-1"))
}

func TestKeyringInFiles(t *testing.T) { testKeyring(t, newSafe(t).open(t, true)) }

func TestKeyringInMemory(t *testing.T) {
	fsys := vfs.NewMem()
	require.NoError(t, fsys.MkdirAll("/k"))
	e, err := openEpochFiles(fsys, "/e", "words")
	require.NoError(t, err)
	e.iterations = 10
	f, err := openFile(t.Context(), fsys, FileOptions{Dir: "/keys", Epochs: e, Create: true})
	require.NoError(t, err)
	testKeyring(t, f)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	_, err = f.Key(t.Context(), "a", true)
	assert.ErrorIs(t, err, ErrClosed)
	_, err = f.Erase(t.Context(), "a", "")
	assert.ErrorIs(t, err, ErrClosed)
	assert.ErrorIs(t, f.Allow(t.Context(), "a"), ErrClosed)
}

func TestKeysAndFencesSurviveAReopening(t *testing.T) {
	s := newSafe(t)
	f := s.open(t, true)
	a, b := mustKey(t, f, "a"), mustKey(t, f, "b")
	mustErase(t, f, "a", "why")
	c := mustKey(t, f, "c")
	require.NoError(t, f.Allow(t.Context(), "a"))
	a2 := mustKey(t, f, "a")
	require.NoError(t, f.Close())
	f = s.open(t, false)
	assert.Equal(t, b, mustKey(t, f, "b"))
	assert.Equal(t, c, mustKey(t, f, "c"))
	assert.Equal(t, a2, mustKey(t, f, "a"))
	assert.Equal(t, fingerprint(a.Secret), a2.Fences[0].Fingerprint)
	assert.Equal(t, "why", a2.Fences[0].Reason)
}

func TestAnOldCopyOfAKeyringIsDead(t *testing.T) {
	s := newSafe(t)
	f := s.open(t, true)
	fresh := copyDir(t, s.keys)
	mustKey(t, f, "a")
	mustKey(t, f, "b")
	full := copyDir(t, s.keys)
	mustErase(t, f, "a", "")
	require.NoError(t, f.Close())
	for _, old := range []string{fresh, full} {
		_, err := safe{old, s.epochs}.tryOpen(true, false)
		var facts *EpochError
		require.ErrorAs(t, err, &facts)
		assert.ErrorIs(t, err, ErrNoEpoch)
		assert.Equal(t, filepath.Join(old, keysName), facts.Keyring)
		_, err = safe{old, s.epochs}.tryOpen(false, true)
		require.ErrorIs(t, err, ErrNoEpoch)
	}
	// The old file in the place of the new one brings nothing back either.
	text, err := os.ReadFile(filepath.Join(full, keysName))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(s.keys, keysName), text, 0o600))
	_, err = s.tryOpen(true, false)
	require.ErrorIs(t, err, ErrNoEpoch)
}

func TestOldLinesInANewKeyringBringNothingBack(t *testing.T) {
	s := newSafe(t)
	f := s.open(t, true)
	mustKey(t, f, "a")
	name := filepath.Join(s.keys, keysName)
	old, err := os.ReadFile(name)
	require.NoError(t, err)
	mustErase(t, f, "a", "")
	require.NoError(t, f.Close())
	now, err := os.ReadFile(name)
	require.NoError(t, err)
	lines := bytes.SplitAfter(now, []byte("\n"))
	last := bytes.SplitAfter(old, []byte("\n"))[2]
	for what, text := range map[string][]byte{
		"a line of the old epoch": append(bytes.Clone(now), last...),
		"a line twice":            append(bytes.Clone(now), lines[1]...),
		"another byte at the end": append(bytes.Clone(now[:len(now)-5]), "AAAA\n"...),
	} {
		require.NoError(t, os.WriteFile(name, text, 0o600))
		f, err := s.tryOpen(true, false)
		require.NoError(t, err, what)
		_, err = f.Key(t.Context(), "a", true)
		require.ErrorIs(t, err, ErrForgotten, what)
		require.NoError(t, f.Close())
	}
	for what, text := range map[string][]byte{
		"lines in another order": bytes.Join([][]byte{lines[0], lines[2], lines[1]}, nil),
		"a line left out":        bytes.Join([][]byte{lines[0], lines[2]}, nil),
		"no lines":               lines[0],
		"no header":              now[1:],
		"nothing":                nil,
		"a later version":        bytes.Replace(now, []byte(`keyring":1`), []byte(`keyring":2`), 1),
		"a flipped byte":         bytes.Replace(now, lines[1][:8], []byte("AAAAAAAA"), 1),
	} {
		require.NoError(t, os.WriteFile(name, text, 0o600))
		_, err = s.tryOpen(true, false)
		assert.ErrorAs(t, err, new(*DamagedError), what)
	}
}

func TestADamagedLineIsNotTakenForATornOne(t *testing.T) {
	s := newSafe(t)
	f := s.open(t, true)
	mustKey(t, f, "a")
	mustKey(t, f, "b")
	name := filepath.Join(s.keys, keysName)
	require.NoError(t, f.Close())
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	lines := bytes.SplitAfter(text, []byte("\n"))
	require.Len(t, lines, 7, "header, pepper, mark, a, b, mark, nothing")
	for i := range 4 {
		bad := bytes.Clone(text)
		bad[bytes.Index(bad, lines[i+1])+10] ^= 1
		require.NoError(t, os.WriteFile(name, bad, 0o600))
		_, err = s.tryOpen(false, false)
		var facts *DamagedError
		require.ErrorAs(t, err, &facts)
		assert.Equal(t, i+2, facts.Line)
	}
	last := bytes.Clone(text) // two lines at the end are no torn one
	for i := 4; i < 6; i++ {
		at := bytes.Index(text, lines[i]) + 10
		last[at] = map[bool]byte{true: 'B', false: 'A'}[text[at] == 'A']
	}
	require.NoError(t, os.WriteFile(name, last, 0o600))
	_, err = s.tryOpen(false, false)
	require.ErrorAs(t, err, new(*DamagedError))
}

func TestATornLineIsCutOff(t *testing.T) {
	s := newSafe(t)
	f := s.open(t, true)
	a := mustKey(t, f, "a")
	mustKey(t, f, "b")
	name := filepath.Join(s.keys, keysName)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, torn := range [][]byte{
		text[:len(text)-1], text[:len(text)-20],
		append(bytes.Clone(text[:len(text)-20]), make([]byte, 20)...),
		append(bytes.Clone(text[:len(text)-20]), append(make([]byte, 19), '\n')...),
		append(bytes.Clone(text[:len(text)-20]), "\x01\n\n\xff\nYW55\xfe\n\x02\n\x03"...),
	} {
		require.NoError(t, os.WriteFile(name, torn, 0o600))
		f = s.open(t, false)
		assert.Equal(t, a, mustKey(t, f, "a"))
		_, err = f.Key(t.Context(), "b", false)
		require.ErrorIs(t, err, ErrNoKey)
		mustKey(t, f, "c")
		require.NoError(t, f.Close())
		f = s.open(t, false)
		mustKey(t, f, "c")
		require.NoError(t, f.Close())
	}
}

func TestTwoProcessesDoNotWriteOneKeyring(t *testing.T) {
	s := newSafe(t)
	f := s.open(t, true)
	_, err := s.tryOpen(true, false)
	require.ErrorAs(t, err, new(*engine.LockedError))

	reader, err := s.tryOpen(false, true)
	require.NoError(t, err)
	defer reader.Close()
	a := mustKey(t, f, "a")
	b := mustKey(t, f, "b")
	assert.Equal(t, a, mustKey(t, reader, "a"), "a reader has what the writer has made since")
	_, err = reader.Key(t.Context(), "new", true)
	require.ErrorIs(t, err, ErrReadOnly, "and makes nothing")
	_, err = reader.Erase(t.Context(), "a", "")
	require.ErrorIs(t, err, ErrReadOnly)
	require.ErrorIs(t, reader.Allow(t.Context(), "a"), ErrReadOnly)
	mustErase(t, f, "a", "")
	_, err = reader.Key(t.Context(), "a", false)
	require.ErrorIs(t, err, ErrForgotten, "nor has it what the writer has erased")
	assert.Equal(t, b, mustKey(t, reader, "b"))
	for i := range 50 {
		k := mustKey(t, f, fmt.Sprint(i))
		assert.Equal(t, k, mustKey(t, reader, fmt.Sprint(i)))
	}
}

func TestWhereKeysAreNotKept(t *testing.T) {
	dir := t.TempDir()
	store, backup := filepath.Join(dir, "store"), filepath.Join(dir, "backup")
	for _, file := range []string{
		filepath.Join(store, "MANIFEST"), filepath.Join(store, "TAIL"), filepath.Join(backup, "BACKUP"),
		filepath.Join(dir, "locked", "LOCK"), filepath.Join(dir, "full", "notes.txt"),
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, nil, 0o600))
	}
	require.NoError(t, os.Symlink(store, filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink(filepath.Join(store, "keys"), filepath.Join(dir, "link to nothing")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "open"), 0o700))
	require.NoError(t, os.Chmod(filepath.Join(dir, "open"), 0o755))
	e, err := OpenEpochFiles(filepath.Join(dir, "epochs"), "")
	require.NoError(t, err)
	for name, at := range map[string]string{
		"a store":             store,
		"in a store":          filepath.Join(store, "keys"),
		"through a link":      filepath.Join(dir, "link", "keys"),
		"a link into a store": filepath.Join(dir, "link to nothing"),
		"a backup":            filepath.Join(backup, "keys"),
		"a locked directory":  filepath.Join(dir, "locked"),
		"other files":         filepath.Join(dir, "full"),
		"a file":              filepath.Join(dir, "full", "notes.txt"),
		"for everybody":       filepath.Join(dir, "open"),
		"the epochs":          e.dir,
		"in the epochs":       filepath.Join(e.dir, "keys"),
		"around the epochs":   dir,
		"no name":             "",
		"a NUL":               "a\x00b",
	} {
		if name == "for everybody" && runtime.GOOS == "windows" {
			continue
		}
		require.NoError(t, os.Chmod(dir, 0o700))
		_, err := OpenFile(t.Context(), FileOptions{Dir: at, Epochs: e, Create: true})
		var facts *DirectoryError
		assert.ErrorAs(t, err, &facts, name)
	}
	assert.NoDirExists(t, filepath.Join(store, "keys"))
	_, err = OpenFile(t.Context(), FileOptions{Dir: filepath.Join(dir, "missing"), Epochs: e})
	assert.ErrorIs(t, err, fs.ErrNotExist, "nothing is made that was not asked for")
	_, err = OpenFile(t.Context(), FileOptions{Dir: filepath.Join(dir, "missing", "keys"), Epochs: e, Create: true})
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = OpenFile(t.Context(), FileOptions{Dir: filepath.Join(dir, "k")})
	assert.ErrorAs(t, err, new(*ArgumentError))
	_, err = OpenEpochFiles(filepath.Join(store, "epochs"), "")
	assert.ErrorAs(t, err, new(*DirectoryError))
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	s := newSafe(t)
	f := s.open(t, true)
	mustKey(t, f, "a")
	mustErase(t, f, "a", "")
	for _, dir := range []string{s.keys, s.epochs} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.NotEmpty(t, entries)
		for _, e := range entries {
			info, err := e.Info()
			require.NoError(t, err)
			assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), e.Name())
		}
	}
	entries, err := os.ReadDir(s.epochs)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "one epoch key is left")
}

func TestTheFilesOfAKeyringTellNoSubject(t *testing.T) {
	s := newSafe(t)
	f := s.open(t, true)
	mustKey(t, f, marker)
	mustErase(t, f, marker, "because of "+marker)
	assert.NotContains(t, allBytes(t, s.keys), marker)
}

func TestAKeyringThatSomebodyHasReplacedIsNotWritten(t *testing.T) {
	s := newSafe(t)
	f := s.open(t, true)
	name := filepath.Join(s.keys, keysName)
	old, err := os.ReadFile(name)
	require.NoError(t, err)
	a := mustKey(t, f, "a")
	require.NoError(t, os.WriteFile(name, old, 0o600)) // a restored backup
	_, err = f.Key(t.Context(), "b", true)
	require.ErrorAs(t, err, new(*DamagedError))
	require.NoError(t, os.RemoveAll(s.keys))
	_, err = f.Key(t.Context(), "b", true)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, a, mustKey(t, f, "a"), "what it has can be read")
	require.ErrorIs(t, f.Close(), fs.ErrNotExist)
}

func TestAPassphraseLocksEpochKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "epochs")
	const epoch = "0123456789abcdef0123456789abcdef"
	e, err := OpenEpochFiles(dir, "words of "+marker)
	require.NoError(t, err)
	secret, err := e.Make(t.Context(), epoch)
	require.NoError(t, err)
	again, err := e.Get(t.Context(), epoch)
	require.NoError(t, err)
	assert.Equal(t, secret, again)
	assert.NotContains(t, allBytes(t, dir), encode(secret[:]))
	assert.NotContains(t, allBytes(t, dir), marker)
	for _, wrong := range []string{"", "other"} {
		e, err := OpenEpochFiles(dir, wrong)
		require.NoError(t, err)
		_, err = e.Get(t.Context(), epoch)
		assert.ErrorAs(t, err, new(*ArgumentError))
		_, err = e.Make(t.Context(), epoch)
		assert.ErrorAs(t, err, new(*ArgumentError), "nor is it made anew")
	}
	require.NoError(t, e.Destroy(t.Context(), epoch))
	require.NoError(t, e.Destroy(t.Context(), epoch))
	_, err = e.Get(t.Context(), epoch)
	assert.ErrorIs(t, err, ErrNoEpoch)
	for _, odd := range []string{"", "../../etc/passwd", strings.Repeat("A", 32)} {
		_, err = e.Make(t.Context(), odd)
		assert.ErrorAs(t, err, new(*ArgumentError))
		assert.ErrorAs(t, e.Destroy(t.Context(), odd), new(*ArgumentError))
	}
	name := filepath.Join(dir, epoch+epochSuffix)
	for _, text := range []string{"{}", `{"eventfold_epoch":2}`, `{"eventfold_epoch":1,"key":"AAAA"}`,
		`{"eventfold_epoch":1,"iterations":2000000000,"key":"AAAA"}`, "x"} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		_, err = e.Get(t.Context(), epoch)
		assert.Error(t, err, text)
	}
	require.NoError(t, os.WriteFile(name, make([]byte, 100), 0o600))
	_, err = e.Get(t.Context(), epoch)
	assert.ErrorIs(t, err, ErrNoEpoch, "what was overwritten is destroyed")
}

func TestEpochKeysAreMadeAndDestroyedOnceBySeveralProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "epochs")
	const rounds, processes = 20, 4
	var all [processes]*EpochFiles // which know as little of each other as processes do
	for i := range all {
		var err error
		all[i], err = OpenEpochFiles(dir, "")
		require.NoError(t, err)
	}
	for range rounds {
		epoch := newName()
		var made [processes][keySize]byte
		var wg sync.WaitGroup
		for i, e := range all {
			wg.Go(func() {
				var err error
				made[i], err = e.Make(t.Context(), epoch)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		for i := range made {
			require.Equal(t, made[0], made[i])
		}
		for _, e := range all {
			wg.Go(func() { assert.NoError(t, e.Destroy(t.Context(), epoch)) })
		}
		wg.Wait()
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// brittleEpochs fail as they are told.
type brittleEpochs struct {
	EpochKeys
	make, destroy error
}

func (b *brittleEpochs) Make(ctx context.Context, epoch string) ([32]byte, error) {
	if b.make != nil {
		return [32]byte{}, b.make
	}
	return b.EpochKeys.Make(ctx, epoch)
}

func (b *brittleEpochs) Destroy(ctx context.Context, epoch string) error {
	if b.destroy != nil {
		return b.destroy
	}
	return b.EpochKeys.Destroy(ctx, epoch)
}

func TestAnErasureThatWasHeldUpGoesOn(t *testing.T) {
	s := newSafe(t)
	files, err := OpenEpochFiles(s.epochs, "")
	require.NoError(t, err)
	down := errors.New("the KMS is down")
	b := &brittleEpochs{EpochKeys: files}
	options := FileOptions{Dir: s.keys, Epochs: b, Create: true}
	f, err := OpenFile(t.Context(), options)
	require.NoError(t, err)
	for i, fail := range []func(error){
		func(err error) { b.make = err }, func(err error) { b.destroy = err },
	} {
		subject := fmt.Sprint("subject-", i)
		mustKey(t, f, subject)
		old := copyDir(t, s.keys)
		fail(down)
		_, err = f.Erase(t.Context(), subject, "")
		require.ErrorIs(t, err, down)
		_, err = f.Key(t.Context(), subject, true)
		require.ErrorIs(t, err, ErrForgotten, "the fence stands")
		mustKey(t, f, fmt.Sprint("other-", i))
		require.ErrorIs(t, f.Allow(t.Context(), subject), down)
		require.NoError(t, f.Close())
		_, err = OpenFile(t.Context(), options)
		require.ErrorIs(t, err, down, "an unfinished erasure is not passed over")
		fail(nil)
		f, err = OpenFile(t.Context(), options)
		require.NoError(t, err)
		mustKey(t, f, fmt.Sprint("other-", i))
		_, err = safe{old, s.epochs}.tryOpen(false, true)
		require.ErrorIs(t, err, ErrNoEpoch)
		erased, err := f.Erase(t.Context(), subject, "")
		require.NoError(t, err)
		assert.False(t, erased)
	}
	mustKey(t, f, "last")
	old := copyDir(t, s.keys)
	b.make = down
	_, err = f.Erase(t.Context(), "last", "")
	require.ErrorIs(t, err, down)
	b.make = nil
	erased, err := f.Erase(t.Context(), "last", "") // who tries again finishes it
	require.NoError(t, err)
	assert.False(t, erased)
	require.NoError(t, f.Close())
	_, err = safe{old, s.epochs}.tryOpen(false, true)
	require.ErrorIs(t, err, ErrNoEpoch)
}

func TestAFullDiskLosesNoKey(t *testing.T) {
	full := syscall.ENOSPC
	f, fsys := crashSafe(t)
	a := mustKey(t, f, "a")
	used := fsys.Used()
	fsys.Limit(used + 50)
	_, err := f.Key(t.Context(), "b", true)
	require.ErrorIs(t, err, full)
	_, err = f.Erase(t.Context(), "a", "")
	require.Error(t, err)
	fsys.Limit(0)
	assert.Equal(t, a, mustKey(t, f, "a"))
	b := mustKey(t, f, "b")
	require.NoError(t, f.Close())
	f = reopenCrashSafe(t, fsys)
	assert.Equal(t, a, mustKey(t, f, "a"))
	assert.Equal(t, b, mustKey(t, f, "b"))
	require.NoError(t, f.Close())
}

// copyDir copies a directory, and returns the copy.
func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	require.NoError(t, os.Chmod(to, 0o700))
	require.NoError(t, os.Remove(filepath.Join(to, keysLock)))
	return to
}

// allBytes returns what is in all files of a directory.
func allBytes(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		all.Write(text)
		return err
	}))
	return all.String()
}

func TestARotatedKeyringOpensWhatItDidAndItsCopiesDoNot(t *testing.T) {
	s := newSafe(t)
	keys := s.open(t, true)
	ada, before := mustKey(t, keys, "ada"), filepath.Join(t.TempDir(), "copy")
	mustKey(t, keys, "bob")
	mustErase(t, keys, "bob", "asked")
	require.NoError(t, os.CopyFS(before, os.DirFS(s.keys)))
	require.NoError(t, os.Chmod(before, 0o700))
	require.NoError(t, keys.Rotate(t.Context()))
	require.NoError(t, keys.Close())

	again, err := s.tryOpen(false, false)
	require.NoError(t, err)
	assert.Equal(t, ada, mustKey(t, again, "ada"))
	list, err := again.Subjects(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, SubjectInfo{Subject: "ada", Revision: 1}, list[0])
	assert.True(t, list[1].Forgotten)
	assert.Equal(t, "asked", list[1].Fences[0].Reason)
	list, err = again.Subjects(t.Context(), "b")
	require.NoError(t, err)
	assert.Len(t, list, 1)
	require.NoError(t, again.Close())
	require.ErrorIs(t, again.Rotate(t.Context()), ErrClosed)

	_, err = safe{before, s.epochs}.tryOpen(false, true)
	require.ErrorAs(t, err, new(*EpochError), "the copy from before")
}
