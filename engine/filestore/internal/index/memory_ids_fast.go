package index

import (
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
)

// Where many events are added before anybody reads them, another goroutine makes the table of their
// ids, which are spread over all of it: at once, when it is known how large it is to be.
// BenchmarkAddIDsBeside holds it, and TestIDsAddedBesideAreThoseAddedOneByOne compares the two.

// An idMaker collects the ids of the events that are added.
type idMaker struct {
	seed  uint64
	first uint32 // ordinal
	batch []uuid.UUID
	full  chan []uuid.UUID
	done  chan struct{} // closed when slots and span are there
	slots []uint64      // as hashSlots has them
	span  format.IDSpan
}

const idBatch = 1024

// AddIDsBeside lets a goroutine take care of the ids of the events that are added from now on.
// Candidates does not know them before settle, which ends it, has returned. Only the goroutine that
// adds may call both.
func (m *Memory) AddIDsBeside() (settle func()) {
	i := &idMaker{
		seed:  m.seed,
		first: m.events.Load(),
		full:  make(chan []uuid.UUID, 16),
		done:  make(chan struct{}),
	}
	m.beside = i
	go i.run() // ends with settle, which waits for it
	return func() {
		m.beside = nil
		i.full <- i.batch
		close(i.full)
		<-i.done
		m.ids.insertAll(i.slots)
		m.span.Join(&i.span)
	}
}

func (i *idMaker) add(id *uuid.UUID) {
	if i.batch = append(i.batch, *id); len(i.batch) == idBatch {
		i.full <- i.batch
		i.batch = make([]uuid.UUID, 0, idBatch)
	}
}

func (i *idMaker) run() {
	defer close(i.done)
	ord := i.first
	for batch := range i.full {
		for n := range batch {
			i.slots = append(i.slots, format.HashID(i.seed, &batch[n])>>32<<32|uint64(ord+1))
			i.span.Add(&batch[n])
			ord++
		}
	}
}

// insertAll adds many slots at once.
func (h *hashSlots) insertAll(slots []uint64) {
	if len(slots) == 0 {
		return
	}
	size := firstHashSlots
	for h.count+len(slots) > size/3*2 {
		size *= 2
	}
	t := h.table.Load()
	if t == nil || len(*t) < size {
		t = h.enlarge(t, size)
	}
	for _, slot := range slots {
		putSlot(*t, slot)
	}
	h.count += len(slots)
}
