package query

import (
	"context"
	"fmt"

	"github.com/eventfold/eventfold/engine"
)

// A keptReport tells what is kept of a view, in memory and beside the log.
type keptReport struct {
	groups   int64           // some of them twice while levels are joined
	bytes    int64           // that they take in memory
	to       engine.Position // the events before it need not be read
	file     engine.Position // those before it need not because of what is kept beside the log
	unread   bool            // what is kept beside the log is not in memory yet
	tooLarge *ViewTooLargeError
}

// report tells what a reading as of an index could use.
func (g *groupPlan) report(ctx context.Context, s *Session, k *keptView, index engine.ReadIndex) (r keptReport) {
	if !k.loaded.Load() {
		r.file = g.stateEnd(ctx, s, index)
		r.unread = r.file > 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	r.bytes, r.tooLarge, r.to = k.budget.held.Load(), k.tooLarge.Load(), r.file
	if !r.unread {
		r.file = k.saved
	}
	for _, l := range k.levels {
		r.groups += int64(len(l.table.groups))
		if l.to <= index.Head() {
			r.to = max(r.to, l.to)
		}
	}
	return r
}

// explainKept tells what is kept, and how much is to be read behind it. It is false if nothing can be
// used of it.
func (g *groupPlan) explainKept(x *explainer) bool {
	kept := x.ex.session.kept(g.view)
	if kept == nil {
		return false
	}
	r := g.report(x.ex.ctx, x.ex.session, kept, quiet(x.ex.index))
	file := ""
	if r.file > 0 && r.file <= r.to {
		file = fmt.Sprintf(", those of [0, %d] beside the log", r.file-1)
	}
	behind := x.ex.index.Head() - r.to
	switch {
	case r.tooLarge != nil:
		x.step("kept", "nothing: its groups need more than %d bytes", r.tooLarge.Limit)
	case r.unread && r.file <= x.ex.index.Head():
		x.step("kept", "the groups of positions [0, %d] beside the log, %d events behind them", r.file-1, behind)
	case r.to == 0 || r.unread:
		x.step("kept", "nothing yet")
	default:
		x.step("kept", "%d groups of positions [0, %d]%s, %d events behind them", r.groups, r.to-1, file, behind)
	}
	return true
}
