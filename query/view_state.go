package query

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
	"github.com/eventfold/eventfold/query/internal/viewstate"
)

// What is kept of a materialized view can also be kept beside the log, so that who opens the store
// next goes on from there (see engine.Deriver and package viewstate). It is never needed: whatever is
// wrong with it, the groups are made from the log.

// stateName is the name under which the groups of a view are kept. A view that is defined anew has
// another one.
func (v *viewDefinition) stateName() string { return fmt.Sprintf("view-%d", v.position) }

// stateShape is what the groups of a view have in common. It holds everything that decides what they
// are, so that groups which were made by another definition, or by a version of this program that
// understands it otherwise, are not taken for them.
func (g *groupPlan) stateShape() viewstate.Shape {
	s := viewstate.Shape{Keys: len(g.keys), States: len(g.aggs)}
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00%s\x00%s", runtime.Version(), g.view.position, g.view.name, g.view.text)
	h.Sum(s.Definition[:0])
	return s
}

// maxRoomAhead is for how many groups room is made before they have been read.
const maxRoomAhead = 64 << 10

// writeLevels writes levels as they are kept.
func writeLevels(ctx context.Context, to io.Writer, shape viewstate.Shape, levels []*keptLevel) error {
	e := viewstate.NewEncoder(to, shape, len(levels))
	one := viewstate.Group{States: make([]viewstate.State, shape.States)}
	for _, l := range levels {
		e.Level(viewstate.Level{From: int64(l.from), To: int64(l.to), Groups: int64(len(l.table.groups))})
		for i, g := range l.table.groups {
			if i%batchRows == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			one.Keys = g.keys
			for i := range g.aggs {
				one.States[i] = g.aggs[i].kept()
			}
			if err := e.Group(&one); err != nil {
				return err
			}
		}
	}
	return e.Flush()
}

// kept is the state as it is written.
func (s *aggState) kept() viewstate.State {
	return viewstate.State{N: s.n, Sum: s.sum, Wraps: s.wraps, Real: s.real, Total: s.total, Squares: s.squares,
		Value: s.value}
}

// keep makes the state what was written. It returns how many bytes that takes.
func (s *aggState) keep(k *viewstate.State) int64 {
	*s = aggState{n: k.N, sum: k.Sum, wraps: k.Wraps, real: k.Real, total: k.Total, squares: k.Squares}
	s.set(k.Value)
	return s.size()
}

// readLevels reads levels that end at a position. What they take is counted against the budget.
func (g *groupPlan) readLevels(
	ctx context.Context, from io.Reader, end engine.Position, b *budget,
) (levels []*keptLevel, err error) {
	defer func() {
		if err != nil {
			releaseLevels(levels)
			levels = nil
		}
	}()
	d, err := viewstate.NewDecoder(from, g.stateShape())
	if err != nil {
		return nil, err
	}
	for at := engine.Position(0); ; {
		head, ok, err := d.Level()
		if err != nil || !ok {
			if err == nil && at != end {
				err = viewstate.ErrState
			}
			return levels, err
		}
		l := &keptLevel{engine.Position(head.From), engine.Position(head.To), newGroupTable(g, b)}
		levels = append(levels, l)
		l.table.byKey = make(map[string]*group, min(head.Groups, maxRoomAhead))
		if err := l.table.readGroups(ctx, d, head.Groups); err != nil {
			return levels, err
		}
		at = l.to
	}
}

func releaseLevels(levels []*keptLevel) {
	for _, l := range levels {
		l.table.keep.release()
	}
}

// readGroups reads the groups of a level into an empty table.
func (t *groupTable) readGroups(ctx context.Context, d *viewstate.Decoder, n int64) error {
	one := viewstate.Group{
		Keys: make([]value.Value, len(t.plan.keys)), States: make([]viewstate.State, len(t.plan.aggs)),
	}
	for i := range n {
		if i%batchRows == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := d.Group(&one); err != nil {
			return err
		}
		t.key = t.keyOf(t.key[:0], one.Keys)
		if t.byKey[string(t.key)] != nil {
			return viewstate.ErrState
		}
		g, err := t.insert(string(t.key), one.Keys)
		if err != nil {
			return err
		}
		size := int64(0)
		for i := range g.aggs {
			size += g.aggs[i].keep(&one.States[i])
		}
		if err := t.keep.account(size); err != nil {
			return err
		}
	}
	return nil
}
