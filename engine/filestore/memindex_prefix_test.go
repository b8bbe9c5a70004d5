package filestore

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// behindFile indexes the first part of the events in a file and the rest in memory behind it. The parts meet between frames.
func behindFile(t *testing.T, events []indexedEvent, part int) *memIndex {
	for part > 0 && events[part].frame == events[part-1].frame {
		part--
	}
	x, _ := fileIndexOf(t, memIndexOf(events[:part]), newBlockCache(1<<20, 1<<20))
	m := newMemIndexBehind(x)
	for i := range events[part:] {
		m.add(&events[part+i])
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
			_, fs := fileIndexOf(t, plain, newBlockCache(1, 0))
			want := fileContent(t, fs, "7.idx")
			for _, part := range []int{c.events / 10, c.events / 2, c.events - 1} {
				m := behindFile(t, model.events, part)
				for _, limit := range []uint32{m.count(), m.count()/2 + 1, m.skip + 1} {
					compareIndexes(t, r, model, m, max(1, min(limit, m.count())))
				}
				_, fs := fileIndexOf(t, m, newBlockCache(1, 0))
				require.Equal(t, want, fileContent(t, fs, "7.idx"), "the file of the whole")
			}
		})
	}
}

func TestMemIndexReplacesItsPrefix(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	model := &naiveIndex{corpora["mixed"].make(r)}
	m := behindFile(t, model.events, 700)
	x := m.prefixFile()
	require.NotNil(t, x)
	require.NoError(t, x.close())
	_, err := m.offset(0)
	require.Error(t, err)
	m.replacePrefix(memIndexOf(model.events[:m.skip]))
	require.Nil(t, m.prefixFile())
	compareIndexes(t, r, model, m, m.count())
}
