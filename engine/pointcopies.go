package engine

import "slices"

// This file is how pointRows come by records without a read for each: they copy them out of the file's map.

// fetchCopies takes the next group of records out of the file's map. done is false if it is better read, or must be.
func (p *pointRows) fetchCopies(file mapper) (done bool, err error) {
	if err := p.s.usable(); err != nil {
		return false, err
	}
	n := min(p.wanted, len(p.ords))
	if p.offsets, p.times, err = p.s.places(p.ords[:n], p.time, p.offsets, p.times); err != nil {
		return false, err
	}
	m := file.hold(max(p.offsets[0], p.offsets[n-1]) + minRecordSize)
	if m == nil {
		return false, nil
	}
	defer file.release()
	if !m.guard(p.copyRecords) {
		return false, nil // reading the file tells why
	}
	forgetLooks(len(p.block))
	n = len(p.copies)
	missing := 0
	for _, b := range p.copies {
		if b == nil {
			missing++
		}
	}
	if 2*missing >= n { // what lies together is read together, and is in the map the next time
		return false, nil
	}
	p.wanted = min(4*p.wanted, maxGroup)
	p.group, p.ords, p.done, p.copied = p.ords[:n], p.ords[n:], 0, true
	return true, nil
}

// copyRecords copies the records at p.offsets, as many as fit into a block. One that has not been read before is nil.
func (p *pointRows) copyRecords(m *fileMap) {
	total := 0
	p.copies = slices.Grow(p.copies[:0], len(p.offsets))
	for _, off := range p.offsets { // the sizes first: the processor fetches the beginnings of several records at a time
		b := m.record(off)
		if total+len(b) > largeBlock && total > 0 {
			break
		}
		total += len(b)
		p.copies = append(p.copies, b)
	}
	p.block = p.s.memory.get(total)
	free := p.block
	for i, b := range p.copies {
		if b != nil {
			n := copy(free, b)
			p.copies[i], free = free[:n:n], free[n:]
		}
	}
}

// record returns the record at off as far as its length can be believed, nil if not all of it has been read before.
func (m *fileMap) record(off int64) []byte {
	if !m.has(off, minRecordSize) {
		return nil
	}
	size := recordSize(m.data[off:])
	if size < minRecordSize || size > maxRecordSize || !m.has(off, size) {
		return nil
	}
	return m.data[off : off+int64(size)]
}

// take makes the current record of the group r, whose ord is set.
func (p *pointRows) take(r *row) (err error) {
	off, b := p.offsets[p.done], p.copies[p.done]
	if b == nil {
		b, err = p.s.alone(r.ord, off)
	}
	if err == nil && p.accept(r, b) != nil { // it is read once more
		err = p.reread(r, off)
	}
	if p.time {
		r.micros = p.times[p.done]
	}
	p.done++
	return err
}

// alone reads the record of event ord, which is at off, or the beginning of a long one.
func (s *segmentReader) alone(ord uint32, off int64) ([]byte, error) {
	end, err := s.behindRecord(ord, off)
	if err != nil {
		return nil, err
	}
	b, err := s.read(off, int(min(max(0, end-off), largeBlock)))
	s.memory.release(b)
	return b, err
}
