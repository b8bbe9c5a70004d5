package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Filter selects events. Every field narrows the selection; the zero value with From 0 selects
// all.
type Filter struct {
	From   Position  // inclusive
	To     Position  // exclusive; 0 means no bound
	Since  time.Time // recorded at or after; zero means no bound
	Before time.Time // recorded before; zero means no bound

	MinVersion Version // inclusive
	MaxVersion Version // inclusive; 0 with HasMaxVersion false means no bound
	// HasMaxVersion tells that MaxVersion is meant.
	HasMaxVersion bool

	Streams []string    // one of these; nil means any stream, empty but not nil selects nothing
	Prefix  string      // the stream's name begins with it
	Types   []string    // one of these; nil means any type, empty but not nil selects nothing
	Tags    []string    // all of these; nil means no condition
	IDs     []uuid.UUID // one of these; nil means any id, empty but not nil selects nothing

	// Any lists alternatives, of which an event must pass one; nil means no condition, empty but
	// not nil selects nothing. A query of the DCB specification is such a list.
	Any []Alternative

	Direction Direction
	// Limit, if positive, is a hint: the caller expects to read no more than this many events.
	Limit int
}

// An Alternative selects events as the fields of the same names of a Filter do.
type Alternative struct {
	Streams []string
	Types   []string
	Tags    []string
}

// Passes reports whether the filter selects the event; Direction and Limit do not matter. Of an
// event that has no place yet, as a [Condition] sees those of its batch, what is not known passes no
// bound but From.
func (f *Filter) Passes(e *Event) bool {
	return f.passesBounds(e) &&
		strings.HasPrefix(e.Stream, f.Prefix) &&
		(f.IDs == nil || e.ID != uuid.Nil && slices.Contains(f.IDs, e.ID)) &&
		f.names().passes(e) &&
		(f.Any == nil || slices.ContainsFunc(f.Any, func(a Alternative) bool { return a.passes(e) }))
}

// passesBounds is Passes for positions, versions and times.
func (f *Filter) passesBounds(e *Event) bool {
	placed, numbered, timed := e.Position != NoPosition, e.Version != NoVersion, !e.RecordedAt.IsZero()
	return (!placed || e.Position >= f.From) &&
		(f.To == 0 || placed && e.Position < f.To) &&
		(f.MinVersion <= 0 || e.Version >= f.MinVersion) &&
		(!f.HasMaxVersion || numbered && e.Version <= f.MaxVersion) &&
		(f.Since.IsZero() || timed && !e.RecordedAt.Before(f.Since)) &&
		(f.Before.IsZero() || timed && e.RecordedAt.Before(f.Before))
}

// names are the fields of a filter that an Alternative has, too.
func (f *Filter) names() Alternative {
	return Alternative{Streams: f.Streams, Types: f.Types, Tags: f.Tags}
}

func (a Alternative) passes(e *Event) bool {
	return isOne(a.Streams, e.Stream) && isOne(a.Types, e.Type) && hasAll(a.Tags, e.Tags)
}

// isOne reports whether a name is one of those listed; nil lists every name.
func isOne(list []string, name string) bool { return list == nil || slices.Contains(list, name) }

// hasAll reports whether all the tags that are wanted are there.
func hasAll(wanted, tags []string) bool {
	return !slices.ContainsFunc(wanted, func(tag string) bool { return !slices.Contains(tags, tag) })
}
