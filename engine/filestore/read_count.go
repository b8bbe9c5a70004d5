package filestore

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

// Count implements ReadIndex. The indexes can tell unless the filter asks for ids, or for versions
// of any stream, or for streams that begin with something and another thing besides.
func (r *readIndex) Count(ctx context.Context, what engine.Filter) (int64, error) {
	what.Limit, what.Direction = 0, engine.Forwards
	if err := r.usable(ctx); err != nil {
		return 0, err
	}
	p := r.plan(what)
	if p.nothing {
		return 0, nil
	}
	if !p.countable() {
		return r.countRows(ctx, what)
	}
	total := int64(0)
	var memory blockMemory
	for i := r.find(p.from); i <= r.find(p.to-1); i++ {
		if err := r.usable(ctx); err != nil {
			return 0, err
		}
		s := r.reader(ctx, i, &memory)
		lo, hi, err := p.within(&s)
		if err != nil {
			return 0, err
		}
		if lo >= hi {
			continue
		}
		n, err := p.count(&s, lo, hi)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// countRows counts by looking at the events that may pass.
func (r *readIndex) countRows(ctx context.Context, what engine.Filter) (int64, error) {
	var c eventCursor
	c.begin(ctx, r, what, false)
	c.memory.reuse = true
	n := int64(0)
	for c.next() {
		n++
	}
	c.stop()
	return n, c.err
}

// countable reports whether the indexes alone can tell which events pass.
func (p *scanPlan) countable() bool {
	f := &p.filter
	versions := p.match.minVersion > 0 || f.HasMaxVersion
	others := f.Types != nil || len(f.Tags) > 0 || f.Any != nil
	return f.IDs == nil && (f.Streams != nil || !versions) && (f.Prefix == "" || !others)
}

// count returns how many events in [lo, hi) of a segment pass.
func (p *scanPlan) count(s *segmentReader, lo, hi uint32) (int64, error) {
	if p.filter.Prefix != "" {
		return p.countPrefix(s, lo, hi)
	}
	conditions, none, err := p.conditions(s, lo, hi)
	switch {
	case err != nil || none:
		return 0, err
	case len(conditions) == 0:
		return int64(hi - lo), nil
	case len(conditions) == 1 && conditions[0].any == nil:
		return p.countKeys(s, &conditions[0], lo, hi)
	}
	all := make([]*condition, len(conditions))
	for i := range conditions {
		all[i] = &conditions[i]
	}
	ords, err := p.common(s, all, lo, hi)
	return int64(len(ords)), err
}

// countPrefix counts the events of the streams that begin with the prefix.
func (p *scanPlan) countPrefix(s *segmentReader, lo, hi uint32) (n int64, err error) {
	err = s.Keys(index.ByStream, p.filter.Prefix, hi, func(e index.Entry) bool {
		n += int64(e.Count)
		return true
	})
	if err == nil && lo > 0 {
		err = s.Keys(index.ByStream, p.filter.Prefix, lo, func(e index.Entry) bool {
			n -= int64(e.Count)
			return true
		})
	}
	return n, err
}

// countKeys counts the events that have one of the keys, which no event has two of.
func (p *scanPlan) countKeys(s *segmentReader, c *condition, lo, hi uint32) (n int64, err error) {
	for k := range c.keys {
		e := &c.keys[k]
		i, j := uint32(0), e.Count
		if c.dictionary == index.ByStream {
			i, j = p.versions(e)
		}
		if lo > e.First { // the events before lo do not count
			before, _, err := s.Lookup(c.dictionary, e.Key, lo)
			if err != nil {
				return 0, err
			}
			i = max(i, before.Count)
		}
		n += int64(max(i, j) - i)
	}
	return n, nil
}
