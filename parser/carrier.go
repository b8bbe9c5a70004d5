package parser

import (
	"sort"
	"strconv"
	"strings"

	"github.com/xwb1989/sqlparser"
)

// carriers is the text that sqlparser gets to see in place of the user's. It holds no byte of the user's text: a name is a token's number
// in back quotes, everything else that stands for a value is a bind variable with a token's number, and what remains is a few dozen words and marks of our own.
type carriers struct {
	p     *parser
	buf   []byte
	marks []mark
}

// A mark tells which token a piece of the carriers' text stands for.
type mark struct {
	end int // of the piece in the text
	tok int
}

// The letters of bind variables.
const (
	carryValue  = 't' // a constant, a parameter, or what the lowering makes of the token: a sub-query, EXISTS, DATE '...', INTERVAL
	carrySelect = 'q' // after IN: a sub-query or an empty list; the token is its parenthesis
)

func newCarriers(p *parser, tokens int) *carriers {
	return &carriers{p: p, buf: make([]byte, 0, 64+8*tokens), marks: make([]mark, 0, 8+tokens)}
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

// parse gives the text to sqlparser. hi is the token behind what the text stands for.
func (c *carriers) parse(hi int) sqlparser.Statement {
	if c.p.seen != nil {
		c.p.seen(string(c.buf))
	}
	n := len(c.buf)
	c.buf = append(c.buf, "    "...) // so that an error at the end has a place of its own
	st, err := sqlparser.ParseNext(sqlparser.NewStringTokenizer(string(c.buf)))
	if err != nil {
		c.refuse(err.Error(), n, hi)
	}
	return st
}

// refuse reports sqlparser's error at the token that it means. Its position is one byte behind the end of the piece at which it stopped.
func (c *carriers) refuse(msg string, n, hi int) {
	at := n + 1
	if _, rest, ok := strings.Cut(msg, "at position "); ok {
		digits, _, _ := strings.Cut(rest, " ")
		at, _ = strconv.Atoi(digits)
	}
	if strings.HasPrefix(msg, "max nesting level") {
		c.p.fail(hi, "the statement is nested too deeply")
	}
	i := sort.Search(len(c.marks), func(i int) bool { return c.marks[i].end >= at-1 })
	if i == len(c.marks) {
		c.p.unexpected(hi)
	}
	tok := c.marks[i].tok
	t := &c.p.toks[tok]
	_, operator := operatorMarks[t.key]
	switch {
	case tok > 0 && t.is("NOT") && !c.p.toks[tok-1].endsOperand():
		c.p.fail(tok, `syntax error at "NOT"`, "a NOT behind an operator needs parentheses")
	case t.is(chained...):
		c.p.fail(tok, "syntax error at "+c.p.quote(tok), "comparisons do not chain; use parentheses")
	case operator:
		c.p.fail(tok, "syntax error at "+c.p.quote(tok), "use parentheses")
	}
	c.p.unexpected(tok)
}

// chained are the operators that cannot follow another of them without parentheses.
var chained = []string{"=", "==", "<>", "!=", "<", "<=", ">", ">=", "IS", "LIKE", "IN", "BETWEEN", "NOT", "REGEXP"}
