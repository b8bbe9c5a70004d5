package query

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A memCatalog is tables in memory, which tests make with CREATE TABLE and fill with INSERT.
type memCatalog struct{ tables map[string]*memTable }

// A memTable is one of them. Executions see the rows of the moment.
type memTable struct {
	label   string
	columns []tableColumn
	rows    [][]value.Value
}

func (c *memCatalog) table(t *parser.Table) (table, error) {
	if m := c.tables[parser.LowerASCII(t.Name)]; m != nil {
		return m, nil
	}
	return nil, errorf(UnknownTable, t.Pos, "there is no table %s", fault.Quoted(t.Name))
}

func (m *memTable) name() string          { return m.label }
func (m *memTable) schema() []tableColumn { return m.columns }

func (m *memTable) scan(*execution, []int, scanBounds) (batches, error) {
	return &madeBatches{width: len(m.columns), rows: &rowList{rows: m.rows}}, nil
}

var createTable = regexp.MustCompile(`(?is)^\s*CREATE\s+TABLE\s+"?(\w+)"?\s*\((.*)\)\s*;?\s*$`)

// create runs CREATE TABLE, as far as tests need it: names and types of columns.
func (c *memCatalog) create(text string) error {
	m := createTable.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("not a CREATE TABLE: %s", text)
	}
	t := &memTable{label: m[1]}
	for _, def := range splitTop(m[2]) {
		words := strings.Fields(def)
		if len(words) == 0 || strings.EqualFold(words[0], "PRIMARY") || strings.EqualFold(words[0], "UNIQUE") {
			continue
		}
		kind := ""
		if len(words) > 1 {
			kind = strings.ToUpper(words[1])
		}
		col := column(strings.Trim(words[0], `"`), Any, declaredAffinity(kind))
		t.columns = append(t.columns, nullable(col))
	}
	c.tables[parser.LowerASCII(t.label)] = t
	return nil
}

// splitTop splits at the commas outside of parentheses.
func splitTop(s string) []string {
	var parts []string
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts, from = append(parts, s[from:i]), i+1
			}
		}
	}
	return append(parts, s[from:])
}

// declaredAffinity is SQLite's rule for the affinity of a column.
func declaredAffinity(kind string) value.Affinity {
	has := func(list ...string) bool {
		for _, s := range list {
			if strings.Contains(kind, s) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		return value.AffInteger
	case has("CHAR", "CLOB", "TEXT"):
		return value.AffText
	case kind == "" || has("BLOB"):
		return value.AffBlob
	case has("REAL", "FLOA", "DOUB"):
		return value.AffReal
	}
	return value.AffNumeric
}

// insert runs INSERT INTO ... VALUES.
func (c *memCatalog) insert(st *parser.Insert) error {
	def, err := c.table(st.Into)
	if err != nil {
		return err
	}
	t := def.(*memTable)
	places := make([]int, 0, len(t.columns))
	for i := range t.columns {
		places = append(places, i)
	}
	if len(st.Columns) > 0 {
		places = places[:0]
		src := fromItem{columns: t.columns}
		for _, name := range st.Columns {
			i := src.find(name.Text)
			if i < 0 {
				return errorf(UnknownColumn, name.Pos, "there is no column %s", name.Text)
			}
			places = append(places, i)
		}
	}
	constants := (&statementCompiler{catalog: c}).constants("VALUES", onlyConstants)
	for _, row := range st.Rows {
		if len(row) != len(places) {
			return errorf(BadStatement, st.Pos, "%d values for %d columns", len(row), len(places))
		}
		values := make([]value.Value, len(t.columns))
		for k, e := range row {
			x, err := constants.compile(e)
			if err != nil {
				return err
			}
			en := expr.NewEnv(expr.Env{})
			v := x.Eval(en)
			if en.Err != nil {
				return en.Err
			}
			values[places[k]] = stored(v, t.columns[places[k]].affinity)
		}
		t.rows = append(t.rows, values)
	}
	return nil
}

// stored is what a column keeps of a value.
func stored(v value.Value, a value.Affinity) value.Value {
	switch a {
	case value.AffText:
		return value.AsText(v)
	case value.AffReal:
		if v = value.AsNumber(v); v.Kind == value.Int {
			return value.OfReal(float64(v.N))
		}
	case value.AffInteger, value.AffNumeric:
		if v = value.AsNumber(v); v.Kind == value.Float {
			if n, ok := value.IsInt(v.F); ok {
				return value.OfInt(n)
			}
		}
	}
	return v
}
