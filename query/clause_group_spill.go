package query

import (
	"encoding/binary"
	"runtime"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/spill"
	"github.com/eventfold/eventfold/query/internal/value"
)

// GROUP BY with more groups than memory holds. The rows are read once more, and what their groups are
// made of goes to the statement's file, by parts of the keys, unless it belongs to a group that is kept.
// So each group gets all of its rows, in their order, at one time, and comes to what it would without
// the file, whatever the aggregates are. The groups that are done are written, too, each under the
// number of its first row, and merged: they come in the order of their first rows.

const groupClause = "GROUP BY"

// A groupSpill groups by way of the statement's file.
type groupSpill struct {
	plan   *groupPlan
	ex     *execution
	en     *expr.Env // of the results
	table  *groupTable
	first  []int // by group, the number of its first row
	room   spillRoom
	out    spilledRuns
	row    []value.Value // a group
	merged *mergedRuns

	// Of the record that is being made, or taken.
	serial int
	keys   []value.Value
	args   []value.Value
	record []byte
}

// orSpilled groups by way of a file if grouping in memory has failed because there is too little of it.
func (g *groupedRows) orSpilled(failed error) error {
	if !isSpent(failed) || !g.ex.spills() || g.lasting != nil || len(g.plan.keys) == 0 {
		return failed
	}
	g.table.keep.release()
	g.table = newGroupTable(g.plan, g.ex.budget)
	runtime.GC() // the groups so far are gone, and others are about to be made
	s := &groupSpill{plan: g.plan, ex: g.ex, en: g.ex.env(g.outer),
		keys: make([]value.Value, len(g.plan.keys)), args: make([]value.Value, g.plan.args),
		row: make([]value.Value, len(g.plan.keys)+len(g.plan.aggs)),
	}
	s.out = spilledRuns{ex: g.ex, clause: groupClause, width: [2]int{0, len(s.row)}}
	g.spill = s
	if err := s.read(g); err != nil {
		return err
	}
	var err error
	s.merged, err = s.out.merge(s.en)
	return err
}

// read reads FROM once more.
func (s *groupSpill) read(g *groupedRows) error {
	if err := s.reset(s.mostAtFirst()); err != nil {
		return err
	}
	parts, err := newSpilledParts(s.ex, groupClause, s.ex.budget.parts(0))
	if err != nil {
		return err
	}
	defer parts.free()
	if err := s.readRows(g, parts); err != nil {
		return err
	}
	if err := s.finish(); err != nil {
		return err
	}
	passes := &spillPasses{ex: s.ex, clause: groupClause, taker: s}
	return passes.all(parts)
}

// mostAtFirst is how many groups are kept while FROM is read, because it is not read a third time: as
// many as memory holds; of those with exact sums, as many as half of it holds when all sums have become
// as large as they can; none if they grow with their rows, or if other queries take what there is.
func (s *groupSpill) mostAtFirst() int {
	b, sums := s.ex.budget, int64(0)
	if b.crowded() {
		return 0
	}
	for _, a := range s.plan.aggs {
		if a.distinct || a.def.hold != nil || a.def.room != nil || a.def.holds {
			return 0
		}
		if a.def.exact {
			sums += largestSums
		}
	}
	if sums == 0 {
		return -1
	}
	return int(max(b.limit-b.held.Load(), 0) / spillShare / sums)
}

func (s *groupSpill) readRows(g *groupedRows, parts *spilledParts) error {
	defer s.ex.leave(s.ex.envs)
	in, err := g.open()
	if err != nil {
		return err
	}
	rows, en := filtered(in, g.plan.where), s.ex.env(g.outer)
	for n := 1; err == nil; n++ {
		en.Begin()
		var ok bool
		if ok, err = rows.next(en); !ok || err != nil {
			break
		}
		if n%batchRows == 0 {
			if err = en.Ctx.Err(); err != nil {
				break
			}
		}
		err = s.addRow(en, parts)
	}
	if cerr := in.close(); err == nil {
		err = cerr
	}
	return err
}

// addRow gives the current row of en to its group, or a part; to one of each set of GROUPING SETS.
func (s *groupSpill) addRow(en *expr.Env, parts *spilledParts) error {
	t := s.table
	if s.plan.sets == nil {
		for i, k := range s.plan.keys {
			t.values[i] = k.Eval(en)
		}
		return s.addKeys(en, parts)
	}
	last := len(t.values) - 1
	all := make([]value.Value, last)
	for i, k := range s.plan.keys[:last] {
		all[i] = k.Eval(en)
	}
	for n := range s.plan.sets {
		t.ofSet(n, all)
		if err := s.addKeys(en, parts); err != nil {
			return err
		}
	}
	return nil
}

// addKeys gives the current row of en to the group of the table's values.
func (s *groupSpill) addKeys(en *expr.Env, parts *spilledParts) error {
	t := s.table
	if !en.Effort(value.TermEffort * (len(t.values) + len(s.plan.aggs))) {
		return en.Err
	}
	t.key = t.keyOf(t.key[:0], t.values)
	s.record = spillRecord(s.record[:0], t.key)
	body := len(s.record)
	s.record = binary.AppendUvarint(s.record, uint64(s.serial))
	s.serial++
	s.record = appendValues(s.record, t.values)
	for i, a := range s.plan.aggs {
		if a.state == i {
			s.record = a.appendArguments(s.record, en)
		}
	}
	if en.Err != nil {
		return en.Err
	}
	if ok, err := s.take(t.key, s.record[body:]); ok || err != nil {
		return err
	}
	key := s.record[body-len(t.key) : body]
	return parts.add(parts.of(key), s.record)
}

// appendArguments appends whether the current row counts for the aggregate, and the values of its
// arguments if it does.
func (c *aggregateCall) appendArguments(b []byte, en *expr.Env) []byte {
	if c.filter != nil && c.filter(en) != value.Yes {
		return append(b, 0)
	}
	b = append(b, 1)
	if c.star {
		return b
	}
	for _, a := range c.args {
		b = value.AppendStored(b, a.Eval(en))
	}
	return b
}

// reset implements spillTaker, as do the methods that follow.
func (s *groupSpill) reset(most int) error {
	s.out.drop()
	if s.table != nil {
		s.table.keep.release()
	}
	s.table, s.first = newGroupTable(s.plan, s.ex.budget), nil
	s.room = newSpillRoom(s.ex.budget, most)
	return nil
}

func (s *groupSpill) kept() int { return len(s.table.groups) }

func (s *groupSpill) take(key, record []byte) (bool, error) {
	g := s.table.byKey[string(key)]
	if g == nil && s.room.full(len(s.table.groups)) {
		return false, nil
	}
	serial, n := binary.Uvarint(record)
	if n <= 0 {
		return false, spillFault(&SpillError{Err: spill.ErrDamaged}, groupClause)
	}
	rest, err := cutValues(record[n:], s.keys)
	if err != nil {
		return false, spillFault(err, groupClause)
	}
	if g == nil {
		if err := s.table.keep.account(wordSize); err != nil {
			return false, err
		}
		if g, err = s.table.insert(string(key), s.keys); err != nil {
			return false, err
		}
		s.first = append(s.first, int(serial))
	}
	return true, s.aggregate(g, rest)
}

// aggregate gives the arguments of a record to a group.
func (s *groupSpill) aggregate(g *group, b []byte) (err error) {
	for i, a := range s.plan.aggs {
		if a.state != i {
			continue
		}
		if len(b) == 0 {
			return spillFault(&SpillError{Err: spill.ErrDamaged}, groupClause)
		}
		counts := b[0] == 1
		b = b[1:]
		if !counts {
			continue
		}
		if a.star {
			g.aggs[i].n++
			continue
		}
		v, size := s.args[:len(a.args)], 0
		if b, err = cutValues(b, v); err != nil {
			return spillFault(err, groupClause)
		}
		for j := range v {
			size += len(v[j].S)
		}
		if err := a.addValues(&g.aggs[i], s.en, s.table.keep, v, size); err != nil {
			return err
		}
	}
	return nil
}

func (s *groupSpill) finish() error {
	if err := s.out.begin(); err != nil {
		return err
	}
	for i, g := range s.table.groups {
		s.en.Begin()
		if err := s.result(g); err != nil {
			return err
		}
		if err := s.out.add(&sortedRow{serial: s.first[i], values: s.row}); err != nil {
			return err
		}
	}
	s.en.Begin()
	if err := s.out.end(); err != nil {
		return err
	}
	return s.reset(0)
}

// result makes the row of a group.
func (s *groupSpill) result(g *group) error {
	copy(s.row, g.keys)
	for i, a := range s.plan.aggs {
		v, err := a.result(&g.aggs[a.state], s.en)
		if err != nil {
			return err
		}
		s.row[len(g.keys)+i] = v
	}
	return s.en.Err
}

func (s *groupSpill) next(en *expr.Env) (bool, error) {
	row, err := s.merged.next()
	if row == nil || err != nil {
		return false, err
	}
	en.Row.Values = row.values
	return true, nil
}

func (s *groupSpill) close() {
	if s == nil {
		return
	}
	s.table.keep.release()
	s.merged.close()
	s.out.free()
}
