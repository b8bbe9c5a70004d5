package indextest

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

// A Generator makes cheap events for large indexes. It allocates nothing per event.
type Generator struct {
	streams, perFrame int
	e                 index.Event
	n                 int
	rnd               *rand.Rand
	name, kind        []byte
}

// NewGenerator makes events of so many streams, perFrame of which stand in a frame.
func NewGenerator(streams, perFrame int) *Generator {
	return &Generator{
		streams:  streams,
		perFrame: perFrame,
		rnd:      rand.New(rand.NewPCG(8, 9)),
		e:        index.Event{Offset: 4096, Frame: 4096},
	}
}

// Next makes the next event, which lives until the one after it is made.
func (g *Generator) Next() *index.Event {
	if g.n%g.perFrame == 0 {
		g.e.Offset += 104
		g.e.Frame = g.e.Offset - 64
		g.e.Micros += 150
	}
	g.name = strconv.AppendInt(append(g.name[:0], "account-"...), int64(g.rnd.IntN(g.streams)), 10)
	g.kind = append(append(g.kind[:0], "Event"...), byte('0'+g.n%10))
	g.e.Stream, g.e.Type = g.name, g.kind
	binary.LittleEndian.PutUint64(g.e.ID[:8], g.rnd.Uint64())
	binary.LittleEndian.PutUint64(g.e.ID[8:], g.rnd.Uint64())
	g.e.Offset += 208
	g.n++
	return &g.e
}
