package filestore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// The embedded store keeps the contract, on every file system, with segments so small that every
// test goes through several, and with the ways to make room.
func TestContract(t *testing.T) {
	tests := []struct {
		name    string
		options func(t *testing.T) filestore.Options
	}{
		{"on disk", func(t *testing.T) filestore.Options { return filestore.Options{} }},
		{"in memory, small segments", func(t *testing.T) filestore.Options {
			return filestore.Options{FS: vfs.NewMem(), SegmentSize: 64 << 10}
		}},
		{"strict, smallest segments", func(t *testing.T) filestore.Options {
			return filestore.Options{FS: crashtest.New(), SegmentSize: 32 << 10, Prealloc: filestore.PreallocNone}
		}},
		{"synced now and then", func(t *testing.T) filestore.Options {
			return filestore.Options{
				FS:       vfs.NewMem(),
				Sync:     filestore.SyncInterval,
				Prealloc: filestore.PreallocReserve,
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			enginetest.Run(t, func(t *testing.T) engine.Store {
				o := tt.options(t)
				dir := "/store"
				if o.FS == nil {
					dir = t.TempDir()
				}
				s, err := filestore.Open(dir, o)
				require.NoError(t, err)
				return s
			})
		})
	}
}
