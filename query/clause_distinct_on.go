package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// compileDistinctOn compiles DISTINCT ON (...), whose items are what those of ORDER BY are: names of
// results, numbers, and expressions.
func (c *coreScope) compileDistinctOn(p *corePlan) error {
	list := c.distinctOn
	if len(list) > maxColumns {
		return errorf(BadStatement, list[maxColumns].At(), "DISTINCT ON has at most %d terms", maxColumns)
	}
	for _, e := range list {
		if n, ok := ordinal(e); ok && (n < 1 || n > int64(len(c.results))) {
			return errorf(BadStatement, e.At(), "DISTINCT ON (%d): the result has %d columns", n, len(c.results))
		}
		i, err := c.orderResult(e)
		if err != nil {
			return err
		}
		if i >= 0 {
			p.on = append(p.on, p.results[i])
			continue
		}
		x, err := c.orderScope().compile(e)
		if err != nil {
			return err
		}
		if x.Type == EventType {
			return errorf(Unsupported, e.At(), "the column event cannot be compared")
		}
		p.on = append(p.on, x)
	}
	p.texts.on = exprTexts(list)
	return nil
}

// withDistinctOn adds the items of DISTINCT ON to those of ORDER BY.
func (c *coreScope) withDistinctOn(order []parser.Order) []parser.Order {
	all := order[:len(order):len(order)]
	for _, e := range c.distinctOn {
		all = append(all, parser.Order{Expr: e})
	}
	return all
}

// openFirst gives the first row of those that agree in DISTINCT ON. They are to be ordered, unless
// they come in the order of ORDER BY already, or there is none.
func (p *corePlan) openFirst(ex *execution, in *projectedRows, sorted bool) rows {
	f := &firstRows{projectedRows: in, keep: newKeeper(ex.budget, "DISTINCT ON"), places: map[string]int{},
		on: make([]value.Value, len(p.on)), onKeys: &rowKeys{}}
	for _, e := range p.on {
		f.onKeys.collates = append(f.onKeys.collates, e.Collate)
	}
	if sorted {
		return &orderedFirstRows{firstRows: f}
	}
	return f
}

// firstRows are the rows of a projection whose values of DISTINCT ON no row before them has.
type firstRows struct {
	*projectedRows
	keep   *keeper
	places map[string]int // of the rows that are kept, by their values of DISTINCT ON
	on     []value.Value
	onKeys *rowKeys
}

// onKey returns the key of the current row's values of DISTINCT ON.
func (f *firstRows) onKey() ([]byte, error) {
	for i, e := range f.plan.on {
		f.on[i] = e.Eval(f.projectedRows.en)
	}
	if err := f.projectedRows.en.Err; err != nil {
		return nil, err
	}
	return f.onKeys.of(f.projectedRows.en, f.on)
}

// note notes where the row with a key is kept.
func (f *firstRows) note(key []byte, place int) error {
	f.places[string(key)] = place
	return f.keep.account(int64(len(key)) + keySize)
}

func (f *firstRows) next(en *expr.Env) (bool, error) {
	for {
		ok, err := f.advance()
		if !ok || err != nil {
			return false, err
		}
		key, err := f.onKey()
		if err != nil {
			return false, err
		}
		if _, there := f.places[string(key)]; there {
			continue
		}
		if err := f.note(key, 0); err != nil {
			return false, err
		}
		en.Row.Values, err = f.results()
		return err == nil, err
	}
}

func (f *firstRows) close() error {
	f.places = nil
	f.keep.release()
	return f.projectedRows.close()
}

// orderedFirstRows are firstRows where the first is the first by ORDER BY, and which come in its
// order. No more than one row is kept of those that agree.
type orderedFirstRows struct {
	*firstRows
	rows  []sortedRow
	at    int
	built bool
}

func (f *orderedFirstRows) next(en *expr.Env) (bool, error) {
	if !f.built {
		f.built = true
		if err := f.build(en); err != nil {
			return false, err
		}
	}
	if f.at >= len(f.rows) {
		return false, nil
	}
	en.Row.Values = f.rows[f.at].values
	f.at++
	return true, nil
}

func (f *orderedFirstRows) build(en *expr.Env) error {
	keys := make([]value.Value, len(f.plan.order))
	for serial := 0; ; serial++ {
		if serial%batchRows == 0 {
			if err := en.Ctx.Err(); err != nil {
				return err
			}
		}
		ok, err := f.advance()
		if err != nil {
			return err
		}
		if !ok {
			return sortKept(en, f.plan.order, f.rows)
		}
		if err := f.sortKeys(keys); err != nil {
			return err
		}
		if err := f.consider(keys, serial); err != nil {
			return err
		}
	}
}

// consider keeps the current row if it is the first of those that agree with it so far.
func (f *orderedFirstRows) consider(keys []value.Value, serial int) error {
	key, err := f.onKey()
	if err != nil {
		return err
	}
	en, order := f.projectedRows.en, f.plan.order
	if !en.Effort(sortEffort(keys, keys)) {
		return en.Err
	}
	at, there := f.places[string(key)]
	switch {
	case !there:
		at = len(f.rows)
		if err := f.note(key, at); err != nil {
			return err
		}
		f.rows = append(f.rows, sortedRow{})
	case compareKeys(order, keys, f.rows[at].keys) >= 0:
		return nil
	default:
		f.keep.forget(f.rows[at].keys)
		f.keep.forget(f.rows[at].values)
	}
	values, err := f.results()
	if err != nil {
		return err
	}
	row := &f.rows[at]
	row.serial = serial
	if row.keys, err = f.keep.alone(keys); err != nil {
		return err
	}
	row.values, err = f.keep.alone(values)
	return err
}

func (f *orderedFirstRows) close() error {
	f.rows = nil
	return f.firstRows.close()
}

func (p *corePlan) explainFirst(x *explainer, sorted bool) {
	text := "on " + p.texts.on
	if len(p.order) > 0 {
		text += ", the first by " + p.texts.order
	}
	x.step("distinct", "%s", text)
	if sorted {
		x.step("sort", "by %s", p.texts.order)
	}
}
