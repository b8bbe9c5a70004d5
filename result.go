package eventfold

import (
	"database/sql/driver"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query"
)

var (
	_ driver.Result = result{}
	_ driver.Result = (*receipt)(nil)
)

// A result is a plain value: database/sql reads it after the connection has been given back.
type result struct{ query.Outcome }

// LastInsertId returns the position of the last event appended, of the original if the append was a
// duplicate, or of the event that tells of an erasure.
func (r result) LastInsertId() (int64, error) {
	if r.LastPosition == engine.NoPosition {
		return 0, fault(ErrUnsupported, "exec",
			"no event was appended, so that there is no position")
	}
	return int64(r.LastPosition), nil
}

// RowsAffected returns the number of events newly written, 0 for a duplicate, or erased.
func (r result) RowsAffected() (int64, error) { return r.Outcome.RowsAffected, nil }

// A receipt is the result of an INSERT or an ERASE in a transaction, which may be asked again when
// that has ended.
type receipt query.Receipt

// LastInsertId returns the position of the last event, or of the one that tells of the erasure. It
// is assigned at COMMIT: before that, and if the event was rolled back, it is an error.
func (r *receipt) LastInsertId() (int64, error) {
	p, err := (*query.Receipt)(r).Position()
	if err != nil {
		return 0, &Error{Code: ErrTransaction, Op: "exec", Err: err}
	}
	return int64(p), nil
}

// RowsAffected returns the number of events that are buffered, and after COMMIT of those that were
// written or erased: none if the transaction was a duplicate, or was rolled back.
func (r *receipt) RowsAffected() (int64, error) { return (*query.Receipt)(r).Rows(), nil }
