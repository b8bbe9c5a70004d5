package index

// A Placer is a Index that tells the places of many events at once, for less than one question
// each.
type Placer interface {
	// places appends for each of the events ords, which ascend or descend, what offset returns of
	// it, and to micros, if time is true, what RecordedAt does.
	Places(ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error)
}

// Places implements Placer.
func (x *File) Places(ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error) {
	offsets, err = x.columnOf(ords, sectionOffsetGroups, sectionOffsets, offsets)
	if err == nil && time {
		micros, err = x.columnOf(ords, sectionTimeGroups, sectionTimes, micros)
	}
	return offsets, micros, err
}

// columnOf appends the numbers of events from a column. The blocks of groups and of differences are
// held by a reader each, so that neighbours find them held.
func (x *File) columnOf(ords []uint32, groups, data int, dst []int64) (_ []int64, err error) {
	g, d := x.Reader(), x.Reader()
	defer g.Done()
	defer d.Done()
	current := ^uint32(0) // the group
	var base, at, number uint64
	var width int
	for _, ord := range ords {
		if ord >= x.Count() {
			return dst, noOrdinal(ord, x.Count())
		}
		if ord/Group != current {
			current = ord / Group
			if base, at, width, err = g.group(groups, current); err != nil {
				return dst, err
			}
		}
		if number, err = d.member(data, base, at, width, ord%Group); err != nil {
			return dst, err
		}
		dst = append(dst, int64(number))
	}
	return dst, nil
}

// Places asks the index of the first events for those, and its own arrays for the others.
func (m *Memory) Places(ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error) {
	for len(ords) > 0 {
		first := ords[0] < m.Skip
		n := 1
		for n < len(ords) && ords[n] < m.Skip == first {
			n++
		}
		p, together := Placer(nil), false
		if first {
			p, together = m.prefix.Load().Source.(Placer)
		}
		if together {
			offsets, micros, err = p.Places(ords[:n], time, offsets, micros)
		} else {
			offsets, micros, err = PlacesOneByOne(m, ords[:n], time, offsets, micros)
		}
		if err != nil {
			return offsets, micros, err
		}
		ords = ords[n:]
	}
	return offsets, micros, nil
}

// PlacesOneByOne is places for an index that has no short cut.
func PlacesOneByOne(x Index, ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error) {
	for _, ord := range ords {
		off, err := x.Offset(ord)
		if err != nil {
			return offsets, micros, err
		}
		offsets = append(offsets, off)
		if time {
			at, err := x.RecordedAt(ord)
			if err != nil {
				return offsets, micros, err
			}
			micros = append(micros, at)
		}
	}
	return offsets, micros, nil
}
