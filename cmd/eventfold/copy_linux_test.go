package main

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever brings a copy up to date needs no right to make files beside it.
func TestACopyThatIsThereNeedsNoRightsBesideIt(t *testing.T) {
	root := t.TempDir()
	parent := filepath.Join(root, "parent")
	to := filepath.Join(parent, "copy")
	require.NoError(t, os.MkdirAll(to, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(root), 0o755))
	require.NoError(t, os.Chmod(parent, 0o555))
	t.Cleanup(func() { _ = os.Chmod(parent, 0o755) })
	var there, missing error
	done := make(chan struct{})
	go func() { // ends by itself, and with it its thread, which has the rights of nobody
		defer close(done)
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			_ = syscall.Setfsuid(65534)
		}
		held, err := holdCopy(to)
		if there = err; err == nil {
			there = held.Close()
		}
		_, missing = holdCopy(to + "-new")
	}()
	<-done
	assert.NoError(t, there)
	assert.ErrorIs(t, missing, os.ErrPermission, "one that is to be made there cannot be made")
}
