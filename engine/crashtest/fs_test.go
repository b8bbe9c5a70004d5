package crashtest_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// Without a crash, the strict file system does what the operating system's does: any sequence of
// operations gives the same results and the same tree (T14 of the test plan in
// docs/reliability.md).
func TestAgreesWithARealDirectory(t *testing.T) {
	sequences := testenv.Scale(30, 3000)
	seed := testenv.Seed(t)
	differences := 0
	for i := range sequences {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		if d := compareFS(t, r, 150); d != "" {
			differences++
			t.Errorf("seed %d, sequence %d: %s", seed, i, d)
		}
	}
	report(t, "T14", fmt.Sprintf("%d sequences of 150 operations, differences: %d", sequences, differences))
}

// compareFS runs random operations on both and returns the first difference.
func compareFS(t *testing.T, r *rand.Rand, steps int) string {
	real, strict := &dirUser{fs: vfs.OS(), dir: t.TempDir()}, &dirUser{fs: crashtest.New(), dir: "/store"}
	require.NoError(t, strict.fs.MkdirAll(strict.dir))
	defer real.close()
	for step := range steps {
		seed := r.Uint64()
		want, got := real.do(rand.New(rand.NewPCG(seed, 0))), strict.do(rand.New(rand.NewPCG(seed, 0)))
		if want != got {
			return fmt.Sprintf("step %d: %s on a real directory, %s here", step, want, got)
		}
	}
	if want, got := real.tree("."), strict.tree("."); want != got {
		return fmt.Sprintf("the trees differ:\n%s\nand here\n%s", want, got)
	}
	return ""
}

// A dirUser does things in a directory and tells in words what happened.
type dirUser struct {
	fs   vfs.FS
	dir  string
	open []vfs.File
}

func (u *dirUser) close() {
	for _, f := range u.open {
		f.Close()
	}
}

var names = []string{"a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a", "f", "f/a"}

func (u *dirUser) do(r *rand.Rand) string {
	a, b := names[r.IntN(len(names))], names[r.IntN(len(names))]
	at := func(name string) string { return filepath.Join(u.dir, name) }
	off, size := r.Int64N(20_000), r.IntN(9_000)
	if op := r.IntN(14); op < 6 {
		return u.doFile(op, r, off, size)
	}
	switch op := r.IntN(9); op {
	case 0, 1:
		flag := []int{os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE | os.O_EXCL}[r.IntN(3)]
		f, err := u.fs.Open(at(a), flag)
		if err == nil {
			u.open = append(u.open, f)
		}
		return fmt.Sprintf("open %s %d: %s", a, flag, kind(err))
	case 2:
		return fmt.Sprintf("rename %s %s: %s", a, b, kind(u.fs.Rename(at(a), at(b))))
	case 3:
		return fmt.Sprintf("link %s %s: %s", a, b, kind(u.fs.Link(at(a), at(b))))
	case 4:
		return fmt.Sprintf("remove %s: %s", a, kind(u.fs.Remove(at(a))))
	case 5:
		return fmt.Sprintf("mkdir %s: %s", a, kind(u.fs.MkdirAll(at(a))))
	case 6:
		list, err := u.fs.List(at(a))
		return fmt.Sprintf("list %s: %v %s", a, list, kind(err))
	case 7:
		info, err := u.fs.Stat(at(a))
		if info.Dir {
			info.Size = 0
		}
		return fmt.Sprintf("stat %s: %d %v %s", a, info.Size, info.Dir, kind(err))
	default:
		err := u.fs.SyncDir(at("."))
		return fmt.Sprintf("syncdir: %s", kind(err))
	}
}

func (u *dirUser) doFile(op int, r *rand.Rand, off int64, size int) string {
	if len(u.open) == 0 {
		return "no file"
	}
	i := r.IntN(len(u.open))
	f := u.open[i]
	p := make([]byte, size)
	switch op {
	case 0, 1:
		for i := range p {
			p[i] = byte(r.IntN(3))
		}
		n, err := f.WriteAt(p, off)
		return fmt.Sprintf("write %d: %d %s", off, n, kind(err))
	case 2:
		n, err := f.ReadAt(p, off)
		if n == len(p) && err == io.EOF {
			err = nil // both are allowed at the end
		}
		return fmt.Sprintf("read %d: %x %s", off, p[:n], kind(err))
	case 3:
		return fmt.Sprintf("truncate %d: %s", off, kind(f.Truncate(off)))
	case 4:
		err := f.Preallocate(off)
		n, errSize := f.Size()
		return fmt.Sprintf("preallocate %d: %s, %d %s", off, kind(err), n, kind(errSize))
	default:
		err := f.Fsync()
		u.open = append(u.open[:i], u.open[i+1:]...)
		return fmt.Sprintf("sync and close: %s %s", kind(err), kind(f.Close()))
	}
}

// tree describes all files below dir.
func (u *dirUser) tree(dir string) string {
	var b strings.Builder
	list, err := u.fs.List(filepath.Join(u.dir, dir))
	if err != nil {
		return err.Error()
	}
	for _, name := range list {
		name = filepath.Join(dir, name)
		info, err := u.fs.Stat(filepath.Join(u.dir, name))
		if err != nil {
			return err.Error()
		}
		if info.Dir {
			fmt.Fprintf(&b, "%s/\n%s", name, u.tree(name))
			continue
		}
		f, err := u.fs.Open(filepath.Join(u.dir, name), os.O_RDONLY)
		if err != nil {
			return err.Error()
		}
		p := make([]byte, info.Size)
		f.ReadAt(p, 0)
		f.Close()
		fmt.Fprintf(&b, "%s %d %x\n", name, info.Size, p)
	}
	return b.String()
}

// kind reduces an error to what an FS promises about it.
func kind(err error) string {
	for _, known := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrClosed, io.EOF, syscall.ENOTDIR, syscall.EISDIR} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "an error"
	}
	return "nil"
}

func create(t *testing.T, f *crashtest.FS, name, content string) vfs.File {
	t.Helper()
	file, err := f.Open(name, os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte(content), 0)
	require.NoError(t, err)
	return file
}

// content returns what the file has, or how it cannot be read.
func content(f *crashtest.FS, name string) string {
	data, err := f.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// states counts what a crash may leave of files.
func states(c *crashtest.Crashes, names ...string) map[string]int {
	found := map[string]int{}
	for f := range c.All() {
		var all []string
		for _, name := range names {
			all = append(all, content(f, name))
		}
		found[strings.Join(all, " ")]++
	}
	return found
}

func TestCrashOfContent(t *testing.T) {
	f := crashtest.New()
	file := create(t, f, "a", "old")
	require.NoError(t, file.Fdatasync())
	require.NoError(t, f.SyncDir("."))
	assert.Equal(t, map[string]int{"old": 1}, states(f.Crashes(crashtest.Mode{}), "a"), "what is synced is certain")

	_, err := file.WriteAt([]byte("mid"), 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("newer"), 0)
	require.NoError(t, err)
	c := f.Crashes(crashtest.Mode{})
	assert.Equal(t, uint64(6), c.Count(), "three versions, two sizes")
	assert.Equal(t, map[string]int{"old": 1, "mid": 1, "new": 1, "old\x00\x00": 1, "mid\x00\x00": 1, "newer": 1},
		states(c, "a"))

	require.NoError(t, file.Fdatasync())
	assert.Equal(t, map[string]int{"newer": 1}, states(f.Crashes(crashtest.Mode{}), "a"))
	assert.Equal(t, uint64(6), c.Count(), "crashes of an earlier moment stay as they were")
}

func TestCrashTearsSectors(t *testing.T) {
	f := crashtest.New()
	file := create(t, f, "a", strings.Repeat("o", 2000))
	require.NoError(t, file.Fsync())
	require.NoError(t, f.SyncDir("."))
	_, err := file.WriteAt([]byte(strings.Repeat("n", 1000)), 500)
	require.NoError(t, err)
	found := map[string]int{}
	for state := range f.Crashes(crashtest.Mode{}).All() {
		s := content(state, "a")
		require.Len(t, s, 2000)
		assert.Equal(t, strings.Repeat("o", 500), s[:500])
		assert.Equal(t, strings.Repeat("o", 500), s[1500:])
		for _, cut := range []int{512, 1024} {
			found[s[500:cut]+"|"+s[cut:1500]]++
		}
		found[s[500:512]] = 1
		found[s[512:1024]] = 1
		found[s[1024:1500]] = 1
	}
	assert.Equal(t, uint64(8), f.Crashes(crashtest.Mode{}).Count())
	for _, n := range []int{12, 512, 476} {
		assert.Contains(t, found, strings.Repeat("n", n), "a sector is new")
		assert.Contains(t, found, strings.Repeat("o", n), "a sector is old")
	}
}

func TestCrashOfNames(t *testing.T) {
	f := crashtest.New()
	require.NoError(t, create(t, f, "a", "A").Fsync())
	assert.Equal(t, map[string]int{"absent": 1, "A": 1}, states(f.Crashes(crashtest.Mode{}), "a"),
		"a synced file whose name is not")
	require.NoError(t, f.SyncDir("/"))
	assert.Equal(t, map[string]int{"A": 1}, states(f.Crashes(crashtest.Mode{}), "a"))

	require.NoError(t, f.Rename("a", "b"))
	require.NoError(t, f.Link("b", "c"))
	assert.Equal(t, map[string]int{
		"A absent absent": 1, "absent A absent": 1, "A absent A": 1, "absent A A": 1,
	}, states(f.Crashes(crashtest.Mode{}), "a", "b", "c"))
	assert.Equal(t, map[string]int{
		"A absent absent": 1, "absent A absent": 1, "absent A A": 1,
	}, states(f.Crashes(crashtest.Mode{Ordered: true}), "a", "b", "c"), "a journal keeps the order")

	require.NoError(t, f.SyncDir("."))
	require.NoError(t, f.Remove("b"))
	require.NoError(t, f.Remove("c"))
	assert.Equal(t, map[string]int{
		"A A": 1, "absent A": 1, "A absent": 1, "absent absent": 1,
	}, states(f.Crashes(crashtest.Mode{}), "b", "c"), "an unsynced removal may come back")
}

func TestCrashOfDirectories(t *testing.T) {
	f := crashtest.New()
	require.NoError(t, f.MkdirAll("/d/e"))
	require.NoError(t, create(t, f, "/d/e/a", "A").Fsync())
	require.NoError(t, f.SyncDir("/d/e"))
	assert.Equal(t, map[string]int{"absent": 3, "A": 1}, states(f.Crashes(crashtest.Mode{}), "/d/e/a"),
		"each directory above needs a sync of its own")
	require.NoError(t, f.SyncDir("/d"))
	require.NoError(t, f.SyncDir("/"))
	assert.Equal(t, map[string]int{"A": 1}, states(f.Crashes(crashtest.Mode{}), "/d/e/a"))
}

func TestSampleMakesEveryState(t *testing.T) {
	f := crashtest.New()
	file := create(t, f, "a", strings.Repeat("o", 1024))
	require.NoError(t, file.Fsync())
	_, err := file.WriteAt([]byte(strings.Repeat("n", 1024)), 0)
	require.NoError(t, err)
	require.NoError(t, create(t, f, "b", "B").Fsync())
	c := f.Crashes(crashtest.Mode{})
	want := states(c, "a", "b")
	r := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	for range 2000 {
		state := c.Sample(r)
		key := content(state, "a") + " " + content(state, "b")
		require.Contains(t, want, key)
		want[key] = 0
	}
	for state, n := range want {
		assert.Zero(t, n, "never sampled: %s", state)
	}
}

func TestGarbledStaysInsideWhatIsWritten(t *testing.T) {
	f := crashtest.New()
	file := create(t, f, "a", strings.Repeat("o", 1024))
	require.NoError(t, file.Fsync())
	require.NoError(t, f.SyncDir("/"))
	_, err := file.WriteAt([]byte("new"), 600)
	require.NoError(t, err)
	c := f.Crashes(crashtest.Mode{Garbled: true})
	r := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	seen := map[string]bool{}
	for range 2000 {
		s := content(c.Sample(r), "a")
		require.Equal(t, strings.Repeat("o", 600), s[:600])
		require.Equal(t, strings.Repeat("o", 421), s[603:])
		seen[s[600:603]] = true
	}
	assert.True(t, seen["ooo"] && seen["new"])
	assert.Greater(t, len(seen), 10)
}

func TestKillLosesNothing(t *testing.T) {
	f := crashtest.New()
	file := create(t, f, "a", "A")
	_, err := f.Lock("LOCK", "")
	require.NoError(t, err)
	next := f.Kill()
	_, err = file.WriteAt([]byte("B"), 0)
	assert.Error(t, err)
	assert.Error(t, f.Rename("a", "b"))
	assert.Equal(t, "A", content(next, "a"))
	_, err = next.Lock("LOCK", "")
	assert.NoError(t, err)
	assert.Equal(t, map[string]int{"absent": 8, "": 4, "\x00": 2, "A": 2}, states(next.Crashes(crashtest.Mode{}), "a"),
		"but a power cut still may: two names, the content and the size are not synced")
}

func TestFailedSync(t *testing.T) {
	tests := []struct {
		name   string
		how    crashtest.SyncFailure
		first  bool   // the failing sync reports it
		second bool   // the next one reports an error
		cached string // after both
		disk   string // after both and a power cut
	}{
		{"stays dirty", crashtest.StaysDirty, true, false, "new", "new"},
		{"marked clean", crashtest.MarkedClean, true, false, "new", "old"},
		{"reverted", crashtest.Reverted, true, false, "old", "old"},
		{"reported late", crashtest.ReportedLate, false, true, "new", "old"},
	}
	for _, tt := range tests {
		f := crashtest.New()
		file := create(t, f, "a", "old")
		require.NoError(t, file.Fsync())
		require.NoError(t, f.SyncDir("/"))
		_, err := file.WriteAt([]byte("new"), 0)
		require.NoError(t, err)
		f.Faults(func(c crashtest.Call) crashtest.Fault {
			if c.Op.Syncs() {
				return crashtest.Fault{Err: syscall.EIO, Sync: tt.how}
			}
			return crashtest.Fault{}
		})
		check := func(want bool) {
			if err := file.Fdatasync(); want {
				assert.ErrorIs(t, err, syscall.EIO, tt.name)
			} else {
				assert.NoError(t, err, tt.name)
			}
		}
		check(tt.first)
		f.Faults(nil)
		check(tt.second)
		assert.Equal(t, tt.cached, content(f, "a"), tt.name)
		assert.Equal(t, map[string]int{tt.disk: 1}, states(f.Crashes(crashtest.Mode{}), "a"), tt.name)

		_, err = file.WriteAt([]byte("x"), 1) // makes the whole page dirty
		require.NoError(t, err)
		check(false)
		want := tt.cached[:1] + "x" + tt.cached[2:]
		assert.Equal(t, map[string]int{want: 1}, states(f.Crashes(crashtest.Mode{}), "a"), tt.name)
	}
}

func TestFailedWriteBackIsReportedOnce(t *testing.T) {
	f := crashtest.New()
	file := create(t, f, "a", "A")
	require.NoError(t, file.Fsync())
	require.NoError(t, f.SyncDir("/"))
	_, err := file.WriteAt([]byte("B"), 0)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 1))
	for len(states(f.Crashes(crashtest.Mode{}), "a")) > 1 {
		f.FailWriteBack(r)
	}
	later, err := f.Open("a", os.O_RDWR)
	require.NoError(t, err)
	assert.Error(t, file.Fdatasync(), "the descriptor that wrote")
	assert.NoError(t, file.Fdatasync(), "is told once")
	assert.Error(t, later.Fdatasync(), "as is one that was opened before anybody was told")
	last, err := f.Open("a", os.O_RDWR)
	require.NoError(t, err)
	assert.NoError(t, last.Fdatasync(), "but none that is opened afterwards")
	assert.Equal(t, "B", content(f, "a"))
	assert.Equal(t, map[string]int{"A": 1}, states(f.Crashes(crashtest.Mode{}), "a"))
}

func TestFaults(t *testing.T) {
	f := crashtest.New()
	file := create(t, f, "a", "abcdef")
	var fault crashtest.Fault
	var calls []crashtest.Call
	f.Faults(func(c crashtest.Call) crashtest.Fault {
		calls = append(calls, c)
		return fault
	})
	fault = crashtest.Fault{Err: syscall.ENOSPC, Part: 2}
	n, err := file.WriteAt([]byte("xyz"), 1)
	assert.Equal(t, 2, n)
	assert.ErrorIs(t, err, syscall.ENOSPC)
	fault = crashtest.Fault{Err: io.EOF, Part: 3}
	p := make([]byte, 6)
	n, err = file.ReadAt(p, 0)
	assert.Equal(t, "axy", string(p[:n]))
	assert.Equal(t, io.EOF, err)
	fault = crashtest.Fault{Misdirect: 3}
	n, err = file.WriteAt([]byte("!"), 0)
	assert.NoError(t, err)
	assert.Equal(t, 1, n)
	fault = crashtest.Fault{Err: syscall.EMFILE}
	_, err = f.Open("a", os.O_RDWR)
	assert.ErrorIs(t, err, syscall.EMFILE)
	assert.ErrorIs(t, f.Rename("a", "b"), syscall.EMFILE)
	f.Faults(nil)
	assert.Equal(t, "axy!ef", content(f, "a"))
	require.Len(t, calls, 5)
	assert.Equal(t, crashtest.Call{N: calls[0].N, Op: crashtest.OpWriteAt, Name: "a", Offset: 1, Size: 3}, calls[0])
	assert.Equal(t, calls[0].N+4, calls[4].N)
}

func TestLimit(t *testing.T) {
	f := crashtest.New()
	file := create(t, f, "a", "12345")
	f.Limit(8)
	space, err := f.Space("/")
	require.NoError(t, err)
	assert.Equal(t, int64(3), space.Free)
	n, err := file.WriteAt([]byte("abcdef"), 4)
	assert.Equal(t, 4, n, "what fits is written")
	assert.ErrorIs(t, err, syscall.ENOSPC)
	assert.Equal(t, "1234abcd", content(f, "a"))
	assert.ErrorIs(t, file.Preallocate(9), syscall.ENOSPC)
	_, err = file.WriteAt([]byte("z"), 0)
	assert.NoError(t, err, "overwriting needs no room")
	require.NoError(t, file.Truncate(2))
	_, err = file.WriteAt([]byte("abcdef"), 2)
	assert.NoError(t, err)
}

// Two names are exchanged together or not at all, and NoExchange takes that away.
func TestCrashOfAnExchange(t *testing.T) {
	f := crashtest.New()
	require.NoError(t, create(t, f, "a", "A").Fsync())
	require.NoError(t, create(t, f, "b", "B").Fsync())
	require.NoError(t, f.SyncDir("."))
	require.NoError(t, f.Exchange("a", "b"))
	assert.Equal(t, "B", content(f, "a"))
	assert.Len(t, states(f.Crashes(crashtest.Mode{}), "a", "b"), 2)
	f.NoExchange()
	require.ErrorIs(t, f.Exchange("a", "b"), errors.ErrUnsupported)
	assert.Equal(t, "B", content(f, "a"))
}
