package query

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/eventfold/eventfold/query/internal/spill"
)

// spillParts is in how many parts records are divided at a time, at most.
const spillParts = 16

// parts is in how many parts records are divided when n bytes of what is held are given back: writing
// them takes a quarter of what is left.
func (b *budget) parts(n int64) int {
	return int(min(max((b.limit-b.held.Load()+n)/4/b.slot(), 2), spillParts))
}

// spillShare is how great a part of the memory that is left one pass fills: the rest is for what the
// rows grow by, and for what stands above.
const spillShare = 2

// spilledParts divide records by a hash of their keys: those with equal keys are in one part, in the
// order in which they came.
type spilledParts struct {
	ex     *execution
	clause string
	seed   maphash.Seed
	file   *spill.File
	lists  []*spill.List
	held   int64
}

// newSpilledParts makes n parts. The memory that it takes to write them is owed: it is little, and
// nothing goes on without it.
func newSpilledParts(ex *execution, clause string, n int) (*spilledParts, error) {
	f, err := ex.spillFile(clause)
	if err != nil {
		return nil, err
	}
	p := &spilledParts{ex: ex, clause: clause, seed: maphash.MakeSeed(), file: f,
		lists: make([]*spill.List, n), held: int64(n) * ex.budget.slot()}
	for i := range p.lists {
		p.lists[i] = f.NewList()
	}
	ex.budget.owe(p.held)
	return p, nil
}

// of returns the number of the part of a key.
func (p *spilledParts) of(key []byte) int {
	if len(p.lists) == 1 {
		return 0
	}
	return int(maphash.Bytes(p.seed, key) % uint64(len(p.lists)))
}

// add adds a record to a part.
func (p *spilledParts) add(part int, record []byte) error {
	return spillFault(p.lists[part].Append(p.ex.ctx, record), p.clause)
}

// finish ends the writing. It may be called twice.
func (p *spilledParts) finish() error {
	p.ex.budget.release(p.held)
	p.held = 0
	for _, l := range p.lists {
		if err := l.Finish(p.ex.ctx); err != nil {
			return spillFault(err, p.clause)
		}
	}
	return nil
}

// free gives up all parts.
func (p *spilledParts) free() {
	if p == nil {
		return
	}
	p.ex.budget.release(p.held)
	p.held = 0
	for _, l := range p.lists {
		l.Free()
	}
}

// A spillTaker takes records until memory is full.
type spillTaker interface {
	// reset empties it for another pass. No more than most keys are to be kept; 0 means none, and a
	// negative number as many as memory holds.
	reset(most int) error
	// take takes a record, if its key is kept or can be. A taker that keeps any must keep the first.
	take(key, record []byte) (bool, error)
	// kept is how many keys it keeps.
	kept() int
	// finish has it write what the records of the pass come to. All that is kept can go then.
	finish() error
}

// spillPasses takes records that memory does not hold in several passes: each keeps some keys, and
// divides the records of others into parts, of which each is the next pass.
type spillPasses struct {
	ex     *execution
	clause string
	taker  spillTaker
}

// A record of a pass is its key, with its length before it, and what the taker makes of the rest.
func spillRecord(b, key []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	return append(b, key...)
}

func cutKey(record []byte) (key, rest []byte, err error) {
	n, size := binary.Uvarint(record)
	if size <= 0 || n > uint64(len(record)-size) {
		return nil, nil, &SpillError{Err: spill.ErrDamaged}
	}
	end := size + int(n)
	return record[size:end], record[end:], nil
}

// all passes over the parts, one after the other, and gives them up.
func (s *spillPasses) all(parts *spilledParts) error {
	defer parts.free()
	if err := parts.finish(); err != nil {
		return err
	}
	for _, list := range parts.lists {
		if list.Count() > 0 {
			if err := s.over(list); err != nil {
				return err
			}
		}
		list.Free()
	}
	return nil
}

// over passes over one part. What its keys need may grow with their records; where that is too much, it
// begins again with fewer keys.
func (s *spillPasses) over(list *spill.List) error {
	for most := -1; ; {
		rest, err := s.pass(list, most)
		if err == nil {
			if err = s.taker.finish(); err == nil && rest != nil {
				err = s.all(rest)
			}
			return err
		}
		rest.free()
		kept := s.taker.kept()
		if rerr := s.taker.reset(0); rerr != nil || !isSpent(err) || kept <= 1 {
			return err
		}
		most = max(kept/4, 1)
	}
}

// pass gives the records of a part to the taker. It returns those that the taker has not taken, nil if
// there are none.
func (s *spillPasses) pass(list *spill.List, most int) (rest *spilledParts, err error) {
	b := s.ex.budget
	block := b.blockOf(list)
	defer b.release(block)
	if err := b.hold(block, s.clause); err != nil {
		return nil, err
	}
	if err := s.taker.reset(most); err != nil {
		return nil, err
	}
	for in := list.Read(false); ; {
		record, ok, err := in.Next(s.ex.ctx)
		if !ok || err != nil {
			return rest, spillFault(err, s.clause)
		}
		key, body, err := cutKey(record)
		if err != nil {
			return rest, spillFault(err, s.clause)
		}
		if ok, err = s.taker.take(key, body); err != nil {
			return rest, err
		}
		if ok {
			continue
		}
		if rest == nil {
			if rest, err = newSpilledParts(s.ex, s.clause, b.parts(0)); err != nil {
				return nil, err
			}
		}
		if err := rest.add(rest.of(key), record); err != nil {
			return rest, err
		}
	}
}

// leastKept is how many keys a pass keeps before it ends because the queries of the store have little
// memory left together: a pass costs a block of the file at least, however few keys it keeps.
const leastKept = 256

// A spillRoom tells a taker when memory is full. It stays so for the rest of the pass, whatever is given
// back in the middle of it: a key with a record in the parts must not be kept later.
type spillRoom struct {
	budget *budget
	most   int   // keys
	upTo   int64 // bytes of the budget
	closed bool  // it was full
}

func newSpillRoom(b *budget, most int) spillRoom {
	held := b.held.Load()
	return spillRoom{budget: b, most: most, upTo: held + (b.limit-held)/spillShare}
}

// full reports whether no more keys are to be kept beside so many.
func (r *spillRoom) full(kept int) bool {
	r.closed = r.closed || r.most >= 0 && kept >= r.most ||
		kept > 0 && r.budget.held.Load() > r.upTo || kept >= leastKept && r.budget.crowded()
	return r.closed
}

// crowded reports whether little is left of the memory of all queries of the store.
func (b *budget) crowded() bool {
	return b.store != nil && b.store.used.Load() > b.store.limit/8*7
}
