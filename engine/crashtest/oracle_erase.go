package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
)

// told returns a batch with the events that tell of its notes. Erasures must have an id.
func told(batch []engine.Append) []engine.Append {
	batch = slices.Clone(batch)
	for i := range batch {
		if note := batch[i].Note(); note != nil {
			batch[i].Stream, batch[i].Events = note.OwnStream(), note.NewEvents()
		}
	}
	return batch
}

// Erase is an append that erases events.
func (g *Generator) Erase(events ...engine.Span) engine.Append {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
	return engine.Append{Erase: &engine.Erasure{ID: g.id(), Events: events, Reason: "crashtest"}}
}

// Forget is an append that tells of a destroyed key.
func (g *Generator) Forget() engine.Append {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
	return engine.Append{Erase: &engine.Erasure{
		ID: g.id(), Subject: fmt.Sprintf("%032x", g.n), Revision: 1, Reason: "crashtest",
	}}
}

func isDone(e *engine.Event) bool {
	return e.Stream == engine.ErasuresStream && e.Type == engine.ErasureDoneType
}

// goneOf returns what the erasures among the events name.
func goneOf(events []engine.Event) (gone engine.Spans, err error) {
	for i := range events {
		if e := &events[i]; e.Stream == engine.ErasuresStream && e.Type == engine.ErasedType {
			told, err := engine.ParseErased(e.Payload)
			if err != nil {
				return nil, fmt.Errorf("P11: position %d: %w", i, err)
			}
			gone = gone.Union(told.Events)
		}
	}
	return gone, nil
}

// difference says in what an event is not as it was given, or not erased as it should be.
func difference(e *engine.Event, stream string, given *engine.NewEvent, gone bool) string {
	if e.Redacted != gone {
		return fmt.Sprintf("fate (redacted: %v)", e.Redacted)
	}
	if gone {
		without := *given
		without.Payload, without.Metadata = nil, nil
		given = &without
	}
	return enginetest.Difference(e, stream, given)
}

// pieceSize is how many bytes of an event's content tell that it is there.
const pieceSize = 24

// CheckErased tells whether a file holds a piece of what an erasure names that is done. It returns
// how many events were looked for.
func (o *Oracle) CheckErased(ctx context.Context, f *FS, s engine.Store) (events int, err error) {
	list, err := s.(engine.Eraser).Erasures(ctx)
	if err != nil {
		return 0, err
	}
	var done engine.Spans
	for _, e := range list {
		if !e.DoneAt.IsZero() {
			done = done.Union(e.Events)
		}
	}
	if len(done) == 0 {
		return 0, nil
	}
	all, err := readAll(ctx, s)
	if err != nil {
		return 0, err
	}
	contents, err := readFiles(f)
	if err != nil {
		return 0, err
	}
	for i := range all {
		if !done.Has(all[i].Position) {
			continue
		}
		events++
		for _, piece := range o.pieces(&all[i]) {
			for name, content := range contents {
				if bytes.Contains(content, piece) {
					return events, fmt.Errorf("P11: %s holds a piece of position %d, which is erased", name,
						all[i].Position)
				}
			}
		}
	}
	return events, nil
}

// readFiles reads all files. If one of them goes meanwhile, what it held may be in another that was
// not there yet: then all are read again.
func readFiles(f *FS) (contents map[string][]byte, err error) {
	for range 1000 {
		contents = map[string][]byte{}
		for _, name := range f.Files() {
			if contents[name], err = f.ReadFile(name); err != nil {
				break
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return contents, err
}

// pieces returns pieces of what was given as the payload of an event.
func (o *Oracle) pieces(e *engine.Event) (pieces [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	eachEvent(o.byID[e.ID].batch, func(_ string, given *engine.NewEvent) {
		n := len(given.Payload)
		if given.ID != e.ID || n < pieceSize || bytes.Count(given.Payload, []byte{0}) == n {
			return
		}
		for _, at := range []int{0, (n - pieceSize) / 2, n - pieceSize} {
			pieces = append(pieces, given.Payload[at:at+pieceSize])
		}
	})
	return pieces
}
