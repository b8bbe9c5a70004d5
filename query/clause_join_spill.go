package query

import (
	"encoding/binary"
	"math"
	"runtime"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/spill"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A join whose right side memory does not hold. Both sides go to the statement's file, by parts of what
// they are joined on, and each part of the right side is joined with that of the left: as much of it at
// a time as memory holds, so that one key with very many rows is no matter. Without an equality there is
// one part. The joined rows are written under the number of the row of the left side and merged: they
// come in the order of its rows.

const joinClause = "JOIN"

// A joinSpill joins by way of the statement's file.
type joinSpill struct {
	rows        *joinedRows
	ex          *execution
	en          *expr.Env // of the joined row
	keyed       bool      // there is an equality
	left, right *spilledParts
	lefts       []int // slots of the joined row that the left side fills
	rights      []int
	out         spilledRuns
	merged      *mergedRuns
	record      []byte

	// Of a part.
	keep    *keeper
	kept    []joinKept // rows of the right side
	byKey   map[string][]int32
	all     []int32
	more    bool   // there are others, for another round
	matched []bool // by row of the left side, of a LEFT JOIN with several rounds
	values  []value.Value
}

// A joinKept is a row of the right side.
type joinKept struct {
	serial int
	values []value.Value
	paired bool // it has matched
}

// behindAll is the number of the first row of a FULL JOIN that has no left side.
const behindAll = math.MaxInt/2 + 1

// orSpilled joins by way of a file if reading the right side has failed because there is too little
// memory.
func (j *joinedRows) orSpilled(failed error, en *expr.Env) error {
	if !isSpent(failed) || !j.ex.spills() {
		return failed
	}
	j.keep.release()
	j.right, j.byKey, j.all, j.paired = nil, nil, nil, nil
	runtime.GC() // the rows so far are gone, and others are about to be read
	s := &joinSpill{rows: j, ex: j.ex, en: en, keyed: len(j.plan.keys) > 0}
	for i, r := range j.plan.reads {
		if r.right {
			s.rights = append(s.rights, i)
		} else {
			s.lefts = append(s.lefts, i)
		}
	}
	s.values = make([]value.Value, max(len(s.lefts), len(s.rights)))
	s.out = spilledRuns{ex: j.ex, clause: joinClause, width: [2]int{0, len(j.row)}}
	s.keep = newKeeper(j.ex.budget, joinClause)
	j.spill = s
	if err := s.divide(failed); err != nil {
		return err
	}
	for part := range s.left.lists {
		if err := s.join(s.left.lists[part], s.right.lists[part]); err != nil {
			return err
		}
		s.left.lists[part].Free()
		s.right.lists[part].Free()
	}
	var err error
	s.merged, err = s.out.merge(j.ex.env(nil))
	return err
}

// divide writes both sides to parts.
func (s *joinSpill) divide(failed error) (err error) {
	n := 1
	if s.keyed {
		n = s.ex.budget.parts(0)
	}
	if s.right, err = newSpilledParts(s.ex, joinClause, n); err != nil {
		return err
	}
	if err := s.divideRight(); err != nil {
		return err
	}
	if err := s.right.finish(); err != nil {
		return err
	}
	if s.left, err = newSpilledParts(s.ex, joinClause, n); err != nil {
		return err
	}
	s.left.seed = s.right.seed
	if err := s.divideLeft(failed); err != nil {
		return err
	}
	return s.left.finish()
}

func (s *joinSpill) divideRight() error {
	j := s.rows
	defer j.ex.leave(j.ex.envs)
	in, err := j.plan.right.open(j.ex, j.outer)
	if err != nil {
		return err
	}
	en := j.ex.env(j.outer)
	err = s.divideRows(in, en, func() (key []byte, skip bool, err error) {
		key, _ = j.keyOf(en, true)
		return key, key == nil && !j.plan.full, nil
	}, s.right, true)
	if cerr := in.close(); err == nil {
		err = cerr
	}
	return err
}

// divideLeft is given what ends the statement where a row can only be decided beside all of the right
// side.
func (s *joinSpill) divideLeft(failed error) error {
	j := s.rows
	return s.divideRows(j.left, j.leftEnv, func() (key []byte, skip bool, err error) {
		key, decided := j.keyOf(j.leftEnv, false)
		if key != nil && !decided {
			return nil, false, failed
		}
		return key, key == nil && !j.plan.outer, nil
	}, s.left, false)
}

// divideRows writes the rows of a side, but for those that match nothing and are not wanted without a
// match. A record is a row's key, which is empty for a row that equals nothing, its number, and its
// values.
func (s *joinSpill) divideRows(
	in rows, en *expr.Env, keyOf func() (key []byte, skip bool, err error), parts *spilledParts, right bool,
) error {
	reads := s.rows.plan.reads
	for serial := 0; ; serial++ {
		if serial%batchRows == 0 && s.ex.ctx.Err() != nil {
			return s.ex.ctx.Err()
		}
		en.Begin()
		if ok, err := in.next(en); !ok || err != nil {
			return err
		}
		var key []byte
		if s.keyed {
			var skip bool
			var err error
			if key, skip, err = keyOf(); err != nil {
				return err
			}
			if en.Err != nil {
				return en.Err
			}
			if skip {
				continue
			}
		}
		s.record = spillRecord(s.record[:0], key)
		s.record = binary.AppendUvarint(s.record, uint64(serial))
		for _, r := range reads {
			if r.right == right {
				s.record = value.AppendStored(s.record, r.e.Eval(en))
			}
		}
		if en.Err != nil {
			return en.Err
		}
		if err := parts.add(parts.of(key), s.record); err != nil {
			return err
		}
	}
}

// join joins a part of the left side with one of the right.
func (s *joinSpill) join(left, right *spill.List) error {
	b := s.ex.budget
	held := b.blockOf(left) + b.blockOf(right) // which are read
	defer func() {
		b.release(held)
		s.keep.release()
		s.kept, s.byKey, s.all, s.matched = nil, nil, nil, nil
	}()
	if err := b.hold(held, joinClause); err != nil {
		return err
	}
	in := right.Read(false)
	for round := 0; ; round++ {
		if err := s.fill(in); err != nil {
			return err
		}
		if s.more && round == 0 && s.rows.plan.outer {
			if err := s.keep.account(left.Count()); err != nil {
				return err
			}
			held += left.Count() // which is given back in the end, and not with the rows
			s.keep.taken -= left.Count()
			s.matched = make([]bool, left.Count())
		}
		if err := s.probe(left); err != nil {
			return err
		}
		if !s.more {
			return nil
		}
	}
}

// fill keeps as many rows of the right side as memory holds.
func (s *joinSpill) fill(in *spill.Reader) error {
	s.keep.release()
	s.kept, s.all, s.byKey, s.more = s.kept[:0], s.all[:0], map[string][]int32{}, false
	room := newSpillRoom(s.ex.budget, -1)
	for {
		record, ok, err := in.Next(s.ex.ctx)
		if !ok || err != nil {
			return spillFault(err, joinClause)
		}
		if room.full(len(s.kept)) {
			s.more = true
			in.Back()
			return nil
		}
		if err := s.keepRight(record); err != nil {
			return err
		}
	}
}

// joinKeptSize is what a row of the right side takes besides its values.
const joinKeptSize = 96

func (s *joinSpill) keepRight(record []byte) error {
	key, serial, err := s.cut(record, s.values[:len(s.rights)])
	if err != nil {
		return err
	}
	if err := s.keep.account(int64(len(key)) + joinKeptSize); err != nil {
		return err
	}
	row, err := s.keep.row(s.values[:len(s.rights)])
	if err != nil {
		return err
	}
	n := int32(len(s.kept))
	s.kept = append(s.kept, joinKept{serial: serial, values: row})
	switch {
	case !s.keyed:
		s.all = append(s.all, n)
	case len(key) > 0:
		s.byKey[string(key)] = append(s.byKey[string(key)], n)
	}
	return nil
}

// cut takes a record apart.
func (s *joinSpill) cut(record []byte, values []value.Value) (key []byte, serial int, err error) {
	key, rest, err := cutKey(record)
	if err != nil {
		return nil, 0, spillFault(err, joinClause)
	}
	number, n := binary.Uvarint(rest)
	if n <= 0 {
		return nil, 0, spillFault(&SpillError{Err: spill.ErrDamaged}, joinClause)
	}
	if _, err = cutValues(rest[n:], values); err != nil {
		return nil, 0, spillFault(err, joinClause)
	}
	return key, int(number), nil
}

// probe joins all rows of a part of the left side with those of the right that are kept.
func (s *joinSpill) probe(left *spill.List) error {
	if err := s.out.begin(); err != nil {
		return err
	}
	in := left.Read(false)
	for at := 0; ; at++ {
		record, ok, err := in.Next(s.ex.ctx)
		if err != nil {
			return spillFault(err, joinClause)
		}
		if !ok {
			break
		}
		key, serial, err := s.cut(record, s.values[:len(s.lefts)])
		if err != nil {
			return err
		}
		for i, slot := range s.lefts {
			s.rows.row[slot] = s.values[i]
		}
		if err := s.match(key, serial, at); err != nil {
			return err
		}
	}
	if s.rows.plan.full {
		if err := s.unpaired(); err != nil {
			return err
		}
	}
	s.en.Begin()
	return s.out.end()
}

// match writes the joined rows of a row of the left side, which is number at of its part.
func (s *joinSpill) match(key []byte, serial, at int) error {
	found := s.all
	if s.keyed {
		found = nil
		if len(key) > 0 {
			found = s.byKey[string(key)]
		}
	}
	plan, row := s.rows.plan, s.rows.row
	s.en.Row.Values = row
	matched := s.matched != nil && s.matched[at]
	for _, i := range found {
		s.en.Begin()
		if !s.en.Effort(value.TermEffort) {
			return s.en.Err
		}
		for k, slot := range s.rights {
			row[slot] = s.kept[i].values[k]
		}
		pass := allTrue(plan.conds, s.en)
		if s.en.Err != nil {
			return s.en.Err
		}
		if !pass {
			continue
		}
		matched, s.kept[i].paired = true, true
		if err := s.out.add(&sortedRow{serial: serial, values: row}); err != nil {
			return err
		}
	}
	if s.matched != nil {
		s.matched[at] = matched
	}
	if matched || s.more || !plan.outer {
		return nil
	}
	for _, slot := range s.rights {
		row[slot] = value.Value{}
	}
	return s.out.add(&sortedRow{serial: serial, values: row})
}

// unpaired writes the rows of the right side that have matched none.
func (s *joinSpill) unpaired() error {
	row := s.rows.row
	for _, slot := range s.lefts {
		row[slot] = value.Value{}
	}
	for i := range s.kept {
		if s.kept[i].paired {
			continue
		}
		for k, slot := range s.rights {
			row[slot] = s.kept[i].values[k]
		}
		if err := s.out.add(&sortedRow{serial: behindAll + s.kept[i].serial, values: row}); err != nil {
			return err
		}
	}
	return nil
}

func (s *joinSpill) next(en *expr.Env) (bool, error) {
	row, err := s.merged.next()
	if row == nil || err != nil {
		return false, err
	}
	en.Begin()
	en.Row.Values = row.values
	return true, nil
}

func (s *joinSpill) close() {
	if s == nil {
		return
	}
	s.keep.release()
	s.left.free()
	s.right.free()
	s.merged.close()
	s.out.free()
}
