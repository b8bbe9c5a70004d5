package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// An ApplyReport tells what ApplyErasures has done.
type ApplyReport struct {
	Store  uuid.UUID
	Head   engine.Head // of the copy, which is as it was
	Ledger engine.Head // of the store when the ledger was written
	Named  int64       // events that the ledger names
	Beyond int64       // those of them that the copy does not have, because it is older
	Before int64       // those that were erased in the copy already
	Erased int64       // those that have been erased now
	// Readers are the processes that have a file open which held it: what they have open is gone
	// when they close it.
	Readers []int
}

// A SealError reports that a copy has another event than the one that was erased in the store: it is
// no copy of the store, or something was appended to it after it was restored. Nothing was changed.
type SealError struct {
	Path     string // of the copy
	Position engine.Position
	Ledger   [32]byte // the seal that the ledger names
	Copy     [32]byte // the seal of the event in the copy
}

// Error implements error.
func (e *SealError) Error() string {
	return fmt.Sprintf("eventfold: %s: the event at position %d has the seal %x, the ledger names %x: "+
		"it is another event, and nothing was changed", e.Path, e.Position, e.Copy, e.Ledger)
}

// ApplyErasures erases in a copy of a store, which nobody writes to, what was erased in the store
// after the copy was made, or restored. ledger is what WriteLedger of the store has written, and dir
// is the copy: a backup, a restored one, a copy of the files, of any age.
//
// The ledger is read whole before anything is changed, and each event that it names is compared by
// its seal; the error is a [*LedgerError], a [*SealError], or a [*engine.FormatError] if the ledger
// is of another store. What the ledger names at or behind the copy's head is counted and left out.
// Then the segments that hold some of the events are written anew, as the store's own erasing does
// it, and what a crash has left in the copy is removed. Nothing is appended: the copy has the head
// that it had, and a backup remains one. The file ERASED in the copy names what its own log does
// not, so that Verify finds nothing wrong.
//
// When ApplyErasures has returned without an error no file of the copy holds the content. After any
// other end, a crash too, it is to be called again; until then readers of the copy are kept from
// seeing it if ERASED had been written. Applying the same again changes nothing.
//
// While another process writes to the copy the error is a [*engine.LockedError], after
// Options.BusyTimeout. Options.Prealloc, which would have the copy grow, counts for nothing.
func ApplyErasures(ctx context.Context, ledger io.Reader, dir string, o Options) (ApplyReport, error) {
	if o.ReadOnly {
		return ApplyReport{}, engine.ErrReadOnly
	}
	l, err := readLedger(ledger)
	if err != nil {
		return ApplyReport{}, err
	}
	if err := ctx.Err(); err != nil {
		return ApplyReport{}, err
	}
	a := &application{ctx: ctx, ledger: l, dir: dir, opt: o}
	a.opt.MustExist, a.opt.Prealloc, a.opt.applying, a.opt.mending = true, PreallocNone, true, true
	err = a.run()
	return a.report, err
}

// An application is one run of ApplyErasures.
type application struct {
	ctx    context.Context
	ledger *ledger
	dir    string
	opt    Options
	report ApplyReport

	named  engine.Spans   // what the ledger names of the copy's events
	whole  engine.Spans   // those of them that have content
	erased *format.Erased // what ERASED is to say
}

// run looks at everything for reading only, and then does what is to be done.
func (a *application) run() error {
	needed, err := a.compare()
	if err != nil || !needed {
		return err
	}
	a.opt.Expect = &a.report.Head // so that what was compared is still there
	s, err := Open(a.dir, a.opt)
	if err != nil {
		return err
	}
	err = a.erase(s)
	if err == nil {
		a.report.Erased = a.whole.Count()
		a.report.Readers = s.eraser.foreignReaders
	}
	return errors.Join(err, s.Close())
}

// compare compares the ledger with the copy, and reports whether there is something to do.
func (a *application) compare() (needed bool, err error) {
	o := a.opt
	o.ReadOnly = true
	s, err := Open(a.dir, o)
	if err != nil {
		return false, err
	}
	defer s.Close()
	index := s.current()
	a.report.Store, a.report.Ledger, a.report.Named = a.ledger.store, a.ledger.head, a.ledger.events.Count()
	if len(index.view.segments) == 0 {
		a.report.Beyond = a.report.Named
		return false, nil
	}
	if index.view.store != a.ledger.store {
		return false, &engine.FormatError{File: a.dir, Reason: fmt.Sprintf(
			"is of the store %s, the ledger of the store %s", index.view.store, a.ledger.store)}
	}
	if a.report.Head, err = index.headAt(index.head); err != nil {
		return false, err
	}
	first := index.view.segments[0].base // what lies before it has been given up
	a.named = a.ledger.events.Within(engine.Span{From: first, To: index.head})
	if own, err := index.hasOwn(a.ctx, a.named); err != nil || own != "" {
		return false, errors.Join(err, a.refusal(own))
	}
	a.report.Beyond = a.report.Named - a.ledger.events.Within(engine.Span{To: index.head}).Count()
	if err := a.compareSeals(index); err != nil {
		return false, err
	}
	a.report.Before = a.named.Count() - a.whole.Count()
	if needed, err = a.plan(index); err != nil || needed || a.report.Named == 0 {
		return needed, err
	}
	return s.mayHoldMore(a.named)
}

// refusal is the error for a ledger that no store has written.
func (a *application) refusal(own string) error {
	if own == "" {
		return nil
	}
	return &engine.InvalidError{Event: -1, Field: "ledger", Reason: cannotErase(own)}
}

// compareSeals compares the seal of each event that the ledger names with that in the copy.
func (a *application) compareSeals(index *readIndex) error {
	at := 0 // of seals
	skip := a.ledger.events.Within(engine.Span{To: index.view.segments[0].base}).Count()
	seals := a.ledger.seals[skip*format.SealSize:]
	return index.eachSeal(a.ctx, a.named, func(p engine.Position, r *format.Record) error {
		want := seals[at*format.SealSize:][:format.SealSize]
		at++
		if seal := r.Seal(); !bytes.Equal(seal[:], want) {
			return &SealError{Path: a.dir, Position: p, Ledger: [32]byte(want), Copy: seal}
		}
		if !r.Redacted() {
			a.whole.Add(engine.Span{From: p, To: p + 1})
		}
		return nil
	})
}

// plan decides what ERASED is to say: what it says, what the log does not name, and what has
// content. It reports whether there is something to do.
func (a *application) plan(index *readIndex) (needed bool, err error) {
	own, err := index.erasures(a.ctx)
	if err != nil {
		return false, err
	}
	var logged engine.Spans
	for i := range own {
		logged = logged.Union(own[i].Events)
	}
	a.erased = &format.Erased{Store: a.ledger.store, Events: missing(a.named, logged).Union(a.whole)}
	before := index.view.erased
	if before == nil {
		return len(a.erased.Events) > 0, nil
	}
	a.erased.Events = a.erased.Events.Union(before.Events)
	done := *a.erased
	done.Done = true
	return len(a.whole) > 0 || !sameErased(before, &done), nil
}

// mayHoldMore reports whether the directory has bytes that are not in the log, so that nobody knows
// whose they are: what a crash has left, of events that came into the store, and were erased there,
// after the copy was made. So has a file that was derived from what the ledger names.
func (s *FileStore) mayHoldMore(named engine.Spans) (bool, error) {
	files, err := s.fs.List(s.dir)
	more := func(file string) bool { return s.isLeft(file) || s.holdsDerived(file, named) }
	if err != nil || slices.ContainsFunc(files, more) {
		return err == nil, wrap("list "+s.dir, err)
	}
	segments := s.view.Load().segments
	for i, seg := range segments[:len(segments)-1] {
		if segments[i+1].header.Supersedes() {
			size, err := seg.file.Size()
			if err != nil || size > seg.sealed.Load().end {
				return err == nil, wrap("look at "+seg.name, err)
			}
		}
	}
	return !s.log.isClean(), nil
}

// erase erases what has content.
func (a *application) erase(s *FileStore) error {
	if err := s.startWriting(a.ctx); err != nil {
		return err
	}
	if err := writeErasedFile(s.fs, s.dir, a.erased); err != nil {
		return err
	}
	if err := s.showErased(a.ctx, a.erased); err != nil {
		return err
	}
	return s.eraser.carryOut(a.ctx)
}

// carryOut does all that ERASED names, for ApplyErasures.
func (x *eraser) carryOut(ctx context.Context) error {
	left := x.left(x.s.view.Load().erasures)
	meter := newMeter(ctx, left)
	for {
		e := x.s.view.Load().erasures
		if len(e.foreign().open) == 0 {
			return nil
		}
		more, err := x.piece(ctx, e)
		if err != nil {
			return err
		}
		if !more {
			return x.refusal()
		}
		if now := x.left(e); now < left {
			meter.add(left - now)
			left = now
		}
	}
}

// left is about how many bytes the segments have that are to be written anew, or looked at, because of
// erasures.
func (x *eraser) left(e *erasures) (bytes int64) {
	if e == nil {
		return 0
	}
	index := x.s.current()
	for i, seg := range index.view.segments {
		to := seg.base + engine.Position(index.limit(i))
		if slices.ContainsFunc(e.open, func(o openErasure) bool {
			return !x.clean[cleanPart{o.id, seg.number}] && reaching(o.events, seg.base, to) != nil
		}) {
			bytes += index.bytesOf(i)
		}
	}
	return bytes
}

// settle does all that erasures name, for who has opened the store and carries them out himself. Only
// what tells that they are done is left to append.
func (x *eraser) settle(ctx context.Context, e *erasures) error {
	x.forgetOthers(e)
	for more := true; more; {
		x.until = time.Time{} // nothing is to be waited for
		var err error
		if more, err = x.piece(ctx, e); err != nil {
			return err
		}
		if len(e.foreign().open) > 0 { // what ERASED names is done without the log being told
			if e = x.s.view.Load().erasures; e == nil {
				return nil
			}
		}
	}
	if over := x.over(e, x.s.view.Load().segments); len(over.open) < len(e.open) {
		return x.refusal()
	}
	return x.clear(ctx, e.all())
}

// forgetOthers lets go of what is known of other erasures, which are done.
func (x *eraser) forgetOthers(e *erasures) {
	open := map[uuid.UUID]bool{}
	for _, o := range e.open {
		open[o.id] = true
	}
	maps.DeleteFunc(x.clean, func(part cleanPart, _ bool) bool { return !open[part.erasure] })
	x.replaced = nil
}

var errNotErased = errors.New("eventfold: some of what the ledger names could not be erased")

// refusal returns why some segment cannot be written anew.
func (x *eraser) refusal() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, err := range x.refused {
		return err
	}
	return errNotErased
}
