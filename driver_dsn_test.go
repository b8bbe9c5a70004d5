package eventfold_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

func TestParseDSN(t *testing.T) {
	tests := []struct {
		dsn  string
		want eventfold.Config
	}{
		{"events", eventfold.Config{Path: "events"}},
		{"/var/lib/100%/a#b c", eventfold.Config{Path: "/var/lib/100%/a#b c"}},
		{"events?", eventfold.Config{Path: "events"}},
		{"events?mode=rwc", eventfold.Config{Path: "events"}},
		{"events?mode=rw", eventfold.Config{Path: "events", Mode: eventfold.ReadWrite}},
		{"data/x.ef?mode=ro", eventfold.Config{Path: "data/x.ef", Mode: eventfold.ReadOnly}},
		{":memory:", eventfold.Config{Mode: eventfold.Memory}},
		{":memory:?mode=memory", eventfold.Config{Mode: eventfold.Memory}},
		{":memory:?json=text", eventfold.Config{Mode: eventfold.Memory, JSONText: true}},
		{"file::memory:", eventfold.Config{Mode: eventfold.Memory}},
		{"./:memory:", eventfold.Config{Path: "./:memory:"}},
		{"file:fixtures?mode=memory", eventfold.Config{Path: "fixtures", Mode: eventfold.Memory}},
		{"file:/a%20b/c%3Fd%25", eventfold.Config{Path: "/a b/c?d%"}},
		{"file:///a", eventfold.Config{Path: "/a"}},
		{"file://localhost/a", eventfold.Config{Path: "/a"}},
		{"file:a/b?mode=r%6f", eventfold.Config{Path: "a/b", Mode: eventfold.ReadOnly}},
		{"e?busy_timeout=500ms", eventfold.Config{Path: "e", BusyTimeout: 500 * time.Millisecond}},
		{"e?busy_timeout=0", eventfold.Config{Path: "e", BusyTimeout: -1}},
		{"e?sync=interval", eventfold.Config{Path: "e", Sync: filestore.SyncInterval}},
		{"e?query_memory=64MiB", eventfold.Config{Path: "e", QueryMemory: 64 << 20}},
		{"e?memory=2GiB", eventfold.Config{Path: "e", Memory: 2 << 30}},
		{"e?view_memory=8MiB", eventfold.Config{Path: "e", ViewMemory: 8 << 20}},
		{"e?spill=1GiB&spill_dir=/var/tmp", eventfold.Config{Path: "e", Spill: 1 << 30, SpillDir: "/var/tmp"}},
		{"e?spill=0", eventfold.Config{Path: "e", Spill: -1}},
		{"file:e?spill_dir=/a%26b%25", eventfold.Config{Path: "e", SpillDir: "/a&b%"}},
		{"e?query_memory=1000", eventfold.Config{Path: "e", QueryMemory: 1000}},
		{"e?max_event_size=64KiB", eventfold.Config{Path: "e", MaxEventSize: 64 << 10}},
		{"e?max_event_size=16MiB", eventfold.Config{Path: "e", MaxEventSize: 16 << 20}},
		{"e?compress=zstd&prealloc=none", eventfold.Config{
			Path:     "e",
			Compress: filestore.CompressZstd,
			Prealloc: filestore.PreallocNone,
		}},
		{"e?compress_cache=64MiB", eventfold.Config{Path: "e", CompressCache: 64 << 20}},
		{"e?network=allow", eventfold.Config{Path: "e", Network: true}},
		{"e?network=refuse", eventfold.Config{Path: "e"}},
		{"e?begin=allow", eventfold.Config{Path: "e", Begin: true}},
		{"e?begin=refuse", eventfold.Config{Path: "e"}},
		{"e?isolation=serializable", eventfold.Config{Path: "e", Serializable: true}},
		{"e?isolation=snapshot", eventfold.Config{Path: "e"}},
		{"e?mode=ro&backup=allow", eventfold.Config{Path: "e", Mode: eventfold.ReadOnly, Backup: true}},
		{"e?backup=writers", eventfold.Config{Path: "e"}},
		{"e?actor=Ada L%20=+?", eventfold.Config{Path: "e", Actor: "Ada L%20=+?"}},
		{"file:e?actor=R%26D%25", eventfold.Config{Path: "e", Actor: "R&D%"}},
		{"eventfold::memory:?actor=a%26b", eventfold.Config{Mode: eventfold.Memory, Actor: "a&b"}},
		{"e?expect=17:" + strings.Repeat("ab", 32), eventfold.Config{
			Path:   "e",
			Expect: engine.Head{Position: 17, Chain: [32]byte(bytes.Repeat([]byte{0xab}, 32))},
		}},
		{"eventfold:///tmp/x?mode=ro", eventfold.Config{Path: "/tmp/x", Mode: eventfold.ReadOnly}},
		{"eventfold:a%20b", eventfold.Config{Path: "a b"}},
		{"EventFold:/x", eventfold.Config{Path: "/x"}},
		{"FILE:///x", eventfold.Config{Path: "/x"}},
		{"eventfold://localhost/x", eventfold.Config{Path: "/x"}},
		{"eventfold::memory:", eventfold.Config{Mode: eventfold.Memory}},
		{`C:\events`, eventfold.Config{Path: `C:\events`}},
		{"C:/events", eventfold.Config{Path: "C:/events"}},
		{"c://events", eventfold.Config{Path: "c://events"}},
		{"./eventfold://x", eventfold.Config{Path: "./eventfold://x"}},
		{"file:eventfold://x", eventfold.Config{Path: "eventfold://x"}},
		{"a:b", eventfold.Config{Path: "a:b"}},
		{"shop:events", eventfold.Config{Path: "shop:events"}},
		{"e?json=require", eventfold.Config{Path: "e", JSONRequire: true}},
		{"e?json=bytes,require", eventfold.Config{Path: "e", JSONRequire: true}},
		{"e?json=require,text", eventfold.Config{Path: "e", JSONText: true, JSONRequire: true}},
		{"e?sync=interval&sync_interval=5ms", eventfold.Config{
			Path:         "e",
			Sync:         filestore.SyncInterval,
			SyncInterval: 5 * time.Millisecond,
		}},
		{"e?segment_size=64MiB&queue_length=16", eventfold.Config{Path: "e", SegmentSize: 64 << 20, QueueLength: 16}},
		{"e?prealloc=reserve", eventfold.Config{Path: "e", Prealloc: filestore.PreallocReserve}},
	}
	for _, tt := range tests {
		got, err := eventfold.ParseDSN(tt.dsn)
		if assert.NoError(t, err, tt.dsn) {
			assert.Equal(t, tt.want, got, tt.dsn)
		}
		again, err := eventfold.ParseDSN(eventfold.FormatDSN(got))
		assert.NoError(t, err, eventfold.FormatDSN(got))
		assert.Equal(t, got, again, tt.dsn)
	}
}

func TestBrokenDSNIsAnErrorFromOpen(t *testing.T) {
	tests := []struct{ dsn, text string }{
		{"", "no path"},
		{"?mode=ro", "no path"},
		{"file:", "no path"},
		{"e?mod=ro", `unknown key "mod"; the keys are mode, busy_timeout,`},
		{"e?cache=shared", "file:name?mode=memory"},
		{"e?mode=RO", "mode=RO: it must be one of rwc, rw, ro, memory"},
		{"e?mode=", "mode=: it must be one of"},
		{"e?mode", "mode=: it must be one of"},
		{"e?mode=ro&mode=ro", "mode is given twice"},
		{":memory:?mode=ro", "no other mode than memory"},
		{"e?busy_timeout=5", "a duration such as"},
		{"e?busy_timeout=-1s", "a duration such as"},
		{"e?sync=off", "it must be one of always, interval"},
		{"e?spill=-1", "positive number of bytes"},
		{"e?spill_dir=", "must not be empty"},
		{"file:e?spill_dir=%00", "must not hold a NUL"},
		{"e?query_memory=0", "positive number of bytes"},
		{"e?query_memory=99999999999GiB", "positive number of bytes"},
		{"e?query_memory=1MB", "positive number of bytes"},
		{"e?max_event_size=1KiB", "from 64KiB to 16MiB"},
		{"e?max_event_size=17MiB", "from 64KiB to 16MiB"},
		{"e?json=string", "it must be one of bytes, text"},
		{"e?compress=gzip", "it must be one of none, zstd"},
		{"e?network=yes", "it must be one of refuse, allow"},
		{"e?begin=true", "it must be one of refuse, allow"},
		{"e?backup=yes", "it must be one of writers, allow"},
		{"e?actor=", "it must not be empty"},
		{"e?actor=\xff", "it must be valid UTF-8"},
		{"e?actor=a\x00b", "it must not hold a NUL"},
		{"e?actor=" + strings.Repeat("x", 256), "it must have at most 255 bytes"},
		{"e?expect=17", "64 hexadecimal digits"},
		{"e?expect=17:abab", "64 hexadecimal digits"},
		{"e?expect=0:" + strings.Repeat("00", 32), "64 hexadecimal digits"},
		{"e?expect=-1:" + strings.Repeat("00", 32), "64 hexadecimal digits"},
		{"e?prealloc=full", "it must be one of auto, zero, reserve, none"},
		{"file:a%zz", "invalid URL escape"},
		{"file:a?mode=%zz", "invalid URL escape"},
		{"file:a%00b", "NUL"},
		{"file:a#b", "%23"},
		{"file://host/a", "names a host"},
		{"file://a", "names a host"},
		{"eventfold://x", "eventfold://x names a host; a path is written eventfold:path or eventfold:///path"},
		{"eventfold:", "no path"},
		{"eventfold://", "no path"},
		{"sqlite://x", "sqlite:// is no store of this driver"},
		{"postgres://user:secret@host/db", "postgres:// is no store of this driver"},
		{"Https://x?mode=ro", "https:// is no store of this driver"},
		{"e?json=text,bytes", "one of bytes, text"},
		{"e?json=require,require", "one of bytes, text"},
		{"e?sync_interval=0", "a positive duration"},
		{"e?segment_size=1KiB", "from 32KiB to 1GiB"},
		{"e?queue_length=0", "a positive number"},
	}
	for _, tt := range tests {
		_, err := sql.Open("eventfold", tt.dsn)
		assert.ErrorContains(t, err, tt.text, tt.dsn)
		assert.ErrorIs(t, err, eventfold.ErrConfig, tt.dsn)
	}
}

func TestFormatDSN(t *testing.T) {
	tests := []struct {
		config eventfold.Config
		want   string
	}{
		{eventfold.Config{Path: "/var/lib/events"}, "/var/lib/events"},
		{eventfold.Config{Path: "50% #1"}, "50% #1"},
		{eventfold.Config{Path: "what?"}, "file:what%3F"},
		{eventfold.Config{Path: "/what?/a b#%"}, "file:///what%3F/a%20b%23%25"},
		{eventfold.Config{Path: "file:x"}, "file:file:x"},
		{eventfold.Config{Path: "sqlite://x"}, "file:sqlite://x"},
		{eventfold.Config{Mode: eventfold.Memory}, ":memory:"},
		{eventfold.Config{Path: ":memory:", JSONText: true}, ":memory:?json=text"},
		{eventfold.Config{Path: "e", Mode: eventfold.ReadOnly, BusyTimeout: -1, QueryMemory: 3 << 20},
			"e?mode=ro&busy_timeout=0&query_memory=3MiB"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, eventfold.FormatDSN(tt.config))
	}
}

// FuzzDSN holds that whatever ParseDSN accepts comes back from FormatDSN as it was, and that no
// path is read wrongly.
func FuzzDSN(f *testing.F) {
	for _, dsn := range []string{"a", "a?mode=ro&json=text", "file:///a%20b%3F?sync=interval", ":memory:",
		"file::memory:?busy_timeout=1m0s",
		"a?spill=0", "a?spill=3MiB&spill_dir=/tmp/x", "file:a?spill_dir=/a%26b%25c",
		"file:////a%3f", "file:x%2fy?query_memory=1025", "a?max_event_size=65536&prealloc=zero&compress=zstd",
		"file:\xff%00", "a?&&"} {
		f.Add(dsn)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		c, err := eventfold.ParseDSN(dsn)
		if err == nil {
			again, err := eventfold.ParseDSN(eventfold.FormatDSN(c))
			require.NoError(t, err, "%q from %q", eventfold.FormatDSN(c), dsn)
			require.Equal(t, c, again, "%q from %q", eventfold.FormatDSN(c), dsn)
		}
		c, err = eventfold.ParseDSN(eventfold.FormatDSN(eventfold.Config{Path: dsn}))
		if err == nil && dsn != ":memory:" {
			require.Equal(t, eventfold.Config{Path: dsn}, c, "the path %q", dsn)
		}
	})
}

func TestOpenTouchesNoDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	db, err := sql.Open("eventfold", dir)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	other := eventfold.OpenDB(eventfold.Config{Path: dir})
	require.NoError(t, other.Close())
	assert.NoDirExists(t, dir)
}

func TestInvalidConfigSurfacesAtConnect(t *testing.T) {
	tests := []struct {
		config eventfold.Config
		text   string
	}{
		{eventfold.Config{}, "no path"},
		{eventfold.Config{Path: "a\x00b"}, "NUL"},
		{eventfold.Config{Path: "a", Mode: 9}, "mode has no value 9"},
		{eventfold.Config{Path: "a", Sync: 9}, "sync has no value 9"},
		{eventfold.Config{Path: "a", MaxEventSize: 1}, "max_event_size is 1"},
		{eventfold.Config{Path: "a", QueryMemory: -1}, "query_memory is -1"},
		{eventfold.Config{Path: "a", Memory: -1}, "memory is -1"},
		{eventfold.Config{Path: ":memory:", Mode: eventfold.ReadOnly}, "no other mode"},
	}
	for _, tt := range tests {
		db := eventfold.OpenDB(tt.config)
		err := db.Ping()
		assert.ErrorContains(t, err, tt.text)
		assert.ErrorIs(t, err, eventfold.ErrConfig)
		require.NoError(t, db.Close())
	}
	_, err := os.Stat("a")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// openConfig opens a database that is closed at the end of the test.
func openConfig(t *testing.T, c eventfold.Config) *sql.DB {
	db := eventfold.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	return db
}

// now(), recorded_at and the times that the store compares are of one clock, which the Config can
// give.
func TestNowIsTheClockOfTheStore(t *testing.T) {
	at := time.Date(2031, 2, 3, 4, 5, 6, 7000, time.UTC)
	config := eventfold.Config{Path: filepath.Join(t.TempDir(), "store"), Now: func() time.Time { return at }}
	db := openConfig(t, config)
	read := func() (now, recorded time.Time, date string) {
		require.NoError(t, db.QueryRow(`INSERT INTO s (type) VALUES ('A') RETURNING recorded_at`).Scan(&recorded))
		require.NoError(t, db.QueryRow(`SELECT now(), date('now')`).Scan(&now, &date))
		return now, recorded, date
	}
	now, recorded, date := read()
	assert.Equal(t, []any{at, at, "2031-02-03"}, []any{now, recorded, date})
	at = at.AddDate(1, 0, 0)
	now, recorded, _ = read()
	assert.Equal(t, []time.Time{at, at}, []time.Time{now, recorded}, "the clock goes on")

	other := openConfig(t, eventfold.Config{Path: config.Path})
	assert.ErrorContains(t, other.Ping(), "is already open in this process with Now=a clock of its own")

	store, err := filestore.Open("memory", filestore.Options{FS: vfs.NewMem(), Now: config.Now})
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	db = openConfig(t, eventfold.Config{Store: store})
	now, recorded, _ = read()
	assert.Equal(t, []time.Time{at, at}, []time.Time{now, recorded}, "also of a store that is given")
}

// The options of the engine that belong to the store reach it, and contradict each other when they
// differ.
func TestConfigReachesTheEngine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	db := openDB(t, dir+"?segment_size=64KiB&queue_length=7&sync=interval&sync_interval=1ms")
	for range 20 {
		_, err := db.Exec(`INSERT INTO s (type, payload) VALUES ('A', ?)`, strings.Repeat("x", 10_000))
		require.NoError(t, err)
	}
	assert.Equal(t, []int64{7}, column[int64](t, db, `SELECT value FROM $stats WHERE name = 'queue_capacity'`))
	assert.Greater(t, column[int64](t, db, `SELECT value FROM $stats WHERE name = 'segments'`)[0], int64(2))
	for _, c := range []struct{ options, text string }{
		{"queue_length=7&sync=interval&sync_interval=1ms", "segment_size=64KiB, not segment_size=grows"},
		{"segment_size=64KiB&sync=interval&sync_interval=1ms", "queue_length=7, not queue_length=4096"},
		{"segment_size=64KiB&queue_length=7&sync=interval", "sync_interval=1ms, not sync_interval=10ms"},
	} {
		other, err := sql.Open("eventfold", dir+"?"+c.options)
		require.NoError(t, err)
		assert.ErrorContains(t, other.Ping(), c.text)
		other.Close()
	}
	for _, c := range []eventfold.Config{{SyncInterval: -1}, {QueueLength: -1}, {SegmentSize: 1},
		{SegmentSize: 2 << 30}} {
		c.Path = "e"
		assert.ErrorIs(t, openConfig(t, c).Ping(), eventfold.ErrConfig)
	}
}
