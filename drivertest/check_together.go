package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

var togetherChecks = []Check{
	{
		Name: "ManyGoroutinesLoseNothing",
		Rule: "Any number of goroutines may use a database at once; what Exec has taken is there, and whoever wrote it reads it.",
		run:  (*suite).manyGoroutines,
	},
	{
		Name: "TransactionsAreWholeOrNotThere",
		Rule: "Whoever reads beside transactions sees all rows of each or none.",
		run:  (*suite).wholeTransactions,
	},
}

// tries is how often something is tried that another writer may refuse, such as a busy database.
const tries = 1000

// persist repeats a call until it succeeds: the suite does not say who may be refused when two write.
func persist(call func() error) (err error) {
	for range tries {
		if err = call(); err == nil {
			return nil
		}
	}
	return err
}

func (s *suite) manyGoroutines() {
	const writers, each = 8, 20
	var group sync.WaitGroup
	failures := make(chan error, writers)
	for w := range writers {
		group.Go(func() { failures <- s.writeAndRead(w, each) })
	}
	s.returns("writing in many goroutines", func() error { group.Wait(); return nil })
	close(failures)
	for err := range failures {
		if err != nil {
			s.Error(err)
		}
	}
	keys := s.keys(s.db)
	slices.Sort(keys)
	if n := len(slices.Compact(slices.Clone(keys))); n != writers*each || len(keys) != n {
		s.Errorf("%d goroutines have written %d rows each; there are %d, %d different ones", writers, each, len(keys), n)
	}
}

// writeAndRead adds rows one by one and reads each of them at once.
func (s *suite) writeAndRead(writer, n int) error {
	for i := range n {
		key := fmt.Sprintf("%d-%d", writer, i)
		if err := persist(func() error {
			_, err := s.db.Exec(s.o.Insert, key, []byte(key))
			return err
		}); err != nil {
			return fmt.Errorf("an insert beside others: %w", err)
		}
		var got []byte
		if err := s.db.QueryRow(s.o.Select, key).Scan(&got); err != nil {
			return fmt.Errorf("what was written at once before: %w", err)
		}
		if string(got) != key {
			return fmt.Errorf("%s was written at once before; it is %q", key, got)
		}
	}
	return nil
}

func (s *suite) wholeTransactions() {
	const writers, each, size = 4, 5, 3
	ctx, cancel := context.WithCancel(s.ctx())
	defer cancel()
	read := make(chan error, 1)
	go func() { read <- s.readWhole(ctx, size) }() // ends with ctx
	var group sync.WaitGroup
	failures := make(chan error, writers)
	for w := range writers {
		group.Go(func() {
			var err error
			for i := range each {
				err = errors.Join(err, persist(func() error { return s.writeWhole(fmt.Sprint(w, "-", i), size) }))
			}
			failures <- err
		})
	}
	s.returns("transactions beside each other", func() error { group.Wait(); return nil })
	cancel()
	s.must(s.returns("a reader beside transactions", func() error { return <-read }), "reading beside transactions")
	close(failures)
	for err := range failures {
		if err != nil {
			s.Errorf("a transaction beside others, tried %d times: %v", tries, err)
		}
	}
	if n := len(s.keys(s.db)); n != writers*each*size {
		s.Errorf("%d transactions of %d rows make %d rows", writers*each, size, n)
	}
}

// writeWhole adds rows of one key in one transaction.
func (s *suite) writeWhole(key string, size int) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for range size {
		if _, err := tx.Exec(s.o.Insert, key, nil); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// readWhole reads again and again until ctx ends, and gives an error for a key that is there in part.
func (s *suite) readWhole(ctx context.Context, size int) error {
	for ctx.Err() == nil {
		rows, err := s.db.Query(s.o.All)
		if err != nil {
			continue // a busy database may refuse readers
		}
		counts := map[string]int{}
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.key, &r.value); err != nil {
				return err
			}
			counts[r.key]++
		}
		if err := rows.Close(); err != nil || rows.Err() != nil {
			continue
		}
		for key, n := range counts {
			if n != size {
				return fmt.Errorf("%d of %d rows of the transaction %s are there", n, size, key)
			}
		}
	}
	return nil
}
