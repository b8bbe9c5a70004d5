// Package parser turns the text of one statement into a tree of its own. See GRAMMAR.md.
package parser

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// A parser holds one statement's tokens and a cursor into them.
//
// It keeps the first mistake that its methods find. After it, the cursor is at the end, and what
// the methods return means nothing: they go on only as far as it is no trouble, and see to it
// that they come to an end. Everything is read at the cursor, from left to right, once. What an
// expression is made of ends it: nothing looks for the end beforehand.
type parser struct {
	text string
	toks []token      // ended by one of the kind tokEnd
	at   int          // the cursor
	err  *SyntaxError // the first mistake; nil if there is none so far
	seen func(string) // gets every text that sqlparser is given; nil but in tests
}

// Parse reads one statement, which a semicolon may end. A failure is a *SyntaxError.
func Parse(text string) (*Parsed, error) {
	parsed, err := parse(text)
	if syntax, ok := err.(*SyntaxError); ok {
		correct(syntax)
	}
	return parsed, err
}

// parse is Parse without a look for what was meant.
func parse(text string) (parsed *Parsed, err error) {
	defer func() { err = caught(recover(), text, err) }()
	toks, params, err := scan(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, toks: toks}
	st := p.whole()
	if p.err != nil {
		return nil, p.err
	}
	return &Parsed{Text: text, Statement: st, Params: params}, nil
}

// whole reads the statement that all tokens are.
func (p *parser) whole() Statement {
	p.trimSemicolons()
	if p.err != nil {
		return nil
	}
	st := p.statement()
	if !p.ended() {
		p.unexpected(p.at)
	}
	return st
}

// Split cuts a script into its statements at the semicolons outside of literals and comments.
// Statements that hold nothing are left out. A failure, such as an open string, is a *SyntaxError
// with a place in the script.
func Split(script string) (statements []string, err error) {
	defer func() { err = caught(recover(), script, err) }()
	s := &scanner{text: script, script: true}
	s.checkText()
	flush := func(end int) {
		if end > 0 {
			statements = append(statements, script[s.toks[0].off:s.toks[end-1].end])
		}
	}
	for s.next() {
		n := len(s.toks) - 1
		if s.toks[n].key == ";" {
			flush(n)
			s.toks, s.open, s.params = s.toks[:0], s.open[:0], paramCounter{}
		}
		s.checkCount()
	}
	if s.err != nil {
		return statements, s.err
	}
	flush(len(s.toks))
	return statements, nil
}

// caught returns err, or an error for what a panic left behind: a panic is a defect of this
// package or of the grammar behind it, never a mistake in the text, and must not take the program
// down.
func caught(r any, text string, err error) error {
	if r == nil {
		return err
	}
	h := fnv.New64a()
	h.Write([]byte(text))
	const defect = "internal error of the parser on the statement with hash %016x: %v"
	return newSyntaxError(text, 0, fmt.Sprintf(defect, h.Sum64(), r))
}

// trimSemicolons drops the semicolons at the end and refuses all others.
func (p *parser) trimSemicolons() {
	end := len(p.toks) - 1
	for end > 0 && p.toks[end-1].is(";") {
		end--
	}
	for i := range p.toks[:end] {
		if !p.toks[i].is(";") {
			continue
		}
		if i == 0 {
			p.unexpected(i)
		} else {
			p.fail(i+1, "only one statement may be given at a time")
		}
		return
	}
	last := p.toks[len(p.toks)-1]
	p.toks = append(p.toks[:end:end], last)
	if end == 0 {
		p.fail(0, "there is no statement")
	}
}

// fail refuses the statement because of the token.
func (p *parser) fail(i int, msg string, hint ...string) {
	if !p.failed() {
		p.refuse(p.fault(i, msg, hint))
	}
}

// refuse keeps the first error.
func (p *parser) refuse(err *SyntaxError) {
	p.err = err
	p.failed()
}

// failed tells whether there is a mistake, and sees to it that the cursor is at the end then,
// where no loop goes on.
func (p *parser) failed() bool {
	if p.err == nil {
		return false
	}
	p.at = len(p.toks) - 1
	return true
}

// surprised is fail where another word was expected, which may stand there with a slip of the pen.
func (p *parser) surprised(i int, msg string, hint ...string) {
	if p.failed() {
		return
	}
	err := p.fault(i, msg, hint)
	err.surprise = true
	p.refuse(err)
}

func (p *parser) fault(i int, msg string, hint []string) *SyntaxError {
	err := newSyntaxError(p.text, p.toks[i].off, msg)
	if len(hint) > 0 {
		err.Hint = hint[0]
	}
	return err
}

// unexpected refuses the statement because the token does not fit where it stands.
func (p *parser) unexpected(i int) {
	if p.failed() {
		return
	}
	t := &p.toks[i]
	if t.kind == tokEnd {
		p.surprised(i, "the statement ends too early")
		return
	}
	if at, hint := p.foreignFormAt(i); hint != "" {
		p.fail(at, "syntax error at "+p.quote(at), hint)
		return
	}
	if i > 1 && p.toks[i-1].is(foreignOperatorWords...) && p.toks[i-2].endsOperand() {
		i-- // it was read as a name, and what follows it came as a surprise
	}
	p.surprised(i, "syntax error at "+p.quote(i), p.hint(i))
}

// foreignOperatorWords are operators and clauses of other dialects whose words are names in this
// one.
var foreignOperatorWords = []string{
	"GLOB", "MATCH", "SIMILAR", "RLIKE", "XOR", "FOR", "WINDOW", "FETCH",
	"QUALIFY",
}

// hint returns what to write instead of the token, or "".
func (p *parser) hint(i int) string {
	t := &p.toks[i]
	switch {
	case t.kind == tokWord:
		return foreignWords[strings.ToUpper(t.text)]
	case i == 0 || !t.literal():
		return ""
	}
	before := &p.toks[i-1]
	switch {
	case before.is("INTERVAL"):
		return "INTERVAL takes a value and a unit: INTERVAL 1 DAY"
	case t.kind != tokString:
		return ""
	case before.kind == tokWord && before.end == t.off && len(before.text) == 1:
		return "a string has no letter in front of it, and a backslash means itself"
	case before.endsOperand() || before.is("AS", "FROM", "INTO", "JOIN"):
		return "names take double quotes"
	}
	return ""
}

// quote returns the token as it stands in the text, for a message.
func (p *parser) quote(i int) string {
	t := &p.toks[i]
	if t.kind == tokEnd {
		return "the end"
	}
	return strconv.Quote(shorten(p.text[t.off:t.end]))
}

// shorten cuts a long text for a message.
func shorten(s string) string {
	if r := []rune(s[:min(len(s), 200)]); len(r) > 40 {
		return string(r[:37]) + "..."
	}
	return s
}

func (p *parser) tok() *token { return &p.toks[p.at] }

// peek returns the token so many behind the cursor, or the last one.
func (p *parser) peek(n int) *token { return &p.toks[min(p.at+n, len(p.toks)-1)] }

func (p *parser) ended() bool { return p.tok().kind == tokEnd }

// word tells whether the cursor is at one of the keywords or operators.
func (p *parser) word(keys ...string) bool { return p.tok().is(keys...) }

// words tells whether the keywords or operators stand one after the other from the token on.
func (p *parser) words(i int, keys ...string) bool {
	for n, k := range keys {
		if i+n >= len(p.toks) || !p.toks[i+n].is(k) {
			return false
		}
	}
	return true
}

// accept steps over the keywords or operators if they stand at the cursor.
func (p *parser) accept(keys ...string) bool {
	if !p.words(p.at, keys...) {
		return false
	}
	p.at += len(keys)
	return true
}

// expect steps over the keywords or operators, which must stand at the cursor.
func (p *parser) expect(keys ...string) {
	for _, k := range keys {
		if !p.accept(k) {
			p.unexpected(p.at)
			return
		}
	}
}

// next returns the token at the cursor and steps over it.
func (p *parser) next() *token {
	t := p.tok()
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

// name reads a name.
func (p *parser) name() Name {
	if !p.tok().naming() {
		p.unexpected(p.at)
		return Name{}
	}
	t := p.next()
	return Name{Pos: t.off, Text: t.text}
}

// starters are the words that a statement begins with.
var starters = map[string]func(*parser) Statement{}

func init() {
	for word, read := range map[string]func(*parser) Statement{
		"SELECT": readSelect, "WITH": readSelect, "VALUES": readSelect, "INSERT": readInsert, "EXPLAIN": readExplain,
		"EXPECT": readGuard, "SHOW": readShow, "DESCRIBE": readDescribe, "DESC": readDescribe,
		"BEGIN": readTransaction, "START": readTransaction, "COMMIT": readTransaction,
		"END": readTransaction, "ROLLBACK": readTransaction, "SAVEPOINT": readSavepoint,
		"RELEASE": readSavepoint, "BACKUP": readBackup, "VERIFY": readVerify, "ERASE": readErase,
		"FORGET": readForget, "CREATE": readCreate, "DROP": readDrop,
	} {
		starters[word] = read
	}
}

// statement reads the statement at the cursor.
func (p *parser) statement() Statement {
	t := p.tok()
	read := starters[t.key]
	least := 1
	if read != nil {
		least = 2 // one word is not enough to tell that it is none of ours
	}
	if err := foreignStatement(p.text, p.toks[p.at:], least); err != nil {
		p.refuse(err)
		return nil
	}
	if read != nil && t.kind == tokWord {
		return read(p)
	}
	p.surprised(p.at,
		"a statement begins with "+strings.Join(starterWords(), ", ")+", not "+p.quote(p.at))
	return nil
}

func starterWords() []string {
	words := []string{"SELECT", "INSERT"}
	var rest []string
	for w := range starters {
		if !slices.Contains(words, w) {
			rest = append(rest, w)
		}
	}
	slices.Sort(rest)
	return append(words, rest...)
}
