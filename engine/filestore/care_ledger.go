package filestore

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A ledger is lines of JSON, for copies of the store of any age. FORMAT.md shows one. The first line
// is a ledgerHead; then comes a ledgerErasure for each erasure, and a ledgerSeals for each run of
// events that they name; the last is a ledgerEnd.
//
// These constants are part of the format and must not be changed.
const (
	ledgerVersion  = 1
	ledgerRun      = 512      // seals in one line, at most
	ledgerLineSize = 64 << 10 // bytes of a line, at most
)

// A ledgerHead says of which store the ledger is, and how far it had come.
type ledgerHead struct {
	Ledger *int        `json:"ledger"`
	Store  uuid.UUID   `json:"store"`
	Head   ledgerPlace `json:"head"`
}

// A ledgerPlace is an engine.Head.
type ledgerPlace struct {
	Position engine.Position `json:"position"`
	Chain    string          `json:"chain"` // hexadecimal
}

// A ledgerErasure says which event tells of an erasure, and how many events it names. Its reason and
// its actor stay in the store: copies need neither.
type ledgerErasure struct {
	Erasure  uuid.UUID       `json:"erasure"`
	Position engine.Position `json:"position"`
	Events   int64           `json:"events"`
}

// A ledgerSeals has the seals of events at successive positions.
type ledgerSeals struct {
	From  engine.Position `json:"from"`
	Seals []byte          `json:"seals"` // one behind the other
}

// A ledgerEnd shows that nothing of the ledger is missing.
type ledgerEnd struct {
	Lines  int64  `json:"lines"`  // before this one
	Events int64  `json:"events"` // whose seals they have
	SHA256 string `json:"sha256"` // of the lines before this one, hexadecimal
}

// WriteLedger writes the store's ledger to w: which events have been erased, by position and seal,
// as of now. ApplyErasures erases them in a copy of the store of any age. The ledger holds no
// content, no names, no reasons. It may be read as soon as an erasure is accepted; that it is done
// is not needed. Appends and reads go on meanwhile.
//
// Equal states of a store give equal ledgers.
func (s *FileStore) WriteLedger(ctx context.Context, w io.Writer) error {
	if s.closed.Load() {
		return engine.ErrClosed
	}
	index := s.ReadIndex().(*readIndex)
	list, err := index.erasures(ctx)
	if err != nil {
		return err
	}
	head, err := index.headAt(index.head)
	if err != nil {
		return err
	}
	l := &ledgerWriter{out: bufio.NewWriter(w), sum: sha256.New()}
	version := ledgerVersion
	l.line(ledgerHead{&version, index.view.store, ledgerPlace{head.Position, hex.EncodeToString(head.Chain[:])}})
	for i := range list {
		l.line(ledgerErasure{list[i].ID, list[i].Position, list[i].Events.Count()})
	}
	if err := index.eachSeal(ctx, index.erasedEvents(list), l.add); err != nil {
		return err
	}
	l.flush()
	return l.end()
}

// erasedEvents returns the events that these erasures name, or ERASED does.
func (r *readIndex) erasedEvents(list []engine.ErasureInfo) (events engine.Spans) {
	for i := range list {
		events = events.Union(list[i].Events)
	}
	if f := r.view.erased; f != nil {
		events = events.Union(f.Events)
	}
	return events
}

// A ledgerWriter writes a ledger. Its first error stays.
type ledgerWriter struct {
	out    *bufio.Writer
	sum    hash.Hash
	lines  int64
	events int64
	run    ledgerSeals // that is being collected
	err    error
}

// line writes a line.
func (l *ledgerWriter) line(v any) {
	b, err := json.Marshal(v)
	if l.err == nil {
		l.err = err
	}
	if l.err != nil {
		return
	}
	b = append(b, '\n')
	l.sum.Write(b)
	l.lines++
	_, l.err = l.out.Write(b)
}

// add adds the seal of the event at p, which is behind those before.
func (l *ledgerWriter) add(p engine.Position, r *format.Record) error {
	n := len(l.run.Seals) / format.SealSize
	if n == ledgerRun || n > 0 && p != l.run.From+engine.Position(n) {
		l.flush()
	}
	if len(l.run.Seals) == 0 {
		l.run.From = p
	}
	seal := r.Seal()
	l.run.Seals = append(l.run.Seals, seal[:]...)
	l.events++
	return l.err
}

// flush writes the seals that have been collected.
func (l *ledgerWriter) flush() {
	if len(l.run.Seals) > 0 {
		l.line(l.run)
		l.run.Seals = l.run.Seals[:0]
	}
}

// end writes the last line.
func (l *ledgerWriter) end() error {
	l.line(ledgerEnd{l.lines, l.events, hex.EncodeToString(l.sum.Sum(nil))})
	if l.err == nil {
		l.err = l.out.Flush()
	}
	return wrap("write the ledger", l.err)
}

// eachSeal calls f with the record of each of the events that are below the head, in their order;
// its seal is that of the event whether or not that has been erased already. It reads the segments
// that hold some of them, whole.
func (r *readIndex) eachSeal(
	ctx context.Context, events engine.Spans, f func(engine.Position, *format.Record) error,
) error {
	for i, seg := range r.view.segments {
		part := events.Within(engine.Span{From: seg.base, To: seg.base + engine.Position(r.limit(i))})
		if len(part) == 0 {
			continue
		}
		if err := eachSealOf(ctx, seg, part, f); err != nil {
			return err
		}
	}
	return nil
}

// eachSealOf is eachSeal for one segment, which holds all of the events.
func eachSealOf(
	ctx context.Context, seg *segment, events engine.Spans, f func(engine.Position, *format.Record) error,
) error {
	s, err := newLogScanner(seg, startOf(&seg.header, 0))
	if err != nil {
		return err
	}
	for s.end.next < events[len(events)-1].To {
		if err := ctx.Err(); err != nil {
			return err
		}
		frame, err := s.next()
		if err != nil {
			return wrap("read "+seg.name, err)
		}
		if frame == nil {
			return corruptAt(seg, s.end, s.why)
		}
		if err := eachSealIn(seg, frame, events, f); err != nil {
			return err
		}
	}
	return nil
}

// eachSealIn is eachSeal for one frame.
func eachSealIn(
	seg *segment, frame *logFrame, events engine.Spans, f func(engine.Position, *format.Record) error,
) error {
	end := frame.First + engine.Position(frame.Count)
	if frame.Kind != format.FrameEvents || reaching(events, frame.First, end) == nil {
		return nil
	}
	rest := format.FrameRecords(frame.bytes)
	for p := frame.First; p < end; p++ {
		r, err := format.DecodeRecord(rest)
		if err == nil && events.Has(p) {
			err = format.CheckRecord(rest, seg.header.Store, p)
		}
		if err != nil {
			return corruptAt(seg, logEnd{offset: frame.offset, next: p}, err)
		}
		if events.Has(p) {
			if err := f(p, &r); err != nil {
				return err
			}
		}
		rest = rest[r.Size:]
	}
	return nil
}

// corruptAt returns the error for damage of a segment at a place.
func corruptAt(seg *segment, at logEnd, why error) error {
	return (&rewriting{seg: seg}).damage(at, why, nextGood(seg, at))
}
