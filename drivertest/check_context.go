package drivertest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

var contextChecks = []Check{
	{
		Name: "UnderAnEndedContextNothingIsDone",
		Rule: "Exec and Query under a context that has ended give its error, also on a connection in hand, and write nothing.",
		run:  (*suite).endedContext,
	},
	{
		Name:  "AWaitingQueryEndsWithItsContext",
		Rule:  "A query that would go on for ever ends with its context, with the context's error and not as if it had no more rows.",
		needs: needsEndless,
		run:   (*suite).waitingQuery,
	},
	{
		Name:  "ACancelledQueryHarmsNobody",
		Rule:  "Only the query whose context ends is stopped; its connection and the others go on.",
		needs: needsEndless,
		run:   (*suite).cancelAlone,
	},
	{
		Name: "ACancelledInsertIsStoredOnceOrNot",
		Rule: "An insert whose context ends is stored at most once, and is stored if there was no error: after any work the error is not driver.ErrBadConn.",
		run:  (*suite).cancelledInsert,
	},
	{
		Name: "WaitingForATransactionEndsWithTheContext",
		Rule: "An insert that has to wait for somebody else's transaction stops waiting when its context ends.",
		run:  (*suite).waitForTx,
	},
	{
		Name: "RawBytesOutliveTheContext",
		Rule: "Bytes in a sql.RawBytes stay as they are until Next or Close, although the context ends and other queries run.",
		run:  (*suite).rawBytes,
	},
}

func (s *suite) endedContext() {
	conn, err := s.db.Conn(s.ctx())
	s.must(err, "Conn")
	defer conn.Close()
	insert, err := conn.PrepareContext(s.ctx(), s.o.Insert)
	s.must(err, "preparing Insert")
	defer insert.Close()

	_, err = conn.ExecContext(s.ended(), s.o.Insert, "a", nil)
	s.wantCanceled(err, "Exec")
	_, err = insert.ExecContext(s.ended(), "b", nil)
	s.wantCanceled(err, "Exec, prepared,")
	rows, err := conn.QueryContext(s.ended(), s.o.All)
	if err == nil {
		for rows.Next() {
		}
		err = rows.Err()
		rows.Close()
	}
	s.wantCanceled(err, "Query")
	tx, err := conn.BeginTx(s.ended(), nil)
	if err == nil {
		_, err = tx.Exec(s.o.Insert, "c", nil)
		tx.Rollback()
	}
	if err == nil {
		s.Error("a transaction can be begun and used under a context that has ended")
	}
	s.wantKeys(conn, "after contexts that had ended")
}

// drain reads rows to their end.
func drain(rows *sql.Rows) error {
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// endless begins the query that does not end, under a context which the caller ends.
func (s *suite) endless(db *sql.DB, ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { // ends with ctx; if it does not, that is what is reported
		rows, err := db.QueryContext(ctx, s.o.Endless)
		if err == nil {
			err = drain(rows)
		}
		done <- err
	}()
	return done
}

func (s *suite) waitingQuery() {
	ctx, cancel := context.WithCancel(s.ctx())
	done := s.endless(s.db, ctx)
	time.Sleep(20 * time.Millisecond) // it runs by then, or finds the context ended: both have to end
	cancel()
	s.wantCanceled(s.returns("a query whose context was cancelled", func() error { return <-done }), "a query")

	ctx, cancel = context.WithTimeout(s.ctx(), 20*time.Millisecond)
	defer cancel()
	done = s.endless(s.db, ctx)
	err := s.returns("a query whose deadline has passed", func() error { return <-done })
	if !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("a query whose deadline has passed gives %v, not the context's error", err)
	}
}

func (s *suite) cancelAlone() {
	s.fill(3)
	s.db.SetMaxOpenConns(2)
	beside, err := s.db.Query(s.o.All)
	s.must(err, "All")
	defer beside.Close()
	if !beside.Next() {
		s.Fatalf("All gives no row: %v", beside.Err())
	}
	ctx, cancel := context.WithCancel(s.ctx())
	defer cancel()
	done := s.endless(s.db, ctx)
	s.eventually("the endless query does not begin", func() bool { return s.db.Stats().InUse == 2 })
	cancel()
	s.returns("a query that was cancelled", func() error { return <-done })
	if err := drain(beside); err != nil {
		s.Errorf("rows beside a query that was cancelled end with %v", err)
	}
	for range 2 { // both connections, whichever it was
		conn, err := s.db.Conn(s.ctx())
		s.must(err, "Conn")
		defer conn.Close()
		if _, err := conn.ExecContext(s.ctx(), s.o.Insert, "after", nil); err != nil {
			s.Errorf("Insert after a query that was cancelled: %v", err)
		}
	}
}

func (s *suite) cancelledInsert() {
	stored := map[string]bool{}
	for i := range 40 {
		key := fmt.Sprint("key", i)
		ctx, cancel := context.WithCancel(s.ctx())
		timer := time.AfterFunc(time.Duration(i)*10*time.Microsecond, cancel)
		_, err := s.db.ExecContext(ctx, s.o.Insert, key, nil)
		timer.Stop()
		cancel()
		stored[key] = err == nil
	}
	counts := map[string]int{}
	for _, key := range s.keys(s.db) {
		counts[key]++
	}
	for key, without := range stored {
		if n := counts[key]; n > 1 || n == 0 && without {
			s.Errorf("%s was inserted once, with an error: %v; it is stored %d times", key, !without, n)
		}
	}
	s.usable("inserts that were cancelled")
}

func (s *suite) waitForTx() {
	tx := s.begin(s.ctx())
	defer tx.Rollback()
	s.insert(tx, "holder", nil)
	ctx, cancel := context.WithCancel(s.ctx())
	defer cancel()
	done := make(chan error, 1)
	go func() { // ends with ctx; if it does not, that is what is reported
		_, err := s.db.ExecContext(ctx, s.o.Insert, "waiter", nil)
		done <- err
	}()
	time.Sleep(20 * time.Millisecond) // it waits by then, or is done, or finds the context ended
	cancel()
	err := s.returns("an insert that waits for a transaction, and whose context was cancelled",
		func() error { return <-done })
	s.must(tx.Rollback(), "Rollback")
	if err == nil {
		s.wantKeys(s.db, "after an insert beside a transaction", "waiter")
	} else {
		s.wantKeys(s.db, "after an insert that was refused")
	}
	s.usable("an insert that has waited")
}

func (s *suite) rawBytes() {
	keys := s.fill(20)
	ctx, cancel := context.WithCancel(s.ctx())
	defer cancel()
	rows, err := s.db.QueryContext(ctx, s.o.All)
	s.must(err, "All")
	defer rows.Close()
	var key, value sql.RawBytes
	for range 3 {
		if !rows.Next() {
			s.Fatalf("All ends: %v", rows.Err())
		}
	}
	s.must(rows.Scan(&key, &value), "Scan into RawBytes")
	cancel()
	for range 20 { // long enough for whoever acts when the context ends
		s.keys(s.db)
		time.Sleep(time.Millisecond)
	}
	for _, got := range [][]byte{key, value} {
		if want := []byte(keys[2]); !bytes.Equal(got, want) {
			s.Errorf("bytes in a RawBytes have become %q, were %q, when the context ended", got, want)
		}
	}
}
