package vfs

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireMap ends the test without a map: as a failure where files are mapped, which is on Linux
// with addresses of 64 bits.
func requireMap(t *testing.T, m *FileMap) {
	t.Helper()
	if m == nil && (runtime.GOOS != "linux" || strconv.IntSize < 64) {
		t.Skip("files are only mapped on Linux with addresses of 64 bits")
	}
	require.NotNil(t, m)
}

// mappedFile makes a file of so many pages and maps it.
func mappedFile(t *testing.T, pages int) (*osFile, *FileMap, string) {
	name := filepath.Join(t.TempDir(), "f")
	content := make([]byte, pages*mapPage)
	for i := range content {
		content[i] = byte(i / mapPage)
	}
	require.NoError(t, os.WriteFile(name, content, 0o644))
	f, err := OS().Open(name, os.O_RDWR)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	m := f.(*osFile).Hold(1)
	requireMap(t, m)
	t.Cleanup(f.(*osFile).Release)
	return f.(*osFile), m, name
}

// TestMapShowsWhatHasBeenRead holds that nobody looks at a page that might have to be brought in
// from the disk.
func TestMapShowsWhatHasBeenRead(t *testing.T) {
	const pages = 200
	f, m, _ := mappedFile(t, pages)
	require.False(t, m.Has(0, 1))
	_, err := f.ReadAt(make([]byte, 10), 70*mapPage-5)
	require.NoError(t, err)
	require.True(t, m.Has(69*mapPage, 2*mapPage))
	require.False(t, m.Has(69*mapPage-1, 2))
	require.False(t, m.Has(71*mapPage-1, 2))
	require.EqualValues(t, 70, m.Data[70*mapPage])

	n, err := f.ReadAt(make([]byte, 10), pages*mapPage-3)
	require.Equal(t, 3, n)
	require.ErrorIs(t, err, io.EOF)
	require.True(t, m.Has((pages-1)*mapPage, mapPage))
	require.False(t, m.Has((pages-1)*mapPage, mapPage+1), "beyond the end")
	require.False(t, m.Has(-1, 1))
}

// TestMapSurvivesFaults looks at pages that the file has lost.
func TestMapSurvivesFaults(t *testing.T) {
	_, m, name := mappedFile(t, 4)
	require.NoError(t, os.Truncate(name, mapPage))
	sum := 0
	require.True(t, m.Guard(func(m *FileMap) { sum += int(m.Data[0]) }))
	require.False(t, m.Guard(func(m *FileMap) { sum += int(m.Data[3*mapPage]) }))
	require.False(t, m.Guard(func(m *FileMap) { copy(make([]byte, 2*mapPage), m.Data) }))
	require.PanicsWithValue(t, "other", func() { m.Guard(func(*FileMap) { panic("other") }) })
	require.Panics(t, func() { m.Guard(func(*FileMap) { sum += *(*int)(nil) }) }, "a mistake stays one")
}

// TestMapGrowsWithItsFile reads the end of a file that has been written to since it was mapped.
func TestMapGrowsWithItsFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	file, err := OS().Open(name, os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	defer file.Close()
	f := file.(*osFile)
	require.Nil(t, f.Hold(1), "nothing to map")
	for i := range 3 {
		_, err := f.WriteAt([]byte("event"), int64(i)*mapPage)
		require.NoError(t, err)
		end := int64(i)*mapPage + 5
		require.Nil(t, f.Hold(end+mapPage))
		m := f.Hold(end)
		requireMap(t, m)
		require.Equal(t, "event", string(m.Data[end-5:end]))
		require.Equal(t, i > 0, m.Has(0, 1), "what was read stays known")
		f.Release()
		_, err = f.ReadAt(make([]byte, 5), 0)
		require.NoError(t, err)
	}
	before := mappedBytes.Load()
	require.NoError(t, f.Close())
	require.Equal(t, before-2*mapPage-5, mappedBytes.Load())
	require.Nil(t, f.Hold(1), "closed")
}

// TestMapMeetsClose closes a file while others look at it.
func TestMapMeetsClose(t *testing.T) {
	for range 20 {
		name := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(name, make([]byte, 64*mapPage), 0o644))
		f, err := OS().Open(name, os.O_RDONLY)
		require.NoError(t, err)
		var running sync.WaitGroup
		for range 4 {
			running.Go(func() { // ends when the file is closed
				for {
					m := f.(*osFile).Hold(64 * mapPage)
					if m == nil {
						return
					}
					sum := 0
					if !m.Guard(func(m *FileMap) {
						for i := 0; i < len(m.Data); i += mapPage {
							sum += int(m.Data[i])
						}
					}) || sum != 0 {
						t.Error("the map went away while it was held")
					}
					f.(*osFile).Release()
				}
			})
		}
		require.NoError(t, f.Close())
		running.Wait()
	}
}

// TestMapsAreForgotten: what has been looked at can be given back, and is still right afterwards.
func TestMapsAreForgotten(t *testing.T) {
	const pages = 8192
	_, m, _ := mappedFile(t, pages)
	sum := func() (sum int) {
		for page := range pages {
			sum += int(m.Data[page*mapPage+7])
		}
		return sum
	}
	want := sum()
	before := residentFiles()
	require.Greater(t, before, int64(pages*mapPage), "all of it is part of the process's memory")
	forgetMaps()
	require.Less(t, residentFiles(), before-pages*mapPage/2)
	require.Equal(t, want, sum())
}
