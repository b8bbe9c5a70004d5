package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/google/uuid"
	"go.etcd.io/bbolt"
)

// Both key-value stores lay events out alike: position -> event; stream, version -> position; type
// -> number of events (bbolt); the id that a client has made -> position.

var (
	bucketEvents  = []byte("events")
	bucketStreams = []byte("streams")
	bucketTypes   = []byte("types")
	bucketIDs     = []byte("ids")
)

func positionKey(p uint64) []byte { return binary.BigEndian.AppendUint64(nil, p) }

func streamKey(stream string, version int64) []byte {
	return binary.BigEndian.AppendUint64(append(append([]byte(nil), stream...), 0), uint64(version))
}

// A boltStore is bbolt with Batch, which commits what several goroutines write in one transaction,
// after waiting 10 ms for more. Who is alone uses Update, which does not wait.
type boltStore struct {
	db      *bbolt.DB
	clients atomic.Int32 // that are appending
}

func (s *boltStore) open(dir string) (err error) {
	if s.db, err = bbolt.Open(filepath.Join(dir, "events.bolt"), 0o644, nil); err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketEvents, bucketStreams, bucketTypes, bucketIDs} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// useIDs implements identifier.
func (s *boltStore) useIDs() {}

func boltPut(tx *bbolt.Tx, e *event) error {
	streams, events := tx.Bucket(bucketStreams), tx.Bucket(bucketEvents)
	if streams.Get(streamKey(e.stream, e.version)) != nil || e.version > 0 &&
		streams.Get(streamKey(e.stream, e.version-1)) == nil {
		return errVersion
	}
	position, err := events.NextSequence()
	if err != nil {
		return err
	}
	if e.id != uuid.Nil {
		ids := tx.Bucket(bucketIDs)
		if ids.Get(e.id[:]) != nil {
			return errPresent
		}
		if err := ids.Put(e.id[:], positionKey(position)); err != nil {
			return err
		}
	}
	if err := events.Put(positionKey(position), e.encode(nil)); err != nil {
		return err
	}
	if err := streams.Put(streamKey(e.stream, e.version), positionKey(position)); err != nil {
		return err
	}
	types := tx.Bucket(bucketTypes)
	var count uint64
	if b := types.Get([]byte(e.typ)); b != nil {
		count = binary.BigEndian.Uint64(b)
	}
	return types.Put([]byte(e.typ), positionKey(count+1))
}

func (s *boltStore) append(_ context.Context, _ int, e *event) error {
	commit := s.db.Batch
	if s.clients.Add(1) == 1 {
		commit = s.db.Update
	}
	defer s.clients.Add(-1)
	return commit(func(tx *bbolt.Tx) error { return boltPut(tx, e) })
}

func (s *boltStore) appendAll(_ context.Context, events []event) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for i := range events {
			if err := boltPut(tx, &events[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *boltStore) scan(use func(*event)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketEvents).ForEach(func(k, v []byte) error {
			var e event
			if err := e.decode(v); err != nil {
				return err
			}
			e.position = int64(binary.BigEndian.Uint64(k))
			use(&e)
			return nil
		})
	})
}

func (s *boltStore) readAt(n int64, use func(*event)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		var e event
		if err := e.decode(tx.Bucket(bucketEvents).Get(positionKey(uint64(n) + 1))); err != nil {
			return err
		}
		e.position = n + 1
		use(&e)
		return nil
	})
}

func (s *boltStore) readStream(stream string, use func(*event)) error {
	prefix := append([]byte(stream), 0)
	return s.db.View(func(tx *bbolt.Tx) error {
		events := tx.Bucket(bucketEvents)
		c := tx.Bucket(bucketStreams).Cursor()
		for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			var e event
			if err := e.decode(events.Get(v)); err != nil {
				return err
			}
			e.position = int64(binary.BigEndian.Uint64(v))
			use(&e)
		}
		return nil
	})
}

func (s *boltStore) countByType() (map[string]int64, error) {
	counts := map[string]int64{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketTypes).ForEach(func(k, v []byte) error {
			counts[string(k)] = int64(binary.BigEndian.Uint64(v))
			return nil
		})
	})
	return counts, err
}

func (s *boltStore) countOfType(typ string) (int64, error) {
	counts, err := s.countByType()
	return counts[typ], err
}

func (s *boltStore) sumByType() (map[string]int64, error) { return sumByScan(s.scan) }

// sumByScan is what a program does whose store knows nothing of payloads.
func sumByScan(scan func(func(*event)) error) (map[string]int64, error) {
	sums := tally{}
	var bad error
	err := scan(func(e *event) {
		var order struct {
			Amount int64 `json:"amount"`
		}
		if err := json.Unmarshal(e.payload, &order); err != nil {
			bad = err
		}
		sums.add(e.typ, order.Amount)
	})
	if err == nil {
		err = bad
	}
	return sums.values(), err
}

// A tally adds up numbers by texts that live only until the next event. It holds pointers, because
// assigning to a map replaces the text that is its key, also where the key is there already.
type tally map[string]*int64

func (t tally) add(text string, n int64) {
	sum := t[text]
	if sum == nil {
		sum = new(int64)
		t[strings.Clone(text)] = sum
	}
	*sum += n
}

func (t tally) values() map[string]int64 {
	values := make(map[string]int64, len(t))
	for text, sum := range t {
		values[text] = *sum
	}
	return values
}

func (s *boltStore) close() error { return s.db.Close() }

// A pebbleStore is pebble with Sync, which commits what several goroutines write in one sync of its
// log.
type pebbleStore struct {
	db *pebble.DB

	mu       sync.Mutex // protects next, and makes check and write one step
	next     uint64
	versions map[string]int64 // the streams written since open; others are looked up
}

func (s *pebbleStore) open(dir string) (err error) {
	options := &pebble.Options{
		Logger:       quiet{},
		CacheSize:    64 << 20,
		MemTableSize: 64 << 20,
	}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	if s.db, err = pebble.Open(filepath.Join(dir, "pebble"), options); err != nil {
		return err
	}
	s.versions = map[string]int64{}
	last, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte("e"), UpperBound: []byte("f")})
	if err != nil {
		return err
	}
	defer last.Close()
	if last.Last() {
		s.next = binary.BigEndian.Uint64(last.Key()[1:]) + 1
	}
	return nil
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(format)
}

// useIDs implements identifier.
func (s *pebbleStore) useIDs() {}

func (s *pebbleStore) put(batch *pebble.Batch, e *event) error {
	if e.version > 0 && s.versions[e.stream] != e.version {
		if _, closer, err := s.db.Get(append([]byte("s"), streamKey(e.stream, e.version-1)...)); err != nil {
			return errVersion
		} else if err := closer.Close(); err != nil {
			return err
		}
	}
	key := positionKey(s.next)
	if e.id != uuid.Nil {
		name := append([]byte("i"), e.id[:]...)
		if _, closer, err := s.db.Get(name); err == nil {
			return errors.Join(errPresent, closer.Close())
		} else if !errors.Is(err, pebble.ErrNotFound) {
			return err
		}
		if err := batch.Set(name, key, nil); err != nil {
			return err
		}
	}
	if err := batch.Set(append([]byte("e"), key...), e.encode(nil), nil); err != nil {
		return err
	}
	s.next++
	s.versions[e.stream] = e.version + 1
	return batch.Set(append([]byte("s"), streamKey(e.stream, e.version)...), key, nil)
}

// commit writes in order under the lock and waits for the sync outside it, so that clients share
// syncs.
func (s *pebbleStore) commit(events []event) error {
	batch := s.db.NewBatch()
	defer batch.Close()
	s.mu.Lock()
	for i := range events {
		if err := s.put(batch, &events[i]); err != nil {
			s.mu.Unlock()
			return err
		}
	}
	err := s.db.ApplyNoSyncWait(batch, pebble.Sync)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return batch.SyncWait()
}

func (s *pebbleStore) append(_ context.Context, _ int, e *event) error { return s.commit([]event{*e}) }

func (s *pebbleStore) appendAll(_ context.Context, events []event) error { return s.commit(events) }

func (s *pebbleStore) scan(use func(*event)) error {
	return s.iterate([]byte("e"), []byte("f"), func(k, v []byte) error {
		var e event
		if err := e.decode(v); err != nil {
			return err
		}
		e.position = int64(binary.BigEndian.Uint64(k[1:]))
		use(&e)
		return nil
	})
}

func (s *pebbleStore) iterate(from, to []byte, use func(k, v []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := use(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return it.Error()
}

func (s *pebbleStore) readStream(stream string, use func(*event)) error {
	from := append([]byte("s"), append([]byte(stream), 0)...)
	to := append([]byte("s"), append([]byte(stream), 1)...)
	return s.iterate(from, to, func(_, v []byte) error { return s.get(v, use) })
}

func (s *pebbleStore) readAt(n int64, use func(*event)) error {
	return s.get(positionKey(uint64(n)), use)
}

// get reads the event whose position is written as a key.
func (s *pebbleStore) get(position []byte, use func(*event)) error {
	b, closer, err := s.db.Get(append([]byte("e"), position...))
	if err != nil {
		return err
	}
	defer closer.Close()
	var e event
	if err := e.decode(b); err != nil {
		return err
	}
	e.position = int64(binary.BigEndian.Uint64(position))
	use(&e)
	return nil
}

func (s *pebbleStore) countByType() (map[string]int64, error) {
	counts := tally{}
	err := s.scan(func(e *event) { counts.add(e.typ, 1) })
	return counts.values(), err
}

func (s *pebbleStore) countOfType(typ string) (int64, error) {
	counts, err := s.countByType()
	return counts[typ], err
}

func (s *pebbleStore) sumByType() (map[string]int64, error) { return sumByScan(s.scan) }

func (s *pebbleStore) close() error { return s.db.Close() }
