package filestore

import (
	"slices"
	"sort"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// Which records a point read fetches together. Copying 8 KiB costs about as much as one more read.
const (
	pointGap   = 8 << 10 // bytes from one record to the next that is still read in the same go
	pointGuess = 4 << 10 // bytes read of a segment's last record, whose size only the record tells
	pointGroup = 16      // records of the first read at most; each read is then up to four times the one before
	maxGroup   = 1024    // records of one read at most
)

// pointEvents yields single events of one segment, found by an index, in either direction. It reads
// records that are near each other in one go, and checks the checksum of each, which tells also
// that it is the record of that position.
type pointEvents struct {
	s    *segmentReader
	ords []uint32 // to be read, in the order in which they are yielded
	dir  engine.Direction
	time bool // recorded_at is wanted

	block   []byte
	blockAt int64
	group   []uint32 // the events whose records are in the block, in the order in which they are yielded
	offsets []int64  // of their records; unknown if it is probably behind the one before
	done    int      // of the group
	behind  int64    // offset behind the current record
	even    bool     // all events of the group were recorded at micros
	micros  int64
	wanted  int // events of the next group

	// If the file can be mapped:
	file   vfs.Mapper // nil if not; else all offsets of the group are known
	copies [][]byte   // of the group's records, as far as they have been looked for; nil if one was not to be had
	times  []int64    // when they were recorded
	run    recordRun
}

// unknown stands for an offset. Asking an index for each would take longer than reading the
// records.
const unknown = -1

// begin makes the events ready. ords is ascending; the caller gives it away.
func (p *pointEvents) begin(s *segmentReader, ords []uint32, dir engine.Direction, time bool) {
	if dir == engine.Backwards {
		slices.Reverse(ords)
	}
	s.memory.release(p.block)
	*p = pointEvents{
		s:       s,
		ords:    ords,
		dir:     dir,
		time:    time,
		offsets: p.offsets[:0],
		wanted:  pointGroup,
		copies:  p.copies[:0],
		times:   p.times[:0],
		run:     recordRun{b: p.run.b[:0], end: p.run.end},
	}
}

// nextEvent yields the next event.
func (p *pointEvents) nextEvent(r *logEvent) (bool, error) {
	if p.done == len(p.group) {
		if len(p.ords) == 0 {
			return false, nil
		}
		if err := p.fetch(); err != nil {
			return false, err
		}
	}
	r.ord = p.group[p.done]
	if p.file != nil {
		return true, p.take(r)
	}
	if err := p.find(r); err != nil {
		return false, err
	}
	p.done++
	r.micros = p.micros
	var err error
	if p.time && !p.even {
		r.micros, err = p.s.RecordedAt(r.ord)
	}
	return true, err
}

// current returns the offset of the current record.
func (p *pointEvents) current() int64 { return p.offsets[p.done-1] }

// fetch reads the next group, or asks where it is.
func (p *pointEvents) fetch() error {
	if p.file, _ = p.s.seg.file.(vfs.Mapper); p.file != nil {
		return p.place()
	}
	p.s.memory.release(p.block)
	p.block = nil
	if err := p.gather(); err != nil {
		return err
	}
	first, last := 0, len(p.group)-1
	if p.dir == engine.Backwards {
		first, last = last, first
	}
	end, err := p.s.behindRecord(p.group[last], p.offsets[last])
	if err != nil {
		return err
	}
	p.blockAt = p.offsets[first]
	p.block = p.s.memory.get(int(max(0, end-p.blockAt)))
	if err := p.s.readInto(p.block, p.blockAt); err != nil {
		return err
	}
	if p.dir == engine.Backwards {
		p.locate()
	}
	if p.time {
		return p.clock(p.group[first], p.group[last])
	}
	return nil
}

// clock finds out whether all events from first to last were recorded at the same time, as those of
// one append are.
func (p *pointEvents) clock(first, last uint32) (err error) {
	if p.micros, err = p.s.RecordedAt(first); err != nil {
		return err
	}
	p.even = true
	if first != last {
		greatest, err := p.s.RecordedAt(last)
		p.even = greatest == p.micros
		return err
	}
	return nil
}

// gather moves the next group out of ords: the next event, and up to wanted events that are near
// each other.
func (p *pointEvents) gather() error {
	off, err := p.s.Offset(p.ords[0])
	if err != nil {
		return err
	}
	p.offsets = append(p.offsets[:0], off)
	limit := min(p.wanted, len(p.ords))
	p.wanted = min(4*p.wanted, maxGroup)
	for more := true; more && len(p.offsets) < limit; {
		if p.step(len(p.offsets)) == 1 {
			more, err = p.gatherRun(limit)
		} else {
			more, err = p.gatherNear()
		}
		if err != nil {
			return err
		}
	}
	n := len(p.offsets)
	p.group, p.ords, p.done = p.ords[:n], p.ords[n:], 0
	return nil
}

// step returns how many positions event i of ords is from the one before.
func (p *pointEvents) step(i int) uint32 {
	if p.dir == engine.Forwards {
		return p.ords[i] - p.ords[i-1]
	}
	return p.ords[i-1] - p.ords[i]
}

// gatherRun adds to the group the events that follow each other without a gap, as far as they fit
// into a block. It asks only for the offset of the last. more is false if the group is complete.
func (p *pointEvents) gatherRun(limit int) (more bool, err error) {
	from := len(p.offsets)
	to := from
	for to < limit && p.step(to) == 1 {
		to++
	}
	last, more := int64(0), true
	fits := func(end int) bool { // the events before number end
		if last, err = p.s.Offset(p.ords[end-1]); err != nil {
			return false
		}
		return distance(last, p.offsets[0]) <= largeBlock
	}
	if !fits(to) && err == nil {
		more = false
		to = from + sort.Search(to-from, func(i int) bool { return !fits(from + i + 1) })
		if to > from && err == nil {
			fits(to)
		}
	}
	if err != nil || to == from {
		return false, err
	}
	for len(p.offsets) < to-1 {
		p.offsets = append(p.offsets, unknown)
	}
	p.offsets = append(p.offsets, last)
	return more, nil
}

// gatherNear adds the next event to the group if its record is near the last.
func (p *pointEvents) gatherNear() (more bool, err error) {
	i := len(p.offsets)
	off, err := p.s.Offset(p.ords[i])
	if err != nil || distance(off, p.offsets[i-1]) > pointGap || distance(off, p.offsets[0]) > largeBlock {
		return false, err
	}
	p.offsets = append(p.offsets, off)
	return true, nil
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// locate finds the offsets that are unknown, from the first record in the block to the last, as far
// as the records tell them.
func (p *pointEvents) locate() {
	for i := len(p.offsets) - 2; i > 0; i-- {
		if p.offsets[i] != unknown {
			continue
		}
		var r logEvent
		r.ord = p.group[i]
		before := p.offsets[i+1]
		if before == unknown {
			continue
		}
		off := before + int64(format.RecordSize(p.at(before)))
		if p.s.accept(&r, p.at(off)) == nil {
			p.offsets[i] = off
		} else if off, err := p.s.Offset(r.ord); err == nil { // if not, find will say so
			p.offsets[i] = off
		}
	}
}

// find finds the record of the current event, r.ord, and checks it. What does not check is read
// once more by itself.
func (p *pointEvents) find(r *logEvent) error {
	off := p.offsets[p.done]
	if off == unknown {
		off = p.behind
	}
	if p.s.accept(r, p.at(off)) == nil {
		p.offsets[p.done], p.behind = off, off+int64(r.Size)
		return nil
	}
	off, err := p.s.Offset(r.ord)
	if err != nil {
		return err
	}
	p.offsets[p.done] = off
	if p.s.accept(r, p.at(off)) != nil {
		if err := p.s.record(r, off); err != nil {
			return err
		}
	}
	p.behind = off + int64(r.Size)
	return nil
}

// at returns the bytes of the block from an offset of the segment on, none if it is not in the
// block.
func (p *pointEvents) at(off int64) []byte {
	at := off - p.blockAt
	if at < 0 || at >= int64(len(p.block)) {
		return nil
	}
	return p.block[at:]
}

// behindRecord returns an offset at or behind the end of event ord, whose record is at off; before
// it, if that would be far off.
func (s *segmentReader) behindRecord(ord uint32, off int64) (int64, error) {
	if ord+1 < s.limit {
		next, err := s.Offset(ord + 1)
		if err != nil || next > off {
			return min(next, off+format.MaxRecordSize), err
		}
	}
	end, err := s.bound()
	return min(end, off+pointGuess), err
}
