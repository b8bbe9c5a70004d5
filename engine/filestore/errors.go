package filestore

import (
	"fmt"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// wrap says of an error what failed. nil stays nil.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("eventfold: %s: %w", what, err)
}

// writeError wraps an error of writing to the store's directory: ErrFull if there is no room.
func writeError(what string, err error) error {
	if err == nil {
		return nil
	}
	if vfs.IsFull(err) {
		return fmt.Errorf("%w: %s: %w", engine.ErrFull, what, err)
	}
	return fmt.Errorf("eventfold: %s: %w", what, err)
}
