package jetstream_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/jetstream"
)

var buckets atomic.Int64

// openNew opens a bucket that nobody else has.
func (c *cluster) openNew(t *testing.T) *jetstream.Store {
	t.Helper()
	s, err := jetstream.Open(t.Context(), c.config(t, fmt.Sprint("b", buckets.Add(1))))
	require.NoError(t, err)
	return s
}

// The store keeps the contract of package engine on one server.
func TestContractOnOneServer(t *testing.T) {
	c := startCluster(t, 1)
	enginetest.Run(t, func(t *testing.T) engine.Store { return c.openNew(t) })
}
