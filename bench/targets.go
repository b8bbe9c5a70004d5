package main

import (
	"math"
	"slices"
)

const (
	oursSQL     = "eventfold (database/sql)"
	oursEngine  = "eventfold (engine)"
	oursZstd    = "eventfold (engine, compress=zstd)"
	sqlitePeer  = "SQLite (mattn, WAL, FULL)"
	indexedPeer = "SQLite (mattn), every index"
	boltPeer    = "bbolt"
	pebblePeer  = "pebble (Sync)"
	duckPeer    = "DuckDB"
	walPeer     = "tidwall/wal"
	limitsName  = "limits"
	bestPeer    = "the best peer"
)

// ours are the variants of eventfold. None of them is a peer of another.
var ours = map[string]bool{oursSQL: true, oursEngine: true, oursZstd: true}

// A target is a ratio that we want to reach within a round.
type target struct {
	who    string // one of ours
	metric string
	than   string // a peer, which may be who itself, limitsName, bestPeer, or "" for an absolute figure
	other  string // the metric of than, if it is another one
	want   float64
	less   bool // a figure of which less is better: the ratio is theirs to ours; an absolute one must be below want
}

var targets = slices.Concat([]target{
	{who: oursSQL, metric: "append 1", than: limitsName, other: "sync", want: 0.9},
	{who: oursSQL, metric: "append 1", than: sqlitePeer, want: 1},
	{who: oursSQL, metric: "append 8", than: limitsName, other: "sync", want: 6},
	{who: oursSQL, metric: "append 8", than: sqlitePeer, want: 8},
	{who: oursSQL, metric: "append 8", than: pebblePeer, want: 2.5},
	{who: oursSQL, metric: "append 64", than: limitsName, other: "sync", want: 19},
	{who: oursSQL, metric: "append 64", than: sqlitePeer, want: 22},
	{who: oursSQL, metric: "append 64", than: pebblePeer, want: 2.2},
	{who: oursSQL, metric: "append 64 p99", want: 1000, less: true},
	{who: oursSQL, metric: "append 256", than: limitsName, other: "sync", want: 32},
	{who: oursSQL, metric: "append 256", than: sqlitePeer, want: 38},
	{who: oursSQL, metric: "append 256", than: pebblePeer, want: 3.5},
	{who: oursSQL, metric: "append 256 p99", than: bestPeer, want: 1, less: true},
	{who: oursSQL, metric: "batches of 100", than: bestPeer, want: 2.5},
	{who: oursEngine, metric: "batches of 100", than: bestPeer, want: 3.2},
	{who: oursSQL, metric: "batches of 100, ids", than: sqlitePeer, want: 1.5},
	{who: oursSQL, metric: "100 rows a statement, ids", than: oursSQL, other: "batches of 100, ids", want: 1},
	{who: oursSQL, metric: "load", than: sqlitePeer, want: 5},
	{who: oursEngine, metric: "load", than: sqlitePeer, want: 10},
	{who: oursSQL, metric: "load, ids", than: sqlitePeer, want: 3},
	{who: oursEngine, metric: "load, ids", than: sqlitePeer, want: 8},
	{who: oursEngine, metric: "load, ids", than: walPeer, want: 1},
	{who: oursSQL, metric: "growth, tenth", than: oursSQL, other: "growth, second", want: 0.9},
	{who: oursEngine, metric: "growth, tenth", than: oursEngine, other: "growth, second", want: 0.9},

	{who: oursEngine, metric: "first of 1000", want: 1, less: true},
	{who: oursEngine, metric: "first of 1000 heap", want: 1, less: true},
	{who: oursEngine, metric: "first of 1000", than: boltPeer, want: 1, less: true},
	{who: oursEngine, metric: "streams of 1000", than: boltPeer, want: 4},
	{who: oursEngine, metric: "streams of 10", than: boltPeer, want: 3},
	{who: oursEngine, metric: "streams of 10, apart", than: boltPeer, want: 3},
	{who: oursSQL, metric: "streams of 10", than: sqlitePeer, want: 3},
	{who: oursSQL, metric: "streams of 10, apart", than: sqlitePeer, want: 3},
	{who: oursSQL, metric: "streams of 1000", than: sqlitePeer, want: 4},
	{who: oursZstd, metric: "streams of 10", than: oursEngine, want: 0.5},
	{who: oursZstd, metric: "streams of 10, apart", than: oursEngine, want: 0.5},
	{who: oursZstd, metric: "streams of 1000", than: oursEngine, want: 0.5},
	{who: oursSQL, metric: "scan", than: sqlitePeer, want: 2.6},
	{who: oursSQL, metric: "scan", than: duckPeer, want: 2.4},
	{who: oursSQL, metric: "scan", than: limitsName, other: "rows", want: 0.8},
	{who: oursSQL, metric: "scan events", than: sqlitePeer, other: "scan", want: 12},
	{who: oursEngine, metric: "scan", than: boltPeer, want: 1},

	{who: oursSQL, metric: "count per type", than: duckPeer, want: 1, less: true},
	{who: oursSQL, metric: "count one type", than: duckPeer, want: 1, less: true},
	{who: oursSQL, metric: "sum per type", than: duckPeer, want: 1, less: true},
	{who: oursSQL, metric: "sum per type", than: sqlitePeer, want: 12, less: true},
	{who: oursSQL, metric: "EXISTS", want: 500, less: true},
	{who: oursSQL, metric: "NOT EXISTS", want: 500, less: true},
	{who: oursSQL, metric: "a rare value of a field", want: 2, less: true},
},
	reportTargets(duckPeer, 0.5, "ten best customers", "join of all events by a field",
		"window: number in the stream", "window: type before", "window: running sum"),
	reportTargets(duckPeer, 0.5, "last event of each stream", "next event of the stream", "distinct streams",
		"ten longest streams", "last version of each stream"),
	reportTargets(indexedPeer, 1, "last event of each stream", "next event of the stream", "distinct streams",
		"ten longest streams", "last version of each stream"),
	reportTargets(duckPeer, 1, "distinct types", "ten events from the middle", "one day", "events of each day",
		"busiest hours", "days, cut off", "every thousandth event", "pivot of types and days"),
	reportTargets(duckPeer, 10, "sum of a field for each type", "sum where a field is great",
		"greatest value of a field"),
	[]target{
		{who: oursSQL, metric: "writer beside 4 sums", than: oursSQL, other: "writer alone", want: 0.5},
		{who: oursSQL, metric: "writer beside 100 points", than: oursSQL, other: "writer alone", want: 0.5},
		{who: oursSQL, metric: "writer beside 4 sums", than: sqlitePeer, want: 1},
		{who: oursSQL, metric: "writer beside 100 points", than: sqlitePeer, want: 1},
		{who: oursSQL, metric: "writer beside 1000 followers", than: oursSQL, other: "writer beside 1 follower", want: 0.9},
		{who: oursSQL, metric: "delivery to 1000 followers p99", want: 5, less: true},
		{who: oursSQL, metric: "1 watcher idle", want: 0.1, less: true},
		{who: oursSQL, metric: "20 watchers idle", want: 0.1, less: true},
		{who: oursSQL, metric: "200 watchers idle", want: 0.5, less: true},
		{who: oursSQL, metric: "1 watcher p50", want: 0.5, less: true},
		{who: oursSQL, metric: "20 watchers p50", want: 0.5, less: true},
		{who: oursSQL, metric: "200 watchers p50", want: 0.5, less: true},

		{who: oursSQL, metric: "reopen", want: 10, less: true},
		{who: oursSQL, metric: "open, killed", want: 80, less: true},
		{who: oursEngine, metric: "open, append, close without syncs", want: 2, less: true},
		{who: oursEngine, metric: "verify", than: limitsName, other: "checksums", want: 0.5},
		{who: oursSQL, metric: "memory", want: 24, less: true},
		{who: oursSQL, metric: "disk", want: 400, less: true},
		{who: oursZstd, metric: "disk", want: 150, less: true},
	})

// reportTargets are targets of reports, of which the peer takes so many times as long.
func reportTargets(than string, want float64, names ...string) (some []target) {
	for _, name := range names {
		some = append(some, target{who: oursSQL, metric: name, than: than, want: want, less: true})
	}
	return some
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
	if t.than == "" && t.less {
		return figure <= t.want
	}
	return figure >= t.want
}
