package jetstream

import (
	"context"
	"errors"
	"testing"

	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// A holed stream is one of nine messages whose fourth is missing. Its leader has still to answer
// which one that is, as often as unanswered says, with nothing.
type holed struct {
	js.Stream
	unanswered int
}

func (h *holed) Info(_ context.Context, options ...js.StreamInfoOpt) (*js.StreamInfo, error) {
	info := &js.StreamInfo{State: js.StreamState{Msgs: 8, FirstSeq: 1, LastSeq: 9, NumDeleted: 1}}
	if len(options) == 0 {
		return info, nil
	}
	if h.unanswered > 0 {
		h.unanswered--
		return nil, context.DeadlineExceeded
	}
	info.State.Deleted = []uint64{4}
	return info, nil
}

// A node does not end with the place of another event because nobody has told which one is missing: the
// hole stays, and the leader is asked again.
func TestWhichEventIsMissingIsAskedUntilThereIsAnAnswer(t *testing.T) {
	s := newStore(Config{Bucket: "b"})
	s.stream = &holed{unanswered: 2}
	for range 2 {
		_, err := s.last(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, errors.As(err, new(*DamagedError)), "%v", err)
		require.NoError(t, s.Err())
	}
	_, err := s.last(t.Context())
	var damaged *DamagedError
	require.ErrorAs(t, err, &damaged)
	assert.Equal(t, engine.Position(3), damaged.Position)
	assert.Equal(t, err, s.Err())
}
