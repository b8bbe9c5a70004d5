package query

import (
	"cmp"
	"math"
	"sort"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// OFFSET passes over events without reading them where their positions say which they are, in $all,
// or their versions, in one stream: both count from zero without gaps. Events of some types are counted
// in the indexes until there are as many.

// skips returns the scan whose first rows OFFSET drops, nil if something stands in between.
func (p *corePlan) skips(ex *execution) (scan *tableScan, backwards bool) {
	scan, ok := p.from.(*tableScan)
	if !ok || scan.events() == nil || scan.inexact || len(p.where) > 0 || p.group != nil || p.windows != nil ||
		p.distinct || p.on != nil || len(ex.own) > 0 || ex.since > 0 || ex.keeping || ex.following != nil {
		return nil, false
	}
	if len(p.order) == 0 {
		return scan, scan.backwards
	}
	if p.directed == nil || p.directed.scan != scan || !p.directed.exact {
		return nil, false
	}
	return scan, p.directed.backwards
}

// openBehind starts the core behind offset rows, from which no more than limit will be read; -1
// means all of them. done is false if those have to be read.
func (p *corePlan) openBehind(
	ex *execution, outer *expr.Env, limit, offset int64,
) (in rows, done bool, err error) {
	scan, backwards := p.skips(ex)
	if scan == nil {
		return nil, false, nil
	}
	what, err := scan.narrowNow(ex, outer)
	if err != nil {
		return nil, false, err
	}
	done, err = scan.skip(ex, what, backwards, offset)
	if !done || err != nil {
		return nil, false, err
	}
	if what.empty {
		what.seen.toEnd() // there would be rows if the log were longer
		return noRows{}, true, nil
	}
	f := what.filter(backwards)
	if limit > 0 && limit < math.MaxInt32 {
		f.Limit = int(limit)
	}
	if in, err = scan.openBounds(ex, scanBounds{Filter: f, seen: what.seen}); err != nil {
		return nil, false, err
	}
	return &projectedRows{in: in, en: ex.env(outer), plan: p, row: make([]value.Value, len(p.results))}, true, nil
}

// skip moves the bounds behind n events; done is false if it cannot be told which they are.
func (s *tableScan) skip(ex *execution, what *narrowing, backwards bool, n int64) (done bool, err error) {
	f := s.filter(what)
	switch {
	case what.empty:
		return true, nil
	case len(f.Types) > 0 && what.time == everything && what.version == everything && f.Streams == nil && f.IDs == nil &&
		f.Tags == nil && f.Any == nil && f.Prefix == "" && !what.inexact:
		return true, what.skipTypes(ex, backwards, n)
	case what.inexact || f.Types != nil || f.IDs != nil || f.Tags != nil || f.Any != nil || f.Prefix != "" ||
		what.like != "" || what.categories != nil || what.time != everything || len(f.Streams) > 1:
		return false, nil
	case f.Streams == nil && what.version == everything:
		what.skipIn(&what.position, int64(ex.index.Head())-1, backwards, n)
		return true, nil
	case len(f.Streams) == 1 && what.position == everything:
		last, ok, err := quiet(ex.index).StreamVersion(f.Streams[0])
		if !ok || err != nil {
			return false, err
		}
		what.skipIn(&what.version, int64(last), backwards, n)
		return true, nil
	}
	return false, nil
}

// skipIn takes n numbers away from the beginning of a range of those from 0 to last, or from its end.
func (w *narrowing) skipIn(s *span, last int64, backwards bool, n int64) {
	if w.narrowTo(s, 0, last); w.empty || n > s.hi-s.lo {
		w.empty = true
		return
	}
	if backwards {
		s.hi -= n
	} else {
		s.lo += n
	}
}

// skipTypes moves the bounds behind n events of the filter's types, which the indexes count.
func (w *narrowing) skipTypes(ex *execution, backwards bool, n int64) error {
	if w.narrowTo(&w.position, 0, int64(ex.index.Head())-1); w.empty {
		return nil
	}
	index, failed := quiet(ex.index), error(nil)
	lo, hi := w.position.lo, w.position.hi
	count := func(from, to int64) int64 { // of the events at from to before to
		if from >= to || ex.ctx.Err() != nil {
			return 0
		}
		k, err := index.Count(ex.ctx, engine.Filter{From: engine.Position(from), To: engine.Position(to), Types: w.types})
		if err != nil {
			failed = err
		}
		return k
	}
	size := int(hi - lo + 1)
	skipped := sort.Search(size, func(i int) bool { // so many positions have them
		if backwards {
			return count(hi-int64(i), hi+1) >= n
		}
		return count(lo, lo+int64(i)+1) >= n
	}) + 1
	switch err := cmp.Or(failed, ex.ctx.Err()); {
	case err != nil:
		return err
	case skipped > size-1:
		w.empty = true
	case backwards:
		w.position.hi = hi - int64(skipped)
	default:
		w.position.lo = lo + int64(skipped)
	}
	return nil
}
