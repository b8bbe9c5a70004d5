package vfs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAWriteToAFileIsNoticedThroughAnotherDescriptor(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	watched, err := OS().Open(name, os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	notices, err := NoticesOf(watched)
	require.NoError(t, err)
	require.NoError(t, watched.Close(), "the file need not stay open")
	writer, err := OS().Open(name, os.O_RDWR)
	require.NoError(t, err)
	defer writer.Close()
	for range 3 {
		_, err = writer.WriteAt([]byte("x"), 0)
		require.NoError(t, err)
		select {
		case <-notices.C:
		case <-time.After(time.Minute):
			t.Fatal("the write was not noticed")
		}
	}
	notices.Close()
	_, err = writer.WriteAt([]byte("x"), 0)
	require.NoError(t, err)
	select {
	case <-notices.C:
		t.Fatal("a notice came after the end")
	default:
	}
}
