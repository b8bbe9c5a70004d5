package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// backupWork begins the names of what Backup makes beside its target, as FORMAT.md says.
const backupWork = ".eventfold-"

// Where the suites of backups have what is not theirs.
var foreignNames = []string{
	"/stores/backup.old", "/stores/backup.new", "/stores/.backup",
	"/stores/" + backupWork + "0123456789abcdef-0123456789abcdef01234567",
	"/stores/store.old", "/stores/monday.old", "/elsewhere/store",
}

// A backupScene is one way to back up.
type backupScene struct {
	name    string
	target  string // as it is given to Backup
	dir     string // where the backup then is
	prepare func(f *crashtest.FS) error
	twice   bool // names are not exchanged, so that a backup takes two calls to get its name
	empty   bool // the first backup is made before anything was appended
	atOnce  bool // another backup is made at the same time
}

var backupScenes = []backupScene{
	{name: "a slash at the end, an empty store", target: "/stores/backup/", dir: "/stores/backup", empty: true},
	{name: "names that are not exchanged", target: "/stores/backup", dir: "/stores/backup", twice: true},
	{name: "a link", target: "/stores/latest", dir: "/stores/monday", prepare: func(f *crashtest.FS) error {
		return errors.Join(f.MkdirAll("/stores/monday"), f.SyncDir("/stores"), f.Symlink("monday", "/stores/latest"))
	}},
	{name: "an empty directory, over a link", target: "/disk/./backup", dir: "/elsewhere/backup",
		prepare: func(f *crashtest.FS) error {
			return errors.Join(f.MkdirAll("/elsewhere/backup"), f.SyncDir("/elsewhere"),
				f.Symlink("elsewhere", "/disk"))
		}},
	{name: "two at once, a store of the same name", target: "/elsewhere/stores/store", dir: "/elsewhere/stores/store",
		atOnce: true,
		prepare: func(f *crashtest.FS) error {
			return errors.Join(f.MkdirAll("/elsewhere/stores"), f.SyncDir("/elsewhere"))
		}},
}

// foreignFS returns a file system with files and a store that are not the backup's, and their
// content.
func foreignFS(seed uint64) (*crashtest.FS, *crashtest.FS, error) {
	f := crashtest.New()
	for _, dir := range foreignNames {
		if err := errors.Join(f.MkdirAll(dir), f.SyncDir(path.Dir(dir)), f.SyncDir("/")); err != nil {
			return nil, nil, err
		}
	}
	options := strictOptions(f, seed+1)
	for _, dir := range []string{"/stores/store.old", "/stores/backup.old", "/elsewhere/store"} {
		s, err := filestore.Open(dir, options)
		if err != nil {
			return nil, nil, err
		}
		_, err = s.Append(context.Background(), crashtest.NewGenerator(seed+1).Append(20))
		if err := errors.Join(err, s.Close()); err != nil {
			return nil, nil, err
		}
	}
	for _, dir := range foreignNames {
		if err := f.WriteFile(dir+"/mine", []byte(dir)); err != nil {
			return nil, nil, err
		}
	}
	return f, f.Clone(), nil
}

// sameForeign checks that what is not the backup's is as it was.
func sameForeign(before, now *crashtest.FS) error {
	names := slices.DeleteFunc(crashtest.Changed(before, now), func(name string) bool { return !isForeignName(name) })
	if len(names) > 0 {
		return fmt.Errorf("files of others were changed: %v", names)
	}
	return nil
}

func isForeignName(name string) bool {
	return slices.ContainsFunc(foreignNames, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
}

// leftBeside returns what Backup has made in the directory of its target.
func leftBeside(f *crashtest.FS, dir string) []string {
	names, err := f.List(path.Dir(dir))
	if err != nil {
		return []string{err.Error()}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasPrefix(name, backupWork) || slices.Contains(foreignNames, path.Join(path.Dir(dir), name))
	})
}

// A recordedBackup is a run of a scene: the moments while backups were made.
type recordedBackup struct {
	scene   backupScene
	before  *crashtest.FS
	moments []crashtest.Moment
	second  int // the first moment of the second backup
}

func recordBackup(t *testing.T, scene backupScene, seed uint64) recordedBackup {
	ctx := t.Context()
	f, before, err := foreignFS(seed)
	require.NoError(t, err)
	if scene.twice {
		f.NoExchange()
	}
	if scene.prepare != nil {
		require.NoError(t, scene.prepare(f))
	}
	o, g := crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	s, err := filestore.Open(crashtest.Dir, strictOptions(f, seed))
	require.NoError(t, err)
	defer s.Close()
	run := recordedBackup{scene: scene, before: before}
	recorder := crashtest.Record(f, o)
	for round := range 2 {
		if round > 0 || !scene.empty {
			require.NoError(t, crashtest.Script(ctx, o, s, g, nil))
		}
		from := len(recorder.Moments())
		require.NoError(t, backUpInScene(ctx, f, s, scene, seed))
		run.second = len(run.moments)
		run.moments = append(run.moments, recorder.Moments()[from:]...)
	}
	require.Empty(t, leftBeside(f, scene.dir))
	require.NoError(t, sameForeign(before, f))
	return run
}

// backUpInScene makes a backup, or several at the same time of which one at least must succeed.
func backUpInScene(ctx context.Context, f *crashtest.FS, s *filestore.FileStore, scene backupScene, seed uint64) error {
	if !scene.atOnce {
		_, err := s.Backup(ctx, scene.target)
		return err
	}
	reader, err := filestore.Open(crashtest.Dir, filestore.Options{
		FS:       f,
		ReadOnly: true,
		Rand:     random(seed + 7),
	})
	if err != nil {
		return err
	}
	defer reader.Close()
	results := make([]error, 4)
	var running sync.WaitGroup
	for i := range results {
		running.Go(func() { _, results[i] = []*filestore.FileStore{s, reader}[i%2].Backup(ctx, scene.target) })
	}
	running.Wait()
	made := 0
	for _, err := range results {
		var locked *engine.LockedError
		if err == nil {
			made++
		} else if !errors.As(err, &locked) || !locked.Backup {
			return err
		}
	}
	if made == 0 {
		return fmt.Errorf("none of %d backups was made: %w", len(results), results[0])
	}
	return nil
}

// The power fails while a backup is made, and while a later one takes its place: the store loses
// nothing, what stands beside it is as it was, and a backup that is there is whole. Once there is
// one there always is: under its name where names can be exchanged, and elsewhere at the latest
// when the next backup puts it back. That one succeeds, and leaves nothing beside.
func TestCrashDuringBackup(t *testing.T) {
	seed := testenv.Seed(t)
	var states, found atomic.Int64
	var failed error
	for _, scene := range backupScenes {
		run := recordBackup(t, scene, seed)
		stride := 8 / testenv.Scale(2, 8)
		err := crashtest.Parallel(len(run.moments)/stride, func(n int) error {
			i := n*stride + int(seed%uint64(stride))
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for range testenv.Scale(2, 150) {
				state := run.moments[i].FS.Crashes(crashtest.Mode{Ordered: r.IntN(2) == 0,
					Garbled: r.IntN(2) == 0}).Sample(r)
				states.Add(1)
				n, err := run.check(t.Context(), state, i, seed)
				if err != nil {
					return fmt.Errorf("%s: %w", &run.moments[i], err)
				}
				found.Add(int64(n))
			}
			return nil
		})
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", scene.name, err))
		}
	}
	report(t, "T1, backup", fmt.Sprintf("%d crash states of %d ways to back up, %d whole backups found in "+
		"them, violations: %d",
		states.Load(), len(backupScenes), found.Load(), violations(failed)))
	require.NoError(t, failed)
	require.Positive(t, found.Load())
}

// check checks what a power cut at moment i has left, and that a backup can be made there.
func (r *recordedBackup) check(ctx context.Context, f *crashtest.FS, i int, seed uint64) (found int, err error) {
	if err := sameForeign(r.before, f); err != nil {
		return 0, err
	}
	s, err := filestore.Open(crashtest.Dir, strictOptions(f, seed))
	if err != nil {
		return 0, err
	}
	defer s.Close()
	o := r.moments[i].Oracle.Clone()
	if err := o.Check(ctx, s); err != nil {
		return 0, err
	}
	if found, err = r.findBackup(ctx, f, s, seed); err != nil {
		return 0, err
	}
	if found == 0 && i >= r.second && !r.scene.twice {
		return 0, fmt.Errorf("no backup is left: %v", f.Files())
	}
	return found, r.backUpAgain(ctx, f, s, o, i)
}

// findBackup checks the backup, if there is one.
func (r *recordedBackup) findBackup(
	ctx context.Context, f *crashtest.FS, s engine.Store, seed uint64,
) (found int, err error) {
	names, err := f.List(r.scene.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(names) == 0 {
		return 0, nil
	}
	options := strictOptions(f, seed)
	options.ReadOnly = true
	b, err := filestore.Open(r.scene.dir, options)
	if err != nil {
		return 0, fmt.Errorf("the backup: %w", err)
	}
	if err = verified(ctx, b); err == nil {
		err = samePrefix(ctx, s, b)
	}
	if err = errors.Join(err, b.Close()); err != nil {
		return 0, fmt.Errorf("the backup: %w", err)
	}
	return 1, nil
}

// backUpAgain appends and makes a backup where another one was cut off.
func (r *recordedBackup) backUpAgain(
	ctx context.Context, f *crashtest.FS, s *filestore.FileStore, o *crashtest.Oracle, i int,
) error {
	// Of all seeds this is the one that the run itself does not have: ids must not come twice.
	if _, err := o.Append(ctx, s, crashtest.NewGenerator(^uint64(i)).Append(30)); err != nil {
		return err
	}
	report, err := s.Backup(ctx, r.scene.target)
	switch {
	case err != nil:
		return fmt.Errorf("the next backup: %w", err)
	case report.Head.Position != s.ReadIndex().Head():
		return fmt.Errorf("the next backup ends at %d", report.Head.Position)
	case i >= r.second && report.Earlier.Position == 0 && !r.scene.empty:
		return fmt.Errorf("the next backup did not find the earlier one: %v", f.Files())
	}
	if found, err := r.findBackup(ctx, f, s, 1); err != nil || found == 0 {
		return fmt.Errorf("after the next backup there are %d: %w", found, err)
	}
	if left := leftBeside(f, r.scene.dir); len(left) > 0 {
		return fmt.Errorf("the next backup has left %v", left)
	}
	return errors.Join(sameForeign(r.before, f), o.Check(ctx, s))
}

// samePrefix checks that a backup begins as the store does.
func samePrefix(ctx context.Context, s, backup engine.Store) error {
	head := backup.ReadIndex().Head()
	if head > s.ReadIndex().Head() {
		return fmt.Errorf("it has %d events, the store %d", head, s.ReadIndex().Head())
	}
	c := s.ReadIndex().At(head).ReadAll(ctx, 0, engine.Forwards)
	defer c.Close()
	var events []engine.Event
	for c.Next() {
		events = append(events, *c.Event())
	}
	return errors.Join(c.Err(), enginetest.Same(ctx, backup, enginetest.ModelOf(events)))
}

// Every call to the file system while a backup is made fails, once or from then on, in every way
// (T3): the store is as it was, the earlier backup is there or the new one, files of others are as
// they were, and the next backup succeeds and leaves nothing beside.
func TestEveryCallOfABackupFails(t *testing.T) {
	testenv.WithoutRace(t)
	seed := testenv.Seed(t)
	for _, scene := range backupScenes[:3] {
		base, err := backedUp(t.Context(), scene, seed)
		require.NoError(t, err)
		all, err := base.faultyBackup(t.Context(), nil)
		require.NoError(t, err)
		stride := max(1, 64/testenv.Scale(1, 64))
		var full, failed atomic.Int64
		err = crashtest.Parallel(all.calls/stride*len(faultKinds)*2, func(i int) error {
			n, k, ever := i/len(faultKinds)/2*stride+int(seed%uint64(stride)), faultKinds[i/2%len(faultKinds)], i%2 == 1
			if ever && !k.ever {
				return nil
			}
			hit := false
			got, err := base.faultyBackup(t.Context(), func(call int, c crashtest.Call) crashtest.Fault {
				if call < n || k.ops != nil && !k.ops(c.Op) || hit && !ever {
					return crashtest.Fault{}
				}
				hit = true
				fault := k.fault
				fault.Part = min(fault.Part, c.Size/2)
				return fault
			})
			if err != nil {
				return fmt.Errorf("call %d, %s, from then on %v: %w", n, k.name, ever, err)
			}
			if got.err != nil {
				failed.Add(1)
			}
			if errors.Is(got.err, engine.ErrFull) {
				full.Add(1)
			}
			return nil
		})
		report(t, "T3, backup", fmt.Sprintf("%s: %d calls, %d backups failed, of which %d with ErrFull; "+
			"stores, earlier backups and foreign files that were harmed: %d",
			scene.name, all.calls, failed.Load(), full.Load(), violations(err)))
		require.NoError(t, err)
		require.Positive(t, failed.Load())
		require.Positive(t, full.Load())
	}
}

// A disk with any room that is too little makes the backup fail with ErrFull, and leaves all as it
// was; with room it succeeds (T6).
func TestBackupOnAFullDisk(t *testing.T) {
	base, err := backedUp(t.Context(), backupScenes[0], 1)
	require.NoError(t, err)
	all, err := base.faultyBackup(t.Context(), nil)
	require.NoError(t, err)
	for room := int64(0); room < all.room; room += all.room/8 + 1 {
		got, err := base.backUp(t.Context(), func(f *crashtest.FS) { f.Limit(f.Used() + room) })
		require.NoError(t, err)
		require.ErrorIs(t, got.err, engine.ErrFull, "%d of %d bytes", room, all.room)
	}
	got, err := base.backUp(t.Context(), func(f *crashtest.FS) { f.Limit(f.Used() + all.room) })
	require.NoError(t, err)
	require.NoError(t, got.err)
}

// A backupBase is a store with a backup, to which something has been appended since.
type backupBase struct {
	run    recordedBackup
	fs     *crashtest.FS
	oracle *crashtest.Oracle
	seed   uint64
}

func backedUp(ctx context.Context, scene backupScene, seed uint64) (*backupBase, error) {
	f, before, err := foreignFS(seed)
	if err != nil {
		return nil, err
	}
	if scene.twice {
		f.NoExchange()
	}
	if scene.prepare != nil {
		if err := scene.prepare(f); err != nil {
			return nil, err
		}
	}
	o, g := crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	s, err := filestore.Open(crashtest.Dir, strictOptions(f, seed))
	if err != nil {
		return nil, err
	}
	err = crashtest.Script(ctx, o, s, g, nil)
	if err == nil {
		_, err = s.Backup(ctx, scene.target)
	}
	if err == nil {
		err = crashtest.Script(ctx, o, s, g, nil)
	}
	return &backupBase{recordedBackup{scene: scene, before: before}, f, o, seed}, errors.Join(err, s.Close())
}

type faultyBackupResult struct {
	calls int
	room  int64 // that the backup has taken on the disk
	err   error // of the backup that met the fault
}

// faultyBackup makes a backup on a disk with faults, whose calls are counted from the backup's
// beginning.
func (b *backupBase) faultyBackup(
	ctx context.Context, fault func(call int, c crashtest.Call) crashtest.Fault,
) (faultyBackupResult, error) {
	return b.backUp(ctx, func(f *crashtest.FS) {
		from := f.Calls()
		if fault != nil {
			f.Faults(func(c crashtest.Call) crashtest.Fault { return fault(c.N-from, c) })
		}
	})
}

// backUp makes a backup on a disk that spoil has spoilt, and checks all there is to check when the
// disk is well again.
func (b *backupBase) backUp(ctx context.Context, spoil func(*crashtest.FS)) (got faultyBackupResult, err error) {
	f, o := b.fs.Clone(), b.oracle.Clone()
	s, err := filestore.Open(crashtest.Dir, strictOptions(f, b.seed))
	if err != nil {
		return got, err
	}
	defer s.Close()
	from, used := f.Calls(), f.Used()
	var room atomic.Int64 // calls come from the store's own goroutines, too
	f.After(func(crashtest.Call) {
		for now := f.Used() - used; ; {
			if most := room.Load(); most >= now || room.CompareAndSwap(most, now) {
				return
			}
		}
	})
	spoil(f)
	_, got.err = s.Backup(ctx, b.run.scene.target)
	f.Faults(nil)
	f.Limit(0)
	f.After(nil)
	got.calls, got.room = f.Calls()-from, room.Load()
	if err := errors.Join(onlyBackupFault(got.err), sameForeign(b.run.before, f), o.Check(ctx, s)); err != nil {
		return got, err
	}
	if found, err := b.run.findBackup(ctx, f, s, b.seed); err != nil || found == 0 && !b.run.scene.twice {
		return got, fmt.Errorf("after the fault there are %d backups: %w", found, err)
	}
	return got, b.run.backUpAgain(ctx, f, s, o, 0)
}

// onlyBackupFault returns nil if err comes from an injected fault, and otherwise err.
func onlyBackupFault(err error) error {
	var refused *filestore.BackupError
	if errors.As(err, &refused) {
		return nil
	}
	return onlyFault(err)
}

// backupChild makes backups from a store that it reads, one after the other, until it is killed. It
// stops at any error but that of a backup that another process makes.
func backupChild(dir string) error {
	s, err := filestore.Open(dir, filestore.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	fmt.Println("open")
	for {
		report, err := s.Backup(context.Background(), filepath.Join(filepath.Dir(dir), "backup"))
		if errors.As(err, new(*engine.LockedError)) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println("made", report.Head.Position)
	}
}

// Three processes make backups to one directory while another one writes, and are killed again and
// again (T4): the store is whole, the backup that is there is whole and not older than one that was
// told of, and the next one leaves nothing beside.
func TestKillDuringBackup(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts and kills many processes")
	}
	r := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	ctx := t.Context()
	root := t.TempDir()
	home, target := filepath.Join(root, "store"), filepath.Join(root, "backup")
	s, err := filestore.Open(home, filestore.Options{SegmentSize: 32 << 10})
	require.NoError(t, err)
	defer s.Close()
	o, g := crashtest.NewOracle(true), crashtest.NewGenerator(1)
	_, err = o.Append(ctx, s, g.Append(10))
	require.NoError(t, err)
	rounds, told := max(8, testenv.Scale(12, 200)), engine.Position(0)
	for range rounds {
		var children []*childProcess
		for range 3 {
			children = append(children, startChild(t, "backup", home, 0))
		}
		for _, c := range children {
			require.NoError(t, c.waitOpen())
		}
		until := time.Now().Add(time.Duration(r.IntN(60_000)) * time.Microsecond)
		for more := true; more; more = time.Now().Before(until) {
			_, err := o.Append(ctx, s, g.Append(r.IntN(5000)))
			require.NoError(t, err)
		}
		for _, c := range children {
			require.NoError(t, c.kill())
			for _, line := range c.take() {
				var made engine.Position
				_, err := fmt.Sscanf(line, "made %d", &made)
				require.NoError(t, err, line)
				told = max(told, made)
			}
		}
		_, err := vfs.OS().Stat(target)
		there := err == nil
		if runtime.GOOS == "linux" && told > 0 { // elsewhere it may be under another name
			require.NoError(t, err)
		}
		if there {
			requirePrefix(t, s, target, told)
		}
		if r.IntN(3) == 0 || !there {
			report, err := s.Backup(ctx, target)
			require.NoError(t, err)
			told = report.Head.Position
			requirePrefix(t, s, target, told)
			names, err := vfs.OS().List(root)
			require.NoError(t, err)
			require.Equal(t, []string{"backup", "store"}, names)
		}
	}
	require.NoError(t, o.Check(ctx, s))
	require.NoError(t, verified(ctx, s))
	report(t, "T4, backup",
		fmt.Sprintf("%d times three processes killed that make backups to one directory, the last to %d events; "+
			"violations: 0", rounds, told))
}

// requirePrefix checks that a backup begins as the store does, and holds so many events at least.
func requirePrefix(t *testing.T, s engine.Store, dir string, least engine.Position) {
	t.Helper()
	b, err := filestore.Open(dir, filestore.Options{ReadOnly: true, MustExist: true})
	require.NoError(t, err)
	defer b.Close()
	require.GreaterOrEqual(t, b.ReadIndex().Head(), least)
	require.NoError(t, samePrefix(t.Context(), s, b))
}
