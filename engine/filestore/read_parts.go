package filestore

import (
	"context"

	"github.com/eventfold/eventfold/engine"
)

// minPart is how many events a part has at least: fewer are not worth a goroutine.
const minPart = 4096

// Parts implements Parter. Parts begin where frames begin, so that no frame is read twice.
func (r *readIndex) Parts(what engine.Filter, n int) []engine.Filter {
	p := r.plan(what)
	if n < 2 || p.nothing || r.shared.ended() != nil {
		return []engine.Filter{what}
	}
	ranges := r.ranges(&p)
	total := engine.Position(0)
	for _, g := range ranges {
		total += g.to - g.from
	}
	n = int(min(engine.Position(n), total/minPart))
	if n < 2 {
		return []engine.Filter{what}
	}
	parts := make([]engine.Filter, 0, n)
	from, passed := p.from, engine.Position(0)
	for _, g := range ranges {
		for len(parts) < n-1 {
			cut := g.from + total*engine.Position(len(parts)+1)/engine.Position(n) - passed
			if cut >= g.to {
				break
			}
			if cut = r.frameStart(cut); cut > from {
				part := what
				part.From, part.To = from, cut
				parts, from = append(parts, part), cut
			} else {
				n-- // the cut fell into the frame of the one before
			}
		}
		passed += g.to - g.from
	}
	last := what
	last.From, last.To = from, p.to
	return append(parts, last)
}

// A positionRange is from inclusive, to exclusive.
type positionRange struct{ from, to engine.Position }

// ranges returns the part of each segment that the plan's bounds of position and time leave,
// without the empty ones. A segment whose index cannot be read counts as a whole; the scan will
// report it.
func (r *readIndex) ranges(p *scanPlan) (found []positionRange) {
	for i := r.find(p.from); i <= r.find(p.to-1); i++ {
		s := r.reader(context.Background(), i, new(blockMemory))
		lo, hi, err := p.within(&s)
		if err != nil {
			lo, hi = 0, s.limit
		}
		if lo < hi {
			found = append(found, positionRange{s.position(lo), s.position(hi)})
		}
	}
	return found
}

// frameStart returns the position where the frame of p, or one shortly before it, begins.
func (r *readIndex) frameStart(p engine.Position) engine.Position {
	i := r.find(p)
	s := r.reader(context.Background(), i, new(blockMemory))
	_, first, err := s.Frame(uint32(p - s.seg.base))
	if err != nil {
		return p
	}
	return s.position(first)
}
