package main

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/tidwall/wal"
)

// A walStore is a write-ahead log and nothing else: no streams to read, no versions on disk. It is
// the lower reference.
type walStore struct {
	unsupported
	log *wal.Log

	mu   sync.Mutex // one write and its sync at a time
	next uint64
}

func (s *walStore) open(dir string) (err error) {
	options := *wal.DefaultOptions
	options.NoCopy = true // an event shares the memory of its record, as with the others
	if s.log, err = wal.Open(filepath.Join(dir, "wal"), &options); err != nil {
		return err
	}
	last, err := s.log.LastIndex()
	s.next = last + 1
	return err
}

// useIDs implements identifier: ids stand in the records, and nothing looks at them.
func (s *walStore) useIDs() {}

func (s *walStore) append(_ context.Context, _ int, e *event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.log.Write(s.next, e.encode(nil)); err != nil {
		return err
	}
	s.next++
	return nil
}

func (s *walStore) appendAll(_ context.Context, events []event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var batch wal.Batch
	for i := range events {
		batch.Write(s.next+uint64(i), events[i].encode(nil))
	}
	if err := s.log.WriteBatch(&batch); err != nil {
		return err
	}
	s.next += uint64(len(events))
	return nil
}

func (s *walStore) scan(use func(*event)) error {
	first, err := s.log.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.log.LastIndex()
	if err != nil {
		return err
	}
	for i := max(first, 1); i <= last; i++ {
		if err := s.read(i, use); err != nil {
			return err
		}
	}
	return nil
}

func (s *walStore) readAt(n int64, use func(*event)) error { return s.read(uint64(n)+1, use) }

func (s *walStore) read(i uint64, use func(*event)) error {
	b, err := s.log.Read(i)
	if err != nil {
		return err
	}
	var e event
	if err := e.decode(b); err != nil {
		return err
	}
	e.position = int64(i)
	use(&e)
	return nil
}

func (s *walStore) close() error { return s.log.Close() }
