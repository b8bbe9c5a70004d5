package parser

// core reads one SELECT without WITH, ORDER BY and LIMIT, or VALUES. Its expressions go to the list.
func (r *selectReader) core(c *carriers) *Core {
	p := r.p
	if p.word("VALUES") {
		return p.values(c)
	}
	core := &Core{Pos: p.tok().off}
	p.expect("SELECT")
	c.distinct(core)
	c.results(core)
	if p.accept("FROM") {
		core.From = c.sources()
		r.position()
	}
	if p.accept("WHERE") {
		c.expr(into(&core.Where))
	}
	if p.word("GROUP") {
		c.groupBy(core)
	}
	if p.accept("HAVING") {
		c.expr(into(&core.Having))
	}
	if p.windowsAhead() {
		core.Windows = p.windows()
	}
	if p.qualifyAhead() {
		p.next()
		c.expr(into(&core.Qualify))
	}
	return core
}

// distinct reads [ALL | DISTINCT [ON (expr, ...)]].
func (c *carriers) distinct(core *Core) {
	p := c.p
	if core.Distinct = p.accept("DISTINCT"); !core.Distinct {
		p.accept("ALL")
		return
	}
	if p.accept("ON") {
		p.expect("(")
		c.list(&core.DistinctOn)
		p.expect(")")
	}
}

// results reads the list of a SELECT.
func (c *carriers) results(core *Core) {
	for c.p.err == nil {
		c.result(core)
		if !c.p.accept(",") {
			return
		}
	}
}

// result reads one item of a SELECT list.
func (c *carriers) result(core *Core) {
	p := c.p
	lo := p.at
	i := len(core.Results)
	core.Results = append(core.Results, Result{Pos: p.tok().off})
	r := &core.Results[i]
	if star := p.starAhead(); star >= 0 {
		r.Star = true
		r.StarTable = p.star(star)
		c.starColumns(core, i)
		p.checkStar(lo)
		return
	}
	c.expr(func(e Expr) { core.Results[i].Expr = e })
	if p.err != nil {
		return
	}
	r.Text = p.text[p.toks[lo].off:p.toks[p.at-1].end]
	if !p.clauseAhead() {
		r.Alias = p.alias()
	}
}

// alias reads [AS] name. It returns "" if there is neither.
func (p *parser) alias() string {
	if p.accept("AS") || p.tok().naming() {
		return p.name().Text
	}
	return ""
}

// starAhead returns the index of the star that begins the item of a SELECT list at the cursor, with
// names and dots in front of it perhaps, or -1.
func (p *parser) starAhead() int {
	i := p.at
	for p.toks[i].named() && p.toks[i+1].is(".") && p.toks[i+2].kind != tokEnd {
		i += 2
	}
	if p.toks[i].is("*") {
		return i
	}
	return -1
}

// star reads [[schema.]table.]*, with the star at the index, and returns the table.
func (p *parser) star(star int) (table string) {
	lo := p.at
	names := (star - lo) / 2
	if names == 2 {
		p.checkSchema(lo)
	}
	if names > 2 || names > 0 && !p.toks[star-2].naming() {
		p.unexpected(lo)
	}
	if names > 0 {
		table = p.toks[star-2].text
	}
	if p.failed() {
		return ""
	}
	p.at = star + 1
	return table
}

// checkStar refuses what stands behind the star of an item that begins at the index and is not the
// next item or clause.
func (p *parser) checkStar(lo int) {
	t := p.tok()
	switch {
	case p.failed() || p.itemEnds():
		return
	case !t.is("AS") && !t.naming():
		p.misplaced(p.at)
		return
	}
	p.alias()
	if !p.itemEnds() {
		p.unexpected(p.at)
	}
	p.fail(lo, "a * must stand alone")
}

// itemEnds tells whether the next item of a SELECT list or the next clause is at the cursor.
func (p *parser) itemEnds() bool {
	t := p.tok()
	return p.closes(0) || t.is(",") || clauseWords[t.key] || p.clauseAhead()
}

// orders reads the items of an ORDER BY.
func (c *carriers) orders(list *[]Order) {
	for c.p.err == nil {
		i := len(*list)
		*list = append(*list, Order{})
		c.expr(func(e Expr) { (*list)[i].Expr = e })
		c.p.direction(&(*list)[i])
		if !c.p.accept(",") {
			return
		}
	}
}

// direction reads [ASC | DESC] [NULLS FIRST | NULLS LAST].
func (p *parser) direction(o *Order) {
	if o.Desc = p.accept("DESC"); !o.Desc {
		p.accept("ASC")
	}
	if !p.accept("NULLS") {
		return
	}
	switch {
	case p.accept("FIRST"):
		o.Nulls = NullsFirst
	case p.accept("LAST"):
		o.Nulls = NullsLast
	default:
		p.unexpected(p.at)
	}
}
