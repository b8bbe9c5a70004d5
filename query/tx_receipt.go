package query

import (
	"errors"
	"math"

	"github.com/eventfold/eventfold/engine"
)

// A Receipt tells what has become of an INSERT or an ERASE in a transaction, once that has ended.
// Whoever calls it sees to it that nobody uses the transaction meanwhile; database/sql does.
type Receipt struct {
	tx   *Tx
	last int   // which of the transaction's events is the last of the INSERT, or which of its erasures it is
	cuts int   // rollbacks to savepoints that had been before it
	rows int64 // events of the statement

	erasure bool // it is an ERASE
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

// receiptOfErasure returns the Receipt of the erasure that was buffered last.
func (tx *Tx) receiptOfErasure() *Receipt {
	last := len(tx.erasures) - 1
	return &Receipt{
		tx: tx, last: last, cuts: len(tx.cuts), rows: tx.erasures[last].Events.Count(), erasure: true,
	}
}

// OfErasure reports whether the statement was an ERASE.
func (r *Receipt) OfErasure() bool { return r.erasure }

// Position returns the position of the last event of the INSERT, or of the event that tells of the
// ERASE, ErrNotCommitted before COMMIT,
// ErrRolledBack if it was not written.
func (r *Receipt) Position() (engine.Position, error) {
	switch {
	case r.dropped():
		return engine.NoPosition, ErrRolledBack
	case !r.tx.done:
		return engine.NoPosition, ErrNotCommitted
	}
	return r.tx.appended.Events[r.place()].Position, nil
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
		if r.erasure && r.last >= kept.erasures || !r.erasure && r.last >= kept.events {
			return true
		}
	}
	return r.tx.done && r.place() >= len(r.tx.appended.Events)
}

// place is where what was committed has the event.
func (r *Receipt) place() int {
	switch {
	case !r.erasure:
		return r.last
	case r.last < len(r.tx.told):
		return r.tx.told[r.last]
	}
	return math.MaxInt
}
