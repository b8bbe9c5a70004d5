package query

import (
	"context"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// pendingStreams is $streams with the streams of a transaction, whose versions may depend on what
// others append before COMMIT.
var pendingStreams = &computedTable{
	label: "$streams", columns: pendingStreamColumns, rows: streamRows,
}

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

// A streamMaker lists streams: those of the snapshot, with what the transaction adds to them, then
// the transaction's new ones.
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
func countOwn(
	ex *execution, key func(*ownEvent) string,
) (counts map[string]*ownCount, order []string) {
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
	if x, ok := ex.index.(*watchedIndex); ok && m.names != nil {
		m.index = x.named(m.names)
	}
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
				value.OfText(name), value.OfText(expr.Category(name)), versionValue(c.version),
				value.OfInt(c.events), null, null, null, null,
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
		value.OfText(s.Stream), value.OfText(expr.Category(s.Stream)), versionValue(version), value.OfInt(events),
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
