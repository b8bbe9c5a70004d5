package parser

import (
	"sort"
	"strconv"
	"strings"

	"github.com/xwb1989/sqlparser"
)

// carriers is a list of expressions as sqlparser gets to see it, in place of the user's text: who
// binds tighter is all that it is asked. It holds no byte of the user's text: a name is a token's
// number in back quotes, everything else that stands for a value is a bind variable with a
// token's number, and what remains is a few dozen words and marks of our own.
type carriers struct {
	p     *parser
	buf   []byte
	marks []mark
	puts  []func(Expr) // where the expressions belong, in the order of the list
	end   int          // the token behind the last of them
	nest  int          // NOT, CASE and signs that are open around the place being read

	few [8]func(Expr) // puts, while they are few
}

// A mark tells which token a piece of the carriers' text stands for.
type mark struct {
	end int // of the piece in the text
	tok int
}

// The letters of bind variables.
const (
	// A constant, a parameter, or an operand that has been read already: a sub-query, EXISTS,
	// DATE '...', INTERVAL.
	carryValue  = 't'
	carrySelect = 'q' // after IN: a sub-query or an empty list; the token is its parenthesis
)

// listHead begins a list: a row of VALUES is the plainest that sqlparser knows.
const listHead = "INSERT INTO `0` VALUES ("

// newCarriers makes an empty list, with room for what a short statement may have left.
func newCarriers(p *parser) *carriers {
	room := min(len(p.toks)-p.at, 64)
	c := &carriers{p: p, buf: make([]byte, 0, 64+8*room), marks: make([]mark, 0, 8+room)}
	c.puts = c.few[:0]
	return c
}

// into returns a function that puts an expression in its place.
func into(place *Expr) func(Expr) { return func(e Expr) { *place = e } }

// expr adds the expression at the cursor to the list, up to where it ends. What may follow it is
// for the caller to say.
func (c *carriers) expr(put func(Expr)) {
	if len(c.puts) == 0 {
		c.raw(c.p.at, listHead)
	} else {
		c.raw(c.end, ",")
	}
	c.operands()
	c.puts, c.end = append(c.puts, put), c.p.at
}

// list adds the expressions at the cursor with commas between them, and tells how many there are.
// They are appended to list when they are read.
func (c *carriers) list(list *[]Expr) (n int) {
	put := func(e Expr) { *list = append(*list, e) }
	for c.p.err == nil {
		c.expr(put)
		n++
		if !c.p.accept(",") {
			break
		}
	}
	return n
}

// expr reads the expression at the cursor on its own.
func (p *parser) expr() (e Expr) {
	c := newCarriers(p)
	c.expr(into(&e))
	c.read()
	return e
}

// read has sqlparser read the list, and puts every expression in its place. After a mistake it
// does nothing.
func (c *carriers) read() {
	if len(c.puts) == 0 || c.p.err != nil {
		return
	}
	if c.nest != 0 {
		panic(strconv.Itoa(c.nest) + " operators are still counted as open")
	}
	c.raw(c.end, ")")
	st := c.parse()
	if st == nil {
		return
	}
	rows := st.(*sqlparser.Insert).Rows.(sqlparser.Values)
	if len(rows) != 1 || len(rows[0]) != len(c.puts) {
		panic("another list came back")
	}
	l := lowerer{c.p}
	for i, e := range rows[0] {
		c.puts[i](l.node(e).expr)
	}
}

func (c *carriers) done(tok int) {
	c.marks = append(c.marks, mark{len(c.buf), tok})
	c.buf = append(c.buf, ' ')
}

// raw adds a word or a mark of our own on behalf of a token.
func (c *carriers) raw(tok int, word string) {
	c.buf = append(c.buf, word...)
	c.done(tok)
}

// name adds a token as a name.
func (c *carriers) name(tok int) {
	c.buf = append(c.buf, '`')
	c.buf = strconv.AppendInt(c.buf, int64(tok), 10)
	c.buf = append(c.buf, '`')
	c.done(tok)
}

// value adds a token as a value.
func (c *carriers) value(tok int) {
	c.buf = append(c.buf, ':', carryValue)
	c.buf = strconv.AppendInt(c.buf, int64(tok), 10)
	c.done(tok)
}

// set adds a parenthesis as what stands behind IN.
func (c *carriers) set(tok int) {
	c.buf = append(c.buf, ':', ':', carrySelect)
	c.buf = strconv.AppendInt(c.buf, int64(tok), 10)
	c.done(tok)
}

// parse gives the text to sqlparser. It returns nil after a mistake.
func (c *carriers) parse() sqlparser.Statement {
	if c.p.seen != nil {
		c.p.seen(string(c.buf))
	}
	n := len(c.buf)
	c.buf = append(c.buf, "    "...) // so that an error at the end has a place of its own
	st, err := sqlparser.ParseNext(sqlparser.NewStringTokenizer(string(c.buf)))
	if err != nil {
		c.refuse(err.Error(), n)
		return nil
	}
	return st
}

// refuse reports sqlparser's error at the token that it means. Its position is one byte behind the
// end of the piece at which it stopped.
func (c *carriers) refuse(msg string, n int) {
	at := n + 1
	if _, rest, ok := strings.Cut(msg, "at position "); ok {
		digits, _, _ := strings.Cut(rest, " ")
		at, _ = strconv.Atoi(digits)
	}
	if strings.HasPrefix(msg, "max nesting level") {
		c.p.fail(c.end, "the statement is nested too deeply")
		return
	}
	i := sort.Search(len(c.marks), func(i int) bool { return c.marks[i].end >= at-1 })
	if i == len(c.marks) {
		c.p.unexpected(c.end)
		return
	}
	c.p.misplaced(c.marks[i].tok)
}

// misplaced refuses a token that cannot follow what stands before it, an operator above all.
func (p *parser) misplaced(i int) {
	t := &p.toks[i]
	_, operator := operatorMarks[t.key]
	switch {
	case i > 0 && t.is("NOT") && !p.toks[i-1].endsOperand():
		p.fail(i, `syntax error at "NOT"`, "a NOT behind an operator needs parentheses")
	case t.is(chained...):
		p.fail(i, "syntax error at "+p.quote(i), "comparisons do not chain; use parentheses")
	case operator, t.is("::", "AT"):
		p.fail(i, "syntax error at "+p.quote(i), "use parentheses")
	default:
		p.unexpected(i)
	}
}

// chained are the operators that cannot follow another of them without parentheses.
var chained = []string{
	"=", "==", "<>", "!=", "<", "<=", ">", ">=",
	"IS", "LIKE", "ILIKE", "IN", "BETWEEN", "NOT", "REGEXP",
}
