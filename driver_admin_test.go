package eventfold_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A backup made while events are appended is a store that verifies, and holds what the source held
// at its position.
func TestBackupAndVerify(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, filepath.Join(dir, "store"))
	mustExec(t, db, `INSERT INTO a (type, payload) VALUES ('A', '{"n": 0}')`)

	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { // ends when stop is closed
		for n := 1; ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if _, err := db.Exec(`INSERT INTO ? (type, payload) VALUES ('B', ?)`, fmt.Sprint("s-", n%5),
				fmt.Sprintf(`{"n": %d}`, n)); err != nil {
				done <- err
				return
			}
		}
	}()
	copied := filepath.Join(dir, "copy")
	for range 3 { // the second and the third are incremental
		var events, segments, bytes, linked int64
		require.NoError(t, db.QueryRow(`BACKUP TO ?`, copied).Scan(&events, &segments, &bytes, &linked))

		backup, err := sql.Open("eventfold", copied+"?mode=ro")
		require.NoError(t, err)
		var result string
		var verified, rest int64
		require.NoError(t,
			backup.QueryRow(`VERIFY`).Scan(&result, &verified, new(any), new(any), new(any), new(any), new(any)))
		assert.Equal(t, "ok", result)
		assert.Equal(t, events, verified)
		require.NoError(t, backup.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&rest))
		assert.Equal(t, events, rest)
		want := column[string](t, db,
			`SELECT stream || '/' || version || '/' || id || '/' || payload FROM $all WHERE position < ?`, events)
		assert.Equal(t, want,
			column[string](t, backup, `SELECT stream || '/' || version || '/' || id || '/' || payload FROM $all`))
		require.NoError(t, backup.Close())
	}
	close(stop)
	require.NoError(t, <-done)
	mustExec(t, db, `VERIFY`)
}
