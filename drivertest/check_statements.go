package drivertest

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

var statementChecks = []Check{
	{
		Name: "APreparedStatementRunsAgain",
		Rule: "A prepared statement takes new arguments each time, and sees what was written after it was prepared.",
		run:  (*suite).runAgain,
	},
	{
		Name: "AWrongStatementIsAnError",
		Rule: "A text that is no statement is an error, not driver.ErrBadConn, and the connection goes on.",
		run:  (*suite).wrongStatement,
	},
	{
		Name: "AResultIsAPlainValue",
		Rule: "A Result tells of its own statement, also after the connection has done something else and is closed.",
		run:  (*suite).plainResult,
	},
}

func (s *suite) runAgain() {
	query, err := s.db.Prepare(s.o.Select)
	s.must(err, "preparing Select")
	defer query.Close()
	insert, err := s.db.Prepare(s.o.Insert)
	s.must(err, "preparing Insert")
	defer insert.Close()
	for i := range 3 {
		key, value := fmt.Sprint("key", i), []byte(fmt.Sprint("value", i))
		_, err := insert.Exec(key, value)
		s.must(err, "Insert, prepared")
		var got []byte
		if err := query.QueryRow(key).Scan(&got); err != nil {
			s.Errorf("Select, prepared before the row was there: %v", err)
			continue
		}
		s.wantBytes(got, value)
	}
	s.wantKeys(s.db, "with a prepared insert", "key0", "key1", "key2")
}

func (s *suite) wrongStatement() {
	s.one()
	s.insert(s.db, "a", nil)
	ways := map[string]func() error{
		"Exec": func() error {
			_, err := s.db.Exec(s.o.Wrong)
			return err
		},
		"Query": func() error {
			rows, err := s.db.Query(s.o.Wrong)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		},
		"Prepare and Exec": func() error {
			statement, err := s.db.Prepare(s.o.Wrong)
			if err != nil {
				return err
			}
			defer statement.Close()
			_, err = statement.Exec()
			return err
		},
	}
	for name, way := range ways {
		switch err := way(); {
		case err == nil:
			s.Errorf("%s takes %q", name, s.o.Wrong)
		case errors.Is(err, driver.ErrBadConn):
			s.Errorf("%s of a wrong statement gives driver.ErrBadConn, which makes database/sql try it again", name)
		}
	}
	s.usable("a wrong statement")
}

func (s *suite) plainResult() {
	s.one()
	first, err := s.db.Exec(s.o.Insert, "a", nil)
	s.must(err, "Insert")
	s.keys(s.db)
	_, err = s.db.Exec(s.o.Wrong)
	if err == nil {
		s.Error("Exec takes a wrong statement")
	}
	s.must(s.db.Close(), "closing the database")
	n, err := first.RowsAffected()
	if err != nil || n != 1 {
		s.Errorf("RowsAffected of one row is %d, %v, after the connection was used and closed", n, err)
	}
}
