package wholefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFileIsTheEarlierOneOrTheWholeNewOne(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "odd *?#%20 näme")
	require.NoError(t, Write(name, Private, Content([]byte("one"))))
	broken := errors.New("broken")
	err := Write(name, Private, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 100_000))
		return errors.Join(err, broken)
	})
	require.ErrorIs(t, err, broken)
	assert.Equal(t, "one", content(t, name))
	require.NoError(t, Write(name, 0o644, Content([]byte("two"))))
	assert.Equal(t, "two", content(t, name))
	info, err := os.Stat(name)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left beside it")
}

func content(t *testing.T, name string) string {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

func TestALinkStaysALinkAndADirectoryADirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "elsewhere"), 0o700))
	link, target := filepath.Join(dir, "link"), filepath.Join(dir, "elsewhere", "file")
	require.NoError(t, os.Symlink(filepath.Join("elsewhere", "file"), link))
	for _, text := range []string{"one", "two"} { // the link leads to nothing at first
		require.NoError(t, Write(link, Private, Content([]byte(text))))
		assert.Equal(t, text, content(t, target))
	}
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.Equal(t, os.ModeSymlink, info.Mode().Type())

	for _, name := range []string{dir, os.DevNull} {
		err := Write(name, Private, Content([]byte("x")))
		require.ErrorAs(t, err, new(*NotFileError), name)
	}
}

// Whoever writes a file removes what those have left who were killed at that, and nothing else: what
// another one is writing at the moment has its lock.
func TestWhatAKilledOneHasLeftGoesWithTheNextWrite(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "ledger")
	left := name + ".eventfold-12.tmp"
	others := []string{name + ".12.tmp", name + ".eventfold-.tmp", name + ".eventfold-mine.tmp", name + "2.eventfold-1.tmp"}
	for _, file := range append(others, left) {
		require.NoError(t, os.WriteFile(file, []byte("half"), 0o600))
	}
	require.NoError(t, os.Mkdir(name+".eventfold-7.tmp", 0o700))
	inside := func(w io.Writer) error { // two at the same moment
		require.NoError(t, Write(name, Private, Content([]byte("inner"))))
		_, err := io.WriteString(w, "outer")
		return err
	}
	require.NoError(t, Write(name, Private, inside))
	assert.Equal(t, "outer", content(t, name))
	assert.NoFileExists(t, left)
	for _, file := range others {
		assert.FileExists(t, file, "it is somebody else's")
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, len(others)+2)
}
