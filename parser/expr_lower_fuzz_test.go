package parser

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzLower makes an expression of the fuzzer's bytes and holds that what comes back through the
// carriers is the tree that a reader by precedence gives that never sees them, with every name at
// its place in the text, and that both refuse the same texts.
func FuzzLower(f *testing.F) {
	for _, seed := range []string{"", "a", "abcdefghijklmnop", "\x00\x11\x22\x33\x44\x55\x66\x77", "(((a)b)c)",
		"zzzyyyxxxwwwvvv", "NOT a AND b", "\xff\x01\xfe\x02\xfd\x03"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 190 { // signs and NOTs may be nested 200 deep
			return
		}
		e := &expressionMaker{choices: choices}
		e.operand(0)
		e.rest(0)
		text := "SELECT " + e.text.String()
		r := &precedenceReader{tokens: e.tokens}
		want, wanted := r.whole()
		parsed, err := Parse(text)
		if err != nil {
			checkError(t, text, err)
		}
		if wanted != (err == nil) {
			t.Fatalf("%s\nread by precedence %v %s\nby the parser %v", text, wanted, want, err)
		}
		if err != nil {
			return
		}
		if got := drawn(parsed.Statement.(*Select).First.Results[0].Expr); got != want {
			t.Fatalf("%s\ngot  %s\nwant %s", text, got, want)
		}
	})
}

// An expressionMaker writes an expression: every choice is a byte of the fuzzer, 0 when there are
// none left.
type expressionMaker struct {
	choices []byte
	text    strings.Builder
	tokens  []string // names with their places: x3@17
	names   int
}

func (e *expressionMaker) choose() byte {
	if len(e.choices) == 0 {
		return 0
	}
	c := e.choices[0]
	e.choices = e.choices[1:]
	return c
}

func (e *expressionMaker) put(token string) {
	e.text.WriteString(token + " ")
	e.tokens = append(e.tokens, token)
}

func (e *expressionMaker) operand(depth int) {
	switch c := e.choose() % 16; {
	case c == 1:
		e.put("NOT")
		e.operand(depth)
	case c == 2:
		e.put("-")
		e.operand(depth)
	case c == 3:
		e.put("+")
		e.operand(depth)
	case c < 7 && depth < 20 && len(e.choices) > 0:
		e.put("(")
		e.operand(depth + 1)
		e.rest(depth + 1)
		e.put(")")
	default:
		e.name()
	}
}

func (e *expressionMaker) name() {
	e.names++
	name := fmt.Sprintf("x%d", e.names)
	e.tokens = append(e.tokens, fmt.Sprintf("%s@%d", name, len("SELECT ")+e.text.Len()))
	e.text.WriteString(name + " ")
}

var madeOperators = []string{
	"OR", "AND", "=", "<>", "<", "<=", ">", ">=", "IS", "REGEXP", "+", "-", "*", "/", "%", "DIV", "||", "->", "->>",
	"ISNULL", "NOTNULL", "COLLATE", "+", "||", "AND", "*", "::", "AT",
}

// rest writes operators and operands until a choice ends it.
func (e *expressionMaker) rest(depth int) {
	for len(e.choices) > 0 {
		c := int(e.choose()) % (len(madeOperators) + 3)
		if c >= len(madeOperators) {
			return
		}
		op := madeOperators[c]
		e.put(op)
		switch op {
		case "ISNULL", "NOTNULL":
		case "COLLATE":
			e.put("NOCASE")
		case "::":
			e.put("INT")
		case "AT":
			e.put("TIME")
			e.put("ZONE")
			e.name()
		default:
			e.operand(depth)
		}
	}
}

// A precedenceReader reads the tokens of an expressionMaker in the plainest way: one function per
// level.
type precedenceReader struct{ tokens []string }

func (r *precedenceReader) whole() (tree string, ok bool) {
	defer func() {
		if failed, is := recover().(notAnExpression); is {
			tree, ok = string(failed), false
		}
	}()
	tree = r.or()
	if len(r.tokens) > 0 {
		panic(notAnExpression("left: " + strings.Join(r.tokens, " ")))
	}
	return tree, true
}

type notAnExpression string

// take takes the next token if it is one of list, separated by blanks.
func (r *precedenceReader) take(list string) string {
	if len(r.tokens) == 0 || !strings.Contains(" "+list+" ", " "+r.tokens[0]+" ") {
		return ""
	}
	token := r.tokens[0]
	r.tokens = r.tokens[1:]
	return token
}

func (r *precedenceReader) level(operators string, next func() string) string {
	x := next()
	for {
		op := r.take(operators)
		if op == "" {
			return x
		}
		x = "(" + x + " " + op + " " + next() + ")"
	}
}

func (r *precedenceReader) or() string  { return r.level("OR", r.and) }
func (r *precedenceReader) and() string { return r.level("AND", r.not) }

func (r *precedenceReader) not() string {
	if r.take("NOT") != "" {
		return "(NOT " + r.not() + ")"
	}
	return r.comparison()
}

func (r *precedenceReader) comparison() string {
	x := r.add()
	if op := r.take("= <> < <= > >= IS REGEXP"); op != "" {
		if op == "IS" && r.take("NOT") != "" {
			op = "IS NOT"
		}
		x = "(" + x + " " + op + " " + r.add() + ")"
	}
	for {
		op := r.take("ISNULL NOTNULL")
		if op == "" {
			return x
		}
		x = "(" + x + " " + op + ")"
	}
}

func (r *precedenceReader) add() string { return r.level("+ -", r.mul) }
func (r *precedenceReader) mul() string { return r.level("* / % DIV", r.join) }

func (r *precedenceReader) join() string {
	x, _ := r.collated(false)
	for {
		op := r.take("|| -> ->>")
		if op == "" {
			return x
		}
		y, zones := r.collated(op != "||")
		x = "(" + x + " " + op + " " + y + ")" + zones
		x = strings.Repeat("(", strings.Count(zones, ")")) + x
	}
}

// collated reads COLLATE and AT TIME ZONE. Behind an arrow, the zones at the end are given apart.
func (r *precedenceReader) collated(arrow bool) (x, zones string) {
	x = r.signed()
	settle := func() {
		x = strings.Repeat("(", strings.Count(zones, ")")) + x + zones
		zones = ""
	}
	for {
		switch {
		case r.take("COLLATE") != "":
			settle()
			x = "(" + x + " COLLATE " + r.take("NOCASE") + ")"
		case r.take("AT") != "":
			r.take("TIME")
			r.take("ZONE")
			zones += " AT " + r.primary() + ")"
		default:
			if !arrow {
				settle()
			}
			return x, zones
		}
	}
}

func (r *precedenceReader) signed() string {
	if op := r.take("+ -"); op != "" {
		return "(" + op + " " + r.signed() + ")"
	}
	x := r.primary()
	for r.take("::") != "" {
		x = "(" + x + " :: " + r.take("INT") + ")"
	}
	return x
}

func (r *precedenceReader) primary() string {
	if r.take("(") != "" {
		x := r.or()
		if r.take(")") == "" {
			panic(notAnExpression("no )"))
		}
		return x
	}
	if len(r.tokens) == 0 || !strings.Contains(r.tokens[0], "@") {
		panic(notAnExpression("no operand"))
	}
	name := r.tokens[0]
	r.tokens = r.tokens[1:]
	return name
}

var drawnOperators = map[Op]string{
	OpAnd: "AND", OpOr: "OR", OpAdd: "+", OpConcat: "||", OpSub: "-", OpMul: "*", OpDiv: "/", OpMod: "%",
	OpIntDiv: "DIV", OpEq: "=", OpNe: "<>",
	OpLt: "<", OpLe: "<=", OpGt: ">", OpGe: ">=", OpIs: "IS", OpIsNot: "IS NOT", OpRegexp: "REGEXP", OpArrow: "->",
	OpArrowText: "->>", OpNot: "NOT", OpNeg: "-", OpPlus: "+",
}

// drawn writes a tree as a precedenceReader does.
func drawn(e Expr) string {
	switch e := e.(type) {
	case *Column:
		return fmt.Sprintf("%s@%d", e.Name, e.Pos)
	case *Unary:
		return "(" + drawnOperators[e.Op] + " " + drawn(e.X) + ")"
	case *Binary:
		if l, ok := e.Y.(*Literal); ok && l.Value == nil {
			return "(" + drawn(e.X) + map[Op]string{OpIs: " ISNULL)", OpIsNot: " NOTNULL)"}[e.Op]
		}
		return "(" + drawn(e.X) + " " + drawnOperators[e.Op] + " " + drawn(e.Y) + ")"
	case *Nary:
		x := drawn(e.Terms[0])
		for _, term := range e.Terms[1:] {
			x = "(" + x + " " + drawnOperators[e.Op] + " " + drawn(term) + ")"
		}
		return x
	case *Collate:
		return "(" + drawn(e.X) + " COLLATE " + e.Name + ")"
	case *Cast:
		return "(" + drawn(e.X) + " :: " + e.Type + ")"
	case *Call:
		return "(" + drawn(e.Args[1]) + " AT " + drawn(e.Args[0]) + ")"
	}
	return fmt.Sprintf("%T", e)
}
