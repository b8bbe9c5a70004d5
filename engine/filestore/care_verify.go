package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
)

// Verify reads all of the log and checks it: every checksum, the chain over all frames, positions,
// times, the versions of every stream, the seals of events and segments, that nothing is marked as
// erased which no erasure names, that each index file is the one that the events give, and that
// MANIFEST tells of the segments what they hold. It may run while appends and reads
// go on, and reads what was there when it began. The first damage it finds is returned as a
// [*CorruptError]; the report then tells how far it has come.
func (s *FileStore) Verify(ctx context.Context) (engine.VerifyReport, error) {
	if s.closed.Load() {
		return engine.VerifyReport{}, engine.ErrClosed
	}
	index := s.ReadIndex().(*readIndex)
	bytes := index.bytes()
	v := &verification{store: s, index: index, ctx: ctx, meter: newMeter(ctx, bytes)}
	defer s.verifying.begin(bytes)()
	if err := v.segments(); err != nil {
		return v.report, err
	}
	if err := v.erasures(); err != nil {
		return v.report, err
	}
	v.report.Head = engine.Head{Position: index.head, Chain: v.end.chain}
	compared, bad, err := s.indexer.checkRuns(ctx, s.dir, index.view.segments)
	v.report.Indexes += compared
	v.report.BadIndexes = append(v.report.BadIndexes, bad...)
	if err == nil {
		err = v.manifest()
	}
	return v.report, err
}

// A verification is one run of Verify.
type verification struct {
	store  *FileStore
	index  *readIndex
	ctx    context.Context
	meter  *meter
	erased engine.Spans  // events that are marked as erased
	told   []toldErasure // what the log tells of erasures
	report engine.VerifyReport
	end    logEnd // of what has been checked
	seals  []format.Seal
}

// segmentPatiently checks segment i, again if it seems damaged and has been written anew since Verify
// began: a file that was closed and opened again may have begun as one generation and ended as
// another.
func (v *verification) segmentPatiently(i int) error {
	for before := *v; ; *v = before {
		err := v.segment(i)
		var corrupt *engine.CorruptError
		if !errors.As(err, &corrupt) {
			return err
		}
		index := v.store.ReadIndex().(*readIndex)
		now := index.view.segments[index.find(v.index.view.segments[i].base)]
		if old := v.index.view.segments[i]; now.number != old.number || now.generation == old.generation {
			return err
		}
		view := *v.index.view
		view.segments = slices.Clone(view.segments)
		view.segments[i] = now
		before.index = newReadIndex(v.index.shared, &view, v.index.head)
		v.forget(before.report.Bytes)
	}
}

// segment checks segment i.
func (v *verification) segment(i int) error {
	seg := v.index.view.segments[i]
	if i > 0 && (seg.base != v.end.next || seg.header.ChainIn != v.end.chain) {
		return v.corrupt(seg, format.SegmentHeaderSize, format.ErrSegmentFields)
	}
	h, err := readSegmentHeader(seg.file, seg.name)
	if err != nil && !isHeaderDamage(err) {
		return err
	}
	h.Generation = seg.header.Generation // another one may have taken its place, see segmentFiles
	if err != nil || h != seg.header {
		return v.corrupt(seg, 0, format.ErrSegmentCRC)
	}
	last := i+1 == len(v.index.view.segments)
	m := index.NewMemory(seg.base, v.index.view.store)
	var check *activeIndex
	if last {
		if check, err = v.openActive(seg); err != nil {
			return err
		}
		defer check.close()
	}
	least, err := v.frames(seg, seg.base+engine.Position(v.index.limit(i)), m, check)
	if err != nil {
		return err
	}
	if err := v.versions(i, m); err != nil || last {
		return err
	}
	sealed := seg.sealed.Load()
	if got := v.sealed(m, least); got != *sealed {
		return v.corrupt(seg, v.end.offset,
			errors.New("the segment ends elsewhere, or at another time, than MANIFEST says"))
	}
	if next := v.index.view.segments[i+1]; !next.header.Supersedes() {
		whole, err := isSealed(seg, v.end)
		if err == nil && !whole {
			whole, err = v.sealsLater(i)
		}
		if err != nil {
			return err
		}
		if !whole {
			return v.corrupt(seg, format.SealAt(v.end.offset), errors.New("the seal of the segment is damaged"))
		}
	}
	return v.indexFile(seg, sealed, m)
}

// sealsLater reports whether nothing promises the seal of segment i yet: the writer names the next
// segment before it seals this one, and opening for writing mends what a crash in between has left.
// Who may only read sees that until then.
func (v *verification) sealsLater(i int) (bool, error) {
	segments := v.index.view.segments
	if i+2 < len(segments) {
		return false, nil
	}
	m, err := readManifest(v.store.fs, v.store.dir)
	if err != nil && !errors.Is(err, format.ErrManifest) {
		return false, err
	}
	if !sealPromised(segments[i], m, v.index.head > segments[i+1].base) {
		return true, nil
	}
	return isSealed(segments[i], v.end) // the writer may have sealed it since
}

// sealed returns what is to be known of the complete segment that has just been read.
func (v *verification) sealed(m *index.Memory, least int64) sealedInfo {
	return sealedInfo{end: v.end.offset, count: m.Count(), least: least, greatest: v.end.micros, lastChain: v.end.chain}
}

// frames checks the frames of a segment up to position limit, and indexes them. It returns the time
// of the first one that has events.
func (v *verification) frames(
	seg *segment, limit engine.Position, m *index.Memory, check *activeIndex,
) (least int64, err error) {
	s, err := newLogScanner(seg, startOf(&seg.header, v.end.micros))
	if err != nil {
		return 0, err
	}
	for v.end = s.end; v.end.next < limit; v.end = s.end {
		if err := v.ctx.Err(); err != nil {
			return least, err
		}
		if v.store.closed.Load() {
			return least, engine.ErrClosed
		}
		f, err := s.next()
		if err != nil {
			return least, wrap("read "+seg.name, err)
		}
		if f == nil {
			return least, v.corrupt(seg, s.end.offset, s.why)
		}
		v.seals = appendSeals(v.seals[:0], format.FrameRecords(f.bytes), int(f.Count))
		if format.NextChain(v.end.chain, f.bytes, v.seals) != f.end.chain {
			return least,
				v.corrupt(seg, f.offset,
					errors.New("the chain value does not follow from the one before and the events"))
		}
		if err := v.records(seg, f, m); err != nil {
			return least, err
		}
		indexFrame(m, &f.FrameHeader, f.bytes, f.offset)
		if least == 0 && f.Count > 0 {
			least = f.Micros
		}
		v.report.Frames++
		v.report.Events += int64(f.Count)
		v.report.Bytes += int64(f.Size)
		v.store.verifying.done.Add(int64(f.Size))
		v.meter.add(int64(f.Size))
		v.index.giveWay()
		if err := v.compareActive(check, m, s.end); err != nil {
			return least, err
		}
	}
	return least, nil
}

// records checks the records of a frame: each checksum, that versions follow each other within the
// segment.
func (v *verification) records(seg *segment, f *logFrame, m *index.Memory) error {
	if f.Kind != format.FrameEvents {
		return nil
	}
	inFrame := map[string]engine.Version{}
	rest := format.FrameRecords(f.bytes)
	for n := range f.Count {
		pos := f.First + engine.Position(n)
		r, err := format.DecodeRecord(rest)
		if err == nil {
			err = format.CheckRecord(rest, seg.header.Store, pos)
		}
		if err != nil {
			return v.corrupt(seg, f.offset, err)
		}
		if err := v.note(pos, &r); err != nil {
			return v.corrupt(seg, f.offset, err)
		}
		last, ok := inFrame[string(r.Stream)]
		if !ok {
			e, known, err := m.Lookup(index.ByStream, string(r.Stream), m.Count())
			if err != nil {
				return err
			}
			last, ok = e.LastVersion(), known
		}
		if ok && r.Version != last+1 {
			return v.corrupt(seg, f.offset,
				fmt.Errorf("version %d of stream %q follows version %d", r.Version, r.Stream, last))
		}
		inFrame[string(r.Stream)] = r.Version
		rest = rest[r.Size:]
	}
	return nil
}

// versions checks that every stream of a segment, whose index is m, goes on where the earlier
// segments leave it.
func (v *verification) versions(i int, m *index.Memory) error {
	seg := v.index.view.segments[i]
	earlier := v.index.At(seg.base)
	var failed error
	err := m.Keys(index.ByStream, "", m.Count(), func(e index.Entry) bool {
		before, ok, err := earlier.StreamVersion(e.Key)
		if !ok {
			before = engine.NoVersion
		}
		if failed = err; err == nil && before+1 != e.FirstVersion {
			failed = v.corrupt(seg, format.SegmentHeaderSize,
				fmt.Errorf("version %d of stream %q follows version %d", e.FirstVersion, e.Key, before))
		}
		if failed == nil {
			failed = v.ctx.Err()
		}
		return failed == nil
	})
	return errors.Join(err, failed)
}

// indexFile compares the index file of a segment, if there is one, with the one that its events
// give.
func (v *verification) indexFile(seg *segment, sealed *sealedInfo, m *index.Memory) error {
	name := seg.indexName()
	same, err := index.IsFile(v.ctx, v.store.fs, name, m, seg.indexMeta(v.index.view.store, sealed))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wrap("read "+name, err)
	}
	v.report.Indexes++
	if same {
		return nil
	}
	v.report.BadIndexes = append(v.report.BadIndexes, name)
	if file, ok := seg.fileIndex(); ok { // nobody asks it any more, also if all its checksums are right
		seg.replaceIndex(file, m)
	}
	v.store.indexer.rewrite(seg)
	return nil
}

// manifest compares MANIFEST with the complete segments.
func (v *verification) manifest() error {
	segments := v.index.view.segments
	if len(segments) == 0 {
		return nil
	}
	m, err := readManifest(v.store.fs, v.store.dir)
	if err != nil && !errors.Is(err, format.ErrManifest) {
		return err
	}
	if err == nil && m != nil && v.agrees(m) {
		var over bool
		if over, err = v.agreesOnErasures(m); over || err != nil {
			return err
		}
	}
	v.report.BadIndexes = append(v.report.BadIndexes, vfs.Join(v.store.dir, format.ManifestName))
	return nil
}

// agrees reports whether MANIFEST says of the segments that it lists what they hold. It may lag
// behind.
func (v *verification) agrees(m *format.Manifest) bool {
	segments := v.index.view.segments
	if m.Store != v.index.view.store || m.Segments[0].Number != segments[0].number || m.First != segments[0].base {
		return false
	}
	for _, seg := range segments[:len(segments)-1] {
		e := m.Segment(seg.number)
		if e == nil || !e.Sealed { // MANIFEST lags
			continue
		}
		want := seg.sealed.Load().entry(seg)
		want.Generation = e.Generation // the segment may have been replaced meanwhile
		if *e != want {
			return false
		}
	}
	return true
}

// corrupt returns the error for damage of a segment at off, behind what has been checked.
func (v *verification) corrupt(seg *segment, off int64, why error) error {
	if why == nil {
		why = format.ErrFramePrevious
	}
	return &engine.CorruptError{File: seg.name, Segment: seg.number, Offset: off, FirstLost: max(v.end.next, seg.base),
		NextGood: nextGood(seg, logEnd{offset: off, next: max(v.end.next, seg.base)}), Reason: why.Error()}
}
