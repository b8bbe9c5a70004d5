package eventfold_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/query"
)

func TestErrorsHavePlaces(t *testing.T) {
	db := openDB(t, ":memory:")
	tests := []struct {
		text         string
		code         eventfold.Code
		state        string
		line, column int
	}{
		{"SELECT * FROM \"order-1\" WHERE\n  type == 'x' AND AND version > 1", eventfold.ErrSyntax, "42601", 2, 19},
		{"SELECT", eventfold.ErrSyntax, "42601", 1, 7},
		{"SELECT 'ü', nothing FROM $all", eventfold.ErrUnknownColumn, "42703", 1, 13},
		{"SELECT 1\nFROM $nothing", eventfold.ErrUnknownTable, "42P01", 2, 6},
		{"SELECT nothing(1)", eventfold.ErrUnknownFunction, "42883", 1, 8},
		{"SELECT 1 FROM $all WHERE COUNT(*) > 1", eventfold.ErrStatement, "42000", 1, 26},
		{"DELETE FROM $all", eventfold.ErrSyntax, "42601", 1, 1},
		{"INSERT INTO a (type, position) VALUES ('A', 1)", eventfold.ErrStatement, "42000", 1, 22},
	}
	for _, tt := range tests {
		for how, err := range failEveryWay(db, tt.text) {
			var full *eventfold.Error
			if !assert.ErrorAs(t, err, &full, "%s of %s", how, tt.text) {
				continue
			}
			assert.ErrorIs(t, err, tt.code, "%s: %v", tt.text, err)
			assert.Equal(t, tt.state, full.SQLState(), tt.text)
			assert.Equal(t, [2]int{tt.line, tt.column}, [2]int{full.Line, full.Column}, tt.text)
			assert.Equal(t, 1, strings.Count(err.Error(), "eventfold: "), err.Error())
			assert.True(t, strings.HasPrefix(err.Error(), "eventfold: line "), err.Error())
			assert.NotContains(t, err.Error(), "\n")
			assert.False(t, full.Retryable())
			if assert.NotEmpty(t, full.SQL, tt.text) {
				lines := strings.Split(full.SQL, "\n")
				assert.Equal(t, strings.Split(tt.text, "\n")[tt.line-1], lines[0])
				assert.Equal(t, strings.Repeat(" ", tt.column-1)+"^", lines[1], tt.text)
			}
		}
	}
}

// failEveryWay runs a statement in each of the ways that database/sql has, and returns their
// errors.
func failEveryWay(db *sql.DB, text string) map[string]error {
	_, execErr := db.Exec(text)
	rows, queryErr := db.Query(text)
	if queryErr == nil {
		rows.Close()
	}
	_, prepareErr := db.Prepare(text)
	return map[string]error{"exec": execErr, "query": queryErr, "prepare": prepareErr}
}

func TestBadValues(t *testing.T) {
	db := openDB(t, ":memory:")
	long := strings.Repeat("x", 256)
	tests := []struct {
		name, text string
		args       []any
		code       eventfold.Code
	}{
		{"invalid UTF-8 in the text", "SELECT '\xff'", nil, eventfold.ErrSyntax},
		{"invalid UTF-8 in a type", `INSERT INTO a (type) VALUES (?)`, []any{"\xff"}, eventfold.ErrArgument},
		{"invalid UTF-8 in a stream", `INSERT INTO ? (type) VALUES ('A')`, []any{"\xff"}, eventfold.ErrArgument},
		{"no type", `INSERT INTO a (type) VALUES (?)`, []any{""}, eventfold.ErrArgument},
		{"NULL as type", `INSERT INTO a (type) VALUES (?)`, []any{nil}, eventfold.ErrArgument},
		{"a long type", `INSERT INTO a (type) VALUES (?)`, []any{long}, eventfold.ErrArgument},
		{"a long stream", `INSERT INTO ? (type) VALUES ('A')`, []any{long}, eventfold.ErrArgument},
		{"a reserved stream", `INSERT INTO ? (type) VALUES ('A')`, []any{"$all"}, eventfold.ErrArgument},
		{"no id", `INSERT INTO a (type, id) VALUES ('A', ?)`, []any{"no id"}, eventfold.ErrArgument},
		{"no metadata", `INSERT INTO a (type, metadata) VALUES ('A', ?)`, []any{"no JSON"}, eventfold.ErrArgument},
		{"no tags", `INSERT INTO a (type, tags) VALUES ('A', ?)`, []any{`{"a":1}`}, eventfold.ErrArgument},
		{"no version", `INSERT INTO a (type) VALUES ('A') EXPECTING VERSION ?`, []any{"three"}, eventfold.ErrArgument},
	}
	for _, tt := range tests {
		_, err := db.Exec(tt.text, tt.args...)
		assert.ErrorIs(t, err, tt.code, "%s: %v", tt.name, err)
	}
	_, err := db.Exec(`SELECT SUM(9223372036854775807) FROM (SELECT 1 UNION ALL SELECT 2) x`)
	assert.ErrorIs(t, err, eventfold.ErrValue)
	assert.Equal(t, 0, one[int](t, db, `SELECT COUNT(*) FROM $all`))
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
}

func TestQueryMemory(t *testing.T) {
	db := openDB(t, ":memory:?query_memory=64KiB&spill=0")
	seed(t, db, 5000)
	_, err := db.Exec(`SELECT payload FROM $all ORDER BY payload`)
	require.ErrorIs(t, err, eventfold.ErrMemory)
	assert.Equal(t, 5000, one[int](t, db, `SELECT COUNT(*) FROM $all`))
}

// TestForeignPaths holds that what is no store is refused and left as it is.
func TestForeignPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
	for name, dsn := range map[string]string{
		"a file":                            file,
		"a file, to be read only":           file + "?mode=ro",
		"a path below a file":               filepath.Join(file, "store"),
		"a directory with something else":   dir,
		"the same directory, to be read":    dir + "?mode=ro",
		"the same directory, to be changed": dir + "?mode=rw",
	} {
		db := openDB(t, dsn)
		assert.ErrorIs(t, db.Ping(), eventfold.ErrFormat, name)
		_, err := db.Exec(`INSERT INTO a (type) VALUES ('A')`)
		assert.ErrorIs(t, err, eventfold.ErrFormat, name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(text))
}

// TestNewerFormat holds that a store of a later version is told apart from a damaged one, and opens
// again unharmed.
func TestNewerFormat(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	require.NoError(t, db.Close())
	segment := largestFile(t, dir)
	was, err := os.ReadFile(segment)
	require.NoError(t, err)

	newer := append([]byte(nil), was...)
	for _, header := range [][]byte{newer[:128], newer[2048 : 2048+128]} { // the two copies that FORMAT.md draws
		binary.LittleEndian.PutUint16(header[8:], 99)
		binary.LittleEndian.PutUint32(header[124:], crc32.Checksum(header[:124], crc32.MakeTable(crc32.Castagnoli)))
	}
	require.NoError(t, os.WriteFile(segment, newer, 0o600))
	err = openDB(t, dir).Ping()
	assert.ErrorIs(t, err, eventfold.ErrFormat)
	assert.NotErrorIs(t, err, eventfold.ErrCorrupt)
	assert.ErrorContains(t, err, "99")

	damaged := append([]byte(nil), was...)
	damaged[4096+60] ^= 1 // in the first frame
	require.NoError(t, os.WriteFile(segment, damaged, 0o600))
	db = openDB(t, dir)
	err = db.Ping()
	if err == nil {
		_, err = db.Exec(`SELECT payload, type, stream, metadata FROM $all`)
	}
	assert.ErrorIs(t, err, eventfold.ErrCorrupt)
	var corrupt *eventfold.CorruptError
	require.ErrorAs(t, err, &corrupt)
	assert.Equal(t, segment, corrupt.File)
	require.NoError(t, db.Close())

	require.NoError(t, os.WriteFile(segment, was, 0o600))
	assert.Equal(t, 1, one[int](t, openDB(t, dir), `SELECT COUNT(*) FROM a`))
}

func largestFile(t *testing.T, dir string) string {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	name, size := "", int64(-1)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		if info.Size() > size {
			name, size = filepath.Join(dir, e.Name()), info.Size()
		}
	}
	return name
}

// A troubledFS is a disk that can be made full or read-only, or to fail its syncs.
type troubledFS struct {
	vfs.FS
	full, readOnly, failSync atomic.Bool
}

func (f *troubledFS) Open(name string, flag int) (vfs.File, error) {
	if flag != os.O_RDONLY && f.readOnly.Load() {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EROFS}
	}
	file, err := f.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &troubledFile{file, f}, nil
}

func (f *troubledFS) Lock(name, holder string) (io.Closer, error) {
	if f.readOnly.Load() {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EROFS}
	}
	return f.FS.Lock(name, holder)
}

type troubledFile struct {
	vfs.File
	fs *troubledFS
}

// grow refuses more room on a full disk; what a file has already can be written to.
func (f *troubledFile) grow(size int64) error {
	now, err := f.Size()
	if err == nil && size > now && f.fs.full.Load() {
		err = syscall.ENOSPC
	}
	return err
}

func (f *troubledFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.grow(off + int64(len(p))); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *troubledFile) Preallocate(size int64) error {
	if err := f.grow(size); err != nil {
		return err
	}
	return f.File.Preallocate(size)
}

func (f *troubledFile) Fdatasync() error {
	if f.fs.failSync.Load() {
		return syscall.EIO
	}
	return f.File.Fdatasync()
}

// openTroubled opens a database over a disk that can be made to fail.
func openTroubled(t *testing.T) (*sql.DB, *troubledFS) {
	t.Helper()
	disk := &troubledFS{FS: vfs.OS()}
	s, err := filestore.Open(t.TempDir(), filestore.Options{FS: disk})
	require.NoError(t, err)
	db := eventfold.OpenDB(eventfold.Config{Store: s})
	t.Cleanup(func() {
		assert.NoError(t, db.Close())
		s.Close() // a poisoned store says so again
	})
	return db, disk
}

func TestFullDisk(t *testing.T) {
	db, disk := openTroubled(t)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	disk.full.Store(true)
	large := make([]byte, 1<<19)
	var err error
	written := 1
	for ; err == nil && written < 64; written++ { // until what was laid ahead is used up
		_, err = db.Exec(`INSERT INTO a (type, payload) VALUES ('B', ?)`, large)
	}
	written--
	require.ErrorIs(t, err, eventfold.ErrFull)
	assert.Equal(t, written, one[int](t, db, `SELECT COUNT(*) FROM a`),
		"reading goes on, and the failed append wrote nothing")
	disk.full.Store(false)
	mustExec(t, db, `INSERT INTO a (type, payload) VALUES ('C', ?)`, large)
	assert.Equal(t, written+1, one[int](t, db, `SELECT COUNT(*) FROM a`))
}

func TestReadOnlyDisk(t *testing.T) {
	db, disk := openTroubled(t)
	disk.readOnly.Store(true)
	assert.Equal(t, 0, one[int](t, db, `SELECT COUNT(*) FROM $all`))
	_, err := db.Exec(`INSERT INTO a (type) VALUES ('A')`)
	assert.ErrorIs(t, err, eventfold.ErrReadOnly)
	disk.readOnly.Store(false)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
}

func TestFailedSyncPoisons(t *testing.T) {
	db, disk := openTroubled(t)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	disk.failSync.Store(true)
	_, err := db.Exec(`INSERT INTO a (type) VALUES ('B')`)
	require.ErrorIs(t, err, eventfold.ErrOutcomeUnknown)
	disk.failSync.Store(false)
	_, err = db.Exec(`INSERT INTO a (type) VALUES ('C')`)
	assert.ErrorIs(t, err, eventfold.ErrPoisoned)
	assert.ErrorIs(t, db.Ping(), eventfold.ErrPoisoned)
	assert.Equal(t, []string{"A"}, column[string](t, db, `SELECT type FROM a`), "reading goes on")
}

// TestCodes holds that engine errors become codes once, stay reachable, and say eventfold: once.
func TestCodes(t *testing.T) {
	tests := []struct {
		err       error
		code      eventfold.Code
		state     string
		retryable bool
	}{
		{engine.ErrClosed, eventfold.ErrClosed, "08003", false},
		{engine.ErrReadOnly, eventfold.ErrReadOnly, "25006", false},
		{engine.ErrFull, eventfold.ErrFull, "53100", false},
		{engine.ErrPoisoned, eventfold.ErrPoisoned, "58030", false},
		{engine.ErrOutcomeUnknown, eventfold.ErrOutcomeUnknown, "40003", true},
		{errors.Join(engine.ErrOutcomeUnknown, context.Canceled), eventfold.ErrOutcomeUnknown, "40003", true},
		{&engine.ConflictError{Checks: []engine.FailedCheck{{Stream: "a"}}}, eventfold.ErrVersionConflict, "40001",
			true},
		{&engine.ConflictError{Checks: []engine.FailedCheck{{Condition: &engine.Condition{}}}},
			eventfold.ErrConditionFailed, "40001", true},
		{&engine.DuplicateEventError{}, eventfold.ErrDuplicateEvent, "23505", false},
		{&engine.StreamNotFoundError{Stream: "a"}, eventfold.ErrStreamNotFound, "02000", false},
		{&engine.InvalidError{}, eventfold.ErrArgument, "22023", false},
		{&engine.TooLargeError{}, eventfold.ErrTooLarge, "54000", false},
		{&engine.CorruptError{}, eventfold.ErrCorrupt, "XX001", false},
		{&engine.FormatError{}, eventfold.ErrFormat, "58000", false},
		{&engine.NetworkError{}, eventfold.ErrConfig, "F0000", false},
		{&engine.HeadError{}, eventfold.ErrCorrupt, "XX001", false},
		{&engine.LockedError{}, eventfold.ErrLocked, "55P03", true},
		{&engine.MovedError{Path: "x"}, eventfold.ErrMoved, "57P04", false},
		{&engine.NoStoreError{Path: "x"}, eventfold.ErrNotExist, "58P01", false},
		{&os.PathError{Op: "read", Path: "x", Err: syscall.EIO}, eventfold.ErrIO, "58030", false},
		{&query.Error{Kind: query.KeyringFailed, Pos: -1, Err: io.ErrClosedPipe}, eventfold.ErrKeyring, "38000", false},
		{errors.New("something else"), eventfold.ErrInternal, "XX000", false},
	}
	s := &failingStore{Store: openEngine(t)}
	db := eventfold.OpenDB(eventfold.Config{Store: s, BusyTimeout: -1})
	defer db.Close()
	for _, tt := range tests {
		s.err = tt.err
		_, err := db.Exec(`INSERT INTO a (type) VALUES ('A')`)
		var full *eventfold.Error
		require.ErrorAs(t, err, &full)
		assert.Equal(t, tt.code, full.Code, "%v", tt.err)
		assert.ErrorIs(t, err, tt.code)
		assert.ErrorIs(t, err, tt.err)
		var state interface{ SQLState() string }
		require.ErrorAs(t, err, &state)
		assert.Equal(t, tt.state, state.SQLState(), "%v", tt.err)
		assert.Equal(t, tt.retryable, full.Retryable(), "%v", tt.err)
		assert.Equal(t, "exec", full.Op)
		assert.Equal(t, 1, strings.Count(err.Error(), "eventfold: "), err.Error())
	}
	assert.ErrorIs(t, eventfold.ErrLocked, eventfold.ErrLocked)
	assert.NotErrorIs(t, eventfold.ErrLocked, eventfold.ErrClosed)
	assert.Equal(t, "XX000", eventfold.Code(250).SQLState())
}
