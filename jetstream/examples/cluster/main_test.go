package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/eventfoldtest"
	"github.com/eventfold/eventfold/jetstream/internal/servers"
)

func TestMain(m *testing.M) {
	servers.Main()
	os.Exit(m.Run())
}

// The leader dies under load: another one leads afterwards, and what was acknowledged is on the other
// node, once, and nothing else.
func TestNothingIsLostWhenTheLeaderIsKilled(t *testing.T) {
	var out bytes.Buffer
	r, err := run(t.Context(), &out, 4, 20)
	t.Logf("\n%s", &out)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, r.acknowledged, 60)
	assert.Zero(t, r.missing)
	assert.Zero(t, r.unasked)
	assert.NotEmpty(t, r.killed)
	assert.NotEqual(t, r.killed, r.leads)
	assert.Positive(t, r.silence)
	assert.Contains(t, out.String(), r.killed+" leads the log, and is killed")
}

// The check sees what is missing, and what nobody was told of.
func TestTheCheckSeesWhatIsMissing(t *testing.T) {
	db := eventfoldtest.Open(t)
	l := newLoad(t.Context(), db, 1)
	require.NoError(t, l.await(t.Context(), 5))
	require.NoError(t, l.end())
	var good report
	require.NoError(t, good.check(t.Context(), db, l.placed))
	assert.Zero(t, good.missing)
	assert.Zero(t, good.unasked)

	delete(l.placed, 0)
	l.placed[1] = l.placed[2]
	l.placed[int64(len(l.placed)+1)] = "never stored"
	var bad report
	require.NoError(t, bad.check(t.Context(), db, l.placed))
	assert.Equal(t, 2, bad.missing)
	assert.Equal(t, 2, bad.unasked)
}
