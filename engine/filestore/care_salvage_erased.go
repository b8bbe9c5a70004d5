package filestore

import (
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// Salvage keeps what is erased erased: the records are taken over as they are, and what tells of
// erasures names the positions that the events have in the new store. What is named and has content
// still is erased on the way.
type salvagedErasures struct {
	learning bool         // erasures are looked for; nothing is saved
	named    engine.Spans // in the damaged store
	records  [][]byte     // of the append that is being collected; nil for one that is made anew
	moves    []move       // of all that was saved
	gone     engine.Spans // what is erased in the new store
	told     engine.Spans // what erasures name in the new store
}

// A move tells where n events of the damaged store are in the new one.
type move struct {
	from, to engine.Position
	n        engine.Position
}

// learnErasures reads what the damaged store tells of erasures, as far as it can be read.
func (v *salvage) learnErasures(files []*salvageFile) error {
	v.erased.learning = true
	for _, f := range files {
		if err := v.file(f, 1<<63-1); err != nil {
			return err
		}
	}
	v.erased.learning, v.damage = false, Gap{}
	return nil
}

// take learns from an event, whose record stands at the beginning of b, or saves it.
func (v *salvage) take(pos engine.Position, b []byte, r *format.Record, micros int64) error {
	if !v.erased.learning {
		return v.save(pos, b, r, micros)
	}
	if isOwn(r.Stream) {
		if t, ok, err := tell(pos, string(r.Type), r.Payload); err == nil && ok {
			v.erased.named = v.erased.named.Union(t.erased.Events)
		}
	}
	return nil
}

// event returns an event as it is to be appended, and keeps its record.
func (v *salvage) event(pos engine.Position, b []byte, r *format.Record) (engine.NewEvent, error) {
	e, x := r.NewEvent(), &v.erased
	if isOwn(r.Stream) {
		if t, ok, err := tell(pos, e.Type, e.Payload); err == nil && ok && len(t.erased.Events) > 0 {
			events := x.moved(t.erased.Events)
			x.told = x.told.Union(events)
			if !slices.Equal(events, t.erased.Events) {
				t.erased.Events = events
				e.Payload = t.erased.Payload()
				x.records = append(x.records, nil)
				return e, nil
			}
		}
	}
	first := len(x.records) == 0
	erase := x.named.Has(pos) && !r.Redacted()
	x.records = append(x.records, format.CopyRecord(nil, b, first, erase))
	if erase || r.Redacted() {
		v.report.Erased++
		e.Payload, e.Metadata = nil, nil
	}
	return e, nil
}

// moved returns where events of the damaged store are in the new one. Those that are lost are not
// there.
func (x *salvagedErasures) moved(events engine.Spans) (found engine.Spans) {
	for _, m := range x.moves {
		for _, s := range reaching(events, m.from, m.from+m.n) {
			from, to := max(s.From, m.from), min(s.To, m.from+m.n)
			found.Add(engine.Span{From: from - m.from + m.to, To: to - m.from + m.to})
		}
	}
	return found
}

// append appends what has been collected.
func (v *salvage) append() (engine.Appended, error) {
	x := &v.erased
	own := slices.ContainsFunc(v.batch, func(a engine.Append) bool { return a.Stream[0] == '$' })
	r, err := v.dest.request(v.ctx, v.batch, own)
	if err == nil {
		r.records = x.replace(r.records)
		r.seal()
		err = v.dest.enqueue(v.ctx, r)
	}
	if err != nil {
		r.release()
		return engine.Appended{}, err
	}
	done, err := v.dest.await(v.ctx, r)
	if err == nil {
		x.placed(v.first, done.Events)
	}
	x.records = nil
	return done, err
}

// replace puts the records that are kept in the place of those that have been encoded.
func (x *salvagedErasures) replace(encoded []byte) []byte {
	var records []byte
	for _, record := range x.records {
		size := format.RecordSize(encoded)
		if record == nil {
			record = encoded[:size]
		}
		records, encoded = append(records, record...), encoded[size:]
	}
	return records
}

// placed notes where events have come that begin at position first of the damaged store.
func (x *salvagedErasures) placed(first engine.Position, events []engine.Placed) {
	m := move{from: first, to: events[0].Position, n: engine.Position(len(events))}
	if last := len(x.moves) - 1; last >= 0 && x.moves[last].joins(m) {
		x.moves[last].n += m.n
	} else {
		x.moves = append(x.moves, m)
	}
	for i, record := range x.records {
		if r, err := format.DecodeRecord(record); err == nil && r.Redacted() {
			x.gone.Add(engine.Span{From: m.to + engine.Position(i), To: m.to + engine.Position(i) + 1})
		}
	}
}

// joins reports whether next goes on where m ends, in both stores.
func (m move) joins(next move) bool { return m.from+m.n == next.from && m.to+m.n == next.to }

// eraseUnnamed tells of what is erased although no erasure names it: what told of it is lost.
func (v *salvage) eraseUnnamed() error {
	unnamed := missing(v.erased.gone, v.erased.told)
	if len(unnamed) == 0 {
		return nil
	}
	erasure := &engine.Erasure{Events: unnamed, Reason: "salvaged: what told of this erasure is lost"}
	_, err := v.dest.Append(v.ctx, engine.Append{Erase: erasure})
	return err
}
