package eventfold_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// Who may only read writes no backup: not with mode=ro, whoever else has the store open, and not in
// a read-only transaction.
func TestBackupIsRefusedToReaders(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	store, target := filepath.Join(root, "store"), filepath.Join(root, "backup")
	writer := openDB(t, store)
	mustExec(t, writer, `INSERT INTO a (type) VALUES ('A')`)
	reader := openDB(t, store+"?mode=ro")
	transaction, err := writer.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	prepared, err := reader.Prepare(`BACKUP TO ?`)
	require.NoError(t, err)
	defer prepared.Close()

	_, errExec := reader.Exec(`BACKUP TO ?`, target)
	_, errScript := reader.Exec(`BACKUP TO ?; VERIFY`, target)
	_, errPrepared := prepared.Exec(target)
	_, errTransaction := transaction.Exec(`BACKUP TO ?`, target)
	_, errExplain := reader.Exec(`EXPLAIN ANALYZE BACKUP TO ?`, target)
	for name, err := range map[string]error{
		"exec": errExec, "query": reader.QueryRow(`BACKUP TO ?`, target).Scan(new(any)), "script": errScript,
		"prepared":    errPrepared,
		"transaction": errTransaction,
	} {
		assert.ErrorIs(t, err, eventfold.ErrReadOnly, name)
		assert.ErrorContains(t, err, "backup=allow", name)
	}
	assert.Error(t, errExplain)
	require.NoError(t, transaction.Rollback())
	require.NoError(t, writer.Close())
	assert.ErrorIs(t, reader.QueryRow(`BACKUP TO ?`, store).Scan(new(any)), eventfold.ErrReadOnly)
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestBackupIsAllowedToReadersWhoHaveTheRight(t *testing.T) {
	root := t.TempDir()
	store := filepath.Join(root, "store")
	require.NoError(t, openDB(t, store).Ping())
	mustExec(t, openDB(t, store), `INSERT INTO a (type) VALUES ('A')`)
	reader := openDB(t, store+"?mode=ro&backup=allow")
	mustExec(t, reader, `BACKUP TO ?`, filepath.Join(root, "one"))
	allowed := openDB(t, store+"?backup=allow")
	transaction, err := allowed.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	_, err = transaction.Exec(`BACKUP TO ?`, filepath.Join(root, "two"))
	require.NoError(t, err)
	require.NoError(t, transaction.Rollback())
	for _, name := range []string{"one", "two"} {
		assert.Equal(t, []string{"A"},
			column[string](t, openDB(t, filepath.Join(root, name)+"?mode=ro"), `SELECT type FROM $all`))
	}
	_, err = reader.Exec(`INSERT INTO a (type) VALUES ('B')`)
	require.ErrorIs(t, err, eventfold.ErrReadOnly)
}

// The store itself, what lies in it, and what somebody else has made: nothing is changed.
func TestBackupIsRefusedBySQL(t *testing.T) {
	root := t.TempDir()
	store := filepath.Join(root, "store")
	db := openDB(t, store)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "files", "mine"), 0o755))
	for _, target := range []string{store, store + "/", filepath.Join(store, "backup"), root,
		filepath.Join(root, "files"), filepath.Join(root, "no", "directory")} {
		_, err := db.Exec(`BACKUP TO ?`, target)
		var facts *eventfold.BackupError
		require.ErrorAs(t, err, &facts, target)
		assert.ErrorIs(t, err, eventfold.ErrArgument)
	}
	mustExec(t, db, `INSERT INTO a (type) VALUES ('B')`)
	assert.Equal(t, []string{"A", "B"}, column[string](t, db, `SELECT type FROM a`))
}

// A backup is restored by opening it. From the first append on it is a store like others, and no
// backup takes its place.
func TestRestoredBackupIsNoBackupAnyMore(t *testing.T) {
	root := t.TempDir()
	db := openDB(t, filepath.Join(root, "store"))
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	target := filepath.Join(root, "backup")
	mustExec(t, db, `BACKUP TO ?`, target)
	restored := openDB(t, target)
	mustExec(t, restored, `INSERT INTO a (type) VALUES ('of its own')`)
	_, err := db.Exec(`BACKUP TO ?`, target)
	require.ErrorContains(t, err, "something has been appended")
	require.NoError(t, restored.Close())
	mustExec(t, db, `INSERT INTO a (type) VALUES ('B')`)
	_, err = db.Exec(`BACKUP TO ?`, target)
	require.ErrorContains(t, err, "something has been appended")
	assert.Equal(t, []string{"A", "of its own"}, column[string](t, openDB(t, target), `SELECT type FROM a`))
}

func TestStoreInMemoryIsBackedUpToTheDisk(t *testing.T) {
	root := t.TempDir()
	db := openDB(t, ":memory:")
	mustExec(t, db, `BACKUP TO ?`, filepath.Join(root, "empty"))
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	for range 2 {
		mustExec(t, db, `BACKUP TO ?`, filepath.Join(root, "backup"))
		assert.Equal(t, []string{"A"},
			column[string](t, openDB(t, filepath.Join(root, "backup")+"?mode=ro"), `SELECT type FROM a`))
	}
	assert.Empty(t, column[string](t, openDB(t, filepath.Join(root, "empty")+"?mode=ro"), `SELECT type FROM $all`))
}
