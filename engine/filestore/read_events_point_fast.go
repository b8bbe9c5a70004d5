package filestore

import (
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// This file is how pointEvents come by records of a file that can be mapped: they ask the index for
// the places of a group at once, copy what has been read before out of the map, and read the rest,
// what lies near each other in one go. No place is asked for twice.
//
// BenchmarkFirstRead and BenchmarkStoreReadStream hold it. The plain path is the rest of pointEvents;
// TestPointsOfMappedFilesAgreeWithPlainReads compares the two.

// Of records that have not been read before.
const (
	maxRun = 64 << 10 // bytes that are read at once
	// Bytes read of the last record of a run, whose size only the record tells: as many as the
	// records before it had. A record that turns out to be longer is read once more.
	minRunEnd = 512
	maxRunEnd = 16 << 10
)

// A recordRun is a piece of the file that was read because some record in it was missing. The next
// run overwrites it.
type recordRun struct {
	b   []byte
	at  int64 // offset in the file
	end int   // bytes to be read of the last record, see minRunEnd; 0 before the first
}

// expect notes the size of a record, for the next run.
func (r *recordRun) expect(size int) {
	if size > r.end || 4*size < r.end {
		r.end = min((size+minRunEnd-1)/minRunEnd*minRunEnd, maxRunEnd)
	}
}

// place takes the next group of events, and asks the index for the places of all of them.
func (p *pointEvents) place() (err error) {
	n := min(p.wanted, len(p.ords))
	if p.offsets, p.times, err = p.s.Places(p.ords[:n], p.time, p.offsets, p.times); err != nil {
		return err
	}
	p.wanted = min(4*p.wanted, maxGroup)
	p.group, p.ords, p.done = p.ords[:n], p.ords[n:], 0
	p.copies = slices.Grow(p.copies[:0], n)
	return nil
}

// copyMore copies the next records of the group, as many as fit into a block, out of the file's
// map. Those that are missing there stay nil.
func (p *pointEvents) copyMore() error {
	if err := p.s.usable(); err != nil {
		return err
	}
	p.s.memory.release(p.block)
	p.block = nil
	done := len(p.copies)
	m := p.file.Hold(max(p.offsets[done], p.offsets[len(p.offsets)-1]) + format.MinRecordSize)
	if m != nil {
		defer p.file.Release()
		if m.Guard(p.copyRecords) {
			vfs.ForgetLooks(len(p.block))
			return nil
		}
	}
	// reading the file tells what is wrong with the map
	for p.copies = p.copies[:done]; len(p.copies) < len(p.offsets); {
		p.copies = append(p.copies, nil)
	}
	return nil
}

// copyRecords is copyMore for a map.
func (p *pointEvents) copyRecords(m *vfs.FileMap) {
	done, total := len(p.copies), 0
	// the sizes first: the processor fetches the beginnings of several records at a time
	for _, off := range p.offsets[done:] {
		b := recordIn(m, off)
		if total+len(b) > largeBlock && total > 0 {
			break
		}
		total += len(b)
		p.copies = append(p.copies, b)
	}
	if total == 0 {
		return
	}
	p.block = p.s.memory.get(total)
	free := p.block
	for i, b := range p.copies[done:] {
		if b != nil {
			n := copy(free, b)
			p.copies[done+i], free = free[:n:n], free[n:]
		}
	}
}

// recordIn returns the record of a map at off as far as its length can be believed, nil if not all
// of it has been read before.
func recordIn(m *vfs.FileMap, off int64) []byte {
	if !m.Has(off, format.MinRecordSize) {
		return nil
	}
	size := format.RecordSize(m.Data[off:])
	if size < format.MinRecordSize || size > format.MaxRecordSize || !m.Has(off, size) {
		return nil
	}
	return m.Data[off : off+int64(size)]
}

// take makes the current record of the group r, whose ord is set.
func (p *pointEvents) take(r *logEvent) (err error) {
	if p.done == len(p.copies) {
		if err = p.copyMore(); err != nil {
			return err
		}
	}
	off, b := p.offsets[p.done], p.copies[p.done]
	if b == nil {
		b, err = p.missing()
	}
	if err == nil && p.s.accept(r, b) != nil { // it is read once more
		err = p.s.record(r, off)
	}
	if p.time {
		r.micros = p.times[p.done]
	}
	p.done++
	return err
}

// missing returns the current record of the group, which is not to be had from the map.
func (p *pointEvents) missing() ([]byte, error) {
	off := p.offsets[p.done]
	b := p.run.from(off)
	if b == nil {
		if err := p.readRun(); err != nil {
			return nil, err
		}
		b = p.run.from(off)
	}
	size := format.RecordSize(b)
	if size < format.MinRecordSize || size > format.MaxRecordSize {
		return nil, nil // it does not check
	}
	p.run.expect(size)
	if size > len(b) {
		return p.s.read(off, size)
	}
	record := p.s.memory.piece(size)
	copy(record, b)
	return record, nil
}

// readRun reads the current record of the group, and with it those behind it that are missing as
// well and near, as far as they are in the block of copies.
func (p *pointEvents) readRun() error {
	p.run.end = max(p.run.end, minRunEnd)
	first, last := p.done, p.done
	for i := first + 1; i < len(p.copies) && p.copies[i] == nil; i++ {
		if distance(p.offsets[i], p.offsets[last]) > pointGap ||
			distance(p.offsets[i], p.offsets[first]) > maxRun-int64(p.run.end) {
			break
		}
		last = i
	}
	if p.dir == engine.Backwards {
		first, last = last, first
	}
	at := p.offsets[first]
	end, err := p.s.nearEnd(p.group[last], p.offsets[last], p.run.end)
	if err != nil {
		return err
	}
	n := int(min(end-at, maxRun))
	if n <= 0 { // the index is wrong
		p.run.b = p.run.b[:0]
		return nil
	}
	if cap(p.run.b) < n {
		p.run.b = newBlock(max(n, min(2*cap(p.run.b), maxRun)))
	}
	p.run.b, p.run.at = p.run.b[:n], at
	return p.s.readInto(p.run.b, at)
}

// from returns the bytes from an offset on, nil if not even a record's size is there.
func (r *recordRun) from(off int64) []byte {
	i := off - r.at
	if i < 0 || i+format.MinRecordSize > int64(len(r.b)) {
		return nil
	}
	return r.b[i:]
}

// nearEnd returns where to stop reading for the sake of event ord, whose record is at off and has
// about size bytes. It asks the index only where reading on might meet what the writer is writing.
func (s *segmentReader) nearEnd(ord uint32, off int64, size int) (end int64, err error) {
	end = off + int64(size)
	if sealed := s.seg.sealed.Load(); sealed != nil {
		return min(sealed.end, end), nil
	}
	if s.newest == 0 {
		if s.newest, err = s.Offset(s.limit - 1); err != nil {
			return 0, err
		}
	}
	if end > s.newest {
		return s.behindRecord(ord, off)
	}
	return end, nil
}
