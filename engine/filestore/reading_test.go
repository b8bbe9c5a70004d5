package filestore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/filestore/internal/index/indextest"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// A handLog is a log made by hand, frame by frame, beside the list of the events in it.
type handLog struct {
	t      testing.TB
	fs     vfs.FS
	shared *readShared
	view   *view
	events []engine.Event // what is in it

	versions map[string]engine.Version
	off      int64
	before   int64 // offset of the previous frame
	chain    [32]byte
	micros   int64
}

func newHandLog(t testing.TB, fsys vfs.FS) *handLog {
	l := &handLog{t: t, fs: fsys, versions: map[string]engine.Version{}, micros: 1_700_000_000_000_000}
	l.shared = &readShared{ended: func() error { return nil }}
	l.view = &view{store: indextest.Store}
	l.segment()
	return l
}

// segment begins the next segment.
func (l *handLog) segment() {
	n := int64(len(l.view.segments) + 1)
	name := fmt.Sprintf("%012d.log", n)
	f, err := l.fs.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	require.NoError(l.t, err)
	seg := &segment{number: n, base: engine.Position(len(l.events)), name: name, file: f}
	seg.setIndex(index.NewMemory(seg.base, l.view.store))
	v := *l.view
	v.segments = append(slices.Clone(v.segments), seg)
	l.view = &v
	l.off, l.before = format.SegmentHeaderSize, 0
}

func (l *handLog) last() *segment { return l.view.segments[len(l.view.segments)-1] }

// frame writes one frame at the place where the log ends.
func (l *handLog) frame(kind format.FrameKind, first, count int, records []byte) {
	seg := l.last()
	h := format.FrameHeader{
		First:    engine.Position(first),
		Count:    uint32(count),
		Kind:     kind,
		Micros:   l.micros,
		Previous: uint32(l.before),
	}
	at := format.Place{Store: l.view.store, Segment: seg.number, Offset: l.off}
	b, chain := format.SealFrame(append(make([]byte, format.FrameHeaderSize), records...), &h, at, l.chain, nil)
	_, err := seg.file.WriteAt(b, l.off)
	require.NoError(l.t, err)
	indexFrame(seg.index().(*index.Memory), &h, b, l.off)
	l.chain, l.before, l.off = chain, l.off, l.off+int64(len(b))
}

// append writes events, of which stream, id, type, payload, metadata and tags are given, as one
// frame.
func (l *handLog) append(events ...engine.Event) {
	var b []byte
	first := len(l.events)
	for _, e := range events {
		e.Position = engine.Position(len(l.events))
		e.Version = l.versions[e.Stream]
		l.versions[e.Stream]++
		add := uint32(len(l.events) - first) // each event of a frame has a time of its own
		e.RecordedAt = time.UnixMicro(l.micros + int64(add)).UTC()
		var flags uint8
		if e.JSON {
			flags |= format.FlagJSON
		}
		if e.Payload == nil {
			flags |= format.FlagNull
		}
		start := len(b)
		salt := format.Salt{byte(e.Position)}
		b = format.AppendRecord(b, flags, e.ID, e.Stream, e.Type, e.Tags, &salt, e.Metadata, e.Payload)
		format.FinishRecord(b[start:], indextest.Store, e.Position, e.Version, add)
		if e.Redacted {
			require.NoError(l.t, format.EraseRecord(b[start:], indextest.Store, e.Position))
			e.Payload, e.Metadata, e.JSON = nil, nil, false
		}
		if e.Metadata == nil {
			e.Metadata = []byte("{}")
		}
		l.events = append(l.events, e)
	}
	l.frame(format.FrameEvents, first, len(events), b)
	l.micros += int64(len(events)) + 5
}

// seal completes the segment and begins the next.
func (l *handLog) seal() {
	seg := l.last()
	l.off = format.AlignUp(l.off, format.PageSize)
	l.frame(format.FrameSeal, len(l.events), 0, nil)
	of := l.events[seg.base:]
	info := &sealedInfo{end: l.off, count: uint32(len(of)), lastChain: l.chain}
	if len(of) > 0 {
		info.least, info.greatest = of[0].RecordedAt.UnixMicro(), of[len(of)-1].RecordedAt.UnixMicro()
	}
	seg.sealed.Store(info)
	l.segment()
}

// supersede lets the segment end before one of its frames; what follows is moved to the next
// segment, as recovery does it. The bytes stay where they are, and an index in memory still knows
// them.
func (l *handLog) supersede(r *rand.Rand) {
	seg := l.last()
	if engine.Position(len(l.events)) == seg.base {
		return
	}
	ord := uint32(r.IntN(len(l.events) - int(seg.base)))
	off, first, err := seg.index().Frame(ord)
	require.NoError(l.t, err)
	cut := seg.base + engine.Position(first)
	moved := slices.Clone(l.events[cut:])
	l.events = l.events[:cut]
	info := &sealedInfo{end: off, count: first}
	if first > 0 {
		info.least, info.greatest = l.events[seg.base].RecordedAt.UnixMicro(), l.events[cut-1].RecordedAt.UnixMicro()
	}
	seg.sealed.Store(info)
	for _, e := range slices.Backward(moved) {
		l.versions[e.Stream] = e.Version
	}
	l.segment()
	l.append(moved...)
}

func (l *handLog) index() *readIndex {
	return newReadIndex(l.shared, l.view, engine.Position(len(l.events)))
}

var (
	testStreams = []string{"account-1", "account-2", "account-3", "order-1", "order-2", "order-33", "x"}
	testTypes   = []string{"Opened", "Deposited", "Withdrawn", "Closed", "Rare"}
	testTags    = []string{"eu", "us", "vip", "test", "rare"}
)

// randomEvent makes an event; streams and types that come first are more frequent.
func randomEvent(r *rand.Rand, n int) engine.Event {
	pick := func(names []string) string { return names[min(r.IntN(len(names)), r.IntN(len(names)))] }
	e := engine.Event{Stream: pick(testStreams), Type: pick(testTypes)}
	if r.IntN(3) == 0 {
		e.Stream = fmt.Sprintf("one-%04d", n) // a stream with few events
	}
	for i := range e.ID {
		e.ID[i] = byte(r.Uint32())
	}
	switch r.IntN(4) {
	case 0:
	case 1:
		e.Payload = []byte{}
	case 2:
		e.Payload, e.JSON = []byte(fmt.Sprintf(`{"n": %d, "fill": "%s"}`, n, strings.Repeat("x", r.IntN(500)))), true
	case 3:
		e.Payload = bytes.Repeat([]byte{byte(n)}, r.IntN(60))
	}
	if r.IntN(3) == 0 {
		e.Metadata = []byte(fmt.Sprintf(`{"user": %d}`, r.IntN(9)))
	}
	for _, tag := range testTags {
		if r.IntN(4) == 0 && (tag != "rare" || r.IntN(20) == 0) {
			e.Tags = append(e.Tags, tag)
		}
	}
	slices.Sort(e.Tags)
	return e
}

// randomLog makes a log of about n events in about the given number of segments, with frames of all
// kinds.
func randomLog(t testing.TB, r *rand.Rand, n, segments int) *handLog {
	l := newHandLog(t, vfs.NewMem())
	for len(l.events) < n {
		frame := make([]engine.Event, 1+r.IntN(1+r.IntN(20)))
		for i := range frame {
			frame[i] = randomEvent(r, len(l.events)+i)
			frame[i].Redacted = r.IntN(10) == 0
		}
		if r.IntN(200) == 0 {
			frame[0].Payload = bytes.Repeat([]byte("large "), r.IntN(60_000))
		}
		l.append(frame...)
		if r.IntN(20) == 0 {
			l.frame(format.FrameNote, len(l.events), 0, []byte("a note"))
		}
		if r.IntN(n) < len(frame)*segments {
			switch r.IntN(5) {
			case 0:
				l.supersede(r)
			case 1:
				l.seal() // and the next holds no event
				fallthrough
			default:
				l.seal()
			}
		}
	}
	return l
}

// passes is what a filter means, said plainly.
func passes(e *engine.Event, f *engine.Filter) bool {
	any := func(ok bool, bounded bool) bool { return ok || !bounded }
	all := func(tags []string) bool {
		for _, tag := range tags {
			if !slices.Contains(e.Tags, tag) {
				return false
			}
		}
		return true
	}
	one := func(a engine.Alternative) bool {
		return any(slices.Contains(a.Streams, e.Stream), a.Streams != nil) &&
			any(slices.Contains(a.Types, e.Type), a.Types != nil) && all(a.Tags)
	}
	return e.Position >= f.From && (f.To == 0 || e.Position < f.To) &&
		(f.Since.IsZero() || !e.RecordedAt.Before(f.Since)) && (f.Before.IsZero() || e.RecordedAt.Before(f.Before)) &&
		e.Version >= f.MinVersion && (!f.HasMaxVersion || e.Version <= f.MaxVersion) &&
		any(slices.Contains(f.Streams, e.Stream), f.Streams != nil) && strings.HasPrefix(e.Stream, f.Prefix) &&
		any(slices.Contains(f.Types, e.Type), f.Types != nil) && all(f.Tags) &&
		any(slices.Contains(f.IDs, e.ID), f.IDs != nil) &&
		any(slices.ContainsFunc(f.Any, one), f.Any != nil)
}

// selected returns what a scan of the events has to give.
func selected(events []engine.Event, f *engine.Filter) []engine.Event {
	var found []engine.Event
	for i := range events {
		if passes(&events[i], f) {
			found = append(found, events[i])
		}
	}
	if f.Direction == engine.Backwards {
		slices.Reverse(found)
	}
	return found
}

// randomFilter makes a filter for a log of these events.
func randomFilter(r *rand.Rand, events []engine.Event) engine.Filter {
	some := func(names []string, more ...string) []string {
		picked := []string{}
		for range r.IntN(4) {
			picked = append(picked, append(slices.Clone(names), more...)[r.IntN(len(names)+len(more))])
		}
		return picked
	}
	at := func() *engine.Event { return &events[r.IntN(len(events))] }
	var f engine.Filter
	if r.IntN(3) == 0 {
		f.From = engine.Position(r.IntN(len(events)+2)) - 1
	}
	if r.IntN(3) == 0 {
		f.To = engine.Position(r.IntN(len(events) + 3))
	}
	if r.IntN(5) == 0 {
		f.Since = at().RecordedAt.Add(time.Duration(r.IntN(3)-1) * 500 * time.Nanosecond)
	}
	if r.IntN(5) == 0 {
		f.Before = at().RecordedAt.Add(time.Duration(r.IntN(3)-1) * 500 * time.Nanosecond)
	}
	if r.IntN(5) == 0 {
		f.MinVersion = engine.Version(r.IntN(int(at().Version) + 2))
	}
	if r.IntN(5) == 0 {
		f.MaxVersion, f.HasMaxVersion = engine.Version(r.IntN(int(at().Version)+2)), true
	}
	if r.IntN(3) == 0 {
		f.Streams = some(testStreams, at().Stream, at().Stream, "nobody")
	}
	if r.IntN(5) == 0 {
		f.Prefix = []string{"account-", "order-", "order-3", "one-", "one-00", "nobody", "x", at().Stream}[r.IntN(8)]
	}
	if r.IntN(3) == 0 {
		f.Types = some(testTypes, "Nothing")
	}
	if r.IntN(4) == 0 {
		f.Tags = some(testTags)
	}
	if r.IntN(4) == 0 {
		f.Any = []engine.Alternative{}
		for range r.IntN(4) {
			var a engine.Alternative
			if r.IntN(2) == 0 {
				a.Streams = some(testStreams, at().Stream)
			}
			if r.IntN(2) == 0 {
				a.Types = some(testTypes)
			}
			if r.IntN(2) == 0 {
				a.Tags = some(testTags)
			}
			f.Any = append(f.Any, a)
		}
	}
	if r.IntN(8) == 0 {
		f.IDs = []uuid.UUID{}
		for range r.IntN(6) {
			f.IDs = append(f.IDs, []uuid.UUID{at().ID, uuid.New()}[r.IntN(2)])
		}
	}
	if r.IntN(2) == 0 {
		f.Direction = engine.Backwards
	}
	if r.IntN(2) == 0 {
		f.Limit = 1 + r.IntN(1+r.IntN(400))
	}
	return f
}

// The random filters try every field that a filter has.
func TestRandomFiltersTryEveryField(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	l := randomLog(t, r, 100, 2)
	var tried enginetest.TriedFilters
	for range 2000 {
		tried.Add(randomFilter(r, l.events))
	}
	require.Empty(t, tried.Missing())
}

// readCursor reads a cursor to its end. Events are copied.
func readCursor(t testing.TB, c engine.Cursor) (events []engine.Event) {
	t.Helper()
	for c.Next() {
		events = append(events, *c.Event())
	}
	require.NoError(t, c.Err())
	require.False(t, c.Next())
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	return events
}

// readBatches reads a scan of all columns to its end.
func readBatches(t testing.TB, c engine.BatchCursor) (events []engine.Event) {
	t.Helper()
	for b := c.Next(); b != nil; b = c.Next() {
		require.Positive(t, b.Len)
		require.LessOrEqual(t, b.Len, 1024)
		for i := range b.Len {
			events = append(events, engine.Event{
				Position: b.Positions[i], Stream: b.Streams[i], Version: b.Versions[i], ID: b.IDs[i], Type: b.Types[i],
				Payload: b.Payloads[i], Metadata: b.Metadata[i], Tags: b.Tags[i],
				RecordedAt: time.UnixMicro(b.Times[i]).UTC(),
				JSON:       b.JSON[i], Redacted: b.Redacted[i],
			})
		}
	}
	require.NoError(t, c.Err())
	require.NoError(t, c.Close())
	return events
}

// sameEvents compares without a page of output for every difference.
func sameEvents(t testing.TB, want, got []engine.Event, what any) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		if !assertEqual(want[i], got[i]) {
			require.Equal(t, want[i], got[i], "event %d of %+v", i, what)
		}
	}
	require.Equal(t, len(want), len(got), "%+v", what)
}

func assertEqual(a, b engine.Event) bool {
	return a.Position == b.Position && a.Stream == b.Stream && a.Version == b.Version && a.ID == b.ID &&
		a.Type == b.Type &&
		bytes.Equal(a.Payload, b.Payload) && (a.Payload == nil) == (b.Payload == nil) &&
		bytes.Equal(a.Metadata, b.Metadata) &&
		slices.Equal(a.Tags, b.Tags) && (a.Tags == nil) == (b.Tags == nil) && a.RecordedAt == b.RecordedAt &&
		a.JSON == b.JSON && a.Redacted == b.Redacted
}

var bg = context.Background()

func listStreams(t testing.TB, c engine.StreamCursor) []engine.StreamInfo {
	t.Helper()
	list := []engine.StreamInfo{}
	for c.Next() {
		list = append(list, c.Stream())
	}
	require.NoError(t, c.Err())
	require.NoError(t, c.Close())
	return list
}

// streamsOf is what Streams has to give.
func streamsOf(events []engine.Event, prefix string) []engine.StreamInfo {
	byName := map[string]*engine.StreamInfo{}
	for _, e := range events {
		s := byName[e.Stream]
		if s == nil {
			s = &engine.StreamInfo{Stream: e.Stream, FirstPosition: e.Position, CreatedAt: e.RecordedAt}
			byName[e.Stream] = s
		}
		s.Version, s.LastPosition, s.UpdatedAt = e.Version, e.Position, e.RecordedAt
		s.Events++
	}
	list := []engine.StreamInfo{}
	for _, s := range byName {
		if strings.HasPrefix(s.Stream, prefix) {
			list = append(list, *s)
		}
	}
	slices.SortFunc(list, func(a, b engine.StreamInfo) int { return strings.Compare(a.Stream, b.Stream) })
	return list
}

// typesOf is what Types has to give.
func typesOf(events []engine.Event) []engine.TypeInfo {
	list := []engine.TypeInfo{}
	for _, name := range testTypes {
		info := engine.TypeInfo{Type: name}
		for _, e := range events {
			if e.Type == name {
				if info.Events == 0 {
					info.FirstPosition = e.Position
				}
				info.Events++
				info.LastPosition = e.Position
			}
		}
		if info.Events > 0 {
			list = append(list, info)
		}
	}
	slices.SortFunc(list, func(a, b engine.TypeInfo) int { return strings.Compare(a.Type, b.Type) })
	return list
}

// A hostileFile is a segment's file that watches and disturbs reads. Its fields are set before it
// is read.
type hostileFile struct {
	vfs.File
	bytes  atomic.Int64                           // read so far
	reads  atomic.Int64                           // so far
	bound  int64                                  // reading beyond it fails the test; 0 for no bound
	t      testing.TB                             // for bound
	damage func(b []byte, off int64, reads int64) // changes what was read
	fail   error                                  // what reads return
}

func (f *hostileFile) ReadAt(b []byte, off int64) (int, error) {
	if f.fail != nil {
		return 0, f.fail
	}
	if f.bound > 0 && off+int64(len(b)) > f.bound {
		f.t.Errorf("read of [%d, %d) beyond %d", off, off+int64(len(b)), f.bound)
	}
	f.bytes.Add(int64(len(b)))
	n, err := f.File.ReadAt(b, off)
	if reads := f.reads.Add(1); f.damage != nil {
		f.damage(b[:n], off, reads)
	}
	return n, err
}

// hostile puts a hostileFile before the file of segment i.
func (l *handLog) hostile(i int) *hostileFile {
	f := &hostileFile{File: l.view.segments[i].file, t: l.t}
	l.view.segments[i].file = f
	return f
}

// naive gives every sealed segment an index that is not a *Memory, as index files are, made with
// make.
func (l *handLog) naive(make func(*indextest.Model) index.Index) {
	for i, seg := range l.view.segments {
		sealed := seg.sealed.Load()
		if sealed == nil {
			continue
		}
		n := &indextest.Model{}
		of := l.events[seg.base : seg.base+engine.Position(sealed.count)]
		for ord := range of {
			e := &of[ord]
			off, err := seg.index().Offset(uint32(ord))
			require.NoError(l.t, err)
			frame, _, err := seg.index().Frame(uint32(ord))
			require.NoError(l.t, err)
			x := index.Event{Offset: off, Frame: frame, Stream: []byte(e.Stream), Type: []byte(e.Type),
				Version: e.Version, ID: e.ID,
				Micros: e.RecordedAt.UnixMicro()}
			for _, tag := range e.Tags {
				x.Tags = append(x.Tags, []byte(tag))
			}
			n.Events = append(n.Events, x)
		}
		l.view.segments[i].setIndex(make(n))
	}
}

// sparseIndex knows only every 64th event's frame, so that readers have to look for the others.
type sparseIndex struct{ *indextest.Model }

func (s sparseIndex) Frame(ord uint32) (int64, uint32, error) { return s.Model.Frame(ord &^ 63) }

// brokenIndex fails after some answers.
type brokenIndex struct {
	index.Index
	answers *atomic.Int64 // to come
}

var errBrokenIndex = errors.New("the index file is damaged")

func (b brokenIndex) broken() error {
	if b.answers.Add(-1) < 0 {
		return errBrokenIndex
	}
	return nil
}

func (b brokenIndex) Offset(ord uint32) (int64, error) {
	off, err := b.Index.Offset(ord)
	return off, cmp.Or(b.broken(), err)
}

func (b brokenIndex) Frame(ord uint32) (int64, uint32, error) {
	off, first, err := b.Index.Frame(ord)
	return off, first, cmp.Or(b.broken(), err)
}

func (b brokenIndex) Since(micros int64, limit uint32) (uint32, error) {
	ord, err := b.Index.Since(micros, limit)
	return ord, cmp.Or(b.broken(), err)
}

func (b brokenIndex) RecordedAt(ord uint32) (int64, error) {
	micros, err := b.Index.RecordedAt(ord)
	return micros, cmp.Or(b.broken(), err)
}

func (b brokenIndex) Lookup(d index.Dictionary, key string, limit uint32) (index.Entry, bool, error) {
	e, ok, err := b.Index.Lookup(d, key, limit)
	return e, ok, cmp.Or(b.broken(), err)
}

func (b brokenIndex) Postings(d index.Dictionary, key string, lo, hi uint32, dst []uint32) ([]uint32, error) {
	ords, err := b.Index.Postings(d, key, lo, hi, dst)
	if err := b.broken(); err != nil {
		return append(dst, 1, 2, 3), err // half an answer
	}
	return ords, err
}

func (b brokenIndex) Keys(d index.Dictionary, prefix string, limit uint32, yield func(index.Entry) bool) error {
	var broken error
	err := b.Index.Keys(d, prefix, limit, func(e index.Entry) bool {
		broken = b.broken()
		return broken == nil && yield(e)
	})
	return cmp.Or(broken, err)
}

func (b brokenIndex) Candidates(id uuid.UUID, limit uint32, dst []uint32) ([]uint32, error) {
	ords, err := b.Index.Candidates(id, limit, dst)
	if err := b.broken(); err != nil {
		return append(dst, 1, 2, 3), err
	}
	return ords, err
}

// mem gives every segment an index in memory again.
func (l *handLog) mem() {
	for _, seg := range l.view.segments {
		if sealed := seg.sealed.Load(); sealed != nil {
			s := segmentReader{ctx: bg, shared: l.shared, store: l.view.store, seg: seg}
			m, err := s.scanIndex()
			require.NoError(l.t, err)
			seg.setIndex(m)
		}
	}
}
