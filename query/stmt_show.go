package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// showSources are the columns that SHOW gives, the table that has them, and the one that LIKE looks
// at.
var showSources = map[string]struct {
	table *parser.Table
	names []string
	like  string
	where parser.Expr
}{
	"tables": {
		&parser.Table{Schema: schemaInfo, Name: "tables"}, []string{
			"table_name", "table_type",
		}, "table_name",
		&parser.Binary{
			Op: parser.OpEq, X: &parser.Column{Name: "table_schema"}, Y: &parser.Literal{Value: schemaName},
		},
	},
	"streams": {&parser.Table{Name: "$streams"}, []string{"stream", "category", "version", "events",
		"first_position", "last_position", "created_at", "updated_at"}, "stream", nil},
	"views": {&parser.Table{Name: "$views"}, []string{"name", "kind", "created_at", "state"}, "name", nil},
	"types": {&parser.Table{Name: "$types"},
		[]string{"type", "events", "first_position", "last_position"}, "type", nil},
	"functions": {&parser.Table{Name: "$functions"},
		[]string{"name", "kind", "arguments", "origin"}, "name", nil},
}

// show compiles SHOW as the SELECT that gives the same.
func (c *statementCompiler) show(st *parser.Show) (statement, []Column, bool, error) {
	if st.What == "view" {
		return &showViewStatement{name: st.Table.Name, pos: st.Table.Pos}, showViewColumns, true, nil
	}
	if st.What == "columns" {
		return c.describe(&parser.Describe{Pos: st.Pos, Table: st.Table})
	}
	src, ok := showSources[st.What]
	if !ok {
		return nil, nil, false, errorf(Unsupported, st.Pos,
			"SHOW shows tables, streams, types, views, functions or columns")
	}
	table := *src.table
	table.Pos = st.Pos
	core := &parser.Core{Pos: st.Pos, From: &table, Where: src.where}
	for _, name := range src.names {
		core.Results = append(core.Results,
			parser.Result{Pos: st.Pos, Expr: &parser.Column{Pos: st.Pos, Name: name}})
	}
	if st.Like != nil {
		like := &parser.Like{
			Pos: st.Pos, X: &parser.Column{Pos: st.Pos, Name: src.like}, Pattern: st.Like,
		}
		if core.Where = like; src.where != nil {
			core.Where = &parser.Nary{Op: parser.OpAnd, Terms: []parser.Expr{src.where, like}}
		}
	}
	q, err := c.topSelect(&parser.Select{Pos: st.Pos, First: core, Limit: st.Limit})
	if err != nil {
		return nil, nil, false, err
	}
	return q, q.columns, true, nil
}

// A describeStatement is DESCRIBE or SHOW COLUMNS.
type describeStatement struct {
	copiedArguments
	rows [][]value.Value
}

var describeColumns = []Column{
	{"column_name", Text, false}, {"data_type", Text, false}, {"is_nullable", Text, false},
}

func (c *statementCompiler) describe(st *parser.Describe) (statement, []Column, bool, error) {
	if st.Table.Param != nil {
		return nil, nil, false, errorf(Unsupported, st.Table.Pos, "DESCRIBE needs the name of a table")
	}
	schema, err := c.schemaOf(st.Table)
	if err != nil {
		return nil, nil, false, err
	}
	d := &describeStatement{}
	for _, col := range schema {
		if !col.hidden {
			d.rows = append(d.rows, []value.Value{
				value.OfText(col.Name), value.OfText(col.Type.SQL()), value.OfText(yesNo(col.Nullable)),
			})
		}
	}
	return d, describeColumns, true, nil
}

// schemaOf returns the columns of a table or a view.
func (c *statementCompiler) schemaOf(t *parser.Table) ([]tableColumn, error) {
	if t.Schema == parser.ViewsSchema {
		rel, err := c.view(t)
		if err != nil {
			return nil, err
		}
		return rel.schema(), nil
	}
	def, err := c.catalog.table(t)
	if err != nil {
		return nil, err
	}
	return def.schema(), nil
}

func (d *describeStatement) query(_ context.Context, s *Session, _ []expr.Argument) (Rows, error) {
	return listRows(describeColumns, d.rows, s), nil
}

func (d *describeStatement) exec(context.Context, *Session, []expr.Argument) (Outcome, error) {
	return Outcome{LastPosition: engine.NoPosition}, nil
}
