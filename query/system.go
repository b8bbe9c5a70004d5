package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A computedTable is a table whose rows are made when it is read.
type computedTable struct {
	label   string
	columns []tableColumn
	// rows starts making rows.
	rows func(ctx context.Context, ex *execution, b scanBounds) rowMaker
}

// A rowMaker makes one row after the other, nil at the end.
type rowMaker interface {
	next() ([]value.Value, error)
	close() error
}

func (t *computedTable) name() string          { return t.label }
func (t *computedTable) schema() []tableColumn { return t.columns }

func (t *computedTable) scan(ex *execution, _ []int, b scanBounds) (batches, error) {
	return &madeBatches{width: len(t.columns), rows: t.rows(ex.ctx, ex, b)}, nil
}

// madeBatches puts the rows of a rowMaker into batches.
type madeBatches struct {
	width int
	rows  rowMaker
	batch tableBatch
}

func (m *madeBatches) next() (*tableBatch, error) {
	columns := make([][]value.Value, m.width)
	n := 0
	for ; n < batchRows; n++ {
		row, err := m.rows.next()
		if err != nil {
			return nil, err
		}
		if row == nil {
			break
		}
		for i := range columns {
			columns[i] = append(columns[i], row[i])
		}
	}
	if n == 0 {
		return nil, nil
	}
	m.batch = tableBatch{n: n, columns: columns, serial: m.batch.serial + 1}
	return &m.batch, nil
}

func (m *madeBatches) close() error { return m.rows.close() }

// A rowList is a rowMaker of rows that are there already.
type rowList struct {
	rows [][]value.Value
	err  error
}

func (l *rowList) next() ([]value.Value, error) {
	if l.err != nil || len(l.rows) == 0 {
		return nil, l.err
	}
	row := l.rows[0]
	l.rows = l.rows[1:]
	return row, nil
}

func (l *rowList) close() error { return nil }

// systemTables are the tables whose names begin with $, besides $all. A new one is one more entry.
var systemTables = []*computedTable{
	{label: "$streams", columns: streamColumns, rows: streamRows},
	{label: "$types", columns: typeColumns, rows: typeRows},
	{label: "$stats", columns: statColumns, rows: statRows},
	{label: "$followers", columns: followerColumns, rows: followerRows},
}

// systemTable returns the table of that name, nil if there is none. It is pending if it tells of an open transaction,
// too.
func systemTable(name string, pending bool) table {
	if pending && name == pendingStreams.label {
		return pendingStreams
	}
	for _, t := range systemTables {
		if t.label == name {
			return t
		}
	}
	return nil
}

// pendingStreams is $streams with the streams of a transaction, whose versions may depend on what others append before
// COMMIT.
var pendingStreams = &computedTable{label: "$streams", columns: pendingStreamColumns, rows: streamRows}

var pendingStreamColumns = func() []tableColumn {
	columns := slices.Clone(streamColumns)
	for i, c := range columns {
		columns[i].Nullable = c.Nullable || c.Name == "version"
	}
	return columns
}()

var streamColumns = []tableColumn{
	column("stream", Text, value.AffText),
	column("category", Text, value.AffText),
	column("version", Integer, value.AffInteger),
	column("events", Integer, value.AffInteger),
	nullable(column("first_position", Integer, value.AffInteger)),
	nullable(column("last_position", Integer, value.AffInteger)),
	nullable(column("created_at", Timestamp, value.AffTime)),
	nullable(column("updated_at", Timestamp, value.AffTime)),
}

// Category returns the category of a stream: its name before the first "-", or all of it. A name that is a UUID has none.
func Category(stream string) string {
	if _, err := uuid.Parse(stream); err == nil && len(stream) == 36 {
		return ""
	}
	category, _, _ := strings.Cut(stream, "-")
	return category
}

// A streamMaker lists streams: those of the snapshot, with what the transaction adds to them, then the transaction's new ones.
type streamMaker struct {
	ctx     context.Context
	index   engine.ReadIndex
	names   []string // the only streams asked for, nil for all
	cursor  engine.StreamCursor
	own     map[string]*ownCount
	ownLeft []string // in the order of their first events
}

// An ownCount is what a transaction adds to a stream or a type.
type ownCount struct {
	events  int64
	version engine.Version // of the stream's last event; NoVersion if it is not known
	seen    bool           // listed with what the snapshot has
}

// countOwn counts the transaction's events by a key.
func countOwn(ex *execution, key func(*ownEvent) string) (counts map[string]*ownCount, order []string) {
	counts = map[string]*ownCount{}
	for i := range ex.own {
		k := key(&ex.own[i])
		if counts[k] == nil {
			counts[k] = &ownCount{}
			order = append(order, k)
		}
		counts[k].events++
		counts[k].version = ex.streams.version(&ex.own[i])
	}
	return counts, order
}

func streamRows(ctx context.Context, ex *execution, b scanBounds) rowMaker {
	m := &streamMaker{ctx: ctx, index: ex.index, names: b.Streams}
	m.own, m.ownLeft = countOwn(ex, func(e *ownEvent) string { return e.stream })
	if m.names == nil {
		m.cursor = ex.index.Streams(ctx, b.Prefix)
	}
	return m
}

func (m *streamMaker) next() ([]value.Value, error) {
	info, ok, err := m.nextStored()
	if err != nil {
		return nil, err
	}
	if ok {
		return m.row(info), nil
	}
	for len(m.ownLeft) > 0 {
		name := m.ownLeft[0]
		m.ownLeft = m.ownLeft[1:]
		if c := m.own[name]; !c.seen {
			return []value.Value{
				value.OfText(name), value.OfText(Category(name)), versionValue(c.version), value.OfInt(c.events), null, null, null, null,
			}, nil
		}
	}
	return nil, nil
}

// nextStored returns the next stream of the snapshot.
func (m *streamMaker) nextStored() (engine.StreamInfo, bool, error) {
	if m.names == nil {
		if m.cursor.Next() {
			return m.cursor.Stream(), true, nil
		}
		return engine.StreamInfo{}, false, m.cursor.Err()
	}
	for len(m.names) > 0 {
		name := m.names[0]
		m.names = m.names[1:]
		c := m.index.Streams(m.ctx, name)
		found := c.Next() && c.Stream().Stream == name // in byte order, the name itself comes before longer ones
		info, err := engine.StreamInfo{}, c.Err()
		if found {
			info = c.Stream()
		}
		if cerr := c.Close(); err == nil {
			err = cerr
		}
		if found || err != nil {
			return info, found, err
		}
	}
	return engine.StreamInfo{}, false, nil
}

func (m *streamMaker) row(s engine.StreamInfo) []value.Value {
	version, events := s.Version, s.Events
	if c := m.own[s.Stream]; c != nil {
		c.seen = true
		version, events = c.version, events+c.events
	}
	return []value.Value{
		value.OfText(s.Stream), value.OfText(Category(s.Stream)), versionValue(version), value.OfInt(events),
		value.OfInt(int64(s.FirstPosition)), value.OfInt(int64(s.LastPosition)),
		value.OfTime(s.CreatedAt.UnixMicro()), value.OfTime(s.UpdatedAt.UnixMicro()),
	}
}

func (m *streamMaker) close() error {
	if m.cursor == nil {
		return nil
	}
	return m.cursor.Close()
}

var typeColumns = []tableColumn{
	column("type", Text, value.AffText),
	column("events", Integer, value.AffInteger),
	nullable(column("first_position", Integer, value.AffInteger)),
	nullable(column("last_position", Integer, value.AffInteger)),
}

func typeRows(ctx context.Context, ex *execution, _ scanBounds) rowMaker {
	types, err := ex.index.Types(ctx)
	own, order := countOwn(ex, func(e *ownEvent) string { return e.event.Type })
	list := &rowList{err: err}
	for _, t := range types {
		events := t.Events
		if c := own[t.Type]; c != nil {
			c.seen = true
			events += c.events
		}
		list.rows = append(list.rows, []value.Value{
			value.OfText(t.Type), value.OfInt(events), value.OfInt(int64(t.FirstPosition)), value.OfInt(int64(t.LastPosition)),
		})
	}
	for _, name := range order {
		if c := own[name]; !c.seen {
			list.rows = append(list.rows, []value.Value{value.OfText(name), value.OfInt(c.events), null, null})
		}
	}
	return list
}

var statColumns = []tableColumn{
	column("name", Text, value.AffText),
	column("value", Any, value.AffNone),
	nullable(column("text", Text, value.AffText)),
	column("kind", Text, value.AffText),
}

// The kinds of figures in $stats, as monitoring systems name them: a counter only grows while the store is open, a gauge goes up and down.
const (
	counter = "counter"
	gauge   = "gauge"
)

// stats are the rows of $stats whose figures the store keeps. A figure that is NULL is not known, and has no row.
var stats = []struct {
	name  string
	kind  string
	value func(*engine.Stats) value.Value
}{
	{"events", gauge, func(s *engine.Stats) value.Value { return value.OfInt(s.Events) }},
	{"streams", gauge, func(s *engine.Stats) value.Value { return unknownIf(s.Streams < 0, value.OfInt(s.Streams)) }},
	{"disk_bytes", gauge, func(s *engine.Stats) value.Value { return value.OfInt(s.DiskBytes) }},
	{"segments", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.Segments)) }},
	{"compressed_segments", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.Compressed)) }},
	{"indexed_segments", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.IndexedTo)) }},
	{"appends", counter, func(s *engine.Stats) value.Value { return value.OfInt(s.Appends) }},
	{"appended_events", counter, func(s *engine.Stats) value.Value { return value.OfInt(s.Appended) }},
	{"groups", counter, func(s *engine.Stats) value.Value { return value.OfInt(s.Groups) }},
	{"syncs", counter, func(s *engine.Stats) value.Value { return value.OfInt(s.Syncs) }},
	{"sync_seconds", counter, func(s *engine.Stats) value.Value { return value.OfReal(s.SyncTime.Seconds()) }},
	{"last_sync_seconds", gauge, func(s *engine.Stats) value.Value { return value.OfReal(s.LastSync.Seconds()) }},
	{"writer_cpu_seconds", counter, func(s *engine.Stats) value.Value { return value.OfReal(s.WriterCPU.Seconds()) }},
	{"queue_length", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.QueueLength)) }},
	{"queue_capacity", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.QueueCapacity)) }},
	{"followers", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.Followers)) }},
	{"format_major", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.FormatMajor)) }},
	{"format_minor", gauge, func(s *engine.Stats) value.Value { return value.OfInt(int64(s.FormatMinor)) }},
	{"low_space", gauge, func(s *engine.Stats) value.Value { return value.OfBool(s.LowSpace) }},
	{"poisoned", gauge, func(s *engine.Stats) value.Value { return value.OfBool(s.Poisoned) }},
	{"writable", gauge, func(s *engine.Stats) value.Value { return value.OfBool(s.Writable) }},
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
			list.rows = append(list.rows, []value.Value{value.OfText(name), figure, text, value.OfText(kind)})
		}
	}
	for i := range stats {
		add(stats[i].name, stats[i].kind, stats[i].value(&s), null)
	}
	add("recovery", gauge, value.OfBool(s.Recovery != ""), unknownIf(s.Recovery == "", value.OfText(s.Recovery)))
	position, text := headOf(ex.session.Store)
	add("head", gauge, position, text)
	add("follow_lag", gauge, value.OfInt(ex.session.Settings.Followers.lag(ex.index.Head())), null)
	if m := ex.session.Settings.Shared; m != nil {
		add("memory_limit", gauge, value.OfInt(m.Limit()), null)
		add("memory_used", gauge, value.OfInt(m.Used()), null)
		add("memory_peak", gauge, value.OfInt(m.Peak()), null)
	}
	return list
}

// headOf is the head of a store: its position, and with its chain value, as the key expect of a DSN takes it. The position of the
// empty log is 0, which has no chain. Both are NULL if the head cannot be read.
func headOf(store engine.Store) (position, text value.Value) {
	s, ok := offers[interface{ Head() (engine.Head, error) }](store)
	if !ok {
		return null, null
	}
	h, err := s.Head()
	if err != nil {
		return null, null
	}
	return value.OfInt(int64(h.Position)), unknownIf(h.Position == 0, value.OfText(fmt.Sprintf("%d:%x", h.Position, h.Chain)))
}
