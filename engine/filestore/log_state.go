package filestore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// A logState is what is known of the log on disk. It follows the log as a reader does: from the
// promises that the log and TAIL make it learns how far the log is durable, and looks at nothing
// beyond. It never writes. Recovery begins where it ends.
//
// It has one owner at a time: the writer, once there is one, else whoever holds the store's
// following lock.
type logState struct {
	fs      vfs.FS
	dir     string
	indexer *indexer
	plain   *plainCache
	opened  *vfs.FileCache // nil leaves every file open
	retired *retiredFiles

	store    uuid.UUID     // zero while there are no segments
	segments []*segment    // all but the last are complete
	end      logEnd        // in the last segment, behind the last frame that is promised
	index    *index.Memory // of the last segment, up to end
	least    int64         // recorded_at of the last segment's first event, microseconds

	manifest *format.Manifest  // as it was last read; nil if there is none or it is damaged
	lost     bool              // MANIFEST is damaged, or missing beside segments
	slots    []format.TailSlot // of TAIL, as it was last read, the newest first

	erasures  erasureLog
	erased    *format.Erased // the file ERASED; nil if there is none
	mending   bool           // a damaged ERASED counts as none: it is about to be written anew
	replaced  uint64         // how many segments were replaced by a new generation of theirs
	manifests manifestWriter // of this process
	seen      vfs.FileInfo   // of MANIFEST, when refresh looked last

	gathered *gathering // of what was read since readers saw the log last; nil if nobody gathers it

	claimed     vfs.File // the last segment, open for writing and locked; nil while this process does not write
	claimedName string

	// What the last look at the last segment found behind end.
	found struct {
		frames []*logFrame // whole frames that check and that nothing promises, with bytes of their own
		x      logEnd      // behind them: no frame begins here
		why    error       // for this reason
		seal   int64       // offset of a seal behind x.offset, 0 if there is none
	}
}

// errGone means that a file was there a moment ago: another process is changing the log. Looking
// again helps.
var errGone = errors.New("eventfold: the log changed while it was read")

// load reads the log from its beginning. A store that has no segments yet is left empty.
func (l *logState) load() error {
	// What promises is read before what is promised, so that a writer at work cannot look like
	// damage.
	if err := l.readTail(); err != nil {
		return err
	}
	if err := l.readManifest(); err != nil {
		return err
	}
	names, err := l.list()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return l.loadNothing()
	}
	l.lost = l.lost || l.manifest == nil
	if err := l.checkNames(names); err != nil {
		return err
	}
	for i, name := range names {
		seg, err := l.open(name)
		if err == nil {
			err = l.enter(seg, i == len(names)-1)
		}
		if err != nil {
			return err
		}
	}
	l.erasures = erasureLog{news: true}
	if l.manifest != nil {
		l.erasures.seen = l.manifest.Erased
	}
	if err := l.readErased(); err != nil {
		return err
	}
	return l.look()
}

// refresh reads what has been added since load.
func (l *logState) refresh() error {
	if len(l.segments) == 0 {
		return l.load()
	}
	if err := l.readTail(); err != nil {
		return err
	}
	changed := l.noticeManifest()
	if err := l.look(); err != nil {
		return err
	}
	if changed && (l.adopt() != nil || l.readErased() != nil) {
		l.seen = vfs.FileInfo{} // what is open can still be read; the next time more may be there
	}
	return nil
}

// refreshClaimed is refresh for whoever holds the write lock: what is read is complete, because the
// last segment is claimed before.
func (l *logState) refreshClaimed() error {
	for {
		if err := l.refresh(); err != nil || len(l.segments) == 0 {
			return err
		}
		if l.claimed != nil && l.claimedName == l.last().name {
			return nil
		}
		if err := l.claim(); err != nil {
			return err
		}
	}
}

// loadNothing accepts a directory without segments, if nothing says that it had some.
func (l *logState) loadNothing() error {
	if l.manifest == nil && len(l.slots) == 0 {
		return nil
	}
	number := max(l.manifest.Last(), 1)
	if len(l.slots) > 0 {
		number = max(number, l.slots[0].Segment)
	}
	return l.missing(number, 0)
}

// missing returns the error for a segment whose file is not there.
func (l *logState) missing(number int64, first engine.Position) error {
	name := format.SegmentFileName(number, 0)
	if m := l.manifest.Segment(number); m != nil {
		name = format.SegmentFileName(number, m.Generation)
		first = m.Base
	}
	return &engine.CorruptError{
		File:      vfs.Join(l.dir, name),
		Segment:   number,
		FirstLost: first,
		NextGood:  engine.NoPosition,
		Reason:    "the file is missing",
	}
}

func (l *logState) readTail() error {
	f, err := vfs.OpenToRead(l.fs, vfs.Join(l.dir, format.TailName))
	if errors.Is(err, fs.ErrNotExist) {
		l.slots = nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("eventfold: open TAIL: %w", err)
	}
	defer f.Close()
	l.slots, err = readTail(f)
	if err != nil {
		l.slots = nil // no information, not an error
	}
	return nil
}

func (l *logState) readManifest() error {
	m, err := readManifest(l.fs, l.dir)
	if errors.Is(err, format.ErrManifest) {
		l.lost, l.manifest = true, nil
		return nil
	}
	if err == nil {
		l.lost, l.manifest = false, m
	}
	return err
}

// A segmentName is a file name of a segment.
type segmentName struct {
	number     int64
	generation uint32
}

// list returns the segments' files in the order of their numbers, of each the generation that
// choose chooses.
func (l *logState) list() ([]segmentName, error) {
	files, err := l.fs.List(l.dir)
	if err != nil {
		return nil, fmt.Errorf("eventfold: list %s: %w", l.dir, err)
	}
	found := map[int64][]uint32{} // generations
	first, last := int64(0), int64(0)
	for _, file := range files {
		number, generation, ok := format.ParseSegmentFileName(file)
		if !ok {
			continue
		}
		if first == 0 || number < first {
			first = number
		}
		last = max(last, number)
		found[number] = append(found[number], generation)
	}
	if l.manifest != nil { // what lies before it has been given up and only waits to be removed
		first = l.manifest.Segments[0].Number
	}
	var names []segmentName
	for number := first; number <= last && last > 0; number++ {
		if len(found[number]) == 0 {
			return nil, l.missing(number, 0)
		}
		names = append(names, segmentName{number, l.choose(number, found[number])})
	}
	return names, nil
}

// checkNames checks that no segment is missing at the end.
func (l *logState) checkNames(names []segmentName) error {
	if known := l.manifest.Last(); known > names[len(names)-1].number {
		return l.missing(known, 0)
	}
	return nil
}

// checkTail checks that the segment that TAIL speaks of is there.
func (l *logState) checkTail() error {
	for _, t := range l.slots {
		if t.Store == l.store && len(l.segments) > 0 && t.Segment > l.last().number {
			return l.missing(t.Segment, t.Next)
		}
	}
	return nil
}

// last returns the last segment.
func (l *logState) last() *segment { return l.segments[len(l.segments)-1] }

func (l *logState) files() *segmentFiles {
	return &segmentFiles{fs: l.fs, dir: l.dir, open: l.opened, raw: l.plain}
}

// open opens a segment's file and checks its header against its name and the store.
func (l *logState) open(n segmentName) (*segment, error) {
	name := vfs.Join(l.dir, format.SegmentFileName(n.number, n.generation))
	files := l.files()
	f, h, compressed, err := files.read(n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errGone
	}
	if err == nil && (h.Number != n.number || h.Generation != n.generation || h.Base < 0) {
		err = format.ErrSegmentFields
	}
	if err == nil && l.store != uuid.Nil && h.Store != l.store {
		err = &engine.FormatError{File: name, Reason: "belongs to another store"}
	}
	if err == nil && l.store == uuid.Nil && l.manifest != nil && h.Store != l.manifest.Store {
		err = &engine.FormatError{File: name, Reason: "belongs to another store than MANIFEST"}
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, l.headerError(n, name, err)
	}
	l.store = h.Store
	return &segment{
		number:     n.number,
		generation: n.generation,
		base:       h.Base,
		name:       name,
		file:       files.keep(f, n, h),
		header:     h,
		compressed: compressed,
	}, nil
}

// headerError turns what is wrong with the header of a segment into the error that users see. A
// lone file without our magic is not ours.
func (l *logState) headerError(n segmentName, name string, err error) error {
	if errors.Is(err, format.ErrSegmentMagic) && l.store == uuid.Nil && l.manifest == nil && len(l.slots) == 0 {
		return &engine.FormatError{File: name, Reason: err.Error()}
	}
	if !isHeaderDamage(err) {
		return err
	}
	first := engine.Position(0)
	if len(l.segments) > 0 {
		first = l.end.next
	}
	if m := l.manifest.Segment(n.number); m != nil {
		first = m.Base
	}
	e := &engine.CorruptError{
		File:      name,
		Segment:   n.number,
		FirstLost: first,
		NextGood:  engine.NoPosition,
		Reason:    err.Error(),
	}
	if m := l.manifest.Segment(n.number + 1); m != nil {
		e.NextGood = m.Base
	}
	return e
}

// isHeaderDamage reports whether an error of opening a segment comes from what is in the file.
func isHeaderDamage(err error) bool {
	for _, damage := range [...]error{
		format.ErrSegmentMagic, format.ErrSegmentCRC, format.ErrSegmentFields, format.ErrLayout, format.ErrMap,
	} {
		if errors.Is(err, damage) {
			return true
		}
	}
	return false
}

// enter takes seg as the successor of the last segment, which becomes complete. If MANIFEST tells
// all about seg, its events are not read.
func (l *logState) enter(seg *segment, last bool) error {
	if err := l.complete(seg); err != nil {
		seg.file.Close()
		return err
	}
	l.segments = append(l.segments, seg)
	l.end = startOf(&seg.header, l.end.micros)
	l.index = index.NewMemory(seg.base, l.store)
	l.least = 0
	l.found.frames, l.found.x, l.found.seal = nil, l.end, 0
	seg.setIndex(l.index)
	m := l.manifest.Segment(seg.number)
	if last || m == nil || !m.Sealed || m.Generation != seg.generation || l.lost {
		l.startBehindIndex(seg)
	} else {
		l.trust(seg, m)
	}
	return nil
}

// trust takes a sealed segment from MANIFEST. complete will compare it with its successor.
func (l *logState) trust(seg *segment, m *format.ManifestSegment) {
	l.index = nil
	l.gathered.lose()
	l.least = m.Least
	l.end = logEnd{offset: m.End, next: m.Next, chain: m.LastChain, micros: m.Greatest}
	l.found.x = l.end
	seg.setIndex(l.indexer.openSealed(seg, index.Meta{
		Store:      l.store,
		Number:     seg.number,
		Generation: seg.header.Content,
		Base:       seg.base,
		Count:      uint32(m.Next - m.Base),
		End:        m.End,
		Chain:      m.LastChain,
	}))
}

// startBehindIndex uses the index file that was written when the store was closed, if there is one
// about frames that are there and promised. Only what follows them is then read.
func (l *logState) startBehindIndex(seg *segment) {
	m, end, ok := l.indexer.openActive(seg, l.store, l.promise())
	if !ok {
		return
	}
	least, err := m.RecordedAt(0)
	if err != nil {
		return
	}
	l.index, l.least, l.end, l.found.x = m, least, end, end
	l.erasures.news = true // there may be in what is not read
	l.gathered.lose()
	seg.setIndex(m)
}

// complete makes the last segment end where its successor begins: that exists, so everything
// before it was durable.
func (l *logState) complete(successor *segment) error {
	if len(l.segments) == 0 {
		if successor.base != 0 && (l.manifest == nil || l.manifest.Segments[0].Base != successor.base) {
			return &engine.CorruptError{
				File:     successor.name,
				Segment:  successor.number,
				NextGood: successor.base,
				Reason:   "there must have been segments before it",
			}
		}
		return nil
	}
	seg := l.last()
	if l.index != nil {
		if err := l.scan(&successor.header); err != nil {
			return err
		}
	}
	if successor.header.Supersedes() && l.end.next > successor.base && l.index != nil {
		if err := l.cutBack(successor); err != nil {
			return err
		}
	}
	if l.end.next != successor.base || l.end.chain != successor.header.ChainIn {
		return l.damage(l.found.x, l.found.why, successor.base)
	}
	if err := l.checkSeal(seg, successor); err != nil {
		return err
	}
	seg.sealed.Store(&sealedInfo{end: l.end.offset, count: uint32(successor.base - seg.base), least: l.least,
		greatest: l.end.micros, lastChain: l.end.chain})
	if _, ok := seg.fileIndex(); !ok {
		l.indexer.add(seg)
	}
	return nil
}

// cutBack takes the last segment back to the place where the successor supersedes it. Frames behind
// it had been promised to this reader only by what the process that recovered the log could no
// longer see; the successor begins with the same frames.
func (l *logState) cutBack(successor *segment) error {
	off, first, err := l.index.Frame(uint32(successor.base - l.last().base))
	if err != nil {
		return err
	}
	l.end.offset, l.end.chain = off, successor.header.ChainIn
	l.end.next = l.last().base + engine.Position(first)
	return nil
}

// checkSeal checks the seal of a complete segment if MANIFEST says that it was durable. A
// superseded segment has none.
func (l *logState) checkSeal(seg, successor *segment) error {
	m := l.manifest.Segment(seg.number)
	if successor.header.Supersedes() || m == nil || !m.Sealed {
		return nil
	}
	sealed, err := isSealed(seg, l.end)
	if err != nil {
		return err
	}
	if !sealed {
		e := l.damage(l.end, errors.New("the seal of the segment is damaged"), successor.base)
		e.Offset = format.SealAt(l.end.offset)
		return e
	}
	return nil
}

// isSealed reports whether a segment that ends at end has its seal.
func isSealed(seg *segment, end logEnd) (bool, error) {
	var b [format.MinFrameSize]byte
	at := format.Place{Store: seg.header.Store, Segment: seg.number, Offset: format.SealAt(end.offset)}
	if n, err := seg.file.ReadAt(b[:], at.Offset); n < len(b) {
		return false, wrap("read "+seg.name, vfs.IgnoreEOF(err))
	}
	h, err := format.DecodeFrameHeader(b[:], at)
	if err != nil || h.Kind != format.FrameSeal || format.CheckFrame(b[:], h) != nil {
		return false, nil
	}
	return h.First == end.next && format.FrameChain(b[:]) == end.chain, nil
}

// damage returns the error for damage at a place in the last segment. good is the next position
// known to be good.
func (l *logState) damage(at logEnd, why error, good engine.Position) *engine.CorruptError {
	seg := l.last()
	if why == nil {
		why = format.ErrFramePrevious
	}
	e := &engine.CorruptError{
		File:      seg.name,
		Segment:   seg.number,
		Offset:    at.offset,
		FirstLost: at.next,
		NextGood:  good,
		Reason:    why.Error(),
	}
	if nearer := nextGood(seg, at); nearer != engine.NoPosition {
		e.NextGood = nearer
	}
	return e
}

// nextGood returns the position of the first frame of the segment behind a damaged place that has
// events and a header that checks, NoPosition if there is none.
func nextGood(seg *segment, damaged logEnd) engine.Position {
	s, err := newLogScanner(seg, damaged)
	if err != nil {
		return engine.NoPosition
	}
	behind := func(h *format.FrameHeader, _ int64) bool { return h.First >= damaged.next && h.Count > 0 }
	h, _, ok, _ := s.laterFrame(damaged.offset+format.FrameAlign, behind)
	if !ok {
		return engine.NoPosition
	}
	return h.First
}

// look reads what has been added to the last segment, and to the segments behind it.
func (l *logState) look() error {
	for len(l.segments) > 0 {
		if l.index != nil {
			if err := l.scan(nil); err != nil {
				return err
			}
		}
		seg, err := l.successor()
		if err != nil {
			return err
		}
		if seg == nil {
			return l.checkTail()
		}
		if err := l.enter(seg, true); err != nil {
			return err
		}
	}
	return nil
}

// successor opens the segment behind the last one, and returns nil if there is none.
func (l *logState) successor() (*segment, error) {
	number := l.last().number + 1
	n := segmentName{number: number}
	if _, err := l.fs.Stat(vfs.Join(l.dir, format.SegmentFileName(number, 0))); errors.Is(err, fs.ErrNotExist) {
		names, err := l.list()
		if err != nil || len(names) == 0 || names[len(names)-1].number < number {
			return nil, err
		}
		n = names[number-names[0].number]
	} else if err != nil {
		return nil, fmt.Errorf("eventfold: %s: %w", format.SegmentFileName(number, 0), err)
	}
	return l.open(n)
}

// promise returns the offset in the last segment below which everything was durable, as far as
// header, MANIFEST and TAIL tell.
func (l *logState) promise() int64 {
	seg := l.last()
	s := max(seg.header.Promised, format.SegmentHeaderSize)
	if m := l.manifest.Segment(seg.number); m != nil && m.Generation == seg.generation {
		s = max(s, m.End)
	}
	for _, t := range l.slots {
		if t.Store == l.store && t.Segment == seg.number && t.Generation == seg.generation {
			s = max(s, t.Offset)
		}
	}
	return s
}

// scan reads the last segment from its end on. Frames that are promised are indexed and advance
// end, others are kept in found. If there is a successor, all up to where that begins is promised,
// and nothing behind it belongs to the log. It returns a *CorruptError if what is promised is not
// there.
func (l *logState) scan(successor *format.SegmentHeader) error {
	seg := l.last()
	s, err := newLogScanner(seg, l.end)
	if err != nil {
		return err
	}
	promised := l.promise()
	frames, stop := l.frames(s, promised)
	defer stop()
	l.found.frames, l.found.seal, l.found.x = nil, 0, l.end
	for !reaches(l.end, successor) {
		f, err := frames.next()
		if err != nil {
			return fmt.Errorf("eventfold: read %s: %w", seg.name, err)
		}
		if f == nil {
			break
		}
		if f.Kind == format.FrameSeal {
			l.found.seal = f.offset
		} else {
			l.hold(f)
		}
		promised = max(promised, f.Synced)
		l.take(promised, successor)
		if f.Kind == format.FrameSeal {
			break
		}
	}
	l.found.why = frames.failure()
	if promised > l.found.x.offset && !reaches(l.end, successor) {
		return l.damage(l.found.x, l.found.why, engine.NoPosition)
	}
	return nil
}

// reaches reports whether a segment ends where its successor begins.
func reaches(end logEnd, successor *format.SegmentHeader) bool {
	return successor != nil && end.next == successor.Base && end.chain == successor.ChainIn
}

// hold keeps a frame until it is known to be promised.
func (l *logState) hold(f *logFrame) {
	l.found.frames = append(l.found.frames, f)
	l.found.x = f.end
}

// take indexes the kept frames that are promised by now. What remains gets bytes of its own.
func (l *logState) take(promised int64, successor *format.SegmentHeader) {
	for len(l.found.frames) > 0 && !reaches(l.end, successor) {
		f := l.found.frames[0]
		if f.end.offset > promised && (successor == nil || f.end.next > successor.Base) {
			break
		}
		if l.least == 0 && f.Count > 0 {
			l.least = f.Micros
		}
		if indexFrame(l.index, &f.FrameHeader, f.bytes, f.offset) {
			l.erasures.news = true
		}
		l.gathered.add(f)
		l.end = f.end
		l.found.frames = l.found.frames[1:]
	}
	if n := len(l.found.frames); n > 0 && !l.found.frames[n-1].owned {
		f := l.found.frames[n-1]
		f.bytes, f.owned = append([]byte(nil), f.bytes...), true
	}
}

// close closes the files of all segments.
func (l *logState) close() {
	for _, seg := range l.segments {
		seg.file.Close()
	}
}
