package filestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A meanwhileFS does something before the file with a number is opened.
type meanwhileFS struct {
	vfs.FS
	at int
	do func() error

	mu     sync.Mutex // protects what follows: the store's own goroutines open files, too
	opened int
	err    error
}

func (m *meanwhileFS) Open(name string, flag int) (vfs.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.opened++; m.opened == m.at {
		m.err = m.do()
	}
	return m.FS.Open(name, flag)
}

// told returns how many files were opened, and what became of do.
func (m *meanwhileFS) told() (opened int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opened, m.err
}

// Whoever opens a store whose directory is replaced meanwhile has the one or the other, or is told of
// that: he is not told of damage, which there is in neither.
func TestAStoreThatIsReplacedWhileItIsOpenedIsNotDamaged(t *testing.T) {
	made := t.TempDir()
	for i, name := range []string{"store", "other"} {
		s := openStore(t, filepath.Join(made, name), Options{SegmentSize: 32 << 10})
		for range 8 + i {
			mustAppend(t, s, "s", engine.Any, one(strings.Repeat("x", 10<<10))...)
		}
		require.NoError(t, s.Close())
	}
	moved := 0
	for at := 1; ; at++ {
		root := filepath.Join(t.TempDir(), "copies")
		require.NoError(t, os.CopyFS(root, os.DirFS(made)))
		dir, other := filepath.Join(root, "store"), filepath.Join(root, "other")
		fsys := &meanwhileFS{FS: vfs.OS(), at: at, do: func() error {
			return errors.Join(os.Rename(dir, dir+".aside"), os.Rename(other, dir), os.RemoveAll(dir+".aside"))
		}}
		s, err := Open(dir, Options{FS: fsys, ReadOnly: true, MustExist: true})
		if err == nil {
			require.NoError(t, s.Close())
		} else {
			moved++
			assert.ErrorAs(t, err, new(*engine.MovedError), fmt.Sprint("before opening file ", at))
		}
		opened, failed := fsys.told()
		require.NoError(t, failed)
		if opened < at {
			break
		}
	}
	assert.Positive(t, moved)
}
