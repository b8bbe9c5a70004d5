package watermill_test

import (
	"context"
	"database/sql"
	"fmt"
	"go/format"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/eventfold/eventfold"
	eventfoldmill "github.com/eventfold/eventfold/adapters/watermill"
)

// Messages are published to a stream, and a group gets each of them until it has acknowledged it.
func Example() {
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	ours, _ := sql.Open("sqlite", ":memory:")
	defer ours.Close()
	ours.SetMaxOpenConns(1) // a database in memory is that of its connection
	if err := mails(context.Background(), db, ours); err != nil {
		fmt.Println(err)
	}
	// Output:
	// order 1 is placed
	// order 2 is placed
}

// mails publishes two orders, and says so.
func mails(ctx context.Context, db, ours *sql.DB) error {
	publisher := eventfoldmill.NewPublisher(db, eventfoldmill.PublisherConfig{})
	subscriber, err := eventfoldmill.NewSubscriber(db, eventfoldmill.SubscriberConfig{
		Group:       "mailer",
		Checkpoints: eventfoldmill.NewSQLCheckpoints(ours, eventfoldmill.SQLCheckpointsConfig{}),
	})
	if err != nil {
		return err
	}
	defer subscriber.Close()
	messages, err := subscriber.Subscribe(ctx, "orders")
	if err != nil {
		return err
	}
	for _, order := range []string{"1", "2"} {
		if err := publisher.Publish("orders", message.NewMessage("order-"+order, []byte(order))); err != nil {
			return err
		}
		m := <-messages
		fmt.Println("order", string(m.Payload), "is placed")
		m.Ack()
	}
	return nil
}

// TestTheSampleOfThePackageIsThatOfItsExample, which is compiled and run.
func TestTheSampleOfThePackageIsThatOfItsExample(t *testing.T) {
	page, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	begin := strings.Index(string(page), "//\tpublisher := ")
	require.Positive(t, begin)
	sample, _, _ := strings.Cut(string(page)[begin:], "//\n")
	code := regexp.MustCompile(`(?m)^//\t?`).ReplaceAllString(sample, "\t")
	assert.Contains(t, string(source), "\n"+code)
	_, err = format.Source([]byte("package p\nfunc f() {\n" + code + "}\n"))
	assert.NoError(t, err)
}
