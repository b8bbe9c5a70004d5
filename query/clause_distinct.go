package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// distinctRows give every row once.
type distinctRows struct {
	projection
	collates []value.Collation
	seen     map[string]struct{}
	keep     *keeper
	key      []byte
	row      []value.Value // results of the current row
}

func newDistinct(in projection, columns []tableColumn, ex *execution, clause string) *distinctRows {
	d := &distinctRows{projection: in, seen: map[string]struct{}{}, keep: newKeeper(ex.budget, clause)}
	for _, c := range columns {
		d.collates = append(d.collates, c.collate)
	}
	return d
}

func (d *distinctRows) advance() (bool, error) {
	for {
		ok, err := d.projection.advance()
		if !ok || err != nil {
			return false, err
		}
		if d.row, err = d.projection.results(); err != nil {
			return false, err
		}
		isNew, err := d.add(d.row)
		if isNew || err != nil {
			return isNew, err
		}
	}
}

// add notes a row and reports whether it is new.
func (d *distinctRows) add(row []value.Value) (bool, error) {
	d.key = d.key[:0]
	for i, v := range row {
		d.key = value.AppendKey(d.key, v, d.collates[i])
	}
	if _, ok := d.seen[string(d.key)]; ok {
		return false, nil
	}
	d.seen[string(d.key)] = struct{}{}
	return true, d.keep.account(int64(len(d.key)) + 48)
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
	d.seen = nil
	d.keep.release()
	return d.projection.close()
}
