package parser

// followAhead tells whether a FOLLOW is at the cursor, which is the last clause: nothing stands
// behind it, or PROGRESS or AFTER. Otherwise the word is a name.
func (p *parser) followAhead() bool {
	if !p.word("FOLLOW") {
		return false
	}
	if p.closes(1) || p.peek(1).is("AFTER") {
		return true
	}
	return p.peek(1).is("PROGRESS") && (p.closes(2) || p.peek(2).is("AFTER"))
}

// follow reads FOLLOW [PROGRESS] [AFTER position], the two in any order, if it is at the cursor.
func (r *selectReader) follow() {
	p, sel := r.p, r.sel
	if !p.followAhead() {
		return
	}
	p.next()
	sel.Follow = true
	for {
		at := p.at
		switch {
		case p.accept("PROGRESS"):
			if sel.Progress {
				p.fail(at, "PROGRESS is given twice")
			}
			sel.Progress = true
		case p.accept("AFTER"):
			if sel.After != nil {
				p.fail(at, "AFTER is given twice")
			}
			sel.After = p.bind()
		default:
			return
		}
	}
}
