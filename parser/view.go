package parser

import "strings"

// ViewsSchema is the schema in which views stand, so that a view and a stream never compete for a
// name.
const ViewsSchema = "views"

// foreignObjects tells for what other databases create, alter or drop what to do instead. What a
// store has none of at all is in foreignStatements.
var foreignObjects = map[string]string{
	"INDEX":     "streams, types, tags, ids and times are indexed already",
	"UNIQUE":    "an id is unique anyway; EXPECTING NO EVENT keeps what else must be unique",
	"TEMP":      "a view is for everybody and stays; WITH names a sub-query for one statement",
	"TEMPORARY": "a view is for everybody and stays; WITH names a sub-query for one statement",
	"RECURSIVE": "write WITH RECURSIVE in the view's SELECT",
	"TRIGGER":   "whoever follows a stream with SELECT ... FOLLOW sees what is appended to it",
	"FUNCTION":  "there are no procedures",
	"PROCEDURE": "there are no procedures",
	"DATABASE":  "a store is a directory; opening it creates it",
	"SCHEMA":    "a store has the schemas main, views and information_schema",
	"USER":      "who can read the directory can read the store",
	"ROLE":      "who can read the directory can read the store",
}

// readCreate reads CREATE [OR REPLACE] [MATERIALIZED] VIEW [IF NOT EXISTS] name AS select.
func readCreate(p *parser) Statement {
	first := p.next()
	v := &CreateView{Pos: first.off}
	v.Replace = p.accept("OR", "REPLACE")
	v.Materialized = p.accept("MATERIALIZED")
	if !p.accept("VIEW") {
		p.notView(first)
		return v
	}
	at := p.at
	v.IfNotExists = p.acceptIf("NOT", "EXISTS")
	if v.Replace && v.IfNotExists {
		p.fail(at, "a view is created with OR REPLACE or IF NOT EXISTS, not with both")
	}
	if v.View = p.view(); p.word("(") {
		p.fail(p.at, "the columns of a view are called what its SELECT calls them",
			"write AS name behind an expression of the SELECT")
	}
	p.expect("AS")
	v.definition(p)
	return v
}

// definition reads the SELECT of a view, to which all that is left belongs.
func (v *CreateView) definition(p *parser) {
	if p.failed() {
		return
	}
	if !p.word("SELECT", "WITH") {
		p.wants("a view is a SELECT")
		return
	}
	rest := p.toks[p.at : len(p.toks)-1]
	v.At = rest[0].off
	v.Text = p.text[v.At:rest[len(rest)-1].end]
	for i := range rest {
		if rest[i].kind == tokParam {
			p.fail(p.at+i, "the definition of a view takes no parameters",
				"write the value, or filter where the view is used: SELECT ... FROM views."+
					shorten(v.View.Name)+" WHERE ...")
			return
		}
	}
	from := p.at
	v.Select = p.query()
	switch {
	case p.failed():
	case v.Select.Follow:
		p.fail(from, "the definition of a view cannot FOLLOW", "FOLLOW stands in the query that reads it")
	case v.Select.AsOf != nil:
		p.refuseAt(v.Select.AsOf.At(), "the definition of a view cannot have AS OF POSITION",
			"AS OF POSITION stands in the query that reads it")
	}
}

// refuseAt refuses the statement because of what stands at a place of the text.
func (p *parser) refuseAt(pos Pos, msg, hint string) {
	err := newSyntaxError(p.text, pos, msg)
	err.Hint = hint
	p.refuse(err)
}

// readDrop reads DROP [MATERIALIZED] VIEW [IF EXISTS] name.
func readDrop(p *parser) Statement {
	first := p.next()
	d := &DropView{Pos: first.off}
	p.accept("MATERIALIZED")
	if !p.accept("VIEW") {
		p.notView(first)
		return d
	}
	d.IfExists = p.acceptIf("EXISTS")
	d.View = p.view()
	return d
}

// notView refuses CREATE and DROP of something else, which stands at the cursor.
func (p *parser) notView(first *token) {
	if p.failed() {
		return
	}
	if hint := foreignObjects[strings.ToUpper(p.tok().text)]; hint != "" && p.tok().kind == tokWord {
		p.fail(p.at, "there is no "+strings.ToUpper(first.text)+" "+strings.ToUpper(p.tok().text), hint)
		return
	}
	p.refuse(foreignStatement(p.text, first))
}

// acceptIf steps over IF and the keywords behind it if they stand at the cursor. IF is a function's
// name everywhere else.
func (p *parser) acceptIf(keys ...string) bool {
	t := p.tok()
	if t.kind != tokWord || !strings.EqualFold(t.text, "IF") || !p.words(p.at+1, keys...) {
		return false
	}
	p.at += 1 + len(keys)
	return true
}

// view reads the name of a view, which may have its schema.
func (p *parser) view() *Table {
	at := p.at
	t := p.table()
	if !p.failed() && t.Schema != "" && t.Schema != ViewsSchema {
		p.fail(at, "views stand in the schema views, not in "+p.quote(at), "write views."+shorten(t.Name))
	}
	t.Schema = ViewsSchema
	return t
}
