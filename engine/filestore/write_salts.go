package filestore

import (
	"crypto/rand"
	"io"
	rand2 "math/rand/v2"
	"sync"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A saltSource gives the salts of events: ChaCha8, which is as good as the system's random numbers
// and costs far less, seeded from these.
type saltSource struct {
	random io.Reader // nil means crypto/rand

	mu     sync.Mutex
	chacha *rand2.ChaCha8 // nil before the first salt
}

// saltsAhead is how many bytes of salts an append takes at once.
const saltsAhead = 16 * format.SaltSize

// fill makes new salts in b.
func (s *saltSource) fill(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.chacha == nil {
		random := s.random
		if random == nil {
			random = rand.Reader
		}
		var seed [32]byte
		if _, err := io.ReadFull(random, seed[:]); err != nil {
			return err
		}
		s.chacha = rand2.NewChaCha8(seed)
	}
	s.chacha.Read(b) // never fails
	return nil
}
