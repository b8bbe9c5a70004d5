// Package servers runs servers of NATS as processes of their own, on ports of this machine, for
// tests, measurements and examples: what is killed has to be a process.
//
// A program that calls Start calls Main first: the processes are that program again.
package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
)

// A Cluster is one server, or several that are a cluster.
type Cluster struct {
	Servers []*Server
}

// Start starts n servers, which keep what they have below dir, and returns when streams can be made
// on them, or with ctx's error. died, if it is not nil, is called when a process has ended that
// nobody has killed, from a goroutine of its own.
func Start(ctx context.Context, dir string, n int, died func(name string, err error)) (*Cluster, error) {
	direct := func(from, to, address string) (string, error) { return address, nil }
	return start(ctx, dir, n, died, direct)
}

// start starts servers. link says under which address one of them connects to another one, which has an
// address.
func start(ctx context.Context, dir string, n int, died func(name string, err error),
	link func(from, to, address string) (string, error)) (*Cluster, error) {
	ports, err := freePorts(2 * n)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := func(name string, err error) {
		cancel(fmt.Errorf("server %s: %w", name, err))
		if died != nil {
			died(name, err)
		}
	}
	c := &Cluster{}
	for i := range n {
		cluster, err := clusterText(i, ports[n:], link)
		var s *Server
		if err == nil {
			s, err = newServer(nameOf(i), filepath.Join(dir, nameOf(i)), ports[i], cluster)
		}
		if err == nil {
			s.died = ended
			c.Servers = append(c.Servers, s)
			err = s.Start()
		}
		if err != nil {
			c.Kill()
			return nil, err
		}
	}
	if err := c.await(ctx); err != nil {
		c.Kill()
		return nil, errors.Join(err, context.Cause(ctx))
	}
	return c, nil
}

func nameOf(i int) string { return fmt.Sprintf("n%d", i) }

// clusterText is what the configuration of a server says about the others, which listen for it on ports.
func clusterText(own int, ports []int, link func(from, to, address string) (string, error)) (string, error) {
	if len(ports) == 1 {
		return "", nil
	}
	var routes []string
	for i, port := range ports {
		if i == own {
			continue
		}
		address, err := link(nameOf(own), nameOf(i), fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return "", err
		}
		routes = append(routes, "nats://"+address)
	}
	// Nobody is told where the others are: each of them is among the routes.
	return fmt.Sprintf("cluster { name: c, listen: \"127.0.0.1:%d\", advertise: \"127.0.0.1:1\", routes: [%s] }\n",
		ports[own], strings.Join(routes, ", ")), nil
}

// tried counts the ports that this process has looked at: no two clusters of it get the same.
var tried atomic.Int64

// freePorts returns ports that nobody listens on just now, below those that systems give to whoever
// connects: nobody gets one of them until the servers listen.
func freePorts(n int) (ports []int, err error) {
	for tries := 0; len(ports) < n; tries++ {
		if tries == 1000 {
			return nil, errors.New("servers: no port is free")
		}
		port := 16_000 + (os.Getpid()*64+int(tried.Add(1)))%14_000 // another process tries others first
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		ports = append(ports, port)
	}
	return ports, nil
}

// await waits until streams can be made.
func (c *Cluster) await(ctx context.Context) error {
	conn, err := nats.Connect(strings.Join(c.URLs(), ","), nats.MaxReconnects(-1),
		nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer conn.Close()
	api, err := js.New(conn)
	if err != nil {
		return err
	}
	for {
		err := makeStream(ctx, api, len(c.Servers))
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// makeStream makes a stream, and removes it again.
func makeStream(ctx context.Context, api js.JetStream, replicas int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := api.CreateStream(ctx, js.StreamConfig{Name: "ready", Subjects: []string{"ready"}, Replicas: replicas})
	if err == nil {
		err = api.DeleteStream(ctx, "ready")
	}
	if errors.Is(err, js.ErrStreamNotFound) {
		return nil
	}
	return err
}

// URLs are the addresses of the servers.
func (c *Cluster) URLs() (urls []string) {
	for _, s := range c.Servers {
		urls = append(urls, s.URL)
	}
	return urls
}

// Named returns the server with a name, nil if there is none.
func (c *Cluster) Named(name string) *Server {
	for _, s := range c.Servers {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Kill kills all servers.
func (c *Cluster) Kill() {
	for _, s := range c.Servers {
		s.Kill()
	}
}
