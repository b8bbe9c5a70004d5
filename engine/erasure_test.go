package engine_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/testenv"
)

// what an erasure tells can be read from its events, however many they are, and each fits into the
// smallest event that a store may be limited to.
func TestErasuresAreToldInPartsThatFit(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 1))
	for _, n := range []int{1, 2, 10, 100_000} {
		var spans engine.Spans
		p := engine.Position(0)
		for range n {
			p += 2 + engine.Position(r.IntN(100))
			size := 1 + engine.Position(r.IntN(3))
			spans.Add(engine.Span{From: p, To: p + size})
			p += size
		}
		e := &engine.Erasure{
			ID: uuid.New(), Events: spans, Reason: strings.Repeat("\x01", engine.MaxReasonSize), Actor: "Zoë",
		}
		require.NoError(t, e.Check(0, p))
		events := e.NewEvents()
		require.Equal(t, events, e.NewEvents(), "the same again")
		var all engine.Spans
		ids := map[uuid.UUID]bool{}
		for i, event := range events {
			assert.LessOrEqual(t, len(event.Payload)+len(event.Type), engine.MinEventLimit)
			ids[event.ID] = true
			part, err := engine.ParseErased(event.Payload)
			require.NoError(t, err)
			assert.Equal(t, []any{e.ID, i, len(events), spans.Count(), e.Reason, e.Actor},
				[]any{part.Erasure, part.Part, part.Parts, part.Total, part.Reason, part.Actor})
			all = append(all, part.Events...)
		}
		assert.Equal(t, spans, all)
		assert.Len(t, ids, len(events))
	}
}

func TestErasuresThatCanNeverBeAreRefused(t *testing.T) {
	valid := func() *engine.Erasure {
		return &engine.Erasure{Events: engine.Spans{{From: 2, To: 4}}, Reason: "asked"}
	}
	require.NoError(t, valid().Check(0, 4))
	for name, change := range map[string]func(*engine.Erasure){
		"no events":            func(e *engine.Erasure) { e.Events = nil },
		"beyond the head":      func(e *engine.Erasure) { e.Events[0].To = 5 },
		"negative":             func(e *engine.Erasure) { e.Events[0].From = -1 },
		"empty span":           func(e *engine.Erasure) { e.Events[0].To = 2 },
		"not in order":         func(e *engine.Erasure) { e.Events = engine.Spans{{From: 3, To: 4}, {From: 0, To: 1}} },
		"touching":             func(e *engine.Erasure) { e.Events = engine.Spans{{From: 0, To: 1}, {From: 1, To: 2}} },
		"no reason":            func(e *engine.Erasure) { e.Reason = "" },
		"a long reason":        func(e *engine.Erasure) { e.Reason = strings.Repeat("x", engine.MaxReasonSize+1) },
		"an actor not UTF-8":   func(e *engine.Erasure) { e.Actor = "\xff" },
		"events and a subject": func(e *engine.Erasure) { e.Subject = "s" },
		"a revision alone":     func(e *engine.Erasure) { e.Revision = 1 },
	} {
		e := valid()
		change(e)
		var invalid *engine.InvalidError
		assert.ErrorAs(t, e.Check(3, 4), &invalid, name)
		assert.Equal(t, 3, invalid.Append, name)
	}
}

func TestForgottenKeysThatCannotBeToldAreRefused(t *testing.T) {
	valid := func() *engine.Erasure {
		return &engine.Erasure{Subject: strings.Repeat("s", engine.MaxSubjectSize), Revision: 1, Reason: "asked"}
	}
	require.NoError(t, valid().Check(0, 0), "also in an empty store")
	for name, change := range map[string]func(*engine.Erasure){
		"revision 0":           func(e *engine.Erasure) { e.Revision = 0 },
		"a negative revision":  func(e *engine.Erasure) { e.Revision = -1 },
		"a long subject":       func(e *engine.Erasure) { e.Subject += "s" },
		"a subject not UTF-8":  func(e *engine.Erasure) { e.Subject = "\xff" },
		"a subject with NUL":   func(e *engine.Erasure) { e.Subject = "a\x00" },
		"no reason":            func(e *engine.Erasure) { e.Reason = "" },
		"an actor not UTF-8":   func(e *engine.Erasure) { e.Actor = "\xff" },
		"events and a subject": func(e *engine.Erasure) { e.Events = engine.Spans{{From: 0, To: 1}} },
	} {
		e := valid()
		change(e)
		var invalid *engine.InvalidError
		assert.ErrorAs(t, e.Check(3, 4), &invalid, name)
	}
}

func TestAForgottenKeyIsReadAsItWasWritten(t *testing.T) {
	e := &engine.Erasure{
		ID: uuid.New(), Subject: strings.Repeat("\x01", engine.MaxSubjectSize), Revision: 7,
		Reason: strings.Repeat("\x01", engine.MaxReasonSize), Actor: "Zoë",
	}
	events := e.NewEvents()
	require.Len(t, events, 1)
	assert.Equal(t, []any{e.ID, engine.ForgottenType}, []any{events[0].ID, events[0].Type})
	assert.LessOrEqual(t, len(events[0].Payload)+len(events[0].Type), engine.MinEventLimit)
	got, err := engine.ParseForgotten(events[0].Payload)
	require.NoError(t, err)
	assert.Equal(t, engine.Forgotten{Subject: e.Subject, Revision: 7, Reason: e.Reason, Actor: "Zoë"}, got)
	for _, text := range []string{``, `[]`, `{}`, `{"subject":"a"}`, `{"revision":1}`, `{"subject":1,"revision":1}`} {
		_, err := engine.ParseForgotten([]byte(text))
		assert.Error(t, err, text)
	}
}

func TestPayloadsThatTellOfNoErasure(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{}`, `null`, `{"part":0,"parts":1,"what":"payload and metadata","positions":["x"]}`,
		`{"part":0,"parts":1,"what":"tags","positions":[1]}`,
		`{"part":1,"parts":1,"what":"payload and metadata","positions":[1]}`,
		`{"part":0,"parts":1,"what":"payload and metadata","positions":[[3,1]]}`,
		`{"part":0,"parts":1,"what":"payload and metadata","positions":[2,1]}`,
		`{"part":0,"parts":1,"what":"payload and metadata","positions":[-1]}`,
	} {
		_, err := engine.ParseErased([]byte(text))
		assert.Error(t, err, text)
	}
	_, err := engine.ParseErased([]byte(
		`{"part":0,"parts":1,"what":"payload and metadata","positions":[1,[3,5]]}`))
	assert.NoError(t, err)
}

func TestErasureDoneIsReadAsItWasWritten(t *testing.T) {
	done := engine.ErasureDone{Erasure: uuid.New(), Segments: []int64{3, 7}, Readers: []int{4711}}
	got, err := engine.ParseErasureDone(done.NewEvent().Payload)
	require.NoError(t, err)
	assert.Equal(t, done, got)
	_, err = engine.ParseErasureDone([]byte("x"))
	assert.Error(t, err)
}

// sets of positions agree with a set of numbers.
func TestSpansAreSetsOfPositions(t *testing.T) {
	const size = 40
	r := rand.New(rand.NewPCG(testenv.Seed(t), 2))
	random := func() (s engine.Spans, set [size]bool) {
		for p := engine.Position(0); p < size; p += engine.Position(r.IntN(6)) {
			to := min(size, p+engine.Position(r.IntN(4)))
			s.Add(engine.Span{From: p, To: to})
			for q := p; q < to; q++ {
				set[q] = true
			}
		}
		return s, set
	}
	for range 2000 {
		a, inA := random()
		b, inB := random()
		x := engine.Span{From: engine.Position(r.IntN(size)), To: engine.Position(r.IntN(size + 1))}
		union, within := a.Union(b), a.Within(x)
		require.True(t, a.Valid(size))
		require.True(t, union.Valid(size))
		require.True(t, within.Valid(size), "%v within %v is %v", a, x, within)
		n := int64(0)
		for p := range engine.Position(size) {
			require.Equal(t, inA[p], a.Has(p), "%v has %d", a, p)
			require.Equal(t, inA[p] || inB[p], union.Has(p))
			require.Equal(t, inA[p] && x.From <= p && p < x.To, within.Has(p), "%v within %v: %d", a, x, p)
			if inA[p] {
				n++
			}
		}
		require.Equal(t, n, a.Count())
		require.False(t, a.Has(-1) || a.Has(size))
	}
}
