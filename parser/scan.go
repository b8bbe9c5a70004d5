package parser

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A scanner cuts a text into tokens by SQLite's lexical rules. It keeps the first mistake that it
// finds; there is no token behind it.
type scanner struct {
	text   string
	at     int // of the next byte
	toks   []token
	open   []int // indexes of the parentheses that are not closed yet
	script bool  // several statements: a semicolon closes all parentheses
	params paramCounter
	err    *SyntaxError // the first mistake; nil if there is none so far
}

// scan returns the tokens of the text, ended by one of the kind tokEnd. Its error is a
// *SyntaxError.
func scan(text string) ([]token, Params, error) {
	s := &scanner{text: text, toks: make([]token, 0, min(16+len(text)/6, 256))}
	s.checkText()
	for s.next() {
		s.checkCount()
	}
	if n := len(s.open); n > 0 {
		s.fail(int(s.toks[s.open[n-1]].off), "this ( is never closed")
	}
	if s.err != nil {
		return nil, Params{}, s.err
	}
	end := Pos(len(text))
	s.toks = append(s.toks, token{kind: tokEnd, off: end, end: end})
	return s.toks, s.params.result(), nil
}

// checkCount refuses a statement of too many tokens.
func (s *scanner) checkCount() {
	if len(s.toks) > maxTokens {
		s.fail(int(s.toks[maxTokens].off), "the statement has more than 100,000 tokens")
	}
}

// fail refuses the text because of what stands at a place. The scanner stops behind the token that
// it is in.
func (s *scanner) fail(at int, msg string, hint ...string) {
	if s.err != nil {
		return
	}
	if len(s.toks) > 0 && !s.script {
		if s.err = foreignStatement(s.text, s.toks, s.leastWords()); s.err != nil {
			return // what is wrong with the rest of it does not matter
		}
	}
	s.err = newSyntaxError(s.text, Pos(at), msg)
	if len(hint) > 0 {
		s.err.Hint = hint[0]
	}
}

// leastWords is how many words tell that a statement is one of another dialect.
func (s *scanner) leastWords() int {
	if starters[s.toks[0].key] != nil {
		return 2
	}
	return 1
}

// checkText looks at the text as a whole: its size, its encoding, and NULs.
func (s *scanner) checkText() {
	if len(s.text) > maxText {
		s.fail(0, "the statement is longer than 16 MiB")
	}
	if !utf8.ValidString(s.text) {
		for i, r := range s.text {
			if _, size := utf8.DecodeRuneInString(s.text[i:]); r == utf8.RuneError && size == 1 {
				s.fail(i, "the text is not valid UTF-8")
				return
			}
		}
	}
	if i := strings.IndexByte(s.text, 0); i >= 0 {
		s.fail(i, "the text holds a NUL", "pass it as an argument")
	}
	if strings.HasPrefix(s.text, "\uFEFF") {
		s.at = len("\uFEFF")
	}
}

// next scans one token. It returns false at the end of the text and behind a mistake.
func (s *scanner) next() bool {
	s.skipBlanks()
	if s.err != nil || s.at >= len(s.text) {
		return false
	}
	c := s.text[s.at]
	switch {
	case s.wantsBareName() && isNameByte(c):
		s.bareName()
	case c == 'x' || c == 'X':
		if s.peek(1) == '\'' {
			s.blob()
		} else {
			s.word()
		}
	case isWordStart(c):
		s.word()
	case isDigit(c) || c == '.' && isDigit(s.peek(1)):
		s.number()
	case c == '\'':
		s.stringLiteral()
	case c == '"' || c == '`':
		s.quotedName(c)
	case c == '$' && !isDigit(s.peek(1)):
		s.systemName()
	case c == '?' || c == '$' || c == ':' || c == '@':
		s.param(c)
	default:
		s.operator()
	}
	return s.err == nil
}

func (s *scanner) peek(n int) byte {
	if s.at+n < len(s.text) {
		return s.text[s.at+n]
	}
	return 0
}

func (s *scanner) add(t token, end int) {
	t.off, t.end = Pos(s.at), Pos(end)
	s.at = end
	s.toks = append(s.toks, t)
}

// skipBlanks skips white space and comments.
func (s *scanner) skipBlanks() {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			s.at++
		case c == '-' && s.peek(1) == '-':
			end := strings.IndexByte(s.text[s.at:], '\n')
			if end < 0 {
				end = len(s.text) - s.at
			}
			s.at += end
		case c == '/' && s.peek(1) == '*':
			end := strings.Index(s.text[s.at+2:], "*/")
			if end < 0 {
				s.fail(s.at, "comment is not closed")
				return
			}
			s.at += end + 4
		default:
			return
		}
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isWordStart tells whether an unquoted word may begin with the byte. Every character beyond ASCII
// counts as a letter.
func isWordStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func isNameByte(c byte) bool { return isWordStart(c) || isDigit(c) }

// word scans an unquoted word: a keyword or a name.
func (s *scanner) word() {
	end := s.at
	for end < len(s.text) && (isNameByte(s.text[end]) || s.text[end] == '$') {
		end++
	}
	text := s.text[s.at:end]
	s.checkLetters(text)
	s.add(token{kind: tokWord, text: text, key: keyOf(text)}, end)
}

// specialBlanks are the blanks beyond ASCII, but for those from U+2000 to U+200F.
var specialBlanks = []rune{
	0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF,
}

// checkLetters refuses the blanks beyond ASCII, which look like a space and would be part of a
// name.
func (s *scanner) checkLetters(text string) {
	for i, r := range text {
		switch {
		case r < utf8.RuneSelf:
		case r >= 0x2000 && r <= 0x200F, slices.Contains(specialBlanks, r):
			s.fail(s.at+i, "there is a special blank here ("+strconv.QuoteToASCII(string(r))+")",
				"use an ordinary space")
			return
		}
	}
}

// systemName scans a name that begins with $, such as $all.
func (s *scanner) systemName() {
	end := s.at + 1
	for end < len(s.text) && isNameByte(s.text[end]) {
		end++
	}
	switch {
	case end == s.at+1:
		s.fail(s.at, `syntax error at "$"`, "strings take single quotes")
	case strings.HasPrefix(s.text[s.at:], "$__"):
		s.fail(s.at, "a Grafana macro was not expanded: "+s.text[s.at:end])
	}
	text := s.text[s.at:end]
	s.checkLetters(text)
	s.add(token{kind: tokWord, text: text}, end)
}

// stringLiteral scans '...', in which two quotes stand for one.
func (s *scanner) stringLiteral() {
	text, end := s.quoted('\'', "string is not closed")
	s.add(token{kind: tokString, value: text}, end)
}

// quotedName scans "..." or `...`.
func (s *scanner) quotedName(quote byte) {
	text, end := s.quoted(quote, "quoted name is not closed")
	if text == "" {
		s.fail(s.at, "a name cannot be empty")
	}
	s.add(token{kind: tokName, text: text}, end)
}

// quoted returns what stands between quotes, and the place behind them.
func (s *scanner) quoted(quote byte, unclosed string) (text string, end int) {
	doubled := false
	for i := s.at + 1; ; {
		n := strings.IndexByte(s.text[i:], quote)
		if n < 0 {
			s.fail(s.at, unclosed)
			return "", len(s.text)
		}
		i += n + 1
		if i < len(s.text) && s.text[i] == quote {
			doubled = true
			i++
			continue
		}
		text = s.text[s.at+1 : i-1]
		if doubled {
			q := string(quote)
			text = strings.ReplaceAll(text, q+q, q)
		}
		return text, i
	}
}

// blob scans x'...'.
func (s *scanner) blob() {
	n := strings.IndexByte(s.text[s.at+2:], '\'')
	if n < 0 {
		s.fail(s.at, "blob is not closed")
		return
	}
	digits := s.text[s.at+2 : s.at+2+n]
	value := make([]byte, n/2)
	for i := range n {
		d := hexDigit(digits[i])
		if d < 0 || n%2 != 0 {
			s.fail(s.at, "x'...' takes an even number of hexadecimal digits")
			return
		}
		value[i/2] = value[i/2]<<4 | byte(d)
	}
	s.add(token{kind: tokBlob, value: value}, s.at+n+3)
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// number scans an integer, a hexadecimal integer or a real number.
func (s *scanner) number() {
	end, value := s.at, any(nil)
	if s.text[end] == '0' && (s.peek(1) == 'x' || s.peek(1) == 'X') {
		end, value = s.hexNumber()
	} else {
		end, value = s.decimal()
	}
	if end < len(s.text) && (isNameByte(s.text[end]) || s.text[end] == '$') {
		s.badNumber(end)
	}
	s.add(token{kind: tokNumber, text: s.text[s.at:end], value: value}, end)
}

func (s *scanner) badNumber(end int) {
	for end < len(s.text) && (isNameByte(s.text[end]) || s.text[end] == '$') {
		end++
	}
	s.fail(s.at, "not a number: "+shorten(s.text[s.at:end]))
}

func (s *scanner) hexNumber() (end int, value any) {
	end = s.at + 2
	for end < len(s.text) && hexDigit(s.text[end]) >= 0 {
		end++
	}
	u, err := strconv.ParseUint(s.text[s.at+2:end], 16, 64)
	switch {
	case end == s.at+2:
		s.badNumber(end)
	case err != nil:
		s.fail(s.at, "a hexadecimal number has at most 64 bits")
	}
	return end, int64(u)
}

func (s *scanner) decimal() (end int, value any) {
	end = s.digits(s.at)
	whole := true
	if end < len(s.text) && s.text[end] == '.' {
		whole, end = false, s.digits(end+1)
	}
	if end < len(s.text) && (s.text[end] == 'e' || s.text[end] == 'E') {
		whole = false
		exp := end + 1
		if exp < len(s.text) && (s.text[exp] == '+' || s.text[exp] == '-') {
			exp++
		}
		if end = s.digits(exp); end == exp {
			s.badNumber(end)
		}
	}
	text := s.text[s.at:end]
	if whole {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return end, n
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		s.badNumber(end)
	}
	return end, f
}

func (s *scanner) digits(at int) int {
	for at < len(s.text) && isDigit(s.text[at]) {
		at++
	}
	return at
}
