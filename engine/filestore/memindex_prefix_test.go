package filestore

import (
	"math/rand/v2"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/stretchr/testify/require"
)

// behindFile indexes the first part of the events in a file and the rest in memory behind it. The
// parts meet between frames.
func behindFile(t *testing.T, events []index.Event, part int) *index.Memory {
	for part > 0 && events[part].Frame == events[part-1].Frame {
		part--
	}
	x, _ := fileIndexOf(t, memIndexOf(events[:part]), index.NewBlockCache(1<<20, 1<<20))
	m := index.NewMemoryBehind(x)
	for i := range events[part:] {
		m.Add(&events[part+i])
	}
	return m
}

func TestMemIndexBehindFileIsLikeTheModel(t *testing.T) {
	for name, c := range corpora {
		if c.events < 10 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(31, 32))
			model := &naiveIndex{c.make(r)}
			plain := memIndexOf(model.events)
			_, fs := fileIndexOf(t, plain, index.NewBlockCache(1, 0))
			want := fileContent(t, fs, "7.idx")
			for _, part := range []int{c.events / 10, c.events / 2, c.events - 1} {
				m := behindFile(t, model.events, part)
				for _, limit := range []uint32{m.Count(), m.Count()/2 + 1, m.Skip + 1} {
					compareIndexes(t, r, model, m, max(1, min(limit, m.Count())))
				}
				_, fs := fileIndexOf(t, m, index.NewBlockCache(1, 0))
				require.Equal(t, want, fileContent(t, fs, "7.idx"), "the file of the whole")
			}
		})
	}
}

func TestMemIndexReplacesItsPrefix(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	model := &naiveIndex{corpora["mixed"].make(r)}
	m := behindFile(t, model.events, 700)
	x := m.PrefixFile()
	require.NotNil(t, x)
	require.NoError(t, x.Close())
	_, err := m.Offset(0)
	require.Error(t, err)
	m.ReplacePrefix(memIndexOf(model.events[:m.Skip]))
	require.Nil(t, m.PrefixFile())
	compareIndexes(t, r, model, m, m.Count())
}
