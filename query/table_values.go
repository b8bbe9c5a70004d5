package query

import (
	"strconv"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A valuesRelation is VALUES: rows of expressions, which are evaluated when they are read. Its
// columns are column1, column2 and so on, as in SQLite.
type valuesRelation struct {
	rows    [][]*expr.Expr
	columns []tableColumn
	typed   []bool // by column: some value is not NULL as a literal is
}

// values compiles VALUES as a SELECT of all columns of its rows.
func (c *coreScope) values() error {
	rel := &valuesRelation{}
	scope := c.constantsHere("VALUES")
	for i, row := range c.core.Values {
		list := make([]*expr.Expr, len(row))
		for k, e := range row {
			x, err := scope.compile(e)
			if err != nil {
				return err
			}
			list[k] = x
		}
		rel.rows = append(rel.rows, list)
		rel.describe(i, row)
	}
	if n := len(rel.columns); n > maxColumns {
		return errorf(BadStatement, c.core.Pos, "VALUES gives at most %d columns", maxColumns)
	}
	core := *c.core
	core.Results = []parser.Result{{Pos: core.Pos, Star: true}}
	c.core, c.from = &core, rel
	c.sources = []fromItem{{rel: rel, columns: rel.columns, pos: core.Pos}}
	return nil
}

// constantsHere returns a scope for expressions without a table of their own, in the place of the
// core.
func (c *coreScope) constantsHere(clause string) *clauseScope {
	scope := c.constants(clause, c.queryScope)
	scope.core = &parser.Core{Pos: c.core.Pos}
	return scope
}

// describe makes the columns those of the rows up to number i, which is read from row. A NULL has
// every type.
func (v *valuesRelation) describe(i int, row []parser.Expr) {
	if i == 0 {
		v.columns = make([]tableColumn, len(row))
		v.typed = make([]bool, len(row))
	}
	for k, x := range v.rows[i] {
		col := tableColumn{Column: Column{Name: "column" + strconv.Itoa(k+1), Type: x.Type, Nullable: x.Nullable},
			affinity: x.Affinity, collate: x.Collate, tags: x.Tags}
		null, _ := row[k].(*parser.Literal)
		switch {
		case null != nil && null.Value == nil && v.typed[k]:
			v.columns[k].Nullable = true
		case v.typed[k]:
			v.columns[k] = compoundOp{}.mergeColumns(v.columns[k], col)
		default:
			col.Nullable = col.Nullable || i > 0
			v.columns[k], v.typed[k] = col, null == nil || null.Value != nil
		}
	}
}

func (v *valuesRelation) schema() []tableColumn { return v.columns }

func (v *valuesRelation) bind(i int) *expr.Expr { return boundColumn(v.columns[i], slotExpr(i)) }

func (v *valuesRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	return &valuesRows{plan: v, en: ex.env(outer), row: make([]value.Value, len(v.columns))}, nil
}

func (v *valuesRelation) explain(x *explainer) { x.step("values", "%d rows", len(v.rows)) }

// valuesRows are the rows of a valuesRelation.
type valuesRows struct {
	plan *valuesRelation
	en   *expr.Env // that the values are evaluated in
	row  []value.Value
	at   int
}

func (v *valuesRows) next(en *expr.Env) (bool, error) {
	if v.at == len(v.plan.rows) {
		return false, nil
	}
	v.en.Begin()
	for k, x := range v.plan.rows[v.at] {
		v.row[k] = x.Eval(v.en)
	}
	v.at++
	if v.at%batchRows == 0 && v.en.Err == nil {
		v.en.Err = v.en.Ctx.Err()
	}
	en.Row.Values = v.row
	return v.en.Err == nil, v.en.Err
}

func (v *valuesRows) close() error { return nil }
