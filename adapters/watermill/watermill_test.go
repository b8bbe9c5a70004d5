package watermill_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventfold/eventfold"
	mill "github.com/eventfold/eventfold/adapters/watermill"
)

// take returns the next message of a channel, acknowledged.
func take(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, open := <-messages:
		require.True(t, open, "the channel is closed")
		require.True(t, m.Ack())
		return m
	case <-time.After(2 * time.Minute):
		require.FailNow(t, "no message has come")
		return nil
	}
}

// subscribe subscribes to a topic until the test ends.
func subscribe(t *testing.T, db *sql.DB, config mill.SubscriberConfig, topic string) <-chan *message.Message {
	t.Helper()
	subscriber, err := mill.NewSubscriber(db, config)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, subscriber.Close()) })
	messages, err := subscriber.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	return messages
}

// TestAMessageComesBackAsItWas: whatever its UUID and payload are.
func TestAMessageComesBackAsItWas(t *testing.T) {
	for name, id := range map[string]func(string, *message.Message) uuid.UUID{
		"IDPerTopic": nil, "IDOfUUID": mill.IDOfUUID,
	} {
		t.Run(name, func(t *testing.T) {
			db := openStore(t)
			publisher := mill.NewPublisher(db, mill.PublisherConfig{ID: id})
			var sent []*message.Message
			for i, text := range []string{
				watermill.NewUUID(), watermill.NewULID(), watermill.NewShortUUID(), "our own key: 7/ü",
				"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", uuid.Nil.String(),
			} {
				m := message.NewMessage(text, [][]byte{[]byte(`{"a": 1}`), {0, 0xff}, nil}[i%3])
				m.Metadata.Set("key", "value, \x00 \" ü")
				require.NoError(t, publisher.Publish("topic", m), text)
				require.NoError(t, publisher.Publish("topic", m), "the same again: %s", text)
				sent = append(sent, m)
			}
			messages := subscribe(t, db, mill.SubscriberConfig{}, "topic")
			for _, want := range sent {
				got := take(t, messages)
				assert.True(t, want.Equals(got), "%v has become %v", want, got)
				e, ok := mill.EventOf(got)
				require.True(t, ok)
				assert.Equal(t, "topic", e.Stream)
				if name == "IDOfUUID" && want.UUID == sent[0].UUID {
					assert.Equal(t, want.UUID, e.ID.String())
				}
			}
			var n int
			require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM topic`).Scan(&n))
			assert.Equal(t, len(sent), n)
		})
	}
}

// TestPublishingAgainStoresNothing: one message, several of one call, and what is not the same.
func TestPublishingAgainStoresNothing(t *testing.T) {
	db := openStore(t)
	publisher := mill.NewPublisher(db, mill.PublisherConfig{})
	batch := []*message.Message{message.NewMessage("1", []byte("a")), message.NewMessage("2", []byte("b"))}
	for range 3 {
		require.NoError(t, publisher.Publish("topic", batch...))
	}
	require.NoError(t, publisher.Publish("topic"))
	err := publisher.Publish("topic", message.NewMessage("1", []byte("another")))
	assert.ErrorIs(t, err, eventfold.ErrDuplicateEvent)
	err = publisher.Publish("topic", message.NewMessage("3", nil), message.NewMessage("1", []byte("another")))
	assert.ErrorIs(t, err, eventfold.ErrDuplicateEvent)
	require.NoError(t, publisher.Publish("other", batch...), "the same UUIDs on another topic")
	for range 2 {
		require.NoError(t, publisher.Publish("without", message.NewMessage("", nil)))
	}
	for topic, want := range map[string]int{"topic": 2, "other": 2, "without": 2} {
		var n int
		require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $all WHERE stream = ?`, topic).Scan(&n))
		assert.Equal(t, want, n, topic)
	}
	same := mill.NewPublisher(db, mill.PublisherConfig{ID: mill.IDOfUUID})
	m := message.NewMessage(watermill.NewUUID(), nil)
	require.NoError(t, same.Publish("topic", m))
	assert.ErrorIs(t, same.Publish("other", m), eventfold.ErrDuplicateEvent)
}

// TestWhatCannotBePublishedIsRefused, whole.
func TestWhatCannotBePublishedIsRefused(t *testing.T) {
	db := openStore(t)
	publisher := mill.NewPublisher(db, mill.PublisherConfig{})
	reserved := message.NewMessage("1", nil)
	reserved.Metadata.Set(mill.UUIDKey, "2")
	assert.ErrorContains(t, publisher.Publish("topic", message.NewMessage("0", nil), reserved), mill.UUIDKey)
	binary := message.NewMessage("1", nil)
	binary.Metadata.Set("key", "\xff")
	assert.ErrorContains(t, publisher.Publish("topic", binary), "UTF-8")
	assert.ErrorContains(t, publisher.Publish("topic", message.NewMessage("\xff", nil)), "UTF-8")
	assert.Error(t, publisher.Publish("", message.NewMessage("1", nil)))
	assert.Error(t, publisher.Publish("$all", message.NewMessage("1", nil)))
	assert.ErrorIs(t, publisher.Publish("topic", message.NewMessage("1", make([]byte, 2<<20))), eventfold.ErrTooLarge)
	var n int
	require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&n))
	assert.Zero(t, n)
	require.NoError(t, publisher.Close())
	assert.ErrorIs(t, publisher.Publish("topic", message.NewMessage("1", nil)), mill.ErrClosed)
	require.NoError(t, publisher.Close())
}

// TestEventsOfOthersAreMessages: what INSERT has appended, and what was erased.
func TestEventsOfOthersAreMessages(t *testing.T) {
	db := openStore(t)
	id := uuid.New()
	_, err := db.Exec(`INSERT INTO "order-1" (id, type, payload, metadata) VALUES (?, 'Placed', '{"total": 40}',
		'{"by": "ada", "n": 7, "deep": {"a": [1]}, "none": null}')`, id)
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO "order-2" (type, payload) VALUES ('Secret', 'x')`)
	require.NoError(t, err)
	_, err = db.Exec(`ERASE FROM "order-2" WHERE type = 'Secret' REASON 'test'`)
	require.NoError(t, err)
	messages := subscribe(t, db, mill.SubscriberConfig{}, "$all")
	m := take(t, messages)
	assert.Equal(t, id.String(), m.UUID)
	assert.JSONEq(t, `{"total": 40}`, string(m.Payload))
	assert.Equal(t, message.Metadata{
		"name": "Placed", "by": "ada", "n": "7", "deep": `{"a": [1]}`, "none": "null",
	}, m.Metadata)
	m = take(t, messages)
	assert.Empty(t, m.Payload)
	e, _ := mill.EventOf(m)
	assert.Equal(t, []any{"order-2", true}, []any{e.Stream, e.Redacted})
}

// TestAGroupGoesOnWhereItStopped: with each kind of checkpoints, one group for each topic, also when
// a message was not acknowledged.
func TestAGroupGoesOnWhereItStopped(t *testing.T) {
	ours := openSQLite(t)
	for name, again := range map[string]func() mill.Checkpoints{
		"SQL": func() mill.Checkpoints { return mill.NewSQLCheckpoints(ours, mill.SQLCheckpointsConfig{}) },
		"memory": func() func() mill.Checkpoints {
			c := &mill.MemoryCheckpoints{}
			return func() mill.Checkpoints { return c }
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			db := openStore(t)
			publisher := mill.NewPublisher(db, mill.PublisherConfig{})
			for i := range 6 {
				require.NoError(t, publisher.Publish("topic", message.NewMessage(fmt.Sprint(i), nil)))
			}
			for i := range 5 {
				subscriber, err := mill.NewSubscriber(db, mill.SubscriberConfig{Group: "g", Checkpoints: again()})
				require.NoError(t, err)
				messages, err := subscriber.Subscribe(t.Context(), "topic")
				require.NoError(t, err)
				assert.Equal(t, fmt.Sprint(i), take(t, messages).UUID)
				next := <-messages // is not acknowledged
				assert.Equal(t, fmt.Sprint(i+1), next.UUID)
				require.NoError(t, subscriber.Close())
				<-next.Context().Done()
			}
		})
	}
}

// TestOneOfAGroupDeliversAtATime, and another takes over when it ends.
func TestOneOfAGroupDeliversAtATime(t *testing.T) {
	db := openStore(t)
	ours := openSQLite(t)
	publisher := mill.NewPublisher(db, mill.PublisherConfig{})
	for i := range 3 {
		require.NoError(t, publisher.Publish("topic", message.NewMessage(fmt.Sprint(i), nil)))
	}
	begin := func() (*mill.Subscriber, <-chan *message.Message) {
		s, err := mill.NewSubscriber(db, mill.SubscriberConfig{
			Group: "g", Checkpoints: mill.NewSQLCheckpoints(ours, mill.SQLCheckpointsConfig{}),
		})
		require.NoError(t, err)
		messages, err := s.Subscribe(t.Context(), "topic")
		require.NoError(t, err)
		return s, messages
	}
	first, one := begin()
	assert.Equal(t, "0", take(t, one).UUID)
	second, two := begin()
	assert.Equal(t, "1", take(t, one).UUID)
	select {
	case m := <-two:
		assert.Fail(t, "two deliver at once", m.UUID)
	case m := <-one:
		m.Nack()
	}
	require.NoError(t, first.Close())
	assert.Equal(t, "2", take(t, two).UUID)
	require.NoError(t, second.Close())
}

// TestTheWorkAndItsCheckpointAreOne: handlers fail, subscribers die at any place, and every message
// has its effect once.
func TestTheWorkAndItsCheckpointAreOne(t *testing.T) {
	db, ours := openStore(t), openSQLite(t)
	_, err := ours.Exec(`CREATE TABLE work (uuid TEXT)`)
	require.NoError(t, err)
	publisher := mill.NewPublisher(db, mill.PublisherConfig{})
	const n = 30
	for i := range n {
		require.NoError(t, publisher.Publish("topic", message.NewMessage(fmt.Sprint(i), nil)))
	}
	checkpoints := mill.NewSQLCheckpoints(ours, mill.SQLCheckpointsConfig{})
	handle := func(m *message.Message, place int) error {
		tx, err := ours.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		fresh, err := checkpoints.Move(t.Context(), tx, m)
		if err != nil || !fresh {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO work VALUES (?)`, m.UUID); err != nil || place == 0 {
			return errors.Join(err, errors.New("the handler has failed before its commit"))
		}
		return tx.Commit()
	}
	for round, done := 0, 0; done < n; round++ {
		subscriber, err := mill.NewSubscriber(db, mill.SubscriberConfig{
			Group: "g", Checkpoints: checkpoints, NackDelay: time.Millisecond,
		})
		require.NoError(t, err)
		messages, err := subscriber.Subscribe(t.Context(), "topic")
		require.NoError(t, err)
		for place := range 4 {
			var m *message.Message
			select {
			case m = <-messages:
			case <-time.After(50 * time.Millisecond): // there is none left
			}
			if m == nil {
				break
			}
			err := handle(m, place)
			if place == 3 {
				break // dies between the work and the acknowledgement
			}
			if err != nil || place == 1 { // an answer that gets lost on its way
				m.Nack()
				continue
			}
			m.Ack()
		}
		require.NoError(t, subscriber.Close())
		require.NoError(t, ours.QueryRow(`SELECT COUNT(*) FROM work`).Scan(&done))
		require.Less(t, round, 10*n)
	}
	var different int
	require.NoError(t, ours.QueryRow(`SELECT COUNT(DISTINCT uuid) FROM work`).Scan(&different))
	assert.Equal(t, n, different)

	tx, err := ours.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = checkpoints.Move(t.Context(), tx, message.NewMessage("1", nil))
	assert.ErrorContains(t, err, "not delivered to a group")
}

// TestNothingIsLeftRunning: closed by the subscriber, by the context, by the database.
func TestNothingIsLeftRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, end := range []string{"subscriber", "context", "database"} {
		db, err := sql.Open("eventfold", filepath.Join(t.TempDir(), "store"))
		require.NoError(t, err)
		_, err = db.Exec(`INSERT INTO topic (type) VALUES ('A'), ('B')`)
		require.NoError(t, err)
		subscriber, err := mill.NewSubscriber(db, mill.SubscriberConfig{RetryDelay: time.Millisecond})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		messages, err := subscriber.Subscribe(ctx, "topic")
		require.NoError(t, err)
		waiting, err := subscriber.Subscribe(ctx, "nothing here")
		require.NoError(t, err)
		m := <-messages
		switch end {
		case "subscriber":
			require.NoError(t, subscriber.Close())
		case "context":
			cancel()
		case "database":
			require.NoError(t, db.Close())
			m.Ack()
		}
		for m := range messages { // until it is closed
			m.Ack()
		}
		for range waiting {
		}
		cancel()
		require.NoError(t, subscriber.Close())
		require.NoError(t, db.Close())
		_, err = subscriber.Subscribe(t.Context(), "topic")
		assert.ErrorIs(t, err, mill.ErrClosed)
	}
}

// failing are checkpoints that fail a few times.
type failing struct {
	mill.MemoryCheckpoints
	mu    sync.Mutex // protects times
	times int
}

func (f *failing) fail() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times--
	return f.times >= 0
}

// Load implements Checkpoints.
func (f *failing) Load(ctx context.Context, group, topic string) (int64, error) {
	if f.fail() {
		return 0, errors.New("no database today")
	}
	return f.MemoryCheckpoints.Load(ctx, group, topic)
}

// Save implements Checkpoints.
func (f *failing) Save(ctx context.Context, group, topic string, from, next int64) error {
	if f.fail() {
		return errors.New("no database today")
	}
	return f.MemoryCheckpoints.Save(ctx, group, topic, from, next)
}

// TestASubscriptionSurvivesErrors of its checkpoints: it says so and tries again.
func TestASubscriptionSurvivesErrors(t *testing.T) {
	db := openStore(t)
	publisher := mill.NewPublisher(db, mill.PublisherConfig{})
	require.NoError(t, publisher.Publish("topic", message.NewMessage("1", nil), message.NewMessage("2", nil)))
	logger := watermill.NewCaptureLogger()
	c := &failing{times: 2}
	messages := subscribe(t, db, mill.SubscriberConfig{
		Group: "g", Checkpoints: c, RetryDelay: time.Millisecond, Logger: logger,
	}, "topic")
	assert.Equal(t, "1", take(t, messages).UUID)
	for m := take(t, messages); m.UUID != "2"; m = take(t, messages) { // perhaps 1 again
	}
	told := logger.Captured()[watermill.ErrorLogLevel]
	require.NotEmpty(t, told)
	assert.ErrorContains(t, told[0].Err, "load the checkpoint: no database today")
	assert.Equal(t, "topic", told[0].Fields["topic"])
}

// byValue are checkpoints that cannot be compared.
type byValue struct {
	mill.Checkpoints
	_ []int
}

// TestConfigsThatCannotBeMeantAreRefused at once.
func TestConfigsThatCannotBeMeantAreRefused(t *testing.T) {
	db := openStore(t)
	for _, config := range []mill.SubscriberConfig{
		{Group: "g"}, {Checkpoints: &mill.MemoryCheckpoints{}}, {Group: "g", Checkpoints: byValue{}},
	} {
		_, err := mill.NewSubscriber(db, config)
		assert.Error(t, err)
	}
	subscriber, err := mill.NewSubscriber(db, mill.SubscriberConfig{})
	require.NoError(t, err)
	_, err = subscriber.Subscribe(t.Context(), "")
	assert.ErrorContains(t, err, "without a name")
}
