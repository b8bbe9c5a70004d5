package parser

// operator writes what follows an operand and returns the index behind it. It returns i itself where the expression ends.
func (e *emitter) operator(i int) int {
	t := &e.p.toks[i]
	if t.kind == tokOp {
		return e.markOperator(i)
	}
	if word, ok := operatorWords[t.key]; ok && t.kind == tokWord {
		if t.is("AND", "OR") {
			e.settle()
		}
		return e.infix(i, word)
	}
	switch t.key {
	case "IS":
		return e.is(i)
	case "ISNULL":
		return e.suffix(i, 1, "IS NULL")
	case "NOTNULL":
		return e.suffix(i, 1, "IS NOT NULL")
	case "NOT":
		return e.negated(i)
	case "IN":
		return e.in(i)
	case "COLLATE":
		return e.collate(i)
	case "WHEN", "THEN", "ELSE":
		if len(e.cases) > 0 {
			e.settle()
			return e.infix(i, t.key)
		}
	case "END":
		return e.endCase(i)
	}
	if len(e.cases) > 0 || !t.naming() && !t.is("AS") {
		e.p.unexpected(i)
	}
	return i
}

func (e *emitter) markOperator(i int) int {
	t := &e.p.toks[i]
	if t.is(",") {
		if len(e.cases) > 0 {
			e.p.unexpected(i)
			return i
		}
		e.settle()
		return e.infix(i, ",")
	}
	op, ok := operatorMarks[t.key]
	if !ok {
		e.p.unexpected(i)
		return i
	}
	return e.infix(i, op)
}

// infix writes an operator between two operands.
func (e *emitter) infix(i int, op string) int {
	e.c.raw(i, op)
	e.want = true
	return i + 1
}

// suffix writes an operator of so many tokens behind its operand.
func (e *emitter) suffix(i, tokens int, op string) int {
	e.c.raw(i, op)
	return i + tokens
}

// is writes IS [NOT] [DISTINCT FROM]. Before a NULL, TRUE or FALSE that stands alone it is sqlparser's own suffix, otherwise <=>;
// the lowering sees from the tokens which of the four was meant.
func (e *emitter) is(i int) int {
	j, not := i+1, ""
	if e.p.toks[j].is("NOT") {
		j, not = j+1, "NOT "
	}
	if e.p.words(j, "DISTINCT", "FROM") {
		e.infix(i, "<=>")
		return j + 2
	}
	if t := &e.p.toks[j]; j < e.hi && t.is("NULL", "TRUE", "FALSE") && !e.p.toks[j+1].is(tighter...) {
		return e.suffix(i, j+1-i, "IS "+not+t.key)
	}
	e.infix(i, "<=>")
	return j
}

// negated writes NOT in front of IN, LIKE, BETWEEN and REGEXP, and NOT NULL.
func (e *emitter) negated(i int) int {
	switch t := &e.p.toks[i+1]; {
	case i+1 >= e.hi:
		e.p.unexpected(e.hi)
		return i
	case t.is("NULL"):
		return e.suffix(i, 2, "IS NOT NULL")
	case !t.is("IN", "LIKE", "BETWEEN", "REGEXP"):
		e.p.unexpected(i + 1)
		return i
	}
	e.c.raw(i, "NOT")
	return i + 1
}

// in writes IN and what follows it: a list, a sub-query, or an empty list.
func (e *emitter) in(i int) int {
	e.c.raw(i, "IN")
	t := &e.p.toks[i+1]
	switch {
	case i+1 >= e.hi:
		e.p.unexpected(i + 1)
	case t.kind == tokParam:
		e.p.fail(i+1, "IN takes a list or a sub-query in parentheses", "write one ? per value: IN (?, ?)")
	case !t.is("("):
		e.p.fail(i+1, "IN takes a list or a sub-query in parentheses")
	case e.p.startsSelect(e.p.innermost(i+1)+1) || t.mate == i+2:
		e.c.set(i + 1)
	default:
		e.c.raw(i+1, "(")
		e.c.write(i+2, t.mate)
		e.c.raw(t.mate, ")")
	}
	return t.mate + 1
}

// innermost steps from a parenthesis into those that it has nothing else between.
func (p *parser) innermost(open int) int {
	for p.toks[open+1].is("(") && p.toks[open+1].mate == p.toks[open].mate-1 {
		open++
	}
	return open
}

// collate writes COLLATE and its name.
func (e *emitter) collate(i int) int {
	if i+1 >= e.hi || !e.p.toks[i+1].naming() {
		e.p.unexpected(min(i+1, e.hi))
		return i
	}
	e.c.raw(i, "COLLATE")
	e.c.name(i + 1)
	return i + 2
}

// endCase writes END.
func (e *emitter) endCase(i int) int {
	n := len(e.cases)
	if n == 0 {
		e.p.unexpected(i)
		return i
	}
	e.settle()
	e.open, e.cases = e.cases[n-1], e.cases[:n-1]
	e.p.nest--
	e.c.raw(i, "END")
	e.operandDone()
	return i + 1
}
