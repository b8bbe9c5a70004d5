package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A keptEqual is a condition of the query on a materialised view: a GROUP BY expression equals what
// does not depend on the view's row.
type keptEqual struct {
	slot    int
	operand *expr.Expr
}

// keptKey returns the key of the only group that can pass the query's conditions; ok is false if
// there may be several.
func (g *groupedRows) keptKey() (key []byte, ok bool, err error) {
	if len(g.plan.equals) == 0 {
		return nil, false, nil
	}
	values, given := make([]value.Value, len(g.plan.keys)), 0
	for _, eq := range g.plan.equals {
		en := g.ex.env(g.outer)
		v := eq.operand.Eval(en)
		if en.Err != nil || v.Kind != value.String || values[eq.slot].Kind != value.Null {
			continue // the condition itself decides, and tells what is wrong
		}
		values[eq.slot], given = v, given+1
	}
	if given < len(values) {
		return nil, false, g.ex.ctx.Err()
	}
	return g.table.keyOf(nil, values), true, nil
}
