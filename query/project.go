package query

import "github.com/eventfold/eventfold/query/internal/value"

// projectedRows compute the results and the sort keys of the rows of a core.
type projectedRows struct {
	in   rows
	en   *env // of the row that is read
	plan *corePlan
	row  []value.Value
}

func (p *projectedRows) next(en *env) (bool, error) {
	ok, err := p.advance()
	if !ok || err != nil {
		return false, err
	}
	en.row.values, err = p.results()
	return err == nil, err
}

func (p *projectedRows) advance() (bool, error) {
	p.en.begin()
	return p.in.next(p.en)
}

func (p *projectedRows) results() ([]value.Value, error) {
	for i, e := range p.plan.results {
		if e != nil {
			p.row[i] = e.eval(p.en)
		}
	}
	return p.row, p.en.err
}

func (p *projectedRows) sortKeys(dst []value.Value) error {
	for i := range p.plan.order {
		dst[i] = p.plan.order[i].e.eval(p.en)
	}
	return p.en.err
}

func (p *projectedRows) close() error { return p.in.close() }

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

func (d *distinctRows) next(en *env) (bool, error) {
	ok, err := d.advance()
	if !ok || err != nil {
		return false, err
	}
	en.row.values = d.row
	return true, nil
}

func (d *distinctRows) close() error {
	d.seen = nil
	d.keep.release()
	return d.projection.close()
}

// A plainProjection makes a projection of rows that are results already: the order of a UNION is by its columns.
type plainProjection struct {
	rows
	en   *env
	keys []sortKey
}

func (r *plainProjection) advance() (bool, error) {
	r.en.begin()
	return r.rows.next(r.en)
}

func (r *plainProjection) results() ([]value.Value, error) { return r.en.row.values, nil }

func (r *plainProjection) sortKeys(dst []value.Value) error {
	for i := range r.keys {
		dst[i] = r.en.row.values[r.keys[i].result]
	}
	return nil
}
