package filestore

// An indexPrefix is the index of the first events of the active segment, which were indexed before the store was opened.
type indexPrefix struct{ indexSource }

// newMemIndexBehind makes the index of a segment whose first events x knows. add adds the next.
func newMemIndexBehind(x *fileIndex) *memIndex {
	m := newMemIndex(x.base, x.store)
	m.skip = x.count()
	m.span = x.span
	m.prefix.Store(&indexPrefix{x})
	m.events.Store(m.skip)
	return m
}

// replacePrefix puts an index of the same events in the place of one that turned out to be damaged.
func (m *memIndex) replacePrefix(with *memIndex) { m.prefix.Store(&indexPrefix{with}) }

// prefixFile returns the index file that knows the first events, nil if there is none.
func (m *memIndex) prefixFile() *fileIndex {
	if m.skip == 0 {
		return nil
	}
	x, _ := m.prefix.Load().indexSource.(*fileIndex)
	return x
}

// and returns what is known of a key of whose events e are the first and more the others, which may be none.
func (e indexEntry) and(more indexEntry) indexEntry {
	if more.count > 0 {
		e.count, e.last = e.count+more.count, more.last
	}
	return e
}

// mergedKeys yields the keys of the prefix and those added, in byte order.
func (m *memIndex) mergedKeys(d dictionary, prefix string, limit uint32, yield func(indexEntry) bool) error {
	var added []indexEntry
	m.dicts[d].each(prefix, limit, func(e indexEntry) bool {
		added = append(added, e)
		return true
	})
	stopped := false
	give := func(e indexEntry) bool {
		stopped = stopped || !yield(e)
		return !stopped
	}
	err := m.prefix.Load().keys(d, prefix, min(limit, m.skip), func(e indexEntry) bool {
		for len(added) > 0 && added[0].key < e.key && give(added[0]) {
			added = added[1:]
		}
		if !stopped && len(added) > 0 && added[0].key == e.key {
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
