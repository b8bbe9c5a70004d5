package filestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/filestore/internal/index/indextest"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// A mergeCase is a log of many small segments with index files, and an indexer that merges early.
type mergeCase struct {
	*headLog
	fs vfs.FS
	x  *indexer
}

func newMergeCase(t *testing.T, segments int) *mergeCase {
	c := &mergeCase{headLog: newHeadLog(t), fs: vfs.NewMem()}
	for range segments {
		c.seal(20 + c.r.IntN(30))
	}
	c.restart()
	t.Cleanup(func() { c.x.close() })
	return c
}

// seal adds events, seals the segment with them and writes its index file.
func (c *mergeCase) seal(events int) {
	for range events {
		c.append(fmt.Sprintf("s%d", min(c.r.IntN(4000), c.r.IntN(4000))))
	}
	seg := c.active()
	m := seg.index().(*index.Memory)
	seg.name, seg.header.Store = format.SegmentFileName(seg.number, 0), indextest.Store
	sealed := &sealedInfo{end: 64 << 20, count: m.Count(), lastChain: [32]byte{byte(seg.number), byte(seg.number >> 8)}}
	seg.sealed.Store(sealed)
	require.NoError(c.t,
		index.WriteFile(context.Background(), c.fs, indexFileName(seg.name), m, seg.indexMeta(indextest.Store, sealed)))
	c.begin()
}

// restart opens the files with a new indexer, which merges nothing before mergeNow.
func (c *mergeCase) restart() {
	if c.x != nil {
		c.x.close()
	}
	c.x = newIndexer(c.fs, index.NewBlockCache(1<<20, 1<<20), func() bool {
		return true
	}, func(_ context.Context, seg *segment) (*index.Memory, error) {
		panic("every segment has its file")
	})
	c.x.maxUnmerged = 4
	for _, seg := range c.view.segments {
		if sealed := seg.sealed.Load(); sealed != nil {
			x := c.x.openSealed(seg, seg.indexMeta(indextest.Store, sealed))
			require.IsType(c.t, &index.File{}, x)
			seg.setIndex(x)
		}
	}
}

// mergeNow merges until nothing remains to be done.
func (c *mergeCase) mergeNow() {
	c.x.begin(func() []*segment { return c.view.segments })
	require.Eventually(c.t, func() bool {
		c.x.mu.Lock()
		defer c.x.mu.Unlock()
		return !c.x.active
	}, time.Minute, time.Millisecond)
	require.NoError(c.t, c.x.lastErr)
}

// index returns the log as its writer sees it.
func (c *mergeCase) index() *readIndex {
	r := c.headLog.index()
	r.shared.indexer = c.x
	return r
}

// check compares every stream's version and every id's position with what was appended.
func (c *mergeCase) check() {
	c.t.Helper()
	h, r := newStreamVersions(1), c.index()
	for stream, want := range c.versions {
		v, err := h.version(r, stream)
		require.NoError(c.t, err)
		require.Equal(c.t, want, v, stream)
	}
	for i := range 500 {
		v, err := h.version(r, fmt.Sprintf("new-%d", i))
		require.NoError(c.t, err)
		require.Equal(c.t, engine.NoVersion, v)
	}
	for p, id := range c.ids {
		found := 0
		require.NoError(c.t, r.eachCandidate(id, func(s *segmentReader, ord uint32) (bool, error) {
			if s.seg.base+engine.Position(ord) == engine.Position(p) {
				found++
			}
			return true, nil
		}))
		require.Equal(c.t, 1, found, "id of position %d", p)
	}
}

func (c *mergeCase) spans() []int64 {
	var spans []int64
	for _, r := range c.x.runList() {
		spans = append(spans, r.Span())
	}
	return spans
}

func TestMergedIndexesAnswerLikeTheirSegments(t *testing.T) {
	c := newMergeCase(t, 100)
	c.check()
	c.mergeNow()
	require.Equal(t, []int64{64, 8, 8, 8, 8}, c.spans())
	c.check()
	for range 30 { // later segments are merged as they come
		c.seal(10)
		seg := c.view.segments[len(c.view.segments)-2]
		c.x.add(seg)
		c.append("s1")
		c.mergeNow()
	}
	require.Equal(t, []int64{64, 64}, c.spans())
	c.check()
}

// TestMergedIndexesAreOpenedAgain also after a crash that left the parts of a run beside it.
func TestMergedIndexesAreOpenedAgain(t *testing.T) {
	c := newMergeCase(t, 70)
	c.mergeNow()
	want := c.spans()
	whole := indextest.Content(t, c.fs, index.RunName(1, 64))
	name := index.RunName(9, 16)
	require.NoError(t,
		index.ReplaceFile(c.fs, name,
			func(f vfs.File) error { _, err := f.WriteAt([]byte("leftover"), 0); return err }))
	c.restart()
	require.Empty(t, c.spans())
	c.mergeNow()
	require.Equal(t, want, c.spans())
	_, err := c.fs.Stat(name)
	require.ErrorIs(t, err, os.ErrNotExist, "the leftover")
	require.Equal(t, whole, indextest.Content(t, c.fs, index.RunName(1, 64)))
	c.check()
}

// TestMergedIndexesAreDerived: a run of runs has the bytes of a run of their segments.
func TestMergedIndexesAreDerived(t *testing.T) {
	c := newMergeCase(t, 64)
	c.mergeNow()
	want := indextest.Content(t, c.fs, index.RunName(1, 64))
	var parts []*index.File
	for _, seg := range c.view.segments[:64] {
		parts = append(parts, seg.index().(*index.File))
	}
	require.NoError(t,
		index.WriteRunFile(context.Background(), c.fs, "again.idx", parts, indexRunMeta(c.view.segments[:64])))
	require.Equal(t, want, indextest.Content(t, c.fs, "again.idx"))
}

func TestCheckRuns(t *testing.T) {
	c := newMergeCase(t, 20)
	c.mergeNow()
	compared, bad, err := c.x.checkRuns(context.Background(), vfs.Parent(c.view.segments[0].name), c.view.segments)
	require.NoError(t, err)
	require.Equal(t, 2, compared)
	require.Empty(t, bad)
	// One of them becomes the run of other events, with checksums that are right.
	r := c.x.runList()[1]
	seg := c.view.segments[r.To-1]
	seg.setIndex(c.view.segments[0].index())
	compared, bad, err = c.x.checkRuns(context.Background(), vfs.Parent(c.view.segments[0].name), c.view.segments)
	require.NoError(t, err)
	require.Equal(t, 2, compared)
	require.Equal(t, []string{r.Name}, bad)
	require.Len(t, c.x.runList(), 1)
}

func TestIsIndexFile(t *testing.T) {
	m := indextest.MemoryOf(indextest.Corpora["few"].Make(rand.New(rand.NewPCG(63, 64))))
	_, fs := indextest.FileOf(t, m, index.NewBlockCache(1, 0))
	same := func() bool {
		same, err := index.IsFile(context.Background(), fs, "7.idx", m, indextest.MetaOf(m))
		require.NoError(t, err)
		return same
	}
	require.True(t, same())
	f, err := fs.Open("7.idx", os.O_RDWR)
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	for _, length := range []int64{size + 1, size - 1, index.BlockSize, 0} {
		require.NoError(t, f.Truncate(length))
		require.False(t, same(), "%d bytes", length)
	}
	require.NoError(t, index.WriteFile(context.Background(), fs, "7.idx", m, indextest.MetaOf(m)))
	require.True(t, same())
}

func TestMergedIndexThatIsDamagedIsGivenUp(t *testing.T) {
	c := newMergeCase(t, 24)
	c.mergeNow()
	spans := c.spans()
	for _, r := range c.x.runList() {
		f, err := c.fs.Open(r.Name, os.O_RDWR)
		require.NoError(t, err)
		for at := int64(100); at < int64(r.Blocks-1)*index.BlockSize; at += index.BlockSize {
			_, err = f.WriteAt([]byte{0xa5, 0x5a}, at)
			require.NoError(t, err)
		}
		require.NoError(t, f.Close())
	}
	c.restart()
	c.x.begin(func() []*segment { return c.view.segments })
	require.Eventually(t, func() bool { return len(c.spans()) == len(spans) }, time.Minute, time.Millisecond)
	c.check() // finds the damage, and asks the segments
	c.mergeNow()
	require.Equal(t, spans, c.spans())
	c.check()
	c.restart()
	c.mergeNow()
	require.Equal(t, spans, c.spans())
}

// TestMergedIndexesRespectTheHead: a reader of an earlier head does not see what a run knows beyond
// it.
func TestMergedIndexesRespectTheHead(t *testing.T) {
	c := newMergeCase(t, 16)
	c.mergeNow()
	require.Equal(t, []int64{8, 8}, c.spans())
	r := c.index()
	var streams []string
	for stream, v := range c.versions {
		if v > 0 && len(streams) < 20 { // one event each would prove little
			streams = append(streams, stream)
		}
	}
	require.Len(t, streams, 20)
	for head := engine.Position(1); head < r.head; head += 7 {
		early := r.At(head)
		for _, stream := range streams {
			want := r.versionBefore(t, stream, head)
			v, ok, err := early.StreamVersion(stream)
			require.NoError(t, err)
			require.Equal(t, want != engine.NoVersion, ok)
			require.Equal(t, want, v, "%s before %d", stream, head)
		}
	}
}

// versionBefore asks every segment for its postings.
func (r *readIndex) versionBefore(t *testing.T, stream string, head engine.Position) engine.Version {
	v := engine.NoVersion
	for _, seg := range r.view.segments {
		if seg.base >= head {
			break
		}
		ords, err := seg.index().Postings(index.ByStream, stream, 0, uint32(head-seg.base), nil)
		require.NoError(t, err)
		v += engine.Version(len(ords))
	}
	return v
}

func TestMergeWindow(t *testing.T) {
	items := func(spans ...int) (items []mergeItem) {
		for _, n := range spans {
			item := mergeItem{file: &index.File{}, segments: make([]*segment, max(n, -n))}
			if n < 0 {
				item.file = nil // it has no index file yet
			}
			items = append(items, item)
		}
		return items
	}
	tests := []struct {
		name  string
		items []mergeItem
		want  [2]int // first and length of the window
	}{
		{"none", items(), [2]int{}},
		{"too few", items(1, 1, 1, 1, 1, 1, 1), [2]int{}},
		{"segments", items(1, 1, 1, 1, 1, 1, 1, 1, 1), [2]int{0, 8}},
		{"behind a run", items(8, 1, 1, 1, 1, 1, 1, 1, 1), [2]int{1, 8}},
		{"runs", items(8, 8, 8, 8, 8, 8, 8, 8, 1, 1), [2]int{0, 8}},
		{"the smaller first", items(8, 8, 8, 8, 8, 8, 8, 8, 1, 1, 1, 1, 1, 1, 1, 1), [2]int{8, 8}},
		{"a segment without file", items(1, 1, -1, 1, 1, 1, 1, 1, 1), [2]int{}},
		{"behind one without", items(1, -1, 1, 1, 1, 1, 1, 1, 1, 1), [2]int{2, 8}},
	}
	for _, tt := range tests {
		got := mergeWindow(tt.items)
		require.Len(t, got, tt.want[1], tt.name)
		if len(got) > 0 {
			require.Same(t, &tt.items[tt.want[0]], &got[0], tt.name)
		}
	}
}
