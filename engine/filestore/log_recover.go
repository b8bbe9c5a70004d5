package filestore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
	"github.com/google/uuid"
)

// An OpenReport tells what opening a store found to repair. The zero value means nothing.
type OpenReport struct {
	// Torn is what was cut from the end of the log: the rest of an append that was never
	// acknowledged.
	Torn []TornTail
	// Superseded is the number of events that had been written without a promise that they are
	// durable. They were copied to a new segment.
	Superseded int64
	// Unpromised is the number of events of that kind that a store opened for reading, or beside
	// another process's writer, leaves alone and does not show.
	Unpromised int64
	// Manifest tells that MANIFEST was missing or damaged and has been made anew from the segments.
	Manifest bool
	// Seals is the number of seals that were written again because nothing promised that they were
	// durable.
	Seals int
	// Busy tells that another process holds the write lock, so that nothing was repaired.
	Busy bool
}

// A TornTail describes bytes cut from the end of the log.
type TornTail struct {
	File    string
	Offset  int64
	Bytes   int64
	SavedAs string // "" if the disk had no room for them
}

// String describes what was repaired, "" for nothing.
func (r *OpenReport) String() string {
	var parts []string
	for _, t := range r.Torn {
		saved := "saved as " + t.SavedAs
		if t.SavedAs == "" {
			saved = "not saved, the disk is full"
		}
		parts = append(parts,
			fmt.Sprintf("cut %d bytes of an unfinished append from %s at offset %d (%s)", t.Bytes, t.File, t.Offset,
				saved))
	}
	if r.Superseded > 0 {
		parts = append(parts,
			fmt.Sprintf("copied %d events that nothing promised to be durable to a new segment", r.Superseded))
	}
	if r.Unpromised > 0 {
		parts = append(parts, fmt.Sprintf("left alone %d events that nothing promises to be durable", r.Unpromised))
	}
	if r.Manifest {
		parts = append(parts, "made MANIFEST anew from the segments")
	}
	if r.Seals > 0 {
		parts = append(parts, "wrote the seal of the last complete segment again")
	}
	return strings.Join(parts, "; ")
}

// A recovery repairs the end of the log. Its owner holds the write lock, and the logState has read
// all there is.
type recovery struct {
	*logState
	maker  *segmentMaker
	fixed  int64 // Options.SegmentSize
	report *OpenReport
	now    int64 // microseconds

	written int64 // offset behind the last byte of the last segment that is not zero; found.x.offset or more
}

// run decides by the rule of FORMAT.md whether what follows the last promised frame is a torn tail
// or damage, and removes a torn tail. Frames that are whole but not promised move to a new segment.
// Afterwards everything in the log is durable.
func (r *recovery) run() error {
	// The system may show a name that a process made and could not sync. What is written from here
	// on relies on the names.
	if err := r.fs.SyncDir(r.dir); err != nil {
		return writeError("sync "+r.dir, err)
	}
	if r.found.seal != 0 {
		return r.missing(r.last().number+1, r.end.next) // a segment is sealed only when its successor is durable
	}
	r.checkChain()
	var err error
	if r.written, err = r.checkLater(); err != nil {
		return err
	}
	if err := r.repairSeal(); err != nil {
		return err
	}
	if err := r.repairEnd(); err != nil {
		return err
	}
	if err := r.maker.discard(); err != nil {
		return writeError("remove next.tmp", err)
	}
	return r.repairManifest()
}

// checkChain drops whole frames that nothing promises if their chain value is wrong. (That of
// promised frames is checked by Verify.)
func (r *recovery) checkChain() {
	end := r.end
	for i, f := range r.found.frames {
		if format.NextChain(end.chain, f.bytes, nil) != f.end.chain {
			r.found.frames, r.found.x, r.found.why = r.found.frames[:i], end, format.ErrFrameCRC
			return
		}
		end = f.end
	}
}

// checkLater looks behind the end of the log for a frame that promises bytes which are not there. It
// returns the offset behind the last byte that is not zero, the end of the log if there are only zeros.
func (l *logState) checkLater() (written int64, err error) {
	s, err := newLogScanner(l.last(), l.found.x)
	if err != nil {
		return 0, err
	}
	x, size := l.found.x.offset, s.size
	if written, err = s.lastWritten(x); err != nil {
		return 0, fmt.Errorf("eventfold: read %s: %w", l.last().name, err)
	}
	s.size = min(size, written+format.FrameHeaderSize) // of which the last bytes may be zeros
	h, _, ok, err := s.laterFrame(x, func(h *format.FrameHeader, _ int64) bool { return h.Synced > x })
	if err != nil {
		return 0, fmt.Errorf("eventfold: read %s: %w", l.last().name, err)
	}
	if !ok {
		return written, nil
	}
	s.size = size
	// A writer at work may have written both since x was read.
	if f, err := s.frameAt(x); err != nil || f != nil {
		return written, err
	}
	return written, l.damage(l.found.x, l.found.why, h.First)
}

// repairSeal writes the seal of the last but one segment again unless it is certain that it is
// durable: the cache of the system may show what is not on the disk.
func (r *recovery) repairSeal() error {
	n := len(r.segments)
	if n < 2 || r.last().header.Supersedes() {
		return nil
	}
	seg := r.segments[n-2]
	sealed := seg.sealed.Load()
	certain := sealPromised(seg, r.manifest, r.end.offset > format.SegmentHeaderSize)
	for _, t := range r.slots {
		certain = certain || t.Store == r.store && t.Segment > seg.number
	}
	if certain {
		return nil
	}
	end, err := r.endOf(seg, sealed)
	if err != nil {
		return err
	}
	f, err := r.fs.Open(seg.name, os.O_RDWR)
	if err != nil {
		return writeError("open "+seg.name, err)
	}
	defer f.Close()
	b := end.seal(format.Place{Store: r.store, Segment: seg.number, Offset: format.SealAt(end.offset)}, r.now)
	if err := vfs.WriteFull(f, b, format.SealAt(end.offset)); err != nil {
		return writeError("write the seal of "+seg.name, err)
	}
	if err := vfs.SyncData(f); err != nil {
		return writeError("sync the seal of "+seg.name, err)
	}
	r.report.Seals++
	return nil
}

// sealPromised reports whether it is certain that the seal of a segment, the last but one, is durable.
// followed tells that its successor holds anything that is promised, m is MANIFEST or nil.
func sealPromised(seg *segment, m *format.Manifest, followed bool) bool {
	entry := m.Segment(seg.number)
	return followed || entry != nil && entry.Sealed ||
		seg.generation > 0 // only what is durable gets a new generation
}

// endOf returns the end of a complete segment with the link to its last frame, which the seal
// needs.
func (r *recovery) endOf(seg *segment, sealed *sealedInfo) (logEnd, error) {
	s, err := newLogScanner(seg, startOf(&seg.header, 0))
	if err != nil {
		return logEnd{}, err
	}
	for s.end.offset < sealed.end {
		f, err := s.next()
		if err != nil {
			return logEnd{}, err
		}
		if f == nil {
			return logEnd{}, r.damage(s.end, s.why, seg.base+engine.Position(sealed.count))
		}
	}
	return s.end, nil
}

// repairEnd makes the end of the log one that can be written on.
func (r *recovery) repairEnd() error {
	if err := r.saveTorn(); err != nil {
		return err
	}
	if len(r.found.frames) > 0 {
		if sabotage.On(sabotage.ContinueInPlace) {
			r.take(r.found.x.offset, nil)
			return nil
		}
		return r.supersede()
	}
	return nil
}

// saveTorn saves what was written behind the last whole frame, and zeroes it unless the segment is
// about to be superseded.
func (r *recovery) saveTorn() error {
	seg, x, end := r.last(), r.found.x.offset, r.written
	if end <= x {
		return nil
	}
	s, err := newLogScanner(seg, r.found.x)
	if err != nil {
		return err
	}
	torn := TornTail{File: seg.name, Offset: x, Bytes: end - x}
	torn.SavedAs, err = r.copyTorn(s, x, end)
	if err != nil {
		return err
	}
	if len(r.found.frames) == 0 && !sabotage.On(sabotage.NoZeroingOfTornTail) {
		err = r.zeroTorn(seg, x, min(format.AlignUp(end, format.PageSize), s.size))
	}
	r.report.Torn = append(r.report.Torn, torn)
	return err
}

// copyTorn copies the bytes from x to end into a file of their own and returns its name, "" if the
// disk is full.
func (r *recovery) copyTorn(s *logScanner, x, end int64) (string, error) {
	name := vfs.Join(r.dir, fmt.Sprintf("torn-%d-%08x.bin", r.last().number, x))
	f, err := vfs.CreateEmpty(r.fs, name)
	if err != nil {
		if vfs.IsFull(err) {
			return "", nil
		}
		return "", writeError("create "+name, err)
	}
	defer f.Close()
	for at := x; at < end && err == nil; {
		var b []byte
		b, err = s.read(at, int(min(scanBlock, end-at)))
		if err == nil && len(b) == 0 {
			break
		}
		if err == nil {
			err = vfs.WriteFull(f, b, at-x)
		}
		at += int64(len(b))
	}
	if err == nil {
		err = f.Fsync()
	}
	if vfs.IsFull(err) {
		r.fs.Remove(name)
		return "", nil
	}
	if err == nil {
		err = r.fs.SyncDir(r.dir)
	}
	return name, writeError("save "+name, err)
}

func (r *recovery) zeroTorn(seg *segment, x, end int64) error {
	f, err := r.fs.Open(seg.name, os.O_RDWR)
	if err != nil {
		return writeError("open "+seg.name, err)
	}
	defer f.Close()
	if err := writeZeros(f, x, end); err != nil {
		return writeError("cut "+seg.name, err)
	}
	return writeError("sync "+seg.name, vfs.SyncData(f))
}

// supersede copies the whole frames that nothing promises into a new segment, which takes the place
// of the last one from there on. The old segment is not written to: the system's cache may show
// bytes of it that are not on the disk.
func (r *recovery) supersede() error {
	old, events := r.last(), r.found.x.next-r.end.next
	size := 0
	for _, f := range r.found.frames {
		size += len(f.bytes)
	}
	h := format.SegmentHeader{Store: r.store, Number: old.number + 1, Flags: format.SegmentSupersedes, Base: r.end.next,
		Created: r.now, ChainIn: r.end.chain, Capacity: format.SegmentCapacity(old.number+1, r.fixed, size)}
	f, err := r.maker.prepare(h.Capacity, nil)
	if err != nil {
		return writeError("make room for a new segment", err)
	}
	b, promised := moveFrames(r.found.frames, &h, r.end.micros)
	h.Promised = promised
	if err := vfs.WriteFull(f, b, format.SegmentHeaderSize); err != nil {
		f.Close()
		r.maker.discard()
		return writeError("copy frames to a new segment", err)
	}
	if _, err := r.maker.name(f, &h); err != nil {
		return writeError("name a new segment", err)
	}
	r.report.Superseded += int64(events)
	if err := r.look(); err != nil {
		return err
	}
	return r.writeManifest()
}

// moveFrames encodes frames for the beginning of the segment h: what tells their place changes,
// their content and chain do not.
func moveFrames(frames []*logFrame, h *format.SegmentHeader, micros int64) (b []byte, promised int64) {
	end := startOf(h, micros)
	for _, f := range frames {
		at := format.Place{Store: h.Store, Segment: h.Number, Offset: end.offset}
		header := f.FrameHeader
		header.Synced, header.Previous, header.PreviousCRC = 0, end.previous, end.previousCRC
		moved := bytes.Clone(f.bytes)
		format.PutFrameHeader(moved, header, at)
		format.PutFrameTrailer(moved, f.end.chain)
		end = end.after(&header, moved, at.Offset)
		b = append(b, moved...)
	}
	return b, end.offset
}

// repairManifest writes MANIFEST if it is missing, damaged, or behind by a segment.
func (r *recovery) repairManifest() error {
	if err := r.fs.Remove(vfs.Join(r.dir, format.ManifestTemp)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return writeError("remove "+format.ManifestTemp, err)
	}
	if r.lost {
		r.report.Manifest = true
	} else if r.manifest.Last() == r.last().number {
		return nil
	}
	return r.writeManifest()
}

// writeManifest writes MANIFEST as the log is now.
func (l *logState) writeManifest() error {
	return l.saveManifest(l.describe())
}

// saveManifest writes MANIFEST.
func (l *logState) saveManifest(m *format.Manifest) error {
	if err := l.manifests.write(l.fs, l.dir, m, l.manifests.number()); err != nil {
		return writeError("write MANIFEST", err)
	}
	l.manifest, l.lost = m, false
	return nil
}

// describe returns the manifest of the log as it is now.
func (l *logState) describe() *format.Manifest {
	m := &format.Manifest{
		Store:    l.store,
		Erased:   l.erasures.since(),
		Segments: make([]format.ManifestSegment, len(l.segments)),
	}
	if l.manifest != nil {
		m.First = l.manifest.First
	}
	for i, seg := range l.segments {
		e := format.ManifestSegment{Number: seg.number, Generation: seg.generation, Base: seg.base, Next: l.end.next,
			End: l.end.offset, LastChain: l.end.chain, Least: l.least, Greatest: l.end.micros}
		if sealed := seg.sealed.Load(); sealed != nil {
			e.Sealed, e.Next, e.End = true, seg.base+engine.Position(sealed.count), sealed.end
			e.LastChain, e.Least, e.Greatest = sealed.lastChain, sealed.least, sealed.greatest
		}
		m.Segments[i] = e
	}
	return m
}

// create makes the first segment of a new store.
func (l *logState) create(maker *segmentMaker, fixed, now int64, store uuid.UUID) error {
	h := format.SegmentHeader{
		Store:    store,
		Number:   1,
		Created:  now,
		Promised: format.SegmentHeaderSize,
		Capacity: format.SegmentCapacity(1, fixed, 0),
	}
	f, err := maker.prepare(h.Capacity, nil)
	if err != nil {
		return writeError("make room for the first segment", err)
	}
	if _, err := maker.name(f, &h); err != nil {
		return writeError("name the first segment", err)
	}
	if err := l.load(); err != nil {
		return err
	}
	return l.writeManifest()
}
