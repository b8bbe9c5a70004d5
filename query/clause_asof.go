package query

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// goBack makes every table of the statement show the log as it was at AS OF POSITION, which
// includes that position.
func (q *selectStatement) goBack(ex *execution, en *expr.Env) error {
	if q.asOf == nil {
		return nil
	}
	v := value.AsNumber(q.asOf.Eval(en))
	if en.Err != nil {
		return en.Err
	}
	head := ex.index.Head()
	if v.Kind != value.Int || v.N < -1 {
		return errorf(BadValue, q.asOf.Pos, "AS OF POSITION takes a position, or -1 for the empty log")
	}
	if v.N >= int64(head) {
		ex.sawHead()
		return errorf(BadValue, q.asOf.Pos,
			"AS OF POSITION %d is beyond the last position, %d", v.N, int64(head)-1)
	}
	ex.index, ex.own = ex.index.At(engine.Position(v.N+1)), nil
	return nil
}
