// Package natstest starts nats-server for tests: one, or several that are a cluster, each in a process of
// its own, which can be killed, paused, wiped and started again. A program's tests call Main first thing
// in TestMain, because the processes are the test's own program:
//
//	func TestMain(m *testing.M) {
//		natstest.Main()
//		os.Exit(m.Run())
//	}
//
// The servers are set as a bucket needs them. Who gives no password is the user app, who has JetStream;
// sys with the password sys is of the system's account.
package natstest

import (
	"context"

	"github.com/eventfold/eventfold/jetstream/internal/servers"
)

// A Cluster is one server, or several that are a cluster.
type Cluster = servers.Cluster

// A Server is a process that can be killed and started again. One goroutine uses it.
type Server = servers.Server

// Main makes the process a server, and does not return, if it was started to be one.
func Main() { servers.Main() }

// Start starts n servers, which keep what they have below dir, and returns when streams can be made on
// them, or with ctx's error. The caller kills them. died, if it is not nil, is called when a process has
// ended that nobody has killed, from a goroutine of its own.
func Start(ctx context.Context, dir string, n int, died func(name string, err error)) (*Cluster, error) {
	return servers.Start(ctx, dir, n, died)
}
