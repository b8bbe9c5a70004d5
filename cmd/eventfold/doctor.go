package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "look whether a store has what it needs",
		ArgsUsage: "[STORE]",
		Description: "Looks at the file system, the time that a sync takes, free space, the clock, open files,\n" +
			"permissions, locks, and at what killed processes have left, and says what to do. The exit code is 1\n" +
			"if something is wrong, 4 if it is damage. STORE may be a directory in which there is no store yet.\n" +
			"verify reads all events, which this does not.",
		Flags:  []cli.Flag{storeFlag()},
		Action: doctor,
	}
}

// How good a finding is.
const (
	fine     = "ok"
	doubtful = "warning"
	wrong    = "wrong"
)

// A finding is what the doctor says of one thing.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

// An examination is one run of doctor.
type examination struct {
	dir    string // which is there
	store  bool   // there is a store in it
	config eventfold.Config
	db     *sql.DB // nil if it cannot be opened
	damage error
	list   []finding
}

// checks are what is looked at, in this order.
var checks = []func(x *examination, ctx context.Context){
	(*examination).fileSystem, (*examination).permissions, (*examination).space, (*examination).syncs,
	(*examination).files, (*examination).opening, (*examination).lock, (*examination).clock, (*examination).erasures,
	(*examination).leftovers,
}

func doctor(ctx context.Context, c *cli.Command) error {
	dsn, _, err := storeArguments(c)
	if err == nil {
		err = refuseCluster(dsn, "check looks at its servers; doctor looks at the directory of a node")
	}
	if err != nil {
		return err
	}
	config, err := storeConfig(dsn, eventfold.ReadOnly)
	if err != nil {
		return err
	}
	x := &examination{config: config, dir: config.Path}
	if info, err := os.Stat(x.dir); err != nil {
		return err
	} else if !info.IsDir() {
		return usage("%s is no directory", x.dir)
	}
	defer func() {
		if x.db != nil {
			x.db.Close()
		}
	}()
	for _, check := range checks {
		if err := ctx.Err(); err != nil {
			return err
		}
		check(x, ctx)
	}
	return x.tell(c)
}

func (x *examination) tell(c *cli.Command) error {
	bad := 0
	for _, f := range x.list {
		if f.State == wrong {
			bad++
		}
		text := fmt.Sprintf("%-8s %s: %s", f.State, f.Check, f.Text)
		if f.Advice != "" {
			text += "\n         " + f.Advice
		}
		if err := tell(c.Root().Writer, c.Bool("json"), f, "%s", text); err != nil {
			return err
		}
	}
	switch {
	case x.damage != nil:
		return x.damage
	case bad == 1:
		return errors.New("one thing is wrong")
	case bad > 1:
		return fmt.Errorf("%d things are wrong", bad)
	}
	return nil
}

func (x *examination) found(check, state, advice, format string, args ...any) {
	if state == fine {
		advice = ""
	}
	x.list = append(x.list, finding{check, state, fmt.Sprintf(format, args...), advice})
}

// fail notes that something could not be looked at.
func (x *examination) fail(check string, err error) {
	x.found(check, doubtful, "look at it as a user who may, or at the error", "cannot be looked at: %s", err)
}

func (x *examination) fileSystem(_ context.Context) {
	space, err := vfs.OS().Space(x.dir)
	if err != nil {
		x.fail("file system", err)
		return
	}
	kind := space.Kind
	if kind == "" {
		kind = "of a kind that the system does not name"
	}
	switch {
	case space.Network:
		x.found("file system", wrong, "move the store to a disk of this machine: locks and syncs of network file systems "+
			"cannot be trusted; network=allow opens it all the same", "%s, on another machine", kind)
	case space.ReadOnly:
		x.found("file system", doubtful, "mount it for writing if the store is to be written to", "%s, read only", kind)
	default:
		x.found("file system", fine, "", "%s, of this machine", kind)
	}
}

func (x *examination) permissions(_ context.Context) {
	info, err := os.Stat(x.dir)
	if err != nil {
		x.fail("permissions", err)
		return
	}
	mode := info.Mode().Perm()
	switch {
	case mode&0o002 != 0:
		x.found("permissions", wrong, "chmod o-w "+x.dir, "%s: everybody may write to the store", mode)
	case mode&0o004 != 0:
		x.found("permissions", doubtful, "chmod o-rwx "+x.dir+" unless that is meant",
			"%s: everybody may read the store", mode)
	default:
		x.found("permissions", fine, "", "%s", mode)
	}
}

// leastFree is how much room there should be: the next segment takes up to 128 MiB, and compressing
// one or erasing in it as much again.
const leastFree = 512 << 20

func (x *examination) space(_ context.Context) {
	space, err := vfs.OS().Space(x.dir)
	if err != nil || space.Free < 0 {
		return // which the file system has told
	}
	used := x.size()
	state := fine
	if space.Free < leastFree {
		state = wrong
	} else if space.Free < used/10 {
		state = doubtful
	}
	x.found("free space", state,
		"make room: appends fail when there is none, and erasing needs as much again as a segment",
		"%s free, the store takes %s", byteSize(space.Free), byteSize(used))
}

// size returns how many bytes the store's files have.
func (x *examination) size() (n int64) {
	entries, _ := os.ReadDir(x.dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
	}
	return n
}

// How syncs are measured.
const (
	syncTries = 15
	slowSync  = 30 * time.Millisecond
	// No disk that keeps what it has said is this quick.
	impossibleSync = 5 * time.Microsecond
)

func (x *examination) syncs(_ context.Context) {
	times, err := measureSyncs(x.dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		x.found("sync", doubtful, "run the doctor as the user who writes to the store", "cannot be measured: %s", err)
		return
	case err != nil:
		x.fail("sync", err)
		return
	}
	slices.Sort(times)
	median, worst := times[len(times)/2], times[len(times)-1]
	text := fmt.Sprintf("%s, %s at worst: about %d appends a second for one client", briefly(median), briefly(worst),
		int64(time.Second/max(median, time.Microsecond)))
	switch {
	case median > slowSync:
		x.found("sync", doubtful, "each append waits for one: use a disk with its own cache, or sync=interval", "%s", text)
	case median < impossibleSync:
		x.found("sync", doubtful, "the disk, or the machine around this one, may lie: a power cut may lose what was "+
			"acknowledged", "%s, quicker than a disk is", text)
	default:
		x.found("sync", fine, "", "%s", text)
	}
}

// measureSyncs measures writes with a sync in a file that it makes and removes.
func measureSyncs(dir string) (times []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".eventfold-doctor-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	for range syncTries {
		if _, err := f.WriteAt(page, 0); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
		page[0]++
	}
	return times, nil
}

// briefly is a duration in the unit that suits it.
func briefly(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// leastFiles is how many files a process should be allowed to have open.
const leastFiles = 256

func (x *examination) files(_ context.Context) {
	limit, ok := openFileLimit()
	if !ok {
		return
	}
	state := fine
	if limit < leastFiles {
		state = doubtful
	}
	x.found("open files", state, "raise it (ulimit -n, LimitNOFILE): a store uses half of them for reading",
		"a process may have %d", limit)
}

func (x *examination) opening(ctx context.Context) {
	db := eventfold.OpenDB(x.config)
	var n int64
	err := db.QueryRowContext(ctx, "SELECT value FROM $stats WHERE name = 'events'").Scan(&n)
	if err == nil {
		x.store, x.db = true, db
		x.found("store", fine, "", "%s; verify reads them all", events(n))
		return
	}
	_ = db.Close()
	switch {
	case errors.Is(err, eventfold.ErrNotExist):
		x.found("store", doubtful, "the first append makes one", "there is none in %s", x.dir)
	case errors.Is(err, eventfold.ErrCorrupt):
		x.damage = err
		x.found("store", wrong, "keep a copy of the directory as it is; restore a backup, or save what is left with salvage",
			"%s", plain(err))
	default:
		x.found("store", wrong, "see the error", "cannot be opened: %s", plain(err))
	}
}

// plain is the text of an error without what all begin with.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "eventfold: ") }

func (x *examination) lock(_ context.Context) {
	f, err := vfs.OS().Open(filepath.Join(x.dir, "LOCK"), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		x.fail("lock", err)
		return
	}
	defer f.Close()
	err = f.TryLock() // given back by Close
	var locked *engine.LockedError
	switch {
	case err == nil:
		x.found("lock", fine, "", "free: nobody writes to the store")
	case errors.As(err, &locked):
		x.found("lock", fine, "", "held%s", x.holder())
	default:
		x.fail("lock", err)
	}
}

// holder says who has the lock, as LOCK tells it.
func (x *examination) holder() string {
	b, err := os.ReadFile(filepath.Join(x.dir, "LOCK"))
	if err != nil || len(b) == 0 || len(b) > 1024 {
		return ""
	}
	return " by " + strings.Join(strings.Fields(string(b)), " ")
}

func (x *examination) clock(ctx context.Context) {
	if x.db == nil {
		return
	}
	var last sql.NullTime
	err := x.db.QueryRowContext(ctx, "SELECT recorded_at FROM $all ORDER BY position DESC LIMIT 1").Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		x.fail("clock", err)
		return
	}
	if ahead := time.Until(last.Time); last.Valid && ahead > time.Second {
		x.found("clock", wrong, "set the clock, or wait: until then every event gets the time of that one",
			"%s behind the last event", shortDuration(ahead))
		return
	}
	x.found("clock", fine, "", "not behind the last event")
}

// slowErasure is how long an erasure may take until somebody should look.
const slowErasure = time.Hour

func (x *examination) erasures(ctx context.Context) {
	if x.db == nil {
		return
	}
	var open int64
	var oldest sql.NullTime
	err := x.db.QueryRowContext(ctx,
		"SELECT COUNT(*), MIN(recorded_at) FROM $erasures WHERE done_at IS NULL").Scan(&open, &oldest)
	if err != nil {
		x.fail("erasures", err)
		return
	}
	state := fine
	if oldest.Valid && time.Since(oldest.Time) > slowErasure {
		state = doubtful
	}
	x.found("erasures", state, "open the store for writing, and look into the column pending of $erasures",
		"%d under way", open)
}

// leftovers are files that a killed process has left, and what has them go.
var leftovers = []struct{ pattern, advice string }{
	{"torn-*.bin", "bytes that recovery has cut off: nobody was told that they were stored; " +
		"remove them when you have looked"},
	{"*.tmp", "the next process that writes removes them"},
	{".eventfold-doctor-*", "a doctor that was killed: remove them"},
	{"../.eventfold-*", "backups that were killed: the next one to the same directory removes its own"},
}

func (x *examination) leftovers(_ context.Context) {
	n := 0
	for _, l := range leftovers {
		names, err := filepath.Glob(filepath.Join(globEscape(x.dir), l.pattern))
		if err != nil {
			x.fail("leftovers", err)
			return
		}
		names = slices.DeleteFunc(names, func(name string) bool { return filepath.Base(name) == "next.tmp" })
		if len(names) == 0 {
			continue
		}
		n += len(names)
		for i := range names {
			names[i] = filepath.Base(names[i])
		}
		x.found("leftovers", doubtful, l.advice, "%s", strings.Join(names, ", "))
	}
	if n == 0 {
		x.found("leftovers", fine, "", "none")
	}
}

// globEscape makes a name a pattern of itself.
func globEscape(name string) string {
	return strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(name)
}
