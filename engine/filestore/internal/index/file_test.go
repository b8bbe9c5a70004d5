package index_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/filestore/internal/index/indextest"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
)

func TestFileIndexIsLikeTheModel(t *testing.T) {
	for name, c := range indextest.Corpora {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 12))
			model := &indextest.Model{Events: c.Make(r)}
			x, _ := indextest.FileOf(t, indextest.MemoryOf(model.Events), index.NewBlockCache(1<<20, 1<<20))
			for _, limit := range []uint32{x.Count(), x.Count()/2 + 1, 1} {
				indextest.Compare(t, r, model, x, limit)
			}
			require.NoError(t, x.Close())
		})
	}
}

// TestFileIndexWithoutMemory has a cache of one set and no room for filters.
func TestFileIndexWithoutMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	model := &indextest.Model{Events: indextest.Corpora["mixed"].Make(r)}
	x, _ := indextest.FileOf(t, indextest.MemoryOf(model.Events), index.NewBlockCache(1, 0))
	indextest.Compare(t, r, model, x, x.Count())
	for d := range x.Filters {
		require.Nil(t, x.Filters[d].Load().Bits)
	}
}

func TestFileIndexOfNothing(t *testing.T) {
	x, _ := indextest.FileOf(t, index.NewMemory(0, indextest.Store), index.NewBlockCache(1, 0))
	for d := range index.Dictionaries {
		require.Empty(t, indextest.KeysOf(t, x, d, "", 0, -1))
		_, ok, err := x.Lookup(d, "a", 0)
		require.NoError(t, err)
		require.False(t, ok)
	}
	ord, err := x.Since(5, 0)
	require.NoError(t, err)
	require.Zero(t, ord)
	ords, err := x.Candidates(uuid.New(), 0, nil)
	require.NoError(t, err)
	require.Empty(t, ords)
	_, err = x.Offset(0)
	require.Error(t, err)
}

// TestFileIndexLongLists has lists with skips, of which the model would make too much work.
func TestFileIndexLongLists(t *testing.T) {
	const events = 30_000
	m := index.NewMemory(0, indextest.Store)
	r := rand.New(rand.NewPCG(15, 16))
	var e index.Event
	for i := range uint32(events) {
		binary.LittleEndian.PutUint32(e.ID[:], i)
		e.Offset, e.Frame, e.Type = int64(i), int64(i), []byte("T")
		e.Stream = fmt.Appendf(nil, "s%d", min(r.IntN(6), r.IntN(40), r.IntN(1000)))
		m.Add(&e)
	}
	x, _ := indextest.FileOf(t, m, index.NewBlockCache(1<<20, 1<<20))
	for range 400 {
		lo, hi, key := r.Uint32N(events), r.Uint32N(events+1), fmt.Sprintf("s%d", r.IntN(8))
		want, err := m.Postings(index.ByStream, key, lo, hi, nil)
		require.NoError(t, err)
		got, err := x.Postings(index.ByStream, key, lo, hi, nil)
		require.NoError(t, err)
		require.Equal(t, want, got, "%s from %d to %d", key, lo, hi)
		wantEntry, wantOK, _ := m.Lookup(index.ByStream, key, hi)
		entry, ok, err := x.Lookup(index.ByStream, key, hi)
		require.NoError(t, err)
		require.Equal(t, wantOK, ok)
		require.Equal(t, wantEntry, entry)
	}
	all, err := x.Postings(index.ByType, "T", 0, events, nil)
	require.NoError(t, err)
	require.Len(t, all, events)
}

// TestIndexFilesAreEqual: equal events give equal files, whatever they are written from.
func TestIndexFilesAreEqual(t *testing.T) {
	for name, c := range indextest.Corpora {
		t.Run(name, func(t *testing.T) {
			events := c.Make(rand.New(rand.NewPCG(17, 18)))
			m := indextest.MemoryOf(events)
			x, fs := indextest.FileOf(t, m, index.NewBlockCache(1<<20, 0))
			once := indextest.Content(t, fs, "7.idx")
			_, fs = indextest.FileOf(t, indextest.MemoryOf(events), index.NewBlockCache(1, 0))
			require.Equal(t, once, indextest.Content(t, fs, "7.idx"), "from the events again")
			_, fs = indextest.FileOf(t, x, index.NewBlockCache(1, 0))
			require.Equal(t, once, indextest.Content(t, fs, "7.idx"), "from the file")
		})
	}
}

func TestOpenIndexFileRefusesOthers(t *testing.T) {
	m := indextest.MemoryOf(indextest.Corpora["few"].Make(rand.New(rand.NewPCG(19, 20))))
	_, fs := indextest.FileOf(t, m, index.NewBlockCache(1, 0))
	tests := map[string]func(*index.Meta){
		"store":      func(m *index.Meta) { m.Store[3]++ },
		"number":     func(m *index.Meta) { m.Number++ },
		"generation": func(m *index.Meta) { m.Generation++ },
		"base":       func(m *index.Meta) { m.Base++ },
		"count":      func(m *index.Meta) { m.Count++ },
		"end":        func(m *index.Meta) { m.End += 8 },
		"chain":      func(m *index.Meta) { m.Chain[31]++ },
	}
	for name, change := range tests {
		meta := indextest.MetaOf(m)
		change(&meta)
		_, err := index.OpenFile(fs, "7.idx", meta, index.NewBlockCache(1, 0))
		var damage *index.Damage
		require.ErrorAs(t, err, &damage, name)
	}
	_, err := index.OpenFile(fs, "8.idx", indextest.MetaOf(m), index.NewBlockCache(1, 0))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// answers asks an index everything, and returns the answers as one text, or the first error.
func answers(x index.Index, model *indextest.Model) (string, error) {
	var out []byte
	n := uint32(len(model.Events))
	for ord := range n {
		e := &model.Events[ord]
		off, err := x.Offset(ord)
		frame, first, err1 := x.Frame(ord)
		micros, err2 := x.RecordedAt(ord)
		at, err3 := x.Since(e.Micros, n)
		ids, err4 := x.Candidates(e.ID, n, nil)
		ords, err5 := x.Postings(index.ByStream, string(e.Stream), 0, n, nil)
		stream, ok, err6 := x.Lookup(index.ByStream, string(e.Stream), ord+1)
		out = fmt.Append(out, off, frame, first, micros, at, ids, ords, stream, ok)
		if err := errors.Join(err, err1, err2, err3, err4, err5, err6); err != nil {
			return "", err
		}
	}
	for d := range index.Dictionaries {
		err := x.Keys(d, "", n, func(e index.Entry) bool { out = fmt.Append(out, e); return true })
		_, ok, err1 := x.Lookup(d, "absent", n)
		out = fmt.Append(out, ok)
		if err := errors.Join(err, err1); err != nil {
			return "", err
		}
	}
	return string(out), nil
}

// TestIndexFileDamage changes bytes of a file, and cuts it: the answers are the same or there is an
// error. It takes every 17th byte, or every byte if EVENTFOLD_TORTURE is set.
func TestIndexFileDamage(t *testing.T) {
	if sabotage.On(sabotage.IndexWithoutCRC) {
		t.Log("the blocks' checksums are not looked at")
	}
	model := &indextest.Model{Events: indextest.Corpora["few"].Make(rand.New(rand.NewPCG(21, 22)))}
	m := indextest.MemoryOf(model.Events)
	x, fs := indextest.FileOf(t, m, index.NewBlockCache(1<<20, 0))
	want, err := answers(x, model)
	require.NoError(t, err)
	content := indextest.Content(t, fs, "7.idx")
	f, err := fs.Open("7.idx", os.O_RDWR)
	require.NoError(t, err)
	cache := index.NewBlockCache(1, 1<<20)
	detected, harmless := 0, 0
	try := func(what string, at int) {
		x, err := index.OpenFile(fs, "7.idx", indextest.MetaOf(m), cache)
		got := ""
		if err == nil {
			got, err = answers(x, model)
			require.NoError(t, x.Close())
		}
		var damage *index.Damage
		switch {
		case errors.As(err, &damage):
			detected++
		case err != nil:
			t.Fatalf("%s at %d: %v is no indexDamage", what, at, err)
		case got != want:
			t.Fatalf("%s at %d: wrong answers and no error", what, at)
		default:
			harmless++
		}
	}
	stride := 17
	if testenv.Torture() > 0 {
		stride = 1
	}
	for at := 0; at < len(content); at += stride {
		for _, flip := range []byte{1 << (at % 8), 0xff} {
			_, err := f.WriteAt([]byte{content[at] ^ flip}, int64(at))
			require.NoError(t, err)
			try("flip", at)
		}
		_, err := f.WriteAt(content[at:at+1], int64(at))
		require.NoError(t, err)
	}
	for at := 0; at < len(content); at += 512 {
		require.NoError(t, f.Truncate(int64(at)))
		try("cut", at)
		require.NoError(t, f.Truncate(int64(len(content)))) // now with zeros
		try("zeros from", at)
		_, err := f.WriteAt(content, 0)
		require.NoError(t, err)
	}
	t.Logf("%d bytes: damage was %d times detected, %d times harmless", len(content), detected, harmless)
	require.Positive(t, detected)
	x, err = index.OpenFile(fs, "7.idx", indextest.MetaOf(m), cache)
	require.NoError(t, err)
	got, err := answers(x, model)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// FuzzIndexFile decodes content whose checksums are right: the decoder alone stands between it and
// a panic.
func FuzzIndexFile(f *testing.F) {
	events := indextest.Corpora["few"].Make(rand.New(rand.NewPCG(23, 24)))
	model := &indextest.Model{Events: events}
	m := indextest.MemoryOf(events)
	_, fs := indextest.FileOf(f, m, index.NewBlockCache(1, 0))
	whole := indextest.Content(f, fs, "7.idx")
	f.Add(uint32(0), uint32(0), []byte{}, true)
	f.Add(uint32(5000), uint32(3), []byte{0xff, 0xff, 0xff, 0xff, 0x7f}, true)
	f.Add(uint32(len(whole)-index.BlockSize+index.TableAt), uint32(8), []byte{0xff, 0xff, 0xff}, false)
	f.Fuzz(func(t *testing.T, at, step uint32, change []byte, filters bool) {
		content := append([]byte(nil), whole...)
		for i, c := range change {
			content[(uint64(at)+uint64(i)*uint64(step%5000+1))%uint64(len(content))] ^= c
		}
		tryIndexFile(t, sealBlocks(content, indextest.MetaOf(m)), indextest.MetaOf(m), model, filters)
	})
}

// sealBlocks gives every block the checksum of its content.
func sealBlocks(content []byte, m index.Meta) []byte {
	for at := 0; at+index.BlockSize <= len(content); at += index.BlockSize {
		b := content[at : at+index.BlockSize]
		binary.LittleEndian.PutUint32(b[index.BlockPayload:],
			index.BlockCRC(m.BlockSeed(), uint32(at/index.BlockSize), b[:index.BlockPayload]))
	}
	return content
}

func tryIndexFile(t *testing.T, content []byte, m index.Meta, model *indextest.Model, filters bool) {
	fs := vfs.NewMem()
	f, err := fs.Open("x.idx", os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	_, err = f.WriteAt(content, 0)
	require.NoError(t, err)
	room := int64(0)
	if filters {
		room = 1 << 20
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	x, err := index.OpenFile(fs, "x.idx", m, index.NewBlockCache(1, room))
	if err != nil {
		return
	}
	_ = x.Keys(index.ByTag, "", x.Count(), func(index.Entry) bool { return true })
	for _, e := range model.Events[:3] {
		_, _, _ = x.Lookup(index.ByStream, string(e.Stream), x.Count())
		_, _ = x.Postings(index.ByType, string(e.Type), 0, x.Count(), nil)
		_, _ = x.Candidates(e.ID, x.Count(), nil)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4*len(content)+1<<20))
	_, _ = answers(x, model)
	_ = index.WriteFile(context.Background(), fs, "y.idx", x, m)
}

func BenchmarkIndexLookup(b *testing.B) {
	const events = 600_000
	g := indextest.NewGenerator(events/10, 10)
	m := index.NewMemory(0, indextest.Store)
	var ids []uuid.UUID
	for range events {
		e := g.Next()
		m.Add(e)
		ids = append(ids, e.ID)
	}
	x, fs := indextest.FileOf(b, m, index.NewBlockCache(16<<20, 64<<20))
	content := indextest.Content(b, fs, "7.idx")
	b.Logf("%.1f bytes per event", float64(len(content))/events)
	r := rand.New(rand.NewPCG(25, 26))
	names := make([]string, 1024)
	for i := range names {
		names[i] = fmt.Sprintf("account-%d", r.IntN(events/10))
	}
	for _, way := range []struct {
		name  string
		index index.Index
	}{{"memory", m}, {"file", x}} {
		run := func(name string, do func(i int) error) {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for i := range b.N {
					if err := do(i); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		var ords []uint32
		run("stream",
			func(i int) error { _, _, err := way.index.Lookup(index.ByStream, names[i%1024], events); return err })
		run("absent", func(i int) (err error) {
			_, _, err = way.index.Lookup(index.ByStream, names[i%1024][1:], events)
			return
		})
		run("postings", func(i int) (err error) {
			ords, err = way.index.Postings(index.ByStream, names[i%1024], 0, events, ords[:0])
			return
		})
		run("id", func(i int) (err error) {
			ords, err = way.index.Candidates(ids[i*7919%events], events, ords[:0])
			return
		})
		run("absent id", func(i int) (err error) {
			id := ids[i*7919%events]
			id[3]++
			ords, err = way.index.Candidates(id, events, ords[:0])
			return
		})
		run("offset", func(i int) error { _, err := way.index.Offset(uint32(i * 7919 % events)); return err })
		run("since", func(i int) error { _, err := way.index.Since(int64(i*7919%(events*15)), events); return err })
		run("type of 60000", func(i int) (err error) {
			ords, err = way.index.Postings(index.ByType, "Event3", 0, events, ords[:0])
			return
		})
	}
	b.Run("write", func(b *testing.B) {
		for range b.N {
			if err := index.WriteFile(context.Background(), fs, "8.idx", m, indextest.MetaOf(m)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for range b.N {
			x, err := index.OpenFile(fs, "7.idx", indextest.MetaOf(m), x.Cache)
			if err != nil {
				b.Fatal(err)
			}
			_ = x.Close()
		}
	})
}
