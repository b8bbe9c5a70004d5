package main

import (
	"cmp"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain lets the workloads start processes of their own, which are this program.
func TestMain(m *testing.M) {
	if isChild() {
		return
	}
	os.Exit(m.Run())
}

// needed are the works on some peers that targets compare with: the others would take as long again.
var needed = map[string]string{
	oursZstd:    "load,read",
	indexedPeer: "load,reports",
	pebblePeer:  "load,append",
	duckPeer:    "load,read,reports",
	walPeer:     "load,append,restart",
}

// tiny runs works on peers in this process, on next to nothing.
func tiny(t *testing.T, works []work, names ...string) *bench {
	b := &bench{
		events: setUnit, seconds: 3 * time.Millisecond, tries: 1, works: works, names: names,
		dir: cmp.Or(testenv.MemoryDir(), t.TempDir()),
		start: func(j job) ([]result, float64, error) {
			if parts, some := needed[j.Peer]; some && !contains(j.Work, parts) {
				return nil, 0, nil
			}
			results, err := j.run()
			return results, 0, err
		},
	}
	require.NoError(t, b.run(1))
	assert.Zero(t, b.wrong)
	return b
}

// A target that nothing measures is never missed.
func TestEveryTargetIsMeasuredAndHasItsPlace(t *testing.T) {
	killed := func(w work) bool { return w.name == "killed" } // whose processes take long to start
	b := tiny(t, slices.DeleteFunc(slices.Clone(works), killed), oursSQL, oursEngine, oursZstd, sqlitePeer, indexedPeer, boltPeer, pebblePeer, duckPeer, walPeer)
	join := "join of all events by a field"
	assert.Equal(t, []failure{{sqlitePeer, join, "it would compare every event with every other"}}, b.failed)
	const open = "open, killed"
	b.rounds[0].values[oursSQL][open] = tiny(t, selectedWorks("killed"), oursSQL).value(oursSQL, open)
	page := b.markdown()
	for _, one := range targets {
		assert.False(t, math.IsNaN(b.targetValue(one)), "%s, %s, beside %s", one.who, one.metric, one.than)
		row := "| " + one.who + " | " + one.metric + " | " + b.comparedWith(one) + " |"
		assert.Equal(t, 1, strings.Count(page, row), row)
	}
	for i := range sections {
		assert.Contains(t, page, "## "+sections[i].ask)
		for _, metric := range sections[i].metrics() {
			assert.True(t, b.has(oursSQL, metric) || b.has(oursEngine, metric), "nobody has %s", metric)
		}
	}
	testCharts(t, b, page)
}

// testCharts draws what the page shows.
func testCharts(t *testing.T, b *bench, page string) {
	dir := t.TempDir()
	require.NoError(t, b.writeTo(dir))
	written, err := os.ReadFile(dir + "/performance.md")
	require.NoError(t, err)
	for _, one := range b.blocks() {
		assert.Contains(t, string(written), one.text)
	}
	require.NoError(t, b.writeTo(dir)) // in the place of the one before
	again, err := os.ReadFile(dir + "/performance.md")
	require.NoError(t, err)
	assert.Equal(t, string(written), string(again))
	for _, line := range strings.Split(page, "\n") {
		if _, file, ok := strings.Cut(line, "]("); ok && strings.HasPrefix(line, "![") {
			assert.FileExists(t, dir+"/"+strings.TrimSuffix(file, ")"))
		}
	}
}

func TestFiguresTakeThePlaceOfThoseBefore(t *testing.T) {
	page := "# How fast\n\n<!-- figures: run -->\n\nold\n\n<!-- end of run -->\n\n## More\n"
	one := block{"run", "The run", "new"}
	assert.Equal(t, strings.Replace(page, "old", "new", 1), one.replace(page))
	assert.Equal(t,
		"# How fast\n\n## The run\n\n<!-- figures: run -->\n\nnew\n\n<!-- end of run -->\n", one.replace("# How fast\n"))
	other := block{"room", "What does it take?", "much"}
	assert.Contains(t, other.replace(page), "old")
}

func TestThePageHasAPlaceForEveryQuestion(t *testing.T) {
	page, err := os.ReadFile("../docs/performance.md")
	require.NoError(t, err)
	for _, s := range append([]section{{key: "run"}}, sections...) {
		assert.NotEqual(t, string(page), block{s.key, s.ask, "other"}.replace(string(page)))
		assert.NotContains(t, block{s.key, "Heading of the end", "other"}.replace(string(page)), "Heading of the end")
		if s.ask != "" {
			assert.Contains(t, string(page), "\n## "+s.ask+"\n")
		}
	}
	for _, p := range peers {
		first, _, _ := strings.Cut(p.name, " ")
		assert.Contains(t, string(page), "| "+strings.TrimSuffix(first, ","), "%s has settings", p.name)
	}
}

// A program that is not installed, or a store that fails, costs its own figures only.
func TestARunSurvivesPeersThatAreMissingOrFail(t *testing.T) {
	b := bench{
		events: setUnit, tries: 1, dir: t.TempDir(), works: selectedWorks("load,read"),
		names: []string{"missing", "failing", "slow", "sound"},
		start: func(j job) ([]result, float64, error) {
			switch {
			case j.Peer == "missing":
				return []result{{Metric: missingMetric, Failed: "not installed here: no such program"}}, 0, nil
			case j.Peer == "failing":
				return nil, 0, assert.AnError
			case j.Work == "read":
				return []result{{Metric: "scan", Value: 7}}, 0, nil
			case j.Peer == "slow" || j.Work == "load, ids": // what is slow has no data set
				return []result{{Metric: "load", Value: 1}}, 0, nil
			}
			return []result{{Metric: "load", Value: 9}, {Metric: "loaded", Value: setUnit}}, 0, nil
		},
	}
	require.NoError(t, b.run(2))
	assert.Equal(t, 7.0, b.value("sound", "scan"))
	assert.True(t, math.IsNaN(b.value("slow", "scan")))
	text := b.failures()
	assert.Equal(t, 1, strings.Count(text, "No figure of missing"), text)
	assert.Contains(t, text, "missing, everything: not installed here")
	assert.Contains(t, text, "failing, load: "+assert.AnError.Error())
}

func TestAPartThatReadsTheDataSetLoadsIt(t *testing.T) {
	var names []string
	for _, w := range selectedWorks("first,growth") {
		names = append(names, w.name)
	}
	assert.Equal(t, []string{"load", "growth", "first"}, names)
	assert.Len(t, selectedWorks(""), len(works))
	assert.Equal(t, []string{boltPeer, duckPeer}, selectedPeers("Duck, bbolt"))
}

// The data set is the same whoever makes it, and its streams are what the workloads take them for.
func TestTheDataSetHasTheStreamsThatItNames(t *testing.T) {
	const events = 2 * setUnit
	versions, first, last := map[string]int64{}, map[string]int{}, map[string]int{}
	n := 0
	require.NoError(t, dataset(events, true, func(batch []event) error {
		for _, e := range batch {
			assert.Equal(t, versions[e.stream], e.version)
			if e.version == 0 {
				first[e.stream] = n
			}
			last[e.stream] = n
			versions[e.stream]++
			n++
		}
		return nil
	}))
	assert.Equal(t, events, n)
	names := namesOf(events)
	for _, c := range []struct {
		streams           []string
		events            int64
		narrowest, widest int
	}{
		{names.near, shortStream, 36, 36},
		{names.apart, shortStream, events * 8 / 10, events},
		{names.long, longStream, events * 8 / 10, events},
	} {
		for _, stream := range c.streams {
			assert.Equal(t, c.events, versions[stream])
			wide := last[stream] - first[stream]
			assert.True(t, c.narrowest <= wide && wide <= c.widest, "%d", wide)
		}
	}
	assert.Len(t, versions, len(names.near)+len(names.apart)+len(names.long))
}
