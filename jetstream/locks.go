package jetstream

import (
	"context"
	"hash/maphash"
	"slices"
)

// Stripes let appends of this process to one stream come one after the other: at once all but one
// would be refused by the servers. Each stripe is a channel that holds what has locked it.
type stripes struct {
	seed  maphash.Seed
	locks []chan struct{}
}

func newStripes() stripes {
	s := stripes{seed: maphash.MakeSeed(), locks: make([]chan struct{}, 256)}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	return s
}

// lock locks the stripes of some streams, in their order, so that nobody waits for each other.
func (s *stripes) lock(ctx context.Context, streams []string) (unlock func(), err error) {
	var numbers []int
	for _, name := range streams {
		numbers = append(numbers, int(maphash.String(s.seed, name)%uint64(len(s.locks))))
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	locked := 0
	unlock = func() {
		for _, n := range numbers[:locked] {
			<-s.locks[n]
		}
	}
	for _, n := range numbers {
		select {
		case s.locks[n] <- struct{}{}:
			locked++
		case <-ctx.Done():
			unlock()
			return nil, ctx.Err()
		}
	}
	return unlock, nil
}
