package filestore

import (
	"context"
	"errors"
	"io/fs"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A Standby is a copy of a store in another directory that follows it, frame by frame, while the
// store is written to: by this process or by another one of this machine. It is a store itself, of
// the same id, whose chain is the source's at every head, so that every receipt of the source holds
// for it. Others may read it meanwhile. Once the Standby is closed it can be opened for writing
// and takes the source's place; from the first append to it on it follows nobody any more.
//
// Only what is durable in the source is taken over. Erasures are carried out before what says that
// they are done is; until then the copy hides what they name, as the source does. A copy that is
// behind takes events that the source has erased since without their content, and Verify of it
// says so until it has come to what tells of the erasure. What a ledger has erased in the source
// ([ApplyErasures]) is erased in the copy when it has caught up next.
//
// One goroutine uses a Standby.
type Standby struct {
	source *FileStore
	dest   *FileStore // nil before the first copy
	dir    string
	opt    Options

	segment int64  // of the source: its number
	end     logEnd // in it, behind the last frame that was taken over
}

// A StandbyReport tells how far a Standby has come.
type StandbyReport struct {
	Head   engine.Head     // of the copy
	Source engine.Position // the head of the source when it was looked at
}

// OpenStandby opens the copy of source in the directory dir, or makes it: the directory may be
// missing or empty, hold an earlier copy to which nothing has been appended, or a backup, restored
// or not. One with another chain is a [*engine.HeadError], another store a [*engine.FormatError].
// source must be open for reading only; who opened it closes it, after the Standby. The options are
// those of the copy, which is locked until Close, so that nobody else writes to it.
func OpenStandby(ctx context.Context, source *FileStore, dir string, o Options) (*Standby, error) {
	o.ReadOnly, o.MustExist, o.Expect = false, false, nil
	o.Sync, o.applying = SyncInterval, true
	s := &Standby{source: source, dir: dir, opt: o}
	if err := s.checkPlace(); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// checkPlace refuses the source's own directory.
func (s *Standby) checkPlace() error {
	o := s.opt
	if err := o.fill(); err != nil {
		return err
	}
	s.opt.FS = o.FS
	here, err := o.FS.Stat(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wrap("look at "+s.dir, err)
	}
	home, err := s.source.checkHome()
	if err == nil && sameFile(here, home) {
		err = &engine.FormatError{File: s.dir, Reason: "is the store itself, which cannot be its own copy"}
	}
	return err
}

// open opens the copy, and makes it first if it is not there. A source without events has no copy
// yet.
func (s *Standby) open(ctx context.Context) error {
	var refused error // to make it, perhaps because somebody else has made it meanwhile
	for made := false; ; made = true {
		dest, err := Open(s.dir, s.opt)
		if err != nil {
			return err
		}
		if len(dest.current().view.segments) > 0 {
			s.dest = dest
			if err := s.begin(ctx); err != nil {
				s.dest = nil
				return errors.Join(err, dest.Close())
			}
			return nil
		}
		if err := dest.Close(); err != nil {
			return err
		}
		if made || s.source.ReadIndex().Head() == 0 {
			return refused
		}
		if refused = s.copy(ctx); refused != nil && !errors.As(refused, new(*BackupError)) {
			return refused
		}
	}
}

// copy makes the first copy, as a backup is made.
func (s *Standby) copy(ctx context.Context) error {
	b, err := s.source.newBackup(ctx, s.dir)
	if err != nil {
		return err
	}
	b.dst, b.linking = s.opt.FS, s.opt.FS == s.source.opt.FS
	return b.run()
}

// begin takes the lock of the copy and finds its head in the source.
func (s *Standby) begin(ctx context.Context) error {
	if err := s.dest.startWriting(ctx); err != nil {
		return err
	}
	if err := s.unmark(); err != nil {
		return err
	}
	head, err := s.dest.Head()
	if err != nil {
		return err
	}
	index := s.source.ReadIndex().(*readIndex)
	if id := s.dest.current().view.store; len(index.view.segments) == 0 || index.view.store != id {
		return &engine.FormatError{File: s.dir, Reason: "holds another store, " + id.String() + ", than the source"}
	}
	if err := s.source.CheckHead(head); err != nil {
		return err
	}
	return s.find(ctx, index, head)
}

// unmark makes a store of a backup.
func (s *Standby) unmark() error {
	err := s.opt.FS.Remove(vfs.Join(s.dir, backupName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wrap("remove "+backupName, err)
	}
	return writeError("sync "+s.dir, s.opt.FS.SyncDir(s.dir))
}

// find finds the end of the frame in the source that ends at the head of the copy.
func (s *Standby) find(ctx context.Context, index *readIndex, head engine.Head) error {
	seg := index.view.segments[index.find(head.Position)]
	scan, err := newLogScanner(seg, startOf(&seg.header, 0))
	if err != nil {
		return err
	}
	for scan.end.next < head.Position || scan.end.chain != head.Chain {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := scan.next()
		if err != nil {
			return wrap("read "+seg.name, err)
		}
		if f == nil { // the source has the head: CheckHead has found it
			return damagedAt(seg, scan.end, scan.why)
		}
		if scan.end.next > head.Position {
			return &engine.HeadError{Expected: head, Actual: engine.Head{Position: scan.end.next, Chain: scan.end.chain}}
		}
	}
	s.segment, s.end = seg.number, scan.end
	return nil
}

// Head returns the head of the copy.
func (s *Standby) Head() (engine.Head, error) {
	if s.dest == nil {
		return engine.Head{}, nil
	}
	return s.dest.Head()
}

// Catch takes over what is durable in the source and not in the copy yet, and returns when it is
// durable there, too. progress, if it is not nil, is called now and then.
func (s *Standby) Catch(ctx context.Context, progress func(StandbyReport)) (StandbyReport, error) {
	if s.dest == nil {
		if err := s.open(ctx); err != nil || s.dest == nil {
			return StandbyReport{}, err
		}
	}
	for first := true; first || s.source.failures.Load() > 0; first = false { // one that failed has seen nothing
		if !first && !s.source.rest(maxLookPause) {
			break
		}
		if err := errors.Join(ctx.Err(), s.source.catchUp()); err != nil {
			return StandbyReport{}, err
		}
	}
	if err := s.source.ended(); err != nil {
		return StandbyReport{}, err
	}
	index := s.source.current()
	for s.end.next < index.head {
		if err := s.takeSegment(ctx, index); err != nil {
			return StandbyReport{}, err
		}
		if progress != nil {
			progress(StandbyReport{Head: s.head(), Source: index.head})
		}
	}
	if err := s.ask(ctx, func(w *writer) error { return w.settleLog() }); err != nil {
		return StandbyReport{}, err
	}
	if err := s.takeErased(ctx, index); err != nil {
		return StandbyReport{}, err
	}
	return StandbyReport{Head: s.head(), Source: index.head}, nil
}

func (s *Standby) head() engine.Head {
	return engine.Head{Position: s.end.next, Chain: s.end.chain}
}

// Follow takes over what comes until ctx ends, and then returns its error. report is called whenever
// the copy has caught up; it must not be nil.
func (s *Standby) Follow(ctx context.Context, report func(StandbyReport)) error {
	for {
		r, err := s.Catch(ctx, nil)
		if err != nil {
			return err
		}
		report(r)
		if err := s.source.Wait(ctx, r.Source); err != nil {
			return err
		}
	}
}

// Close gives the copy free. What was taken over is durable.
func (s *Standby) Close() error {
	if s.dest == nil {
		return nil
	}
	return s.dest.Close()
}

// framesAtOnce is how many frames takeSegment takes between two looks at what else there is to do.
const framesAtOnce = 4096

// takeSegment takes frames of the segment that the next one is in, up to its end or to the head.
func (s *Standby) takeSegment(ctx context.Context, index *readIndex) error {
	i := index.find(s.end.next)
	seg := index.view.segments[i]
	if seg.number != s.segment {
		if seg.header.ChainIn != s.end.chain {
			return &engine.HeadError{Expected: s.head(),
				Actual: engine.Head{Position: seg.base, Chain: seg.header.ChainIn}}
		}
		s.segment, s.end = seg.number, startOf(&seg.header, s.end.micros)
	}
	limit := seg.base + engine.Position(index.limit(i))
	scan, err := newLogScanner(seg, s.end)
	if err != nil {
		return err
	}
	for n := 0; s.end.next < limit && n < framesAtOnce; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := scan.next()
		if err != nil {
			return wrap("read "+seg.name, err)
		}
		if f == nil { // in another generation the frames have other checksums
			return s.findAgain(ctx, index, scan)
		}
		if err := s.take(ctx, seg, f); err != nil {
			return err
		}
	}
	return nil
}

// findAgain finds the end of what was taken over in a segment that was written anew meanwhile. If it
// is where it was the segment is damaged.
func (s *Standby) findAgain(ctx context.Context, index *readIndex, scan *logScanner) error {
	before, why := s.end, scan.why
	err := s.find(ctx, index, s.head())
	if err != nil || s.end != before {
		return err
	}
	return damagedAt(index.view.segments[index.find(before.next)], before, why)
}

// damagedAt tells that no frame follows in a segment where one must.
func damagedAt(seg *segment, at logEnd, why error) error {
	if why == nil {
		why = format.ErrFramePrevious
	}
	return &engine.CorruptError{File: seg.name, Segment: seg.number, Offset: at.offset,
		FirstLost: at.next, NextGood: nextGood(seg, at), Reason: why.Error()}
}

// take takes a frame over. Its chain value must be the one that its content gives.
func (s *Standby) take(ctx context.Context, seg *segment, f *logFrame) error {
	if f.Kind != format.FrameSeal {
		foreign, err := s.foreign(seg, f)
		if err != nil {
			return err
		}
		if err := s.settleErasures(ctx, foreign); err != nil {
			return err
		}
		if err := s.ask(ctx, func(w *writer) error { return w.takeFrame(foreign) }); err != nil {
			return err
		}
	}
	s.end = f.end
	return nil
}

// foreign returns a frame as the writer takes it.
func (s *Standby) foreign(seg *segment, f *logFrame) (*foreignFrame, error) {
	content := format.FrameRecords(f.bytes)
	seals := appendSeals(nil, content, int(f.Count))
	if format.NextChain(s.end.chain, f.bytes, seals) != f.end.chain {
		return nil, &engine.CorruptError{File: seg.name, Segment: seg.number, Offset: f.offset, FirstLost: f.First,
			NextGood: engine.NoPosition, Reason: "its chain value is not the one that its events give"}
	}
	return &foreignFrame{FrameHeader: f.FrameHeader, content: content, seals: seals}, nil
}

// settleErasures carries out the erasures that a frame says are done, before it is taken over.
func (s *Standby) settleErasures(ctx context.Context, f *foreignFrame) error {
	e := s.dest.view.Load().erasures
	if e == nil || !f.tellsOfDone() {
		return nil
	}
	return s.dest.eraser.settle(ctx, e)
}

// tellsOfDone reports whether some event of the frame tells that an erasure is done.
func (f *foreignFrame) tellsOfDone() bool {
	rest := f.content
	for range f.Count {
		r, err := format.DecodeRecord(rest)
		if err != nil {
			return false
		}
		if string(r.Stream) == engine.ErasuresStream && string(r.Type) == engine.ErasureDoneType {
			return true
		}
		rest = rest[r.Size:]
	}
	return false
}

// ask has the writer of the copy do something, which it always answers.
func (s *Standby) ask(ctx context.Context, do func(w *writer) error) error {
	return s.dest.order(ctx, do)
}

// StoreID returns the id of the store that source and copy share, uuid.Nil while the source has no
// events.
func (s *Standby) StoreID() uuid.UUID { return s.source.current().view.store }
