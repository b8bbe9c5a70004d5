package parser

import "github.com/xwb1989/sqlparser"

// readCore reads one core, and the tail if it belongs to this core alone.
func (p *parser) readCore(sel *Select, cl coreClauses, tail tailClauses) *Core {
	lo, hi := cl.selects.at, cl.end()
	c := newCarriers(p, hi-lo)
	core := &Core{Pos: p.toks[lo].off}
	c.raw(lo, "SELECT")
	core.Distinct = c.distinct(cl.selects)
	core.Results = c.results(cl.selects.lo, cl.selects.hi)
	var ons []*Join
	if cl.from != nil {
		c.raw(cl.from.at, "FROM")
		core.From, ons = c.sources(cl.from.lo, cl.from.hi)
	}
	c.clause(cl.where, "WHERE")
	c.clause(cl.group, "GROUP BY")
	c.clause(cl.having, "HAVING")
	orders := c.tail(tail)
	st := c.parse(tail.end(hi)).(*sqlparser.Select)

	l := lowerer{p}
	l.results(core.Results, st.SelectExprs)
	if len(ons) > 0 {
		l.ons(ons, st.From)
	}
	core.Where, core.Having = l.where(st.Where), l.where(st.Having)
	core.GroupBy = l.list(sqlparser.Exprs(st.GroupBy))
	l.tail(sel, tail, orders, st.OrderBy, st.Limit)
	return core
}

// readTail reads the tail of a compound query on its own.
func (p *parser) readTail(sel *Select, tail tailClauses) {
	if tail == (tailClauses{}) {
		return
	}
	c := newCarriers(p, 16)
	c.raw(0, "SELECT 1")
	orders := c.tail(tail)
	st := c.parse(tail.end(0)).(*sqlparser.Select)
	l := lowerer{p}
	l.tail(sel, tail, orders, st.OrderBy, st.Limit)
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

// end returns the index behind the last clause, or otherwise if there is none.
func (tail tailClauses) end(otherwise int) int {
	for _, c := range []*clause{tail.offset, tail.limit, tail.order} {
		if c != nil {
			return c.hi
		}
	}
	return otherwise
}

// clause writes a clause that is one expression or a list of them.
func (c *carriers) clause(cl *clause, word string) {
	if cl == nil {
		return
	}
	c.raw(cl.at, word)
	c.expr(cl.lo, cl.hi)
}

// distinct steps over DISTINCT or ALL behind SELECT.
func (c *carriers) distinct(cl *clause) bool {
	t := &c.p.toks[cl.lo]
	if !t.is("DISTINCT", "ALL") {
		return false
	}
	if t.is("DISTINCT") {
		c.raw(cl.lo, "DISTINCT")
	}
	cl.lo++
	return t.is("DISTINCT")
}

// results writes the list of a SELECT. The results have all but their expressions, which the lowering fills in.
func (c *carriers) results(lo, hi int) []Result {
	var list []Result
	for i, part := range c.p.commas(lo, hi) {
		if i > 0 {
			c.raw(part.lo-1, ",")
		}
		list = append(list, c.result(part))
	}
	return list
}

// result writes one item of a SELECT list.
func (c *carriers) result(part span) Result {
	p := c.p
	r := Result{Pos: p.toks[part.lo].off}
	if last := part.hi - 1; p.toks[last].is("*") && (last == part.lo || p.toks[last-1].is(".")) {
		r.Star = true
		r.StarTable = p.starTable(part.lo, last)
		c.raw(last, "*")
		return r
	}
	stop := c.prefixExpr(part.lo, part.hi)
	end := stop
	if stop < part.hi {
		if p.toks[stop].is("AS") {
			stop++
		}
		if stop != part.hi-1 || !p.toks[stop].naming() {
			p.unexpected(p.notName(stop, part.hi))
		}
		r.Alias = p.toks[stop].text
	}
	r.Text = p.text[p.toks[part.lo].off:p.toks[end-1].end]
	return r
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
	}
	return p.toks[i].text
}

// An orderMeta is what of an ORDER BY item sqlparser does not see.
type orderMeta struct {
	desc  bool
	nulls NullOrder
}

// tail writes ORDER BY, LIMIT and OFFSET. An OFFSET alone is written as a LIMIT.
func (c *carriers) tail(tail tailClauses) []orderMeta {
	var orders []orderMeta
	if tail.order != nil {
		c.raw(tail.order.at, "ORDER BY")
		orders = c.orders(tail.order.lo, tail.order.hi)
	}
	limit := tail.limit
	if limit != nil && !c.p.limitAll(limit) {
		c.raw(limit.at, "LIMIT")
		c.limit(limit)
	}
	if o := tail.offset; o != nil {
		if limit == nil || c.p.limitAll(limit) {
			c.raw(o.at, "LIMIT")
		} else {
			if comma := c.p.find(limit.lo, limit.hi, ","); comma < limit.hi {
				c.p.unexpected(o.at)
			}
			c.raw(o.at, "OFFSET")
		}
		c.expr(o.lo, o.hi)
	}
	return orders
}

// limit writes LIMIT n or LIMIT offset, n.
func (c *carriers) limit(cl *clause) {
	parts := c.p.commas(cl.lo, cl.hi)
	if len(parts) > 2 {
		c.p.unexpected(parts[2].lo - 1)
	}
	c.expr(parts[0].lo, parts[0].hi)
	if len(parts) == 2 {
		c.raw(parts[1].lo-1, ",")
		c.expr(parts[1].lo, parts[1].hi)
	}
}

func (p *parser) limitAll(cl *clause) bool { return cl.hi == cl.lo+1 && p.toks[cl.lo].is("ALL") }

// orders writes the items of an ORDER BY without their directions.
func (c *carriers) orders(lo, hi int) []orderMeta {
	var list []orderMeta
	for i, part := range c.p.commas(lo, hi) {
		if i > 0 {
			c.raw(part.lo-1, ",")
		}
		meta, end := c.p.orderMeta(part)
		if stop := c.prefixExpr(part.lo, end); stop != end {
			if c.p.toks[stop].is("ASC", "DESC", "NULLS") {
				stop++
			}
			c.p.unexpected(stop)
		}
		list = append(list, meta)
	}
	return list
}

// orderMeta reads ASC, DESC and NULLS FIRST or LAST at the end of an ORDER BY item, and returns where its expression ends.
func (p *parser) orderMeta(part span) (meta orderMeta, end int) {
	end = part.hi
	if end-2 > part.lo && p.toks[end-2].is("NULLS") && p.toks[end-1].is("FIRST", "LAST") {
		meta.nulls = NullsLast
		if p.toks[end-1].is("FIRST") {
			meta.nulls = NullsFirst
		}
		end -= 2
	}
	if end-1 > part.lo && p.toks[end-1].is("ASC", "DESC") && !p.afterDot(end-1) {
		meta.desc = p.toks[end-1].is("DESC")
		end--
	}
	return meta, end
}
