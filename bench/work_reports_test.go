package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/eventfold/eventfold/internal/race"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A store that gives another answer than ours has not been measured on the same question.
func TestEveryReportHasTheSameAnswerEverywhere(t *testing.T) {
	const events = 2000
	answers := map[string]string{} // ours, which is the first of the peers
	for _, p := range peers {
		s := p.make()
		r, ok := s.(reporter)
		if !ok {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			if strings.Contains(p.name, "modernc") && race.Enabled {
				t.Skip("-race: it is SQLite's code, which the detector makes ten times slower; mattn's answers")
			}
			dir, err := os.MkdirTemp(testenv.MemoryDir(), "reports") // a socket's name has at most 107 bytes, and t's is long
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			require.NoError(t, os.Chmod(dir, 0o755)) // the PostgreSQL server runs as another user
			err = s.open(dir)
			if missing := (*missingError)(nil); errors.As(err, &missing) {
				t.Skipf("%s: %v", p.name, err)
			}
			require.NoError(t, err)
			defer func() { assert.NoError(t, s.close()) }()
			err = dataset(events, false, func(batch []event) error { return s.appendAll(t.Context(), batch) })
			require.NoError(t, err)
			for _, q := range reportQueries {
				if q.hashed && r.looping() {
					continue
				}
				got, err := q.ask(t.Context(), r, events)
				require.NoError(t, err, q.name)
				require.NotEmpty(t, got, q.name)
				if p.name == oursSQL {
					answers[q.name] = got
				}
				assert.Equal(t, answers[q.name], got, q.name)
			}
		})
	}
}

func TestARunWithTwoAnswersIsNoRun(t *testing.T) {
	b := bench{answers: map[string]string{}}
	var got []string
	note := func(peer string, one result) {
		figures := map[string][]float64{}
		b.note(job{Peer: peer}, []result{one}, figures)
		for metric := range figures {
			got = append(got, peer+": "+metric)
		}
	}
	note(oursSQL, result{Metric: "EXISTS", Answer: "7\n"})
	note(duckPeer, result{Metric: "EXISTS", Answer: "7\n"})
	note(duckPeer, result{Metric: "scan"})
	note(sqlitePeer, result{Metric: "EXISTS", Answer: "8\n"})
	assert.Equal(t, []string{oursSQL + ": EXISTS", duckPeer + ": EXISTS", duckPeer + ": scan"}, got)
	assert.Equal(t, 1, b.wrong)
	assert.Contains(t, b.failures(), "WRONG")
}

func TestTheBestPeerIsNamed(t *testing.T) {
	one := target{who: oursSQL, metric: "batches of 100", than: bestPeer, want: 1}
	b := bench{rounds: []round{{values: map[string]map[string]float64{
		oursSQL: {"batches of 100": 9}, oursZstd: {"batches of 100": 8}, pebblePeer: {"batches of 100": 3},
		boltPeer: {"batches of 100": 2},
	}}}}
	assert.Equal(t, bestPeer+": "+pebblePeer, b.comparedWith(one))
	assert.Contains(t, b.targets([]string{"batches of 100"}), pebblePeer)
}
