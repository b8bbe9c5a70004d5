package eventfold_test

import (
	"context"
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

func openMovable(t *testing.T, dsn string) *sql.DB {
	db, err := sql.Open("eventfold", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// A directory that is removed and made anew is another store: who has the first one open gets an
// error, who opens it then gets what is there.
func TestOpeningAgainOpensWhatIsThereNow(t *testing.T) {
	for _, how := range []struct {
		name   string
		remove func(dir string) error
	}{
		{"the directory is removed", os.RemoveAll},
		{"its files are removed", func(dir string) error {
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			for _, name := range names {
				err = os.Remove(name)
			}
			return err
		}},
	} {
		t.Run(how.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			first := openMovable(t, dir)
			_, err := first.Exec("INSERT INTO a (type) VALUES ('A')")
			require.NoError(t, err)
			require.NoError(t, how.remove(dir))

			second := openMovable(t, dir)
			_, err = second.Exec("INSERT INTO b (type) VALUES ('B')")
			require.NoError(t, err)
			_, err = first.Exec("INSERT INTO a (type) VALUES ('A')")
			require.ErrorIs(t, err, eventfold.ErrMoved)
			assert.ErrorIs(t, first.Ping(), eventfold.ErrMoved)
			var n int
			require.ErrorIs(t, first.QueryRow("SELECT COUNT(*) FROM $all").Scan(&n), eventfold.ErrMoved)
			require.NoError(t, second.QueryRow("SELECT COUNT(*) FROM $all").Scan(&n))
			assert.Equal(t, 1, n)
			var moved *eventfold.MovedError
			require.ErrorAs(t, err, &moved)
			require.NoError(t, first.Close())
			third := openMovable(t, dir)
			require.NoError(t, third.QueryRow("SELECT COUNT(*) FROM $all").Scan(&n))
			assert.Equal(t, 1, n)
		})
	}
}

// A FOLLOW that waits ends with an error when the store is taken away.
func TestFollowEndsWhenTheStoreHasMoved(t *testing.T) {
	for _, mode := range []string{"", "?mode=ro"} {
		dir := filepath.Join(t.TempDir(), "store")
		writer := openMovable(t, dir)
		_, err := writer.Exec("INSERT INTO a (type) VALUES ('A')")
		require.NoError(t, err)
		if mode != "" {
			require.NoError(t, writer.Close()) // a reader would share its store
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		rows, err := openMovable(t, dir+mode).QueryContext(ctx, "SELECT type FROM $all FOLLOW")
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, os.Rename(dir, dir+".aside"))
		require.False(t, rows.Next())
		require.ErrorIs(t, rows.Err(), eventfold.ErrMoved)
		require.NoError(t, rows.Close())
	}
}

// Where there is no store, one that must exist is an error that says so, whether or not there is a
// directory.
func TestNoStoreIsToldPlainly(t *testing.T) {
	for _, mode := range []string{"ro", "rw"} {
		for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none"),
			filepath.Join(t.TempDir(), "no", "ne")} {
			err := openMovable(t, dir+"?mode="+mode).Ping()
			require.ErrorIs(t, err, eventfold.ErrNotExist, mode)
			require.ErrorIs(t, err, fs.ErrNotExist)
			assert.Equal(t, "eventfold: there is no store at "+dir, err.Error())
		}
	}
}

// Tags that are no UTF-8 are refused like streams and types, however they are written: decoding
// would make one tag of different ones.
func TestTagsAreUTF8(t *testing.T) {
	db := openMovable(t, filepath.Join(t.TempDir(), "store"))
	for _, tags := range []any{"[\"\xff\"]", `["\ud800"]`, `["a", "b\udc00c"]`, `["\ud800\ud800"]`, `["\uD83Dx"]`,
		`["\\", "\ud800"]`, []byte("[\"a\xc3\"]"),
		[]string{"\xff"}, []string{"a", "\xed\xa0\x80"}} {
		_, err := db.Exec("INSERT INTO a (type, tags) VALUES ('A', ?)", tags)
		require.Error(t, err, "%q", tags)
		assert.Contains(t, err.Error(), "not valid UTF-8", "%q", tags)
	}
	for _, tags := range []any{`["\ud83d\ude00"]`, `["\ufffd"]`, `["\uFFFD\\ud800"]`, "[\"\uFFFD\"]", `["\u0041\"\\"]`,
		[]string{"é"}} {
		_, err := db.Exec("INSERT INTO a (type, tags) VALUES ('A', ?)", tags)
		require.NoError(t, err, "%q", tags)
	}
}
