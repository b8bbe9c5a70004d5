package watermill_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	mill "github.com/eventfold/eventfold/adapters/watermill"
	"github.com/eventfold/eventfold/internal/race"
	"github.com/eventfold/eventfold/internal/testenv"
)

// features are what a group gives. ExactlyOnceDelivery is about subscribers that die between the work
// and its acknowledgement, and there a message comes again: see SQLCheckpoints.Move for what closes
// that gap. RestartServiceCommand has nothing to restart.
var features = tests.Features{
	ConsumerGroups:  true,
	GuaranteedOrder: true,
	Persistent:      true,
	ForceShort:      race.Enabled && !testenv.Long(),
}

// TestTheSuiteOfWatermillWithGroups runs Watermill's own tests on groups with checkpoints in SQLite.
// They take 5,000 messages at a time, and 100 with -race, which makes everything ten times slower.
func TestTheSuiteOfWatermillWithGroups(t *testing.T) {
	checkpoints := mill.NewSQLCheckpoints(openSQLite(t), mill.SQLCheckpointsConfig{})
	grouped := groupsOf(openStore(t), checkpoints)
	plain := func(t *testing.T) (message.Publisher, message.Subscriber) { return grouped(t, "test") }
	tests.TestPubSub(t, features, plain, grouped)
}

// TestTheSuiteOfWatermillWithoutGroups: every subscription gets all that there is, from the first
// event on. What the suite asks of subscribers that go on where others have stopped needs a group.
func TestTheSuiteOfWatermillWithoutGroups(t *testing.T) {
	store := openStore(t)
	plain := func(t *testing.T) (message.Publisher, message.Subscriber) {
		subscriber, err := mill.NewSubscriber(store, mill.SubscriberConfig{NackDelay: time.Millisecond})
		require.NoError(t, err)
		return mill.NewPublisher(store, mill.PublisherConfig{}), subscriber
	}
	without := tests.Features{
		Persistent: true, GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
		NewSubscriberReceivesOldMessages: true, ForceShort: race.Enabled && !testenv.Long(),
	}
	for name, test := range map[string]func(*testing.T, tests.TestContext, tests.PubSubConstructor){
		"PublishSubscribe": tests.TestPublishSubscribe, "ResendOnError": tests.TestResendOnError,
		"NoAck": tests.TestNoAck, "ConcurrentClose": tests.TestConcurrentClose,
		"ContinueAfterErrors": tests.TestContinueAfterErrors, "Order": tests.TestPublishSubscribeInOrder,
		"PublisherClose": tests.TestPublisherClose, "Topic": tests.TestTopic, "SubscribeCtx": tests.TestSubscribeCtx,
		"OldMessages": tests.TestNewSubscriberReceivesOldMessages,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, tests.TestContext{TestID: tests.NewTestID(), Features: without}, plain)
		})
	}
}
