package drivertest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"
)

// A suite is one check that is being made: its database and what it says of it.
type suite struct {
	testing.TB
	o      Options
	db     *sql.DB
	opened []*sql.DB
}

// A querier is what *sql.DB, *sql.Tx and *sql.Conn have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// A row is what All gives.
type row struct {
	key   string
	value []byte
}

// open opens one more database, which ends with the check.
func (s *suite) open() *sql.DB {
	s.Helper()
	db := s.o.Open(s)
	s.opened = append(s.opened, db)
	if s.o.CreateTable != "" {
		_, err := db.ExecContext(s.ctx(), s.o.CreateTable)
		s.must(err, "CreateTable")
	}
	return db
}

func (s *suite) close() {
	for _, db := range s.opened {
		if err := db.Close(); err != nil {
			s.Errorf("closing the database: %v", err)
		}
	}
}

// ctx returns a context that nothing ends, so that each check says itself what ends.
func (s *suite) ctx() context.Context { return context.Background() }

// ended returns a context that has ended.
func (s *suite) ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// must ends the check if there is an error.
func (s *suite) must(err error, doing string) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", doing, err)
	}
}

// insert adds a row, which has to succeed.
func (s *suite) insert(q querier, key string, value any) {
	s.Helper()
	_, err := q.ExecContext(s.ctx(), s.o.Insert, key, value)
	s.must(err, "Insert")
}

// rows returns all rows that q sees.
func (s *suite) rows(q querier) (all []row) {
	s.Helper()
	result, err := q.QueryContext(s.ctx(), s.o.All)
	s.must(err, "All")
	defer result.Close()
	for result.Next() {
		var r row
		s.must(result.Scan(&r.key, &r.value), "scanning All")
		all = append(all, r)
	}
	s.must(result.Err(), "reading All")
	return all
}

// keys returns the keys of all rows that q sees.
func (s *suite) keys(q querier) (keys []string) {
	s.Helper()
	for _, r := range s.rows(q) {
		keys = append(keys, r.key)
	}
	return keys
}

// wantKeys holds that q sees rows with exactly these keys, in this order.
func (s *suite) wantKeys(q querier, when string, want ...string) {
	s.Helper()
	if got := s.keys(q); fmt.Sprint(got) != fmt.Sprint(want) {
		s.Errorf("%s the rows are %v, not %v", when, got, want)
	}
}

// usable holds that the database can be written and read, after whatever has been done to it.
func (s *suite) usable(after string) {
	s.Helper()
	before := len(s.rows(s.db))
	if err := s.returns("an insert after "+after, func() error {
		_, err := s.db.ExecContext(s.ctx(), s.o.Insert, "usable", []byte("yes"))
		return err
	}); err != nil {
		s.Fatalf("after %s nothing can be inserted: %v", after, err)
	}
	if got := len(s.rows(s.db)); got != before+1 {
		s.Errorf("after %s an insert makes %d rows of %d", after, got, before)
	}
}

// returns runs a call that may hang, and gives its error. A call that hangs ends the check.
func (s *suite) returns(what string, call func() error) error {
	s.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }() // ends with the call; one that hangs is what is reported
	select {
	case err := <-done:
		return err
	case <-time.After(s.o.Patience):
		s.Fatalf("%s has not returned within %v", what, s.o.Patience)
		return nil
	}
}

// eventually waits until something holds, and says what was not so if it never does.
func (s *suite) eventually(what string, holds func() bool) {
	s.Helper()
	for end := time.Now().Add(s.o.Patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("%s, and that did not change within %v", what, s.o.Patience)
		}
	}
}

// one makes the pool use a single connection, so that whoever comes next gets the same one.
func (s *suite) one() { s.db.SetMaxOpenConns(1) }

// wantCanceled holds that an error tells of the context that has ended.
func (s *suite) wantCanceled(err error, what string) {
	s.Helper()
	if !errors.Is(err, context.Canceled) {
		s.Errorf("%s under a context that has ended gives %v, not the context's error", what, err)
	}
}
