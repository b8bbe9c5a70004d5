package watermill_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	_ "github.com/eventfold/eventfold"
	mill "github.com/eventfold/eventfold/adapters/watermill"
)

// openStore opens a store on disk that ends with the test.
func openStore(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("eventfold", filepath.Join(t.TempDir(), "store")+"?sync=interval")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// openSQLite opens a database for checkpoints that ends with the test.
func openSQLite(t *testing.T) *sql.DB {
	t.Helper()
	file := filepath.Join(t.TempDir(), "checkpoints.sqlite")
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// groupsOf makes publishers and subscribers for Watermill's suite.
func groupsOf(store *sql.DB, c mill.Checkpoints) tests.ConsumerGroupPubSubConstructor {
	return func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		subscriber, err := mill.NewSubscriber(store, mill.SubscriberConfig{
			Group: group, Checkpoints: c, NackDelay: time.Millisecond,
		})
		require.NoError(t, err)
		return mill.NewPublisher(store, mill.PublisherConfig{}), subscriber
	}
}
