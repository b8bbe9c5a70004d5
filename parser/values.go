package parser

import "fmt"

// coreAhead tells whether a SELECT or VALUES is at the cursor.
func (p *parser) coreAhead() bool { return p.word("SELECT", "VALUES") }

// values reads VALUES (...), (...) where a SELECT could stand. Its expressions go to the list.
func (p *parser) values(c *carriers) *Core {
	core := &Core{Pos: p.next().off}
	for width := 0; p.err == nil; {
		open := p.at
		p.expect("(")
		if p.word(")") {
			p.fail(open, "a row of VALUES is empty")
		}
		i := len(core.Values)
		core.Values = append(core.Values, nil)
		n := 0
		for p.err == nil {
			c.expr(func(e Expr) { core.Values[i] = append(core.Values[i], e) })
			if n++; !p.accept(",") {
				break
			}
		}
		p.expect(")")
		if width != 0 && n != width {
			p.fail(open, fmt.Sprintf("this row has %s, and the first one %d", plural(n, "value"), width))
		}
		width = n
		if !p.accept(",") {
			break
		}
	}
	return core
}
