package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// A SalvageReport tells what Salvage has saved and what is lost.
type SalvageReport struct {
	Events int64 // saved
	Gaps   []Gap // what is lost, in order
	// Renumbered is the number of saved events whose position is another one in the new store,
	// because events before them are lost.
	Renumbered int64
	// Erased is the number of saved events whose payload and metadata had been erased, or that an
	// erasure names. In the new store they are erased, with the seals that they had.
	Erased int64
}

// A Gap is a range of positions whose events are lost.
type Gap struct {
	From, To engine.Position // From inclusive, To exclusive
	File     string          // where the damage begins; "" if no file tells
	Offset   int64
}

// Salvage reads what can be read of the damaged store in directory dir, which it does not change,
// and appends it to a new store in directory to. Events keep their id, stream, type, payload,
// metadata, tags and recorded_at. Behind a gap they have other positions, and other versions if
// events of their stream are lost. What was one append stays one, of an append that can be read in
// part only that part.
//
// Whole frames that nothing promises to be durable are saved too: nobody can tell whether they were
// acknowledged. The options are those of the new store, but for the clock and the way to sync.
func Salvage(ctx context.Context, dir, to string, o Options) (SalvageReport, error) {
	v := &salvage{ctx: ctx}
	o.ReadOnly, o.MustExist, o.Sync, o.MaxEventSize = false, false, SyncInterval, engine.MaxEventLimit
	o.Now = func() time.Time { return timeOf(v.micros) } // the new store records when the old one did
	dest, err := Open(to, o)
	if err != nil {
		return SalvageReport{}, err
	}
	if dest.current().head != 0 {
		dest.Close()
		return SalvageReport{}, fmt.Errorf("eventfold: salvage to %s: it holds a store with events", to)
	}
	v.fs, v.dir, v.dest = dest.fs, dir, dest
	dest.eraser.stalled.Store(true) // it would append between events that are saved
	err = v.run()
	return v.report, errors.Join(err, dest.Close())
}

// A salvage is one run of Salvage. One goroutine uses it; the new store's writer reads the time
// while that waits for it.
type salvage struct {
	ctx    context.Context
	fs     vfs.FS
	dir    string
	dest   *FileStore
	store  uuid.UUID
	meter  *meter
	report SalvageReport

	next     engine.Position // behind the last event that was saved
	damage   Gap             // File and Offset: the first damage behind that event
	micros   int64           // recorded_at of the append
	batch    []engine.Append // the append that is being collected
	erased   salvagedErasures
	first    engine.Position // of its first event
	promised engine.Position // what TAIL and MANIFEST say the log holds
	last     int64           // the last segment that they know
}

func (v *salvage) run() error {
	names, err := v.list()
	if err != nil {
		return err
	}
	files := make([]*salvageFile, 0, len(names))
	defer func() {
		for _, f := range files {
			f.seg.file.Close()
		}
	}()
	for _, n := range names {
		f, err := v.open(n)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	if err := v.measure(files); err != nil {
		return err
	}
	if err := v.learnErasures(files); err != nil {
		return err
	}
	for i, f := range files {
		if i > 0 {
			v.missing(files[i-1].seg.number+1, f.seg.number-1)
		}
		until := engine.Position(1<<63 - 1)
		if i+1 < len(files) && files[i+1].known && files[i+1].seg.header.Supersedes() {
			until = files[i+1].seg.base // the rest is there again
		}
		if err := v.file(f, until); err != nil {
			return err
		}
	}
	err = v.flush()
	if err == nil {
		err = v.eraseUnnamed()
	}
	if err != nil {
		return err
	}
	if v.promised > v.next {
		if len(files) > 0 {
			v.missing(files[len(files)-1].seg.number+1, v.last)
		}
		v.gap(v.promised)
	}
	return nil
}

// measure makes the meter of what is to be read: each file twice, first for what it tells of erasures.
func (v *salvage) measure(files []*salvageFile) error {
	total := int64(0)
	for _, f := range files {
		size, err := f.seg.file.Size()
		if err != nil {
			return wrap("read "+f.seg.name, err)
		}
		total += 2 * size
	}
	v.meter = newMeter(v.ctx, total)
	return nil
}

// missing notes that the segments from first to last are not there.
func (v *salvage) missing(first, last int64) {
	if first <= last {
		v.damaged(&segment{name: vfs.Join(v.dir, format.SegmentFileName(first, 0))}, 0)
	}
}

// A salvageFile is a segment of the damaged store. Its header is known or not.
type salvageFile struct {
	seg   *segment
	known bool
}

// list returns the segments' files that are there, of each the generation that MANIFEST names, or
// the newest, and learns what the store promises.
func (v *salvage) list() ([]segmentName, error) {
	files, err := v.fs.List(v.dir)
	if err != nil {
		return nil, wrap("salvage "+v.dir, err)
	}
	m, err := readManifest(v.fs, v.dir)
	if err != nil {
		m = nil // damaged
	}
	if m != nil {
		v.store, v.promised, v.last = m.Store, m.Segments[len(m.Segments)-1].Next, m.Last()
		v.next = m.First
	}
	if f, err := readErasedFile(v.fs, v.dir); err == nil && f != nil {
		v.erased.named = f.Events // whether or not it has been carried out
	}
	l := logState{fs: v.fs, dir: v.dir}
	if err := l.readTail(); err != nil {
		return nil, err
	}
	for _, t := range l.slots {
		if v.store == uuid.Nil {
			v.store = t.Store
		}
		if t.Store == v.store {
			v.promised, v.last = max(v.promised, t.Next), max(v.last, t.Segment)
		}
	}
	newest := map[int64]uint32{}
	for _, file := range files {
		number, generation, ok := format.ParseSegmentFileName(file)
		if !ok {
			continue
		}
		e := m.Segment(number)
		known, seen := newest[number]
		if !seen || generation > known || e != nil && generation == e.Generation {
			if !seen || e == nil || known != e.Generation {
				newest[number] = generation
			}
		}
	}
	names := make([]segmentName, 0, len(newest))
	for number, generation := range newest {
		names = append(names, segmentName{number, generation})
	}
	sort.Slice(names, func(i, j int) bool { return names[i].number < names[j].number })
	return names, nil
}

// open opens a segment's file, whatever is in it.
func (v *salvage) open(n segmentName) (*salvageFile, error) {
	name := vfs.Join(v.dir, format.SegmentFileName(n.number, n.generation))
	f, h, err := v.read(name)
	if f == nil {
		return nil, wrap("open "+name, err)
	}
	seg := &segment{number: n.number, generation: n.generation, name: name}
	seg.file = v.dest.files.Add(f, func() (vfs.File, error) {
		f, _, err := v.read(name)
		if f != nil {
			err = nil
		}
		return f, err
	})
	var format *engine.FormatError
	if errors.As(err, &format) {
		seg.file.Close()
		return nil, err
	}
	if err != nil || h.Number != n.number {
		return &salvageFile{seg: seg}, nil
	}
	if v.store == uuid.Nil {
		v.store = h.Store
	}
	seg.header, seg.base = h, h.Base
	return &salvageFile{seg: seg, known: true}, nil
}

// read opens a segment's file, whatever is in it: f is nil only if it cannot be opened. The error
// says what is wrong with its header.
func (v *salvage) read(name string) (f vfs.File, h format.SegmentHeader, err error) {
	if f, err = v.fs.Open(name, os.O_RDONLY); err != nil {
		return nil, h, err
	}
	if h, err = readSegmentHeader(f, name); err == nil {
		f, h, err = v.dest.plain.unpack(f, h, name)
	}
	return f, h, err
}

// file saves the events of one segment that lie before position until.
func (v *salvage) file(f *salvageFile, until engine.Position) error {
	seg := f.seg
	seg.header.Store = v.store
	s, err := newLogScanner(seg, logEnd{offset: format.SegmentHeaderSize})
	if err != nil {
		return err
	}
	if !f.known {
		v.damaged(seg, 0)
	}
	for off := int64(format.SegmentHeaderSize); ; {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		h, at, ok, err := s.laterFrame(off, func(*format.FrameHeader, int64) bool { return true })
		if err != nil {
			return wrap("read "+seg.name, err)
		}
		if !ok {
			if end, err := s.lastWritten(off); err != nil {
				return wrap("read "+seg.name, err)
			} else if end > off {
				v.damaged(seg, off)
			}
			v.meter.add(s.size - off)
			return nil
		}
		if at != off && h.Kind != format.FrameSeal {
			v.damaged(seg, off)
		}
		behind, err := v.frame(s, seg, &h, at, until)
		if err != nil {
			return err
		}
		v.meter.add(behind - off)
		off = behind
	}
}

// frame saves the events of the frame at off that check, and returns where to look for the next.
func (v *salvage) frame(
	s *logScanner, seg *segment, h *format.FrameHeader, off int64, until engine.Position,
) (int64, error) {
	b, err := s.read(off, int(min(int64(h.Size), s.size-off)))
	if err != nil {
		return 0, wrap("read "+seg.name, err)
	}
	whole := format.CheckFrame(b, *h) == nil
	behind := off + int64(h.Size)
	if !whole {
		v.damaged(seg, off)
		// its length may be wrong in spite of the checksum; other frames may begin behind its
		// header
		behind = off + format.FrameHeaderSize
	}
	if h.Kind != format.FrameEvents {
		return behind, nil
	}
	at := format.FrameHeaderSize
	for n := range h.Count {
		r, err := format.DecodeRecord(b[at:])
		if err != nil {
			break
		}
		pos := h.First + engine.Position(n)
		if pos < until && (whole || format.CheckRecord(b[at:], seg.header.Store, pos) == nil) {
			if err := v.take(pos, b[at:], &r, h.Micros+int64(r.AddMicros)); err != nil {
				return 0, err
			}
		}
		at += r.Size
	}
	return behind, v.flush()
}

// damaged notes where the first damage behind the last saved event is.
func (v *salvage) damaged(seg *segment, off int64) {
	if v.damage.File == "" {
		v.damage.File, v.damage.Offset = seg.name, off
	}
}

// gap notes that the events up to position to are lost.
func (v *salvage) gap(to engine.Position) {
	v.report.Gaps = append(v.report.Gaps, Gap{From: v.next, To: to, File: v.damage.File, Offset: v.damage.Offset})
}

// save takes an event, whose record stands at the beginning of b, into the append that is being
// collected.
func (v *salvage) save(pos engine.Position, b []byte, r *format.Record, micros int64) error {
	if pos < v.next {
		return nil // it was in a segment before
	}
	if len(v.batch) > 0 && (pos > v.next || r.Flags&format.FlagFirstOfAppend != 0) {
		if err := v.flush(); err != nil {
			return err
		}
	}
	if pos > v.next {
		v.gap(pos)
	}
	v.damage = Gap{}
	if len(v.batch) == 0 {
		v.first, v.micros = pos, micros
	}
	v.next = pos + 1
	e, err := v.event(pos, b, r)
	if err != nil {
		return err
	}
	if last := len(v.batch) - 1; last >= 0 && v.batch[last].Stream == string(r.Stream) {
		v.batch[last].Events = append(v.batch[last].Events, e)
	} else {
		v.batch = append(v.batch, engine.Append{Stream: string(r.Stream), Events: []engine.NewEvent{e}})
	}
	return nil
}

// flush appends what has been collected.
func (v *salvage) flush() error {
	if len(v.batch) == 0 {
		return nil
	}
	done, err := v.append()
	if err != nil {
		return err
	}
	v.batch = nil
	v.report.Events += int64(len(done.Events))
	if done.Events[0].Position != v.first {
		v.report.Renumbered += int64(len(done.Events))
	}
	return nil
}
