package query

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// A weighing is how a query that groups $all can be given rows that stand for many events each: one
// or two for a stream, whose numbers the index knows (see headBatches), or one for the events of a
// type between two times (see bucketBatches). It reads no event.
type weighing struct {
	scan    *tableScan
	streams bool // a row is a stream, otherwise a type within a time

	// Of streams.
	edges bool // the first and the last event of each are asked for
	feed  bool // the stream is a key

	// Of types and times.
	types bool  // are told apart
	grain int64 // within which times are not, in microseconds; 0 if none is
	exact bool  // conditions ask for more than the rows tell: the bounds must say all of it
}

// weighing finds how the rows of the core can be weighed, nil if they cannot.
func (c *coreScope) weighing(p *groupPlan) *weighing {
	scan, ok := p.from.(*tableScan)
	if !ok || scan.events() == nil || !scan.events().all || len(p.where) > 0 || c.nesting || c.followed() ||
		p.shortcut != nil && p.shortcut.exact == nil ||
		slices.ContainsFunc(p.aggs, func(a *aggregateCall) bool { return !a.weighable() }) {
		return nil
	}
	for _, k := range p.keys {
		if k.Collate != 0 || k.Volatile {
			return nil
		}
	}
	rows, conds := c.columnUse(p), columnUse{}
	for _, e := range conjuncts(c.core.Where) {
		conds.add(c, e)
	}
	if rows.other || conds.other {
		return nil
	}
	if w := c.weighingOfStreams(p, scan, rows, conds); w != nil {
		return w
	}
	return weighingOfTypes(scan, rows, conds)
}

func (c *coreScope) weighingOfStreams(p *groupPlan, scan *tableScan, rows, conds columnUse) *weighing {
	const known = 1<<ordStream | 1<<ordCategory
	if (rows.read|conds.read)&^known != 0 || rows.grain > 0 || conds.grain > 0 ||
		rows.read == 0 && conds.read == 0 && !rows.edges {
		return nil
	}
	return &weighing{scan: scan, streams: true, edges: rows.edges, feed: p.byStream != noStreamKey}
}

func weighingOfTypes(scan *tableScan, rows, conds columnUse) *weighing {
	const known = 1 << ordType
	if rows.read&^known != 0 || rows.edges {
		return nil
	}
	w := &weighing{scan: scan, types: (rows.read|conds.read)&known != 0, grain: rows.grain,
		exact: conds.read&^known != 0}
	if conds.grain > 0 && (w.grain == 0 || conds.grain < w.grain) {
		w.grain = conds.grain
	}
	return w
}

// A columnUse is which columns of the only table expressions read, and how.
type columnUse struct {
	read  uint64 // a bit for each column, by its ordinal
	grain int64  // of functions of recorded_at, which is not in read for them; 0 for none
	edges bool   // MIN or MAX of what grows along a stream, which is not in read for them
	other bool   // something that a row alone does not decide
}

// columnUse is that of the keys and the aggregates.
func (c *coreScope) columnUse(p *groupPlan) (use columnUse) {
	for _, e := range c.keyTrees {
		use.add(c, e)
	}
	for _, a := range p.aggs {
		if a.filter == nil && (a.name == "min" || a.name == "max") && a.column != nil {
			switch c.leafColumn(leaf{src: &c.sources[0]}, a.column) {
			case ordPosition, ordVersion, ordRecordedAt:
				use.edges = true
				continue
			}
		}
		for _, e := range a.tree.Args {
			use.add(c, e)
		}
		use.add(c, a.tree.Filter)
	}
	return use
}

// add adds what an expression reads.
func (u *columnUse) add(c *coreScope, e parser.Expr) {
	parser.Walk(e, func(e parser.Expr) bool {
		switch e := e.(type) {
		case *parser.Column:
			i := c.leafColumn(leaf{src: &c.sources[0]}, e)
			if i < 0 {
				u.other = true // of an enclosing query, or the name of a result
				return false
			}
			u.read |= 1 << i
		case *parser.Call:
			if grain := c.grainOf(e); grain > 0 {
				if u.grain == 0 || grain < u.grain {
					u.grain = grain
				}
				return false
			}
			u.other = u.other || e.Over != nil || isReveal(e) || c.functions.find(e.Name) != nil ||
				c.functions.volatile(e.Name)
		}
		u.other = u.other || hasSelect(e)
		return !u.other
	})
}

// open starts the rows that stand for many events; nil if the bounds of this execution ask for more
// than they tell.
func (w *weighing) open(g *groupedRows) (rows, error) {
	ex := g.ex
	if len(ex.own) > 0 || ex.since > 0 || ex.keeping || ex.following != nil || g.plan.view != nil {
		return nil, nil
	}
	what, err := w.scan.narrow(ex, g.outer)
	if err != nil {
		return nil, err
	}
	what.seen = w.scan.sees(ex, what)
	if what.empty {
		what.seen.toEnd()
		return noRows{}, nil
	}
	if !w.fits(ex, what) {
		return nil, nil
	}
	what.seen.toEnd()
	index := quiet(ex.index)
	if w.streams {
		src := &headBatches{streams: index.Streams(ex.ctx, what.prefix), edges: w.edges}
		if !w.scan.need[ordRecordedAt] {
			withoutTimes(src.streams)
		}
		return &scannedRows{src: src, conds: w.scan.conds}, nil
	}
	conds := w.scan.conds
	if w.exact {
		conds = nil
	}
	src, err := newBucketBatches(ex.ctx, index, w, w.scan.filter(what))
	if err != nil || src == nil {
		return nil, err
	}
	return &scannedRows{src: src, conds: conds}, nil
}

// fits reports whether the rows tell what the bounds ask for.
func (w *weighing) fits(ex *execution, what *narrowing) bool {
	if !w.feed && w.scan.repeats && w.scan.namesOf(ex, what.filter(false)) >= 0 || what.streams != nil || what.ids != nil || what.tags != nil || what.any != nil ||
		what.version != everything {
		return false
	}
	if w.streams {
		return what.types == nil && what.position == everything && what.time == everything
	}
	return what.prefix == "" && what.categories == nil && (!w.exact || !w.scan.inexact && !what.inexact)
}

// readWeighed groups rows that stand for many events; done is false if there are none.
func (g *groupedRows) readWeighed() (done bool, err error) {
	w := g.plan.weighed
	if w == nil {
		return false, nil
	}
	in, err := w.open(g)
	if in == nil || err != nil {
		return false, err
	}
	g.table.weigh = true
	if w.feed {
		g.feed = &groupFeed{in: in, en: g.ex.env(g.outer), only: g.plan.byStream == onlyStreamKey}
		return true, nil
	}
	defer g.ex.leave(g.ex.envs)
	err = readInto(g.table, in, g.ex.env(g.outer))
	if cerr := in.close(); err == nil {
		err = cerr
	}
	if err == errTooFine {
		g.table.keep.release()
		g.table = newGroupTable(g.plan, g.ex.budget)
		return false, nil
	}
	return true, err
}

// explain tells that no event is read.
func (w *weighing) explain(x *explainer) {
	if len(x.ex.own) > 0 {
		return
	}
	scan := w.scan.withoutOuter()
	if now, err := scan.narrowNow(x.ex, nil); err != nil || now.empty {
		return
	}
	what, err := scan.narrow(x.ex, nil)
	if err != nil || !w.fits(x.ex, what) {
		return
	}
	switch {
	case w.streams && w.edges:
		x.step("shortcut", "the first and the last event of each stream, from the index")
	case w.streams:
		x.step("shortcut", "the number of events of each stream, from the index")
	default:
		var by []string
		if w.types {
			by = append(by, "type")
		}
		if w.grain > 0 {
			by = append(by, grainNames[w.grain])
		}
		x.step("shortcut", "counted in the indexes by %s, if there are few", strings.Join(by, " and "))
	}
}
