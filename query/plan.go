package query

import "github.com/eventfold/eventfold/query/internal/value"

// open starts a SELECT. Its rows are in en.row.values, one value per column.
func (p *selectPlan) open(ex *execution, outer *env) (rows, error) {
	limit, offset, err := p.limit.window(ex, outer)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		return noRows{}, nil
	}
	if len(p.cores) == 1 {
		op, err := p.cores[0].open(ex, outer, wanted(limit, offset))
		if err != nil {
			return nil, err
		}
		return limited(op, limit, offset), nil
	}
	op, err := p.openUnion(ex, outer)
	if err != nil {
		return nil, err
	}
	if len(p.order) > 0 {
		op = &orderedRows{
			in: &plainProjection{rows: op, en: ex.env(outer), keys: p.order}, keys: p.order,
			limit: wanted(limit, offset), keep: newKeeper(ex.budget, "ORDER BY"),
		}
	}
	return limited(op, limit, offset), nil
}

// open starts a core, from which no more than limit rows will be read; -1 means all of them.
func (p *corePlan) open(ex *execution, outer *env, limit int64) (rows, error) {
	if err := ex.ctx.Err(); err != nil { // sub-queries within each other are many more than rows
		return nil, err
	}
	sorted := len(p.order) > 0
	in, err := p.openFrom(ex, outer, limit, &sorted)
	if err != nil {
		return nil, err
	}
	if p.group != nil {
		in = filtered(&groupedRows{plan: p.group, ex: ex, outer: outer, row: make([]value.Value, len(p.group.keys)+len(p.group.aggs))}, p.having)
	} else {
		in = filtered(in, p.where)
	}
	if p.windows != nil {
		in = p.windows.open(ex, outer, in)
	}
	var rows projection = &projectedRows{in: in, en: ex.env(outer), plan: p, row: make([]value.Value, len(p.results))}
	if p.distinct {
		rows = newDistinct(rows, p.columns, ex, "DISTINCT")
	}
	if !sorted {
		return rows, nil
	}
	ex.keepEvents = true
	return &orderedRows{in: rows, keys: p.order, limit: limit, keep: newKeeper(ex.budget, "ORDER BY")}, nil
}

// openFrom starts FROM. It clears sorted if the rows come in the order of ORDER BY already.
func (p *corePlan) openFrom(ex *execution, outer *env, limit int64, sorted *bool) (rows, error) {
	if p.group != nil { // which opens FROM itself
		return noRows{}, nil
	}
	if d := p.directed; d != nil && len(ex.own) == 0 {
		*sorted = false
		return d.open(ex, outer, limit)
	}
	if scan, ok := p.from.(*tableScan); ok && !*sorted {
		return scan.openLimited(ex, outer, false, p.scanLimit(limit))
	}
	return p.from.open(ex, outer)
}

// scanLimit is the limit as a hint for a scan: without conditions that drop rows it reads no more than that.
func (p *corePlan) scanLimit(limit int64) int64 {
	if limit < 0 || len(p.where) > 0 || p.distinct || p.windows != nil {
		return 0
	}
	return limit
}

// openUnion chains the cores of a UNION. One without ALL drops repeated rows of everything before it, too.
func (p *selectPlan) openUnion(ex *execution, outer *env) (rows, error) {
	var op rows
	for i, core := range p.cores {
		next := &coreRows{core: core, ex: ex, outer: outer}
		if i == 0 {
			op = next
			continue
		}
		op = &unionRows{parts: []rows{op, next}}
		if !p.all[i] {
			op = newDistinct(&plainProjection{rows: op, en: ex.env(outer)}, p.columns, ex, "UNION")
		}
	}
	return op, nil
}

// coreRows open a core when its first row is asked for.
type coreRows struct {
	core  *corePlan
	ex    *execution
	outer *env
	in    rows
}

func (c *coreRows) next(en *env) (bool, error) {
	if c.in == nil {
		in, err := c.core.open(c.ex, c.outer, -1)
		if err != nil {
			return false, err
		}
		c.in = in
	}
	return c.in.next(en)
}

func (c *coreRows) close() error {
	if c.in == nil {
		return nil
	}
	return c.in.close()
}

// unionRows give some rows after others.
type unionRows struct {
	parts []rows
	at    int
}

func (c *unionRows) next(en *env) (bool, error) {
	for ; c.at < len(c.parts); c.at++ {
		ok, err := c.parts[c.at].next(en)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (c *unionRows) close() error {
	var first error
	for _, p := range c.parts {
		if err := p.close(); first == nil {
			first = err
		}
	}
	return first
}
