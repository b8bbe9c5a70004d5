package jetstream_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/jetstream"
)

var buckets atomic.Int64

// openNew opens a bucket that nobody else has.
func (c *cluster) openNew(t *testing.T) *jetstream.Store {
	t.Helper()
	_, s := c.open(t)
	return s
}

// open opens a bucket that nobody else has.
func (c *cluster) open(t *testing.T) (jetstream.Config, *jetstream.Store) {
	t.Helper()
	config := c.config(t, fmt.Sprint("b", buckets.Add(1)))
	s, err := jetstream.Open(t.Context(), config)
	require.NoError(t, err)
	return config, s
}

// The store keeps the contract of package engine on one server.
func TestContractOnOneServer(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1)
	enginetest.Run(t, func(t *testing.T) engine.Store { return c.openNew(t) })
}

// The store keeps the contract on three servers.
func TestContractOnThreeServers(t *testing.T) {
	if !testenv.Long() {
		t.Skip("takes a minute; set EVENTFOLD_TORTURE")
	}
	t.Parallel()
	c := startCluster(t, 3)
	enginetest.Run(t, func(t *testing.T) engine.Store { return c.openNew(t) })
}
