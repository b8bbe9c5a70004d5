package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every peer stores the data set and gives the same answers, or says that it does not do that: a
// benchmark of stores that do different things would say nothing.
func TestPeersAgree(t *testing.T) {
	const events = setUnit
	counts, sums := map[string]int64{}, map[string]int64{}
	names := namesOf(events)
	err := dataset(events, true, func(batch []event) error {
		for i := range batch {
			counts[batch[i].typ]++
			var payload struct{ Amount int64 }
			if err := json.Unmarshal(batch[i].payload, &payload); err != nil {
				return err
			}
			sums[batch[i].typ] += payload.Amount
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, sums)
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			s := p.make()
			require.NoError(t, useIDs(s, withIDs))
			dir, err := os.MkdirTemp(testenv.MemoryDir(), "peers") // a socket's name has at most 107 bytes, and t's is long
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			require.NoError(t, os.Chmod(dir, 0o755)) // the PostgreSQL server runs as another user
			err = s.open(dir)
			if missing := (*missingError)(nil); errors.As(err, &missing) {
				t.Skipf("%s is no Go library but a program: %v", p.name, err)
			}
			require.NoError(t, err)
			defer func() { assert.NoError(t, s.close()) }()
			err = dataset(events, true, func(batch []event) error { return s.appendAll(t.Context(), batch) })
			require.NoError(t, err)
			require.NoError(t, mustHold(s, events))

			for _, list := range [][]string{names.near, names.apart, names.long} {
				n := int64(0)
				err := s.readStream(list[len(list)-1], func(e *event) {
					assert.Equal(t, n, e.version)
					assert.GreaterOrEqual(t, len(e.payload), payloadSize)
					n++
				})
				if errors.Is(err, errUnsupported) {
					continue
				}
				require.NoError(t, err)
				assert.Contains(t, []int64{shortStream, longStream}, n)
			}
			err = s.readAt(5, func(e *event) { assert.Equal(t, names.near[0], e.stream); assert.EqualValues(t, 1, e.version) })
			require.NoError(t, err)
			if got, err := s.countByType(); !errors.Is(err, errUnsupported) {
				require.NoError(t, err)
				assert.Equal(t, counts, got)
			}
			if got, err := s.sumByType(); !errors.Is(err, errUnsupported) {
				require.NoError(t, err)
				assert.Equal(t, sums, got)
			}
			e := newMaker(3).event("one-more", 0)
			e.id = newMaker(4).id()
			if err := s.append(context.Background(), 0, &e); !errors.Is(err, errUnsupported) {
				require.NoError(t, err)
			}
		})
	}
}

// Every peer whose name is eventfold's is one of ours, and every one of ours is there.
func TestOursAreNoPeers(t *testing.T) {
	found := map[string]bool{}
	for _, p := range peers {
		if strings.HasPrefix(p.name, "eventfold") {
			found[p.name] = true
		}
	}
	assert.Equal(t, found, ours)
}

func TestMedianAndTargets(t *testing.T) {
	r := round{values: map[string]map[string]float64{
		oursSQL: {"append 1": 90, "sum per type": 10}, limitsName: {"sync": 100}, duckPeer: {"sum per type": 20},
		boltPeer: {"sum per type": 15},
	}}
	assert.InDelta(t, 0.9, target{who: oursSQL, metric: "append 1", than: limitsName, other: "sync"}.in(r), 1e-9)
	assert.InDelta(t, 2, target{who: oursSQL, metric: "sum per type", than: duckPeer, less: true}.in(r), 1e-9)
	assert.InDelta(t, 1.5, target{who: oursSQL, metric: "sum per type", than: bestPeer, less: true}.in(r), 1e-9)
	for name := range ours { // the best of the peers is none of ours
		r.values[name] = map[string]float64{"load": 200}
	}
	r.values[pebblePeer] = map[string]float64{"load": 50}
	assert.InDelta(t, 4, target{who: oursSQL, metric: "load", than: bestPeer}.in(r), 1e-9)
	assert.False(t, target{than: duckPeer, want: 1}.reached(0.5))
	assert.Equal(t, 2.0, median([]float64{3, 1, 2}))
}
