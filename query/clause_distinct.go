package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// keySize is about what a key takes in a map, without its bytes.
const keySize = 48

// rowKeys make a key of a row that equal rows share.
type rowKeys struct {
	collates []value.Collation
	key      []byte
}

func newRowKeys(columns []tableColumn) *rowKeys {
	k := &rowKeys{}
	for _, c := range columns {
		k.collates = append(k.collates, c.collate)
	}
	return k
}

// of returns the key of a row, which lasts until the next call.
func (k *rowKeys) of(en *expr.Env, row []value.Value) ([]byte, error) {
	k.key = k.key[:0]
	for i, v := range row {
		if !en.Effort(len(v.S)) {
			return nil, en.Err
		}
		k.key = value.AppendKey(k.key, v, k.collates[i])
	}
	return k.key, nil
}

// A rowSet notes rows that have been seen.
type rowSet struct {
	keys *rowKeys
	seen map[string]struct{}
	keep *keeper
}

func newRowSet(keys *rowKeys, ex *execution, clause string) *rowSet {
	return &rowSet{keys: keys, seen: map[string]struct{}{}, keep: newKeeper(ex.budget, clause)}
}

// add notes a row and reports whether it is new.
func (s *rowSet) add(en *expr.Env, row []value.Value) (bool, error) {
	key, err := s.keys.of(en, row)
	if err != nil {
		return false, err
	}
	if _, ok := s.seen[string(key)]; ok {
		return false, nil
	}
	s.seen[string(key)] = struct{}{}
	return true, s.keep.account(int64(len(key)) + keySize)
}

func (s *rowSet) release() {
	s.seen = nil
	s.keep.release()
}

// distinctRows give every row once.
type distinctRows struct {
	projection
	set *rowSet
	en  *expr.Env     // whose work comparing them is
	row []value.Value // results of the current row

	spill *distinctSpill // nil if no file may be used
}

// newDistinct gives rows of which each has so many sort keys.
func newDistinct(in projection, keys *rowKeys, ex *execution, clause string, sortKeys int) *distinctRows {
	d := &distinctRows{projection: in, set: newRowSet(keys, ex, clause), en: ex.env(nil)}
	d.spill = newDistinctSpill(ex, d, sortKeys)
	return d
}

func (d *distinctRows) advance() (bool, error) {
	for {
		if d.spill.used() {
			return d.spill.advance()
		}
		ok, err := d.projection.advance()
		if !ok || err != nil {
			return false, err
		}
		if d.row, err = d.projection.results(); err != nil {
			return false, err
		}
		if d.spill.used() { // since the row was begun
			if err := d.spill.addRow(); err != nil {
				return false, err
			}
			continue
		}
		isNew, err := d.set.add(d.en, d.row)
		if isNew || err != nil {
			return isNew, err
		}
	}
}

func (d *distinctRows) sortKeys(dst []value.Value) error {
	if d.spill.gives() {
		return d.spill.sortKeys(dst)
	}
	return d.projection.sortKeys(dst)
}

func (d *distinctRows) results() ([]value.Value, error) { return d.row, nil }

func (d *distinctRows) next(en *expr.Env) (bool, error) {
	ok, err := d.advance()
	if !ok || err != nil {
		return false, err
	}
	en.Row.Values = d.row
	return true, nil
}

func (d *distinctRows) close() error {
	d.spill.close()
	d.set.release()
	return d.projection.close()
}
