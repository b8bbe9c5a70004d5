package parser

// groupBy reads what stands behind GROUP BY.
func (c *carriers) groupBy(core *Core) {
	p := c.p
	p.expect("GROUP", "BY")
	if core.GroupAll = p.accept("ALL"); core.GroupAll {
		return
	}
	core.Grouping = c.groupings(core)
	if p.words(p.at, "WITH", "ROLLUP") {
		p.fail(p.at, "WITH ROLLUP is not supported", "write GROUP BY ROLLUP (a, b)")
	}
	core.plainGrouping()
}

// plainGrouping leaves the terms alone where GROUP BY is nothing but a list of them.
func (core *Core) plainGrouping() {
	for _, g := range core.Grouping {
		if g.Kind != GroupTerms {
			return
		}
	}
	if len(core.GroupBy) > 0 {
		core.Grouping = nil
	}
}

// groupings reads items with commas between them.
func (c *carriers) groupings(core *Core) (list []Grouping) {
	for c.p.err == nil {
		list = append(list, c.grouping(core))
		if !c.p.accept(",") {
			break
		}
	}
	return list
}

// groupingWords begin an item that is no list of expressions. The words may also be names.
var groupingWords = []struct {
	words []string
	kind  GroupingKind
}{
	{[]string{"ROLLUP", "("}, GroupRollup},
	{[]string{"CUBE", "("}, GroupCube},
	{[]string{"GROUPING", "SETS", "("}, GroupSets},
}

// grouping reads one item.
func (c *carriers) grouping(core *Core) Grouping {
	p := c.p
	for _, w := range groupingWords {
		if at := p.at; p.accept(w.words...) {
			g := Grouping{Kind: w.kind, Items: c.groupings(core)}
			p.expect(")")
			g.check(p, at)
			return g
		}
	}
	if p.termsAhead() {
		return c.groupTerms(core)
	}
	return Grouping{Terms: []int{c.groupTerm(core)}}
}

// check holds that ROLLUP and CUBE have only lists of expressions.
func (g *Grouping) check(p *parser, at int) {
	for _, item := range g.Items {
		if g.Kind != GroupSets && item.Kind != GroupTerms {
			const hint = "GROUPING SETS takes them: GROUPING SETS (ROLLUP (a, b), CUBE (c, d))"
			p.fail(at, p.quote(at)+" takes expressions and lists of them in parentheses", hint)
		}
	}
}

// termsAhead tells whether a list in parentheses is at the cursor, and no expression that begins
// with one.
func (p *parser) termsAhead() bool {
	if !p.word("(") || p.subqueryAhead() {
		return false
	}
	at := p.at
	p.at = p.toks[at].mate + 1
	ends := p.itemEnds() || p.words(p.at, "WITH", "ROLLUP")
	p.at = at
	return ends
}

// groupTerms reads a list in parentheses, of which nothing may stand there.
func (c *carriers) groupTerms(core *Core) (g Grouping) {
	p := c.p
	p.expect("(")
	for p.err == nil && !p.word(")") {
		g.Terms = append(g.Terms, c.groupTerm(core))
		if !p.accept(",") {
			break
		}
		if p.word(")") {
			p.unexpected(p.at)
		}
	}
	p.expect(")")
	return g
}

// groupTerm reads an expression and returns its place in GroupBy.
func (c *carriers) groupTerm(core *Core) int {
	i := len(core.GroupBy)
	core.GroupBy = append(core.GroupBy, nil)
	c.expr(func(e Expr) { core.GroupBy[i] = e })
	return i
}

// Groups tells whether there is a GROUP BY.
func (core *Core) Groups() bool {
	return core.GroupAll || len(core.GroupBy) > 0 || len(core.Grouping) > 0
}

func (r *renderer) groupBy(core *Core) {
	switch {
	case core.GroupAll:
		r.text(" GROUP BY ALL")
	case len(core.Grouping) > 0:
		r.text(" GROUP BY ")
		r.groupings(core, core.Grouping)
	case len(core.GroupBy) > 0:
		r.text(" GROUP BY ")
		r.list(core.GroupBy)
	}
}

func (r *renderer) groupings(core *Core, list []Grouping) {
	for i, g := range list {
		if i > 0 {
			r.text(", ")
		}
		if g.Kind != GroupTerms {
			r.text(g.Kind.String(), " (")
			r.groupings(core, g.Items)
			r.text(")")
			continue
		}
		r.text("(")
		for n, term := range g.Terms {
			r.text([...]string{"", ", "}[min(n, 1)], core.GroupBy[term])
		}
		r.text(")")
	}
}
