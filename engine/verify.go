package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// A VerifyReport tells what Verify has checked.
type VerifyReport struct {
	Head     Head // of the log when Verify began
	Segments int
	Frames   int64
	Events   int64
	Bytes    int64 // of frames
	Indexes  int   // index files that were compared with the events
	// BadIndexes are index files that are damaged. They are derived: no event is harmed, and each is made anew.
	BadIndexes []string
}

// Verify reads all of the log and checks it: every checksum, the chain over all frames, positions, times, the versions of every stream, the
// seals, and that each index file is the one that the events give. It may run while appends and reads go on, and reads what was there
// when it began. The first damage it finds is returned as a [*CorruptError]; the report then tells how far it has come.
func (s *FileStore) Verify(ctx context.Context) (VerifyReport, error) {
	if s.closed.Load() {
		return VerifyReport{}, ErrClosed
	}
	index := s.ReadIndex().(*readIndex)
	v := &verification{store: s, index: index, ctx: ctx}
	for i := range index.view.segments {
		if err := v.segment(i); err != nil {
			return v.report, err
		}
		v.report.Segments++
	}
	v.report.Head = Head{Position: index.head, Chain: v.end.chain}
	compared, bad, err := s.indexer.checkRuns(ctx, index.view.segments)
	v.report.Indexes += compared
	v.report.BadIndexes = append(v.report.BadIndexes, bad...)
	return v.report, err
}

// A verification is one run of Verify.
type verification struct {
	store  *FileStore
	index  *readIndex
	ctx    context.Context
	report VerifyReport
	end    logEnd // of what has been checked
}

// segment checks segment i.
func (v *verification) segment(i int) error {
	seg := v.index.view.segments[i]
	if i > 0 && (seg.base != v.end.next || seg.header.chainIn != v.end.chain) {
		return v.corrupt(seg, segmentHeaderSize, errSegmentFields)
	}
	if h, err := readSegmentHeader(seg.file, seg.name); err != nil || h != seg.header {
		return v.corrupt(seg, 0, errSegmentCRC)
	}
	limit := seg.base + Position(v.index.limit(i))
	m := newMemIndex(seg.base, v.index.view.store)
	if err := v.frames(seg, limit, m); err != nil {
		return err
	}
	if err := v.versions(i, m); err != nil {
		return err
	}
	sealed := seg.sealed.Load()
	if sealed == nil || i+1 == len(v.index.view.segments) {
		return nil
	}
	if v.end.offset != sealed.end || v.end.chain != sealed.lastChain {
		return v.corrupt(seg, v.end.offset, errors.New("the segment ends elsewhere than MANIFEST says"))
	}
	if next := v.index.view.segments[i+1]; !next.header.supersedes() && !isSealed(seg, v.end) {
		return v.corrupt(seg, sealAt(v.end.offset), errors.New("the seal of the segment is damaged"))
	}
	return v.indexFile(seg, sealed, m)
}

// frames checks the frames of a segment up to position limit, and indexes them.
func (v *verification) frames(seg *segment, limit Position, m *memIndex) error {
	s, err := newLogScanner(seg, startOf(&seg.header, v.end.micros))
	if err != nil {
		return err
	}
	for v.end = s.end; v.end.next < limit; v.end = s.end {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if v.store.closed.Load() {
			return ErrClosed
		}
		f, err := s.next()
		if err != nil {
			return wrap("read "+seg.name, err)
		}
		if f == nil {
			return v.corrupt(seg, s.end.offset, s.why)
		}
		if nextChain(v.end.chain, f.bytes, len(f.bytes)) != f.end.chain {
			return v.corrupt(seg, f.offset, errors.New("the chain value does not follow from the one before and the events"))
		}
		if err := v.records(seg, f, m); err != nil {
			return err
		}
		indexFrame(m, &f.frameHeader, f.bytes, f.offset)
		v.report.Frames++
		v.report.Events += int64(f.count)
		v.report.Bytes += int64(f.size)
	}
	return nil
}

// records checks the records of a frame: each checksum, and that versions follow each other within the segment.
func (v *verification) records(seg *segment, f *logFrame, m *memIndex) error {
	if f.kind != frameEvents {
		return nil
	}
	inFrame := map[string]Version{}
	rest := frameRecords(f.bytes)
	for n := range f.count {
		r, err := decodeRecord(rest)
		if err == nil {
			err = checkRecord(rest, seg.header.store, f.first+Position(n))
		}
		if err != nil {
			return v.corrupt(seg, f.offset, err)
		}
		last, ok := inFrame[string(r.stream)]
		if !ok {
			e, known, err := m.lookup(byStream, string(r.stream), m.count())
			if err != nil {
				return err
			}
			last, ok = e.lastVersion(), known
		}
		if ok && r.version != last+1 {
			return v.corrupt(seg, f.offset, fmt.Errorf("version %d of stream %q follows version %d", r.version, r.stream, last))
		}
		inFrame[string(r.stream)] = r.version
		rest = rest[r.size:]
	}
	return nil
}

// versions checks that every stream of a segment, whose index is m, goes on where the earlier segments leave it.
func (v *verification) versions(i int, m *memIndex) error {
	seg := v.index.view.segments[i]
	earlier := v.index.At(seg.base)
	var failed error
	err := m.keys(byStream, "", m.count(), func(e indexEntry) bool {
		before, ok, err := earlier.StreamVersion(e.key)
		if !ok {
			before = NoVersion
		}
		if failed = err; err == nil && before+1 != e.firstVersion {
			failed = v.corrupt(seg, segmentHeaderSize, fmt.Errorf("version %d of stream %q follows version %d", e.firstVersion, e.key, before))
		}
		if failed == nil {
			failed = v.ctx.Err()
		}
		return failed == nil
	})
	return errors.Join(err, failed)
}

// indexFile compares the index file of a segment, if there is one, with the one that its events give.
func (v *verification) indexFile(seg *segment, sealed *sealedInfo, m *memIndex) error {
	name := seg.indexName()
	same, err := isIndexFile(v.ctx, v.store.fs, name, m, seg.indexMeta(v.index.view.store, sealed))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wrap("read "+name, err)
	}
	v.report.Indexes++
	if !same {
		v.report.BadIndexes = append(v.report.BadIndexes, name)
		v.store.indexer.rewrite(seg)
	}
	return nil
}

// corrupt returns the error for damage of a segment at off, behind what has been checked.
func (v *verification) corrupt(seg *segment, off int64, why error) error {
	if why == nil {
		why = errFramePrevious
	}
	return &CorruptError{File: seg.name, Segment: seg.number, Offset: off, FirstLost: max(v.end.next, seg.base),
		NextGood: nextGood(seg, logEnd{offset: off, next: max(v.end.next, seg.base)}), Reason: why.Error()}
}
