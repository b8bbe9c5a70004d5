package filestore

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
)

// An idSource gives ids of version 7 (RFC 9562, with method 3 for the bits below the millisecond)
// to events that come without one. Each is greater than the one before. It differs from uuid.NewV7
// in that it reads many random numbers at once and allocates nothing.
type idSource struct {
	mu     sync.Mutex
	random io.Reader // nil means crypto/rand
	now    func() time.Time
	last   int64 // milliseconds<<12 | fraction, of the last id
	buf    [2048]byte
	left   int // bytes of buf that have not been used
}

// stamp returns the time for next, which is read once for all the events of an append.
func (s *idSource) stamp() int64 {
	nanos := s.now().UnixNano()
	const perMilli = int64(time.Millisecond)
	return nanos/perMilli<<12 | nanos%perMilli<<12/perMilli
}

// next returns a new id of the time that stamp returned.
func (s *idSource) next(stamp int64) (id uuid.UUID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left < 8 {
		random := s.random
		if random == nil {
			random = rand.Reader
		}
		if _, err := io.ReadFull(random, s.buf[:]); err != nil {
			return uuid.Nil, err
		}
		s.left = len(s.buf)
	}
	s.last = max(s.last+1, stamp)
	binary.BigEndian.PutUint64(id[:8], uint64(s.last>>12)<<16|0x7000|uint64(s.last&0xfff))
	s.left -= 8
	copy(id[8:], s.buf[s.left:s.left+8])
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}
