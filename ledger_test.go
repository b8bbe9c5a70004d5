package eventfold_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// eraseWithBackup makes a store in which Ada's events were erased after it was backed up, and
// returns the names of both and the store's ledger.
func eraseWithBackup(t *testing.T) (store, backup string, ledger []byte) {
	t.Helper()
	root := t.TempDir()
	store, backup = filepath.Join(root, "store"), filepath.Join(root, "backup")
	db, err := sql.Open("eventfold", store)
	require.NoError(t, err)
	defer db.Close()
	for _, text := range []string{
		`INSERT INTO a (type, payload) VALUES ('t', '{"name": "Ada Lovelace"}'), ('t', '{"name": "Grace"}')`,
		`BACKUP TO '` + backup + `'`,
		`INSERT INTO a (type, payload) VALUES ('t', '{"name": "Ada Lovelace"}')`,
		`ERASE FROM $all WHERE payload->>'$.name' = 'Ada Lovelace' REASON 'ticket 7'`,
	} {
		_, err := db.ExecContext(t.Context(), text)
		require.NoError(t, err, text)
	}
	var b bytes.Buffer
	require.NoError(t, eventfold.WriteLedger(t.Context(), store, &b), "beside the open store")
	return store, backup, b.Bytes()
}

// A backup that was made before an erasure has nothing of it any more when the ledger was applied,
// and opens, verifies and is read as before.
func TestApplyErasuresReachesABackup(t *testing.T) {
	_, backup, ledger := eraseWithBackup(t)
	report, err := eventfold.ApplyErasures(t.Context(), bytes.NewReader(ledger), backup)
	require.NoError(t, err)
	assert.Equal(t, []int64{2, 1, 1}, []int64{report.Named, report.Erased, report.Beyond})
	require.NoError(t, filepath.WalkDir(backup, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, errRead := os.ReadFile(path)
			require.NoError(t, errRead)
			assert.NotContains(t, string(b), "Lovelace", path)
		}
		return err
	}))
	db, err := sql.Open("eventfold", "file:"+backup+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "VERIFY")
	require.NoError(t, err)
	var texts, redacted int
	row := db.QueryRowContext(t.Context(), "SELECT COUNT(payload), SUM(redacted) FROM $all")
	require.NoError(t, row.Scan(&texts, &redacted))
	assert.Equal(t, []int{1, 1}, []int{texts, redacted})
}

// What can go wrong with a ledger is an *Error with a code and the facts behind it.
func TestErrorsOfLedgers(t *testing.T) {
	store, backup, ledger := eraseWithBackup(t)
	apply := func(ctx context.Context, ledger []byte, dsn string) error {
		_, err := eventfold.ApplyErasures(ctx, bytes.NewReader(ledger), dsn)
		return err
	}
	var fault *eventfold.LedgerError
	err := apply(t.Context(), ledger[:len(ledger)-9], backup)
	require.ErrorIs(t, err, eventfold.ErrArgument)
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, int64(strings.Count(string(ledger), "\n")), fault.Line)

	require.ErrorIs(t, apply(t.Context(), ledger, ":memory:"), eventfold.ErrConfig)
	require.ErrorIs(t, apply(t.Context(), ledger, "file:"+backup+"?mode=ro"), eventfold.ErrReadOnly)
	require.ErrorIs(t, apply(t.Context(), ledger, filepath.Join(t.TempDir(), "none")), eventfold.ErrNotExist)
	require.ErrorIs(t, eventfold.WriteLedger(t.Context(), store+"-none", &bytes.Buffer{}), eventfold.ErrNotExist)
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, apply(ended, ledger, backup), context.Canceled)

	_, _, foreign := eraseWithBackup(t)
	require.ErrorIs(t, apply(t.Context(), foreign, backup), eventfold.ErrFormat)

	db, err := sql.Open("eventfold", backup) // restored, and used as a store of its own
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO a (type) VALUES ('t'), ('t')`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	err = apply(t.Context(), ledger, backup)
	require.ErrorIs(t, err, eventfold.ErrFormat)
	var seal *eventfold.SealError
	require.ErrorAs(t, err, &seal)
	assert.Equal(t, eventfold.Position(2), seal.Position)
}
