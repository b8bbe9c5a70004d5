package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A pathSet looks up the JSON paths of a scan's rows: all that one column is asked for at once, and
// once per row. Paths of conditions are looked up apart from the others, which rows that fail the
// conditions need not have.
type pathSet struct {
	groups []*pathGroup
}

// A pathGroup is the paths of one column that are looked up together.
type pathGroup struct {
	ord      int // of the column
	filter   bool
	paths    []*jsonpath.Path
	places   map[string]int  // in paths, by their keys; used while the statement is compiled
	prepared *jsonpath.Paths // set when the statement has been compiled
	key      *expr.MemoKey
}

// pathValues are what a group's paths led to on the last row. It belongs to one env.
type pathValues struct {
	serial uint64
	row    int
	ok     bool // the row has a document
	doc    string
	found  []jsonpath.Raw
}

func newPathSet() *pathSet { return &pathSet{} }

// add returns where a path is looked up, which is a group that has it already if there is one.
func (s *pathSet) add(ord int, p *jsonpath.Path, filter bool) (*pathGroup, int) {
	var into *pathGroup
	key := p.Key()
	for _, g := range s.groups {
		if g.ord != ord {
			continue
		}
		if i, known := g.places[key]; known {
			return g, i
		}
		if g.filter == filter {
			into = g
		}
	}
	if into == nil {
		into = &pathGroup{ord: ord, filter: filter, key: new(expr.MemoKey), places: map[string]int{}}
		s.groups = append(s.groups, into)
	}
	into.places[key] = len(into.paths)
	into.paths = append(into.paths, p)
	return into, len(into.paths) - 1
}

// prepare is called once, when no more paths will be added.
func (s *pathSet) prepare() {
	for _, g := range s.groups {
		g.prepared = jsonpath.NewPaths(g.paths)
	}
}

// Path implements pathBinder for columns of JSON that are read directly from an event table.
func (s *clauseScope) Path(col *expr.Expr, p *jsonpath.Path, as expr.Reading) (*expr.Expr, error) {
	scan, ok := s.from.(*tableScan)
	ord, known := s.ordinals[col]
	if !ok || !known || s.grouped || p.Many() || scan.events() == nil || ord != ordPayload && ord != ordMetadata {
		return nil, nil
	}
	group, i := scan.paths.add(ord, p, s.clause == "WHERE")
	e := &expr.Expr{Type: as.Type, Nullable: true, Pos: col.Pos}
	e.Eval = func(en *expr.Env) value.Value {
		raw, doc, ok := group.find(en, i)
		if !ok {
			return null
		}
		return en.Taken(as.Value(raw), doc)
	}
	return e, nil
}

// find returns what path i leads to on the current row, and in which document; ok is false if the
// row has no document.
func (g *pathGroup) find(en *expr.Env, i int) (raw jsonpath.Raw, doc string, ok bool) {
	if len(g.paths) == 1 {
		doc, ok := g.document(en)
		if !ok || !en.Effort(len(doc)) {
			return "", "", false
		}
		return g.paths[0].ExtractFor(&en.Meter, doc), doc, true
	}
	v := g.values(en)
	if v.serial != en.Row.Batch.Serial || v.row != en.Row.I {
		v.serial, v.row = en.Row.Batch.Serial, en.Row.I
		if v.doc, v.ok = g.document(en); v.ok {
			g.prepared.ExtractFor(&en.Meter, v.doc, v.found)
		}
	}
	return v.found[i], v.doc, v.ok
}

func (g *pathGroup) values(en *expr.Env) *pathValues {
	if v, ok := en.Memo.Get(g.key); ok {
		return v.(*pathValues)
	}
	v := &pathValues{found: make([]jsonpath.Raw, len(g.paths))}
	en.Memo.Put(g.key, v)
	return v
}

// document returns the column's text on the current row. A payload that is NULL or no JSON has
// none.
func (g *pathGroup) document(en *expr.Env) (doc string, ok bool) {
	b := en.Row.Batch.Events
	if g.ord == ordMetadata {
		return value.StringOf(b.Metadata[en.Row.I]), true
	}
	p := b.Payloads[en.Row.I]
	return value.StringOf(p), p != nil && b.JSON[en.Row.I]
}

// hasTag compiles HAS(tags, tag) on the tags that the engine has decoded. handled is false for
// anything else.
func (s *clauseScope) hasTag(c *parser.Call) (e *expr.Expr, handled bool, err error) {
	scan, ok := s.from.(*tableScan)
	if !ok || scan.events() == nil || len(c.Args) != 2 || c.Star || c.Distinct {
		return nil, false, nil
	}
	col, ok := c.Args[0].(*parser.Column)
	if !ok {
		return nil, false, nil
	}
	if i, err := s.find(col); err != nil || i < 0 || s.place(i) != ordTags {
		return nil, false, nil
	}
	tag, err := s.compile(c.Args[1])
	if err != nil {
		return nil, true, err
	}
	scan.use(ordTags)
	test := func(en *expr.Env) value.Truth {
		v := tag.Eval(en)
		if v.Kind == value.Null {
			return value.Unknown
		}
		text := v.Text()
		for _, t := range en.Row.Batch.Events.Tags[en.Row.I] {
			if t == text {
				return value.Yes
			}
		}
		return value.No
	}
	return &expr.Expr{Eval: func(en *expr.Env) value.Value { return test(en).Value() }, Test: test,
		Type: Integer, Nullable: tag.Nullable, Pos: c.Pos}, true, nil
}
