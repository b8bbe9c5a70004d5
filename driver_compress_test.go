package eventfold_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The key compress of a DSN makes the engine compress complete segments, and what was stored is
// read as before, also without the key.
func TestCompressKey(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir+"?compress=zstd")
	payload := func(i int) string { return fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("abc ", 5000)) }
	const n = 80 // more than the first segment holds
	for i := range n {
		_, err := db.Exec("INSERT INTO notes (type, payload) VALUES ('Written', ?)", payload(i))
		require.NoError(t, err)
	}
	stat := func(name string) (value int) {
		require.NoError(t, db.QueryRow("SELECT value FROM $stats WHERE name = ?", name).Scan(&value))
		return value
	}
	require.Eventually(t, func() bool { return stat("compressed_segments") == 1 }, time.Minute, time.Millisecond)
	require.Equal(t, 2, stat("segments"))
	check := func() {
		rows, err := db.Query("SELECT payload FROM notes ORDER BY version")
		require.NoError(t, err)
		defer rows.Close()
		i := 0
		for ; rows.Next(); i++ {
			var got string
			require.NoError(t, rows.Scan(&got))
			require.Equal(t, payload(i), got)
		}
		require.NoError(t, rows.Err())
		require.Equal(t, n, i)
	}
	check()
	require.NoError(t, db.Close())
	db = openDB(t, dir)
	require.Equal(t, 1, stat("compressed_segments"))
	check()
}
