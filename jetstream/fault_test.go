package jetstream_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/jetstream"
	"github.com/eventfold/eventfold/jetstream/internal/servers"
)

// faults are what is done to three servers while two nodes append to them.
var faults = []struct {
	name string
	do   func(r *faultRun)
	long bool // it is one of the long variant alone: what it shows the others show, too
}{
	{"the leader is paused", (*faultRun).pauseLeader, false},
	{"a follower is killed and wiped", (*faultRun).wipeFollower, false},
	{"one replica, and three again", (*faultRun).oneReplica, false},
	{"the leader is killed", (*faultRun).killLeader, true},
	{"two are killed", (*faultRun).killTwo, true},
	{"all are killed", (*faultRun).killAll, false},
	{"the leader is parted from the others", (*faultRun).partLeader, false},
}

// A faultRun is a cluster, two nodes that append to it, and what becomes of that.
type faultRun struct {
	t      *testing.T
	c      *cluster
	api    js.JetStream
	config jetstream.Config
	o      *oracle
	r      *rand.Rand
}

// Whatever happens to the servers: what was acknowledged is stored, once, in its place, nothing that
// was refused is, versions are given as if by one server, and every node has the same log.
//
// The faults are done once; with EVENTFOLD_TORTURE all of them, each again and again for a share of ten
// minutes: 0.034 is twenty seconds.
func TestFaultsLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	r := &faultRun{t: t, c: startLinked(t), o: newOracle()}
	r.api = r.c.api(t)
	config, a, b := twoNodes(t, r.c)
	nodes := []*jetstream.Store{a, b}
	r.config = config
	seed := testenv.Seed(t)
	r.r = rand.New(rand.NewPCG(seed, 99))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); wg.Wait() })
	t.Cleanup(end) // after a failure, too: the context has ended by then
	for _, s := range nodes {
		r.o.listen(s)
	}
	for i := range 8 {
		wg.Go(func() { r.o.appender(t, i, nodes[i%2], rand.New(rand.NewPCG(seed, uint64(i))), stop) })
	}
	long := time.Duration(testenv.Scale(0, 600)) * time.Second
	for _, f := range faults {
		if f.long && long == 0 {
			continue
		}
		began, n := time.Now(), 0
		for n == 0 || time.Since(began) < long {
			r.more(20)
			f.do(r)
			r.more(20)
			n++
		}
		t.Logf("%s: %d times; %d appends acknowledged by then", f.name, n, r.o.acks.Load())
	}
	end()
	r.settle(nodes)
}

// more waits for so many acknowledgements.
func (r *faultRun) more(n int64) {
	r.t.Helper()
	until := r.o.acks.Load() + n
	eventually(r.t, func() bool { return r.o.acks.Load() >= until || r.t.Failed() }, "nothing is appended any more")
}

// settle looks at what there is in the end.
func (r *faultRun) settle(nodes []*jetstream.Store) {
	t := r.t
	r.config.Local = t.TempDir()
	fresh, err := jetstream.Open(t.Context(), r.config)
	require.NoError(t, err)
	defer fresh.Close()
	events := readAll(t, fresh)
	require.NoError(t, r.o.check(events))
	head, err := fresh.Head()
	require.NoError(t, err)
	for _, s := range nodes {
		require.NoError(t, s.Wait(t.Context(), engine.Position(len(events)-1)))
		assert.Equal(t, events, readAll(t, s))
		same, err := s.Head()
		require.NoError(t, err)
		assert.Equal(t, head, same, "a receipt of one node holds for the others")
		_, err = s.Verify(t.Context())
		assert.NoError(t, err)
	}
	result := porcupine.CheckOperationsTimeout(versions, r.o.history, 5*time.Minute)
	require.Equal(t, porcupine.Ok, result, "versions are given as if by one server")
	t.Logf("%d events, %d appends acknowledged, %d refused, %d outcomes unknown at first, %d refused by a server and stored",
		len(events), r.o.acks.Load(), r.o.conflicts, r.o.unknown.Load(), r.o.storedAlthough())
}

// info asks the stream's leader, which there is sooner or later.
func (r *faultRun) info(good func(info *js.StreamInfo) bool, what string) (info *js.StreamInfo) {
	r.t.Helper()
	last := "nothing"
	defer func() {
		if r.t.Failed() {
			r.t.Logf("%s; the last answer was %s", what, last)
		}
	}()
	eventually(r.t, func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
		defer cancel()
		stream, err := r.api.Stream(ctx, "EF_"+r.config.Bucket)
		if err != nil {
			last = err.Error()
			return false
		}
		info = stream.CachedInfo()
		text, _ := json.Marshal(info)
		last = string(text)
		return info.Cluster != nil && info.Cluster.Leader != "" && good(info)
	}, "%s", what)
	return info
}

func (r *faultRun) leader() *servers.Server {
	info := r.info(func(*js.StreamInfo) bool { return true }, "there is no leader")
	return r.c.Named(info.Cluster.Leader)
}

// follower is a server that does not lead.
func (r *faultRun) follower() *servers.Server {
	leader := r.leader()
	for {
		if s := r.c.Servers[r.r.IntN(3)]; s != leader {
			return s
		}
	}
}

// healthy waits until all replicas have what the leader has.
func (r *faultRun) healthy(replicas int) {
	r.info(func(info *js.StreamInfo) bool {
		for _, p := range info.Cluster.Replicas {
			if !p.Current || p.Offline {
				return false
			}
		}
		return len(info.Cluster.Replicas) == replicas-1
	}, "the replicas do not come together")
}

func (r *faultRun) start(s *servers.Server) { require.NoError(r.t, s.Start()) }

// pauseLeader stops the leader until another one leads, and lets it go on: it still thinks that it
// leads, and answers so.
func (r *faultRun) pauseLeader() {
	leader := r.leader()
	require.NoError(r.t, leader.Pause())
	r.info(func(info *js.StreamInfo) bool { return info.Cluster.Leader != leader.Name }, "nobody else leads")
	r.more(20)
	require.NoError(r.t, leader.Resume())
	r.healthy(3)
}

// wipeFollower has a follower lose all that it has stored.
func (r *faultRun) wipeFollower() {
	r.healthy(3) // or the other two might not have what the leader has acknowledged with this one
	s := r.follower()
	s.Kill()
	require.NoError(r.t, s.Wipe())
	r.more(10)
	r.start(s)
	r.healthy(3)
}

// oneReplica has the stream on one server only, for a while.
func (r *faultRun) oneReplica() {
	for _, n := range []int{1, 3} {
		r.replicas(n)
		r.more(20)
	}
}

// replicas has the stream on so many servers.
func (r *faultRun) replicas(n int) {
	config := r.info(func(*js.StreamInfo) bool { return true }, "there is no leader").Config
	config.Replicas = n
	eventually(r.t, func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
		defer cancel()
		_, err := r.api.UpdateStream(ctx, config)
		return err == nil
	}, "the number of replicas does not change")
	r.healthy(n)
}

func (r *faultRun) killLeader() {
	leader := r.leader()
	leader.Kill()
	r.more(10)
	r.start(leader)
	r.healthy(3)
}

func (r *faultRun) killTwo() {
	first := r.r.IntN(3)
	two := []*servers.Server{r.c.Servers[first], r.c.Servers[(first+1)%3]}
	for _, s := range two {
		s.Kill()
	}
	for _, s := range two {
		r.start(s)
	}
	r.healthy(3)
}

func (r *faultRun) killAll() {
	r.c.Kill()
	for _, s := range r.c.Servers {
		r.start(s)
	}
	r.healthy(3)
}

// partLeader parts the leader from the other two, which can go on; the leader, and whoever is connected to
// it, cannot.
func (r *faultRun) partLeader() {
	leader := r.leader()
	r.c.links.Part(leader)
	defer r.c.links.Heal() // after a failure, too
	config := r.config
	config.Local, config.URLs = r.t.TempDir(), nil
	for _, s := range r.c.Servers {
		if s != leader {
			config.URLs = append(config.URLs, s.URL)
		}
	}
	s, err := jetstream.Open(r.t.Context(), config) // waits for another leader
	require.NoError(r.t, err)
	defer s.Close()
	for range 10 {
		require.True(r.t, r.o.append(r.t, 8, s, r.r))
	}
	r.c.links.Heal()
	r.healthy(3)
}
