package filestore

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// note notes what a record tells of erasures, or that it is erased.
func (v *verification) note(pos engine.Position, r *format.Record) error {
	if r.Redacted() {
		v.erased.Add(engine.Span{From: pos, To: pos + 1})
	}
	if string(r.Stream) != engine.ErasuresStream || r.Redacted() {
		return nil
	}
	t, ok, err := tell(pos, string(r.Type), r.Payload)
	if ok {
		v.told = append(v.told, t)
	}
	return err
}

// erasures checks, when all has been read, that erasures name what is marked as erased: otherwise
// whoever can write to a file could take events away. And that what they name has no content, if
// they are done.
func (v *verification) erasures() error {
	// What is read may be a later generation than that of the time when Verify began.
	since, err := v.store.ReadIndex().(*readIndex).told(v.ctx, v.index.head)
	if err != nil {
		return err
	}
	var named, done engine.Spans
	for _, t := range since {
		named = named.Union(t.erased.Events)
	}
	over := map[uuid.UUID]bool{}
	for _, t := range v.told {
		over[t.done] = true
	}
	for _, t := range v.told {
		named = named.Union(t.erased.Events)
		if t.done == uuid.Nil && over[t.erased.Erasure] {
			done = done.Union(t.erased.Events)
		}
	}
	if f := v.index.view.erased; f != nil {
		named = named.Union(f.Events)
		if f.Done {
			done = done.Union(f.Events)
		}
	}
	if rest := missing(v.erased, named); len(rest) > 0 {
		return v.wrongly(rest[0].From, "is marked as erased, but no erasure names it")
	}
	if rest := missing(done, v.erased); len(rest) > 0 {
		return v.wrongly(rest[0].From, "has content, but an erasure that is done names it")
	}
	return nil
}

// wrongly returns the error for the event at a position, which is erased and should not be, or the
// other way round.
func (v *verification) wrongly(p engine.Position, what string) error {
	i := v.index.find(p)
	s := v.index.reader(v.ctx, i, new(blockMemory))
	off, err := s.Offset(s.ordinal(p))
	if err != nil {
		return err
	}
	return &engine.CorruptError{File: s.seg.name, Segment: s.seg.number, Offset: off, FirstLost: p, NextGood: p + 1,
		Reason: fmt.Sprintf("the event at position %d %s", p, what)}
}

// missing returns the positions of a that b does not have.
func missing(a, b engine.Spans) (rest engine.Spans) {
	for _, x := range a {
		from := x.From
		for _, y := range reaching(b, x.From, x.To) {
			rest.Add(engine.Span{From: from, To: min(y.From, x.To)})
			from = y.To
		}
		rest.Add(engine.Span{From: from, To: x.To})
	}
	return rest
}

// agreesOnErasures reports whether all erasures are done of which MANIFEST says so. It has been read
// after Verify began.
func (v *verification) agreesOnErasures(m *format.Manifest) (bool, error) {
	since, err := v.store.current().told(v.ctx, v.index.head)
	e := (*erasures)(nil).with(append(v.told, since...))
	return e == nil || m.Erased <= e.open[0].position, err
}
