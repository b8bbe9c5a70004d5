package jetstream_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/jetstream"
)

// serverConfig is set in the environment of a process of this test binary that is a server.
const serverConfig = "NATS_SERVER_OF_THE_TEST"

func TestMain(m *testing.M) {
	if path := os.Getenv(serverConfig); path != "" {
		serve(path)
		return
	}
	os.Exit(m.Run())
}

// serve is a server until it is killed or whoever has started it has gone, which closes its input.
func serve(path string) {
	options, err := server.ProcessConfigFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	options.NoSigs = true
	s, err := server.NewServer(options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.ConfigureLogger()
	s.Start()
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// A node is a server process that can be killed and started again.
type node struct {
	t      testing.TB
	config string
	log    string
	url    string
	cmd    *exec.Cmd
	input  io.Closer
}

// A cluster is one server or three.
type cluster struct {
	nodes []*node
}

// freePorts returns ports that nobody listens on just now, below those that systems give to whoever
// connects: nobody gets one of them until the servers listen.
func freePorts(t testing.TB, n int) (ports []int) {
	for tries := 0; len(ports) < n; tries++ {
		require.Less(t, tries, 1000, "no port is free")
		port := 16_000 + (os.Getpid()*16+tries)%14_000 // another process tries others first
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close() // when all have been found
		ports = append(ports, port)
	}
	return ports
}

// startCluster starts n servers, which end with the test at the latest.
func startCluster(t testing.TB, n int) *cluster {
	ports := freePorts(t, 2*n)
	var routes []string
	for i := range n {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[n+i]))
	}
	c := &cluster{}
	for i := range n {
		dir := t.TempDir()
		text := fmt.Sprintf(`server_name: n%d
listen: "127.0.0.1:%d"
max_payload: 8MB
log_file: %q
jetstream {
  store_dir: %q
  sync_interval: always
  limits { batch { max_inflight_per_stream: 1000 } }
}
`, i, ports[i], filepath.Join(dir, "log"), filepath.Join(dir, "js"))
		if n > 1 {
			text += fmt.Sprintf("cluster { name: c, listen: \"127.0.0.1:%d\", routes: [%s] }\n", ports[n+i],
				strings.Join(routes, ", "))
		}
		config := filepath.Join(dir, "nats.conf")
		require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
		d := &node{t: t, config: config, log: filepath.Join(dir, "log"), url: fmt.Sprintf("nats://127.0.0.1:%d", ports[i])}
		d.start()
		t.Cleanup(d.kill)
		c.nodes = append(c.nodes, d)
	}
	c.await(t)
	return c
}

// start starts the server's process.
func (d *node) start() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverConfig+"="+d.config)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	require.NoError(d.t, err)
	require.NoError(d.t, cmd.Start())
	d.cmd, d.input = cmd, input
}

// kill kills the process as kill -9 does, and waits until it is gone.
func (d *node) kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	d.input.Close()
	d.cmd = nil
}

// await waits until streams can be made.
func (c *cluster) await(t testing.TB) {
	conn, err := nats.Connect(c.urls(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.RetryOnFailedConnect(true))
	require.NoError(t, err)
	defer conn.Close()
	js, err := conn.JetStream(nats.MaxWait(time.Second))
	require.NoError(t, err)
	for {
		_, err := js.AddStream(&nats.StreamConfig{Name: "ready", Subjects: []string{"ready"}, Replicas: len(c.nodes)})
		if err == nil {
			err = js.DeleteStream("ready")
		}
		if err == nil || errors.Is(err, nats.ErrStreamNotFound) {
			return
		}
		require.NoError(t, t.Context().Err())
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *cluster) urls() string {
	var urls []string
	for _, d := range c.nodes {
		urls = append(urls, d.url)
	}
	return strings.Join(urls, ",")
}

// config is that of a bucket in the cluster with a local copy of its own.
func (c *cluster) config(t testing.TB, bucket string) jetstream.Config {
	return jetstream.Config{URLs: strings.Split(c.urls(), ","), Bucket: bucket, Local: t.TempDir(),
		Create: true, Replicas: len(c.nodes)}
}

// dsn is the data source name of a bucket.
func (c *cluster) dsn(bucket, local string) string {
	hosts := strings.ReplaceAll(c.urls(), "nats://", "")
	return fmt.Sprintf("nats://%s/%s?local=%s&create=true&replicas=%d", hosts, bucket, url.QueryEscape(local), len(c.nodes))
}
