package query

import (
	"fmt"
	"strings"

	"github.com/eventfold/eventfold/engine"
)

// wakes is what wakes FOLLOW over groups while it waits: the events that a scan with these bounds may
// give, and what the store tells of erasures and of views where that concerns the groups. It is nil
// where every commit does.
func (g *followedGroups) wakes(what *narrowing) []engine.Alternative {
	f := g.table.filter(what)
	own := []engine.Alternative{{Streams: f.Streams, Types: f.Types, Tags: f.Tags}}
	if f.Streams == nil && f.Types == nil && f.Tags == nil {
		own = f.Any
	}
	if g.progress || own == nil || f.To > 0 {
		return nil
	}
	own = own[:len(own):len(own)]
	if g.table.columnSet()&erasedColumns != 0 {
		own = append(own, engine.Alternative{Streams: []string{engine.ErasuresStream}})
	}
	if len(g.views) > 0 {
		own = append(own, engine.Alternative{Streams: []string{engine.ViewsStream}})
	}
	return own
}

// wakes is what wakes FOLLOW while it waits, as text.
func (f *followPlan) wakes(what *narrowing) string {
	names := newNarrowing()
	if f.groups != nil {
		names.any = f.groups.wakes(what)
	} else if filter := f.scan.filter(what); !f.progress && filter.To == 0 {
		names.streams, names.types, names.tags = filter.Streams, filter.Types, filter.Tags
		names.prefix, names.any = filter.Prefix, filter.Any
	}
	var b strings.Builder
	names.describe(&b, 0)
	if b.Len() == 0 {
		return "by every commit"
	}
	return "by events of" + b.String()
}

// explain tells how the statement begins and goes on.
func (f *followPlan) explain(x *explainer) {
	x.step("follow", "%s", f.describe())
	after, err := f.begin(x.ex)
	if err != nil {
		x.err = err
		return
	}
	scan := f.scan
	if f.groups != nil {
		scan = f.groups.table
	}
	what, err := scan.narrow(x.ex, nil)
	if err != nil {
		x.err = err
		return
	}
	if what.empty {
		x.step("replay", "nothing: no event can satisfy the conditions")
		return
	}
	if f.groups == nil {
		x.step("replay", "%s", positionsOf(max(after, what.filter(false).From), x.ex.index.Head()))
	} else {
		f.groups.explainReplay(x, after, f.after != nil)
		x.step("keep", "each group, and what was told of it, as memory of the query")
	}
	x.step("wake", "%s", f.wakes(what))
}

// explainReplay tells from what the groups are made with which the statement begins: of those before
// after, if it resumes there, nothing is told.
func (g *followedGroups) explainReplay(x *explainer, after engine.Position, resumes bool) {
	head, silent := x.ex.index.Head(), ""
	at := head
	if resumes {
		at = min(after, head)
		silent = ", in silence up to the position of AFTER"
	}
	if view := g.levels[0].group.view; view != nil {
		kept := x.ex.session.kept(view)
		if kept != nil {
			r := g.levels[0].group.report(x.ex.ctx, x.ex.session, kept, quiet(x.ex.index.At(at)))
			if r.tooLarge == nil && r.to > 0 && r.to <= at {
				x.step("replay", "the groups of positions [0, %d] that are kept of view %s, then %s%s", r.to-1, view.name,
					positionsOf(r.to, head), silent)
				return
			}
		}
	}
	x.step("replay", "%s%s", positionsOf(0, head), silent)
}

// positionsOf names a range of positions, of which the last is not included.
func positionsOf(from, to engine.Position) string {
	if from >= to {
		return "nothing"
	}
	return fmt.Sprintf("the events of positions [%d, %d]", from, to-1)
}
