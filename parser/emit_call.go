package parser

import "strings"

// call writes a function's name and its arguments. Words that stand among the arguments of some functions become commas or are left out,
// as are FILTER and OVER behind it; the lowering finds them in the tokens again.
func (e *emitter) call(i int) int {
	open := i + 1
	mate := e.p.toks[open].mate
	if mate >= e.hi {
		e.p.unexpected(e.hi)
		return i
	}
	if t := &e.p.toks[i]; t.kind == tokName && !callable(t.text) {
		e.p.fail(i, "there is no function "+e.p.quote(i))
		return i
	}
	e.c.name(i)
	e.c.raw(open, "(")
	if form := e.p.formOf(i); form != nil {
		form.emit(e.c, open+1, mate)
	} else {
		e.arguments(open+1, mate)
	}
	e.c.raw(mate, ")")
	e.operandDone()
	return e.p.callEnd(mate)
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

// callEnd returns the index behind a call whose arguments end at the parenthesis: behind its FILTER and OVER.
func (p *parser) callEnd(mate int) int {
	i := mate + 1
	if p.words(i, "FILTER", "(") {
		i = p.toks[i+1].mate + 1
	}
	if p.words(i, "OVER", "(") {
		return p.toks[i+1].mate + 1
	}
	if p.toks[i].is("OVER") && p.toks[i+1].naming() {
		p.fail(i+1, "named windows are not supported", "write the window in parentheses after OVER")
	}
	return i
}

// arguments writes what stands in the parentheses of an ordinary call.
func (e *emitter) arguments(lo, hi int) {
	switch t := &e.p.toks[lo]; {
	case lo == hi:
		return
	case t.is("DISTINCT"):
		e.c.raw(lo, "DISTINCT")
		lo++
	case t.is("ALL"):
		lo++
	}
	if order := e.p.find(lo, hi, "ORDER"); order < hi {
		e.p.fail(order, "ORDER BY inside of a call is not supported")
		return
	}
	e.c.write(lo, hi)
}

// A callForm is the special shape of the arguments of one function.
type callForm struct {
	emit func(c *carriers, lo, hi int)
}

// formOf returns the form of the call whose name is the token, or nil for an ordinary one.
func (p *parser) formOf(i int) *callForm {
	t := &p.toks[i]
	if t.kind != tokWord {
		return nil
	}
	lo, hi := i+2, p.toks[i+1].mate
	switch t.key {
	case "CAST":
		return &callForm{emitCast}
	case "EXTRACT":
		if p.toks[lo].kind != tokEnd && lo+1 < hi && p.toks[lo+1].is("FROM") {
			return &callForm{emitExtract}
		}
	case "SUBSTRING", "SUBSTR":
		if p.find(lo, hi, "FROM", "FOR") < hi {
			return &callForm{emitSubstring}
		}
	case "TRIM":
		if p.find(lo, hi, "FROM") < hi || p.toks[lo].is("BOTH", "LEADING", "TRAILING") {
			return &callForm{emitTrim}
		}
	}
	return nil
}

// castAs returns the index of the AS in the arguments of CAST, behind which the type stands.
func (p *parser) castAs(lo, hi int) int {
	as := p.find(lo, hi, "AS")
	if as == hi {
		p.fail(hi, "CAST takes a type: CAST(x AS type)")
	}
	return as
}

func emitCast(c *carriers, lo, hi int) {
	as := c.p.castAs(lo, hi)
	c.p.castType(as+1, hi)
	c.write(lo, as)
}

// castType returns the name of a type: words, perhaps with numbers in parentheses, in upper case.
func (p *parser) castType(lo, hi int) string {
	i := lo
	var words []string
	for i < hi && p.toks[i].kind == tokWord {
		words = append(words, strings.ToUpper(p.toks[i].text))
		i++
	}
	if i < hi && len(words) > 0 && p.toks[i].is("(") {
		words[len(words)-1] += p.typeSize(i)
		i = p.toks[i].mate + 1
	}
	if i < hi || len(words) == 0 {
		p.unexpected(i)
		return ""
	}
	return strings.Join(words, " ")
}

// typeSize returns the numbers in the parentheses behind a type's name.
func (p *parser) typeSize(open int) string {
	var numbers []string
	for _, s := range p.commas(open+1, p.toks[open].mate) {
		if s.hi != s.lo+1 || p.toks[s.lo].kind != tokNumber {
			p.unexpected(s.lo)
			return ""
		}
		numbers = append(numbers, p.toks[s.lo].text)
	}
	return "(" + strings.Join(numbers, ",") + ")"
}

// emitExtract leaves "unit FROM" out.
func emitExtract(c *carriers, lo, hi int) {
	if t := &c.p.toks[lo]; t.kind != tokWord && t.kind != tokString {
		c.p.unexpected(lo)
		return
	}
	c.write(lo+2, hi)
}

// emitSubstring writes commas for FROM and FOR.
func emitSubstring(c *carriers, lo, hi int) {
	from := c.p.find(lo, hi, "FROM", "FOR")
	if c.p.toks[from].is("FOR") {
		c.p.fail(from, "SUBSTRING takes FROM before FOR")
		return
	}
	length := c.p.find(from+1, hi, "FOR")
	c.write(lo, from)
	c.raw(from, ",")
	c.write(from+1, length)
	if length < hi {
		c.raw(length, ",")
		c.write(length+1, hi)
	}
}

// trimParts returns where the characters to trim stand, an empty range if they are not given, and what to trim.
func (p *parser) trimParts(lo, hi int) (chars, text span) {
	if p.toks[lo].is("BOTH", "LEADING", "TRAILING") {
		lo++
	}
	from := p.find(lo, hi, "FROM")
	if from == hi {
		return span{lo, lo}, span{lo, hi}
	}
	return span{lo, from}, span{from + 1, hi}
}

// emitTrim writes the characters, if any, a comma for FROM, and the text; the lowering puts them in their order.
func emitTrim(c *carriers, lo, hi int) {
	chars, text := c.p.trimParts(lo, hi)
	if chars.lo < chars.hi {
		c.write(chars.lo, chars.hi)
		c.raw(chars.hi, ",")
	}
	c.write(text.lo, text.hi)
}

// units are the units of INTERVAL, by how they may be written.
var units = map[string]string{
	"MICROSECOND": "microsecond", "MILLISECOND": "millisecond", "SECOND": "second", "MINUTE": "minute", "HOUR": "hour",
	"DAY": "day", "WEEK": "week", "MONTH": "month", "QUARTER": "quarter", "YEAR": "year",
}

// unitOf returns the unit that a token names, or "".
func (t *token) unitOf() string {
	if t.kind != tokWord {
		return ""
	}
	return units[strings.TrimSuffix(strings.ToUpper(t.text), "S")]
}

// intervalEnd returns the index behind INTERVAL value unit, or 0 if the word is not the beginning of one.
// The value is a constant, a parameter, a name, a call, or anything in parentheses, perhaps with a sign.
func (p *parser) intervalEnd(i int) int {
	j := i + 1
	if p.toks[j].is("+", "-") {
		j++
	}
	switch t := &p.toks[j]; {
	case t.literal():
		j++
	case t.is("("):
		j = t.mate + 1
	case t.naming():
		for j++; p.toks[j].is(".") && p.toks[j+1].kind != tokEnd; j += 2 {
		}
		if p.toks[j].is("(") {
			j = p.toks[j].mate + 1
		}
	default:
		return 0
	}
	if p.toks[j].unitOf() == "" {
		return 0
	}
	return j + 1
}
