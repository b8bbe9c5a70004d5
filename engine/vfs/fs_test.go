package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// fileSystems are what every test of the seam runs over. open returns an FS and a directory in it.
var fileSystems = []struct {
	name string
	open func(t *testing.T) (vfs.FS, string)
}{
	{"OS", func(t *testing.T) (vfs.FS, string) { return vfs.OS(), t.TempDir() }},
	{"MemFS", func(t *testing.T) (vfs.FS, string) {
		m := vfs.NewMem()
		require.NoError(t, m.MkdirAll("/a/dir"))
		return m, "/a/dir"
	}},
	{"crashtest.FS", func(t *testing.T) (vfs.FS, string) {
		f := crashtest.New()
		require.NoError(t, f.MkdirAll("/a/dir"))
		return f, "/a/dir"
	}},
}

func eachFS(t *testing.T, test func(t *testing.T, fsys vfs.FS, dir string)) {
	for _, f := range fileSystems {
		t.Run(f.name, func(t *testing.T) {
			fsys, dir := f.open(t)
			test(t, fsys, dir)
		})
	}
}

func write(t *testing.T, fsys vfs.FS, name, content string) {
	t.Helper()
	f, err := fsys.Open(name, os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(content), 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func read(t *testing.T, fsys vfs.FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name, os.O_RDONLY)
	require.NoError(t, err)
	defer f.Close()
	size, err := f.Size()
	require.NoError(t, err)
	content := make([]byte, size)
	n, err := f.ReadAt(content, 0)
	if err != io.EOF {
		require.NoError(t, err)
	}
	return string(content[:n])
}

func TestFSOpen(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		a := filepath.Join(dir, "a")
		write(t, fsys, a, "content")
		tests := []struct {
			name string
			file string
			flag int
			want error
		}{
			{"for reading", "a", os.O_RDONLY, nil},
			{"for writing", "a", os.O_RDWR, nil},
			{"that is there with O_CREATE", "a", os.O_RDWR | os.O_CREATE, nil},
			{"that is there with O_EXCL", "a", os.O_RDWR | os.O_CREATE | os.O_EXCL, fs.ErrExist},
			{"that is not there", "b", os.O_RDONLY, fs.ErrNotExist},
			{"in no directory", "c/b", os.O_RDWR | os.O_CREATE, fs.ErrNotExist},
			{"in a file", "a/b", os.O_RDWR | os.O_CREATE, syscall.ENOTDIR},
			{"a directory for reading", ".", os.O_RDONLY, nil},
			{"a directory for writing", ".", os.O_RDWR, syscall.EISDIR},
			{"new", "d", os.O_RDWR | os.O_CREATE | os.O_EXCL, nil},
			{"new, again", "d", os.O_RDWR | os.O_CREATE | os.O_EXCL, fs.ErrExist},
		}
		for _, tt := range tests {
			f, err := fsys.Open(filepath.Join(dir, tt.file), tt.flag)
			if assert.ErrorIs(t, err, tt.want, tt.name) && err == nil {
				assert.NoError(t, f.Close(), tt.name)
			}
		}
		assert.Equal(t, "content", read(t, fsys, a), "opening changes nothing")
	})
}

func TestFSFile(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		f, err := fsys.Open(filepath.Join(dir, "f"), os.O_RDWR|os.O_CREATE)
		require.NoError(t, err)
		size := func() int64 {
			n, err := f.Size()
			require.NoError(t, err)
			return n
		}
		at := func(off int64, length int) string {
			p := make([]byte, length)
			n, err := f.ReadAt(p, off)
			if n < length {
				assert.Equal(t, io.EOF, err)
			} else if err != io.EOF {
				assert.NoError(t, err)
			}
			return string(p[:n])
		}

		n, err := f.WriteAt([]byte("hello"), 100_000)
		require.NoError(t, err)
		assert.Equal(t, 5, n)
		assert.Equal(t, int64(100_005), size())
		assert.Equal(t, "\x00\x00hello", at(99_998, 7), "a hole reads as zeros")
		assert.Equal(t, "lo", at(100_003, 7), "a read over the end is short")
		assert.Equal(t, "", at(200_000, 7), "a read behind the end is empty")

		require.NoError(t, f.Truncate(100_002))
		require.NoError(t, f.Truncate(100_005))
		assert.Equal(t, "he\x00\x00\x00", at(100_000, 7), "what was cut does not come back")
		require.NoError(t, f.Preallocate(50_000))
		assert.Equal(t, int64(100_005), size(), "preallocation never cuts")
		require.NoError(t, f.Preallocate(300_000))
		assert.Equal(t, int64(300_000), size())
		assert.Equal(t, "he\x00\x00\x00", at(100_000, 5))
		require.NoError(t, f.Truncate(0))
		assert.Equal(t, "", at(0, 1))

		_, err = f.WriteAt([]byte("x"), -1)
		assert.Error(t, err)
		_, err = f.ReadAt(make([]byte, 1), -1)
		assert.Error(t, err)
		assert.NoError(t, f.Fdatasync())
		assert.NoError(t, f.Fsync())
		require.NoError(t, f.Close())

		_, err = f.ReadAt(make([]byte, 1), 0)
		assert.ErrorIs(t, err, fs.ErrClosed)
		_, err = f.WriteAt(make([]byte, 1), 0)
		assert.ErrorIs(t, err, fs.ErrClosed)
		assert.ErrorIs(t, f.Fdatasync(), fs.ErrClosed)
		assert.ErrorIs(t, f.Fsync(), fs.ErrClosed)
		assert.ErrorIs(t, f.Truncate(1), fs.ErrClosed)
		assert.ErrorIs(t, f.Close(), fs.ErrClosed)
		_, err = f.Size()
		assert.ErrorIs(t, err, fs.ErrClosed)
	})
}

func TestFSReadOnlyFile(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "f")
		write(t, fsys, name, "abc")
		f, err := fsys.Open(name, os.O_RDONLY)
		require.NoError(t, err)
		defer f.Close()
		_, err = f.WriteAt([]byte("x"), 0)
		assert.Error(t, err)
		assert.Error(t, f.Truncate(0))
		assert.Equal(t, "abc", read(t, fsys, name))
	})
}

func TestFSNames(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		list := func(dir string) []string {
			names, err := fsys.List(dir)
			require.NoError(t, err)
			return names
		}
		write(t, fsys, at("b"), "B")
		write(t, fsys, at("a"), "A")
		require.NoError(t, fsys.MkdirAll(at("d/e/f")))
		require.NoError(t, fsys.MkdirAll(at("d/e/f")), "making a directory that is there")
		assert.ErrorIs(t, fsys.MkdirAll(at("a/x")), syscall.ENOTDIR)
		assert.Equal(t, []string{"a", "b", "d"}, list(dir))
		assert.Empty(t, list(at("d/e/f")))

		require.NoError(t, fsys.Link(at("a"), at("c")))
		assert.ErrorIs(t, fsys.Link(at("a"), at("b")), fs.ErrExist)
		assert.ErrorIs(t, fsys.Link(at("x"), at("y")), fs.ErrNotExist)
		write(t, fsys, at("c"), "C")
		assert.Equal(t, "C", read(t, fsys, at("a")), "two names of one file")
		one, err := fsys.Stat(at("a"))
		require.NoError(t, err)
		two, err := fsys.Stat(at("c"))
		require.NoError(t, err)
		assert.Equal(t, one, two)

		require.NoError(t, fsys.Rename(at("b"), at("a")), "over another")
		assert.Equal(t, "B", read(t, fsys, at("a")))
		assert.Equal(t, "C", read(t, fsys, at("c")), "the other name stays")
		assert.ErrorIs(t, fsys.Rename(at("x"), at("a")), fs.ErrNotExist)
		assert.ErrorIs(t, fsys.Rename(at("a"), at("x/a")), fs.ErrNotExist)
		assert.Equal(t, []string{"a", "c", "d"}, list(dir))

		write(t, fsys, at("d/e/g"), "G")
		require.NoError(t, fsys.Rename(at("d"), at("h")), "a directory with what is in it")
		assert.Equal(t, "G", read(t, fsys, at("h/e/g")))
		assert.Error(t, fsys.Rename(at("a"), at("h")), "a file over a directory")
		assert.Error(t, fsys.Rename(at("h"), at("a")), "a directory over a file")
		assert.Error(t, fsys.Rename(at("h"), at("h/e/h")), "a directory into itself")
		_, err = fsys.Stat(at("d/e/g"))
		assert.ErrorIs(t, err, fs.ErrNotExist)

		assert.ErrorIs(t, fsys.Remove(at("x")), fs.ErrNotExist)
		assert.Error(t, fsys.Remove(at("h")), "a directory that is not empty")
		require.NoError(t, fsys.Remove(at("h/e/g")))
		require.NoError(t, fsys.Remove(at("h/e/f")))
		require.NoError(t, fsys.SyncDir(at("h/e")))
		require.NoError(t, fsys.Remove(at("h/e")))
		assert.Empty(t, list(at("h")))

		_, err = fsys.List(at("x"))
		assert.ErrorIs(t, err, fs.ErrNotExist)
		_, err = fsys.List(at("a"))
		assert.Error(t, err)
		assert.ErrorIs(t, fsys.SyncDir(at("x")), fs.ErrNotExist)
	})
}

func TestFSOpenFileOutlivesItsName(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "f")
		write(t, fsys, name, "before")
		f, err := fsys.Open(name, os.O_RDWR)
		require.NoError(t, err)
		defer f.Close()
		require.NoError(t, fsys.Remove(name))
		write(t, fsys, name, "after!")
		_, err = f.WriteAt([]byte("old"), 0)
		require.NoError(t, err)
		p := make([]byte, 6)
		_, err = f.ReadAt(p, 0)
		require.NoError(t, err)
		assert.Equal(t, "oldore", string(p))
		assert.Equal(t, "after!", read(t, fsys, name))
	})
}

func TestFSStat(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		write(t, fsys, a, "abc")
		write(t, fsys, b, "")
		d, err := fsys.Stat(dir)
		require.NoError(t, err)
		assert.True(t, d.Dir)
		one, err := fsys.Stat(a)
		require.NoError(t, err)
		assert.Equal(t, int64(3), one.Size)
		assert.False(t, one.Dir)
		assert.False(t, one.Modified.IsZero())
		two, err := fsys.Stat(b)
		require.NoError(t, err)
		assert.Equal(t, one.Device, two.Device)
		assert.NotEqual(t, one.Inode, two.Inode)
		require.NoError(t, fsys.Rename(a, b))
		moved, err := fsys.Stat(b)
		require.NoError(t, err)
		assert.Equal(t, one.Inode, moved.Inode)
		_, err = fsys.Stat(a)
		assert.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestFSLock(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "LOCK")
		lock, err := fsys.Lock(name, "4711 example.org 2026-01-02T03:04:05Z\n")
		require.NoError(t, err)

		_, err = fsys.Lock(name, "4712 example.org 2026-01-02T03:04:05Z\n")
		var locked *engine.LockedError
		require.ErrorAs(t, err, &locked)
		assert.Equal(t, name, locked.Path)
		assert.Equal(t, 4711, locked.PID)
		assert.Equal(t, "example.org", locked.Host)
		assert.Equal(t, "2026-01-02T03:04:05Z", locked.Since.Format("2006-01-02T15:04:05Z07:00"))

		require.NoError(t, lock.Close())
		assert.ErrorIs(t, lock.Close(), fs.ErrClosed)
		lock, err = fsys.Lock(name, "nonsense")
		require.NoError(t, err)
		_, err = fsys.Lock(name, "")
		require.ErrorAs(t, err, &locked)
		assert.Zero(t, locked.PID)
		require.NoError(t, lock.Close())

		_, err = fsys.Lock(filepath.Join(dir, "x/LOCK"), "")
		assert.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestFSSpace(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		space, err := fsys.Space(dir)
		require.NoError(t, err)
		assert.NotZero(t, space.Free)
		assert.False(t, space.ReadOnly)
		_, err = fsys.Space(filepath.Join(dir, "x"))
		assert.ErrorIs(t, err, fs.ErrNotExist)
	})
}

// Readers and writers at different places of one file, which grows meanwhile, do not disturb each
// other.
func TestFSConcurrentFile(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		f, err := fsys.Open(filepath.Join(dir, "f"), os.O_RDWR|os.O_CREATE)
		require.NoError(t, err)
		defer f.Close()
		const block, blocks, writers = 1000, 200, 4
		content := func(w, i int) []byte { return bytes.Repeat([]byte{byte(1 + w + 7*i)}, block) }
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range blocks {
					off := int64(i*writers+w) * block
					if _, err := f.WriteAt(content(w, i), off); !assert.NoError(t, err) {
						return
					}
					p := make([]byte, block)
					if _, err := f.ReadAt(p, off); err != nil && err != io.EOF {
						assert.NoError(t, err)
					}
					if !bytes.Equal(content(w, i), p) {
						t.Errorf("writer %d does not read its block %d back", w, i)
					}
				}
			})
		}
		wg.Wait()
		size, err := f.Size()
		require.NoError(t, err)
		assert.Equal(t, int64(block*blocks*writers), size)
	})
}

// A long random sequence of writes, cuts and reads gives the same on every file system as on a
// slice.
func TestFSRandomFile(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys vfs.FS, dir string) {
		r := rand.New(rand.NewPCG(testenv.Seed(t), 0))
		f, err := fsys.Open(filepath.Join(dir, "f"), os.O_RDWR|os.O_CREATE)
		require.NoError(t, err)
		defer f.Close()
		var want []byte
		grow := func(size int) {
			if size > len(want) {
				want = append(want, make([]byte, size-len(want))...)
			}
		}
		for step := range 2000 {
			off, length := r.IntN(300_000), r.IntN(70_000)
			switch r.IntN(8) {
			case 0:
				require.NoError(t, f.Truncate(int64(off)))
				grow(off)
				want = want[:off:off]
			case 1:
				require.NoError(t, f.Preallocate(int64(off)))
				grow(off)
			case 2, 3, 4:
				p := make([]byte, length)
				if r.IntN(3) > 0 {
					p = bytes.Repeat([]byte{byte(step)}, length)
				}
				_, err := f.WriteAt(p, int64(off))
				require.NoError(t, err)
				if length > 0 {
					grow(off + length)
				}
				copy(want[min(off, len(want)):], p)
			default:
				p := make([]byte, length)
				n, err := f.ReadAt(p, int64(off))
				if err != nil && !errors.Is(err, io.EOF) {
					require.NoError(t, err)
				}
				expected := want[min(off, len(want)):min(off+length, len(want))]
				require.Equal(t, len(expected), n, "step %d", step)
				require.True(t, bytes.Equal(expected, p[:n]), "step %d: wrong bytes", step)
			}
		}
		size, err := f.Size()
		require.NoError(t, err)
		require.Equal(t, int64(len(want)), size)
	})
}
