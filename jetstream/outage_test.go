package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/jetstream"
	"github.com/eventfold/eventfold/jetstream/internal/servers"
)

// A server that accepts connections and says nothing does not keep Open from ending with its context,
// and the error names the servers, without their passwords, and what can be done meanwhile.
func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	config := jetstream.Config{Bucket: "b", Local: filepath.Join(t.TempDir(), "copy")}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		go func() { // ends with the listener
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				cancel() // now it waits for what the server would say
			}
		}()
		config.URLs = append(config.URLs, "nats://user:secret@"+l.Addr().String())
	}
	_, err := jetstream.Open(ctx, config)
	var away *jetstream.UnreachableError
	require.ErrorAs(t, err, &away)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Len(t, away.Servers, 3)
	assert.NotContains(t, err.Error(), "secret")
	assert.ErrorContains(t, err, "mode=ro")
}

// What happens on three servers while there is no quorum, or one of them has lost something.
func TestOnThreeServers(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	t.Run("no quorum", func(t *testing.T) { noQuorum(t, c) })
	t.Run("servers that come later", func(t *testing.T) { serversComeLater(t, c) })
	t.Run("bit rot", func(t *testing.T) {
		if !testenv.Long() {
			t.Skip("waits for who is elected, which may take minutes; set EVENTFOLD_TORTURE")
		}
		bitRot(t, c)
	})
}

// noQuorum: with one server of three nothing is opened or appended, and that is said; reading goes on,
// also by itself, and Close ends.
func noQuorum(t *testing.T, c *cluster) {
	config, s := c.open(t)
	_, err := s.Append(t.Context(), oneEvent("a"))
	require.NoError(t, err)
	other := config
	other.Local = t.TempDir()
	second, err := jetstream.Open(t.Context(), other)
	require.NoError(t, err)
	require.NoError(t, second.Close())
	killed := c.killTwoLeader(t, config)

	other.OpenTimeout = 3 * time.Second
	_, err = jetstream.Open(t.Context(), other)
	var away *jetstream.UnreachableError
	require.ErrorAs(t, err, &away)
	assert.Error(t, away.Answer, "what was answered last is told")
	assert.ErrorContains(t, err, "the last answer was")
	db := eventfold.OpenDB(eventfold.Config{Path: other.Local, Mode: eventfold.ReadOnly})
	var n int
	require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&n), "its copy can be read by itself")
	assert.Equal(t, 1, n)
	require.NoError(t, db.Close())

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = s.Append(ctx, oneEvent("a"))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Len(t, readAll(t, s), 1)
	appended := make(chan error, 1)
	begun := make(chan struct{})
	s.Between(func(send jetstream.Sender) jetstream.Sender {
		select {
		case <-begun:
		default:
			close(begun)
		}
		return send
	})
	go func() { // ends with Close at the latest
		_, err := s.Append(context.WithoutCancel(t.Context()), oneEvent("b"))
		appended <- err
	}()
	<-begun
	require.NoError(t, s.Close())
	err = <-appended
	assert.ErrorIs(t, err, engine.ErrClosed)
	assert.ErrorIs(t, err, engine.ErrOutcomeUnknown)
	for _, server := range killed {
		require.NoError(t, server.Start())
	}
}

// writesAreBounded: who writes to a server that hangs holds the connection, which asks nobody meanwhile
// whether the server is there, and does not close.
func writesAreBounded(t *testing.T, c *cluster) {
	s := c.openNew(t)
	defer s.Close()
	assert.LessOrEqual(t, s.WritesWait(), 2*time.Second, "as long as between two questions")
}

// killTwoLeader kills the server that leads a bucket's stream and another one, and waits until nobody
// leads it: who has been elected a moment before goes on to answer for some seconds.
func (c *cluster) killTwoLeader(t *testing.T, config jetstream.Config) (killed []*servers.Server) {
	r := &faultRun{t: t, c: c, api: c.api(t), config: config}
	r.healthy(3)
	leader := r.leader()
	killed = append(killed, leader)
	for _, server := range c.Servers {
		if server != leader && len(killed) < 2 {
			killed = append(killed, server)
		}
	}
	for _, server := range killed {
		server.Kill()
	}
	eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		stream, err := r.api.Stream(ctx, "EF_"+config.Bucket)
		return r.api.Conn().IsConnected() && (err != nil || stream.CachedInfo().Cluster.Leader == "")
	}, "the server that is left leads")
	return killed
}

// serversComeLater: who opens before the servers are there waits for them.
func serversComeLater(t *testing.T, c *cluster) {
	config, s := c.open(t)
	_, err := s.Append(t.Context(), oneEvent("a"))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	c.Kill()
	type opened struct {
		s   *jetstream.Store
		err error
	}
	result := make(chan opened, 1)
	go func() { // ends with Open, which the context of the test ends
		s, err := jetstream.Open(t.Context(), config)
		result <- opened{s, err}
	}()
	for _, server := range c.Servers {
		require.NoError(t, server.Start())
	}
	o := <-result
	require.NoError(t, o.err)
	assert.Len(t, readAll(t, o.s), 1)
	require.NoError(t, o.s.Close())
}

// bitRot: a server in whose files a byte has changed while it was down gives nodes what it has left. No
// node takes a wrong event for a right one, or overlooks that there is a hole: it waits for another
// server, or says that the stream is damaged. A naive client sees less than there is, and no error.
//
// Another server, which has everything, may be elected at any moment, and the stream be without a leader
// for long then: it is tried again with another bucket.
func bitRot(t *testing.T, c *cluster) {
	for range 10 {
		if rots(t, c) {
			return
		}
	}
	t.Fatal("nobody has noticed that messages are missing")
}

// rots reports whether everybody has noticed.
func rots(t *testing.T, c *cluster) bool {
	config := c.config(t, fmt.Sprint("rot", buckets.Add(1)))
	config.Replicas = 1 // at first, so that the other servers' logs do not hold what they could be healed with
	s, err := jetstream.Open(t.Context(), config)
	require.NoError(t, err)
	defer s.Close()
	for range 20 { // 20 MB: several files
		batch := oneEvent("a")
		batch.Events[0].Payload = []byte(`"` + strings.Repeat("x", 1_000_000) + `"`)
		_, err := s.Append(t.Context(), batch)
		require.NoError(t, err)
	}
	want := readAll(t, s)
	r := &faultRun{t: t, c: c, api: c.api(t), config: config}
	r.replicas(3)
	leader := r.leader()
	rotten := c.Servers[0]
	if rotten == leader {
		rotten = c.Servers[1]
	}
	eventually(t, func() bool { return len(blocksOf(t, rotten, config.Bucket)) > 1 }, "there are not several files")
	rotten.Kill()
	flipByte(t, blocksOf(t, rotten, config.Bucket)[0])
	require.NoError(t, rotten.Start())
	r.healthy(3)

	open := func() ([]engine.Event, error) {
		fresh := config
		fresh.Local, fresh.OpenTimeout = t.TempDir(), 20*time.Second
		s, err := jetstream.Open(t.Context(), fresh)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		return readAll(t, s), s.Err()
	}
	whole := func(lead *servers.Server) bool {
		if !r.leads(lead) {
			return false
		}
		events, err := open()
		return err == nil && assert.Equal(t, want, events)
	}
	if !whole(leader) {
		return false
	}
	if !r.leads(rotten) {
		return false
	}
	n := &naive{config: config, api: r.api}
	asking, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	read, err := n.read(asking)
	if err != nil || len(read) == len(want) {
		return false // a naive client misses events, and does not know it
	}
	var damaged *jetstream.DamagedError
	if _, err = open(); !errors.As(err, &damaged) {
		return false
	}
	t.Logf("a new node says: %v", err)
	for range 200 { // a node that runs asks the leader every two seconds
		if s.Err() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if s.Err() == nil {
		return false
	}
	require.ErrorAs(t, s.Err(), &damaged)
	assert.Equal(t, want, readAll(t, s), "it reads what it has")

	if !testenv.Long() {
		return true // what comes now takes half a minute
	}
	if !r.leads(leader) {
		return false
	}
	rotten.Kill()
	require.NoError(t, rotten.Wipe())
	require.NoError(t, rotten.Start())
	r.healthy(3)
	return whole(rotten) // wiped, it has everything again
}

// leads has a server lead the stream, and reports whether it does after some seconds.
func (r *faultRun) leads(s *servers.Server) bool {
	for range 20 {
		if r.askToLead(s) {
			return true
		}
		time.Sleep(500 * time.Millisecond)
	}
	return false
}

// askToLead reports whether a server leads the stream; if another one does, that is asked to have it lead.
func (r *faultRun) askToLead(s *servers.Server) bool {
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
	defer cancel()
	stream, err := r.api.Stream(ctx, "EF_"+r.config.Bucket)
	if err != nil || stream.CachedInfo().Cluster == nil {
		return false
	}
	if leader := stream.CachedInfo().Cluster.Leader; leader == "" || leader == s.Name {
		return leader == s.Name
	}
	_, _ = r.api.Conn().RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN.EF_"+r.config.Bucket,
		[]byte(`{"placement":{"preferred":"`+s.Name+`"}}`))
	return false
}

// blocksOf are the files of a stream's messages that are written whole, without the last one.
func blocksOf(t *testing.T, s *servers.Server, bucket string) (blocks []string) {
	dir := filepath.Join(s.Store(), "jetstream", "APP", "streams", "EF_"+bucket, "msgs")
	files, err := filepath.Glob(filepath.Join(dir, "*.blk"))
	require.NoError(t, err)
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Size() > 6_000_000 {
			blocks = append(blocks, file)
		}
	}
	return blocks
}

// flipByte changes a byte in the middle of a file.
func flipByte(t *testing.T, file string) {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(file, b, 0o600))
	_ = os.Remove(filepath.Join(filepath.Dir(file), "index.db")) // the summary, so that the server reads the file
}
