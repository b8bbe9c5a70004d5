package filestore

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/vfs"
)

// TestASecondCloseWaitsForTheFirst closes a store twice while a sync is under way: whoever has
// closed it may open it again.
func TestASecondCloseWaitsForTheFirst(t *testing.T) {
	disk := &faultFS{FS: vfs.NewMem()}
	s := openStore(t, "store", Options{FS: disk})
	require.NoError(t, try(s, "s0", "first"))
	syncing, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var opened atomic.Bool
	disk.set(func(op, name string) error {
		if op == "fdatasync" {
			once.Do(func() { close(syncing); <-gate })
		}
		return nil
	})
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, try(s, "s0", "second")) })
	<-syncing
	running.Go(func() { assert.NoError(t, s.Close()) })
	require.Eventually(t, s.closed.Load, time.Minute, time.Millisecond)
	time.AfterFunc(20*time.Millisecond, func() {
		opened.Store(true)
		close(gate)
	})
	require.NoError(t, s.Close())
	require.True(t, opened.Load(), "the second Close has returned while the first one waited for the sync")

	again := openStore(t, "store", Options{FS: disk, BusyTimeout: -1})
	require.NoError(t, try(again, "s0", "third"))
	running.Wait()
}
