package engine

import "sort"

// recordedAt implements segmentIndex.
func (m *memIndex) recordedAt(ord uint32) (int64, error) {
	if n := m.count(); ord >= n {
		return 0, noOrdinal(ord, n)
	}
	i := sort.Search(int(m.timed.Load()), func(i int) bool { return m.times.at(uint32(i)).first > ord })
	return m.times.at(uint32(i - 1)).micros, nil
}
