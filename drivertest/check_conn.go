package drivertest

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

var connChecks = []Check{
	{
		Name: "APingAnswers",
		Rule: "Ping of a database that can be used gives no error, again and again.",
		run:  (*suite).ping,
	},
	{
		Name: "AllConnectionsAreOnOneDatabase",
		Rule: "What one connection of a pool has written all of them read.",
		run:  (*suite).oneDatabase,
	},
	{
		Name: "ABadConnectionIsReplaced",
		Rule: "When a connection is thrown away another one takes its place, and nothing is lost.",
		run:  (*suite).badConnection,
	},
	{
		Name:  "TheNextUserGetsACleanConnection",
		Rule:  "A transaction that the last user of a connection has left open is gone when the connection is used again.",
		needs: needsLeave,
		run:   (*suite).cleanConnection,
	},
}

func (s *suite) ping() {
	for range 3 {
		s.must(s.db.PingContext(s.ctx()), "Ping")
	}
	s.usable("Ping")
}

func (s *suite) oneDatabase() {
	var conns []*sql.Conn
	for range 4 {
		conn, err := s.db.Conn(s.ctx())
		s.must(err, "Conn")
		defer conn.Close()
		conns = append(conns, conn)
	}
	var want []string
	for i, conn := range conns {
		key := fmt.Sprint("key", i)
		s.insert(conn, key, nil)
		want = append(want, key)
	}
	for _, conn := range conns {
		s.wantKeys(conn, "on each connection", want...)
	}
}

func (s *suite) badConnection() {
	s.one()
	s.insert(s.db, "a", nil)
	prepared, err := s.db.Prepare(s.o.Insert)
	s.must(err, "Prepare")
	defer prepared.Close()
	for range 2 {
		conn, err := s.db.Conn(s.ctx())
		s.must(err, "Conn")
		err = conn.Raw(func(any) error { return driver.ErrBadConn })
		if !errors.Is(err, driver.ErrBadConn) {
			s.Errorf("Raw gives %v, not what its function has given", err)
		}
	}
	_, err = prepared.Exec("b", nil)
	s.must(err, "a statement that was prepared on a bad connection")
	s.wantKeys(s.db, "after bad connections", "a", "b")
	s.usable("bad connections")
}

func (s *suite) cleanConnection() {
	s.one()
	conn, err := s.db.Conn(s.ctx())
	s.must(err, "Conn")
	_, err = conn.ExecContext(s.ctx(), s.o.Leave)
	s.must(err, "Leave")
	s.insert(conn, "left", nil)
	s.must(conn.Close(), "giving the connection back")
	s.wantKeys(s.db, "after a user who left a transaction open")
	s.usable("a user who left a transaction open")
}
