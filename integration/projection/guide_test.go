package projection

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// The code of this file stands in docs/guide.md, which a test of package docs compares with it.

// shelves is a read model in a database of yours: on which shelf each copy stands.
func shelves(target *sql.DB) eventfold.Projection {
	return eventfold.Projection{
		Name:    "shelves",
		Version: 1,
		Target:  target,
		Query:   `SELECT event FROM $all WHERE type IN ('Acquired', 'Moved')`,
		Setup: eventfold.Statements(`DROP TABLE IF EXISTS shelf_1`,
			`CREATE TABLE shelf_1 (copy TEXT PRIMARY KEY, shelf TEXT NOT NULL)`),
		Handle: func(ctx context.Context, tx *sql.Tx, d eventfold.Delivery) error {
			if d.Redacted {
				return nil // what it said was erased
			}
			var e struct{ Shelf string }
			if err := json.Unmarshal(d.Payload, &e); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO shelf_1 VALUES ($1, $2)
				ON CONFLICT (copy) DO UPDATE SET shelf = excluded.shelf`, d.Stream, e.Shelf)
			return err
		},
	}
}

// shelfOf reads one's own write: it waits until the read model has the event at a position.
func shelfOf(ctx context.Context, db, target *sql.DB, stream string, at eventfold.Position) (shelf string, err error) {
	if err := eventfold.WaitFor(ctx, db, shelves(target), at); err != nil {
		return "", err
	}
	err = target.QueryRowContext(ctx, `SELECT shelf FROM shelf_1 WHERE copy = $1`, stream).Scan(&shelf)
	return shelf, err
}

func TestTheProjectionOfTheGuide(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, err := sql.Open("eventfold", ":memory:")
		require.NoError(t, err)
		defer store.Close()
		target := open(t)
		stop := start(t, store, shelves(target))
		for i := range 3 {
			done, err := eventfold.AppendEvents(t.Context(), store, "copy-12", eventfold.Any, eventfold.NewEvent{
				Type: "Moved", Payload: fmt.Appendf(nil, `{"shelf": "C%d"}`, i),
			})
			require.NoError(t, err)
			shelf, err := shelfOf(t.Context(), store, target, "copy-12", done.Events[0].Position)
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprint("C", i), shelf)
		}
		assert.ErrorIs(t, stop(), context.Canceled)
	})
}
