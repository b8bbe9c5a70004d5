package jetstream_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/jetstream"
	"github.com/eventfold/eventfold/jetstream/internal/servers"
)

func TestMain(m *testing.M) {
	servers.Main()
	os.Exit(m.Run())
}

// A cluster is one server or three, in processes of their own.
type cluster struct {
	*servers.Cluster
	links *servers.Links // between the servers, if they can be parted
}

// startCluster starts n servers, which end with the test at the latest. A server that dies by itself
// fails the test.
func startCluster(t testing.TB, n int) *cluster {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c, err := servers.Start(ctx, t.TempDir(), n, func(name string, err error) {
		t.Errorf("server %s: %v", name, err)
	})
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	return &cluster{Cluster: c}
}

// startLinked starts three servers that can be parted.
func startLinked(t testing.TB) *cluster {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c, links, err := servers.StartLinked(ctx, t.TempDir(), 3, func(name string, err error) {
		t.Errorf("server %s: %v", name, err)
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Kill()
		links.Close()
	})
	return &cluster{Cluster: c, links: links}
}

func (c *cluster) urls() string { return strings.Join(c.URLs(), ",") }

// config is that of a bucket in the cluster with a local copy of its own.
func (c *cluster) config(t testing.TB, bucket string) jetstream.Config {
	return jetstream.Config{URLs: c.URLs(), Bucket: bucket, Local: t.TempDir(),
		Create: true, Replicas: len(c.Servers), OpenTimeout: 5 * time.Minute}
}

// dsn is the data source name of a bucket.
func (c *cluster) dsn(bucket, local string) string {
	hosts := strings.ReplaceAll(c.urls(), "nats://", "")
	return fmt.Sprintf("nats://%s/%s?local=%s&create=true&replicas=%d", hosts, bucket, url.QueryEscape(local), len(c.Servers))
}

// api connects to the servers as who looks after them does.
func (c *cluster) api(t testing.TB) js.JetStream {
	conn, err := nats.Connect(c.urls(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.RetryOnFailedConnect(true), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	api, err := js.New(conn)
	require.NoError(t, err)
	return api
}

// eventually waits until something holds, for as long as a loaded machine may need: a minute.
func eventually(t testing.TB, holds func() bool, what string, args ...any) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		late := time.Since(began) >= time.Minute // it is looked at once more then
		if holds() {
			return
		}
		if late {
			break
		}
	}
	require.FailNow(t, "a minute has gone: "+fmt.Sprintf(what, args...))
}
