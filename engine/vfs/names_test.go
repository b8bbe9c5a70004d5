package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/vfs"
)

func TestFSMkdirMakesOnlyWhatIsNotThere(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		require.NoError(t, fsys.Mkdir(at("d"), 0o700))
		info, err := fsys.Stat(at("d"))
		require.NoError(t, err)
		assert.True(t, info.Dir)
		if runtime.GOOS != "windows" {
			assert.Equal(t, fs.FileMode(0o700), info.Mode)
		}
		assert.ErrorIs(t, fsys.Mkdir(at("d"), 0o700), fs.ErrExist)
		write(t, fsys, at("f"), "")
		assert.ErrorIs(t, fsys.Mkdir(at("f"), 0o700), fs.ErrExist)
		assert.ErrorIs(t, fsys.Mkdir(at("x/y"), 0o700), fs.ErrNotExist)
		assert.Error(t, fsys.Mkdir(at("f/y"), 0o700))
	})
}

func TestFSExchange(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		for _, name := range []string{"a", "b"} {
			require.NoError(t, fsys.Mkdir(at(name), 0o700))
			write(t, fsys, at(name+"/f"), name)
		}
		err := fsys.Exchange(at("a"), at("b"))
		if errors.Is(err, errors.ErrUnsupported) {
			assert.Equal(t, "a", read(t, fsys, at("a/f")))
			return
		}
		require.NoError(t, err)
		assert.Equal(t, "b", read(t, fsys, at("a/f")))
		assert.Equal(t, "a", read(t, fsys, at("b/f")))
		assert.ErrorIs(t, fsys.Exchange(at("a"), at("x")), fs.ErrNotExist)
	})
}

func TestFSResolveFollowsLinks(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		require.NoError(t, fsys.MkdirAll(at("d/e")))
		dir, err := fsys.Resolve(dir) // which may be behind a link itself
		require.NoError(t, err)
		resolve := func(name, want string, there bool) {
			t.Helper()
			got, err := fsys.Resolve(at(name))
			assert.Equal(t, there, err == nil, name)
			if err != nil {
				assert.ErrorIs(t, err, fs.ErrNotExist, name)
			}
			if want != "" {
				want = filepath.Join(dir, want)
			}
			assert.Equal(t, want, got, name)
		}
		resolve("d/./e/../e/", "d/e", true)
		resolve("d/x", "d/x", false)
		resolve("x/y", "", false)
		link := os.Symlink
		if f, ok := fsys.(*crashtest.FS); ok {
			link = f.Symlink
		} else if fsys != vfs.OS() {
			return // without links
		}
		require.NoError(t, link("d", at("to d")))
		require.NoError(t, link("to d/e", at("to e")))
		require.NoError(t, link(at("d/new"), at("to new")))
		require.NoError(t, link("no/new", at("to nowhere")))
		require.NoError(t, link("to itself", at("to itself")))
		resolve("to d", "d", true)
		resolve("to e", "d/e", true)
		resolve("to d/x", "d/x", false)
		resolve("to new", "d/new", false)
		resolve("to nowhere", "", false)
		_, err = fsys.Resolve(at("to itself"))
		assert.Error(t, err)
	})
}

// Who holds a lock may remove its file: whoever takes it next then excludes all who come later.
func TestFSLockWhoseFileIsRemoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no file that is locked")
	}
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "LOCK")
		first, err := fsys.Lock(name, "")
		require.NoError(t, err)
		require.NoError(t, fsys.Remove(name))
		second, err := fsys.Lock(name, "")
		require.NoError(t, err)
		require.NoError(t, first.Close())
		_, err = fsys.Lock(name, "")
		require.ErrorAs(t, err, new(*engine.LockedError))
		require.NoError(t, second.Close())
	})
}
