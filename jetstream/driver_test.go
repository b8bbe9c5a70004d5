package jetstream_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/drivertest"
	"github.com/eventfold/eventfold/internal/testenv"
)

// What programs rely on in a driver of database/sql holds over a cluster, too.
func TestTheSuiteForDrivers(t *testing.T) {
	t.Parallel()
	runDriverTests(t, startCluster(t, 1))
}

// It does on three servers, too.
func TestTheSuiteForDriversOnThreeServers(t *testing.T) {
	if !testenv.Long() {
		t.Skip("takes a minute; set EVENTFOLD_TORTURE")
	}
	t.Parallel()
	runDriverTests(t, startCluster(t, 3))
}

func runDriverTests(t *testing.T, c *cluster) {
	instant := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	drivertest.Run(t, drivertest.Options{
		Open: func(t testing.TB) *sql.DB {
			dsn := c.dsn(fmt.Sprint("d", buckets.Add(1)), t.TempDir()) + "&begin=allow"
			db, err := sql.Open(eventfold.DriverName, dsn)
			require.NoError(t, err)
			return db
		},
		Insert:      `INSERT INTO entry (type, payload) VALUES (?, ?)`,
		InsertNamed: `INSERT INTO entry (type, payload) VALUES (:key, :value)`,
		Select:      `SELECT payload AS value FROM entry WHERE type = ?`,
		All:         `SELECT type AS key, payload AS value FROM entry`,
		Count:       `SELECT COUNT(*) FROM entry`,
		Endless:     `SELECT type FROM "nothing comes here" FOLLOW`,
		Leave:       `BEGIN`,
		Values: []drivertest.Value{{Query: `SELECT 42`, Want: int64(42)},
			{Query: `SELECT timestamp(?)`, Args: []any{instant}, Want: instant}},
		// Both look right behind an insert whose context has ended. Its error says that the outcome is
		// unknown: what was sent may be stored a moment later.
		Except: map[string]string{
			"ACancelledInsertIsStoredOnceOrNot":        "it may be stored after it was counted",
			"WaitingForATransactionEndsWithTheContext": "nothing waits for another's transaction, and it may be stored later",
		},
	})
}
