package filestore

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// dirFS puts the names of a handLog into a directory.
type dirFS struct {
	vfs.FS
	dir string
}

func (d dirFS) Open(name string, flag int) (vfs.File, error) {
	return d.FS.Open(filepath.Join(d.dir, name), flag)
}

// benchLog makes a log of n orders of 256 bytes with 64 bytes of metadata and 12 types, frame
// events per group commit, in streams of perStream events each. The events of a stream are spread
// over apart streams that grow together.
func benchLog(tb testing.TB, n, frame, perStream, apart int) (*readIndex, []string) {
	l := newHandLog(tb, dirFS{vfs.OS(), tb.TempDir()})
	r := rand.New(rand.NewPCG(1, 2))
	payload := []byte(fmt.Sprintf(`{"order": 1234567, "amount": 4321, "note": "%0*d"}`, 256-47, 0))[:256]
	metadata := []byte(fmt.Sprintf(`{"user": "%0*d"}`, 64-12, 0))[:64]
	var names, growing []string
	for range apart {
		growing = append(growing, uuid.NewString())
	}
	names = append(names, growing...)
	var group []engine.Event
	given := map[string]int{}
	for i := range n {
		k := r.IntN(apart)
		name := growing[k]
		e := engine.Event{
			Stream:   name,
			Type:     fmt.Sprintf("OrderEvent%02d", r.IntN(12)),
			Payload:  payload,
			Metadata: metadata,
			JSON:     true,
		}
		e.ID = uuid.Must(uuid.NewV7())
		group = append(group, e)
		if len(group) == frame || i == n-1 {
			l.append(group...)
			group = group[:0]
			if l.off > 64<<20 {
				l.seal()
			}
		}
		if given[name]++; given[name] == perStream {
			growing[k] = uuid.NewString()
			names = append(names, growing[k])
		}
	}
	index := l.index()
	l.events = nil // what the collector has to look at is the log's business, not the model's
	return index, slices.DeleteFunc(names, func(name string) bool { return given[name] != perStream })
}

// BenchmarkReadAll measures the native iterator over events in the page cache. It should come near
// the speed at which memory is copied; an allocation per event would be bad news.
func BenchmarkReadAll(b *testing.B) {
	const n = 200_000
	for _, frame := range []int{1, 100, 1000} {
		index, _ := benchLog(b, n, frame, 10, 100)
		for _, reuse := range []bool{false, true} {
			for _, dir := range []engine.Direction{engine.Forwards, engine.Backwards} {
				b.Run(fmt.Sprintf("frame=%d/reuse=%v/backwards=%d", frame, reuse, dir), func(b *testing.B) {
					b.ReportAllocs()
					b.SetBytes(256)
					var c engine.Cursor
					for i := 0; i < b.N; {
						from := engine.Position(0)
						if dir == engine.Backwards {
							from = n
						}
						c = index.ReadAll(bg, from, dir)
						if reuse {
							c.(engine.Reuser).Reuse()
						}
						for ; i < b.N && c.Next(); i++ {
						}
						require.NoError(b, c.Err())
						c.Close()
					}
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
				})
			}
		}
	}
}

// BenchmarkScan measures what the executor of queries uses.
func BenchmarkScan(b *testing.B) {
	const n = 200_000
	index, _ := benchLog(b, n, 1000, 10, 100)
	for _, what := range []struct {
		name    string
		columns engine.ColumnSet
		filter  engine.Filter
		reuse   bool
	}{
		{"all", engine.ColAll, engine.Filter{}, false},
		{"all,reuse", engine.ColAll, engine.Filter{}, true},
		{"payload+type", engine.ColPayload | engine.ColType, engine.Filter{}, false},
		{"payload+type,reuse", engine.ColPayload | engine.ColType, engine.Filter{}, true},
		{"type", engine.ColType, engine.Filter{}, false},
		{"none", 0, engine.Filter{}, false},
		{"one type", engine.ColPayload, engine.Filter{Types: []string{"OrderEvent03"}}, false},
	} {
		b.Run(what.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i += n {
				c := index.Scan(bg, what.filter, what.columns)
				if what.reuse {
					c.(engine.Reuser).Reuse()
				}
				for c.Next() != nil {
				}
				require.NoError(b, c.Err())
				c.Close()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkReadStream measures reading a random stream from its beginning to its end.
func BenchmarkReadStream(b *testing.B) {
	const n = 200_000
	for _, events := range []int{10, 1000} {
		for _, apart := range []int{1, 20, 100} {
			index, names := benchLog(b, n, 1000, events, apart)
			b.Run(fmt.Sprintf("events=%d/apart=%d", events, apart), func(b *testing.B) {
				b.ReportAllocs()
				for i := range b.N {
					c := index.ReadStream(bg, names[i*7919%len(names)], 0, engine.Forwards)
					k := 0
					for c.Next() {
						k++
					}
					require.NoError(b, c.Err())
					require.Equal(b, events, k)
					c.Close()
				}
			})
		}
	}
}

// BenchmarkCount measures counts that the indexes answer.
func BenchmarkCount(b *testing.B) {
	index, _ := benchLog(b, 200_000, 1000, 10, 100)
	for _, f := range []engine.Filter{{}, {Types: []string{"OrderEvent03"}}} {
		b.Run(fmt.Sprint(f.Types), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				_, err := index.Count(bg, f)
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkStoreReadStream measures reading a random stream of a store whose sealed segments answer
// from index files. A stream's events lie together, or apart with those of 100 other streams
// between them. The cursor uses its memory again.
func BenchmarkStoreReadStream(b *testing.B) {
	const n = 300_000
	for _, events := range []int{10, 1000} {
		for _, apart := range []int{1, 100} {
			s, names := benchStore(b, n, events, apart)
			b.Run(fmt.Sprintf("events=%d/apart=%d", events, apart), func(b *testing.B) {
				b.ReportAllocs()
				index := s.ReadIndex()
				for i := range b.N {
					c := index.ReadStream(bg, names[i*7919%len(names)], 0, engine.Forwards)
					c.(engine.Reuser).Reuse()
					k := 0
					for c.Next() {
						k++
					}
					require.NoError(b, c.Err())
					require.Equal(b, events, k)
					c.Close()
				}
			})
			require.NoError(b, s.Close())
		}
	}
}

// benchStore fills a store with n orders in streams of perStream events, of which apart grow
// together.
func benchStore(tb testing.TB, n, perStream, apart int) (*FileStore, []string) {
	s, err := Open(tb.TempDir(), Options{})
	require.NoError(tb, err)
	payload := []byte(fmt.Sprintf(`{"order": 1234567, "amount": 4321, "note": "%0*d"}`, 256-47, 0))[:256]
	metadata := []byte(fmt.Sprintf(`{"user": "%0*d"}`, 64-12, 0))[:64]
	var names []string
	var batch []engine.Append
	for len(names)*perStream < n {
		growing := make([]string, apart)
		for i := range growing {
			growing[i] = uuid.NewString()
		}
		names = append(names, growing...)
		for range perStream {
			for _, name := range growing {
				batch = append(batch, engine.Append{Stream: name, Events: []engine.NewEvent{
					{Type: fmt.Sprintf("OrderEvent%02d", len(batch)%12), Payload: payload, Metadata: metadata}}})
				if len(batch) == 1000 {
					_, err := s.Append(bg, batch...)
					require.NoError(tb, err)
					batch = batch[:0]
				}
			}
		}
	}
	if len(batch) > 0 {
		_, err := s.Append(bg, batch...)
		require.NoError(tb, err)
	}
	waitIndexed(tb, s)
	return s, names
}
