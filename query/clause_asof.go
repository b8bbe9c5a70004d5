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
	at, err := asOfPosition(ex, q.asOf, en)
	if err != nil {
		return err
	}
	ex.index, ex.own = ex.index.At(at+1), nil
	return nil
}

// asOfPosition evaluates AS OF POSITION: the last position that is seen, -1 for none.
func asOfPosition(ex *execution, asOf *expr.Expr, en *expr.Env) (engine.Position, error) {
	v := value.AsNumber(asOf.Eval(en))
	if en.Err != nil {
		return 0, en.Err
	}
	head := ex.index.Head()
	if v.Kind != value.Int || v.N < -1 {
		return 0, errorf(BadValue, asOf.Pos, "AS OF POSITION takes a position, or -1 for the empty log")
	}
	if v.N >= int64(head) {
		ex.sawHead()
		return 0, errorf(BadValue, asOf.Pos,
			"AS OF POSITION %d is beyond the last position, %d", v.N, int64(head)-1)
	}
	return engine.Position(v.N), nil
}
