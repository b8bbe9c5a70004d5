package jetstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/jetstream"
)

// checked are the findings of a bucket, by what they are about.
func checked(t *testing.T, config jetstream.Config) map[string]jetstream.Finding {
	findings, err := jetstream.Check(t.Context(), config)
	require.NoError(t, err)
	found := map[string]jetstream.Finding{}
	for _, f := range findings {
		assert.NotEmpty(t, f.Text, f.What)
		found[f.What] = f
	}
	return found
}

// checkTells: Check says what is good and what is not, with what to change.
func checkTells(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	_, err := s.Append(t.Context(), oneEvent("a"))
	require.NoError(t, err)
	config.Local = ""
	found := checked(t, config)
	for _, what := range []string{"nats-server", "settings", "events", "clock of the leader", "max_payload"} {
		assert.Equal(t, jetstream.Fine, found[what].State, "%+v", found[what])
	}
	assert.Equal(t, jetstream.Doubtful, found["replicas"].State, "one replica is one disk")

	api := c.api(t)
	stream, err := api.Stream(t.Context(), "EF_"+config.Bucket)
	require.NoError(t, err)
	changed := stream.CachedInfo().Config
	changed.MaxAge = 3600e9
	_, err = api.UpdateStream(t.Context(), changed)
	require.NoError(t, err)
	assert.Contains(t, checked(t, config)["settings"].Text, "max_age")

	config.Bucket = "missing"
	_, err = jetstream.Check(t.Context(), config)
	assert.ErrorContains(t, err, "EF_missing")
}

// checkServersTells: a user of the system's account is told what each server does and holds; anybody else
// is told whom to ask for.
func checkServersTells(t *testing.T, c *cluster) {
	config, s := c.open(t)
	defer s.Close()
	_, err := s.Append(t.Context(), oneEvent("a"))
	require.NoError(t, err)
	asApp := config
	config.URLs = []string{c.Servers[0].SystemURL()}
	findings, err := jetstream.CheckServers(t.Context(), config)
	require.NoError(t, err)
	found := map[string]jetstream.Finding{}
	for _, f := range findings {
		found[f.What] = f
		assert.Equal(t, jetstream.Fine, f.State, "%+v", f)
	}
	assert.Equal(t, "always", found["server n0: sync_interval"].Text)
	assert.Equal(t, "1, none is missing", found["server n0: events in account APP"].Text)
	assert.Contains(t, found, "server n0")
	assert.Contains(t, found, "server n0: clock")

	config.Bucket = "missing"
	findings, err = jetstream.CheckServers(t.Context(), config)
	require.NoError(t, err)
	assert.Contains(t, findings, jetstream.Finding{What: "stream", State: jetstream.Wrong,
		Text: "no server that has answered holds EF_missing"})
	_, err = jetstream.CheckServers(t.Context(), asApp)
	assert.ErrorContains(t, err, "system_account")
}

// firstServerIsWaitedFor: how long the first answer takes says nothing of the servers, and the others are
// waited for when it is there.
func firstServerIsWaitedFor(t *testing.T, c *cluster) {
	_, s := c.open(t)
	defer s.Close()
	conn := c.api(t).Conn()
	answering, err := conn.Subscribe("$SYS.REQ.SERVER.PING.JSZ", func(m *nats.Msg) {
		assert.NoError(t, m.Respond([]byte(`{"server": {"name": "x"}, "data": {"meta_cluster": {"cluster_size": 3}}}`)))
	})
	require.NoError(t, err)
	flush := func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		assert.NoError(t, conn.FlushWithContext(ctx))
	}
	flush()
	names, expected, err := s.AskServers(t.Context(), time.Nanosecond)
	assert.NoError(t, answering.Unsubscribe())
	flush() // other tests ask, too
	require.NoError(t, err)
	assert.Equal(t, []string{"x"}, names)
	assert.Equal(t, 3, expected)
}

// What servers say of themselves that are not as they should be.
func TestFindingsAboutServersThatAreNotAsTheyShouldBe(t *testing.T) {
	findings := jetstream.ServerFindings("b", `{"server": {"name": "x", "ver": "2.14.0"}, "data": {"config":
		{"sync_interval": 120000000000}, "account_details": [{"name": "A", "stream_detail": [{"name": "EF_b",
		"state": {"messages": 7, "first_seq": 1, "last_seq": 9, "num_deleted": 2}}]}]}}`)
	states := map[string]jetstream.State{}
	for _, f := range findings {
		states[f.What] = f.State
	}
	assert.Equal(t, map[string]jetstream.State{"server x": jetstream.Wrong, "server x: sync_interval": jetstream.Wrong,
		"server x: clock": jetstream.Doubtful, "server x: events in account A": jetstream.Damaged}, states)
}
