package jetstream

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// A node waits until its disk has room again; an Export ends and says that it has none. What the log
// holds that cannot be there is damage, which the follower tells.
func TestAnExportEndsWithTheErrorOfItsDisk(t *testing.T) {
	full := errors.New("no space left on device")
	s := newStore(Config{})
	apply := s.orEnd(func(_ context.Context, appends []filestore.Applied) (int, error) {
		if len(appends) == 0 {
			return 0, &engine.FormatError{}
		}
		return 1, full
	})
	_, err := apply(t.Context(), nil)
	assert.ErrorAs(t, err, new(*engine.FormatError))
	assert.NoError(t, s.Err())
	done, err := apply(t.Context(), make([]filestore.Applied, 2))
	assert.ErrorIs(t, err, full)
	assert.Equal(t, 1, done)
	assert.ErrorIs(t, s.Err(), full)
}
