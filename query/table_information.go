package query

import (
	"context"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The names that information_schema gives to what has no name here.
const (
	catalogName = "eventfold"
	schemaName  = "main"
	schemaInfo  = "information_schema"
)

// informationTables are the tables of information_schema, as the SQL standard names them and tools
// ask for them. They list the tables whose names begin with $ and the views, not every stream.
var informationTables []*computedTable

func init() { // the tables list themselves
	informationTables = []*computedTable{
		{label: "schemata", columns: texts("catalog_name", "schema_name"), rows: schemataRows},
		{label: "tables", columns: texts("table_catalog", "table_schema", "table_name", "table_type"),
			rows: tablesRows},
		{label: "columns", columns: informationColumns, rows: columnsRows},
	}
}

func informationSchema(name string) table {
	for _, t := range informationTables {
		if t.label == name {
			return t
		}
	}
	return nil
}

func texts(names ...string) []tableColumn {
	list := make([]tableColumn, len(names))
	for i, n := range names {
		list[i] = column(n, Text, value.AffText)
	}
	return list
}

var informationColumns = append(texts("table_catalog", "table_schema", "table_name", "column_name"),
	column("ordinal_position", Integer, value.AffInteger),
	nullable(column("column_default", Text, value.AffText)),
	column("is_nullable", Text, value.AffText),
	column("data_type", Text, value.AffText),
	nullable(column("character_maximum_length", Integer, value.AffInteger)),
	nullable(column("numeric_precision", Integer, value.AffInteger)),
	nullable(column("datetime_precision", Integer, value.AffInteger)),
	nullable(column("numeric_scale", Integer, value.AffInteger)),
	nullable(column("numeric_precision_radix", Integer, value.AffInteger)),
	nullable(column("character_octet_length", Integer, value.AffInteger)),
)

func schemataRows(context.Context, *execution, scanBounds) rowMaker {
	return &rowList{rows: [][]value.Value{
		{value.OfText(catalogName), value.OfText(schemaName)},
		{value.OfText(catalogName), value.OfText(schemaInfo)},
		{value.OfText(catalogName), value.OfText(parser.ViewsSchema)},
	}}
}

// A listedTable is a table that information_schema lists.
type listedTable struct {
	schema, name, kind string
	columns            []tableColumn
}

// listedTables lists all tables with fixed names.
func listedTables() []listedTable {
	list := []listedTable{{schemaName, "$all", "BASE TABLE", eventSchema}}
	for _, t := range systemTables {
		list = append(list, listedTable{schemaName, t.label, "VIEW", t.columns})
	}
	for _, t := range informationTables {
		list = append(list, listedTable{schemaInfo, t.label, "VIEW", t.columns})
	}
	return list
}

// listViews lists the views that can be read, with their columns.
func listViews(ctx context.Context, ex *execution) (list []listedTable, err error) {
	views, err := ex.views()
	if err != nil {
		return nil, err
	}
	for _, v := range views.list() {
		columns, err := views.columnsOf(ctx, v, ex.session.Settings.Functions)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			list = append(list, listedTable{parser.ViewsSchema, v.name, "VIEW", columns})
		}
	}
	return list, nil
}

func tablesRows(ctx context.Context, ex *execution, _ scanBounds) rowMaker {
	list, views := &rowList{}, []listedTable(nil)
	views, list.err = listViews(ctx, ex)
	for _, t := range append(listedTables(), views...) {
		list.rows = append(list.rows, []value.Value{
			value.OfText(catalogName), value.OfText(t.schema), value.OfText(t.name), value.OfText(t.kind),
		})
	}
	return list
}

func columnsRows(ctx context.Context, ex *execution, _ scanBounds) rowMaker {
	list, views := &rowList{}, []listedTable(nil)
	views, list.err = listViews(ctx, ex)
	for _, t := range append(listedTables(), views...) {
		for i, c := range t.columns {
			if !c.hidden {
				list.rows = append(list.rows, informationRow(t, i, c))
			}
		}
	}
	return list
}

func informationRow(t listedTable, i int, c tableColumn) []value.Value {
	row := []value.Value{
		value.OfText(catalogName), value.OfText(t.schema), value.OfText(t.name), value.OfText(c.Name),
		value.OfInt(int64(i) + 1),
		null, value.OfText(yesNo(c.Nullable)), value.OfText(c.Type.SQL()),
		null, null, null, null, null, null,
	}
	switch c.Type {
	case Integer:
		row[9], row[11], row[12] = value.OfInt(64), value.OfInt(0), value.OfInt(2)
	case Real:
		row[9], row[12] = value.OfInt(53), value.OfInt(2)
	case Timestamp:
		row[10] = value.OfInt(6)
	}
	return row
}

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}
