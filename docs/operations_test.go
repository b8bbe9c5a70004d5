package docs

import (
	"database/sql"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// TestSamplesOfOperations runs the SQL of operations.md from top to bottom on one store.
func TestSamplesOfOperations(t *testing.T) {
	db := open(t)
	_, err := db.ExecContext(t.Context(), `INSERT INTO "order-7" (type, payload) VALUES
		('Placed', '{"total": 12}'), ('Paid', NULL)`)
	require.NoError(t, err)
	runPage(t, db, "operations.md", "sql")
}

// troubles are what operations.md tells how to get out of, each by the word behind ```text on the
// page. What a trouble gives is compared with the page.
var troubles = map[string]func(t *testing.T, p *protocol){
	"locked":   lockedTrouble,
	"full":     fullTrouble,
	"poisoned": poisonedTrouble,
	"corrupt":  corruptTrouble,
	"moved":    movedTrouble,
	"network":  networkTrouble,
	"later":    laterTrouble,
	"foreign":  foreignTrouble,
	"expect":   expectTrouble,
	"missing":  missingTrouble,
	"config":   configTrouble,
	"readonly": readOnlyTrouble,
	"memory":   memoryTrouble,
	"backup":   backupTrouble,
	"toolarge": tooLargeTrouble,
}

var update = flag.Bool("update", false, "write the errors of operations.md anew")

var protocolBlock = regexp.MustCompile("(?ms)^```text ([a-z]+)\n(.*?)^```$")

// TestErrorsOfOperationsAreThoseOnThePage: an operator who searches the page for what the program has
// said finds it. With -update it writes the page.
func TestErrorsOfOperationsAreThoseOnThePage(t *testing.T) {
	page := read(t, "operations.md")
	onPage := map[string]string{}
	for _, m := range protocolBlock.FindAllStringSubmatch(page, -1) {
		onPage[m[1]] = m[2]
		assert.Contains(t, troubles, m[1], "a protocol that nobody makes")
	}
	for name, happen := range troubles {
		t.Run(name, func(t *testing.T) {
			p := &protocol{dir: filepath.Join(t.TempDir(), "events")}
			happen(t, p)
			if *update {
				begin, end := "```text "+name+"\n", "```\n"
				page = strings.Replace(page, begin+onPage[name]+end, begin+p.String()+end, 1)
				return
			}
			assert.Equal(t, onPage[name], p.String())
		})
	}
	if *update {
		require.NoError(t, os.WriteFile("operations.md", []byte(page), 0o644))
	}
}

// A protocol is what an operator sees: statements, and the errors or rows that they give.
type protocol struct {
	dir  string // which stands on the page as /var/lib/shop/events
	text strings.Builder
}

// changing is what is another thing at each run, and what stands for it on the page.
var changing = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`process \d+ on \S+ since \S+`), "process 4711 on host-1 since 2026-03-04T05:06:07Z"},
	{regexp.MustCompile(`found [0-9a-f]{16}`), "found 0123456789abcdef"},
}

// String is what stands on the page.
func (p *protocol) String() string {
	text := strings.ReplaceAll(p.text.String(), p.dir, "/var/lib/shop/events")
	text = strings.ReplaceAll(text, filepath.Dir(p.dir), "")
	for _, c := range changing {
		text = c.from.ReplaceAllString(text, c.to)
	}
	return text
}

// run runs a statement and notes it with its rows and its error.
func (p *protocol) run(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	fmt.Fprintln(&p.text, statement)
	rows, err := db.QueryContext(t.Context(), statement)
	if err == nil {
		err = p.rows(t, rows)
	}
	if err != nil {
		fmt.Fprintln(&p.text, err)
	}
}

func (p *protocol) rows(t *testing.T, rows *sql.Rows) error {
	t.Helper()
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		text, err := rowText(rows, len(names))
		require.NoError(t, err)
		fmt.Fprintln(&p.text, text)
	}
	return rows.Err()
}

// openAt opens a database that is closed with the test.
func openAt(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("eventfold", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// fill makes a store of some events, and closes it.
func fill(t *testing.T, dir string) {
	t.Helper()
	db := openAt(t, dir)
	for range 20 {
		_, err := db.Exec(insert)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
}

// openOn opens a store on a disk of the test, and a database over it.
func openOn(t *testing.T, dir string, fs vfs.FS) *sql.DB {
	t.Helper()
	store, err := filestore.Open(dir, filestore.Options{FS: fs, SegmentSize: filestore.MinSegmentSize})
	require.NoError(t, err)
	db := eventfold.OpenDB(eventfold.Config{Store: store})
	t.Cleanup(func() {
		assert.NoError(t, db.Close())
		store.Close() // a poisoned one says so again
	})
	return db
}

const insert = `INSERT INTO "order-7" (type) VALUES ('Placed')`

func lockedTrouble(t *testing.T, p *protocol) {
	fill(t, p.dir)
	other, err := filestore.Open(p.dir, filestore.Options{})
	require.NoError(t, err)
	defer other.Close()
	holder := eventfold.OpenDB(eventfold.Config{Store: other})
	defer holder.Close()
	_, err = holder.Exec(insert)
	require.NoError(t, err)
	p.run(t, openAt(t, p.dir+"?busy_timeout=0"), insert)
}

func fullTrouble(t *testing.T, p *protocol) {
	disk := &failingDisk{FS: vfs.OS()}
	db := openOn(t, p.dir, disk)
	_, err := db.Exec(insert)
	require.NoError(t, err)
	disk.full.Store(true)
	for _, size := range []int{4096, 0} { // until nothing fits, however small
		for err = nil; err == nil; {
			_, err = db.Exec(`INSERT INTO "order-7" (type, payload) VALUES ('Noted', ?)`, strings.Repeat("x", size))
		}
		require.ErrorIs(t, err, eventfold.ErrFull)
	}
	p.run(t, db, insert)
	p.run(t, db, `SELECT name, value FROM $stats WHERE name IN ('low_space', 'poisoned') ORDER BY name`)
	disk.full.Store(false)
	p.run(t, db, insert+` RETURNING duplicate`)
}

// A failingDisk is the system's, whose syncs can be made to fail, and which can be made full.
type failingDisk struct {
	vfs.FS
	fails, full atomic.Bool
}

func (d *failingDisk) Open(name string, flag int) (vfs.File, error) {
	file, err := d.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &failingFile{file, d}, nil
}

type failingFile struct {
	vfs.File
	disk *failingDisk
}

func (f *failingFile) Fdatasync() error {
	if f.disk.fails.Load() {
		return syscall.EIO
	}
	return f.File.Fdatasync()
}

func (f *failingFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.room(at + int64(len(p))); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, at)
}

func (f *failingFile) Preallocate(size int64) error {
	if err := f.room(size); err != nil {
		return err
	}
	return f.File.Preallocate(size)
}

// room refuses to let a file grow on a full disk.
func (f *failingFile) room(size int64) error {
	has, err := f.Size()
	if err == nil && size > has && f.disk.full.Load() {
		err = syscall.ENOSPC
	}
	return err
}

func poisonedTrouble(t *testing.T, p *protocol) {
	disk := &failingDisk{FS: vfs.OS()}
	db := openOn(t, p.dir, disk)
	_, err := db.Exec(insert)
	require.NoError(t, err)
	disk.fails.Store(true)
	p.run(t, db, insert)
	disk.fails.Store(false)
	p.run(t, db, insert)
	p.run(t, db, `SELECT COUNT(*) FROM $all`)
}

// damage changes a byte of the first segment of a closed store.
func damage(t *testing.T, dir string, offset int64) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(dir, "000000000001.log"), os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	b := make([]byte, 1)
	_, err = file.ReadAt(b, offset)
	require.NoError(t, err)
	b[0] ^= 1
	_, err = file.WriteAt(b, offset)
	require.NoError(t, err)
}

func corruptTrouble(t *testing.T, p *protocol) {
	db := openAt(t, p.dir+"?segment_size=64KiB")
	for range 60 {
		_, err := db.Exec(`INSERT INTO "order-7" (type, payload) VALUES ('Placed', ?)`, strings.Repeat("x", 4096))
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
	damage(t, p.dir, 4096+9000)
	db = openAt(t, p.dir)
	p.run(t, db, `SELECT COUNT(payload) FROM $all`)
	p.run(t, db, `SELECT COUNT(payload) FROM $all WHERE position >= 40`)
	p.run(t, db, `VERIFY`)
}

func movedTrouble(t *testing.T, p *protocol) {
	fill(t, p.dir)
	db := openAt(t, p.dir)
	_, err := db.Exec(insert)
	require.NoError(t, err)
	require.NoError(t, os.Rename(p.dir, p.dir+".away"))
	p.run(t, db, insert)
}

// A networkDisk says that it is another machine's.
type networkDisk struct{ vfs.FS }

func (d networkDisk) Space(dir string) (vfs.Space, error) {
	space, err := d.FS.Space(dir)
	space.Network, space.Kind = true, "nfs"
	return space, err
}

func networkTrouble(t *testing.T, p *protocol) {
	_, err := filestore.Open(p.dir, filestore.Options{FS: networkDisk{vfs.OS()}})
	require.Error(t, err)
	fmt.Fprintln(&p.text, err)
}

func laterTrouble(t *testing.T, p *protocol) {
	fill(t, p.dir)
	file, err := os.OpenFile(filepath.Join(p.dir, "000000000001.log"), os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	header := make([]byte, 128)
	_, err = file.ReadAt(header, 0)
	require.NoError(t, err)
	header[8] = 2 // the major version
	binary.LittleEndian.PutUint32(header[124:], crc32.Checksum(header[:124], crc32.MakeTable(crc32.Castagnoli)))
	for _, at := range []int64{0, 2048} { // there are two copies
		_, err = file.WriteAt(header, at)
		require.NoError(t, err)
	}
	p.run(t, openAt(t, p.dir), insert)
}

func foreignTrouble(t *testing.T, p *protocol) {
	require.NoError(t, os.WriteFile(p.dir, []byte("a file"), 0o600))
	p.run(t, openAt(t, p.dir), insert)
}

func expectTrouble(t *testing.T, p *protocol) {
	fill(t, p.dir)
	p.run(t, openAt(t, p.dir+"?expect=5:"+strings.Repeat("ab", 32)), `SELECT COUNT(*) FROM $all`)
}

func missingTrouble(t *testing.T, p *protocol) {
	p.run(t, openAt(t, p.dir+"?mode=ro"), `SELECT COUNT(*) FROM $all`)
}

func configTrouble(t *testing.T, p *protocol) {
	first := openAt(t, p.dir)
	require.NoError(t, first.Ping())
	p.run(t, openAt(t, p.dir+"?sync=interval"), `SELECT COUNT(*) FROM $all`)
}

func readOnlyTrouble(t *testing.T, p *protocol) {
	fill(t, p.dir)
	p.run(t, openAt(t, p.dir+"?mode=ro"), insert)
}

func memoryTrouble(t *testing.T, p *protocol) {
	p.run(t, openAt(t, ":memory:?query_memory=1MiB&spill=0"),
		`SELECT value FROM generate_series(1, 1000000) ORDER BY value DESC`)
}

func backupTrouble(t *testing.T, p *protocol) {
	fill(t, p.dir)
	backups := filepath.Join(filepath.Dir(p.dir), "backup")
	require.NoError(t, os.MkdirAll(filepath.Join(backups, "photos"), 0o700))
	db := openAt(t, p.dir)
	p.run(t, db, `BACKUP TO '`+backups+`'`)
	p.run(t, db, `BACKUP TO '`+backups+`/disk/events'`)
	p.run(t, openAt(t, p.dir+"?mode=ro"), `BACKUP TO '`+backups+`/events'`)
}

func tooLargeTrouble(t *testing.T, p *protocol) {
	db := openAt(t, ":memory:?max_event_size=64KiB")
	p.run(t, db, `INSERT INTO "order-7" (type, payload) VALUES ('Noted', printf('%70000d', 7))`)
}

// TestADeployWaitsForTheOneBefore: a new process reads at once, and its first append is done when the
// old one has closed the store.
func TestADeployWaitsForTheOneBefore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "events")
	fill(t, dir)
	old, err := filestore.Open(dir, filestore.Options{}) // an engine of its own, as another process has
	require.NoError(t, err)
	before := eventfold.OpenDB(eventfold.Config{Store: old})
	_, err = before.Exec(insert)
	require.NoError(t, err)

	after := openAt(t, dir+"?busy_timeout=1m")
	var events int
	require.NoError(t, after.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&events))
	assert.Equal(t, 21, events)
	appended := make(chan error, 1) // ends with the append
	go func() {
		_, err := after.Exec(insert)
		appended <- err
	}()
	require.NoError(t, before.Close())
	require.NoError(t, old.Close())
	require.NoError(t, <-appended)
	require.NoError(t, after.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&events))
	assert.Equal(t, 22, events)
}
