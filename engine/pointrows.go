package engine

import "slices"

// Which records a point read fetches together. Copying 8 KiB costs about as much as one more read.
const (
	pointGap   = 8 << 10 // bytes from one record to the next that is still read in the same go
	pointGuess = 4 << 10 // bytes read of a segment's last record, whose size only the record tells
	pointGroup = 16      // records of the first read at most; each read is then up to four times the one before
	maxGroup   = 1024    // records of one read at most
)

// pointRows yields single events of one segment, found by an index, in either direction. It reads records that are near each
// other in one go, and checks the checksum of each, which tells also that it is the record of that position.
type pointRows struct {
	s    *segmentReader
	ords []uint32 // to be read: ascending
	dir  Direction
	time bool // recorded_at is wanted

	block   []byte
	blockAt int64
	group   []uint32 // the events whose records are in the block, in the order in which they are yielded
	offsets []int64  // of their records
	done    int      // of the group
	wanted  int      // events of the next group
}

// begin makes the rows ready. ords is ascending; the rows change it.
func (p *pointRows) begin(s *segmentReader, ords []uint32, dir Direction, time bool) {
	if dir == Backwards {
		slices.Reverse(ords)
	}
	s.memory.release(p.block)
	*p = pointRows{s: s, ords: ords, dir: dir, time: time, offsets: p.offsets[:0], wanted: pointGroup}
}

// nextRow yields the next event.
func (p *pointRows) nextRow(r *row) (bool, error) {
	if p.done == len(p.group) {
		if len(p.ords) == 0 {
			return false, nil
		}
		if err := p.fetch(); err != nil {
			return false, err
		}
	}
	r.ord = p.group[p.done]
	if err := p.decode(r, p.offsets[p.done]); err != nil {
		return false, err
	}
	p.done++
	if !p.time {
		return true, nil
	}
	var err error
	r.micros, err = p.s.recordedAt(r.ord)
	return true, err
}

// current returns the offset of the current record.
func (p *pointRows) current() int64 { return p.offsets[p.done-1] }

// fetch reads the next group.
func (p *pointRows) fetch() error {
	p.s.memory.release(p.block)
	p.block = nil
	if err := p.gather(); err != nil {
		return err
	}
	last := len(p.group) - 1
	first := 0
	if p.dir == Backwards {
		first, last = last, first
	}
	end, err := p.s.behindRecord(p.group[last], p.offsets[last])
	if err != nil {
		return err
	}
	p.blockAt = p.offsets[first]
	p.block = p.s.memory.get(int(end - p.blockAt))
	return p.s.readInto(p.block, p.blockAt)
}

// gather moves the next group out of ords: the next event, and up to wanted events that are near each other.
func (p *pointRows) gather() error {
	p.offsets = p.offsets[:0]
	n := 0
	for n < min(p.wanted, len(p.ords)) {
		off, err := p.s.offset(p.ords[n])
		if err != nil {
			return err
		}
		if n > 0 && !p.near(n, off) {
			break
		}
		p.offsets = append(p.offsets, off)
		n++
	}
	p.group, p.ords, p.done = p.ords[:n], p.ords[n:], 0
	p.wanted = min(4*p.wanted, maxGroup)
	return nil
}

// near reports whether the record of event n of ords, at off, is read together with those before it.
func (p *pointRows) near(n int, off int64) bool {
	gap, span := off-p.offsets[n-1], off-p.offsets[0]
	step := p.ords[n] - p.ords[n-1]
	if p.dir == Backwards {
		gap, span, step = -gap, -span, -step
	}
	return span <= largeBlock && (step == 1 || gap <= pointGap)
}

// decode finds the record at off in the block and checks it. What does not check is read once more by itself.
func (p *pointRows) decode(r *row, off int64) error {
	at := off - p.blockAt
	if at >= 0 && at < int64(len(p.block)) && p.accept(r, p.block[at:]) == nil {
		return nil
	}
	b, err := p.s.record(off)
	if err != nil {
		return err
	}
	if err := p.accept(r, b); err != nil {
		return p.s.corrupt(off, r.ord, p.s.seg.base+Position(r.ord)+1, err)
	}
	return nil
}

// accept decodes and checks the record at the beginning of b.
func (p *pointRows) accept(r *row, b []byte) (err error) {
	if r.record, err = decodeRecord(b); err != nil {
		return err
	}
	return checkRecord(b, p.s.seg.base+Position(r.ord))
}

// behindRecord returns an offset at or behind the end of event ord, whose record is at off; before it, if that would be far off.
func (s *segmentReader) behindRecord(ord uint32, off int64) (int64, error) {
	if ord+1 < s.limit {
		next, err := s.offset(ord + 1)
		if err != nil || next > off {
			return min(next, off+maxRecordSize), err
		}
	}
	end, err := s.bound()
	return min(end, off+pointGuess), err
}

// record reads the record at off into a block of its own, unchecked.
func (s *segmentReader) record(off int64) ([]byte, error) {
	b, err := s.read(off, pointGuess)
	if n := recordSize(b); err == nil && n > len(b) && n <= maxRecordSize {
		s.memory.release(b)
		b, err = s.read(off, n)
	}
	s.memory.release(b)
	return b, err
}
