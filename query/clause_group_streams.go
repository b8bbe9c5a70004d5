package query

import (
	"errors"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

// Where the stream is one of the keys, events that are read stream by stream are grouped in the memory
// that the groups of one stream take: see groupFeed. They are read so if the indexes know what is read
// of them, or if the groups of all streams need more memory than there is.

// A streamKey says whether the column stream of $all is one of the keys.
type streamKey uint8

const (
	noStreamKey   streamKey = iota
	someStreamKey           // with others
	onlyStreamKey
)

// indexedColumns are those that a StreamScanner knows from its indexes.
const indexedColumns = engine.ColStream | engine.ColVersion | engine.ColType | engine.ColTime

func (c *coreScope) streamKey(p *groupPlan) streamKey {
	scan, ok := p.from.(*tableScan)
	isStream := func(e parser.Expr) bool { return c.leafColumn(leaf{src: &c.sources[0]}, e) == ordStream }
	switch {
	case !ok || scan.events() == nil || !scan.events().all || p.sets != nil || !p.fleeting || c.followed() ||
		!slices.ContainsFunc(c.keyTrees, isStream):
		return noStreamKey
	case len(p.keys) > 1:
		return someStreamKey
	}
	return onlyStreamKey
}

// readStreams groups the events stream by stream; done is false if that cannot be, or if other columns
// are read than those.
func (g *groupedRows) readStreams(columns engine.ColumnSet) (done bool, err error) {
	if g.plan.byStream == noStreamKey || g.plan.view != nil {
		return false, nil
	}
	scan := g.plan.from.(*tableScan)
	if scan.columnSet()&^columns != 0 {
		return false, nil
	}
	in, err := scan.scanStreams(g.ex, g.outer, true)
	if in == nil || err != nil {
		return false, err
	}
	g.feed = &groupFeed{in: filtered(in, g.plan.where), en: g.ex.env(g.outer), only: g.plan.byStream == onlyStreamKey}
	return true, nil
}

// orByStream reads stream by stream if reading as the events lie has failed because the groups need too
// much memory.
func (g *groupedRows) orByStream(failed error) error {
	var spent *MemoryError
	if g.plan.byStream == noStreamKey || g.plan.view != nil || !errors.As(failed, &spent) {
		return failed
	}
	g.table.keep.release()
	g.table = newGroupTable(g.plan, g.ex.budget)
	if done, err := g.readStreams(engine.ColAll); done || err != nil {
		return err
	}
	return failed
}

// streamsText tells EXPLAIN that groups are made stream by stream.
func (g *groupPlan) streamsText(x *explainer) string {
	if g.byStream == noStreamKey || g.view != nil || g.weighed != nil {
		return ""
	}
	scan := g.from.(*tableScan).withoutOuter()
	if scan.columnSet()&^indexedColumns != 0 {
		return ""
	}
	if scanner, _, err := scan.streamScanner(x.ex, nil); scanner == nil || err != nil {
		return ""
	}
	return ", stream by stream"
}
