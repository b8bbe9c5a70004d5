// Package clock has what caches need to forget the things that were not used for long: the algorithm
// CLOCK, by itself and as a cache for blocks of bytes.
package clock

// A Hand goes round the places of a cache, 16 at most, and stops at the one to be used again. It
// belongs to whoever holds the lock of the cache.
type Hand struct {
	used uint16 // a bit for each place that was used since the hand passed
	at   uint8  // the place that it comes to next
}

// Use notes that what is in a place was used.
func (h *Hand) Use(place int) { h.used |= 1 << place }

// Next returns the first of so many places that was not used since the hand passed, and passes it.
// Those that held says are left as they are; nil means none. If all are, Next returns -1.
func (h *Hand) Next(places int, held func(place int) bool) int {
	for range 2 * places {
		i := int(h.at)
		if h.at++; int(h.at) == places {
			h.at = 0
		}
		switch {
		case held != nil && held(i):
		case h.used>>i&1 == 0:
			return i
		default:
			h.used &^= 1 << i
		}
	}
	return -1
}
