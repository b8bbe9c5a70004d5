package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
	"github.com/eventfold/eventfold/jetstream/natstest"
)

// The sessions in testdata/cluster run against one server, in which each has buckets of its own.
func TestScriptsWithACluster(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c, err := natstest.Start(ctx, t.TempDir(), 1, func(name string, err error) { t.Errorf("server %s: %v", name, err) })
	require.NoError(t, err)
	t.Cleanup(c.Kill) // when all sessions have ended
	server, err := url.Parse(c.Servers[0].URL)
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "cluster"),
		Setup: func(e *testscript.Env) error {
			e.Setenv(raceVariable, os.Getenv(raceVariable))
			e.Setenv("SERVER", server.Host)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"absent": absent, "fill": fill, "same": same},
	})
}

// fill DIR N makes a store of N events, a multiple of 500.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	insert := "INSERT INTO many (type, payload) VALUES " + strings.TrimSuffix(strings.Repeat(`('n', '{"n":1}'),`, 500), ",")
	for ; n > 0; n -= 500 {
		ts.Check(printSQL(ts.MkAbs(args[0]), []string{insert}))
	}
}

func TestDifferencesOfEventsAreNamedWithoutTheirContent(t *testing.T) {
	a := eventfold.Event{Stream: "s", Type: "t", Payload: []byte("secret"), Metadata: []byte("{}")}
	b := a
	assert.Empty(t, difference(&a, &b))
	b.Payload, b.Type = nil, "u"
	assert.Equal(t, []string{"of event 00000000-0000-0000-0000-000000000000 type, payload"}, difference(&a, &b))
	b = a
	b.Payload, b.Redacted = nil, true
	assert.Empty(t, difference(&a, &b), "what one has erased is not compared")
	empty := a
	empty.Payload = []byte{}
	b.Redacted = false
	assert.NotEmpty(t, difference(&empty, &b), "an empty payload is none that is NULL")
}

func TestASystemUserTakesThePlaceOfTheBucketsUser(t *testing.T) {
	c, err := bucketConfig("nats://u:pw@a:1,b:2/main")
	require.NoError(t, err)
	system, err := asSystem(c, "sys:p:w%", "")
	require.NoError(t, err)
	assert.Equal(t, []string{"nats://sys:p%3Aw%25@a:1", "nats://sys:p%3Aw%25@b:2"}, system.URLs)
	assert.Equal(t, "nats://u:pw@a:1", c.URLs[0])
	system, err = asSystem(c, "", "file")
	require.NoError(t, err)
	assert.Equal(t, []string{"nats://a:1", "nats://b:2"}, system.URLs)
	assert.Len(t, system.Options, 2)
	_, err = asSystem(jetstream.Config{}, "sys", "")
	assert.Error(t, err)
}

func TestErrorsOfClustersHaveTheirExitCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{&engine.LockedError{Path: "local"}, exitConflict},
		{jetstream.ErrContended, exitConflict},
		{&jetstream.DamagedError{}, exitDamage},
		{errDamaged{errors.New("events are missing")}, exitDamage},
		{&jetstream.ConfigError{}, exitError},
		{&jetstream.UnreachableError{Err: context.DeadlineExceeded}, exitError},
	} {
		assert.Equal(t, tt.want, exitCode(fmt.Errorf("around it: %w", tt.err)), "%T", tt.err)
	}
}

func TestTheRateOfWhatGoesOnIsThatOfWhatIsNew(t *testing.T) {
	p := &progress{what: "copy", unit: "events"}
	p.goOn(1000)
	p.total(1200)
	assert.Equal(t, "copy  83%  1,000 of 1,200 events  10 s", p.line(10*time.Second))
	p.set(1100)
	assert.Equal(t, "copy  91%  1,100 of 1,200 events  10 events/s  10 s left", p.line(10*time.Second))
}
