package drivertest

import (
	"context"
	"database/sql/driver"
)

var closeChecks = []Check{
	{
		Name: "ClosingTwiceIsNothing",
		Rule: "A connection, a statement and rows may be closed again, which is no error: wrappers do it.",
		run:  (*suite).closeTwice,
	},
	{
		Name: "AStatementMayOutliveItsConnection",
		Rule: "A statement that is closed after its connection does no harm.",
		run:  (*suite).statementOutlives,
	},
	{
		Name: "RowsMayOutliveTheDatabase",
		Rule: "Rows that are open when the database is closed go on or end with an error, and can be closed.",
		run:  (*suite).rowsOutlive,
	},
	{
		Name: "ATransactionMayOutliveTheDatabase",
		Rule: "A transaction that is open when the database is closed can be rolled back, and so can what hangs on it be closed.",
		run:  (*suite).txOutlives,
	},
	{
		Name:  "ClosingWaitsForNoQuery",
		Rule:  "Closing the database returns while a query runs, which ends by itself or with its context.",
		needs: needsEndless,
		run:   (*suite).closeBesideQuery,
	},
	{
		Name: "ClosingLeavesNoGoroutine",
		Rule: "When the database is closed and everything that was opened is too, no goroutine is left.",
		run:  (*suite).leaks,
	},
}

// raw gives the driver's own connection to a function, and throws the connection away.
func (s *suite) raw(use func(c driver.Conn)) {
	s.Helper()
	conn, err := s.db.Conn(s.ctx())
	s.must(err, "Conn")
	conn.Raw(func(c any) error {
		plain, ok := c.(driver.Conn)
		if !ok {
			s.Fatalf("Raw gives a %T, which is no driver.Conn", c)
		}
		s.calm("closing", func() { use(plain) })
		return driver.ErrBadConn
	})
}

// calm holds that a call does not panic.
func (s *suite) calm(what string, call func()) {
	s.Helper()
	defer func() {
		s.Helper()
		if r := recover(); r != nil {
			s.Errorf("%s panics: %v", what, r)
		}
	}()
	call()
}

// queryRaw runs All on a driver's own connection.
func queryRaw(c driver.Conn, text string) (driver.Stmt, driver.Rows, error) {
	statement, err := c.Prepare(text)
	if err != nil {
		return nil, nil, err
	}
	if q, ok := statement.(driver.StmtQueryContext); ok {
		rows, err := q.QueryContext(context.Background(), nil)
		return statement, rows, err
	}
	//lint:ignore SA1019 an old driver has nothing else
	rows, err := statement.Query(nil)
	return statement, rows, err
}

func (s *suite) closeTwice() {
	s.fill(2)
	s.raw(func(c driver.Conn) {
		statement, rows, err := queryRaw(c, s.o.All)
		if err != nil {
			s.Errorf("All, on the driver's own connection: %v", err)
			return
		}
		for name, close := range map[string]func() error{"rows": rows.Close, "statement": statement.Close} {
			for range 2 {
				if err := close(); err != nil {
					s.Errorf("closing the %s twice: %v", name, err)
				}
			}
		}
		for range 2 {
			if err := c.Close(); err != nil {
				s.Errorf("closing the connection twice: %v", err)
			}
		}
	})
	s.usable("connections that were closed twice")
}

func (s *suite) statementOutlives() {
	s.fill(2)
	s.raw(func(c driver.Conn) {
		statement, rows, err := queryRaw(c, s.o.All)
		if err != nil {
			s.Errorf("All, on the driver's own connection: %v", err)
			return
		}
		rows.Close()
		c.Close()
		statement.Close() // whether that is an error is the driver's matter
	})
	s.usable("a statement that was closed after its connection")
}

func (s *suite) rowsOutlive() {
	s.fill(50)
	rows, err := s.db.Query(s.o.All)
	s.must(err, "All")
	if !rows.Next() {
		s.Fatalf("All gives no row: %v", rows.Err())
	}
	s.must(s.returns("closing the database beside rows", s.db.Close), "closing the database beside rows")
	s.returns("rows of a database that is closed", func() error {
		s.calm("reading rows of a database that is closed", func() {
			var key string
			var value []byte
			for rows.Next() {
				if err := rows.Scan(&key, &value); err != nil {
					break
				}
			}
		})
		s.calm("closing rows of a database that is closed", func() { rows.Close() })
		return nil
	})
}

func (s *suite) txOutlives() {
	tx := s.begin(s.ctx())
	s.insert(tx, "a", nil)
	statement, err := tx.Prepare(s.o.Insert)
	s.must(err, "Prepare, in a transaction")
	conn, err := s.db.Conn(s.ctx())
	s.must(err, "Conn")
	s.must(s.returns("closing the database beside a transaction", s.db.Close), "closing the database")
	s.returns("what is left of a database that is closed", func() error {
		s.calm("closing a statement of a database that is closed", func() { statement.Close() })
		s.calm("rolling back after the database is closed", func() { tx.Rollback() })
		s.calm("giving a connection back after the database is closed", func() { conn.Close() })
		return nil
	})
}

func (s *suite) closeBesideQuery() {
	ctx, cancel := context.WithCancel(s.ctx())
	defer cancel()
	done := s.endless(s.db, ctx)
	s.eventually("the endless query does not begin", func() bool { return s.db.Stats().InUse == 1 })
	s.must(s.returns("closing the database beside a query", s.db.Close), "closing the database beside a query")
	cancel()
	s.returns("a query of a database that is closed, and whose context has ended", func() error { return <-done })
}

func (s *suite) leaks() {
	before := goroutines()
	db := s.o.Open(s)
	if s.o.CreateTable != "" {
		_, err := db.Exec(s.o.CreateTable)
		s.must(err, "CreateTable")
	}
	s.use(db)
	s.must(db.Close(), "closing the database")
	var left string
	for n := 0; ; n++ {
		if left = strangers(before); left == "" {
			return
		}
		if s.tired(n) {
			s.Fatalf("goroutines are left when the database is closed:\n%s", left)
		}
	}
}
