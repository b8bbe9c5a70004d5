package crashtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
)

// Dir is where the suites keep their store.
const Dir = "/stores/store"

// A Generator makes appends for an Oracle: sizes from nothing to many sectors, ids of both kinds,
// several streams. The same seed makes the same ones. It may be used by any number of goroutines.
type Generator struct {
	mu sync.Mutex // protects r and n
	r  *rand.Rand
	n  uint64
}

// NewGenerator returns a Generator.
func NewGenerator(seed uint64) *Generator { return &Generator{r: rand.New(rand.NewPCG(seed, 1))} }

// Event returns an event with a payload of size bytes.
func (g *Generator) Event(size int) engine.NewEvent {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
	e := engine.NewEvent{ID: g.id(), Type: fmt.Sprintf("type-%d", g.r.IntN(4)), Payload: make([]byte, size)}
	for i := range e.Payload {
		e.Payload[i] = byte(g.r.Uint32())
	}
	switch g.r.IntN(5) {
	case 0:
		e.Tags = []string{"odd", fmt.Sprintf("n:%d", g.n%7)}
	case 1:
		e.Metadata = fmt.Appendf(nil, `{"n":%d}`, g.n)
	case 2: // zeros look like what was never written
		clear(e.Payload)
	}
	return e
}

// id makes an id of version 7 or 4.
func (g *Generator) id() uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], g.n<<16)
	binary.BigEndian.PutUint64(id[8:], g.r.Uint64())
	version := byte(0x70)
	if g.n%3 == 0 {
		binary.BigEndian.PutUint64(id[:], g.r.Uint64())
		version = 0x40
	}
	id[6] = id[6]&0x0f | version
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Append returns an append of events with payloads of these sizes to one of four streams.
func (g *Generator) Append(sizes ...int) engine.Append {
	a := engine.Append{Stream: fmt.Sprintf("stream-%d", g.IntN(4))}
	for _, size := range sizes {
		a.Events = append(a.Events, g.Event(size))
	}
	return a
}

// IntN returns a random number below n.
func (g *Generator) IntN(n int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.r.IntN(n)
}

// Script is a workload of one client that goes through everything a store does: appends of one
// sector and of many, of several streams, rotations. It calls after, if that is not nil, after each
// append, and stops at the first error.
func Script(ctx context.Context, o *Oracle, s engine.Store, g *Generator, after func() error) error {
	for _, batch := range g.script() {
		_, err := o.Append(ctx, s, batch...)
		if err == nil && after != nil {
			err = after()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Insist is the workload of Script, but goes on after errors. It returns how many appends had one.
func Insist(ctx context.Context, o *Oracle, s engine.Store, g *Generator) (refused int) {
	for _, batch := range g.script() {
		if _, err := o.Append(ctx, s, batch...); err != nil {
			refused++
		}
	}
	return refused
}

func (g *Generator) script() [][]engine.Append {
	return [][]engine.Append{
		{g.Append(10)},
		{g.Append(0, 30, 700)},
		{g.Append(100), g.Append(200), g.Append(300)},
		{g.Append(5000)},
		{g.Append(8)},
		{g.Append(20_000)}, // rotates
		{g.Append(1, 1, 1, 1)},
		{g.Append(9000), g.Append(400)},
		{g.Append(12_000)}, // rotates, with what is before
		{g.Append(60_000)}, // needs a segment of its own
		{g.Append(40)},
		{g.Append(40)},
	}
}
