package enginetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/testenv"
)

// Differential does the same random things to a store and to a [Model], steps of them in each of
// rounds stores, and wants the same answers. It prints the seed of a round that fails; [Play]
// repeats it.
func Differential(t *testing.T, open func(t *testing.T) engine.Store, rounds, steps int) {
	first := testenv.Seed(t)
	for round := range rounds {
		seed := first + uint64(round)
		s := open(t)
		failed := Play(t.Context(), s, NewModel(), rand.New(rand.NewPCG(seed, 0)), steps, 1)
		if err := s.Close(); failed == nil {
			failed = err
		}
		require.NoError(t, failed, "seed %d", seed)
	}
}

// Play does steps random things to a store and to the model, which holds the same events, and
// returns the first difference. Every so many steps (compare) it compares all that can be read.
func Play(ctx context.Context, s engine.Store, m *Model, r *rand.Rand, steps, compare int) error {
	eraser, erases := s.(engine.Eraser)
	g := &generator{r: r, model: m, erases: erases}
	m.HoldErasures()
	for step := range steps {
		batch := g.batch()
		got, gotErr := s.Append(ctx, batch...)
		want, wantErr := m.append(ctx, batch, got)
		if d := differ(describe(want, wantErr), describe(got, gotErr)); d != "" {
			return fmt.Errorf("step %d: append of %+v: %s", step, batch, d)
		}
		if gotErr == nil && erases {
			if err := copyErasuresDone(ctx, eraser, m); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
		if step%compare != 0 {
			continue
		}
		if err := g.compareReads(ctx, s); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	return Same(ctx, s, m)
}

// Same compares all events, streams and types of a store with the model's.
func Same(ctx context.Context, s engine.Store, m *Model) error {
	return SameIndex(ctx, m.ReadIndex(), s.ReadIndex())
}

// SameIndex compares all events, streams and types of two indexes.
func SameIndex(ctx context.Context, want, got engine.ReadIndex) error {
	return errors.Join(
		sameScan(ctx, want, got, engine.Filter{}),
		sameEvents("the log", want.ReadAll(ctx, 0, engine.Forwards), got.ReadAll(ctx, 0, engine.Forwards)),
		sameEvents("the log backwards", want.ReadAll(ctx, want.Head(), engine.Backwards),
			got.ReadAll(ctx, want.Head(), engine.Backwards)),
		sameStreams("", want.Streams(ctx, ""), got.Streams(ctx, "")),
		sameTypes(ctx, want, got),
	)
}

// SameByIndex asks the store for every stream, type, tag and id of the model one by one, and
// compares the answers.
func SameByIndex(ctx context.Context, s engine.Store, m *Model) error {
	got, want := s.ReadIndex(), m.ReadIndex().(*modelView)
	filters := map[string]engine.Filter{}
	for i := range want.events {
		e := &want.events[i]
		filters["stream "+e.Stream] = engine.Filter{Streams: []string{e.Stream}}
		filters["type "+e.Type] = engine.Filter{Types: []string{e.Type}}
		for _, tag := range e.Tags {
			filters["tag "+tag] = engine.Filter{Tags: []string{tag}}
		}
		if i%16 == 0 {
			filters["id "+e.ID.String()] = engine.Filter{IDs: []uuid.UUID{e.ID}}
			filters["time "+e.RecordedAt.String()] = engine.Filter{Since: e.RecordedAt, Limit: 3}
		}
	}
	for what, f := range filters {
		if err := sameScan(ctx, want, got, f); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		for _, stream := range f.Streams {
			v, ok, err := got.StreamVersion(stream)
			wantV, wantOK, _ := want.version(stream)
			err = errors.Join(err, same("version of "+stream, fmt.Sprint(wantV, wantOK), fmt.Sprint(v, ok)),
				sameEvents(what, want.ReadStream(ctx, stream, wantV, engine.Backwards),
					got.ReadStream(ctx, stream, wantV, engine.Backwards)))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// describe turns an outcome into words.
func describe(done engine.Appended, err error) string {
	var (
		conflict  *engine.ConflictError
		duplicate *engine.DuplicateEventError
		invalid   *engine.InvalidError
		large     *engine.TooLargeError
	)
	switch {
	case err == nil && len(done.Events) == 0:
		return "nothing to append"
	case err == nil:
		return fmt.Sprintf("%v at %d, duplicate %v", done.Events, done.RecordedAt.UnixMicro(), done.Duplicate)
	case errors.As(err, &conflict):
		text := fmt.Sprintf("conflict at head %d:", conflict.Head)
		for _, c := range conflict.Checks {
			text += fmt.Sprintf(" %d/%d %s expected %v", c.Append, c.Check, c.Stream, c.Expected)
			text += fmt.Sprintf(" actual %d", c.Actual)
			for _, e := range c.Conflicts {
				text += " conflict " + eventText(&e)
			}
		}
		return text
	case errors.As(err, &duplicate):
		return fmt.Sprintf("duplicate %s %v", duplicate.ID, duplicate.Kind)
	case errors.As(err, &invalid):
		return fmt.Sprintf("invalid %s of %d/%d", invalid.Field, invalid.Append, invalid.Event)
	case errors.As(err, &large):
		return fmt.Sprintf("%s too large, limit %d", large.What, large.Limit)
	}
	return err.Error()
}

func differ(want, got string) string {
	if want == got {
		return ""
	}
	return fmt.Sprintf("the model says\n\t%s\nthe store says\n\t%s", want, got)
}

func sameEvents(what string, want, got engine.Cursor) error {
	defer want.Close()
	defer got.Close()
	for i := 0; ; i++ {
		more, wantMore := got.Next(), want.Next()
		if more != wantMore {
			return errors.Join(got.Err(),
				fmt.Errorf("%s: at event %d the model says %v, the store %v", what, i, wantMore, more))
		}
		if !more {
			break
		}
		if d := sameEvent(want.Event(), got.Event()); d != "" {
			return fmt.Errorf("%s, event %d: %s", what, i, d)
		}
	}
	if d := differ(fmt.Sprint(want.Err()), fmt.Sprint(got.Err())); d != "" {
		return errors.Join(got.Err(), fmt.Errorf("%s: error: %s", what, d))
	}
	return got.Close()
}

func sameStreams(prefix string, want, got engine.StreamCursor) error {
	wantList, _ := infos(want)
	gotList, err := infos(got)
	if err != nil {
		return err
	}
	text := func(list []engine.StreamInfo) (s string) {
		for _, i := range list {
			s += fmt.Sprintf("%s %d %d %d %d %d %d; ", i.Stream, i.Version, i.Events, i.FirstPosition, i.LastPosition,
				i.CreatedAt.UnixMicro(), i.UpdatedAt.UnixMicro())
		}
		return s
	}
	if d := differ(text(wantList), text(gotList)); d != "" {
		return fmt.Errorf("streams with prefix %q: %s", prefix, d)
	}
	return nil
}

func sameTypes(ctx context.Context, want, got engine.ReadIndex) error {
	wantTypes, _ := want.Types(ctx)
	gotTypes, err := got.Types(ctx)
	if err != nil {
		return err
	}
	if d := differ(fmt.Sprintf("%+v", wantTypes), fmt.Sprintf("%+v", gotTypes)); d != "" &&
		len(wantTypes)+len(gotTypes) > 0 {
		return fmt.Errorf("types: %s", d)
	}
	return nil
}

// A generator makes random things to do, near to what the model holds.
type generator struct {
	r      *rand.Rand
	model  *Model
	erases bool // erasures are among the things to do
}

func (g *generator) some(n int) bool { return g.r.IntN(n) == 0 }

func (g *generator) stream() string { return fmt.Sprintf("s-%d", g.r.IntN(1+g.r.IntN(30))) }

func (g *generator) typ() string { return string(rune('a' + g.r.IntN(6))) }

func (g *generator) batch() []engine.Append {
	if events := g.model.events; g.some(6) && len(events) > 0 {
		return g.repeat(events)
	}
	batch := make([]engine.Append, 1+g.r.IntN(3)*g.r.IntN(2))
	for i := range batch {
		a := engine.Append{Stream: g.stream()}
		for range g.r.IntN(4) {
			a.Events = append(a.Events, g.event())
		}
		for range g.r.IntN(3) * g.r.IntN(2) {
			a.Expect = append(a.Expect, g.expectation(a.Stream))
		}
		batch[i] = a
	}
	if spans := g.spans(); g.erases && g.some(15) && len(spans) > 0 {
		// an error may show what conditions behind it have found of it: that must not be random
		e, at := &engine.Erasure{Events: spans, Reason: "random"}, g.r.IntN(len(batch)+1)
		if at < len(batch) {
			e.ID = uuid.Must(uuid.NewV7())
		}
		batch = slices.Insert(batch, at, engine.Append{Erase: e})
	}
	if g.erases && g.some(20) { // again now and then, by the same or by somebody else
		e := &engine.Erasure{
			ID: uuid.NewSHA1(uuid.Nil, []byte{byte(g.r.IntN(20))}), Subject: "3f2a", Revision: 1, Reason: "random",
			Actor: []string{"", "actor"}[g.r.IntN(10)/9],
		}
		batch = slices.Insert(batch, g.r.IntN(len(batch)+1), engine.Append{Erase: e})
	}
	if g.some(20) {
		batch = slices.Insert(batch, g.r.IntN(len(batch)+1), g.definition())
	}
	return batch
}

// definition defines one of a few views, expecting now and then something of the others.
func (g *generator) definition() engine.Append {
	a := engine.Append{Define: &engine.Definition{
		Name: string(rune('v' + g.r.IntN(4))), Kind: "view", Text: []string{"SELECT 1", ""}[g.r.IntN(2)],
	}}
	for range g.r.IntN(2) {
		a.Expect = append(a.Expect, g.expectation(engine.ViewsStream))
	}
	return a
}

// spans are some positions to erase, now and then such as cannot be.
func (g *generator) spans() (spans engine.Spans) {
	head := len(g.model.events)
	for p := g.r.IntN(1 + head/2); p < head; p += 1 + g.r.IntN(1+head/2) {
		to := min(p+1+g.r.IntN(4), head+g.r.IntN(2)*g.r.IntN(2)*g.r.IntN(2))
		for ; p < to; p++ {
			if p >= head || g.model.events[p].Stream[0] != '$' || g.some(20) {
				spans.Add(engine.Span{From: engine.Position(p), To: engine.Position(p + 1)})
			}
		}
	}
	return spans
}

// repeat makes an append of stored events, often with something changed.
func (g *generator) repeat(events []engine.Event) []engine.Append {
	from := g.r.IntN(len(events))
	var batch []engine.Append
	for _, e := range events[from:min(from+1+g.r.IntN(4), len(events))] {
		batch = append(batch, engine.Append{Stream: e.Stream, Events: []engine.NewEvent{again(&e)}})
	}
	i := g.r.IntN(len(batch))
	switch e := &batch[i].Events[0]; g.r.IntN(8) {
	case 0:
		e.Type += "x"
	case 1:
		e.Payload = append([]byte("x"), e.Payload...)
	case 2:
		batch[i].Stream += "x"
	case 3:
		batch = append(batch, engine.Append{Stream: g.stream(), Events: []engine.NewEvent{g.event()}})
	case 4:
		g.r.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	case 5:
		batch = append(batch, batch[i])
	}
	return batch
}

func (g *generator) event() engine.NewEvent {
	e := engine.NewEvent{Type: g.typ()}
	switch g.r.IntN(6) {
	case 0:
	case 1:
		e.Payload = []byte{}
	case 2:
		e.Payload = make([]byte, g.r.IntN(2000))
		for i := range e.Payload {
			e.Payload[i] = byte(g.r.IntN(4))
		}
	default:
		e.Payload = fmt.Appendf(nil, `{"n": %d}`, g.r.IntN(100))
	}
	if g.some(3) {
		e.ID = uuid.Must(uuid.NewV7())
		if g.some(2) {
			e.ID = uuid.UUID{byte(g.r.IntN(4)), 1, byte(g.r.IntN(200))} // no version at all, now and then the same
		}
	}
	if g.some(4) {
		e.Metadata = fmt.Appendf(nil, `{"user":%d}`, g.r.IntN(9))
	}
	for i := range g.r.IntN(4) * g.r.IntN(2) {
		e.Tags = append(e.Tags, fmt.Sprintf("%d-%d", g.r.IntN(5), i))
	}
	if g.some(60) {
		e.Type = ""
	}
	return e
}

func (g *generator) expectation(stream string) engine.Expectation {
	v, _, _ := g.model.ReadIndex().StreamVersion(stream)
	switch g.r.IntN(8) {
	case 0:
		return engine.NoStream
	case 1:
		return engine.StreamExists
	case 2:
		return engine.Any
	case 3:
		return engine.Exact(max(v+engine.Version(g.r.IntN(3)-1), engine.NoVersion))
	case 4, 5:
		after := engine.Position(len(g.model.events) - 1 - g.r.IntN(5) + g.r.IntN(2)*g.r.IntN(2)*g.r.IntN(2))
		return &engine.Condition{After: max(after, engine.NoPosition), Where: g.filter(), LogOnly: g.some(8)}
	}
	return engine.Exact(v)
}

// filter makes a filter near to what is stored.
func (g *generator) filter() engine.Filter {
	var f engine.Filter
	events := g.model.events
	head := len(events)
	if g.some(3) {
		f.From = engine.Position(g.r.IntN(head + 3))
	}
	if g.some(3) {
		f.To = engine.Position(g.r.IntN(head + 3))
	}
	if g.some(2) {
		for range g.r.IntN(3) {
			f.Streams = append(f.Streams, g.stream())
		}
	} else if g.some(4) {
		f.Prefix = g.stream()
	}
	if g.some(3) {
		for range g.r.IntN(3) {
			f.Types = append(f.Types, g.typ())
		}
	}
	if g.some(4) {
		f.Tags = []string{fmt.Sprintf("%d-%d", g.r.IntN(5), g.r.IntN(2))}
	}
	if g.some(4) {
		f.Any = []engine.Alternative{}
		for range g.r.IntN(3) {
			f.Any = append(f.Any, engine.Alternative{Types: []string{g.typ()}},
				engine.Alternative{Streams: []string{g.stream()}, Types: []string{g.typ()}},
				engine.Alternative{Tags: []string{fmt.Sprintf("%d-%d", g.r.IntN(5), g.r.IntN(2))}})
		}
	}
	if g.some(6) {
		f.MinVersion = engine.Version(g.r.IntN(20))
	}
	if g.some(6) {
		f.MaxVersion, f.HasMaxVersion = engine.Version(g.r.IntN(20)), true
	}
	if head > 0 && g.some(8) {
		f.Since = events[g.r.IntN(head)].RecordedAt
	}
	if head > 0 && g.some(8) {
		f.Before = events[g.r.IntN(head)].RecordedAt.Add(time.Microsecond)
	}
	if head > 0 && g.some(8) {
		f.IDs = append(f.IDs, events[g.r.IntN(head)].ID, events[g.r.IntN(head)].ID)
	}
	if g.some(2) {
		f.Direction = engine.Backwards
	}
	if g.some(8) {
		f.Limit = 1 + g.r.IntN(5)
	}
	return f
}

// compareReads asks both one question of each kind, now or as of an earlier head.
func (g *generator) compareReads(ctx context.Context, s engine.Store) error {
	got, want := s.ReadIndex(), g.model.ReadIndex()
	if got.Head() != want.Head() {
		return fmt.Errorf("the head is %d, the model's %d", got.Head(), want.Head())
	}
	if g.some(3) {
		h := engine.Position(g.r.IntN(int(want.Head()) + 1))
		got, want = got.At(h), want.At(h)
	}
	dir := directions[g.r.IntN(2)]
	from := engine.Position(g.r.IntN(int(want.Head())+3) - 1)
	stream := g.stream()
	version := engine.Version(g.r.IntN(12) - 1)
	f := g.filter()
	v, ok, err := got.StreamVersion(stream)
	wantV, wantOK, _ := want.StreamVersion(stream)
	return errors.Join(err,
		same("version of "+stream, fmt.Sprint(wantV, wantOK), fmt.Sprint(v, ok)),
		sameEvents(fmt.Sprintf("ReadAll from %d, direction %d", from, dir), want.ReadAll(ctx, from, dir),
			got.ReadAll(ctx, from, dir)),
		sameEvents(fmt.Sprintf("ReadStream %s from %d, direction %d", stream, version, dir),
			want.ReadStream(ctx, stream, version, dir), got.ReadStream(ctx, stream, version, dir)),
		sameScan(ctx, want, got, f),
		sameStreams(stream, want.Streams(ctx, stream), got.Streams(ctx, stream)),
	)
}

func same(what, want, got string) error {
	if d := differ(want, got); d != "" {
		return fmt.Errorf("%s: %s", what, d)
	}
	return nil
}

// sameScan compares a scan and a count. A scan with a limit may stop after that many events.
func sameScan(ctx context.Context, want, got engine.ReadIndex, f engine.Filter) error {
	wantEvents, _ := eventsOf(want.Scan(ctx, f, engine.ColAll))
	gotEvents, err := eventsOf(got.Scan(ctx, f, engine.ColAll))
	if err != nil {
		return fmt.Errorf("scan %+v: %w", f, err)
	}
	n, err := got.Count(ctx, f)
	if err != nil {
		return err
	}
	if n != int64(len(wantEvents)) {
		return fmt.Errorf("count %+v: %d, the model says %d", f, n, len(wantEvents))
	}
	if f.Limit > 0 && len(gotEvents) >= f.Limit {
		wantEvents = wantEvents[:min(len(gotEvents), len(wantEvents))]
	}
	if len(gotEvents) != len(wantEvents) {
		return fmt.Errorf("scan %+v: %d events, the model has %d", f, len(gotEvents), len(wantEvents))
	}
	for i := range wantEvents {
		if d := sameEvent(&wantEvents[i], &gotEvents[i]); d != "" {
			return fmt.Errorf("scan %+v, event %d: %s", f, i, d)
		}
	}
	return sameColumns(ctx, wantEvents, got, f)
}

// indexColumns are sets of columns that an engine may know without reading an event.
var indexColumns = []engine.ColumnSet{
	0, engine.ColType, engine.ColTime, engine.ColVersion, engine.ColVersion | engine.ColType | engine.ColTime,
}

// sameColumns compares a scan of one of the sets of indexColumns.
func sameColumns(ctx context.Context, want []engine.Event, got engine.ReadIndex, f engine.Filter) error {
	set := indexColumns[(uint(len(want))+uint(f.From)+uint(f.MinVersion))%uint(len(indexColumns))]
	c := got.Scan(ctx, f, set)
	defer c.Close()
	n := 0
	for b := c.Next(); b != nil; b = c.Next() {
		for i := range b.Len {
			if n == len(want) && f.Limit > 0 {
				return nil
			}
			if n >= len(want) || want[n].Position != b.Positions[i] ||
				set&engine.ColVersion != 0 && want[n].Version != b.Versions[i] ||
				set&engine.ColType != 0 && want[n].Type != b.Types[i] ||
				set&engine.ColTime != 0 && want[n].RecordedAt.UnixMicro() != b.Times[i] {
				return fmt.Errorf("scan %+v of columns %b: event %d, at %d, is another", f, set, n, b.Positions[i])
			}
			n++
		}
	}
	if err := c.Err(); err != nil || n != len(want) && (f.Limit <= 0 || n < f.Limit) {
		return fmt.Errorf("scan %+v of columns %b: %d events of %d, %v", f, set, n, len(want), err)
	}
	return nil
}
