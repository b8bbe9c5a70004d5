package eventfold_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/drivertest"
)

// conformance tells the suite for drivers what this one is asked: a stream is the table, the type of
// an event the key, and the payload the value.
func conformance(open func(t testing.TB) *sql.DB) drivertest.Options {
	instant := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	return drivertest.Options{
		Open:        open,
		Insert:      `INSERT INTO entry (type, payload) VALUES (?, ?)`,
		InsertNamed: `INSERT INTO entry (type, payload) VALUES (:key, :value)`,
		Select:      `SELECT payload AS value FROM entry WHERE type = ?`,
		All:         `SELECT type AS key, payload AS value FROM entry`,
		Count:       `SELECT COUNT(*) FROM entry`,
		Endless:     `SELECT type FROM "nothing comes here" FOLLOW`,
		Leave:       `BEGIN`,
		Values: []drivertest.Value{
			{Query: `SELECT 42`, Want: int64(42)}, {Query: `SELECT 1.5`, Want: 1.5}, {Query: `SELECT 'x'`, Want: "x"},
			{Query: `SELECT x'00ff'`, Want: []byte{0, 0xff}}, {Query: `SELECT NULL`}, {Query: `SELECT 1 = 1`, Want: true},
			{Query: `SELECT timestamp(?)`, Args: []any{instant}, Want: instant},
			{Query: `SELECT json('{"a": 1}')`, Want: []byte(`{"a":1}`)},
		},
	}
}

// TestTheSuiteForDrivers runs it on a store on disk and on one in memory.
func TestTheSuiteForDrivers(t *testing.T) {
	stores := map[string]func(t testing.TB) string{
		"disk":   func(t testing.TB) string { return filepath.Join(t.TempDir(), "store") + "?begin=allow" },
		"memory": func(testing.TB) string { return ":memory:?begin=allow" },
	}
	for name, dsn := range stores {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, conformance(func(t testing.TB) *sql.DB {
				db, err := sql.Open("eventfold", dsn(t))
				require.NoError(t, err)
				return db
			}))
		})
	}
}

// TestTheSuiteForDriversWithAQueryThatComputes makes the check of endless queries with one that
// computes instead of waiting.
func TestTheSuiteForDriversWithAQueryThatComputes(t *testing.T) {
	o := conformance(func(t testing.TB) *sql.DB {
		db, err := sql.Open("eventfold", ":memory:")
		require.NoError(t, err)
		return db
	})
	o.Endless = `SELECT COUNT(*) FROM generate_series(1, 1000000) AS a, generate_series(1, 1000000) AS b WHERE a.value < 0`
	for _, name := range []string{"AWaitingQueryEndsWithItsContext", "ACancelledQueryHarmsNobody"} {
		assert.Empty(t, drivertest.Says(t, name, o), name)
	}
}
