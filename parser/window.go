package parser

// window reads what stands in the parentheses of OVER, the token at.
func (p *parser) window(at, lo, hi int) *Window {
	w := &Window{Pos: p.toks[at].off}
	order := p.find(lo, hi, "ORDER")
	frame := p.frameAt(lo, hi)
	partitionEnd := min(order, frame)
	if p.words(lo, "PARTITION", "BY") {
		w.PartitionBy = p.exprList(lo+2, partitionEnd)
	} else if lo < partitionEnd {
		p.unexpected(lo)
	}
	if order < hi {
		if !p.toks[order+1].is("BY") || frame < order {
			p.unexpected(order + 1)
			return w
		}
		w.OrderBy = p.orderList(order+2, frame)
	}
	if frame < hi {
		w.Frame = p.frame(frame, hi)
	}
	return w
}

// frameAt returns where ROWS or RANGE begins, or hi. The words may also be names, so what follows them is looked at.
func (p *parser) frameAt(lo, hi int) int {
	for i := lo; i < hi; i = p.skip(i) {
		t := &p.toks[i]
		if t.is("GROUPS") && p.toks[i+1].is("BETWEEN", "UNBOUNDED", "CURRENT") {
			p.fail(i, "GROUPS is not supported in a window", "write ROWS or RANGE")
		}
		if !t.is("ROWS", "RANGE") || p.afterDot(i) || i+1 >= hi {
			continue
		}
		next := &p.toks[i+1]
		starts := i == lo || p.toks[i-1].endsOperand() && !p.toks[i-1].is("PARTITION")
		if starts && (next.is("BETWEEN", "UNBOUNDED", "CURRENT") || next.literal() || next.is("(")) {
			return i
		}
	}
	return hi
}

// orderList reads the items of an ORDER BY that fill a range, on their own.
func (p *parser) orderList(lo, hi int) []Order {
	if lo >= hi {
		p.unexpected(hi)
		return nil
	}
	c := newCarriers(p, hi-lo)
	list := c.orders(lo, hi)
	c.read()
	return list
}

// frame reads ROWS or RANGE and its bounds.
func (p *parser) frame(lo, hi int) *Frame {
	f := &Frame{Rows: p.toks[lo].is("ROWS"), End: Bound{Kind: CurrentRow}}
	if !p.toks[lo+1].is("BETWEEN") {
		f.Start = p.bound(lo+1, hi)
		p.checkFrame(lo, f)
		return f
	}
	and := p.find(lo+2, hi, "AND")
	if and == hi {
		p.unexpected(hi)
		return f
	}
	f.Start, f.End = p.bound(lo+2, and), p.bound(and+1, hi)
	p.checkFrame(lo, f)
	return f
}

// checkFrame refuses a frame that cannot hold a row whatever its offsets.
func (p *parser) checkFrame(at int, f *Frame) {
	if f.Start.Kind == UnboundedFollowing || f.End.Kind == UnboundedPreceding || f.Start.Kind > f.End.Kind {
		p.fail(at, "the frame of the window ends before it begins")
	}
}

// bound reads one end of a frame that fills a range.
func (p *parser) bound(lo, hi int) Bound {
	for _, b := range []struct {
		words []string
		kind  BoundKind
	}{
		{[]string{"UNBOUNDED", "PRECEDING"}, UnboundedPreceding},
		{[]string{"UNBOUNDED", "FOLLOWING"}, UnboundedFollowing},
		{[]string{"CURRENT", "ROW"}, CurrentRow},
	} {
		if hi-lo == len(b.words) && p.words(lo, b.words...) {
			return Bound{Kind: b.kind}
		}
	}
	if hi-lo < 2 || !p.toks[hi-1].is("PRECEDING", "FOLLOWING") {
		p.fail(lo, "a frame's end is UNBOUNDED PRECEDING, n PRECEDING, CURRENT ROW, n FOLLOWING or UNBOUNDED FOLLOWING")
		return Bound{}
	}
	kind := Preceding
	if p.toks[hi-1].is("FOLLOWING") {
		kind = Following
	}
	return Bound{Kind: kind, Offset: p.exprRange(lo, hi-1)}
}
