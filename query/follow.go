package query

import (
	"io"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

// A followPlan is a SELECT that goes on with events as they commit, until its context ends or LIMIT is reached.
type followPlan struct {
	plan *selectPlan
	scan *tableScan
	pos  parser.Pos
}

// checkFollow refuses what has no meaning without an end: the tree alone tells.
func (c *compilation) checkFollow(sel *parser.Select) error {
	what := ""
	core := sel.First
	table, _ := core.From.(*parser.Table)
	switch {
	case sel.AsOf != nil:
		what = "AS OF POSITION"
	case len(sel.Unions) > 0:
		what = "UNION"
	case len(sel.With) > 0:
		what = "WITH"
	case core.Distinct:
		what = "DISTINCT"
	case len(core.GroupBy) > 0 || core.Having != nil:
		what = "GROUP BY"
	case sel.Offset != nil:
		what = "OFFSET"
	case table == nil:
		return errorf(BadStatement, core.Pos, "FOLLOW reads from exactly one event table")
	}
	if what != "" {
		return errorf(BadStatement, sel.Pos, "FOLLOW cannot be combined with %s", what)
	}
	return nil
}

func newFollowPlan(p *selectPlan, sel *parser.Select) (*followPlan, error) {
	core := p.cores[0]
	scan, ok := core.from.(*tableScan)
	switch {
	case core.group != nil:
		return nil, errorf(BadStatement, sel.Pos, "FOLLOW cannot be combined with aggregates")
	case core.windows != nil:
		return nil, errorf(BadStatement, sel.Pos, "FOLLOW cannot be combined with window functions")
	case !ok || scan.events() == nil:
		return nil, errorf(BadStatement, sel.Pos, "FOLLOW reads from exactly one event table")
	case len(core.order) > 0 && (core.directed == nil || core.directed.backwards):
		return nil, errorf(BadStatement, sel.Pos, "FOLLOW gives events in the order of their positions; it cannot be combined with another ORDER BY")
	}
	return &followPlan{plan: p, scan: scan, pos: sel.Pos}, nil
}

func (f *followPlan) open(ex *execution) (operator, error) {
	if ex.session.Tx != nil {
		return nil, errorf(BadStatement, f.pos, "FOLLOW cannot be used in a transaction, which sees a snapshot")
	}
	limit, _, err := f.plan.limit.window(ex, nil)
	if err != nil {
		return nil, err
	}
	what, err := f.scan.narrow(ex, nil)
	if err != nil {
		return nil, err
	}
	if what.empty {
		return noRows{}, nil
	}
	filter := what.filter(false)
	if t := f.scan.events(); !t.all {
		filter = onlyStream(filter, t.stream)
	}
	var set engine.ColumnSet
	for _, c := range f.scan.needed() {
		set |= eventColumns[c].needs
	}
	core := f.plan.cores[0]
	src := &followSource{sub: engine.Subscribe(ex.ctx, ex.session.Store, filter, set)}
	in := filtered(&scanOp{src: src, conds: f.scan.conds}, core.where)
	rows := &projectOp{in: in, en: ex.env(nil), plan: core, row: make([]Value, len(core.results))}
	return limited(rows, limit, 0), nil
}

// A followSource yields what a subscription gives.
type followSource struct {
	sub   *engine.Subscription
	batch tableBatch
}

func (s *followSource) Next() (*tableBatch, error) {
	for {
		b, err := s.sub.Next()
		switch {
		case err == io.EOF:
			return nil, nil
		case err != nil:
			return nil, err
		case b == nil: // caught up
			continue
		}
		s.batch = tableBatch{n: b.Len, events: b, serial: s.batch.serial + 1}
		return &s.batch, nil
	}
}

func (s *followSource) Close() error { return s.sub.Close() }
