package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// json_each gives a row for each element of an array or member of an object, or one for any other
// value; json_tree gives one for the value and everything in it, parents first. Both are SQLite's.
var (
	jsonEach = &tableFunction{name: "json_each", usage: "json_each(x [, path])", min: 1, max: 2,
		columns: jsonTableColumns, open: func(c *functionCall) (rows, error) { return openJSON(c, false) }}
	jsonTree = &tableFunction{name: "json_tree", usage: "json_tree(x [, path])", min: 1, max: 2,
		columns: jsonTableColumns, open: func(c *functionCall) (rows, error) { return openJSON(c, true) }}
)

// jsonColumns are the columns of both functions, and how they are read. They have no types, as in
// SQLite, where their values say what they are.
var jsonColumns = []struct {
	tableColumn
	read func(r *jsonRows, en *expr.Env) value.Value
}{
	{nullable(column("key", Any, value.AffBlob)), (*jsonRows).key},
	{nullable(column("value", Any, value.AffBlob)), (*jsonRows).value},
	{column("type", Text, value.AffBlob), (*jsonRows).kind},
	{nullable(column("atom", Any, value.AffBlob)), (*jsonRows).atom},
	{column("id", Integer, value.AffBlob), (*jsonRows).id},
	{nullable(column("parent", Integer, value.AffBlob)), (*jsonRows).parent},
	{column("fullkey", Text, value.AffBlob), (*jsonRows).fullkey},
	{column("path", Text, value.AffBlob), (*jsonRows).path},
	{hidden(column("json", Any, value.AffBlob)), (*jsonRows).json},
	{hidden(column("root", Text, value.AffBlob)), (*jsonRows).rootPath},
}

func jsonTableColumns(*parser.TableFunc, []*expr.Expr) []tableColumn {
	list := make([]tableColumn, len(jsonColumns))
	for i, c := range jsonColumns {
		list[i] = c.tableColumn
	}
	return list
}

// openJSON goes through the JSON of a call. There are no rows for NULL, for a payload that is no
// JSON, and where the path leads to nothing.
func openJSON(c *functionCall, tree bool) (rows, error) {
	root, ok := "$", true
	if len(c.values) > 1 {
		root, ok = c.values[1].Text(), !c.values[1].IsNull()
	}
	doc, there := expr.Document(c.en, c.values[0], c.args[0].Pos)
	if c.en.Err != nil || !ok || !there {
		return noRows{}, c.en.Err
	}
	path, err := jsonpath.Parse(root)
	if err != nil {
		return nil, expr.BadPath(root, c.args[1].Pos)
	}
	if path.Many() {
		e := errorf(BadArgument, c.args[1].Pos, "%s goes through one value, and [*] leads to many", c.def.name)
		e.Hint = "name the array, as in json_each(payload, '$.items'), and take value ->> '$.field' of each"
		return nil, e
	}
	part := path.ExtractFor(&c.en.Meter, doc)
	if part == "" {
		return noRows{}, c.en.Err
	}
	r := &jsonRows{call: c, doc: doc, root: root, row: make([]value.Value, len(jsonColumns)),
		walker: jsonpath.NewWalker(string(part), root, tree), keep: newKeeper(c.ex.budget, c.def.name)}
	if tree {
		r.rootKey, r.above = path.Last(doc, root)
	}
	return r, nil
}

// jsonRows are the rows of json_each and json_tree: of one value after the other, of which only the
// columns that are read are computed.
type jsonRows struct {
	call    *functionCall
	doc     string // the whole of it
	root    string // the path to where the rows begin
	rootKey value.Value
	above   string // of json_tree: the path to what the root is in
	walker  *jsonpath.Walker
	keep    *keeper
	held    int64 // by the walker, that the budget knows of
	row     []value.Value
}

func (r *jsonRows) next(en *expr.Env) (bool, error) {
	en.Begin()
	if !r.walker.Next(&en.Meter) {
		return false, en.Err
	}
	if held := r.walker.Held(); held > r.held {
		if err := r.keep.account(held - r.held); err != nil {
			return false, err
		}
		r.held = held
	}
	for i, wanted := range r.call.want {
		if wanted {
			r.row[i] = jsonColumns[i].read(r, en)
		}
	}
	en.Row.Values = r.row
	return en.Err == nil, en.Err
}

func (r *jsonRows) close() error {
	r.keep.release()
	return nil
}

// key is the place in an array, or the name in an object.
func (r *jsonRows) key(en *expr.Env) value.Value {
	if r.walker.Inside() {
		return en.Taken(r.walker.Key(), r.doc)
	}
	return r.rootKey
}

func (r *jsonRows) value(en *expr.Env) value.Value {
	raw := r.walker.Raw()
	if !en.Effort(len(raw)) {
		return null
	}
	return en.Taken(raw.SQL(), r.doc)
}

// atom is the value of what holds no others.
func (r *jsonRows) atom(en *expr.Env) value.Value {
	if r.walker.Container() {
		return null
	}
	return r.value(en)
}

func (r *jsonRows) kind(*expr.Env) value.Value { return r.walker.Kind() }

func (r *jsonRows) id(*expr.Env) value.Value { return value.OfInt(r.walker.ID()) }

func (r *jsonRows) parent(*expr.Env) value.Value {
	if id, ok := r.walker.Parent(); ok {
		return value.OfInt(id)
	}
	return null
}

// fullkey is the path to the value.
func (r *jsonRows) fullkey(en *expr.Env) value.Value {
	if !en.Room(r.walker.FullKeySize()) {
		return null
	}
	return value.OfText(r.walker.FullKey())
}

// path is the path to what the value is in.
func (r *jsonRows) path(en *expr.Env) value.Value {
	if !r.walker.Inside() && r.above != "" {
		return value.OfText(r.above)
	}
	if !en.Room(r.walker.PathSize()) {
		return null
	}
	return value.OfText(r.walker.Path())
}

func (r *jsonRows) json(*expr.Env) value.Value { return r.call.values[0] }

func (r *jsonRows) rootPath(*expr.Env) value.Value { return value.OfText(r.root) }
