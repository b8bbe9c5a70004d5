package filestore

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
)

// Merging keeps the number of files small that must be asked to prove that a stream, or an id, is
// new. Asking one costs about 70 ns, so that up to maxUnmerged nothing needs to be done. Above it,
// eight adjacent indexes of the same size become one (size-tiered merging): first of eight
// segments, then of eight such runs, and so on.
const (
	maxUnmerged = 24 // indexes that are asked without merging: less than 2 µs
	mergeFan    = 8

	mergeCache = 1 << 20 // bytes of the cache of one merge, so that the store's keeps what is asked for
)

// begin tells the indexer that this process may write from now on. segments returns the store's
// segments at any time. Runs that are there are opened, and made if there are too many indexes
// without. Any goroutine may call it; it does not wait.
func (x *indexer) begin(segments func() []*segment) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.segments = segments
	for _, seg := range segments() { // what a reader has left in memory
		if _, ok := seg.fileIndex(); !ok && seg.sealed.Load() != nil {
			x.wantLocked(seg)
		}
	}
	x.startLocked()
}

// runList returns the runs by position. They do not overlap.
func (x *indexer) runList() []*index.Run {
	if list := x.runs.Load(); list != nil {
		return *list
	}
	return nil
}

// merge opens the runs that are there, and makes at most one new. It reports whether there may be
// more to do.
func (x *indexer) merge() (more bool, err error) {
	x.mu.Lock()
	segments, opened := x.segments, x.runsOpened
	x.runsOpened = segments != nil
	x.mu.Unlock()
	if segments == nil || !x.mayWrite() || x.ctx.Err() != nil {
		return false, nil
	}
	sealed := segments()
	for len(sealed) > 0 && sealed[len(sealed)-1].sealed.Load() == nil {
		sealed = sealed[:len(sealed)-1]
	}
	if len(sealed) == 0 {
		return false, nil
	}
	if !opened {
		return true, x.openRuns(sealed)
	}
	items := x.mergeItems(sealed)
	if len(items) <= x.maxUnmerged {
		return false, nil
	}
	window := mergeWindow(items)
	if window == nil {
		return false, nil
	}
	return true, x.mergeRun(window)
}

// openRuns opens the runs whose segments are there, the longest first, and removes the others.
func (x *indexer) openRuns(sealed []*segment) error {
	dir := filepath.Dir(sealed[0].name)
	names, err := x.fs.List(dir)
	if err != nil {
		return err
	}
	var found []*index.Run
	for _, name := range names {
		if from, to, ok := index.ParseRunName(name); ok {
			found = append(found, &index.Run{From: from, To: to})
		}
	}
	slices.SortFunc(found, func(a, b *index.Run) int { return int(b.Span() - a.Span()) })
	var list []*index.Run
	for _, r := range found {
		name := vfs.Join(dir, index.RunName(r.From, r.To))
		if x.fitRun(r, name, sealed, list) {
			list = append(list, r)
		} else {
			x.fs.Remove(name) // a leftover; if it stays it does no harm
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.setRunsLocked(list)
	return nil
}

// fitRun opens a run if it is about segments of the store that no run of the list is about.
func (x *indexer) fitRun(r *index.Run, name string, sealed []*segment, list []*index.Run) bool {
	first := sealed[0].number
	if r.From < first || r.To > sealed[len(sealed)-1].number {
		return false
	}
	for _, other := range list {
		if r.From <= other.To && other.From <= r.To {
			return false
		}
	}
	f, err := x.openFile(name, indexRunMeta(sealed[r.From-first:r.To-first+1]))
	r.File = f
	return err == nil && f.Run
}

func (x *indexer) setRunsLocked(list []*index.Run) {
	slices.SortFunc(list, func(a, b *index.Run) int { return int(a.From - b.From) })
	x.runs.Store(&list)
}

// A mergeItem is a run, or a sealed segment that no run is about.
type mergeItem struct {
	file     *index.File // nil if the segment has no index file yet
	run      *index.Run  // nil for a segment
	segments []*segment
}

// mergeItems returns what must be asked about a stream that is in no segment, by position.
func (x *indexer) mergeItems(sealed []*segment) []mergeItem {
	var items []mergeItem
	runs := x.runList()
	for i := 0; i < len(sealed); {
		for len(runs) > 0 && runs[0].From < sealed[i].number {
			runs = runs[1:]
		}
		if len(runs) > 0 && runs[0].From == sealed[i].number && int(runs[0].Span()) <= len(sealed)-i {
			n := int(runs[0].Span())
			items = append(items, mergeItem{file: runs[0].File, run: runs[0], segments: sealed[i : i+n]})
			i += n
			continue
		}
		f, _ := sealed[i].fileIndex()
		items = append(items, mergeItem{file: f, segments: sealed[i : i+1]})
		i++
	}
	return items
}

// mergeWindow returns the oldest mergeFan adjacent items of the least size of which there are so
// many, nil if there are none.
func mergeWindow(items []mergeItem) []mergeItem {
	var best []mergeItem
	for i := range items {
		n := i
		for n < min(len(items), i+mergeFan) && items[n].file != nil &&
			len(items[n].segments) == len(items[i].segments) {
			n++
		}
		if n == i+mergeFan && (best == nil || len(items[i].segments) < len(best[0].segments)) {
			best = items[i:n]
		}
	}
	return best
}

// mergeRun makes one run of the items and puts it in their place.
func (x *indexer) mergeRun(items []mergeItem) error {
	var segments []*segment
	for _, item := range items {
		segments = append(segments, item.segments...)
	}
	from, to := segments[0].number, segments[len(segments)-1].number
	dir, m := filepath.Dir(segments[0].name), indexRunMeta(segments)
	name := vfs.Join(dir, index.RunName(from, to))
	parts, err := x.openParts(items)
	if err == nil {
		err = index.WriteRunFile(x.ctx, x.fs, name, parts, m)
	}
	for _, p := range parts {
		p.Close()
	}
	if err != nil {
		x.giveUp(items, err)
		return err
	}
	f, err := x.openFile(name, m)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	list := []*index.Run{{File: f, From: from, To: to}}
	for _, r := range x.runList() {
		if r.To < from || r.From > to {
			list = append(list, r)
		} else {
			x.fs.Remove(r.Name) // it stays open for whoever is asking it
		}
	}
	x.setRunsLocked(list)
	return nil
}

// openParts opens the items' files once more, with a small cache of their own.
func (x *indexer) openParts(items []mergeItem) (parts []*index.File, err error) {
	cache := index.NewBlockCache(mergeCache, 0)
	for _, item := range items {
		p, err := index.OpenFile(x.fs, item.file.Name, item.file.Meta, cache)
		if err != nil {
			return parts, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// giveUp has the item made anew whose file is damaged, if that is what err says.
func (x *indexer) giveUp(items []mergeItem, err error) {
	var damage *index.Damage
	if !errors.As(err, &damage) {
		return
	}
	for _, item := range items {
		switch {
		case item.file.Name != damage.File:
		case item.run != nil:
			x.dropRun(item.run)
		default:
			x.rewrite(item.segments[0])
		}
	}
}

// dropRun gives a damaged run up. Its segments are asked one by one until they are merged again.
func (x *indexer) dropRun(r *index.Run) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var list []*index.Run
	for _, other := range x.runList() {
		if other != r {
			list = append(list, other)
		}
	}
	x.setRunsLocked(list)
	if x.mayWrite() {
		x.fs.Remove(r.Name)
	}
}

// indexRunMeta describes the events of adjacent sealed segments.
func indexRunMeta(segments []*segment) index.Meta {
	last := segments[len(segments)-1]
	m := index.Meta{
		Store:      last.header.Store,
		Number:     last.number,
		Generation: uint32(len(segments)),
		Base:       segments[0].base,
		Chain:      last.sealed.Load().lastChain,
	}
	for _, seg := range segments {
		m.Count += seg.sealed.Load().count
	}
	return m
}
