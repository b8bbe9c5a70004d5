package enginetest_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
)

func TestModel(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) engine.Store { return enginetest.NewModel() })
}

// Each of these stores breaks the contract a little, and the comparison with a Model sees it.
func TestDifferentialSees(t *testing.T) {
	tests := []struct {
		name  string
		store func(*enginetest.Model) engine.Store
	}{
		{"lost events", func(m *enginetest.Model) engine.Store { return &loser{Model: m} }},
		{"a head that lags", func(m *enginetest.Model) engine.Store { return &laggard{m} }},
		{"unchecked expectations", func(m *enginetest.Model) engine.Store { return &careless{m} }},
		{"an event too many that is erased", func(m *enginetest.Model) engine.Store { return &eager{m} }},
		{"a changed payload", func(m *enginetest.Model) engine.Store { return &changer{m} }},
	}
	for _, tt := range tests {
		s := tt.store(enginetest.NewModel())
		err := enginetest.Play(t.Context(), s, enginetest.NewModel(), rand.New(rand.NewPCG(1, 1)), 300, 1)
		assert.Error(t, err, tt.name)
	}
}

type loser struct {
	*enginetest.Model
	appends int
}

func (s *loser) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	if s.appends++; s.appends%10 == 0 {
		batch = slices.Clone(batch)
		last := &batch[len(batch)-1]
		last.Events = last.Events[:max(len(last.Events)-1, 0)]
	}
	return s.Model.Append(ctx, batch...)
}

type laggard struct{ *enginetest.Model }

func (s *laggard) ReadIndex() engine.ReadIndex {
	index := s.Model.ReadIndex()
	return index.At(max(index.Head()-1, 0))
}

type careless struct{ *enginetest.Model }

func (s *careless) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	unchecked := make([]engine.Append, len(batch))
	for i, a := range batch {
		unchecked[i] = engine.Append{Stream: a.Stream, Events: a.Events, Erase: a.Erase}
	}
	return s.Model.Append(ctx, unchecked...)
}

type eager struct{ *enginetest.Model }

func (s *eager) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	more := slices.Clone(batch)
	for i, a := range more {
		if a.Erase != nil && len(a.Erase.Events) > 0 {
			e := *a.Erase
			e.Events = engine.Spans{{From: 0, To: 1}}.Union(e.Events)
			more[i].Erase = &e
		}
	}
	return s.Model.Append(ctx, more...)
}

type changer struct{ *enginetest.Model }

func (s *changer) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	changed := make([]engine.Append, len(batch))
	for i, a := range batch {
		changed[i] = a
		changed[i].Events = nil
		for _, e := range a.Events {
			if len(e.Payload) > 1000 {
				e.Payload = e.Payload[:1000]
			}
			changed[i].Events = append(changed[i].Events, e)
		}
	}
	return s.Model.Append(ctx, changed...)
}
