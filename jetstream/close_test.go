package jetstream

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the store does by itself may have found it open and be about to append when Close begins: Close
// waits for it, and so it must not wait for Close.
func TestCloseEndsWhileTheStoreIsAboutToAppendByItself(t *testing.T) {
	t.Parallel()
	s := &Store{}
	s.life, s.end = context.WithCancelCause(t.Context())
	s.follow.Go(func() { // ends when it has come through the gate, as every append does at first
		<-s.life.Done()
		s.gate.RLock()
		defer s.gate.RUnlock()
		assert.True(t, s.closed.Load(), "it finds the store closed")
	})
	require.NoError(t, s.Close())
}
