package parser

// An emitter writes one expression, or several with commas between them, as carriers.
// It knows what may follow what; who binds tighter is sqlparser's business.
type emitter struct {
	c     *carriers
	p     *parser
	hi    int    // where the expression ends at the latest
	want  bool   // an operand must come next
	open  prefix // what stands before the operand being read
	cases []prefix
}

// A prefix counts the operators in front of an operand.
type prefix struct{ nots, signs int }

// operatorWords are the words that continue an expression behind an operand, with what sqlparser is to read.
var operatorWords = map[string]string{"AND": "AND", "OR": "OR", "LIKE": "LIKE", "REGEXP": "REGEXP", "BETWEEN": "BETWEEN", "ESCAPE": "ESCAPE", "DIV": "DIV"}

// operatorMarks are the operators between two operands, with what sqlparser is to read. Its ^ binds tighter than * and looser than a sign,
// which is the place of || and -> in SQLite; a word behind it tells the three apart.
var operatorMarks = map[string]string{
	"||": "^", "->": "^ _binary", "->>": "^ binary", "+": "+", "-": "-", "*": "*", "/": "/", "%": "%",
	"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}

// tighter are the operators that bind tighter than IS, so that a NULL before them is an operand.
var tighter = []string{"||", "->", "->>", "+", "-", "*", "/", "%", "DIV", "COLLATE", "<", "<=", ">", ">="}

// write writes what is all of a range: an expression, or several with commas between them.
func (c *carriers) write(lo, hi int) {
	if stop := c.writePrefix(lo, hi); stop != hi {
		c.p.unexpected(stop)
	}
}

// writePrefix is write for what may end before hi. It returns where it ends: at hi, or at a name or AS.
func (c *carriers) writePrefix(lo, hi int) int {
	e := emitter{c: c, p: c.p, hi: hi, want: true}
	i := lo
	for i < hi && e.p.err == nil {
		next := i
		if e.want {
			next = e.operand(i)
		} else {
			next = e.operator(i)
		}
		if next == i {
			break
		}
		i = next
	}
	if e.want || len(e.cases) > 0 {
		c.p.unexpected(i)
	}
	e.settle()
	return i
}

// nest counts one more NOT, CASE or sign around what follows.
func (e *emitter) nest(i int) {
	if e.p.nest++; e.p.nest > maxNesting {
		e.p.fail(i, "NOT, CASE and signs are nested more than 200 deep")
	}
}

// operandDone is called behind an operand: its signs are settled.
func (e *emitter) operandDone() {
	e.want = false
	e.p.nest -= e.open.signs
	e.open.signs = 0
}

// settle is called where a whole condition ends: its NOTs are settled too.
func (e *emitter) settle() {
	e.p.nest -= e.open.signs + e.open.nots
	e.open = prefix{}
}

// operand writes an operand, or one operator in front of it, and returns the index behind it.
func (e *emitter) operand(i int) int {
	t := &e.p.toks[i]
	switch {
	case t.literal():
		return e.carry(i, i+1)
	case t.kind == tokWord:
		return e.wordOperand(i)
	case t.kind == tokName:
		return e.named(i)
	case t.is("("):
		return e.parenthesis(i)
	case t.is("+", "-"):
		e.nest(i)
		e.open.signs++
		e.c.raw(i, t.key)
		return i + 1
	case t.is("*"):
		e.c.raw(i, "*")
		e.operandDone()
		return i + 1
	}
	e.p.unexpected(i)
	return i
}

// carry writes the token as a value that ends before the index.
func (e *emitter) carry(i, end int) int {
	if end > e.hi {
		e.p.unexpected(e.hi)
		return end
	}
	e.c.value(i)
	e.operandDone()
	return end
}

// parenthesis writes a sub-query or a group.
func (e *emitter) parenthesis(i int) int {
	mate := e.p.toks[i].mate
	if e.p.startsSelect(i + 1) {
		return e.carry(i, mate+1)
	}
	e.c.raw(i, "(")
	e.c.write(i+1, mate)
	e.c.raw(mate, ")")
	e.operandDone()
	return mate + 1
}

// startsSelect tells whether a sub-query begins at the token.
func (p *parser) startsSelect(i int) bool { return p.toks[i].is("SELECT", "WITH") }

// wordOperand writes an operand that begins with an unquoted word.
func (e *emitter) wordOperand(i int) int {
	t, next := &e.p.toks[i], &e.p.toks[i+1]
	switch t.key {
	case "NOT":
		e.nest(i)
		e.open.nots++
		e.c.raw(i, "NOT")
		return i + 1
	case "CASE":
		return e.startCase(i)
	case "WHEN":
		if e.p.toks[i-1].is("CASE") {
			e.c.raw(i, "WHEN")
			return i + 1
		}
	}
	if end := e.p.carriedEnd(i); end > 0 {
		return e.carry(i, end)
	}
	if t.reserved() && !(functionWords[t.key] && next.is("(")) {
		e.p.unexpected(i)
		return i
	}
	return e.named(i)
}

// carriedEnd returns the index behind an operand that is carried by its first word, or 0 if the word does not begin one.
func (p *parser) carriedEnd(i int) int {
	switch t := &p.toks[i]; t.key {
	case "NULL", "TRUE", "FALSE":
		return i + 1
	case "EXISTS":
		if !p.toks[i+1].is("(") || !p.startsSelect(i+2) {
			p.fail(i, "EXISTS takes a sub-query: EXISTS (SELECT ...)")
			return 0
		}
		return p.toks[i+1].mate + 1
	case "DATE", "TIMESTAMP":
		if p.toks[i+1].kind == tokString {
			return i + 2
		}
	case "INTERVAL":
		return p.intervalEnd(i)
	}
	return 0
}

// startCase writes CASE. What stands in front of it counts on until its END.
func (e *emitter) startCase(i int) int {
	e.nest(i)
	e.cases = append(e.cases, e.open)
	e.open = prefix{}
	e.c.raw(i, "CASE")
	return i + 1
}

// named writes a call, or a name with up to two qualifiers.
func (e *emitter) named(i int) int {
	if e.p.toks[i+1].is("(") {
		return e.call(i)
	}
	e.c.name(i)
	for i++; i+1 < e.hi && e.p.toks[i].is("."); i += 2 {
		e.c.raw(i, ".")
		switch t := &e.p.toks[i+1]; {
		case t.kind == tokWord || t.kind == tokName:
			e.c.name(i + 1)
		case t.is("*"):
			e.c.raw(i+1, "*")
		default:
			e.p.unexpected(i + 1)
		}
	}
	e.operandDone()
	return i
}
