package index

// An indexPrefix is the index of the first events of the active segment, which were indexed before
// the store was opened.
type indexPrefix struct{ Source }

// NewMemoryBehind makes the index of a segment whose first events x knows. add adds the next.
func NewMemoryBehind(x *File) *Memory {
	m := NewMemory(x.Base, x.Store)
	m.Skip = x.Count()
	m.span = x.span
	m.prefix.Store(&indexPrefix{x})
	m.events.Store(m.Skip)
	return m
}

// ReplacePrefix puts an index of the same events in the place of one that turned out to be damaged.
func (m *Memory) ReplacePrefix(with *Memory) { m.prefix.Store(&indexPrefix{with}) }

// PrefixFile returns the index file that knows the first events, nil if there is none.
func (m *Memory) PrefixFile() *File {
	if m.Skip == 0 {
		return nil
	}
	x, _ := m.prefix.Load().Source.(*File)
	return x
}

// mergedKeys yields the keys of the prefix and those added, in byte order.
func (m *Memory) mergedKeys(d Dictionary, prefix string, limit uint32, yield func(Entry) bool) error {
	var added []Entry
	m.dicts[d].each(prefix, limit, func(e Entry) bool {
		added = append(added, e)
		return true
	})
	stopped := false
	give := func(e Entry) bool {
		stopped = stopped || !yield(e)
		return !stopped
	}
	err := m.prefix.Load().Keys(d, prefix, min(limit, m.Skip), func(e Entry) bool {
		for len(added) > 0 && added[0].Key < e.Key && give(added[0]) {
			added = added[1:]
		}
		if !stopped && len(added) > 0 && added[0].Key == e.Key {
			e, added = e.and(added[0]), added[1:]
		}
		return !stopped && give(e)
	})
	for err == nil && !stopped && len(added) > 0 {
		give(added[0])
		added = added[1:]
	}
	return err
}
