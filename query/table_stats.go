package query

import (
	"context"
	"fmt"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
)

var statColumns = []tableColumn{
	column("name", Text, value.AffText),
	column("value", Any, value.AffNone),
	nullable(column("text", Text, value.AffText)),
	column("kind", Text, value.AffText),
}

// The kinds of figures in $stats, as monitoring systems name them: a counter only grows while the
// store is open, a gauge goes up and down.
const (
	counter = "counter"
	gauge   = "gauge"
)

// stats are the rows of $stats whose figures the store keeps. A figure that is NULL is not known,
// and has no row.
var stats = []struct {
	name  string
	kind  string
	value func(*engine.Stats) value.Value
}{
	{"events", gauge, func(s *engine.Stats) value.Value { return value.OfInt(s.Events) }},
	{"streams", gauge,
		func(s *engine.Stats) value.Value { return unknownIf(s.Streams < 0, value.OfInt(s.Streams)) }},
	{"disk_bytes", gauge, func(s *engine.Stats) value.Value { return value.OfInt(s.DiskBytes) }},
	{"segments", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.Segments)) }},
	{"compressed_segments", gauge,
		func(s *engine.Stats) value.Value { return value.OfInt(int64(s.Compressed)) }},
	{"indexed_segments", gauge,
		func(s *engine.Stats) value.Value { return value.OfInt(int64(s.IndexedTo)) }},
	{"appends", counter, func(s *engine.Stats) value.Value { return value.OfInt(s.Appends) }},
	{"appended_events", counter, func(s *engine.Stats) value.Value { return value.OfInt(s.Appended) }},
	{"groups", counter, func(s *engine.Stats) value.Value { return value.OfInt(s.Groups) }},
	{"syncs", counter, func(s *engine.Stats) value.Value { return value.OfInt(s.Syncs) }},
	{"sync_seconds", counter,
		func(s *engine.Stats) value.Value { return value.OfReal(s.SyncTime.Seconds()) }},
	{"last_sync_seconds", gauge,
		func(s *engine.Stats) value.Value { return value.OfReal(s.LastSync.Seconds()) }},
	{"writer_cpu_seconds", counter,
		func(s *engine.Stats) value.Value { return value.OfReal(s.WriterCPU.Seconds()) }},
	{"queue_length", gauge,
		func(s *engine.Stats) value.Value { return value.OfInt(int64(s.QueueLength)) }},
	{"queue_capacity", gauge,
		func(s *engine.Stats) value.Value { return value.OfInt(int64(s.QueueCapacity)) }},
	{"followers", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.Followers)) }},
	{"format_major", gauge,
		func(s *engine.Stats) value.Value { return value.OfInt(int64(s.FormatMajor)) }},
	{"format_minor", gauge,
		func(s *engine.Stats) value.Value { return value.OfInt(int64(s.FormatMinor)) }},
	{"low_space", gauge, func(s *engine.Stats) value.Value { return value.OfBool(s.LowSpace) }},
	{"poisoned", gauge, func(s *engine.Stats) value.Value { return value.OfBool(s.Poisoned) }},
	{"verified_bytes", gauge, func(s *engine.Stats) value.Value { return value.OfInt(s.Verified) }},
	{"verify_bytes", gauge, func(s *engine.Stats) value.Value { return value.OfInt(s.ToVerify) }},
	{"writable", gauge, func(s *engine.Stats) value.Value { return value.OfBool(s.Writable) }},
	{"copy_lag", gauge, func(s *engine.Stats) value.Value { return unknownIf(!s.Remote, value.OfInt(s.Behind)) }},
	{"copy_synced", gauge, func(s *engine.Stats) value.Value {
		return unknownIf(!s.Remote || s.Synced.IsZero(), value.OfReal(float64(s.Synced.UnixMicro())/1e6))
	}},
}

// versionValue is NULL for a version that is not known before COMMIT.
func versionValue(v engine.Version) value.Value {
	return unknownIf(v == engine.NoVersion, value.OfInt(int64(v)))
}

func unknownIf(unknown bool, v value.Value) value.Value {
	if unknown {
		return null
	}
	return v
}

func statRows(_ context.Context, ex *execution, _ scanBounds) rowMaker {
	s := ex.session.Store.Stats()
	list := &rowList{}
	add := func(name, kind string, figure, text value.Value) {
		if !figure.IsNull() {
			list.rows = append(list.rows,
				[]value.Value{value.OfText(name), figure, text, value.OfText(kind)})
		}
	}
	for i := range stats {
		add(stats[i].name, stats[i].kind, stats[i].value(&s), null)
	}
	add("recovery", gauge, value.OfBool(s.Recovery != ""),
		unknownIf(s.Recovery == "", value.OfText(s.Recovery)))
	position, text := headOf(ex.session.Store)
	add("head", gauge, position, text)
	add("follow_lag", gauge, value.OfInt(ex.session.Settings.Followers.lag(ex.index.Head())), null)
	if m := ex.session.Settings.Shared; m != nil {
		add("memory_limit", gauge, value.OfInt(m.Limit()), null)
		add("memory_used", gauge, value.OfInt(m.Used()), null)
		add("memory_peak", gauge, value.OfInt(m.Peak()), null)
	}
	if s := ex.session.Settings.Spill.Space; s != nil {
		add("spill_files", gauge, value.OfInt(s.Files()), null)
		add("spill_bytes", gauge, value.OfInt(s.Bytes()), null)
		add("spilled_bytes", counter, value.OfInt(s.Written()), null)
	}
	return list
}

// headOf is the head of a store: its position, and with its chain value, as the key expect of a DSN
// takes it. The position of the empty log is 0, which has no chain. Both are NULL if the head
// cannot be read.
func headOf(store engine.Store) (position, text value.Value) {
	s, ok := Offers[interface{ Head() (engine.Head, error) }](store)
	if !ok {
		return null, null
	}
	h, err := s.Head()
	if err != nil {
		return null, null
	}
	return value.OfInt(int64(h.Position)), unknownIf(h.Position == 0,
		value.OfText(fmt.Sprintf("%d:%x", h.Position, h.Chain)))
}
