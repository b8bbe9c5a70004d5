package parser

// over reads what stands behind the arguments of a window function: IGNORE NULLS, and OVER with
// the name of a window, or with a window in parentheses.
func (p *parser) over(call *Call) {
	nulls := p.at
	p.nulls(call)
	switch at := p.at; {
	case p.words(at, "OVER", "("):
		p.next()
		call.Over = p.window(at)
	case p.word("OVER") && p.peek(1).naming():
		p.next()
		call.Over = &Window{Pos: p.toks[at].off, Name: p.name()}
	case p.words(at, "FROM", "FIRST", "OVER", "("), p.words(at, "FROM", "LAST", "OVER", "("):
		const hint = "counting begins at the first row of the frame; " +
			"for the last ones turn the ORDER BY of the window round"
		p.fail(at, "FROM FIRST and FROM LAST are not supported", hint)
	case call.IgnoreNulls:
		p.fail(nulls, "IGNORE NULLS stands in front of an OVER")
	}
}

// nulls reads IGNORE NULLS or RESPECT NULLS, which stands behind the arguments of a window
// function, in the parentheses or behind them. To respect them is the default.
func (p *parser) nulls(call *Call) {
	switch {
	case p.accept("IGNORE", "NULLS"):
		call.IgnoreNulls = true
	case p.words(p.at, "RESPECT", "NULLS"):
		p.at += 2
	}
}

// window reads a window in parentheses, of the OVER or the name at the index; the cursor is at the
// opening one. What it holds is read on its own, apart from the expression that it is a part of.
func (p *parser) window(over int) *Window {
	w := &Window{Pos: p.toks[over].off}
	p.expect("(")
	if p.tok().naming() && !p.word(windowWords...) {
		w.Base = p.name()
	}
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

// windowWords begin a part of a window; the name of another takes quotes if it is one of them.
var windowWords = []string{"PARTITION", "RANGE", "ROWS", "GROUPS"}

// windowsAhead tells whether a WINDOW is at the cursor. The word may also be a name.
func (p *parser) windowsAhead() bool {
	return p.word("WINDOW") && p.peek(1).naming() && p.peek(2).is("AS") && p.peek(3).is("(")
}

// windows reads WINDOW name AS (window), ...
func (p *parser) windows() (list []NamedWindow) {
	p.next()
	seen := map[string]bool{}
	for p.err == nil {
		at := p.at
		n := p.name()
		key := LowerASCII(n.Text)
		if seen[key] {
			p.fail(at, "the window "+p.quote(at)+" is named twice")
		}
		seen[key] = true
		p.expect("AS")
		list = append(list, NamedWindow{Name: n, Window: p.window(at)})
		if !p.accept(",") {
			break
		}
	}
	return list
}

// qualifyAhead tells whether a QUALIFY is at the cursor. The word may also be a name.
func (p *parser) qualifyAhead() bool { return p.word("QUALIFY") && p.peek(1).startsOperand() }

// frameUnits are the words that a frame begins with.
var frameUnits = map[string]FrameUnit{
	"RANGE": FrameRange, "ROWS": FrameRows, "GROUPS": FrameGroups,
}

// frameAhead tells whether the cursor is at the ROWS, RANGE or GROUPS of a frame. The words may
// also be names, so what follows them is looked at.
func (p *parser) frameAhead() bool {
	next := p.peek(1)
	return p.word("ROWS", "RANGE", "GROUPS") && (next.is("BETWEEN") || next.startsOperand())
}

// frame reads ROWS, RANGE or GROUPS, its bounds, and EXCLUDE.
func (p *parser) frame() *Frame {
	at := p.at
	f := &Frame{Unit: frameUnits[p.next().key], End: Bound{Kind: CurrentRow}}
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
	if p.accept("EXCLUDE") {
		f.Exclude = p.exclusion()
	}
	return f
}

// exclusions are what may stand behind EXCLUDE.
var exclusions = []struct {
	words []string
	what  Exclusion
}{
	{[]string{"NO", "OTHERS"}, ExcludeNoOthers},
	{[]string{"CURRENT", "ROW"}, ExcludeCurrentRow},
	{[]string{"GROUP"}, ExcludeGroup},
	{[]string{"TIES"}, ExcludeTies},
}

// exclusion reads what stands behind EXCLUDE.
func (p *parser) exclusion() Exclusion {
	for _, x := range exclusions {
		if p.accept(x.words...) {
			return x.what
		}
	}
	p.fail(p.at, "a frame excludes CURRENT ROW, GROUP, TIES or NO OTHERS")
	return ExcludeNoOthers
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
	const bounds = "a frame's end is UNBOUNDED PRECEDING, n PRECEDING, CURRENT ROW, n FOLLOWING " +
		"or UNBOUNDED FOLLOWING"
	p.fail(at, bounds)
	return Bound{}
}
