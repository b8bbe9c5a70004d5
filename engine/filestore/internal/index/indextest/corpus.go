package indextest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/google/uuid"
)

// A Corpus says what random events look like.
type Corpus struct {
	Events, Streams, Types, Tags int
	PerFrame                     int // events of a frame, at most
	V4                           int // one in so many ids is random; 0 for none
}

// Store is the store whose hashes the tests use.
var Store = uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")

// Make returns events as a log would have them.
func (c Corpus) Make(r *rand.Rand) []index.Event {
	events := make([]index.Event, c.Events)
	versions := map[string]engine.Version{}
	offset, micros := int64(4096), int64(1_700_000_000_000_000)
	for i := 0; i < c.Events; {
		frame := offset
		offset += 64
		for n := 1 + r.IntN(c.PerFrame); n > 0 && i < c.Events; n-- {
			e := &events[i]
			stream := fmt.Sprintf("order-%d", r.IntN(c.Streams))
			if r.IntN(50) == 0 {
				stream = strings.Repeat("long", 63) + fmt.Sprint(r.IntN(3)) // up to the greatest size
			}
			if _, known := versions[stream]; !known {
				versions[stream] = engine.Version(r.IntN(3)) * 1_000_000 // as if it had begun in an earlier segment
			}
			*e = index.Event{Offset: offset, Frame: frame, Stream: []byte(stream), Version: versions[stream],
				Type: fmt.Appendf(nil, "Type%d", min(r.IntN(c.Types), r.IntN(c.Types))), ID: c.ID(r, micros)}
			versions[stream]++
			for _, tag := range r.Perm(max(c.Tags, 1))[:r.IntN(min(c.Tags, 3)+1)] {
				e.Tags = append(e.Tags, fmt.Appendf(nil, "tag:%d", tag))
			}
			slices.SortFunc(e.Tags, func(a, b []byte) int { return strings.Compare(string(a), string(b)) })
			if r.IntN(3) == 0 {
				micros += r.Int64N(5000)
			}
			e.Micros = micros
			offset += int64(8 * (8 + r.IntN(60)))
			i++
		}
		offset += 40
	}
	return events
}

// ID returns an id as an event of that time has it.
func (c Corpus) ID(r *rand.Rand, micros int64) (id uuid.UUID) {
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	id[6], id[8] = 0x40|id[6]&15, 0x80|id[8]&63
	if c.V4 != 0 && r.IntN(c.V4) == 0 {
		return id
	}
	for i, ms := 0, micros/1000; i < 6; i++ {
		id[5-i] = byte(ms >> (8 * i))
	}
	id[6] = 0x70 | id[6]&15
	return id
}

// Corpora are the shapes that the comparisons run over.
var Corpora = map[string]Corpus{
	"one event":   {Events: 1, Streams: 1, Types: 1, PerFrame: 1},
	"few":         {Events: 37, Streams: 5, Types: 2, Tags: 4, PerFrame: 5, V4: 3},
	"one stream":  {Events: 700, Streams: 1, Types: 1, Tags: 1, PerFrame: 20},
	"all streams": {Events: 900, Streams: 1 << 30, Types: 40, PerFrame: 1, V4: 1},
	"mixed":       {Events: 1500, Streams: 200, Types: 12, Tags: 30, PerFrame: 9, V4: 10},
}
