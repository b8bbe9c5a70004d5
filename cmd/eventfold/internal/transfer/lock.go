package transfer

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
)

// lockSuffix is what the name of the file has at its end whose lock an export holds.
const lockSuffix = ".part.lock"

// Lock keeps every other export away from what is beside path: see [wholefile.Hold].
func Lock(path string) (io.Closer, error) {
	held, err := wholefile.Hold(path, lockSuffix, "exported to")
	if err != nil {
		return nil, err
	}
	if err := sweep(path); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}

// sweep removes checkpoints of exports to path that were killed before these had their names. Nobody
// else writes one while the lock is held.
func sweep(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), filepath.Base(path))
		rest = strings.TrimPrefix(rest, linesSuffix)
		if !ours || !wholefile.IsUnfinished(rest, planSuffix) {
			continue
		}
		err := os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
