package filestore

import (
	"context"

	"github.com/eventfold/eventfold/engine"
)

// Erasures implements engine.Eraser.
func (s *FileStore) Erasures(ctx context.Context) ([]engine.ErasureInfo, error) { return nil, nil }
