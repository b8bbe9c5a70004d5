package parser

// window reads what stands in the parentheses behind the OVER at the index; the cursor is at the
// opening one. What it holds is read on its own, apart from the expression that it is a part of.
func (p *parser) window(over int) *Window {
	w := &Window{Pos: p.toks[over].off}
	p.expect("(")
	c := newCarriers(p)
	if p.accept("PARTITION", "BY") {
		c.list(&w.PartitionBy)
	}
	if p.accept("ORDER") {
		p.expect("BY")
		c.orders(&w.OrderBy)
	}
	c.read()
	if p.frameAhead() {
		w.Frame = p.frame()
	}
	p.expect(")")
	return w
}

// frameAhead tells whether the cursor is at the ROWS or RANGE of a frame. The words may also be
// names, so what follows them is looked at.
func (p *parser) frameAhead() bool {
	next := p.peek(1)
	begins := next.is("BETWEEN", "UNBOUNDED", "CURRENT")
	if p.word("GROUPS") && begins {
		p.fail(p.at, "GROUPS is not supported in a window", "write ROWS or RANGE")
	}
	return p.word("ROWS", "RANGE") && (begins || next.literal() || next.is("("))
}

// frame reads ROWS or RANGE and its bounds.
func (p *parser) frame() *Frame {
	at := p.at
	f := &Frame{Rows: p.word("ROWS"), End: Bound{Kind: CurrentRow}}
	p.next()
	if p.accept("BETWEEN") {
		f.Start = p.bound()
		p.expect("AND")
		f.End = p.bound()
	} else {
		f.Start = p.bound()
	}
	impossible := f.Start.Kind == UnboundedFollowing || f.End.Kind == UnboundedPreceding
	if impossible || f.Start.Kind > f.End.Kind {
		p.fail(at, "the frame of the window ends before it begins")
	}
	return f
}

// boundWords are the ends of a frame that have no offset.
var boundWords = []struct {
	words []string
	kind  BoundKind
}{
	{[]string{"UNBOUNDED", "PRECEDING"}, UnboundedPreceding},
	{[]string{"UNBOUNDED", "FOLLOWING"}, UnboundedFollowing},
	{[]string{"CURRENT", "ROW"}, CurrentRow},
}

// bound reads one end of a frame.
func (p *parser) bound() Bound {
	for _, b := range boundWords {
		if p.accept(b.words...) {
			return Bound{Kind: b.kind}
		}
	}
	at := p.at
	offset := p.expr()
	switch {
	case p.accept("PRECEDING"):
		return Bound{Kind: Preceding, Offset: offset}
	case p.accept("FOLLOWING"):
		return Bound{Kind: Following, Offset: offset}
	}
	const bounds = "a frame's end is UNBOUNDED PRECEDING, n PRECEDING, CURRENT ROW, n FOLLOWING or UNBOUNDED FOLLOWING"
	p.fail(at, bounds)
	return Bound{}
}
