package filestore

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// moves are what somebody may do to the names of an open store, in root, where the store is in
// root/store and a copy of it in root/copy.
var moves = []struct {
	name string
	do   func(store string) error
}{
	{"LOCK is removed", func(d string) error { return os.Remove(filepath.Join(d, lockName)) }},
	{"LOCK is replaced", func(d string) error {
		return errors.Join(os.WriteFile(d+"/new", nil, 0o644), os.Rename(d+"/new", filepath.Join(d, lockName)))
	}},
	{"LOCK is a link to another file", func(d string) error {
		other := filepath.Join(filepath.Dir(d), "other")
		return errors.Join(os.WriteFile(other, nil, 0o644), os.Remove(filepath.Join(d, lockName)),
			os.Symlink(other, filepath.Join(d, lockName)))
	}},
	{"TAIL is removed", func(d string) error { return os.Remove(filepath.Join(d, format.TailName)) }},
	{"the last segment is removed", func(d string) error {
		return os.Remove(filepath.Join(d, format.SegmentFileName(1, 0)))
	}},
	{"the directory is removed", os.RemoveAll},
	{"the directory is renamed", func(d string) error { return os.Rename(d, d+".aside") }},
	{"the directory is renamed, another one made", func(d string) error {
		return errors.Join(os.Rename(d, d+".aside"), os.Mkdir(d, 0o755))
	}},
	{"a directory above is renamed", func(d string) error {
		return os.Rename(filepath.Dir(d), filepath.Dir(d)+".aside")
	}},
	{"the directory is a link to another one", func(d string) error {
		return errors.Join(os.Rename(d, d+".aside"), os.Symlink(filepath.Join(filepath.Dir(d), "copy"), d))
	}},
	{"the directory is removed, a copy restored", func(d string) error {
		return errors.Join(os.RemoveAll(d), os.CopyFS(d, os.DirFS(filepath.Join(filepath.Dir(d), "copy"))))
	}},
	{"a copy takes the place of the directory", func(d string) error {
		return errors.Join(os.Rename(d, d+".aside"), os.Rename(filepath.Join(filepath.Dir(d), "copy"), d))
	}},
	{"a copy is made of links, and takes its place", func(d string) error {
		return errors.Join(os.Rename(d, d+".aside"), linkFiles(d+".aside", d))
	}},
	{"a copy is written over the files", func(d string) error {
		return overwrite(filepath.Join(filepath.Dir(d), "copy"), d)
	}},
	{"the files are replaced by those of a copy", func(d string) error {
		return replaceFiles(filepath.Join(filepath.Dir(d), "copy"), d)
	}},
	{"all files are removed", func(d string) error { return errors.Join(os.RemoveAll(d+"/x"), removeFiles(d)) }},
}

func linkFiles(from, to string) error { return eachFile(from, to, os.Link, os.Mkdir(to, 0o755)) }

func overwrite(from, to string) error {
	return eachFile(from, to, func(from, to string) error {
		b, err := os.ReadFile(from)
		return errors.Join(err, os.WriteFile(to, b, 0o644))
	}, nil)
}

func replaceFiles(from, to string) error {
	return eachFile(from, to, func(from, to string) error {
		b, err := os.ReadFile(from)
		return errors.Join(err, os.WriteFile(to+"~", b, 0o644), os.Rename(to+"~", to))
	}, nil)
}

func removeFiles(dir string) error {
	return eachFile(dir, dir, func(from, _ string) error { return os.Remove(from) }, nil)
}

func eachFile(from, to string, do func(from, to string) error, err error) error {
	entries, errRead := os.ReadDir(from)
	err = errors.Join(err, errRead)
	for _, e := range entries {
		err = errors.Join(err, do(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())))
	}
	return err
}

// movable makes a store with some events in it, and a copy beside it.
func movable(t *testing.T) (dir string) {
	root := filepath.Join(t.TempDir(), "root")
	dir = filepath.Join(root, "store")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	s := openStore(t, dir, Options{})
	appendNumbered(t, s, 0, 5)
	require.NoError(t, s.Close())
	copyFiles(t, dir, filepath.Join(root, "copy"))
	return dir
}

// What is appended after somebody has moved, removed or replaced something of the store is refused,
// not acknowledged and lost.
func TestNothingIsAcknowledgedOnceTheStoreHasMoved(t *testing.T) {
	for _, m := range moves {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			dir := movable(t)
			s := openStore(t, dir, Options{})
			appendNumbered(t, s, 5, 8)
			require.NoError(t, m.do(dir))
			time.Sleep(2 * lookInterval) // after which nothing of it may go unnoticed
			var moved *engine.MovedError
			err := try(s, "s0", "lost")
			require.ErrorAs(t, err, &moved)
			assert.NotErrorIs(t, err, engine.ErrOutcomeUnknown, "nothing was written")
			assert.NotEmpty(t, moved.Path)
			require.ErrorAs(t, try(s, "s0", "lost"), &moved, "it stays so")
			_, err = payloads(s)
			require.ErrorAs(t, err, &moved, "readers are told, too")
			require.ErrorAs(t, s.Wait(t.Context(), 100), &moved)
			require.NoError(t, s.Close())
		})
	}
}

// While appends go on, a directory that is gone is noticed by the first append after it, not a
// while later.
func TestTheFirstAppendAfterTheDirectoryIsGoneFails(t *testing.T) {
	for _, m := range moves {
		if m.name[:13] != "the directory" {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			dir := movable(t)
			s := openStore(t, dir, Options{})
			appendNumbered(t, s, 5, 8)
			require.NoError(t, m.do(dir))
			var moved *engine.MovedError
			require.ErrorAs(t, try(s, "s0", "lost"), &moved)
		})
	}
}

// waitFor receives, for a minute at most.
func waitFor(t *testing.T, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		require.Fail(t, "still waiting")
		return nil
	}
}

// Readers and followers that wait get an error, in the process that writes and in others, also when
// nobody appends.
func TestWhoeverWaitsIsToldThatTheStoreHasMoved(t *testing.T) {
	for _, m := range moves {
		for _, writes := range []bool{false, true} {
			if !writes &&
				(m.name[:4] == "LOCK" || m.name == "the last segment is removed" ||
					m.name == "a copy is written over the files") {
				continue // which is nothing to somebody who reads: the copy has the same events
			}
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				dir := movable(t)
				s := openStore(t, dir, Options{ReadOnly: !writes})
				next := engine.Position(5)
				if writes {
					appendNumbered(t, s, 5, 8)
					next = 8
				}
				done := make(chan error, 1)
				go func() { done <- s.Wait(context.Background(), next) }()
				require.Eventually(t, func() bool { return s.news.waiting.Load() > 0 }, time.Minute, time.Millisecond)
				require.NoError(t, m.do(dir))
				err := waitFor(t, done)
				var moved *engine.MovedError
				require.ErrorAs(t, err, &moved)
				_, err = payloads(s)
				require.ErrorAs(t, err, &moved)
			})
		}
	}
}

// Whoever removes or replaces LOCK does not get a second writer, nor does a copy of the directory
// that is made of links.
func TestTwoWritersAtOnceAreImpossible(t *testing.T) {
	tests := []struct {
		name string
		do   func(dir string) error
	}{
		{"nothing is done", func(string) error { return nil }},
		{"LOCK is removed", func(d string) error { return os.Remove(filepath.Join(d, lockName)) }},
		{"all but the log is removed", func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, lockName)), os.Remove(filepath.Join(d, format.TailName)),
				os.Remove(filepath.Join(d, format.ManifestName)))
		}},
		{"the directory is renamed, and again", func(d string) error {
			return errors.Join(os.Rename(d, d+"2"), os.Rename(d+"2", d))
		}},
		{"a copy is made of links", func(d string) error {
			return errors.Join(os.Rename(d, d+"2"), linkFiles(d+"2", d))
		}},
		{"a copy is made of links, without LOCK", func(d string) error {
			return errors.Join(os.Rename(d, d+"2"), linkFiles(d+"2", d), os.Remove(filepath.Join(d, lockName)))
		}},
		{"a copy is made of links to the log alone", func(d string) error {
			err := errors.Join(os.Rename(d, d+"2"), linkFiles(d+"2", d))
			return errors.Join(err, os.Remove(filepath.Join(d, lockName)), os.Remove(filepath.Join(d, format.TailName)))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := movable(t)
			first := openStore(t, dir, Options{})
			appendNumbered(t, first, 5, 8)
			require.NoError(t, tt.do(dir))
			second, err := Open(dir, Options{BusyTimeout: -1})
			if err == nil {
				t.Cleanup(func() { second.Close() })
				err = try(second, "s0", "second")
			}
			var locked *engine.LockedError
			require.ErrorAs(t, err, &locked)
		})
	}
}

// A directory that takes the place of the store's is never written to: not by rotation, indexes,
// compression, nor MANIFEST, whether another store is open in it or has been closed.
func TestTheDirectoryThatTakesThePlaceIsLeftAlone(t *testing.T) {
	for _, open := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "store")
		s := openStore(t, dir, Options{SegmentSize: testSegmentSize, Compress: CompressZstd})
		appendNumbered(t, s, 0, 400)
		require.Greater(t, s.Stats().Segments, 2, "so that it makes more of them")
		require.NoError(t, os.Rename(dir, dir+".aside"))
		other := openStore(t, dir, Options{SegmentSize: testSegmentSize})
		appendNumbered(t, other, 0, 400)
		settleIndexes(t, other)
		if !open {
			require.NoError(t, other.Close())
		}
		before := contents(t, dir)
		for range 1000 {
			if err := try(s, "s0", "x"); err != nil {
				break
			}
		}
		require.NoError(t, s.Close())
		assert.Equal(t, slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(contents(t, dir))))
		assert.True(t, maps.Equal(before, contents(t, dir)), "nothing is written to its files")
		if open {
			appendNumbered(t, other, 400, 500)
			_, err := other.Verify(t.Context())
			require.NoError(t, err, "it is whole, and can be written to")
		}
		again := openStore(t, dir+".aside", Options{ReadOnly: true})
		_, err := again.Verify(t.Context())
		require.NoError(t, err, "the store itself is whole where it is")
	}
}

func contents(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	require.NoError(t, eachFile(dir, dir, func(name, _ string) error {
		b, err := os.ReadFile(name)
		all[filepath.Base(name)] = string(b)
		return err
	}, nil))
	return all
}

// Once the writer has left, whoever opens what is there now writes to it.
func TestTheRestoredStoreIsOpenToOthersAtOnce(t *testing.T) {
	dir := movable(t)
	first := openStore(t, dir, Options{})
	appendNumbered(t, first, 5, 8)
	require.NoError(t, replaceFiles(filepath.Join(filepath.Dir(dir), "copy"), dir))
	second := openStore(t, dir, Options{}) // waits until the first has noticed
	require.NoError(t, try(second, "s0", "second"))
	var moved *engine.MovedError
	require.ErrorAs(t, try(first, "s0", "first"), &moved)
	got, err := payloads(second)
	require.NoError(t, err)
	assert.Len(t, got, 6)
}

// A program that changes its directory, or a link to the store that is changed, moves nothing.
func TestAStoreIsHeldByItsPathOfThen(t *testing.T) {
	dir := movable(t)
	link := filepath.Join(t.TempDir(), "current")
	require.NoError(t, os.Symlink(dir, link))
	linked := openStore(t, link, Options{})
	appendNumbered(t, linked, 5, 6)
	require.NoError(t, os.Remove(link))
	require.NoError(t, linked.Moved())
	require.NoError(t, try(linked, "s0", "x"))
	require.NoError(t, linked.Close())

	t.Chdir(filepath.Dir(dir))
	relative := openStore(t, "store", Options{})
	require.NoError(t, try(relative, "s0", "x"))
	t.Chdir(os.TempDir())
	require.NoError(t, relative.Moved())
	require.NoError(t, try(relative, "s0", "x"))
}
