package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// filledStore returns a store with several segments in dir, and the number of its events.
func filledStore(t *testing.T, dir string) (*FileStore, int) {
	s := openStore(t, dir, Options{SegmentSize: testSegmentSize})
	appendNumbered(t, s, 0, 300)
	require.Greater(t, s.Stats().Segments, 1)
	return s, 300
}

// treeOf returns what is below a directory: the content of files, the targets of links, and "dir"
// for directories.
func treeOf(t *testing.T, root string) map[string]string {
	tree := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		switch {
		case d.IsDir():
			tree[name] = "dir"
		case d.Type()&fs.ModeSymlink != 0:
			tree[name], err = os.Readlink(path)
		default:
			var b []byte
			b, err = os.ReadFile(path)
			tree[name] = string(b)
		}
		return err
	}))
	return tree
}

// requireBackup checks that dir holds a whole backup with the first n events, and is marked as one.
func requireBackup(t *testing.T, dir string, n int) {
	t.Helper()
	b := openStore(t, dir, Options{ReadOnly: true, MustExist: n > 0})
	got, err := payloads(b)
	require.NoError(t, err)
	require.Equal(t, n, len(got))
	if n > 0 {
		require.Equal(t, numbered(n), got)
		_, err = b.Verify(context.Background())
		require.NoError(t, err)
	}
	require.NoError(t, b.Close())
	_, err = readBackupMark(vfs.OS(), dir)
	require.NoError(t, err)
}

// requireNames checks which names a directory has: nothing that a backup works with is left.
func requireNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	got, err := vfs.OS().List(dir)
	require.NoError(t, err)
	slices.Sort(want)
	require.Equal(t, want, got)
}

func TestBackupsAtOnceToOneDirectoryDamageNothing(t *testing.T) {
	root := t.TempDir()
	home := filepath.Join(root, "store")
	s, n := filledStore(t, home)
	for round := range 16 {
		target := filepath.Join(root, fmt.Sprint("backup", round/2)) // one in two is there already
		var running sync.WaitGroup
		var made atomic.Int64
		for range 4 {
			running.Go(func() {
				r, err := Open(home, Options{ReadOnly: true}) // as another process would
				if !assert.NoError(t, err) {
					return
				}
				defer r.Close()
				_, err = r.Backup(context.Background(), target)
				var locked *engine.LockedError
				switch {
				case err == nil:
					made.Add(1)
				case assert.ErrorAs(t, err, &locked):
					assert.True(t, locked.Backup)
					assert.Equal(t, target, locked.Path)
					assert.Contains(t, err.Error(), "a backup to "+target+" is being made by")
				}
			})
		}
		running.Wait()
		require.Positive(t, made.Load())
		requireBackup(t, target, n)
		_, err := s.Verify(context.Background())
		require.NoError(t, err)
		names, err := vfs.OS().List(root)
		require.NoError(t, err)
		require.Len(t, names, 2+round/2, "nothing is left beside: %v", names)
		appendNumbered(t, s, n, n+3)
		n += 3
	}
}

// Two stores that are backed up to one directory that is missing: one of them gets it, the other
// one is refused.
func TestBackupsOfTwoStoresToOneDirectory(t *testing.T) {
	root := t.TempDir()
	target := filepath.Join(root, "backup")
	one, n := filledStore(t, filepath.Join(root, "one"))
	two, _ := filledStore(t, filepath.Join(root, "two"))
	var running sync.WaitGroup
	results := make([]error, 2)
	for i, s := range []*FileStore{one, two} {
		running.Go(func() { _, results[i] = s.Backup(context.Background(), target) })
	}
	running.Wait()
	require.NotEqual(t, results[0] == nil, results[1] == nil, "%v", results)
	requireBackup(t, target, n)
	requireNames(t, root, "one", "two", "backup")
}

func TestBackupLeavesWhatStandsBesideIt(t *testing.T) {
	root := t.TempDir()
	s, n := filledStore(t, filepath.Join(root, "store"))
	_, err := s.Backup(context.Background(), filepath.Join(root, "backup"))
	require.NoError(t, err)
	for _, name := range []string{"backup.old", "backup.new", "backup.tmp", "store.old", "store.new", ".backup",
		backupPrefix + "0123456789abcdef-0123456789abcdef01234567", backupPrefix + "lock"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, name), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name, "mine"), []byte(name), 0o644))
		require.NoError(t, os.Mkdir(filepath.Join(root, name+"-empty"), 0o755))
	}
	live := openStore(t, filepath.Join(root, "backup.store"), Options{})
	mustAppend(t, live, "a", engine.Any, one("of its own")...)
	require.NoError(t, os.Symlink("store", filepath.Join(root, "link.new")))
	before := treeOf(t, root)
	appendNumbered(t, s, n, n+1)
	for _, target := range []string{"backup", "link", "backup2", "store.2"} {
		_, err := s.Backup(context.Background(), filepath.Join(root, target))
		require.NoError(t, err)
		requireBackup(t, filepath.Join(root, target), n+1)
	}
	after := treeOf(t, root)
	for name, content := range before {
		if top, _, _ := strings.Cut(name, string(filepath.Separator)); top != "store" && top != "backup" {
			require.Equal(t, content, after[name], name)
		}
	}
	mustAppend(t, live, "a", engine.Exact(0), one("and another")...)
}

// Whatever a backup cannot take the place of is refused by an error that says what is there, and
// nothing is changed, not even beside it.
func TestBackupRefusesWhatItHasNotMade(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	at := func(elements ...string) string { return filepath.Join(append([]string{root}, elements...)...) }
	write := func(elements ...string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(at(elements...)), 0o755))
		require.NoError(t, os.WriteFile(at(elements...), []byte("mine"), 0o644))
	}
	s, n := filledStore(t, at("dir", "store"))
	backUp := func(target string) {
		_, err := s.Backup(ctx, target)
		require.NoError(t, err)
	}
	other, _ := filledStore(t, at("other"))
	_, err := other.Backup(ctx, at("backup of other"))
	require.NoError(t, err)
	for _, target := range []string{"appended", "written", "with a file", "with a directory", "without mark",
		"damaged mark", "good"} {
		backUp(at(target))
	}
	for _, dir := range []string{"appended", "written"} {
		restored := openStore(t, at(dir), Options{})
		mustAppend(t, restored, "a", engine.Any, one("of its own")...)
		if dir == "appended" {
			require.NoError(t, restored.Close())
		}
	}
	write("with a file", "notes.txt")
	require.NoError(t, os.Mkdir(at("with a directory", "000000000001"), 0o755))
	require.NoError(t, os.Remove(at("without mark", backupName)))
	write("damaged mark", backupName)
	write("a file")
	write("files", "x")
	write("hidden", ".x")
	for link, target := range map[string]string{"to store": "dir/store", "to nothing": "no/directory", "to dir": "dir",
		"to other":  "other",
		"to itself": "to itself", "to files": "files"} {
		require.NoError(t, os.Symlink(target, at(link)))
	}
	appendNumbered(t, s, n, n+1)

	tests := []struct{ target, reason string }{
		{at("dir", "store"), "is the store itself"},
		{at("dir", "store") + "/.", "is the store itself"},
		{at("dir", "..", "dir", "store"), "is the store itself"},
		{at("to store"), "is the store itself"},
		{at("to dir", "store"), "is the store itself"},
		{at("dir", "store", "backup"), "lies in the store"},
		{at("to store", "backup"), "lies in the store"},
		{at("dir"), "holds the store itself"},
		{at("to dir") + "/", "holds the store itself"},
		{root, "holds the store itself"},
		{"/", "holds the store itself"},
		{at("other"), "holds a store that is no backup"},
		{at("to other"), "holds a store that is no backup"},
		{at("other", "backup"), "lies in the store " + at("other")},
		{at("to other", "backup"), "lies in the store " + at("other")},
		{at("good", "backup"), "lies in the store " + at("good")},
		{at("backup of other"), "holds a backup of another store"},
		{at("without mark"), "holds a store that is no backup"},
		{at("damaged mark"), "holds a damaged file BACKUP"},
		{at("appended"), "something has been appended"},
		{at("written"), "something has been appended"},
		{at("with a file"), "not of the backup (notes.txt)"},
		{at("with a directory"), "not of the backup (000000000001)"},
		{at("a file"), "is a file"},
		{at("files"), "holds other files (x)"},
		{at("to files"), "holds other files (x)"},
		{at("hidden"), "holds other files (.x)"},
		{at("to nothing"), "has no directory that could hold it"},
		{at("no", "directory"), "has no directory that could hold it"},
	}
	before := treeOf(t, root)
	for _, tt := range tests {
		_, err := s.Backup(ctx, tt.target)
		var refused *BackupError
		if assert.ErrorAs(t, err, &refused, tt.target) {
			assert.Contains(t, refused.Reason, tt.reason, tt.target)
			assert.Contains(t, err.Error(), tt.reason)
		}
	}
	for _, target := range []string{at("a file", "x"), at("to itself"), at(strings.Repeat("x", 300)), at("n\x00l")} {
		_, err := s.Backup(ctx, target)
		assert.Error(t, err, target)
	}
	require.Equal(t, before, treeOf(t, root))
	backUp(at("good"))
	requireBackup(t, at("good"), n+1)
}

// A backup that somebody is writing to at this moment is locked, also if nothing has come to it
// yet.
func TestBackupToAStoreThatIsLocked(t *testing.T) {
	root := t.TempDir()
	s, _ := filledStore(t, filepath.Join(root, "store"))
	target := filepath.Join(root, "backup")
	_, err := s.Backup(context.Background(), target)
	require.NoError(t, err)
	lock, err := vfs.OS().Lock(filepath.Join(target, lockName), "")
	require.NoError(t, err)
	before := treeOf(t, root)
	_, err = s.Backup(context.Background(), target)
	var locked *engine.LockedError
	require.ErrorAs(t, err, &locked)
	assert.False(t, locked.Backup)
	assert.Equal(t, before, treeOf(t, root))
	require.NoError(t, lock.Close())
	_, err = s.Backup(context.Background(), target)
	require.NoError(t, err)
	requireNames(t, root, "backup", "store")
}

func TestBackupTakesNamesAsPeopleWriteThem(t *testing.T) {
	root := t.TempDir()
	s, n := filledStore(t, filepath.Join(root, "store"))
	odd := strings.Repeat("ü", 127)
	require.NoError(t, os.Mkdir(filepath.Join(root, "empty"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(root, "disk"), 0o755))
	require.NoError(t, os.Symlink("monday", filepath.Join(root, "latest")))
	require.NoError(t, os.Symlink("disk", filepath.Join(root, "mounted")))
	require.NoError(t, os.Symlink("mounted/tuesday", filepath.Join(root, "next")))
	_, err := s.Backup(context.Background(), filepath.Join(root, "monday"))
	require.NoError(t, err)
	appendNumbered(t, s, n, n+20)
	t.Chdir(root)
	for target, dir := range map[string]string{"tr/": "tr", "tr2/.": "tr2", "./tr3//": "tr3", "x/../tr4": "tr4",
		"empty": "empty", "latest": "monday", "mounted/a": "disk/a",
		"next": "disk/tuesday", odd: odd, "with space ' and \"": "with space ' and \"", "-rf": "-rf", "...": "..."} {
		for range 2 {
			_, err := s.Backup(context.Background(), target)
			require.NoError(t, err, target)
			requireBackup(t, dir, n+20)
		}
	}
	link, err := os.Readlink("latest")
	require.NoError(t, err)
	assert.Equal(t, "monday", link, "the link stays, what it leads to is replaced")
	names, err := vfs.OS().List(root)
	require.NoError(t, err)
	assert.False(t, slices.ContainsFunc(names, func(n string) bool {
		return strings.HasPrefix(n, backupPrefix)
	}), names)
}

// The first night's backup has nothing to copy, and the second night's takes its place.
func TestBackupOfAnEmptyStore(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	target := filepath.Join(root, "backup")
	s := openStore(t, filepath.Join(root, "store"), Options{SegmentSize: testSegmentSize})
	for range 2 {
		report, err := s.Backup(ctx, target)
		require.NoError(t, err)
		require.Equal(t, engine.BackupReport{}, report)
		requireBackup(t, target, 0)
		requireNames(t, target, backupName)
	}
	appendNumbered(t, s, 0, 200)
	report, err := s.Backup(ctx, target)
	require.NoError(t, err)
	require.Equal(t, engine.Head{}, report.Earlier)
	requireBackup(t, target, 200)

	// A restored empty store that has been appended to is nobody's backup any more.
	fresh := openStore(t, filepath.Join(root, "fresh"), Options{})
	restored := filepath.Join(root, "restored")
	_, err = fresh.Backup(ctx, restored)
	require.NoError(t, err)
	r := openStore(t, restored, Options{})
	mustAppend(t, r, "a", engine.Any, one("1")...)
	require.NoError(t, r.Close())
	for _, store := range []*FileStore{fresh, s} {
		_, err = store.Backup(ctx, restored)
		var refused *BackupError
		require.ErrorAs(t, err, &refused)
		assert.Contains(t, err.Error(), "something has been appended")
	}
	requireNames(t, root, "backup", "restored", "store")
}

// What a backup that died has left is put back or removed by the next one to the same directory;
// what somebody has begun to use is not.
func TestBackupAfterOneThatDied(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	target := filepath.Join(root, "backup")
	s, n := filledStore(t, filepath.Join(root, "store"))
	name := func(i byte) string { return filepath.Join(root, workName(target, s.view.Load().store, uuid.UUID{i})) }
	again := func(left ...string) {
		t.Helper()
		appendNumbered(t, s, n, n+1)
		n++
		_, err := s.Backup(ctx, target)
		require.NoError(t, err)
		requireBackup(t, target, n)
		requireNames(t, root, append(left, "backup", "store")...)
	}
	again()

	// It died while it copied, and left the lock's file.
	require.NoError(t, os.Mkdir(name(1), 0o755))
	require.NoError(t, os.Mkdir(name(2), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(name(2), format.SegmentFileName(1, 0)), make([]byte, 100), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(name(2), backupName), nil, 0o644))
	again()

	// It died between the two renames: the earlier backup is what the next one adds to.
	require.NoError(t, os.Rename(target, name(3)))
	again()

	// It died before it could remove the earlier backup.
	copyFiles(t, target, name(4))
	again()

	// Somebody has found a whole backup and goes on with it as a store, and somebody keeps a file
	// in another one.
	copyFiles(t, target, name(5))
	used := openStore(t, name(5), Options{})
	mustAppend(t, used, "a", engine.Any, one("of its own")...)
	require.NoError(t, os.Mkdir(name(6), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(name(6), "mine"), nil, 0o644))
	copyFiles(t, target, name(7))
	require.NoError(t, os.WriteFile(filepath.Join(name(7), "mine"), nil, 0o644))
	again(filepath.Base(name(5)), filepath.Base(name(6)), filepath.Base(name(7)))
	mustAppend(t, used, "a", engine.Exact(0), one("and another")...)
	_, err := used.Verify(ctx)
	require.NoError(t, err)
}

func TestBackupRefusesAForeignFileInThePlaceOfItsLock(t *testing.T) {
	root := t.TempDir()
	s, _ := filledStore(t, filepath.Join(root, "store"))
	b, err := s.newBackup(context.Background(), filepath.Join(root, "backup"))
	require.NoError(t, err)
	unlock, err := b.lockTarget()
	require.NoError(t, err)
	names, err := vfs.OS().List(root)
	require.NoError(t, err)
	unlock()
	requireNames(t, root, "store")
	require.NoError(t, os.WriteFile(filepath.Join(root, names[0]), []byte("mine"), 0o644))
	_, err = s.Backup(context.Background(), b.dir)
	var refused *BackupError
	require.ErrorAs(t, err, &refused)
	content, err := os.ReadFile(filepath.Join(root, names[0]))
	require.NoError(t, err)
	assert.Equal(t, "mine", string(content))
}

// linkFS fails to link.
type linkFS struct {
	vfs.FS
	err error
}

func (l *linkFS) Link(from, to string) error {
	return &os.LinkError{Op: "link", Old: from, New: to, Err: l.err}
}

func TestBackupCopiesOnlyWhatCannotBeLinked(t *testing.T) {
	for _, tt := range []struct {
		err    error
		copies bool
	}{
		{syscall.EXDEV, true}, {syscall.EPERM, true}, {syscall.EMLINK, true}, {syscall.ENOTSUP, true}, {
			errors.ErrUnsupported, true,
		},
		{syscall.EEXIST, false}, {syscall.EIO, false}, {syscall.EACCES, false}, {syscall.ENOSPC, false},
	} {
		fsys := &linkFS{vfs.NewMem(), tt.err}
		s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
		appendNumbered(t, s, 0, 300)
		report, err := s.Backup(context.Background(), "backup")
		if !tt.copies {
			require.ErrorIs(t, err, tt.err)
			names, err := fsys.List(".")
			require.NoError(t, err)
			require.Equal(t, []string{imageDir}, names)
			continue
		}
		require.NoError(t, err, tt.err)
		require.Zero(t, report.Linked)
		require.Equal(t, engine.Position(300), report.Head.Position)
	}
}

func TestBackupIsForThoseForWhomTheStoreIs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("compares permission bits of files, which Windows has not")
	}
	for _, mode := range []fs.FileMode{0o700, 0o750, 0o755} {
		root := t.TempDir()
		home := filepath.Join(root, "store")
		require.NoError(t, os.Mkdir(home, mode))
		made, err := os.Stat(home)
		require.NoError(t, err)
		mode := made.Mode().Perm() // what the umask leaves
		s, _ := filledStore(t, home)
		settleIndexes(t, s)
		target := filepath.Join(root, "backup")
		_, err = s.Backup(context.Background(), target)
		require.NoError(t, err)
		for _, dir := range []string{home, target} {
			info, err := os.Stat(dir)
			require.NoError(t, err)
			assert.Equal(t, mode, info.Mode().Perm(), dir)
			names, err := vfs.OS().List(dir)
			require.NoError(t, err)
			for _, name := range names {
				info, err := os.Stat(filepath.Join(dir, name))
				require.NoError(t, err)
				assert.Equal(t, mode&0o666, info.Mode().Perm(), name)
			}
		}
	}
	s, _ := filledStore(t, filepath.Join(t.TempDir(), "new"))
	info, err := os.Stat(s.dir)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), "a new store is its owner's")
}

func TestBackupOfAStoreInMemoryIsOnTheDisk(t *testing.T) {
	target := filepath.Join(t.TempDir(), "backup")
	s := openStore(t, "memory", Options{FS: vfs.NewMem(), BackupFS: vfs.OS(), SegmentSize: testSegmentSize})
	for n := 0; n < 500; n += 250 {
		appendNumbered(t, s, n, n+250)
		report, err := s.Backup(context.Background(), target)
		require.NoError(t, err)
		requireBackup(t, target, n+250)
		assert.Equal(t, n > 0, report.Linked > 0, "only from the earlier backup")
	}
}

// The store's directory was moved, and there may be another one in its place: what is there is not
// what was opened.
func TestBackupOfAStoreThatWasMoved(t *testing.T) {
	root := t.TempDir()
	home, moved, target := filepath.Join(root, "store"), filepath.Join(root, "moved"), filepath.Join(root, "backup")
	filledStore(t, home)
	r := openStore(t, home, Options{ReadOnly: true})
	require.NoError(t, os.Rename(home, moved))
	_, err := r.Backup(context.Background(), target)
	require.ErrorAs(t, err, new(*engine.MovedError))
	copyFiles(t, moved, home)
	_, err = r.Backup(context.Background(), target)
	require.ErrorAs(t, err, new(*engine.MovedError))
	requireNames(t, root, "moved", "store")
}

// Files of another store stand in the place of the store's, in the same directory. They do not get
// into the backup.
func TestBackupOfFilesThatWereReplaced(t *testing.T) {
	root := t.TempDir()
	home := filepath.Join(root, "store")
	s, _ := filledStore(t, home)
	settleIndexes(t, s)
	other, _ := filledStore(t, filepath.Join(t.TempDir(), "other"))
	name := format.SegmentFileName(1, 0)
	require.NoError(t, os.Remove(filepath.Join(home, name)))
	require.NoError(t, os.Link(filepath.Join(other.dir, name), filepath.Join(home, name)))
	_, err := s.Backup(context.Background(), filepath.Join(root, "backup"))
	require.Error(t, err)
	requireNames(t, root, "store")
	_, err = other.Verify(context.Background())
	require.NoError(t, err)
}

func TestBackupCancelledLeavesNothing(t *testing.T) {
	root := t.TempDir()
	s, n := filledStore(t, filepath.Join(root, "store"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.Backup(ctx, filepath.Join(root, "backup"))
	require.ErrorIs(t, err, context.Canceled)
	requireNames(t, root, "store")
	_, err = s.Backup(context.Background(), filepath.Join(root, "backup"))
	require.NoError(t, err)
	requireBackup(t, filepath.Join(root, "backup"), n)
}

func TestWorkNames(t *testing.T) {
	store, run := uuid.UUID{1}, uuid.UUID{2, 3}
	name := workName("/a/b", store, run)
	assert.Less(t, len(name), 64)
	assert.True(t, isWorkName(name, "/x/b", store), "a disk may be mounted elsewhere")
	assert.False(t, isWorkName(name, "/a/c", store))
	assert.False(t, isWorkName(name, "/a/b", uuid.UUID{2}))
	for i := range name {
		assert.False(t, isWorkName(name[:i]+"g"+name[i+1:], "/a/b", store))
		assert.False(t, isWorkName(name[:i], "/a/b", store))
	}
	assert.False(t, isWorkName(strings.Replace(name, "0203", "0204", 1), "/a/b", store))
	for _, name := range []string{"000000000001.log", "000000000001.3.log", "000000000001.idx", "000000000001.3.idx",
		"000000000001-000000000008.idx",
		"000000000001.idx.tmp", "BACKUP", "LOCK", "MANIFEST", "MANIFEST.tmp", "TAIL"} {
		assert.False(t, isForeign(name), name)
	}
	for _, name := range []string{"1.log", "000000000001", "x.idx", ".idx", "000000000001.log.tmp",
		"torn-12-0001a340.bin", ".DS_Store", "BACKUP.tmp", "backup"} {
		assert.True(t, isForeign(name), fmt.Sprint(name))
	}
}
