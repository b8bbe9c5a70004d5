package query

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A followedGroups is a SELECT whose groups FOLLOW keeps up to date.
type followedGroups struct {
	*liveScope
	core     *corePlan
	table    *tableScan      // the event table that FROM reads, perhaps through sub-queries and views
	views    []*viewRelation // through which it does
	levels   []*followLevel  // from the groups of events up to those whose rows are told
	pos      parser.Pos
	reveals  bool   // some expression opens sealed values
	progress bool   // FOLLOW PROGRESS
	asOf     []bool // by result, with progress: it is as_of
}

func newFollowedGroups(
	core *corePlan, sel *parser.Select, live *liveScope,
) (*followedGroups, error) {
	source := followedSourceOf(&core.from)
	switch {
	case core.windows != nil:
		return nil, refuseFollow(sel.Pos, "window functions", "")
	case source.at == nil:
		return nil, source.refuse("FOLLOW over groups", sel.Pos)
	case core.group != nil:
		source.add(core, nil)
	case len(source.levels) > 0:
		source.then(core.where, nil)
	default:
		return nil, refuseFollow(sel.Pos, "GROUP BY of nothing", "select a column or an aggregate")
	}
	return &followedGroups{
		liveScope: live, core: core, table: source.scan(), views: source.views, levels: source.levels,
		pos: sel.Pos,
	}, nil
}

// columns returns the columns of the result: of a group that is gone all is NULL but the key.
func (g *followedGroups) columns(list []Column) []Column {
	if !g.change {
		return list
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].Nullable = list[i].Nullable || !g.pseudo[i] && !g.keyed[i]
	}
	return list
}

// tellProgress makes the plan that of FOLLOW PROGRESS, and returns its columns. Of a row that tells
// progress all but as_of is NULL.
func (g *followedGroups) tellProgress(columns []Column, pos parser.Pos) ([]Column, error) {
	g.progress = true
	for i := range columns {
		asOf := g.pseudo[i] && g.core.bare[i] && columns[i].Type == Integer
		g.asOf = append(g.asOf, asOf)
		columns[i].Nullable = columns[i].Nullable || !asOf
	}
	if !slices.Contains(g.asOf, true) {
		e := errorf(BadStatement, pos,
			"FOLLOW PROGRESS tells a position, and the SELECT has no place for it")
		e.Hint = "select as_of as well"
		return nil, e
	}
	return append(columns, Column{Name: "progress", Type: Integer}), nil
}

// A liveGroup is what whoever reads the rows was told of a group.
type liveGroup struct {
	group  *group
	told   [sha256.Size]byte // of its row, when it was told of last
	shown  bool              // the last that was told of it was no 'delete'
	unsure bool              // what was told of it is not known: it is told of in any case
	dirty  bool              // it is in the batch of its level
	above  *liveGroup        // of the level above: the one that its row is in, nil for none

	// while it is computed again, because content that it may be made of was erased
	redone  bool
	counted bool // an event was added since that began
	gone    bool // there was none
}

// liveRows are the rows of FOLLOW over groups: batches of those that have changed, each batch of
// one position. Nothing runs while nobody asks: what has happened to a group in the meantime is
// added up in it when the next batch is made, so that who reads slowly gets fewer rows. Memory is
// that of the groups.
type liveRows struct {
	*followedGroups
	ex       *execution
	resumes  bool            // FOLLOW AFTER
	after    engine.Position // behind the position of AFTER
	end      engine.Position // no event at or behind it is in the result
	follower *follower
	waiter   engine.Waiter

	levels  []*liveLevel    // from the groups of the events before reached up to those that are told
	events  *liveLevel      // the first of them
	top     *liveLevel      // the last of them, whose dirty groups are the batch
	groups  *groupedRows    // the groups of events
	reached engine.Position // every row of the batch is of the position before it
	keep    *keeper         // of what was told

	at    int  // the place in the batch of the next to be told of
	due   bool // progress is to be told when the batch ends
	begun bool

	seen    engine.Position // erasures that are told of before it are taken in
	version engine.Version  // of their stream

	event *expr.Env     // in which events are added, while they are
	row   *expr.Env     // in which the row of the group that is told of is evaluated
	out   []value.Value // the results
	bytes []byte        // of the results, to be compared
}

// openGroups starts the SELECT.
func (f *followPlan) openGroups(ex *execution) (rows, error) {
	g := f.groups
	if err := g.checkViews(ex, ex.since); err != nil {
		return nil, err
	}
	what, err := g.table.narrow(ex, nil)
	if err != nil {
		return nil, err
	}
	width := len(g.core.results)
	if g.progress {
		width++
	}
	l := &liveRows{
		followedGroups: g, ex: ex, resumes: f.after != nil, after: ex.since, end: math.MaxInt64,
		keep: newKeeper(ex.budget, "FOLLOW"), out: make([]value.Value, width),
	}
	for _, level := range g.levels {
		l.levels = append(l.levels, newLiveLevel(ex, level))
	}
	l.events, l.top = l.levels[0], l.levels[len(l.levels)-1]
	switch {
	case what.empty: // of which the snapshot has all
		l.end = ex.index.Head()
	case what.position.hi != math.MaxInt64:
		l.end = engine.Position(what.position.hi + 1)
	}
	ex.since = 0
	wakes := engine.Filter{Any: g.wakes(what)}
	if l.end != math.MaxInt64 {
		wakes.To = l.end
	}
	l.waiter = engine.Await(ex.session.Store, wakes)
	l.follower = ex.session.Settings.Followers.enter(f.text, g.table.def.name(), ex.now, l.after, l.waiter)
	return l, nil
}

func (l *liveRows) next(en *expr.Env) (bool, error) {
	for {
		ok, err := l.tell()
		if err != nil {
			return false, err
		}
		if !ok && l.due {
			l.due = false
			l.follower.passed(l.reached)
			if ok = l.progress; ok {
				l.tellReached()
			}
		} else if ok {
			l.follower.rows.Add(1)
		}
		if ok {
			en.Row.Values = l.out
			return true, nil
		}
		if more, err := l.advance(); !more || err != nil {
			return false, err
		}
	}
}

// tell makes the next row of the batch. It returns false at its end.
func (l *liveRows) tell() (bool, error) {
	for l.at < len(l.top.dirty) {
		if l.at%batchRows == 0 {
			if err := l.ex.ctx.Err(); err != nil {
				return false, err
			}
		}
		live := l.top.dirty[l.at]
		l.at++
		live.dirty = false
		change, err := l.changeOf(live)
		if err != nil {
			return false, err
		}
		if change != "" {
			return true, l.finish(change)
		}
	}
	l.top.endBatch(l)
	l.at = 0
	return false, nil
}

// The values of change.
const (
	changeInsert = "insert"
	changeUpdate = "update"
	changeDelete = "delete"
)

// changeOf computes the row of a group and returns what has become of it since it was told of last,
// "" for nothing.
func (l *liveRows) changeOf(live *liveGroup) (change string, err error) {
	pass := false
	if !live.gone {
		if pass, err = l.evaluate(live.group); err != nil {
			return "", err
		}
	}
	if !pass {
		if !live.shown {
			return "", nil
		}
		live.shown, live.unsure = false, false
		return changeDelete, l.evaluateGone(live.group)
	}
	now := sha256.Sum256(l.bytes)
	switch {
	case !live.shown:
		change = changeInsert
	case live.unsure || now != live.told:
		change = changeUpdate
	}
	live.told, live.shown, live.unsure = now, true, false
	return change, nil
}

// note takes the row of a group for told.
func (l *liveRows) note(live *liveGroup) (err error) {
	live.dirty = false
	if live.shown, err = l.evaluate(live.group); live.shown {
		live.told = sha256.Sum256(l.bytes)
	}
	return err
}

// evaluate computes the row of a group but for the pseudo-columns, and what it is compared by. It
// returns false if a condition does not hold for it.
func (l *liveRows) evaluate(g *group) (bool, error) {
	row, pass, err := l.top.rowOf(g, false)
	if !pass || err != nil {
		return false, err
	}
	l.row = row
	l.bytes = l.bytes[:0]
	for i, e := range l.core.results {
		if !l.pseudo[i] {
			l.out[i] = e.Eval(row)
			l.bytes = appendExact(l.bytes, l.out[i])
			row.Effort(len(l.out[i].S))
		}
	}
	return row.Err == nil, row.Err
}

// evaluateGone computes the row of a group that is no longer in the result: its key, and NULL for
// its aggregates.
func (l *liveRows) evaluateGone(g *group) error {
	if !l.change {
		e := errorf(BadStatement, l.pos,
			"a group is no longer in the result, because something was erased, and its row cannot tell that")
		e.Hint = "begin again; select change as well, to be told"
		return e
	}
	row, _, err := l.top.rowOf(g, true)
	if err != nil {
		return err
	}
	l.row = row
	for i, e := range l.core.results {
		l.out[i] = null
		if l.keyed[i] {
			l.out[i] = e.Eval(row)
		}
	}
	return row.Err
}

// finish computes the results that read pseudo-columns. What is given out must not be memory of the
// groups, which changes with the next batch.
func (l *liveRows) finish(change string) error {
	values := l.row.Row.Values
	values[len(values)-2] = value.OfInt(int64(l.reached) - 1)
	values[len(values)-1] = value.OfText(change)
	for i, e := range l.core.results {
		if l.pseudo[i] {
			l.out[i] = e.Eval(l.row)
		}
		l.out[i].S = strings.Clone(l.out[i].S)
	}
	if l.progress {
		l.out[len(l.out)-1] = value.OfInt(0)
	}
	return l.row.Err
}

// tellReached makes the row that tells how far the rows before it have come.
func (l *liveRows) tellReached() {
	for i, asOf := range l.asOf {
		l.out[i] = null
		if asOf {
			l.out[i] = value.OfInt(int64(l.reached) - 1)
		}
	}
	l.out[len(l.out)-1] = value.OfInt(1)
}

// appendExact appends a value such that two values give the same bytes only if they look the same
// to whoever reads the row: 1 and 1.0, or texts that a collation takes for equal, do not.
func appendExact(dst []byte, v value.Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case value.Int, value.Time:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.N))
	case value.Float:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.F))
	case value.String, value.Bytes:
		return append(binary.AppendUvarint(dst, uint64(len(v.S))), v.S...)
	}
	return dst
}

func (l *liveRows) close() error {
	l.ex.session.Settings.Followers.leave(l.follower)
	l.keep.release()
	for _, level := range l.levels[1:] {
		if level.table != nil {
			level.table.keep.release()
		}
	}
	if l.groups == nil {
		return nil
	}
	return l.groups.close()
}
