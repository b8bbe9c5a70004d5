package drivertest

import (
	"context"
	"database/sql"
)

var txChecks = []Check{
	{
		Name: "CommitShowsItAllAndNothingBefore",
		Rule: "A transaction sees its own rows; others see them when Commit has returned, and not before.",
		run:  (*suite).commit,
	},
	{
		Name: "RollbackLeavesNothing",
		Rule: "What a transaction has written is gone after Rollback, and its connection goes on.",
		run:  (*suite).rollback,
	},
	{
		Name: "UnknownIsolationLevelsAreRefused",
		Rule: "BeginTx fails if it cannot give the isolation that it is asked for.",
		run:  (*suite).unknownLevel,
	},
	{
		Name: "ReadOnlyTransactionsWriteNothing",
		Rule: "BeginTx with ReadOnly fails, or what writes in it does.",
		run:  (*suite).readOnly,
	},
	{
		Name: "ATransactionEndsWithItsContext",
		Rule: "When the context of BeginTx ends, the transaction is rolled back, although that context has ended.",
		run:  (*suite).txContext,
	},
	{
		Name: "AFailedStatementLeavesATransactionThatEnds",
		Rule: "After a statement that has failed a transaction can be rolled back, and nothing of it is stored.",
		run:  (*suite).failedInTx,
	},
}

func (s *suite) begin(ctx context.Context) *sql.Tx {
	s.Helper()
	tx, err := s.db.BeginTx(ctx, nil)
	s.must(err, "BeginTx")
	return tx
}

func (s *suite) commit() {
	s.insert(s.db, "a", nil)
	tx := s.begin(s.ctx())
	defer tx.Rollback()
	s.insert(tx, "b", []byte("1"))
	s.insert(tx, "c", []byte("2"))
	s.wantKeys(tx, "in a transaction", "a", "b", "c")
	s.wantKeys(s.db, "beside a transaction", "a")
	s.must(tx.Commit(), "Commit")
	s.wantKeys(s.db, "after Commit", "a", "b", "c")
}

func (s *suite) rollback() {
	s.insert(s.db, "a", nil)
	tx := s.begin(s.ctx())
	s.insert(tx, "b", nil)
	s.must(tx.Rollback(), "Rollback")
	s.one()
	s.wantKeys(s.db, "after Rollback", "a")
	s.usable("Rollback")
}

func (s *suite) unknownLevel() {
	tx, err := s.db.BeginTx(s.ctx(), &sql.TxOptions{Isolation: 99})
	if err == nil {
		tx.Rollback()
		s.Error("BeginTx takes an isolation level that there is not")
	}
	s.usable("an isolation level that was refused")
}

func (s *suite) readOnly() {
	tx, err := s.db.BeginTx(s.ctx(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		s.usable("a read-only transaction that was refused")
		return
	}
	_, err = tx.Exec(s.o.Insert, "a", nil)
	if err == nil {
		err = tx.Commit()
	} else {
		tx.Rollback()
	}
	if err == nil {
		s.Error("a read-only transaction takes an insert and commits")
	}
	s.wantKeys(s.db, "after a read-only transaction")
	s.usable("a read-only transaction")
}

func (s *suite) txContext() {
	s.one()
	ctx, cancel := context.WithCancel(s.ctx())
	defer cancel()
	tx := s.begin(ctx)
	s.insert(tx, "a", nil)
	cancel()
	// database/sql rolls back by itself; the connection is free when it has.
	s.eventually("a transaction whose context has ended keeps its connection", func() bool {
		return s.db.Stats().InUse == 0
	})
	if err := tx.Commit(); err == nil {
		s.Error("a transaction whose context has ended commits")
	}
	s.wantKeys(s.db, "after a transaction whose context has ended")
	s.usable("a transaction whose context has ended")
}

func (s *suite) failedInTx() {
	s.one()
	tx := s.begin(s.ctx())
	s.insert(tx, "a", nil)
	if _, err := tx.Exec(s.o.Wrong); err == nil {
		s.Errorf("Exec takes %q", s.o.Wrong)
	}
	if err := tx.Rollback(); err != nil {
		s.Errorf("Rollback after a failed statement: %v", err)
	}
	s.wantKeys(s.db, "after a statement that failed")
	s.usable("a failed statement")
}
