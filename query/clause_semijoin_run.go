package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A semiTable is what a semiJoin has found in one execution.
type semiTable struct {
	paid   int64 // what runs for single rows have cost, in events
	price  int64 // what the run for all rows costs, about; 0 if it is not known yet
	ended  bool  // the run for all rows was tried
	groups map[string]*expr.Set
	kinds  []keyKinds // by key, of the sub-query's rows
	key    []byte
	walk   *semiWalk // where groups are those of one stream, nil for all rows
}

// runCost is about what beginning one run of a sub-query costs, in events that are read.
const runCost = 256

const (
	// semiMemory is which part of the query's memory may be held when keys are kept, those of all
	// semi-joins and whatever else that cannot go to a file: they save time, and the query needs memory
	// anyway. Keys that are read stream by stream may take that part themselves.
	semiMemory = 2
	// semiPatience is how many times its price the run for all rows may cost until it is given up: a
	// sub-query within it, say, may be dear where it is asked for every event.
	semiPatience = 4
)

// table returns what the execution remembers, nil if it must not: what is followed never ends, and
// a serializable transaction should have read no more than it has to.
func (j *semiJoin) table(ex *execution, en *expr.Env) *semiTable {
	if _, ok := ex.index.(*watchedIndex); j == nil || ok || ex.following != nil || ex.since > 0 {
		return nil
	}
	r := j.sub.once(en)
	if r.semi == nil {
		r.semi = &semiTable{kinds: make([]keyKinds, len(j.keys))}
	}
	return r.semi
}

// lookUp returns what the sub-query has for the current row of en, nil if it has no rows. ok is
// false if it must be run to know.
func (j *semiJoin) lookUp(en *expr.Env) (set *expr.Set, ok bool) {
	if j == nil {
		return nil, false
	}
	t := j.table(execOf(en), en)
	if t == nil || t.walk != nil && !t.walk.to(j, t, en) || t.walk == nil && !j.ready(t, en) {
		return nil, false
	}
	if len(t.groups) == 0 {
		return nil, true
	}
	t.key = t.key[:0]
	for i, x := range j.outer {
		if t.walk != nil && i == j.stream-1 {
			continue
		}
		v := x.Eval(en)
		switch {
		case v.Kind == value.Null:
			return nil, true
		case !en.Effort(len(v.S)):
			return nil, false
		}
		if kinds := t.append(&j.keys[i], v); t.kinds[i].undecided(kinds) {
			return nil, false
		}
	}
	return t.groups[string(t.key)], true
}

// append encodes one value of a key.
func (t *semiTable) append(k *joinKey, v value.Value) (kinds keyKinds) {
	t.key, kinds = k.append(t.key, v)
	return kinds
}

// append encodes the value of one side behind others.
func (k *joinKey) append(key []byte, v value.Value) ([]byte, keyKinds) {
	if k.convert != nil {
		v = k.convert(v)
	}
	from := len(key)
	key = value.AppendKey(key, v, k.collate)
	if !k.open {
		return key, keyKinds{}
	}
	return key, kindsOf(v, key[from:], k.collate)
}

// ready reports whether the groups are known, and finds them when it has become worth it.
func (j *semiJoin) ready(t *semiTable, en *expr.Env) bool {
	if t.ended || t.paid == 0 {
		return t.groups != nil
	}
	if t.price == 0 {
		t.price = j.price(execOf(en))
	}
	if t.paid < t.price {
		return false
	}
	t.ended = true
	keep := newKeeper(execOf(en).budget, j.what)
	t.groups = map[string]*expr.Set{}
	if err := j.fill(t, keep, en); err != nil { // whatever it is, it may not be an error of this row
		keep.release()
		t.groups = nil
	}
	return t.groups != nil
}

// price is about how many events one run for all rows reads.
func (j *semiJoin) price(ex *execution) int64 {
	n := int64(ex.index.Head()) + int64(len(ex.own))
	if scan, ok := j.sub.plan.cores[0].from.(*tableScan); ok && scan.events() != nil {
		what, err := scan.narrowNow(ex, nil)
		if err != nil {
			return n + 1
		}
		if what.empty {
			return 1
		}
		if most, ok, err := scan.atMost(ex, ex.index, what); ok && err == nil {
			n = most + int64(len(ex.own))
		}
	}
	return n + 1
}

// fill runs the sub-query for all rows.
func (j *semiJoin) fill(t *semiTable, keep *keeper, en *expr.Env) (err error) {
	ex := execOf(en)
	defer ex.leave(ex.envs)
	op, err := j.sub.plan.open(ex, en)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := op.close(); err == nil {
			err = cerr
		}
	}()
	inner := ex.env(en)
	from := ex.counters.examined.Load()
	for {
		inner.Begin()
		ok, err := op.next(inner)
		if !ok || err != nil {
			return err
		}
		if err := j.add(t, keep, inner); err != nil {
			return err
		}
		if ex.budget.fixed() > ex.budget.limit/semiMemory ||
			ex.counters.examined.Load()-from > semiPatience*t.price {
			return errNoSemiJoin
		}
	}
}

// add notes one row of the sub-query. One whose key has a NULL equals nothing.
func (j *semiJoin) add(t *semiTable, keep *keeper, inner *expr.Env) error {
	row := inner.Row.Values
	keys := row[len(row)-len(j.keys):]
	t.key = t.key[:0]
	for i, v := range keys {
		if t.walk != nil && i == j.stream-1 {
			continue
		}
		if v.Kind == value.Null {
			return nil
		}
		if !inner.Effort(len(v.S)) {
			return inner.Err
		}
		t.kinds[i] = t.kinds[i].with(t.append(&j.keys[i], v))
	}
	set, ok := t.groups[string(t.key)]
	if !ok {
		if set = existing; j.in != nil {
			set = j.in.newSet()
		}
		t.groups[string(t.key)] = set
		if err := keep.account(int64(len(t.key)) + 64); err != nil {
			return err
		}
	}
	if j.in == nil {
		return nil
	}
	return j.in.add(set, keep, row[0])
}

// existing is the set of every group of an EXISTS.
var existing = &expr.Set{}

// pay notes what a run for a single row has cost, since when examined events were.
func (j *semiJoin) pay(en *expr.Env, examined int64) {
	if j == nil {
		return
	}
	ex := execOf(en)
	if t := j.table(ex, en); t != nil {
		t.paid += runCost + ex.counters.examined.Load() - examined
	}
}
