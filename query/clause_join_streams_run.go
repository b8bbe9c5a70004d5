package query

import (
	"hash/maphash"
	"math/bits"
	"slices"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A streamJoin are the rows of a joinRelation whose sides come in the order of their streams' names.
// Those of a side may have no stream, if it is a LEFT JOIN itself.
type streamJoin struct {
	plan    *joinRelation
	left    rows
	en      *expr.Env // of the row of left
	group   streamGroup
	row     []value.Value // the joined row
	active  bool          // there is a row of left
	matched bool          // it has been given
	seen    int
}

func newStreamJoin(p *joinRelation, ex *execution, outer *expr.Env, left, right rows) *streamJoin {
	j := &streamJoin{plan: p, left: left, en: ex.env(outer), row: make([]value.Value, len(p.reads))}
	j.group = streamGroup{
		plan: p, in: right, en: ex.env(outer), keep: newKeeper(ex.budget, "JOIN"),
		kinds: make([]keyKinds, len(p.keys)), seed: maphash.MakeSeed(),
	}
	for i, r := range p.reads {
		if r.right {
			j.group.slots = append(j.group.slots, i)
		}
	}
	return j
}

func (j *streamJoin) next(en *expr.Env) (bool, error) {
	en.Row.Values = j.row
	for {
		if !j.active {
			if ok, err := j.advance(); !ok || err != nil {
				return false, err
			}
		}
		if ok, err := j.match(en); ok || err != nil {
			return ok, err
		}
	}
}

// advance goes to the next row of the left side that can give rows.
func (j *streamJoin) advance() (bool, error) {
	for {
		if err := j.busy(); err != nil {
			return false, err
		}
		j.en.Begin()
		ok, err := j.left.next(j.en)
		if !ok || err != nil {
			return false, err
		}
		if err = j.group.find(j.en); err != nil {
			return false, err
		}
		if j.group.at >= 0 || j.plan.outer {
			break
		}
		if j.group.over() {
			return false, nil
		}
	}
	for i, r := range j.plan.reads {
		if !r.right {
			j.row[i] = r.e.Eval(j.en)
		}
	}
	j.active, j.matched = true, false
	return true, j.en.Err
}

// busy looks at the context now and then.
func (j *streamJoin) busy() error {
	if j.seen++; j.seen%batchRows == 0 {
		return j.en.Ctx.Err()
	}
	return nil
}

// match makes the next joined row of the left side's row current; false if there is no more.
func (j *streamJoin) match(en *expr.Env) (bool, error) {
	for j.group.at >= 0 {
		if err := j.busy(); err != nil {
			return false, err
		}
		en.Begin()
		j.group.take(j.row)
		pass := allTrue(j.plan.conds, en)
		if en.Err != nil {
			return false, en.Err
		}
		if pass {
			j.matched = true
			return true, nil
		}
	}
	j.active = false
	if j.matched || !j.plan.outer {
		return false, nil
	}
	for _, slot := range j.group.slots {
		j.row[slot] = value.Value{}
	}
	return true, nil
}

func (j *streamJoin) close() error {
	j.group.keep.release()
	err := j.left.close()
	if cerr := j.group.in.close(); err == nil {
		err = cerr
	}
	return err
}

// A streamGroup is the right side of a streamJoin, of which the rows of one stream are held. They are
// found by a hash of what they are joined on besides the stream; the conditions of the join decide.
type streamGroup struct {
	plan  *joinRelation
	in    rows
	en    *expr.Env // of the row of in
	ready bool      // that row is of a stream behind the group's
	ended bool      // in is
	next  string    // its stream

	stream string // whose rows are held
	begun  bool   // there is one
	keep   *keeper
	slots  []int         // of the joined row that the side fills
	values []value.Value // of the rows, as many for each as there are slots
	hashes []uint64      // by row
	kinds  []keyKinds    // by key
	heads  []int32       // by a hash: the first row that has it, -1 for none
	links  []int32       // by row: the next one in the same list, -1 for none
	shift  int           // what is left of a hash are its first bits

	seed  maphash.Seed
	key   []byte
	at    int32  // of the rows that the row of the left side may match, the next one; -1 for none
	hash  uint64 // of that row
	every bool   // all rows may match it
}

// over reports whether no row of the left side will match any more.
func (g *streamGroup) over() bool { return g.ended && !g.ready && len(g.hashes) == 0 }

// find looks for the rows that the left side's row may match.
func (g *streamGroup) find(left *expr.Env) error {
	g.at = -1
	v := g.plan.keys[g.plan.byStream-1].left.Eval(left)
	if v.Kind == value.Null || left.Err != nil {
		return left.Err
	}
	if !g.begun || v.S != g.stream {
		if err := g.load(v.S); err != nil {
			return err
		}
	}
	if len(g.hashes) == 0 {
		return nil
	}
	some, decided := g.hashOf(left, false)
	switch {
	case left.Err != nil:
		return left.Err
	case !some: // NULL equals nothing
	case len(g.plan.keys) == 1 || !decided:
		g.every, g.at = true, 0
	default:
		g.every = false
		g.at = g.same(g.heads[g.hash>>g.shift])
	}
	return nil
}

// same returns the first row of a list that has the hash.
func (g *streamGroup) same(at int32) int32 {
	for at >= 0 && g.hashes[at] != g.hash {
		at = g.links[at]
	}
	return at
}

// take writes the next row that may match into the joined row.
func (g *streamGroup) take(row []value.Value) {
	from := g.values[int(g.at)*len(g.slots):]
	for i, slot := range g.slots {
		row[slot] = from[i]
	}
	switch {
	case !g.every:
		g.at = g.same(g.links[g.at])
	case int(g.at)+1 < len(g.hashes):
		g.at++
	default:
		g.at = -1
	}
}

// load makes the group that of a stream, behind the one before.
func (g *streamGroup) load(stream string) error {
	g.keep.giveBack()
	clear(g.values)
	g.stream, g.begun = stream, true
	g.values, g.hashes = g.values[:0], g.hashes[:0]
	clear(g.kinds)
	for {
		if !g.ready {
			if err := g.advance(); err != nil {
				return err
			}
		}
		if !g.ready || g.next > stream {
			return g.link()
		}
		if g.ready = false; g.next == stream {
			if err := g.add(); err != nil {
				return err
			}
		}
	}
}

// advance goes to the next row that has a stream.
func (g *streamGroup) advance() error {
	for !g.ready && !g.ended {
		g.en.Begin()
		ok, err := g.in.next(g.en)
		if err != nil {
			return err
		}
		if g.ended = !ok; ok {
			v := g.plan.keys[g.plan.byStream-1].right.Eval(g.en)
			g.ready, g.next = v.Kind != value.Null, v.S
		}
	}
	return g.en.Err
}

// add adds the current row of the side.
func (g *streamGroup) add() error {
	if len(g.hashes)%batchRows == batchRows-1 {
		if err := g.en.Ctx.Err(); err != nil {
			return err
		}
	}
	some, _ := g.hashOf(g.en, true)
	if !some || g.en.Err != nil {
		return g.en.Err
	}
	size := len(g.slots)*valueSize + 24
	for _, slot := range g.slots {
		v := g.plan.reads[slot].e.Eval(g.en)
		size += len(v.S)
		g.values = append(g.values, v)
	}
	g.hashes = append(g.hashes, g.hash)
	if err := g.keep.account(int64(size)); err != nil {
		return err
	}
	return g.en.Err
}

// link makes the lists in which rows are found by their hashes.
func (g *streamGroup) link() error {
	n := len(g.hashes)
	if n == 0 || len(g.plan.keys) == 1 {
		return nil
	}
	size := 1 << bits.Len(uint(n)) // at least two, so that the shift is less than 64
	g.shift = 64 - bits.Len(uint(n))
	g.heads, g.links = slices.Grow(g.heads[:0], size)[:size], slices.Grow(g.links[:0], n)[:n]
	for i := range g.heads {
		g.heads[i] = -1
	}
	for i := n - 1; i >= 0; i-- { // so that lists are in the order of the rows
		head := &g.heads[g.hashes[i]>>g.shift]
		g.links[i], *head = *head, int32(i)
	}
	return g.keep.account(int64(4 * (size + n)))
}

// hashOf hashes what a row is joined on besides the stream; some is false if a part of it is NULL.
// decided tells of a row of the left side that those of the right side with another hash do not match
// it.
func (g *streamGroup) hashOf(en *expr.Env, right bool) (some, decided bool) {
	g.key, decided = g.key[:0], true
	for i := range g.plan.keys {
		if i == g.plan.byStream-1 {
			continue
		}
		k := &g.plan.keys[i]
		side := k.left
		if right {
			side = k.right
		}
		v := side.Eval(en)
		if v.Kind == value.Null || !en.Effort(len(v.S)) {
			return false, false
		}
		var kinds keyKinds
		g.key, kinds = k.append(g.key, v)
		if right {
			g.kinds[i] = g.kinds[i].with(kinds)
		} else {
			decided = decided && !g.kinds[i].undecided(kinds)
		}
	}
	g.hash = maphash.Bytes(g.seed, g.key)
	return true, decided
}
