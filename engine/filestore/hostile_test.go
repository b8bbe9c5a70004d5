package filestore

import (
	"context"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// settled makes a closed store with two complete segments and their indexes, and returns what it
// holds.
func settled(t *testing.T) (dir string, want []string) {
	dir = t.TempDir()
	s := openStore(t, dir, Options{SegmentSize: testSegmentSize})
	appendNumbered(t, s, 0, 500)
	settleIndexes(t, s)
	want, err := payloads(s)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return dir, want
}

// grown runs do and returns how much memory was taken meanwhile, in bytes.
func grown(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A MANIFEST that cannot be one, whatever it is, is no information: readers do without, and the
// next to write makes it anew.
func TestWhateverHasTheNameOfManifestIsMadeAnew(t *testing.T) {
	sparse := func(size int64, head func(b []byte)) func(name string) error {
		return func(name string) error {
			b := make([]byte, format.ManifestHead)
			head(b)
			if err := os.WriteFile(name, b, 0o644); err != nil {
				return err
			}
			return os.Truncate(name, size)
		}
	}
	segments := uint32(3 << 20)
	tests := map[string]func(name string) error{
		"a directory": func(name string) error { return os.Mkdir(name, 0o755) },
		"empty":       func(name string) error { return os.WriteFile(name, nil, 0o644) },
		"garbage": func(name string) error {
			return os.WriteFile(name, []byte("garbage, and more than a head of it: 0123456789 0123456789"), 0o644)
		},
		"a hole":          sparse(64<<30, func([]byte) {}),
		"a hole in bound": sparse(200<<20, func([]byte) {}),
		"a hole with a head": sparse(format.ManifestHead+int64(segments)*format.ManifestEntry+4, func(b []byte) {
			copy(b, format.ManifestMagic)
			binary.LittleEndian.PutUint16(b[8:], format.Major)
			binary.LittleEndian.PutUint32(b[12:], segments)
		}),
		"missing": func(string) error { return nil },
	}
	for name, put := range tests {
		t.Run(name, func(t *testing.T) {
			dir, want := settled(t)
			file := filepath.Join(dir, format.ManifestName)
			require.NoError(t, os.Remove(file))
			require.NoError(t, put(file))
			took := grown(func() {
				r := openStore(t, dir, Options{ReadOnly: true})
				got, err := payloads(r)
				require.NoError(t, err)
				assert.Equal(t, want, got)
				w := openStore(t, dir, Options{})
				require.NoError(t, try(w, "s0", "x"))
				require.NoError(t, w.Close())
				require.NoError(t, r.Close())
			})
			assert.Less(t, took, uint64(64<<20))
			m, err := readManifest(vfs.OS(), dir)
			require.NoError(t, err)
			assert.NotNil(t, m)
		})
	}
}

// An index file that claims more than its events can need is damaged: it takes no memory, the
// answers are right, and it is made anew.
func TestAnIndexThatClaimsTooMuchIsDamaged(t *testing.T) {
	const blocks = 16 << 20 // 64 GiB, of which a few blocks are there
	claims := map[string]func(f *index.Footer){
		"fences": func(f *index.Footer) {
			f.Sections[index.KeysSection(index.ByStream, index.KeysFences)].Size = blocks / 2 * index.BlockPayload
		},
		"leaves": func(f *index.Footer) {
			f.Sections[index.KeysSection(index.ByStream, index.KeysLeaves)].Size = blocks / 2 * index.BlockPayload
		},
		"filter": func(f *index.Footer) {
			f.Sections[index.KeysSection(index.ByStream, index.KeysFilter)].Size = 1 << 30
		},
		"postings": func(f *index.Footer) {
			f.Sections[index.KeysSection(index.ByType, index.KeysPostings)].Size = 1 << 34
		},
		"ids' filter": func(f *index.Footer) { f.Sections[index.SectionIDFilter].Size = 1 << 30 },
		"leaves and fences of them": func(f *index.Footer) {
			f.Sections[index.KeysSection(index.ByTag, index.KeysLeaves)].Size = blocks / 4 * index.BlockPayload
			f.Sections[index.KeysSection(index.ByTag, index.KeysFences)].Size = blocks / 4 * 255
		},
	}
	for name, claim := range claims {
		t.Run(name, func(t *testing.T) {
			dir, want := settled(t)
			file := filepath.Join(dir, indexFileName(format.SegmentFileName(1, 0)))
			exaggerate(t, file, blocks, claim)
			took := grown(func() {
				s := openStore(t, dir, Options{ReadOnly: true})
				askIndexes(t, s, want)
				require.NoError(t, s.Close())
				s = openStore(t, dir, Options{SegmentSize: testSegmentSize})
				require.NoError(t, try(s, "s0", "x"))
				askIndexes(t, s, append(want, "x"))
				settleIndexes(t, s)
				require.NoError(t, s.Close())
			})
			assert.Less(t, took, uint64(64<<20))
			info, err := os.Stat(file)
			require.NoError(t, err)
			assert.Less(t, info.Size(), int64(1<<20), "it is made anew")
		})
	}
}

// askIndexes asks for what only the indexes can tell without reading all events, and for all events.
func askIndexes(t *testing.T, s *FileStore, want []string) {
	got, err := payloads(s)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	v, ok, err := s.ReadIndex().StreamVersion("s0")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Positive(t, v)
	for _, what := range []engine.Filter{{Streams: []string{"s0"}}, {Types: []string{"T"}}, {Tags: []string{"t"}},
		{Streams: []string{"s0"}, Tags: []string{"t"}}} {
		c := s.ReadIndex().Scan(context.Background(), what, engine.ColAll)
		for c.Next() != nil {
		}
		require.NoError(t, c.Err())
		require.NoError(t, c.Close())
	}
}

// exaggerate makes a file of so many blocks of an index file, with a footer whose checksum is right
// and that claim has changed. Later sections move behind, with what is in them.
func exaggerate(t *testing.T, name string, blocks uint32, claim func(f *index.Footer)) {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	was := uint32(len(b) / index.BlockSize)
	footer, err := index.DecodeFooter(b[int(was-1)*index.BlockSize:], was)
	require.NoError(t, err)
	old := footer.Sections
	claim(footer)
	footer.Blocks = blocks
	var content []byte
	for block := range slices.Chunk(b, index.BlockSize) {
		content = append(content, block[:index.BlockPayload]...)
	}
	file := exaggerated{map[uint32][]byte{}}
	at := uint64(0)
	for i := range footer.Sections {
		s := &footer.Sections[i]
		s.Start = max(s.Start, at)
		if (i-index.SectionKeys)%index.SectionsPerKeys == index.KeysLeaves && i >= index.SectionKeys {
			s.Start = (s.Start + index.BlockPayload - 1) / index.BlockPayload * index.BlockPayload
		}
		at = s.Start + s.Size
		file.put(content[old[i].Start:old[i].Start+old[i].Size], s.Start)
	}
	file.blocks[blocks-1] = footer.Encode()
	file.write(t, name, footer.BlockSeed())
}

// exaggerated is the content of some blocks of an index file. The others are a hole.
type exaggerated struct{ blocks map[uint32][]byte }

// put writes content to an address, as if there were no checksums.
func (x exaggerated) put(content []byte, at uint64) {
	for len(content) > 0 {
		block := uint32(at / index.BlockPayload)
		if x.blocks[block] == nil {
			x.blocks[block] = make([]byte, index.BlockPayload)
		}
		n := copy(x.blocks[block][at%index.BlockPayload:], content)
		content, at = content[n:], at+uint64(n)
	}
}

// write writes the blocks, with their checksums, to a file that holds nothing else.
func (x exaggerated) write(t *testing.T, name string, seed uint32) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_TRUNC, 0o644)
	require.NoError(t, err)
	for block, content := range x.blocks {
		page := binary.LittleEndian.AppendUint32(content, index.BlockCRC(seed, block, content))
		_, err = f.WriteAt(page, int64(block)*index.BlockSize)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
}

// A section that is a hole does not check at its first block, before memory is taken for all of it.
func TestAHoleTakesNoMemory(t *testing.T) {
	dir, _ := settled(t)
	s := openStore(t, dir, Options{})
	seg := s.current().view.segments[0]
	name := filepath.Join(dir, "hole.idx")
	x := &index.File{Name: name, Cache: s.indexer.cache, ID: s.indexer.cache.NewFile()}
	x.Sections[index.KeysSection(index.ByStream, index.KeysFences)].Size = 64 << 30
	require.NoError(t, os.WriteFile(name, nil, 0o644))
	require.NoError(t, os.Truncate(name, 64<<30))
	var err error
	x.File, err = vfs.OS().Open(name, os.O_RDONLY)
	require.NoError(t, err)
	defer x.File.Close()
	meta := seg.indexMeta(seg.header.Store, seg.sealed.Load())
	x.CRC = meta.BlockSeed()
	r := x.Reader()
	defer r.Done()
	took := grown(func() { _, err = r.All(index.KeysSection(index.ByStream, index.KeysFences)) })
	require.Error(t, err)
	assert.Less(t, took, uint64(8<<20))
}

// done runs do, which must not hang.
func done(t *testing.T, do func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		do()
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		require.FailNow(t, "it hangs")
	}
}

// What is no file in the place of any of the store's is refused, or made anew where it is derived.
// Opening, appending and closing never hang.
func TestNoSpecialFileHangsAStore(t *testing.T) {
	names := []string{format.ManifestName, format.TailName, lockName, format.SegmentFileName(1, 0),
		format.SegmentFileName(2, 0), indexFileName(format.SegmentFileName(1, 0)),
		nextTemp, format.ManifestTemp, "000000000001.idx.tmp"}
	for kind, put := range specialFiles {
		for _, name := range names {
			t.Run(kind+" "+name, func(t *testing.T) {
				dir, want := settled(t)
				file := filepath.Join(dir, name)
				_ = os.Remove(file)
				require.NoError(t, put(t, file))
				done(t, func() {
					for _, o := range []Options{{ReadOnly: true}, {BusyTimeout: -1}} {
						s, err := Open(dir, o)
						if err != nil {
							assert.ErrorAs(t, err, new(*engine.FormatError), name)
							continue
						}
						got, err := payloads(s)
						if assert.NoError(t, err) {
							assert.Equal(t, want, got[:len(want)])
						}
						if !o.ReadOnly {
							if err := try(s, "s0", "x"); err != nil {
								assert.ErrorAs(t, err, new(*engine.FormatError), name)
							}
						}
						assert.NoError(t, s.Close())
					}
				})
			})
		}
	}
}

// A link in the place of a file is followed if it leads to a file.
func TestALinkToAFileIsFollowed(t *testing.T) {
	dir, want := settled(t)
	elsewhere := t.TempDir()
	for _, name := range []string{format.TailName, lockName, format.SegmentFileName(1, 0)} {
		require.NoError(t, os.Rename(filepath.Join(dir, name), filepath.Join(elsewhere, name)))
		require.NoError(t, os.Symlink(filepath.Join(elsewhere, name), filepath.Join(dir, name)))
	}
	s := openStore(t, dir, Options{})
	require.NoError(t, try(s, "s0", "x"))
	require.NoError(t, s.Moved())
	got, err := payloads(s)
	require.NoError(t, err)
	assert.Equal(t, append(want, "x"), got)

	require.NoError(t, os.Remove(filepath.Join(dir, format.TailName)))
	require.NoError(t, os.Symlink(filepath.Join(elsewhere, "none"), filepath.Join(dir, format.TailName)))
	var moved *engine.MovedError
	require.ErrorAs(t, s.Moved(), &moved)
	require.NoError(t, s.Close())
	_, err = os.Stat(filepath.Join(elsewhere, "none"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

// A large append that comes to a group which others are in already makes a frame that can be read.
func TestAGroupWithALargeAppendCanBeRead(t *testing.T) {
	gate := make(chan struct{})
	var once atomic.Bool
	disk := &faultFS{FS: vfs.NewMem()}
	s := openStore(t, "store", Options{FS: disk, MaxEventSize: engine.MaxEventLimit})
	require.NoError(t, try(s, "s0", "first"))
	disk.set(func(op, name string) error {
		if op == "fdatasync" && once.CompareAndSwap(false, true) {
			<-gate
		}
		return nil
	})
	events := func(n, size int) []engine.NewEvent {
		list := make([]engine.NewEvent, n)
		for i := range list {
			list[i] = engine.NewEvent{Type: "T", Payload: make([]byte, size)}
		}
		return list
	}
	var appends sync.WaitGroup
	for queued, a := range []engine.Append{{Stream: "a", Events: events(1, 10)},
		{Stream: "b", Events: events(3, 1<<20)}, {Stream: "c", Events: events(4, 16<<20-4096)}} {
		appends.Go(func() {
			_, err := s.Append(context.Background(), a)
			assert.NoError(t, err)
		})
		require.Eventually(t, func() bool {
			return once.Load() && s.Stats().QueueLength == queued
		}, time.Minute, time.Millisecond)
	}
	close(gate)
	appends.Wait()
	require.Equal(t, int64(3), s.Stats().Groups)
	_, err := s.Verify(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	again := openStore(t, "store", Options{FS: disk, ReadOnly: true})
	require.Equal(t, engine.Position(9), again.ReadIndex().Head())
}
