package watermill_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	mill "github.com/eventfold/eventfold/adapters/watermill"
)

// TestABatchIsPublishedAgainAsItWas: in its whole, and not with others.
func TestABatchIsPublishedAgainAsItWas(t *testing.T) {
	db := openStore(t)
	publisher := mill.NewPublisher(db, mill.PublisherConfig{})
	a, b, c := message.NewMessage("a", nil), message.NewMessage("b", nil), message.NewMessage("c", nil)
	require.NoError(t, publisher.Publish("topic", a, b))
	for _, tt := range []struct {
		name  string
		batch []*message.Message
		fails bool
	}{
		{"as it was", []*message.Message{a, b}, false},
		{"its end", []*message.Message{b}, false},
		{"the other way round", []*message.Message{b, a}, true},
		{"with one more", []*message.Message{a, b, c}, true},
		{"its end with one more", []*message.Message{b, c}, true},
		{"one more before", []*message.Message{c, a, b}, true},
	} {
		err := publisher.Publish("topic", tt.batch...)
		if tt.fails {
			assert.ErrorIs(t, err, eventfold.ErrDuplicateEvent, tt.name)
		} else {
			assert.NoError(t, err, tt.name)
		}
	}
	var n int
	require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM topic`).Scan(&n))
	assert.Equal(t, 2, n)
}

// TestAMessageThatWasAcknowledgedBeforeTheEndIsNotDeliveredAgain: the subscriber has not looked when
// both have happened.
func TestAMessageThatWasAcknowledgedBeforeTheEndIsNotDeliveredAgain(t *testing.T) {
	db, checkpoints := openStore(t), &mill.MemoryCheckpoints{}
	publisher := mill.NewPublisher(db, mill.PublisherConfig{})
	subscriber, err := mill.NewSubscriber(db, mill.SubscriberConfig{Group: "g", Checkpoints: checkpoints})
	require.NoError(t, err)
	defer subscriber.Close()
	for round := range 40 {
		require.NoError(t, publisher.Publish("topic", message.NewMessage(fmt.Sprint(round), nil)))
		ctx, cancel := context.WithCancel(t.Context())
		messages, err := subscriber.Subscribe(ctx, "topic")
		require.NoError(t, err)
		for range 100 { // it is likely to wait at the channel then
			runtime.Gosched()
		}
		m := <-messages
		assert.Equal(t, fmt.Sprint(round), m.UUID, "the one before was acknowledged")
		m.Ack()
		cancel()
		for range messages { // until it is closed
		}
	}
}
