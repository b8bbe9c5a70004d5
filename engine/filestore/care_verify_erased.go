package filestore

import (
	"fmt"
	"math"

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
	var named, done engine.Spans
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
	if p, ok := firstMissing(v.erased, named); ok {
		return v.wrongly(p, "is marked as erased, but no erasure names it")
	}
	if p, ok := firstMissing(done, v.erased); ok {
		return v.wrongly(p, "has content, but an erasure that is done names it")
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

// firstMissing returns the first position of a that b does not have.
func firstMissing(a, b engine.Spans) (p engine.Position, ok bool) {
	for _, x := range a {
		for p := x.From; p < x.To; {
			y := reaching(b, p, math.MaxInt64)
			if len(y) == 0 || y[0].From > p {
				return p, true
			}
			p, b = y[0].To, y
		}
	}
	return 0, false
}

// agreesOnErasures reports whether all erasures are done of which MANIFEST says so. It has been read
// after Verify began.
func (v *verification) agreesOnErasures(m *format.Manifest) (bool, error) {
	since, err := v.store.current().told(v.ctx, v.index.head)
	e := (*erasures)(nil).with(append(v.told, since...))
	return e == nil || m.Erased <= e.open[0].position, err
}
