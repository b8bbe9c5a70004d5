package jetstream

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/engine"
)

// A node waits until its disk has room again; an Export ends and says that it has none. What the log
// holds that cannot be there is damage, which the follower tells.
func TestAnExportEndsWithTheErrorOfItsDisk(t *testing.T) {
	full := errors.New("no space left on device")
	s := newStore(Config{})
	apply := s.orEnd(func(_ context.Context, events []engine.Event, _ [32]byte) error {
		if len(events) == 0 {
			return &engine.FormatError{}
		}
		return full
	})
	assert.ErrorAs(t, apply(t.Context(), nil, [32]byte{}), new(*engine.FormatError))
	assert.NoError(t, s.Err())
	assert.ErrorIs(t, apply(t.Context(), make([]engine.Event, 1), [32]byte{}), full)
	assert.ErrorIs(t, s.Err(), full)
}
