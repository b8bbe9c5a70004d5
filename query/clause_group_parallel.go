package query

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
)

// partsPerWorker is how many parts each worker gets on average, so that one slow part does not
// leave the others idle.
const partsPerWorker = 4

// readParts groups a large scan with several goroutines: each takes one range of positions after
// the other and groups it; the ranges' groups are merged in the order of their positions, so that
// the result is that of one scan. All goroutines have ended when it returns. done is false if the
// scan is not worth it, or cannot be divided.
func (g *groupedRows) readParts() (done bool, err error) {
	scan, ok := g.plan.from.(*tableScan)
	workers := runtime.GOMAXPROCS(0)
	if !ok || !g.plan.parallel || workers < 2 || scan.events() == nil || g.outer != nil ||
		len(g.ex.own) > 0 {
		return false, nil
	}
	parter, ok := g.ex.index.(engine.Parter)
	if !ok {
		return false, nil
	}
	what, err := scan.narrowNow(g.ex, g.outer)
	if err != nil || what.empty || scan.namesOf(g.ex, what.filter(false)) >= 0 {
		return false, err
	}
	parts := parter.Parts(scan.filter(what), workers*partsPerWorker)
	if len(parts) < 2 {
		return false, nil
	}
	what.seen.toEnd()
	tables, err := g.groupParts(scan, parts, min(workers, len(parts)))
	for _, t := range tables {
		if t == nil {
			continue
		}
		if merr := g.table.merge(t); err == nil {
			err = merr
		}
	}
	var spent *MemoryError
	if errors.As(err, &spent) { // each part keeps a group of its own for the same keys: all rows together may need less
		g.table.keep.release()
		clear(tables)
		g.table = newGroupTable(g.plan, g.ex.budget)
		runtime.GC() // the groups so far are gone, and as many are about to be made
		return false, nil
	}
	return true, err
}

// groupParts groups every part. After an error it returns the first, in the order of the parts,
// beside what was grouped.
func (g *groupedRows) groupParts(
	scan *tableScan, parts []engine.Filter, workers int,
) ([]*groupTable, error) {
	ctx, cancel := context.WithCancel(g.ex.ctx)
	defer cancel()
	tables, errs := make([]*groupTable, len(parts)), make([]error, len(parts))
	var next atomic.Int64
	var running sync.WaitGroup
	for range workers {
		running.Go(func() { // ends with the parts, or when a part fails; waited for below
			for {
				i := int(next.Add(1)) - 1
				if i >= len(parts) || ctx.Err() != nil {
					return
				}
				tables[i], errs[i] = g.groupPart(ctx, scan, parts[i])
				if errs[i] != nil {
					cancel()
				}
			}
		})
	}
	running.Wait()
	if err := g.ex.ctx.Err(); err != nil {
		return tables, err
	}
	for _, err := range errs {
		if err != nil && err != context.Canceled { // another part's error has cancelled this one
			return tables, err
		}
	}
	return tables, nil
}

// groupPart groups one range with an execution of its own.
func (g *groupedRows) groupPart(
	ctx context.Context, scan *tableScan, part engine.Filter,
) (*groupTable, error) {
	ex := &execution{ctx: ctx, session: g.ex.session, args: g.ex.args, now: g.ex.now,
		index: quiet(g.ex.index), budget: g.ex.budget, counters: g.ex.counters}
	defer ex.end()
	t := newGroupTable(g.plan, ex.budget)
	in, err := scan.openBounds(ex, scanBounds{Filter: part, fleeting: g.plan.fleeting})
	if err != nil {
		return t, err
	}
	err = readInto(t, in, ex.env(nil))
	if cerr := in.close(); err == nil {
		err = cerr
	}
	return t, err
}
