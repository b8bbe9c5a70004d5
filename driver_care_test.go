package eventfold_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
)

// The head that $stats tells, kept elsewhere, lets a store be opened only if it holds all that was
// there.
func TestExpectedHead(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, path := range []string{dir, other} {
		db := openDB(t, path)
		for range 3 {
			mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
		}
	}
	db := openDB(t, dir)
	head := column[string](t, db, `SELECT text FROM $stats WHERE name = 'head'`)[0]
	assert.True(t, strings.HasPrefix(head, "3:"), head)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('B')`)
	longer := column[string](t, db, `SELECT text FROM $stats WHERE name = 'head'`)[0]

	assert.NoError(t, openDB(t, dir+"?expect="+head).Ping(), "while the store is open without it")
	assert.NoError(t, openDB(t, dir+"?mode=ro&expect="+longer).Ping())
	require.NoError(t, db.Close())
	assert.NoError(t, openDB(t, dir+"?expect="+head).Ping())
	assert.NoError(t, openDB(t, dir+"?mode=ro&expect="+longer).Ping())

	for _, wrong := range []string{
		other + "?expect=" + head,                                     // another log
		other + "?mode=ro&expect=" + longer,                           // and shorter
		dir + "?expect=4" + strings.TrimPrefix(head, "3"),             // another chain there
		dir + "?expect=" + strings.Replace(longer, "4:", "5:", 1),     // shorter
		dir + "?mode=ro&expect=3:" + strings.Repeat("00", 32),         // no chain at all
		dir + "?sync=always&expect=2" + strings.TrimPrefix(head, "3"), // an earlier position
	} {
		db := openDB(t, wrong)
		for range 2 { // it is not forgotten
			err := db.Ping()
			assert.ErrorIs(t, err, eventfold.ErrCorrupt, wrong)
			var facts *eventfold.HeadError
			assert.ErrorAs(t, err, &facts, wrong)
		}
	}
	assert.NoError(t, openDB(t, other).Ping(),
		"a refused store is closed, or shared with those who do not expect anything")
}

// A disk that fills up is told by $stats before the first append fails.
func TestLowSpaceIsToldBySQL(t *testing.T) {
	disk := crashtest.New()
	store, err := filestore.Open("/store", filestore.Options{FS: disk, SegmentSize: 64 << 10})
	require.NoError(t, err)
	defer store.Close()
	db := eventfold.OpenDB(eventfold.Config{Store: store})
	defer db.Close()
	insert := func() error {
		_, err := db.Exec(`INSERT INTO a (type, payload) VALUES ('A', ?)`, `"`+strings.Repeat("x", 1000)+`"`)
		return err
	}
	low := func() bool { return column[bool](t, db, `SELECT value FROM $stats WHERE name = 'low_space'`)[0] }
	require.NoError(t, insert())
	assert.False(t, low())
	disk.Limit(disk.Used() + 8<<10)
	appends := 0
	for ; !low(); appends++ {
		require.NoError(t, insert(), "low_space comes before the first error")
	}
	rest := 0
	for err = insert(); err == nil; err = insert() {
		rest++
	}
	assert.ErrorIs(t, err, eventfold.ErrFull)
	t.Logf("told after %d appends, %d more before the first is refused", appends, rest)
	assert.NotZero(t, rest)
	assert.True(t, low())
	assert.NoError(t, db.Ping(), "nothing is poisoned")

	disk.Limit(disk.Used() + 1<<20)
	require.NoError(t, insert(), "room again")
	assert.Eventually(t, func() bool { return insert() == nil && !low() }, time.Minute, time.Millisecond)
}
