package parser

import "strings"

// ViewsSchema is the schema in which views stand, so that a view and a stream never compete for a
// name.
const ViewsSchema = "views"

// readCreate reads CREATE [OR REPLACE] [MATERIALIZED] VIEW [IF NOT EXISTS] name AS select.
func readCreate(p *parser) Statement {
	first := p.at
	v := &CreateView{Pos: p.next().off}
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
	first := p.at
	d := &DropView{Pos: p.next().off}
	p.accept("MATERIALIZED")
	if !p.accept("VIEW") {
		p.notView(first)
		return d
	}
	d.IfExists = p.acceptIf("EXISTS")
	d.View = p.view()
	return d
}

// notView refuses CREATE and DROP of something else, which begin at token first.
func (p *parser) notView(first int) {
	if !p.failed() {
		p.refuse(foreignStatement(p.text, p.toks[first:], 1))
	}
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
