package query

import (
	"errors"

	"github.com/eventfold/eventfold/engine"
)

// A Receipt tells what has become of an INSERT in a transaction, once that has ended. Whoever calls
// it sees to it that nobody uses the transaction meanwhile; database/sql does.
type Receipt struct {
	tx   *Tx
	last int   // which of the transaction's events is the last of the INSERT
	cuts int   // rollbacks to savepoints that had been before it
	rows int64 // events of the INSERT
}

// The errors of a Receipt.
var (
	ErrNotCommitted = errors.New("the position is assigned at COMMIT")
	ErrRolledBack   = errors.New("the transaction was rolled back: the event has no position")
)

// receipt returns the Receipt of the n events that were buffered last.
func (tx *Tx) receipt(n int) *Receipt {
	return &keepIn(&tx.receipts,
		[]Receipt{{tx: tx, last: len(tx.events) - 1, cuts: len(tx.cuts), rows: int64(n)}})[0]
}

// Position returns the position of the last event of the INSERT, ErrNotCommitted before COMMIT,
// ErrRolledBack if it was not written.
func (r *Receipt) Position() (engine.Position, error) {
	switch {
	case r.dropped():
		return engine.NoPosition, ErrRolledBack
	case !r.tx.done:
		return engine.NoPosition, ErrNotCommitted
	}
	return r.tx.appended.Events[r.last].Position, nil
}

// Rows returns how many events the INSERT has written: those that are buffered before COMMIT, none
// if it was rolled back or a duplicate.
func (r *Receipt) Rows() int64 {
	if r.dropped() || r.tx.appended.Duplicate {
		return 0
	}
	return r.rows
}

// Of returns the Receipt of several INSERTs of one transaction, of which this is the last, that
// have given so many rows together.
func (r *Receipt) Of(rows int64) *Receipt {
	all := *r
	all.rows = rows
	return &all
}

// dropped reports whether the events were rolled back, or could not be committed.
func (r *Receipt) dropped() bool {
	for _, kept := range r.tx.cuts[r.cuts:] {
		if r.last >= kept {
			return true
		}
	}
	return r.tx.done && r.last >= len(r.tx.appended.Events)
}
