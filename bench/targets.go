package main

import "math"

const (
	oursSQL    = "eventfold (database/sql)"
	oursEngine = "eventfold (engine)"
	oursZstd   = "eventfold (engine, compress=zstd)"
	sqlitePeer = "SQLite (mattn, WAL, FULL)"
	boltPeer   = "bbolt (Batch)"
	pebblePeer = "pebble (Sync)"
	duckPeer   = "DuckDB"
	limitsName = "limits"
	bestPeer   = "the best peer"
)

// ours are the variants of eventfold. None of them is a peer of another.
var ours = map[string]bool{oursSQL: true, oursEngine: true, oursZstd: true}

// A target is a ratio that we want to reach within a round.
type target struct {
	who    string // one of ours
	metric string
	than   string // a peer, limitsName, bestPeer, or "" for an absolute figure
	other  string // the metric of than, if it is another one
	want   float64
	less   bool // a figure of which less is better: the ratio is theirs to ours; an absolute one must be below want
}

var targets = []target{
	{who: oursSQL, metric: "append 1", than: limitsName, other: "sync", want: 0.9},
	{who: oursSQL, metric: "append 1", than: sqlitePeer, want: 1},
	{who: oursSQL, metric: "append 8", than: limitsName, other: "sync", want: 6.2},
	{who: oursSQL, metric: "append 8", than: sqlitePeer, want: 8},
	{who: oursSQL, metric: "append 8", than: pebblePeer, want: 2.5},
	{who: oursSQL, metric: "append 64", than: limitsName, other: "sync", want: 18},
	{who: oursSQL, metric: "append 64", than: sqlitePeer, want: 22},
	{who: oursSQL, metric: "append 64", than: pebblePeer, want: 2.2},
	{who: oursSQL, metric: "append 64 p99", want: 1000, less: true},
	{who: oursSQL, metric: "append 256", than: limitsName, other: "sync", want: 27},
	{who: oursSQL, metric: "append 256", than: sqlitePeer, want: 38},
	{who: oursSQL, metric: "append 256", than: pebblePeer, want: 3.5},
	{who: oursSQL, metric: "append 256 p99", than: bestPeer, want: 1, less: true},
	{who: oursSQL, metric: "batches of 100", than: bestPeer, want: 2.5},
	{who: oursEngine, metric: "batches of 100", than: bestPeer, want: 3.2},
	{who: oursSQL, metric: "load", than: sqlitePeer, want: 5},
	{who: oursEngine, metric: "load", than: sqlitePeer, want: 10},
	{who: oursSQL, metric: "scan", than: sqlitePeer, want: 2.6},
	{who: oursSQL, metric: "scan", than: duckPeer, want: 2.4},
	{who: oursSQL, metric: "scan", than: limitsName, other: "rows", want: 0.8},
	{who: oursSQL, metric: "scan events", than: sqlitePeer, other: "scan", want: 12},
	{who: oursEngine, metric: "scan", than: boltPeer, want: 1},
	{who: oursEngine, metric: "streams of 10", than: boltPeer, want: 4},
	{who: oursEngine, metric: "streams of 1000", than: boltPeer, want: 6},
	{who: oursSQL, metric: "streams of 10", than: sqlitePeer, want: 4},
	{who: oursSQL, metric: "streams of 1000", than: sqlitePeer, want: 4},
	{who: oursSQL, metric: "count per type", than: duckPeer, want: 1, less: true},
	{who: oursSQL, metric: "count one type", than: duckPeer, want: 1, less: true},
	{who: oursSQL, metric: "sum per type", than: duckPeer, want: 1, less: true},
	{who: oursSQL, metric: "sum per type", than: sqlitePeer, want: 12, less: true},
	{who: oursSQL, metric: "reopen", want: 10, less: true},
	{who: oursSQL, metric: "memory", want: 24, less: true},
	{who: oursSQL, metric: "disk", want: 400, less: true},
	{who: oursZstd, metric: "disk", want: 150, less: true},
}

// in returns the target's figure in one round: a ratio, or the value itself if the target is
// absolute. NaN means not measured.
func (t target) in(r round) float64 {
	figure, ok := r.values[t.who][t.metric]
	if !ok {
		return math.NaN()
	}
	if t.than == "" {
		return figure
	}
	theirs, ok := t.theirs(r)
	if !ok {
		return math.NaN()
	}
	if t.less {
		return theirs / figure
	}
	return figure / theirs
}

func (t target) theirs(r round) (value float64, ok bool) {
	metric := t.metric
	if t.other != "" {
		metric = t.other
	}
	if t.than != bestPeer {
		value, ok = r.values[t.than][metric]
		return value, ok
	}
	_, value, ok = t.best(r)
	return value, ok
}

// best returns the best of the peers in a round, none of which is ours.
func (t target) best(r round) (best string, value float64, ok bool) {
	for name, values := range r.values {
		v, measured := values[t.metric]
		if !measured || ours[name] || name == limitsName {
			continue
		}
		if !ok || t.less && v < value || !t.less && v > value {
			best, value, ok = name, v, true
		}
	}
	return best, value, ok
}

// reached reports whether a figure of in is good enough.
func (t target) reached(figure float64) bool {
	if t.than == "" {
		return figure <= t.want
	}
	return figure >= t.want
}
