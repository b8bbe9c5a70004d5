package filestore

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// News wakes who waits for what is committed, each only for what his filter can select: a commit
// costs a look-up for each name in it, however many wait for others. BenchmarkFollowers holds it,
// and TestNewsWakesWhomAScanWouldServe compares it with a scan.
type news struct {
	waiting atomic.Int32 // how many wait

	mu      sync.Mutex // protects what follows, and the fields of waiters that say so
	told    engine.Position
	lists   map[newsKey]*newsEntry
	lengths []prefixLength // of the prefixes in lists
}

// A newsKey is something in a commit that one can wait for.
type newsKey struct {
	kind newsKind
	name string // "" for anything
}

type newsKind uint8

const (
	anything newsKind = iota
	ofStream
	ofPrefix // the stream's name begins with it
	ofType
	ofTag
)

// A newsEntry is a waiter in the list of those who wait for one key.
type newsEntry struct {
	key            newsKey
	waiter         *waiter
	before, behind *newsEntry
}

// A prefixLength counts the entries for prefixes of one length in bytes.
type prefixLength struct{ length, entries int }

// A content yields what can be waited for of some events, and stops when it is told to. A nil one
// means that nobody knows.
type content func(yield func(kind newsKind, name []byte) bool)

// maxNewsKeys is how many names are looked for in what is committed for one waiter. Who asks for
// more is woken by everything.
const maxNewsKeys = 256

// newsKeys returns what an event must have one of for the filter to select it.
func newsKeys(f *engine.Filter) []newsKey {
	var keys []newsKey
	switch {
	case f.To > 0: // it ends there, whatever the events are
	case f.Streams != nil || len(f.Tags) > 0 || f.Types != nil:
		keys = keysOf(engine.Alternative{Streams: f.Streams, Tags: f.Tags, Types: f.Types})
	case f.Prefix != "":
		keys = []newsKey{{ofPrefix, f.Prefix}}
	case f.Any != nil:
		keys = make([]newsKey, 0, len(f.Any))
		for _, a := range f.Any {
			keys = append(keys, keysOf(a)...)
		}
	}
	slices.SortFunc(keys, compareKeys)
	keys = slices.Compact(keys)
	if keys == nil || len(keys) > maxNewsKeys || len(keys) > 0 && keys[0].kind == anything {
		return []newsKey{{kind: anything}}
	}
	if len(keys) == 0 {
		return []newsKey{{kind: ofStream}} // which no stream is called; but alarm finds who waits
	}
	return keys
}

func compareKeys(a, b newsKey) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
}

// keysOf returns the keys of one alternative: of the narrowest of its fields.
func keysOf(a engine.Alternative) []newsKey {
	kind, list := ofType, a.Types
	switch {
	case a.Streams != nil:
		kind, list = ofStream, a.Streams
	case len(a.Tags) > 0:
		kind, list = ofTag, a.Tags[:1] // an event must have all of them
	case a.Types == nil:
		return []newsKey{{kind: anything}}
	}
	keys := make([]newsKey, len(list))
	for i, name := range list {
		keys[i] = newsKey{kind, name}
	}
	return keys
}

// enter lets a waiter be woken by what is committed from now on. It returns false if it knows that
// there is something at or behind from already.
func (n *news) enter(w *waiter, from engine.Position) bool {
	n.waiting.Add(1) // before what is durable is looked at: see tell
	n.mu.Lock()
	defer n.mu.Unlock()
	w.from, w.begin = from, from
	select {
	case <-w.wake:
	default:
	}
	if n.told > from {
		return false
	}
	w.listed = true
	for i := range w.entries {
		n.linkLocked(&w.entries[i])
	}
	return true
}

// leave takes a waiter out again.
func (n *news) leave(w *waiter) {
	n.mu.Lock()
	w.begin = n.passedLocked(w)
	n.dropLocked(w)
	n.mu.Unlock()
	n.waiting.Add(-1)
}

// passed returns how far nothing concerns a waiter.
func (n *news) passed(w *waiter) engine.Position {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.passedLocked(w)
}

func (n *news) passedLocked(w *waiter) engine.Position {
	if w.listed {
		return max(w.from, n.told)
	}
	return w.begin
}

// tell wakes those whom the events from begin to end can concern, which readers see already. It
// costs one load while nobody waits: whoever is not counted yet sees the events himself.
func (n *news) tell(begin, end engine.Position, what content) {
	if n.waiting.Load() == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = max(n.told, end)
	wake := func(w *waiter) {
		if end > w.from {
			n.wakeLocked(w, max(w.from, begin))
		}
	}
	if what == nil {
		n.eachLocked(wake)
		return
	}
	n.eachOfLocked(newsKey{kind: anything}, wake)
	if len(n.lists) == 0 {
		return
	}
	what(func(kind newsKind, name []byte) bool {
		if n.lists[newsKey{kind, string(name)}] != nil { // which costs no memory
			n.eachOfLocked(newsKey{kind, string(name)}, wake)
		}
		if kind == ofStream {
			n.wakePrefixesLocked(name, wake)
		}
		return len(n.lists) > 0
	})
}

func (n *news) wakePrefixesLocked(stream []byte, wake func(*waiter)) {
	for i := len(n.lengths) - 1; i >= 0; i-- { // waking may take out the one at i
		length := n.lengths[i].length
		if length > len(stream) || n.lists[newsKey{ofPrefix, string(stream[:length])}] == nil {
			continue
		}
		n.eachOfLocked(newsKey{ofPrefix, string(stream[:length])}, wake)
	}
}

// alarm wakes everybody, to look whether the store has ended.
func (n *news) alarm() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.eachLocked(func(w *waiter) { n.wakeLocked(w, w.from) })
}

func (n *news) eachLocked(do func(*waiter)) {
	for key := range n.lists {
		n.eachOfLocked(key, do)
	}
}

// eachOfLocked calls do, which may take its waiter out, for those who wait for a key.
func (n *news) eachOfLocked(key newsKey, do func(*waiter)) {
	for e := n.lists[key]; e != nil; {
		behind := e.behind
		do(e.waiter)
		e = behind
	}
}

func (n *news) wakeLocked(w *waiter, begin engine.Position) {
	n.dropLocked(w)
	w.begin = begin
	w.wake <- struct{}{} // which is empty: it was emptied when w was listed, and w is told once
}

func (n *news) linkLocked(e *newsEntry) {
	if n.lists == nil {
		n.lists = map[newsKey]*newsEntry{}
	}
	first := n.lists[e.key]
	e.before, e.behind = nil, first
	if first != nil {
		first.before = e
	}
	n.lists[e.key] = e
	if e.key.kind == ofPrefix {
		n.countPrefixLocked(len(e.key.name), 1)
	}
}

// dropLocked takes a waiter out of all lists, if it is in them.
func (n *news) dropLocked(w *waiter) {
	if !w.listed {
		return
	}
	w.listed = false
	for i := range w.entries {
		n.unlinkLocked(&w.entries[i])
	}
}

func (n *news) unlinkLocked(e *newsEntry) {
	if e.behind != nil {
		e.behind.before = e.before
	}
	switch {
	case e.before != nil:
		e.before.behind = e.behind
	case e.behind != nil:
		n.lists[e.key] = e.behind
	default:
		delete(n.lists, e.key)
	}
	e.before, e.behind = nil, nil
	if e.key.kind == ofPrefix {
		n.countPrefixLocked(len(e.key.name), -1)
	}
}

// countPrefixLocked adds to the number of entries whose prefixes have a length.
func (n *news) countPrefixLocked(length, add int) {
	i := slices.IndexFunc(n.lengths, func(p prefixLength) bool { return p.length == length })
	if i < 0 {
		n.lengths = append(n.lengths, prefixLength{length: length})
		i = len(n.lengths) - 1
	}
	if n.lengths[i].entries += add; n.lengths[i].entries == 0 {
		n.lengths = slices.Delete(n.lengths, i, i+1)
	}
}

// recordNames yields the names of the events whose records b begins with, count of them.
func recordNames(b []byte, count int) content {
	return func(yield func(newsKind, []byte) bool) {
		var r format.Record
		var stream, typ []byte // of the record before
		for range count {
			if r.Decode(b) != nil {
				return // they have all been decoded before
			}
			if string(r.Stream) != string(stream) && !yield(ofStream, r.Stream) ||
				string(r.Type) != string(typ) && !yield(ofType, r.Type) {
				return
			}
			stream, typ = r.Stream, r.Type
			more := true
			format.EachTag(r.Tags, func(tag []byte) bool {
				more = yield(ofTag, tag)
				return more
			})
			if !more {
				return
			}
			b = b[r.Size:]
		}
	}
}

// A gathering holds the names of frames that are read one after the other, to tell of them when
// readers see the events. A nil one gathers nothing.
type gathering struct {
	keys map[newsKey]struct{}
	lost bool // nobody knows them all
}

func newGathering() *gathering { return &gathering{keys: map[newsKey]struct{}{}} }

// maxGathered bounds the memory of a gathering.
const maxGathered = 4096

// add adds the names of a frame's records.
func (g *gathering) add(f *logFrame) {
	if g == nil || g.lost || f.Kind != format.FrameEvents {
		return
	}
	recordNames(format.FrameRecords(f.bytes), int(f.Count))(func(kind newsKind, name []byte) bool {
		if _, ok := g.keys[newsKey{kind, string(name)}]; !ok { // which costs no memory
			g.keys[newsKey{kind, string(name)}] = struct{}{}
		}
		g.lost = len(g.keys) > maxGathered
		return !g.lost
	})
}

// lose notes that there is something of which the names are not known.
func (g *gathering) lose() {
	if g != nil {
		g.lost = true
	}
}

// content yields what was gathered.
func (g *gathering) content() content {
	if g == nil || g.lost {
		return nil
	}
	return func(yield func(newsKind, []byte) bool) {
		for key := range g.keys {
			if !yield(key.kind, []byte(key.name)) {
				return
			}
		}
	}
}
