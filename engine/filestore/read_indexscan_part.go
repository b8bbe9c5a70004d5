package filestore

import (
	"math"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

// An indexPart is a part of a segment whose columns are made of its index.
type indexPart struct {
	reader   segmentReader
	found    []uint32 // the events that pass the filter's names, ascending; nil for all
	lo, hi   uint32   // what is left: of found, if there are such, or of the events themselves
	first    uint32   // of the columns
	types    []uint16 // by event from first on
	names    []string // of the types
	versions []engine.Version
	ords     []uint32 // room
	offsets  []int64
	times    []int64
}

// begin makes the columns of the events in [lo, hi). useful is false if that is more work than reading
// the events.
func (p *indexPart) begin(c *indexScan, s segmentReader, lo, hi uint32) (useful bool, err error) {
	*p = indexPart{reader: s, lo: lo, hi: hi, first: lo, types: p.types, versions: p.versions, ords: p.ords,
		offsets: p.offsets, times: p.times}
	conditions, none, err := c.plan.conditions(&p.reader, lo, hi)
	if err != nil || none {
		p.lo = p.hi
		c.skipped++
		return true, err
	}
	if len(conditions) > 0 {
		if err := p.find(&c.plan, conditions); err != nil {
			return false, err
		}
	}
	wanted := c.plan.filter.Types
	types := c.columns&engine.ColType != 0
	if p.hi-p.lo < (hi-lo)/pointShare && (c.versioned() || types && wanted == nil) {
		return false, nil
	}
	if types && wanted != nil {
		err = p.readWanted(c, wanted, hi)
	} else if types {
		useful, err = p.readTypes(c, hi)
		if !useful || err != nil {
			return false, err
		}
	}
	if err == nil && c.versioned() {
		err = p.readVersions(hi)
	}
	return true, err
}

// find finds the events that pass the conditions.
func (p *indexPart) find(plan *scanPlan, conditions []condition) (err error) {
	all := make([]*condition, len(conditions))
	for i := range conditions {
		all[i] = &conditions[i]
	}
	p.found, err = plan.common(&p.reader, all, p.lo, p.hi)
	p.lo, p.hi = 0, uint32(len(p.found))
	return err
}

// readWanted notes which of the types that are asked for the events before hi have.
func (p *indexPart) readWanted(c *indexScan, names []string, hi uint32) (err error) {
	p.types = resized(p.types, hi-p.first)
	if len(names) == 1 {
		clear(p.types)
	}
	for i, name := range names {
		p.names = append(p.names, c.types.intern(format.BytesOf(name)))
		if len(names) == 1 {
			continue
		}
		p.ords, err = p.reader.Postings(index.ByType, name, p.first, hi, p.ords[:0])
		if err != nil {
			return err
		}
		for _, ord := range p.ords {
			p.types[ord-p.first] = uint16(i)
		}
	}
	return nil
}

// readTypes notes the types of the events before hi; few is false if there are too many of them.
func (p *indexPart) readTypes(c *indexScan, hi uint32) (few bool, err error) {
	p.types = resized(p.types, hi-p.first)
	err = p.reader.Lists(index.ByType, "", hi, func(e index.Entry, ords []uint32) bool {
		if len(p.names) > math.MaxUint16 {
			return false
		}
		number := uint16(len(p.names))
		p.names = append(p.names, c.types.intern(format.BytesOf(e.Key)))
		for _, ord := range ords {
			if ord >= p.first {
				p.types[ord-p.first] = number
			}
		}
		return true
	})
	return len(p.names) <= math.MaxUint16, err
}

// readVersions notes the versions of the events before hi.
func (p *indexPart) readVersions(hi uint32) error {
	p.versions = resized(p.versions, hi-p.first)
	return p.reader.Lists(index.ByStream, "", hi, func(e index.Entry, ords []uint32) bool {
		for i, ord := range ords {
			if ord >= p.first {
				p.versions[ord-p.first] = e.FirstVersion + engine.Version(i)
			}
		}
		return true
	})
}

// resized returns a slice of so many elements, in the same memory if there is room.
func resized[T any](s []T, n uint32) []T {
	if uint32(cap(s)) < n {
		return make([]T, n)
	}
	return s[:n]
}

// take takes up to n events, which are in the order of the scan.
func (p *indexPart) take(n uint32, dir engine.Direction) []uint32 {
	n = min(n, p.hi-p.lo)
	p.ords = slices.Grow(p.ords[:0], int(n))
	for i := range n {
		at := p.lo + i
		if dir == engine.Backwards {
			at = p.hi - 1 - i
		}
		if p.found != nil {
			at = p.found[at]
		}
		p.ords = append(p.ords, at)
	}
	if dir == engine.Backwards {
		p.hi -= n
	} else {
		p.lo += n
	}
	return p.ords
}

// addTo adds those of the events that pass the bounds of version to the batch.
func (p *indexPart) addTo(c *indexScan, ords []uint32) (err error) {
	c.examined += int64(len(ords))
	if c.versioned() {
		kept := ords[:0]
		for _, ord := range ords {
			if v := p.versions[ord-p.first]; v >= c.plan.match.minVersion && v <= c.plan.match.maxVersion {
				kept = append(kept, ord)
			}
		}
		ords = kept
	}
	b := &c.batch
	b.Len = len(ords)
	for _, ord := range ords {
		b.Positions = append(b.Positions, p.reader.position(ord))
	}
	if c.columns&engine.ColVersion != 0 {
		for _, ord := range ords {
			b.Versions = append(b.Versions, p.versions[ord-p.first])
		}
	}
	if c.columns&engine.ColType != 0 {
		for _, ord := range ords {
			b.Types = append(b.Types, p.names[p.types[ord-p.first]])
		}
	}
	if c.columns&engine.ColTime != 0 && len(ords) > 0 {
		p.offsets, p.times, err = p.reader.Places(ords, true, p.offsets, p.times)
		b.Times = append(b.Times, p.times...)
	}
	return err
}
