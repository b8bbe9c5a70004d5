// Package watermill lets programs that are written with Watermill publish to an eventfold store and
// subscribe to it:
//
//	import (
//		"github.com/ThreeDotsLabs/watermill/message"
//		eventfoldmill "github.com/eventfold/eventfold/adapters/watermill"
//	)
//
//	publisher := eventfoldmill.NewPublisher(db, eventfoldmill.PublisherConfig{})
//	subscriber, err := eventfoldmill.NewSubscriber(db, eventfoldmill.SubscriberConfig{
//		Group:       "mailer",
//		Checkpoints: eventfoldmill.NewSQLCheckpoints(ours, eventfoldmill.SQLCheckpointsConfig{}),
//	})
//	if err != nil {
//		return err
//	}
//	defer subscriber.Close()
//	messages, err := subscriber.Subscribe(ctx, "orders")
//	if err != nil {
//		return err
//	}
//
// db is the store, and ours a database of the program, such as SQLite. The example of the package is a
// program that is whole.
//
// A topic is a stream, a message an event. The topic $all, which can only be subscribed to, is all
// streams. Whatever else appends to the store is seen by subscribers, too.
//
// # What is a message's event?
//
//	| message                  | event                                                          |
//	|--------------------------|----------------------------------------------------------------|
//	| topic                    | stream                                                         |
//	| UUID                     | id; see PublisherConfig.ID                                     |
//	| Payload                  | payload, byte for byte; it need not be JSON                    |
//	| Metadata                 | metadata, a JSON object of texts                               |
//	| Metadata["name"]         | type, as Watermill's CQRS component names messages; see        |
//	|                          | PublisherConfig.Type                                           |
//
// Any text may be the UUID of a message: a UUID, a ULID, a key of the program's own. The event's id
// is made of topic and UUID, always the same one, and the UUID is kept in the metadata of the event
// under UUIDKey. With IDOfUUID the UUID itself is the id, so that SQL finds the event by it. A message
// without a UUID gets a new id with every Publish. The UUID of an event that somebody else has
// appended is its id.
//
// # What is published once?
//
// An id is unique in the store for ever. Publishing a message again, because the first time gave no
// answer, succeeds and stores nothing, as long as it is the same message; another content under the
// same UUID is an error with eventfold.ErrDuplicateEvent, and so, with IDOfUUID, is another topic.
//
// All messages of one Publish are stored or none, and in their order. Publish such a batch again as it
// was: one that has some of its messages and others, or has them in another order, is refused with
// eventfold.ErrDuplicateEvent, and nothing of it is stored. A message without a UUID is another one
// each time, so that a batch with one is stored twice when it is published again.
//
// # What is delivered, and how often?
//
// Every event of the topic, in the order of its positions, one at a time: the next one after Ack, the
// same one again after Nack. Nothing that is published is lost, and nothing is delivered that could
// still be rolled back.
//
// Without a group each Subscribe begins where SubscriberConfig.From says. With a group the position
// is kept in Checkpoints and each Subscribe goes on behind the last message that was acknowledged,
// also in another process. Of the subscriptions of one group and topic in a process one is delivered
// to at a time, and another takes over when it ends. Two processes with the same group both deliver,
// and each finds out with its Ack that the other was first: run one.
//
// A message is delivered again if the process dies between what its handler did and the checkpoint.
// A handler whose work is in the database of the checkpoints closes this gap with
// [SQLCheckpoints.Move] in its own transaction: then every message has its effect exactly once.
package watermill
