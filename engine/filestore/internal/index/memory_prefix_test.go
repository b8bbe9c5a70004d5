package index_test

import (
	"math/rand/v2"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/filestore/internal/index/indextest"
	"github.com/stretchr/testify/require"
)

// behindFile indexes the first part of the events in a file and the rest in memory behind it. The
// parts meet between frames.
func behindFile(t *testing.T, events []index.Event, part int) *index.Memory {
	for part > 0 && events[part].Frame == events[part-1].Frame {
		part--
	}
	x, _ := indextest.FileOf(t, indextest.MemoryOf(events[:part]), index.NewBlockCache(1<<20, 1<<20))
	m := index.NewMemoryBehind(x)
	for i := range events[part:] {
		m.Add(&events[part+i])
	}
	return m
}

func TestMemIndexBehindFileIsLikeTheModel(t *testing.T) {
	for name, c := range indextest.Corpora {
		if c.Events < 10 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(31, 32))
			model := &indextest.Model{Events: c.Make(r)}
			plain := indextest.MemoryOf(model.Events)
			_, fs := indextest.FileOf(t, plain, index.NewBlockCache(1, 0))
			want := indextest.Content(t, fs, "7.idx")
			for _, part := range []int{c.Events / 10, c.Events / 2, c.Events - 1} {
				m := behindFile(t, model.Events, part)
				for _, limit := range []uint32{m.Count(), m.Count()/2 + 1, m.Skip + 1} {
					indextest.Compare(t, r, model, m, max(1, min(limit, m.Count())))
				}
				_, fs := indextest.FileOf(t, m, index.NewBlockCache(1, 0))
				require.Equal(t, want, indextest.Content(t, fs, "7.idx"), "the file of the whole")
			}
		})
	}
}

func TestMemIndexReplacesItsPrefix(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	model := &indextest.Model{Events: indextest.Corpora["mixed"].Make(r)}
	m := behindFile(t, model.Events, 700)
	x := m.PrefixFile()
	require.NotNil(t, x)
	require.NoError(t, x.Close())
	_, err := m.Offset(0)
	require.Error(t, err)
	m.ReplacePrefix(indextest.MemoryOf(model.Events[:m.Skip]))
	require.Nil(t, m.PrefixFile())
	indextest.Compare(t, r, model, m, m.Count())
}
