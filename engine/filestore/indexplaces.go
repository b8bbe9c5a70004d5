package filestore

// A placer is a segmentIndex that tells the places of many events at once, for less than one question each.
type placer interface {
	// places appends for each of the events ords, which ascend or descend, what offset returns of it, and to micros, if
	// time is true, what recordedAt does.
	places(ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error)
}

func (x *fileIndex) places(ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error) {
	offsets, err = x.columnOf(ords, sectionOffsetGroups, sectionOffsets, offsets)
	if err == nil && time {
		micros, err = x.columnOf(ords, sectionTimeGroups, sectionTimes, micros)
	}
	return offsets, micros, err
}

// columnOf appends the numbers of events from a column. The blocks of groups and of differences are held by a reader each, so
// that neighbours find them held.
func (x *fileIndex) columnOf(ords []uint32, groups, data int, dst []int64) (_ []int64, err error) {
	g, d := x.reader(), x.reader()
	defer g.done()
	defer d.done()
	current := ^uint32(0) // the group
	var base, at, number uint64
	var width int
	for _, ord := range ords {
		if ord >= x.count() {
			return dst, noOrdinal(ord, x.count())
		}
		if ord/indexGroup != current {
			current = ord / indexGroup
			if base, at, width, err = g.group(groups, current); err != nil {
				return dst, err
			}
		}
		if number, err = d.member(data, base, at, width, ord%indexGroup); err != nil {
			return dst, err
		}
		dst = append(dst, int64(number))
	}
	return dst, nil
}

// places asks the index of the first events for those, and its own arrays for the others.
func (m *memIndex) places(ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error) {
	for len(ords) > 0 {
		first := ords[0] < m.skip
		n := 1
		for n < len(ords) && ords[n] < m.skip == first {
			n++
		}
		p, together := placer(nil), false
		if first {
			p, together = m.prefix.Load().indexSource.(placer)
		}
		if together {
			offsets, micros, err = p.places(ords[:n], time, offsets, micros)
		} else {
			offsets, micros, err = placesOneByOne(m, ords[:n], time, offsets, micros)
		}
		if err != nil {
			return offsets, micros, err
		}
		ords = ords[n:]
	}
	return offsets, micros, nil
}

// placesOneByOne is places for an index that has no short cut.
func placesOneByOne(x segmentIndex, ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error) {
	for _, ord := range ords {
		off, err := x.offset(ord)
		if err != nil {
			return offsets, micros, err
		}
		offsets = append(offsets, off)
		if time {
			at, err := x.recordedAt(ord)
			if err != nil {
				return offsets, micros, err
			}
			micros = append(micros, at)
		}
	}
	return offsets, micros, nil
}
