package parser

// An emitter writes the expression at the parser's cursor as carriers, and stops where it ends. It
// knows what may follow what; who binds tighter is sqlparser's business.
type emitter struct {
	c     *carriers
	p     *parser
	want  bool   // an operand must come next
	open  prefix // what stands before the operand being read
	cases []prefix
}

// A prefix counts the operators in front of an operand.
type prefix struct{ nots, signs int }

// operands writes one expression.
func (c *carriers) operands() {
	e := emitter{c: c, p: c.p, want: true}
	for e.p.err == nil {
		if e.want {
			e.operand()
		} else if !e.operator() {
			break
		}
	}
	if len(e.cases) > 0 {
		e.p.unexpected(e.p.at)
	}
	e.settle()
}

// exprs writes expressions with commas between them, and tells how many.
func (c *carriers) exprs() (n int) {
	for c.p.err == nil {
		c.operands()
		n++
		if !c.p.word(",") {
			break
		}
		c.raw(c.p.at, ",")
		c.p.next()
	}
	return n
}

// nest counts one more NOT, CASE or sign around what follows.
func (e *emitter) nest() {
	if e.c.nest++; e.c.nest > maxNesting {
		e.p.fail(e.p.at, "NOT, CASE and signs are nested more than 200 deep")
	}
}

// operandDone is called behind an operand: its signs are settled.
func (e *emitter) operandDone() {
	e.want = false
	e.c.nest -= e.open.signs
	e.open.signs = 0
}

// settle is called where a whole condition ends: its NOTs are settled too.
func (e *emitter) settle() {
	e.c.nest -= e.open.signs + e.open.nots
	e.open = prefix{}
}

// operand writes an operand, or one operator in front of it.
func (e *emitter) operand() {
	switch t := e.p.tok(); {
	case t.literal():
		e.c.value(e.p.at)
		e.p.next()
		e.operandDone()
	case t.kind == tokWord:
		e.wordOperand()
	case t.kind == tokName:
		e.named()
	case e.p.subqueryAhead():
		at := e.p.at
		e.carry(at, &Subquery{Pos: t.off, Select: e.p.subquery()})
	case t.is("("):
		e.parenthesis()
		e.operandDone()
	case t.is("+", "-"):
		e.nest()
		e.open.signs++
		e.raw(1, t.key)
	case t.is("*"):
		e.raw(1, "*")
		e.operandDone()
	default:
		e.p.unexpected(e.p.at)
	}
}

// raw writes a word or a mark for the token at the cursor, and steps over it and those behind it
// that belong to it.
func (e *emitter) raw(tokens int, word string) {
	e.c.raw(e.p.at, word)
	if e.p.err == nil {
		e.p.at += tokens
	}
}

// carry writes an operand that has been read already as a value: its first token holds it, and
// which one is its last.
func (e *emitter) carry(first int, x Expr) {
	if e.p.err != nil {
		return
	}
	e.p.toks[first].value, e.p.toks[first].mate = x, e.p.at-1
	e.c.value(first)
	e.operandDone()
}

// parenthesis writes expressions in parentheses.
func (e *emitter) parenthesis() {
	e.raw(1, "(")
	e.c.exprs()
	e.closing()
}

// closing writes the parenthesis that must be at the cursor.
func (e *emitter) closing() {
	at := e.p.at
	e.p.expect(")")
	e.c.raw(at, ")")
}

// wordOperand writes an operand that begins with an unquoted word.
func (e *emitter) wordOperand() {
	t, at := e.p.tok(), e.p.at
	switch {
	case t.is("NOT"):
		e.nest()
		e.open.nots++
		e.raw(1, "NOT")
		return
	case t.is("CASE"):
		e.startCase()
		return
	case t.is("WHEN") && e.p.toks[at-1].is("CASE"):
		e.raw(1, "WHEN")
		return
	}
	if x := e.p.carried(); x != nil || e.p.err != nil {
		e.carry(at, x)
		return
	}
	if t.reserved() && !(functionWords[t.key] && e.p.peek(1).is("(")) {
		e.p.unexpected(at)
		return
	}
	e.named()
}

// constants are the words that are values.
var constants = map[string]any{"NULL": nil, "TRUE": true, "FALSE": false}

// carried reads an operand that begins with a certain word, and does not depend on what binds
// tighter. It returns nil if none is at the cursor.
func (p *parser) carried() Expr {
	t := p.tok()
	switch t.key {
	case "NULL", "TRUE", "FALSE":
		p.next()
		return &Literal{Pos: t.off, Value: constants[t.key]}
	case "EXISTS":
		p.next()
		if !p.subqueryAhead() {
			p.fail(p.at-1, "EXISTS takes a sub-query: EXISTS (SELECT ...)")
			return nil
		}
		return &Exists{Pos: t.off, Select: p.subquery()}
	case "DATE", "TIMESTAMP":
		if p.peek(1).kind == tokString {
			p.next()
			return &Call{Pos: t.off, Name: LowerASCII(t.key), Args: []Expr{p.constant()}}
		}
	case "INTERVAL":
		if p.intervalAhead() {
			return p.interval()
		}
	}
	return nil
}

// startCase writes CASE. What stands in front of it counts on until its END.
func (e *emitter) startCase() {
	e.nest()
	e.cases = append(e.cases, e.open)
	e.open = prefix{}
	e.raw(1, "CASE")
}

// named writes a call, or a name with up to two qualifiers.
func (e *emitter) named() {
	if e.p.peek(1).is("(") {
		e.call()
		return
	}
	e.c.name(e.p.at)
	e.p.next()
	for e.p.word(".") && !e.p.closes(1) {
		e.raw(1, ".")
		switch t := e.p.tok(); {
		case t.named():
			e.c.name(e.p.at)
			e.p.next()
		case t.is("*"):
			e.raw(1, "*")
		default:
			e.p.unexpected(e.p.at)
		}
	}
	e.operandDone()
}
