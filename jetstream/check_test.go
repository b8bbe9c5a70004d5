package jetstream_test

import (
	"testing"

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
	for _, what := range []string{"nats-server", "settings", "events", "clock", "max_payload"} {
		assert.True(t, found[what].OK, "%+v", found[what])
	}
	assert.False(t, found["replicas"].OK, "one replica is one disk")
	assert.False(t, found["sync_interval"].OK, "it cannot be seen")

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
