package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// One log is not faster on more servers; more logs are, and together they are bound by their servers.
func TestServersAreForMoreLogs(t *testing.T) {
	rate := func(servers, buckets int) float64 {
		m := model{servers: servers, buckets: buckets, clients: 16, sync: time.Millisecond, rtt: 200 * time.Microsecond,
			batch: 100 * time.Microsecond, event: 20 * time.Microsecond}
		return m.run(2 * time.Second).rate
	}
	assert.Equal(t, rate(3, 1), rate(12, 1))
	assert.InEpsilon(t, 4*rate(3, 1), rate(12, 4), 0.01, "four logs that share no server")
	assert.Less(t, rate(3, 24), 24*rate(3, 1)/2, "many logs of three servers wait for their disks")
	assert.Greater(t, rate(12, 24), 2*rate(3, 24))
}

// One client waits for the way there and back, the processor and the sync of the quicker two.
func TestOneAppendTakesWhatItsPartsTake(t *testing.T) {
	m := model{servers: 3, buckets: 1, clients: 1, sync: time.Millisecond, rtt: 200 * time.Microsecond,
		batch: 100 * time.Microsecond, event: 20 * time.Microsecond}
	assert.Equal(t, 1520*time.Microsecond, m.run(time.Second).mean)
}
