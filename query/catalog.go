package query

import (
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

// A catalog finds the tables that a statement names.
type catalog interface {
	table(t *parser.Table) (table, error)
}

// A table is a table as the compiler knows it. It is immutable.
type table interface {
	// name is how EXPLAIN and columns' qualifiers call the table.
	name() string
	schema() []tableColumn
	// scan reads the rows within bounds as the execution's snapshot has them; it may give more, never fewer: WHERE is
	// evaluated again. columns lists the ordinals (into schema) that will be read.
	scan(ex *execution, columns []int, b scanBounds) (batches, error)
}

// systemSchemas are the qualifiers that may stand before any table's name.
var systemSchemas = map[string]bool{"": true, "main": true, "eventfold": true}

// storeCatalog names the tables of a store: $all and its like, information_schema, and every stream. If it is pending, event tables
// hold events of an open transaction, too.
type storeCatalog struct{ pending bool }

func (c storeCatalog) table(t *parser.Table) (table, error) {
	if t.Schema == "information_schema" {
		if def := informationSchema(parser.LowerASCII(t.Name)); def != nil {
			return def, nil
		}
		e := errorf(UnknownTable, t.Pos, "there is no table %s in information_schema", quoted(t.Name))
		e.Hint = "it has schemata, tables and columns"
		return nil, e
	}
	if !systemSchemas[t.Schema] {
		return nil, errorf(UnknownTable, t.Pos, "there is no schema %s", quoted(t.Schema))
	}
	if t.Schema == "eventfold" && sameName(t.Name, "events") {
		return &eventTable{all: true, label: "events", pending: c.pending}, nil
	}
	if !strings.HasPrefix(t.Name, "$") {
		return streamTable(t, c.pending)
	}
	name := parser.LowerASCII(t.Name)
	if name == "$all" {
		return &eventTable{all: true, label: "$all", pending: c.pending}, nil
	}
	if def := systemTable(name, c.pending); def != nil {
		return def, nil
	}
	e := errorf(UnknownTable, t.Pos, "there is no table %s", quoted(t.Name))
	e.Hint = "names that begin with $ are $all, $streams, $types, $stats and $followers"
	return nil, e
}

func streamTable(t *parser.Table, pending bool) (table, error) {
	if err := checkStream(t.Name); err != "" {
		return nil, errorf(UnknownTable, t.Pos, "the name of a stream %s", err)
	}
	return &eventTable{stream: t.Name, label: t.Name, pending: pending}, nil
}

// checkStream says what is wrong with a stream's name, "" for nothing.
func checkStream(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > engine.MaxStreamSize:
		return "is longer than 255 bytes"
	case strings.HasPrefix(name, "$"):
		return "must not begin with $"
	case strings.ToValidUTF8(name, "") != name:
		return "is not valid UTF-8"
	}
	return ""
}

// An eventTable is $all, or one stream.
type eventTable struct {
	all     bool
	stream  string
	label   string
	pending bool // its schema is that of a table with events whose places are not known yet
}

func (t *eventTable) name() string { return t.label }

func (t *eventTable) schema() []tableColumn {
	if t.pending {
		return pendingSchema
	}
	return eventSchema
}

// scan gives the events of the snapshot, then those of the open transaction.
func (t *eventTable) scan(ex *execution, columns []int, b scanBounds) (batches, error) {
	s := &eventBatches{ex: ex, table: t, cursor: ex.index.Scan(ex.ctx, t.filter(b.Filter), columnSet(columns))}
	if r, ok := s.cursor.(engine.Reuser); ok && b.fleeting {
		r.Reuse()
	}
	return s, nil
}

// filter narrows a filter to the events of the table.
func (t *eventTable) filter(what engine.Filter) engine.Filter {
	if t.all {
		return what
	}
	return onlyStream(what, t.stream)
}

// onlyStream narrows a filter to one stream.
func onlyStream(what engine.Filter, stream string) engine.Filter {
	if what.Streams == nil {
		what.Streams = []string{stream}
		return what
	}
	for _, s := range what.Streams {
		if s == stream {
			what.Streams = []string{stream}
			return what
		}
	}
	what.Streams = []string{}
	return what
}

// eventBatches are the batches of a scan of events.
type eventBatches struct {
	ex     *execution
	table  *eventTable
	cursor engine.BatchCursor
	batch  tableBatch
	ended  bool // the snapshot's events are all out
	own    int  // events of the transaction that are out
}

func (s *eventBatches) next() (*tableBatch, error) {
	if !s.ended {
		if b := s.cursor.Next(); b != nil {
			s.batch.n, s.batch.events = b.Len, b
			s.batch.serial++
			return &s.batch, nil
		}
		s.ended = true
		if err := s.cursor.Err(); err != nil {
			return nil, err
		}
	}
	return s.nextOwn(), nil
}

func (s *eventBatches) close() error {
	events, skipped := s.cursor.Examined()
	s.ex.counters.examined.Add(events)
	s.ex.counters.skipped.Add(int64(skipped))
	return s.cursor.Close()
}

// nextOwn yields the transaction's own events of the table's stream, nil at the end.
func (s *eventBatches) nextOwn() *tableBatch {
	own := s.ex.own
	if s.own >= len(own) {
		return nil
	}
	b := new(engine.Batch)
	for ; s.own < len(own) && b.Len < batchRows; s.own++ {
		e := &own[s.own]
		if s.table.all || e.stream == s.table.stream {
			s.ex.streams.add(b, e)
		}
	}
	if b.Len == 0 {
		return s.nextOwn()
	}
	s.batch = tableBatch{n: b.Len, events: b, pending: true, serial: s.batch.serial + 1}
	return &s.batch
}
