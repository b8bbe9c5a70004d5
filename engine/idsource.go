package engine

import (
	"bufio"
	"crypto/rand"
	"io"
	"sync"

	"github.com/google/uuid"
)

// An idSource gives ids of version 7 to events that come without one. It reads many random numbers at once.
type idSource struct {
	mu     sync.Mutex
	random io.Reader // nil means crypto/rand
	buffer *bufio.Reader
}

func (s *idSource) next() (uuid.UUID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buffer == nil {
		random := s.random
		if random == nil {
			random = rand.Reader
		}
		s.buffer = bufio.NewReader(random)
	}
	return uuid.NewV7FromReader(s.buffer)
}
