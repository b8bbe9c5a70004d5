package query

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A joinRelation joins two relations. Rows of the right side are kept in memory, by the hash of
// what they are joined on if there is an equality, as a list otherwise; rows of the left side
// stream.
type joinRelation struct {
	left, right relation
	outer       bool // LEFT JOIN: a row of the left side without a match comes with NULLs
	full        bool // FULL JOIN: so does, besides, a row of the right side
	columns     []tableColumn
	keys        []joinKey
	conds       []condition // evaluated on the joined row: they decide whether the two rows match
	where       []condition // of a LEFT JOIN: they decide which rows pass, those that come with NULLs among them
	slots       map[int]int // ordinal of a column that is read to its slot in the joined row
	reads       []joinRead  // by slot
	byStream    int         // of keys, the number from 1 of the one that compares the streams of $all on both sides; 0 for none
	texts       []string
	whereTexts  []string
}

// A joinRead fills one slot of the joined row.
type joinRead struct {
	right bool
	e     *expr.Expr // evaluated on the side's own row
}

// A joinKey is one equality between the sides.
type joinKey struct {
	left, right *expr.Expr
	convert     func(value.Value) value.Value // what comparing does to both values first; nil for nothing
	collate     value.Collation
	open        bool // the types do not tell whether a time is compared with something else
}

// keyKinds tells what the values of an open key have been that hashing does not compare as "="
// does: beside a time a text is read, and a number is an error.
type keyKinds struct {
	times, numbers bool
	dates          bool // texts that are times beside one, in another way than a time is written
}

func kindsOf(v value.Value, key []byte, c value.Collation) keyKinds {
	dates := v.Kind == value.String && key[0] == value.KeyText &&
		value.BesideTime(v, c).Kind == value.Time
	return keyKinds{times: v.Kind == value.Time, numbers: v.Kind.IsNumber(), dates: dates}
}

func (k keyKinds) with(o keyKinds) keyKinds {
	return keyKinds{k.times || o.times, k.numbers || o.numbers, k.dates || o.dates}
}

// undecided reports whether values with different keys may be equal, or not comparable at all.
func (k keyKinds) undecided(o keyKinds) bool {
	return k.times && (o.numbers || o.dates) || o.times && (k.numbers || k.dates)
}

// newJoinRelation makes an inner join, a LEFT JOIN or a FULL JOIN.
func newJoinRelation(left, right relation, kind parser.JoinKind) *joinRelation {
	p := &joinRelation{
		left: left, right: right, slots: map[int]int{},
		outer: kind != parser.InnerJoin, full: kind == parser.FullJoin,
		columns: slices.Concat(left.schema(), right.schema()),
	}
	n := len(left.schema())
	for i := range p.columns {
		if i < n && p.full || i >= n && p.outer {
			p.columns[i].Nullable = true
		}
	}
	return p
}

func (p *joinRelation) schema() []tableColumn { return p.columns }

func (p *joinRelation) bind(i int) *expr.Expr {
	slot, ok := p.slots[i]
	if !ok {
		slot = len(p.reads)
		p.slots[i] = slot
		if n := len(p.left.schema()); i < n {
			p.reads = append(p.reads, joinRead{e: p.left.bind(i)})
		} else {
			p.reads = append(p.reads, joinRead{right: true, e: p.right.bind(i - n)})
		}
	}
	return boundColumn(p.columns[i], slotExpr(slot))
}

// newJoinKey tells how two sides of an equality are made comparable as bytes; ok is false if they
// cannot be.
func newJoinKey(left, right *expr.Expr) (key joinKey, ok bool) {
	key = joinKey{left: left, right: right, collate: expr.CommonCollation(left, right)}
	if left.IsTime() != right.IsTime() {
		return key, false
	}
	if left.IsTime() {
		return key, true
	}
	key.open = left.Type == Any || right.Type == Any
	key.convert = value.Conversion(value.CommonAffinity(left.Affinity, right.Affinity))
	return key, true
}

func (p *joinRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	if in, err := p.openStreams(ex, outer); in != nil || err != nil {
		return in, err
	}
	left, err := p.left.open(ex, outer)
	if err != nil {
		return nil, err
	}
	join := &joinedRows{
		plan: p, ex: ex, outer: outer, left: left, leftEnv: ex.env(outer),
		row: make([]value.Value, len(p.reads)), kinds: make([]keyKinds, len(p.keys)),
	}
	return filtered(join, p.where), nil
}

// joinedRows are the rows of a joinRelation.
type joinedRows struct {
	plan    *joinRelation
	ex      *execution
	outer   *expr.Env
	left    rows
	leftEnv *expr.Env
	row     []value.Value // the joined row

	built   bool
	keep    *keeper
	right   [][]value.Value // rows of the right side: the slots that it fills, the others are not set
	byKey   map[string][]int32
	all     []int32    // every row of the right side, if they are candidates for some row
	kinds   []keyKinds // by key, of the right side
	key     []byte
	found   []int32 // candidates for the current row of the left side
	matched bool
	active  bool // there is a current row of the left side
	seen    int
	spill   *joinSpill // gives the rows, if they were joined by way of a file

	// Of a FULL JOIN.
	ended  bool   // the left side is
	paired []bool // by row of the right side: it has matched
	rest   int    // the next row of the right side to look at, when the left side has ended
}

func (j *joinedRows) next(en *expr.Env) (bool, error) {
	if !j.built {
		if err := j.build(); err != nil {
			if err = j.orSpilled(err, en); err != nil {
				return false, err
			}
		}
	}
	if j.spill != nil {
		return j.spill.next(en)
	}
	if len(j.right) == 0 && !j.plan.outer {
		return false, nil // whatever the left side holds, which may be a join that gives very many rows
	}
	for {
		if !j.active {
			if ok, err := j.advance(); err != nil {
				return false, err
			} else if !ok {
				return j.unpaired(en)
			}
		}
		ok, err := j.match(en)
		if ok || err != nil {
			return ok, err
		}
	}
}

// advance takes the next row of the left side and looks up its candidates.
func (j *joinedRows) advance() (bool, error) {
	if j.ended {
		return false, nil
	}
	j.leftEnv.Begin()
	ok, err := j.left.next(j.leftEnv)
	if !ok || err != nil {
		j.ended = true
		return false, err
	}
	for i, r := range j.plan.reads {
		if !r.right {
			j.row[i] = r.e.Eval(j.leftEnv)
		}
	}
	if j.found, err = j.candidates(); err != nil {
		return false, err
	}
	j.active, j.matched = true, false
	return true, j.leftEnv.Err
}

// candidates returns the rows of the right side that may match the current row of the left side.
func (j *joinedRows) candidates() ([]int32, error) {
	if len(j.plan.keys) == 0 {
		return j.all, nil
	}
	key, decided := j.keyOf(j.leftEnv, false)
	switch {
	case key == nil:
		return nil, nil
	case decided:
		return j.byKey[string(key)], nil
	case j.all == nil: // the conditions decide
		if err := j.keep.account(int64(len(j.right)) * 4); err != nil {
			return nil, err
		}
		j.all = make([]int32, len(j.right))
		for i := range j.all {
			j.all[i] = int32(i)
		}
	}
	return j.all, nil
}

// match makes the next joined row of the current left row current; false if there is no more.
func (j *joinedRows) match(en *expr.Env) (bool, error) {
	en.Row.Values = j.row
	for len(j.found) > 0 {
		en.Begin()
		if j.seen++; j.seen%batchRows == 0 {
			if err := en.Ctx.Err(); err != nil {
				return false, err
			}
		}
		at := j.found[0]
		from := j.right[at]
		j.found = j.found[1:]
		for i, r := range j.plan.reads {
			if r.right {
				j.row[i] = from[i]
			}
		}
		pass := allTrue(j.plan.conds, en)
		if en.Err != nil {
			return false, en.Err
		}
		if pass {
			j.matched = true
			if j.plan.full {
				j.paired[at] = true
			}
			return true, nil
		}
	}
	j.active = false
	if j.matched || !j.plan.outer {
		return false, nil
	}
	for i, r := range j.plan.reads {
		if r.right {
			j.row[i] = value.Value{}
		}
	}
	return true, nil
}

// unpaired makes the next row of the right side that has not matched the current one, in a FULL
// JOIN; false if there is none.
func (j *joinedRows) unpaired(en *expr.Env) (bool, error) {
	if !j.plan.full {
		return false, nil
	}
	for ; j.rest < len(j.right); j.rest++ {
		if !en.Effort(value.TermEffort) {
			return false, en.Err
		}
		if j.paired[j.rest] {
			continue
		}
		en.Begin()
		for i, r := range j.plan.reads {
			j.row[i] = value.Value{}
			if r.right {
				j.row[i] = j.right[j.rest][i]
			}
		}
		j.rest++
		en.Row.Values = j.row
		return true, nil
	}
	return false, nil
}

// build reads the right side.
func (j *joinedRows) build() error {
	j.built = true
	defer j.ex.leave(j.ex.envs)
	right, err := j.plan.right.open(j.ex, j.outer)
	if err != nil {
		return err
	}
	err = j.readRight(right)
	if cerr := right.close(); err == nil {
		err = cerr
	}
	return err
}

func (j *joinedRows) readRight(right rows) error {
	en := j.ex.env(j.outer)
	j.keep = newKeeper(j.ex.budget, "JOIN")
	j.byKey = map[string][]int32{}
	row := make([]value.Value, len(j.plan.reads))
	for {
		en.Begin()
		ok, err := right.next(en)
		if err != nil {
			return err
		}
		if !ok {
			return j.makePaired()
		}
		for i, r := range j.plan.reads {
			if r.right {
				row[i] = r.e.Eval(en)
			}
		}
		if err := j.keepRight(row, en); err != nil {
			return err
		}
	}
}

// makePaired makes room to note which rows have matched.
func (j *joinedRows) makePaired() error {
	if !j.plan.full {
		return nil
	}
	j.paired = make([]bool, len(j.right))
	return j.keep.account(int64(len(j.right)))
}

func (j *joinedRows) keepRight(row []value.Value, en *expr.Env) error {
	n := int32(len(j.right))
	if len(j.plan.keys) == 0 {
		j.all = append(j.all, n)
	} else {
		key, _ := j.keyOf(en, true)
		switch list := j.byKey[string(key)]; {
		case en.Err != nil:
			return en.Err
		case key == nil && !j.plan.full: // NULL equals nothing
			return nil
		case key == nil:
		case list != nil:
			j.byKey[string(key)] = append(list, n)
		default:
			j.byKey[string(key)] = []int32{n}
			if err := j.keep.account(int64(len(key)) + 64); err != nil {
				return err
			}
		}
	}
	kept, err := j.keep.row(row)
	if err != nil {
		return err
	}
	j.right = append(j.right, kept)
	return en.Err
}

// keyOf encodes what a row is joined on, nil if a part of it is NULL. decided tells of a row of the
// left side that those of the right side with another key do not match it.
func (j *joinedRows) keyOf(en *expr.Env, right bool) (key []byte, decided bool) {
	j.key, decided = j.key[:0], true
	for i := range j.plan.keys {
		k := &j.plan.keys[i]
		side := k.left
		if right {
			side = k.right
		}
		v := side.Eval(en)
		if v.Kind == value.Null || !en.Effort(len(v.S)) {
			return nil, false
		}
		if k.convert != nil {
			v = k.convert(v)
		}
		start := len(j.key)
		j.key = value.AppendKey(j.key, v, k.collate)
		switch {
		case !k.open:
		case right:
			j.kinds[i] = j.kinds[i].with(kindsOf(v, j.key[start:], k.collate))
		default:
			decided = decided && !j.kinds[i].undecided(kindsOf(v, j.key[start:], k.collate))
		}
	}
	return j.key, decided
}

func (j *joinedRows) close() error {
	if j.keep != nil {
		j.keep.release()
	}
	j.spill.close()
	j.right, j.byKey, j.all, j.paired = nil, nil, nil, nil
	return j.left.close()
}

func (p *joinRelation) explain(x *explainer) {
	x.inner(p.left)
	x.inner(p.right)
	kind := "join"
	switch {
	case p.full:
		kind = "full join"
	case p.outer:
		kind = "left join"
	}
	if len(p.keys) > 0 {
		kind = "hash " + kind
	} else {
		kind = "loop " + kind
	}
	x.step(kind, "%s%s", joinTexts(p.texts), p.streamsText(x))
	if len(p.where) > 0 {
		x.step("filter", "%s", joinTexts(p.whereTexts))
	}
}

// joinConditions lists the conditions of ON, USING and NATURAL of a join whose sources are lo to hi.
func (c *coreScope) joinConditions(j *parser.Join, lo, hi int) []*pendingCond {
	names := c.joins[j]
	on := c.pendingList(names.on, "ON", lo, hi)
	for _, pair := range names.pairs {
		eq := &parser.Binary{Pos: j.Pos, Op: parser.OpEq, X: pair[0], Y: pair[1]}
		on = append(on, c.newPending(eq, "ON", lo, hi))
	}
	return on
}

// countSources counts the tables and sub-queries of a part of FROM.
func countSources(s parser.Source) int {
	if j, ok := s.(*parser.Join); ok {
		return countSources(j.Left) + countSources(j.Right)
	}
	return 1
}
