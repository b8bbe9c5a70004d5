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
		{"e?sync=interval", eventfold.Config{Path: "e", Sync: engine.SyncInterval}},
		{"e?query_memory=64MiB", eventfold.Config{Path: "e", QueryMemory: 64 << 20}},
		{"e?query_memory=1000", eventfold.Config{Path: "e", QueryMemory: 1000}},
		{"e?max_event_size=64KiB", eventfold.Config{Path: "e", MaxEventSize: 64 << 10}},
		{"e?max_event_size=16MiB", eventfold.Config{Path: "e", MaxEventSize: 16 << 20}},
		{"e?compress=zstd&prealloc=none", eventfold.Config{Path: "e", Compress: engine.CompressZstd, Prealloc: engine.PreallocNone}},
		{"e?network=allow", eventfold.Config{Path: "e", Network: true}},
		{"e?network=refuse", eventfold.Config{Path: "e"}},
		{"e?begin=allow", eventfold.Config{Path: "e", Begin: true}},
		{"e?begin=refuse", eventfold.Config{Path: "e"}},
		{"e?expect=17:" + strings.Repeat("ab", 32), eventfold.Config{Path: "e", Expect: engine.Head{Position: 17, Chain: [32]byte(bytes.Repeat([]byte{0xab}, 32))}}},
		{"e?prealloc=reserve", eventfold.Config{Path: "e", Prealloc: engine.PreallocReserve}},
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
		{"e?query_memory=0", "positive number of bytes"},
		{"e?query_memory=99999999999GiB", "positive number of bytes"},
		{"e?query_memory=1MB", "positive number of bytes"},
		{"e?max_event_size=1KiB", "from 64KiB to 16MiB"},
		{"e?max_event_size=17MiB", "from 64KiB to 16MiB"},
		{"e?json=string", "it must be one of bytes, text"},
		{"e?compress=gzip", "it must be one of none, zstd"},
		{"e?network=yes", "it must be one of refuse, allow"},
		{"e?begin=true", "it must be one of refuse, allow"},
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
		{eventfold.Config{Mode: eventfold.Memory}, ":memory:"},
		{eventfold.Config{Path: ":memory:", JSONText: true}, ":memory:?json=text"},
		{eventfold.Config{Path: "e", Mode: eventfold.ReadOnly, BusyTimeout: -1, QueryMemory: 3 << 20}, "e?mode=ro&busy_timeout=0&query_memory=3MiB"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, eventfold.FormatDSN(tt.config))
	}
}

// FuzzDSN holds that whatever ParseDSN accepts comes back from FormatDSN as it was, and that no path is read wrongly.
func FuzzDSN(f *testing.F) {
	for _, dsn := range []string{"a", "a?mode=ro&json=text", "file:///a%20b%3F?sync=interval", ":memory:", "file::memory:?busy_timeout=1m0s",
		"file:////a%3f", "file:x%2fy?query_memory=1025", "a?max_event_size=65536&prealloc=zero&compress=zstd", "file:\xff%00", "a?&&"} {
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
