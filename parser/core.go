package parser

// readCore reads one core, and the tail if it belongs to this core alone.
func (p *parser) readCore(sel *Select, cl coreClauses, tail tailClauses) *Core {
	lo := cl.selects.at
	core := &Core{Pos: p.toks[lo].off}
	c := newCarriers(p, cl.end()-lo)
	core.Distinct = p.distinct(cl.selects)
	core.Results = c.results(cl.selects.lo, cl.selects.hi)
	if cl.from != nil {
		core.From = c.sources(cl.from.lo, cl.from.hi)
	}
	c.clause(&core.Where, cl.where)
	if cl.group != nil {
		core.GroupBy = c.list(cl.group.lo, cl.group.hi)
	}
	c.clause(&core.Having, cl.having)
	c.tail(sel, tail)
	c.read()
	return core
}

// readTail reads the tail of a compound query on its own.
func (p *parser) readTail(sel *Select, tail tailClauses) {
	c := newCarriers(p, 16)
	c.tail(sel, tail)
	c.read()
}

// end returns the index behind the last clause.
func (cl coreClauses) end() int {
	end := cl.selects.hi
	for _, c := range []*clause{cl.from, cl.where, cl.group, cl.having} {
		if c != nil {
			end = c.hi
		}
	}
	return end
}

// clause reads a clause that is one expression; nil stands for a clause that is not there.
func (c *carriers) clause(into *Expr, cl *clause) {
	if cl != nil {
		c.expr(into, cl.lo, cl.hi)
	}
}

// distinct steps over DISTINCT or ALL behind SELECT.
func (p *parser) distinct(cl *clause) bool {
	t := &p.toks[cl.lo]
	if t.is("DISTINCT", "ALL") {
		cl.lo++
	}
	return t.is("DISTINCT")
}

// results reads the list of a SELECT.
func (c *carriers) results(lo, hi int) []Result {
	parts := c.p.commas(lo, hi)
	list := make([]Result, len(parts))
	for i, part := range parts {
		c.result(&list[i], part)
	}
	return list
}

// result reads one item of a SELECT list.
func (c *carriers) result(r *Result, part span) {
	p := c.p
	r.Pos = p.toks[part.lo].off
	if last := part.hi - 1; p.toks[last].is("*") && (last == part.lo || p.toks[last-1].is(".")) {
		r.Star = true
		r.StarTable = p.starTable(part.lo, last)
		return
	}
	p.checkStar(part)
	end := c.prefix(&r.Expr, part.lo, part.hi)
	if end < part.hi {
		r.Alias = p.resultAlias(end, part.hi)
	}
	if p.err != nil {
		return
	}
	r.Text = p.text[p.toks[part.lo].off:p.toks[end-1].end]
}

// resultAlias reads the [AS] name that fills a range.
func (p *parser) resultAlias(i, hi int) string {
	if p.toks[i].is("AS") {
		i++
	}
	if i != hi-1 || !p.toks[i].naming() {
		p.unexpected(p.notName(i, hi))
	}
	return p.toks[i].text
}

// checkStar refuses an item of a SELECT list that begins with a star, or with names, dots and a
// star, and has something behind it.
func (p *parser) checkStar(part span) {
	star := part.lo
	for p.toks[star].kind != tokOp && star+2 < part.hi && p.toks[star+1].is(".") {
		star += 2
	}
	if star+1 >= part.hi || !p.toks[star].is("*") {
		return
	}
	if next := &p.toks[star+1]; !next.is("AS") && !next.naming() {
		p.misplaced(star + 1)
	}
	p.resultAlias(star+1, part.hi)
	p.fail(part.lo, "a * must stand alone")
}

// notName returns the first token from the index on that is not part of a single name.
func (p *parser) notName(i, hi int) int {
	if i < hi && p.toks[i].naming() {
		i++
	}
	return min(i, hi)
}

// starTable returns the table in front of the star of t.*, "" for a star alone.
func (p *parser) starTable(lo, star int) string {
	if lo == star {
		return ""
	}
	i := lo
	if star-lo == 4 && p.toks[lo+1].is(".") {
		p.checkSchema(lo)
		i += 2
	}
	if star-i != 2 || !p.toks[i].naming() {
		p.unexpected(lo)
		return ""
	}
	return p.toks[i].text
}

// tail reads ORDER BY, LIMIT and OFFSET.
func (c *carriers) tail(sel *Select, tail tailClauses) {
	if tail.order != nil {
		sel.OrderBy = c.orders(tail.order.lo, tail.order.hi)
	}
	limit, offset := tail.limit, tail.offset
	if limit != nil && !c.p.limitAll(limit) {
		c.limit(sel, limit)
	}
	if offset == nil {
		return
	}
	if limit != nil && c.p.find(limit.lo, limit.hi, ",") < limit.hi {
		c.p.unexpected(offset.at)
	}
	c.expr(&sel.Offset, offset.lo, offset.hi)
}

// limit reads LIMIT n or LIMIT offset, n.
func (c *carriers) limit(sel *Select, cl *clause) {
	parts := c.p.commas(cl.lo, cl.hi)
	if len(parts) > 2 {
		c.p.unexpected(parts[2].lo - 1)
	}
	if c.p.err != nil {
		return
	}
	if len(parts) == 2 {
		c.expr(&sel.Offset, parts[0].lo, parts[0].hi)
	}
	n := parts[len(parts)-1]
	c.expr(&sel.Limit, n.lo, n.hi)
}

func (p *parser) limitAll(cl *clause) bool { return cl.hi == cl.lo+1 && p.toks[cl.lo].is("ALL") }

// orders reads the items of an ORDER BY.
func (c *carriers) orders(lo, hi int) []Order {
	parts := c.p.commas(lo, hi)
	list := make([]Order, len(parts))
	for i, part := range parts {
		end := c.p.direction(&list[i], part)
		if stop := c.prefix(&list[i].Expr, part.lo, end); stop != end {
			if c.p.toks[stop].is("ASC", "DESC", "NULLS") {
				stop++
			}
			c.p.unexpected(stop)
		}
	}
	return list
}

// direction reads ASC, DESC and NULLS FIRST or LAST at the end of an ORDER BY item, and returns
// where its expression ends.
func (p *parser) direction(o *Order, part span) (end int) {
	end = part.hi
	if end-2 > part.lo && p.toks[end-2].is("NULLS") && p.toks[end-1].is("FIRST", "LAST") {
		o.Nulls = NullsLast
		if p.toks[end-1].is("FIRST") {
			o.Nulls = NullsFirst
		}
		end -= 2
	}
	if end-1 > part.lo && p.toks[end-1].is("ASC", "DESC") && !p.afterDot(end-1) {
		o.Desc = p.toks[end-1].is("DESC")
		end--
	}
	return end
}
