package index

import (
	"fmt"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// numberedEvent returns an event with an id that is made of its number, some of version 7.
func numberedEvent(n int) Event {
	id := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n))
	if n%3 == 0 {
		id[6] = id[6]&0x0f | 0x70
	}
	r := format.Record{Stream: fmt.Append(nil, "s-", n%50), Type: []byte("T"), ID: id}
	var e Event
	e.Set(&r, int64(n)*8+format.SegmentHeaderSize, format.SegmentHeaderSize, 1)
	return e
}

// TestIDsAddedBesideAreThoseAddedOneByOne, of any number, in front of others and behind them.
func TestIDsAddedBesideAreThoseAddedOneByOne(t *testing.T) {
	for _, counts := range [][3]int{{0, 0, 0}, {0, 1, 0}, {3, 170, 1}, {100, 71, 0}, {0, idBatch, 5}, {700, 5000, 900}} {
		plain, beside := NewMemory(0, uuid.Max), NewMemory(0, uuid.Max)
		n, ids := 0, []uuid.UUID(nil)
		for i, count := range counts {
			settle := func() {}
			if i == 1 {
				settle = beside.AddIDsBeside()
			}
			for range count {
				e := numberedEvent(n)
				plain.Add(&e)
				beside.Add(&e)
				ids = append(ids, e.ID)
				n++
			}
			settle()
		}
		require.Equal(t, plain.Size(), beside.Size(), "%v", counts)
		require.Equal(t, plain.idSpan(), beside.idSpan(), "%v", counts)
		for ord, id := range ids {
			want, err := plain.Candidates(id, uint32(n), nil)
			require.NoError(t, err)
			got, err := beside.Candidates(id, uint32(n), nil)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Contains(t, got, uint32(ord))
		}
	}
}

// BenchmarkAddIDsBeside adds 100,000 events to an index. Bad news: beside takes as long as plain,
// where there are two processors.
func BenchmarkAddIDsBeside(b *testing.B) {
	events := make([]Event, 100_000)
	for n := range events {
		events[n] = numberedEvent(n)
	}
	for _, beside := range []bool{false, true} {
		b.Run(fmt.Sprintf("beside=%v", beside), func(b *testing.B) {
			for b.Loop() {
				m := NewMemory(0, uuid.Max)
				settle := func() {}
				if beside {
					settle = m.AddIDsBeside()
				}
				for n := range events {
					m.Add(&events[n])
				}
				settle()
			}
		})
	}
}
