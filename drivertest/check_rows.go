package drivertest

import "fmt"

var rowsChecks = []Check{
	{
		Name: "RowsEndWithoutAnError",
		Rule: "The end of a result is io.EOF itself, not an error around it.",
		run:  (*suite).plainEnd,
	},
	{
		Name: "RowsClosedEarlyLeaveNothingBehind",
		Rule: "Rows that are closed before their end give no error, and the next statement of their connection has its own rows.",
		run:  (*suite).closedEarly,
	},
	{
		Name: "ResultsAreReadSideBySide",
		Rule: "Results of two connections do not disturb each other.",
		run:  (*suite).sideBySide,
	},
}

// fill adds n rows, whose keys it returns.
func (s *suite) fill(n int) (keys []string) {
	s.Helper()
	insert, err := s.db.Prepare(s.o.Insert)
	s.must(err, "preparing Insert")
	defer insert.Close()
	for i := range n {
		key := fmt.Sprintf("key%03d", i)
		_, err := insert.Exec(key, []byte(key))
		s.must(err, "Insert")
		keys = append(keys, key)
	}
	return keys
}

func (s *suite) plainEnd() {
	s.fill(3)
	for _, query := range []string{s.o.All, s.o.Count} {
		rows, err := s.db.Query(query)
		s.must(err, query)
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			s.Errorf("%s ends with the error %v", query, err)
		}
		if rows.NextResultSet() {
			s.Errorf("%s has a second result", query)
		}
		s.must(rows.Close(), "closing rows")
	}
}

func (s *suite) closedEarly() {
	keys := s.fill(50)
	s.one()
	for read := range 3 {
		rows, err := s.db.Query(s.o.All)
		s.must(err, "All")
		for range read {
			if !rows.Next() {
				s.Fatalf("a result of %d rows ends: %v", len(keys), rows.Err())
			}
		}
		if err := rows.Close(); err != nil {
			s.Errorf("closing rows after %d of %d: %v", read, len(keys), err)
		}
		s.must(s.returns("a query after rows that were closed early", func() error {
			var n int
			err := s.db.QueryRow(s.o.Count).Scan(&n)
			if err == nil && n != len(keys) {
				s.Errorf("Count gives %d after rows that were closed early, not %d", n, len(keys))
			}
			return err
		}), "Count")
		s.wantKeys(s.db, "after rows that were closed early", keys...)
	}
}

func (s *suite) sideBySide() {
	keys := s.fill(10)
	a, err := s.db.Query(s.o.All)
	s.must(err, "All")
	defer a.Close()
	b, err := s.db.Query(s.o.All)
	s.must(err, "All, beside itself")
	defer b.Close()
	for _, want := range keys {
		for _, rows := range []interface {
			Next() bool
			Scan(...any) error
			Err() error
		}{a, b} {
			var key string
			var value []byte
			if !rows.Next() {
				s.Fatalf("a result ends before %s: %v", want, rows.Err())
			}
			s.must(rows.Scan(&key, &value), "Scan")
			if key != want {
				s.Fatalf("a result beside another gives %s, not %s", key, want)
			}
		}
	}
}
