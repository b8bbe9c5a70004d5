package parser

import "strings"

// A carriedCall is a call as its name's token holds it: all of it but the arguments, which are in
// the list for sqlparser.
type carriedCall struct {
	call     *Call
	special  bool   // the arguments have words among them
	swapped  bool   // the second argument comes first
	castType string // of CAST; "" for all others
}

// call writes a function's name and its arguments. Words that stand among the arguments of some
// functions become commas or are left out, and what stands behind the parenthesis is read here.
func (e *emitter) call() {
	p := e.p
	at := p.at
	t := p.tok()
	if t.kind == tokName && !callable(t.text) {
		p.fail(at, "there is no function "+p.quote(at))
		return
	}
	e.c.name(at)
	p.next()
	e.raw(1, "(")
	r := &carriedCall{call: &Call{Pos: t.off, Name: LowerASCII(t.text)}}
	if read := callForms[t.key]; read != nil {
		read(e, r, at)
	} else {
		e.arguments(r.call)
	}
	e.closing()
	e.behindCall(r.call)
	if p.err != nil {
		return
	}
	t.value, t.mate = r, p.at-1
	e.operandDone()
}

// callable tells whether a quoted name would be an ordinary function's name without its quotes.
func callable(name string) bool {
	if name == "" || !isWordStart(name[0]) {
		return false
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return false
		}
	}
	key := keyOf(name)
	return key != "CAST" && (!keywords[key] || functionWords[key])
}

// behindCall reads WITHIN GROUP, FILTER and OVER. What they hold is read apart from the expression
// around them.
func (e *emitter) behindCall(call *Call) {
	p := e.p
	if at := p.at; p.accept("WITHIN", "GROUP", "(") {
		if len(call.OrderBy) > 0 {
			p.fail(at, "ORDER BY stands in the parentheses of the call or in WITHIN GROUP, not in both")
		}
		call.Within, call.OrderBy = true, p.callOrder()
		p.expect(")")
	}
	if p.words(p.at, "FILTER", "(") {
		p.at += 2
		p.expect("WHERE")
		call.Filter = p.expr()
		p.expect(")")
	}
	p.over(call)
}

// arguments writes what stands in the parentheses of an ordinary call, and tells how many there
// are.
func (e *emitter) arguments(call *Call) (n int) {
	p := e.p
	if p.word(")") {
		return 0
	}
	if call.Distinct = p.word("DISTINCT"); call.Distinct {
		e.raw(1, "DISTINCT")
	} else {
		p.accept("ALL")
	}
	n = e.c.exprs()
	p.nulls(call)
	if p.word("ORDER") {
		call.OrderBy = p.callOrder()
	}
	return n
}

// callOrder reads the ORDER BY of a call. What it holds is read apart from the expression around.
func (p *parser) callOrder() (list []Order) {
	c := newCarriers(p)
	p.expect("ORDER", "BY")
	c.orders(&list)
	c.read()
	return list
}

// callForms read the arguments of the functions that may have words among them. The index is that
// of the function's name.
var callForms map[string]func(e *emitter, r *carriedCall, at int)

func init() { // not in its declaration, for the functions come back to the table
	callForms = map[string]func(e *emitter, r *carriedCall, at int){
		"CAST": readCast, "EXTRACT": readExtract, "TRIM": readTrim,
		"SUBSTRING": readSubstring, "SUBSTR": readSubstring,
	}
}

// readCast reads x AS type.
func readCast(e *emitter, r *carriedCall, at int) {
	p := e.p
	values := e.c.exprs()
	switch {
	case p.word(")"):
		p.fail(p.at, "CAST takes a type: CAST(x AS type)")
	case !p.accept("AS"):
		p.unexpected(p.at)
	case values != 1:
		p.fail(at, "CAST takes one value: CAST(x AS type)")
	}
	if p.err != nil {
		return
	}
	r.special, r.castType = true, p.castType()
}

// castType reads the name of a type, and returns it in upper case: words, perhaps with numbers in
// parentheses.
func (p *parser) castType() string {
	var words []string
	for p.tok().kind == tokWord {
		words = append(words, strings.ToUpper(p.next().text))
	}
	if len(words) == 0 {
		p.unexpected(p.at)
		return ""
	}
	if p.accept("(") {
		words[len(words)-1] += p.typeSize()
	}
	return strings.Join(words, " ")
}

// typeSize reads the numbers in the parentheses behind a type's name.
func (p *parser) typeSize() string {
	var numbers []string
	for p.err == nil {
		if p.tok().kind != tokNumber {
			p.unexpected(p.at)
			break
		}
		numbers = append(numbers, p.next().text)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return "(" + strings.Join(numbers, ",") + ")"
}

// readExtract reads unit FROM x. The unit may be any word, and a function decides on it.
func readExtract(e *emitter, r *carriedCall, _ int) {
	p := e.p
	unit := p.tok()
	if unit.kind == tokEnd || !p.peek(1).is("FROM") {
		e.arguments(r.call)
		return
	}
	text := unit.text
	switch unit.kind {
	case tokWord:
	case tokString:
		text = unit.value.(string)
	default:
		p.unexpected(p.at)
		return
	}
	p.at += 2
	r.special = true
	r.call.Args = []Expr{&Literal{Pos: unit.off, Value: LowerASCII(text)}}
	e.c.exprs()
}

// readSubstring reads x FROM start [FOR length], with commas for FROM and FOR.
func readSubstring(e *emitter, r *carriedCall, _ int) {
	p := e.p
	e.arguments(r.call)
	if p.word("FOR") {
		p.fail(p.at, "SUBSTRING takes FROM before FOR")
		return
	}
	if !p.word("FROM") {
		return
	}
	r.special, r.call.Name = true, "substring"
	e.raw(1, ",")
	e.c.exprs()
	if p.word("FOR") {
		e.raw(1, ",")
		e.c.exprs()
	}
}

// trimNames are the functions that the words of TRIM stand for.
var trimNames = map[string]string{"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}

// readTrim reads [BOTH | LEADING | TRAILING] [characters FROM] text, with a comma for FROM; the
// arguments come in the order of trim(text, characters).
func readTrim(e *emitter, r *carriedCall, _ int) {
	p := e.p
	at := p.at
	values, want := 0, 1
	switch name := trimNames[p.tok().key]; {
	case name == "" && !p.word("FROM"):
		values = e.arguments(r.call)
	case name != "":
		r.special, r.call.Name = true, name
		p.next()
		if !p.word("FROM") {
			values = e.c.exprs()
		}
	}
	if p.word("FROM") {
		r.special, r.swapped = true, values > 0
		if r.swapped {
			want = 2
			e.c.raw(p.at, ",")
		}
		p.next()
		values += e.c.exprs()
	}
	if r.special && values != want {
		p.fail(at, "TRIM takes a text: TRIM([BOTH | LEADING | TRAILING] [characters FROM] text)")
	}
}
