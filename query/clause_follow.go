package query

import (
	"io"
	"math"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A followPlan is a SELECT that goes on with events as they commit, until its context ends or LIMIT
// is reached.
type followPlan struct {
	plan *selectPlan
	scan *tableScan
	pos  parser.Pos
	text string // of the whole statement

	after    *expr.Expr // FOLLOW AFTER; nil for none
	progress bool       // FOLLOW PROGRESS
	position []bool     // by result, with progress: it is the column position

	groups *followedGroups // what is followed instead of events; nil for events
}

// refuseFollow is the error for what has no meaning beside FOLLOW. hint says what to write instead,
// "" for nothing.
func refuseFollow(pos parser.Pos, what, hint string) error {
	e := errorf(BadStatement, pos, "FOLLOW cannot be combined with %s", what)
	e.Hint = hint
	return e
}

// checkFollow refuses what has no meaning without an end: the tree alone tells. groups tells that
// groups are followed, not events.
func checkFollow(sel *parser.Select, groups bool) error {
	core := sel.First
	switch {
	case sel.AsOf != nil:
		return refuseFollow(sel.Pos, "AS OF POSITION", "FOLLOW AFTER p goes on from a position")
	case len(sel.Unions) > 0:
		return refuseFollow(sel.Pos, sel.Unions[0].Op.String(), "follow each SELECT by itself")
	case len(sel.With) > 0:
		return refuseFollow(sel.Pos, "WITH", "write its SELECT in FROM, if groups are followed")
	case groups:
		return checkFollowGroups(sel)
	case sel.Offset != nil:
		return refuseFollow(sel.Pos, "OFFSET", "FOLLOW AFTER p goes on from a position")
	}
	switch core.From.(type) {
	case *parser.Table, *parser.Derived:
		return nil
	}
	return errorf(BadStatement, core.Pos, "FOLLOW reads from exactly one event table")
}

func newFollowPlan(p *selectPlan, sel *parser.Select, live *liveScope) (*followPlan, error) {
	core := p.cores[0]
	if live.groups {
		groups, err := newFollowedGroups(core, sel, live)
		return &followPlan{plan: p, pos: sel.Pos, groups: groups}, err
	}
	source := followedSourceOf(&core.from)
	switch {
	case core.windows != nil:
		return nil, refuseFollow(sel.Pos, "window functions", "")
	case source.at == nil || len(source.levels) > 0:
		return nil, source.refuse("FOLLOW", sel.Pos)
	case len(core.order) > 0 && !live.alongLog && (core.directed == nil || core.directed.backwards):
		return nil, errorf(BadStatement, sel.Pos,
			"FOLLOW gives events in the order of their positions; it cannot be combined with another ORDER BY")
	}
	f := &followPlan{plan: p, scan: source.scan(), pos: sel.Pos}
	*source.at = &followedRelation{tableScan: f.scan, plan: f}
	core.order, core.directed = nil, nil // which is how a subscription gives them
	return f, nil
}

// topFollow makes the statement one that follows.
func (c *statementCompiler) topFollow(
	q *selectStatement, sel *parser.Select, live *liveScope,
) (err error) {
	if q.follow, err = newFollowPlan(q.plan, sel, live); err != nil {
		return err
	}
	f := q.follow
	f.text = c.text
	if f.groups != nil {
		if c.subs > 0 {
			return refuseFollow(sel.Pos, "a sub-query beside groups",
				"run it by itself and give its result as an argument")
		}
		f.groups.reveals = c.reveals
		q.columns = f.groups.columns(q.columns)
	}
	if sel.After != nil {
		if f.after, err = c.constants("FOLLOW AFTER", queryScope{}).compile(sel.After); err != nil {
			return err
		}
		f.after.Pos = sel.After.At()
	}
	if sel.Progress {
		q.columns, err = f.tellProgress(q.columns)
	}
	return err
}

// open starts the SELECT, whose table goes on with what is committed.
func (f *followPlan) open(ex *execution) (rows, error) {
	if ex.session.Tx != nil {
		return nil, errorf(BadStatement, f.pos,
			"FOLLOW cannot be used in a transaction, which sees a snapshot")
	}
	var err error
	if ex.since, err = f.begin(ex); err != nil {
		return nil, err
	}
	if f.groups != nil {
		return f.openGroups(ex)
	}
	in, err := f.plan.open(ex, nil)
	if err != nil || ex.following == nil { // no event can satisfy the conditions
		return in, err
	}
	return &followedRows{in: in, scan: ex.following, plan: f,
		row: make([]value.Value, len(f.plan.columns)+1)}, nil
}

// begin returns the position behind AFTER, 0 without.
func (f *followPlan) begin(ex *execution) (engine.Position, error) {
	if f.after == nil {
		return 0, nil
	}
	en := ex.env(nil)
	v := value.AsNumber(f.after.Eval(en))
	if en.Err != nil {
		return 0, en.Err
	}
	if v.Kind != value.Int || v.N < -1 || v.N == math.MaxInt64 {
		return 0, errorf(BadValue, f.after.Pos,
			"FOLLOW AFTER takes a position, or -1 for the empty log")
	}
	return min(engine.Position(v.N+1), math.MaxInt64-1), nil // which no log ever has
}

// A followedRelation is the table of a SELECT with FOLLOW. What it reads does not end with the
// snapshot.
type followedRelation struct {
	*tableScan
	plan *followPlan
}

func (t *followedRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	since := ex.since
	ex.since = 0 // which is for the followed table alone: sub-queries read all of theirs
	what, err := t.narrow(ex, outer)
	if err != nil {
		return nil, err
	}
	if what.empty {
		return noRows{}, nil
	}
	f := t.filter(what)
	f.From = max(f.From, since)
	sub := engine.Subscribe(ex.ctx, ex.session.Store, f, t.columnSet())
	if t.plan.progress {
		sub.TellEachHead()
	}
	src := &followedBatches{
		sub: sub, followers: ex.session.Settings.Followers, progress: t.plan.progress,
	}
	src.follower = src.followers.enter(t.plan.text, t.def.name(), ex.now, sub.Reached(), sub.Waiter())
	ex.following = &followingRows{scannedRows: scannedRows{src: src, conds: t.conds}, from: src}
	return ex.following, nil
}

// followingRows are those of a followed table while it is read, of which the statement asks how far
// it is.
type followingRows struct {
	scannedRows
	from *followedBatches
}

// position is that of the event that was given last.
func (s *followingRows) position() engine.Position { return s.batch.Events.Positions[s.i] }

// tellProgress makes the plan that of FOLLOW PROGRESS, and returns its columns. Of a row that tells
// progress all but the position is NULL.
func (f *followPlan) tellProgress(columns []Column) ([]Column, error) {
	core := f.plan.cores[0]
	f.progress = true
	if f.groups != nil {
		return f.groups.tellProgress(columns, f.pos)
	}
	told := false
	for i := range columns {
		position := core.isPosition(i)
		f.position = append(f.position, position)
		told = told || position || columns[i].Type == EventType
		columns[i].Nullable = columns[i].Nullable || !position && columns[i].Type != EventType
	}
	if !told {
		e := errorf(BadStatement, f.pos,
			"FOLLOW PROGRESS tells a position, and the SELECT has no place for it")
		e.Hint = "select position or event as well"
		return nil, e
	}
	return append(columns, Column{Name: "progress", Type: Integer}), nil
}

// describe is what EXPLAIN says.
func (f *followPlan) describe() string {
	text := "then events as they commit"
	switch {
	case f.groups != nil && f.progress:
		text = "then the rows of groups as they change, and the position behind each batch of them"
	case f.groups != nil:
		text = "then the rows of groups as they change"
	case f.progress:
		text += ", and the position whenever all have been looked at"
	}
	if f.after != nil {
		text += ", behind the position of AFTER"
	}
	return text
}

// followedRows give the rows of events, and those that tell progress if that is wanted.
type followedRows struct {
	in   rows           // the rows of events
	scan *followingRows // where they come from
	plan *followPlan
	row  []value.Value // the results of a row, and whether it tells progress
}

func (f *followedRows) next(en *expr.Env) (bool, error) {
	ok, err := f.in.next(en)
	switch {
	case err != nil:
		return false, err
	case ok:
		f.scan.from.follower.gave(f.scan.position())
		if f.plan.progress {
			copy(f.row, en.Row.Values)
			f.row[len(f.row)-1] = value.OfInt(0)
			en.Row.Values = f.row
		}
		return true, nil
	case !f.scan.from.idle: // the end
		return false, nil
	}
	f.scan.from.idle = false
	err = f.fillProgress(en)
	en.Row.Values = f.row
	return err == nil, err
}

// fillProgress makes row tell the last position that was looked at.
func (f *followedRows) fillProgress(en *expr.Env) error {
	last := f.scan.from.sub.Reached() - 1
	for i, c := range f.plan.plan.cores[0].columns {
		f.row[i] = null
		switch {
		case f.plan.position[i]:
			f.row[i] = value.OfInt(int64(last))
		case c.Type == EventType:
			e, err := execOf(en).captured()
			if err != nil {
				return err
			}
			*e = engine.Event{Position: last, Version: engine.NoVersion}
			f.row[i] = value.OfInt(int64(len(execOf(en).events) - 1))
		}
	}
	f.row[len(f.row)-1] = value.OfInt(1)
	return nil
}

func (f *followedRows) close() error { return f.in.close() }

// followedBatches are what a subscription gives.
type followedBatches struct {
	sub       *engine.Subscription
	followers *Followers
	follower  *follower
	batch     expr.Batch
	progress  bool // wanted
	idle      bool // Next has given no batch because everything that is stored was looked at
}

// Next returns nil at the end, and with progress also when it would have to wait.
func (s *followedBatches) next() (*expr.Batch, error) {
	for {
		s.follower.passed(s.sub.Reached())
		b, err := s.sub.Next()
		switch {
		case err == io.EOF:
			return nil, nil
		case err != nil:
			return nil, err
		case b != nil:
			s.batch = expr.Batch{Len: b.Len, Events: b, Serial: s.batch.Serial + 1}
			return &s.batch, nil
		}
		s.follower.passed(s.sub.Reached())
		if s.idle = s.progress; s.idle {
			return nil, nil
		}
	}
}

func (s *followedBatches) close() error {
	s.followers.leave(s.follower)
	return s.sub.Close()
}
