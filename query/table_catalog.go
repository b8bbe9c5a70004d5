package query

import (
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// systemSchemas are the qualifiers that may stand before any table's name.
var systemSchemas = map[string]bool{"": true, "main": true, "eventfold": true}

// storeCatalog names the tables of a store: $all and its like, information_schema, and every
// stream. If it is pending, event tables hold events of an open transaction, too.
type storeCatalog struct {
	pending bool
	views   *viewSet // nil while they are not known
}

func (c storeCatalog) table(t *parser.Table) (table, error) {
	if t.Schema == "information_schema" {
		if def := informationSchema(parser.LowerASCII(t.Name)); def != nil {
			return def, nil
		}
		e := errorf(UnknownTable, t.Pos,
			"there is no table %s in information_schema", fault.Quoted(t.Name))
		e.Hint = "it has schemata, tables and columns"
		return nil, e
	}
	if t.Schema == parser.ViewsSchema {
		e := errorf(BadStatement, t.Pos, "views.%s is a view; events are written to, erased and expected by "+
			"the names of their streams", fault.Short(t.Name))
		e.Hint = "name the stream, or $all"
		return nil, e
	}
	if !systemSchemas[t.Schema] {
		return nil, errorf(UnknownTable, t.Pos, "there is no schema %s", fault.Quoted(t.Schema))
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
	e := errorf(UnknownTable, t.Pos, "there is no table %s", fault.Quoted(t.Name))
	e.Hint = "names that begin with $ are $all, $streams, $types, $stats, $erasures, $views, $followers and $functions"
	return nil, e
}

func streamTable(t *parser.Table, pending bool) (table, error) {
	if err := nameFaults[engine.CheckStream(t.Name)]; err != "" {
		return nil, errorf(UnknownTable, t.Pos, "the name of a stream %s", err)
	}
	return &eventTable{stream: t.Name, label: t.Name, pending: pending}, nil
}

// nameFaults say what is wrong with the name of a stream or a type, "" for nothing. Names with a
// NUL byte are refused by the store.
var nameFaults = [...]string{
	engine.NameOK:       "",
	engine.NameEmpty:    "is empty",
	engine.NameTooLong:  "is longer than 255 bytes",
	engine.NameReserved: "must not begin with $",
	engine.NameNotUTF8:  "is not valid UTF-8",
	engine.NameHasNUL:   "",
}
