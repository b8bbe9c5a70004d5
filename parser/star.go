package parser

// starColumns reads what may stand behind the star that is result i:
// [EXCLUDE (name, ...) | EXCLUDE name] [REPLACE (expr AS name, ...)].
func (c *carriers) starColumns(core *Core, i int) {
	p := c.p
	if next := p.peek(1); p.word("EXCLUDE") && (next.is("(") || next.naming()) {
		p.next()
		core.Results[i].Exclude = p.excluded()
	}
	if p.accept("REPLACE", "(") {
		c.replacements(core, i)
		p.expect(")")
	}
}

// excluded reads the names of columns in parentheses, or one without them.
func (p *parser) excluded() []Name {
	if !p.word("(") {
		return []Name{p.name()}
	}
	return p.columnNames("EXCLUDE takes names of columns without a table; write t.* EXCLUDE (name)")
}

// replacements reads expr AS name, ... of result i. No column is named twice, in EXCLUDE or here.
func (c *carriers) replacements(core *Core, i int) {
	p := c.p
	seen := map[string]bool{}
	for _, n := range core.Results[i].Exclude {
		seen[LowerASCII(n.Text)] = true
	}
	for p.err == nil {
		k := len(core.Results[i].Replace)
		core.Results[i].Replace = append(core.Results[i].Replace, Replacement{})
		c.expr(func(e Expr) { core.Results[i].Replace[k].Expr = e })
		p.expect("AS")
		at := p.at
		n := p.name()
		if seen[LowerASCII(n.Text)] {
			p.fail(at, "the column "+p.quote(at)+" is named twice")
		}
		seen[LowerASCII(n.Text)] = true
		core.Results[i].Replace[k].Name = n
		if !p.accept(",") {
			return
		}
	}
}
