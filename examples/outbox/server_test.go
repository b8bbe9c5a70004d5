//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestACheckpointIsOnTheDiskBeforeItHasItsName writes it to a pipe, which cannot be synced.
func TestACheckpointIsOnTheDiskBeforeItHasItsName(t *testing.T) {
	name := filepath.Join(t.TempDir(), "next")
	s, err := openServer("http://localhost", name)
	require.NoError(t, err)
	require.NoError(t, s.move(7))
	require.NoError(t, unix.Mkfifo(name+".new", 0o600))
	pipe, err := os.OpenFile(name+".new", os.O_RDWR, 0) // whoever opens it for writing waits for a reader
	require.NoError(t, err)
	defer pipe.Close()
	require.ErrorIs(t, s.move(8), unix.EINVAL)
	s, err = openServer("http://localhost", name)
	require.NoError(t, err)
	assert.EqualValues(t, 7, s.next())
}

func TestACheckpointThatIsNoPositionIsNamed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "next")
	for _, text := range []string{"", "seven\n", "-1\n"} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		_, err := openServer("http://localhost", name)
		assert.ErrorContains(t, err, name+": ", text)
	}
}
