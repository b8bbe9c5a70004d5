package crashtest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/enginetest"
)

// told is a store with some appends, the Oracle that knows of them, and what is in it.
func told(t *testing.T, outcomes ...error) (*crashtest.Oracle, []engine.Event) {
	t.Helper()
	o, g, m := crashtest.NewOracle(true), crashtest.NewGenerator(1), enginetest.NewModel()
	for _, outcome := range outcomes {
		g.Event(1) // so that appends differ in more than their number
		_, err := o.Append(t.Context(), &forced{Model: m, outcome: outcome}, engine.Append{
			Stream: "s", Events: []engine.NewEvent{g.Event(10), g.Event(20)},
		})
		require.Equal(t, outcome, err)
	}
	c := m.ReadIndex().ReadAll(t.Context(), 0, engine.Forwards)
	var events []engine.Event
	for c.Next() {
		events = append(events, *c.Event())
	}
	return o, events
}

// forced appends, and then says that the outcome was another one.
type forced struct {
	*enginetest.Model
	outcome error
}

func (s *forced) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	done, err := s.Model.Append(ctx, batch...)
	if err == nil {
		err = s.outcome
	}
	return done, err
}

func TestOracle(t *testing.T) {
	lost := fmt.Errorf("the cable: %w", engine.ErrOutcomeUnknown)
	tests := []struct {
		name     string
		outcomes []error
		change   func(events []engine.Event) []engine.Event
		want     string // how the complaint begins; "" for none
	}{
		{"all there", []error{nil, nil, nil}, nil, ""},
		{"an unknown one there", []error{nil, nil, lost}, nil, ""},
		{"an unknown one not there", []error{nil, nil, lost}, func(e []engine.Event) []engine.Event {
			return e[:4]
		}, ""},
		{"several unknown ones not there", []error{nil, lost, lost}, func(e []engine.Event) []engine.Event {
			return e[:2]
		}, ""},
		{"an acknowledged one not there", []error{nil, nil, nil}, func(e []engine.Event) []engine.Event {
			return e[:4]
		}, "P5"},
		{"half an unknown one", []error{nil, nil, lost}, func(e []engine.Event) []engine.Event { return e[:5] }, "P3"},
		{"nothing there", []error{nil}, func(e []engine.Event) []engine.Event { return nil }, "P5"},
		{"one twice", []error{lost, lost}, func(e []engine.Event) []engine.Event {
			return renumbered(e[0], e[1], e[0], e[1])
		}, "P3"},
		{"a hole", []error{lost, lost}, func(e []engine.Event) []engine.Event { return renumbered(e[2], e[3]) }, "P4"},
		{"another payload", []error{nil},
			func(e []engine.Event) []engine.Event { e[1].Payload = []byte("x"); return e }, "P1"},
		{"no payload", []error{nil}, func(e []engine.Event) []engine.Event { e[1].Payload = nil; return e }, "P1"},
		{"another type", []error{nil}, func(e []engine.Event) []engine.Event { e[1].Type = "x"; return e }, "P1"},
		{"another tag", []error{nil}, func(e []engine.Event) []engine.Event { e[1].Tags = []string{"x"}; return e },
			"P1"},
		{"other metadata", []error{nil},
			func(e []engine.Event) []engine.Event { e[1].Metadata = []byte("[]"); return e }, "P1"},
		{"two exchanged", []error{nil, nil}, func(e []engine.Event) []engine.Event {
			return renumbered(e[2], e[3], e[0], e[1])
		}, "P1"},
		{"a version left out", []error{nil}, func(e []engine.Event) []engine.Event { e[1].Version = 2; return e },
			"P2"},
		{"a position left out", []error{nil}, func(e []engine.Event) []engine.Event { e[1].Position = 2; return e },
			"P2"},
		{"nobody's event", []error{nil}, func(e []engine.Event) []engine.Event { e[0].ID[0]++; return e }, "P4"},
	}
	for _, tt := range tests {
		o, events := told(t, tt.outcomes...)
		if tt.change != nil {
			events = tt.change(slices.Clone(events))
		}
		err := o.Check(t.Context(), enginetest.ModelOf(events))
		if tt.want == "" {
			assert.NoError(t, err, tt.name)
			continue
		}
		if assert.Error(t, err, tt.name) {
			assert.True(t, strings.HasPrefix(err.Error(), tt.want), "%s: %v", tt.name, err)
		}
	}
}

// renumbered gives events new places.
func renumbered(events ...engine.Event) []engine.Event {
	for i := range events {
		events[i].Position, events[i].Version, events[i].RecordedAt = engine.Position(i), engine.Version(i),
			events[0].RecordedAt
	}
	return events
}

// busy is a store that appends an event right after it has been looked at, which a reader sees.
type busy struct {
	*enginetest.Model
	seen func(head engine.Position)
}

func (s *busy) ReadIndex() engine.ReadIndex {
	index := s.Model.ReadIndex()
	s.seen(index.Head() + 1)
	return index
}

func TestOracleMindsWhatWasSeenBeforeItLooked(t *testing.T) {
	o, events := told(t, nil, nil)
	require.NoError(t, o.Check(t.Context(), &busy{enginetest.ModelOf(events), o.See}), "seen meanwhile")
	err := o.Check(t.Context(), &busy{enginetest.ModelOf(events), func(engine.Position) {}})
	assert.ErrorContains(t, err, "P5", "seen before")
}

func TestOracleRemembersWhatItFound(t *testing.T) {
	lost := fmt.Errorf("the cable: %w", engine.ErrOutcomeUnknown)
	ctx := t.Context()
	o, events := told(t, nil, lost)
	gone := o.Clone()
	require.NoError(t, o.Check(ctx, enginetest.ModelOf(events)), "it is there")
	assert.ErrorContains(t, o.Check(ctx, enginetest.ModelOf(events[:2])), "P5", "and must stay")
	require.NoError(t, gone.Check(ctx, enginetest.ModelOf(events[:2])), "it is not there")
	assert.ErrorContains(t, gone.Check(ctx, enginetest.ModelOf(events)), "P4", "and must not come back")

	refused := crashtest.NewOracle(true)
	n := refused.Try([]engine.Append{{
		Stream: "s",
		Events: []engine.NewEvent{{ID: events[0].ID, Type: events[0].Type}},
	}})
	refused.Refused(n)
	events[0].Payload, events[0].Metadata, events[0].Tags = nil, []byte("{}"), nil
	assert.ErrorContains(t, refused.Check(ctx, enginetest.ModelOf(events[:1])), "P4",
		"what was refused must not be there")
}
