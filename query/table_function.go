package query

import (
	"maps"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A tableFunction is a function in FROM, which makes rows of its arguments. It is immutable.
type tableFunction struct {
	name     string
	usage    string // how it is called
	min, max int    // arguments
	remade   bool   // it makes its rows again for nothing, and there may be very many of them
	// columns are those of a call; hidden ones stand last.
	columns func(call *parser.TableFunc, args []*expr.Expr) []tableColumn
	// open starts making rows of the values of the arguments.
	open func(call *functionCall) (rows, error)
}

// tableFunctions are the functions in FROM. A new one is one more entry.
var tableFunctions = map[string]*tableFunction{}

func init() {
	for _, f := range []*tableFunction{jsonEach, jsonTree, generateSeries} {
		tableFunctions[f.name] = f
	}
}

// foreignTableFunctions tell for functions of other dialects what to write instead.
var foreignTableFunctions = map[string]string{
	"unnest":                    "write json_each(x): an array is JSON",
	"explode":                   "write json_each(x)",
	"posexplode":                "write json_each(x), whose key is the place",
	"flatten":                   "write json_each(x)",
	"json_array_elements":       "write json_each(x)",
	"jsonb_array_elements":      "write json_each(x)",
	"json_array_elements_text":  "write json_each(x)",
	"jsonb_array_elements_text": "write json_each(x)",
	"json_each_text":            "write json_each(x)",
	"jsonb_each":                "write json_each(x)",
	"jsonb_each_text":           "write json_each(x)",
	"json_object_keys":          "write json_each(x), whose key it is",
	"jsonb_object_keys":         "write json_each(x), whose key it is",
	"jsonb_tree":                "write json_tree(x)",
	"jsonb_path_query":          "write json_tree(x) and a condition on its path",
	"json_table":                "write json_each(x, path) and value->>'$.a'",
	"json_to_recordset":         "write json_each(x) and value->>'$.a'",
	"jsonb_to_recordset":        "write json_each(x) and value->>'$.a'",
	"openjson":                  "write json_each(x)",
	"range":                     "write generate_series(start, stop - 1, step), which has the last value, too",
	"generate_subscripts":       "write json_each(x), whose key is the place",
	"generate_date_array":       "write generate_series(start, stop, INTERVAL '1' DAY)",
	"generate_timestamp_array":  "write generate_series(start, stop, INTERVAL '1' HOUR)",
	"sequence":                  "write generate_series(start, stop, step)",
	"numbers":                   "write generate_series(start, stop)",
	"table":                     "write the function itself, as in FROM json_each(x)",
	"values":                    "write (VALUES (1), (2)) AS t (a)",
	"string_to_table":           "write json_each of a JSON array",
	"regexp_split_to_table":     "write json_each of a JSON array",
	"string_split":              "write json_each of a JSON array",
}

// A functionRelation is a call of a function in FROM.
type functionRelation struct {
	def     *tableFunction
	args    []*expr.Expr
	columns []tableColumn
	want    []bool // columns that are read
	lateral *lateralRow
	text    string // for EXPLAIN
}

// function compiles a function in FROM. It sees the columns of the enclosing queries, and those of
// the items before it.
func (c *coreScope) function(from *parser.TableFunc) (src fromItem, err error) {
	def := tableFunctions[from.Name]
	if def == nil {
		return src, unknownTableFunction(from)
	}
	if n := len(from.Args); n < def.min || n > def.max {
		e := errorf(BadArgument, from.Pos, "%s takes %s, not %d", def.name, argumentCount(def.min, def.max), n)
		e.Hint = "write " + def.usage
		return src, e
	}
	scope, row := c.lateralScope()
	rel := &functionRelation{def: def, lateral: row, text: functionText(from)}
	for _, e := range from.Args {
		x, err := scope.compile(e)
		if err != nil {
			return src, err
		}
		rel.args = append(rel.args, x)
	}
	what := calledBy(from.Alias, def.name)
	if rel.columns, err = renamed(def.columns(from, rel.args), from.Columns, what); err != nil {
		return src, err
	}
	rel.want = make([]bool, len(rel.columns))
	return fromItem{rel: rel, name: aliasOr(from.Alias, def.name), pos: from.Pos, lateral: row}, nil
}

// argumentCount tells how many arguments there may be.
func argumentCount(least, most int) string {
	words := [...]string{"no arguments", "one argument", "two arguments", "three arguments"}
	if least == most {
		return words[least]
	}
	number, _, _ := strings.Cut(words[least], " ")
	if most == least+1 {
		return number + " or " + words[most]
	}
	return number + " to " + words[most]
}

func unknownTableFunction(from *parser.TableFunc) error {
	e := errorf(UnknownTable, from.Pos, "there is no function %s that gives rows", fault.Quoted(from.Name))
	e.Hint = foreignTableFunctions[from.Name]
	if e.Hint == "" {
		e.Hint = "there are " + strings.Join(slices.Sorted(maps.Keys(tableFunctions)), ", ")
	}
	return e
}

// functionText is what EXPLAIN calls a function.
func functionText(from *parser.TableFunc) string {
	text := from.Name + "(" + exprTexts(from.Args) + ")"
	if from.Alias != "" {
		text += " AS " + from.Alias
	}
	return text
}

func (f *functionRelation) schema() []tableColumn { return f.columns }

func (f *functionRelation) bind(i int) *expr.Expr {
	f.want[i] = true
	return boundColumn(f.columns[i], slotExpr(i))
}

// A functionCall is a call with the values of its arguments.
type functionCall struct {
	*functionRelation
	ex     *execution
	en     *expr.Env // of the arguments: what they have made lasts as long as the rows
	values []value.Value
}

func (f *functionRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	call := &functionCall{functionRelation: f, ex: ex, en: f.lateral.env(ex, outer),
		values: make([]value.Value, len(f.args))}
	for i, x := range f.args {
		call.values[i] = x.Eval(call.en)
	}
	if call.en.Err != nil {
		return nil, call.en.Err
	}
	return f.def.open(call)
}

func (f *functionRelation) explain(x *explainer) { x.step("function", "%s", f.text) }
