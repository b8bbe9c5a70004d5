package parser

import (
	"slices"
	"strconv"
	"strings"
)

// A paramCounter numbers the parameters of a statement.
type paramCounter struct {
	count int
	names []string
}

func (c *paramCounter) result() Params { return Params{Count: c.count, Names: c.names} }

// param scans ?, ?3, $3, :name or @name.
func (s *scanner) param(sign byte) {
	end := s.at + 1
	if next := s.peek(1); sign == '?' && (next == '|' || next == '&') && s.peek(2) != next {
		s.foreign(s.text[s.at : s.at+2])
		return
	}
	if sign == '?' || sign == '$' {
		end = s.digits(end)
		if end < len(s.text) && isNameByte(s.text[end]) {
			s.fail(s.at, "a parameter is written ?, ?3, $3, :name or @name")
		}
		s.positional(end)
		return
	}
	if sign == '@' && (s.peek(1) == '>' || s.peek(1) == '@') {
		s.foreign(s.text[s.at : s.at+2])
		return
	}
	if sign == ':' && s.peek(1) == ':' {
		s.mark("::")
		return
	}
	if sign == ':' && s.peek(1) == '=' {
		s.foreign(s.text[s.at : s.at+2])
		return
	}
	for end < len(s.text) && isNameByte(s.text[end]) {
		end++
	}
	name := s.text[s.at+1 : end]
	if name == "" || isDigit(name[0]) {
		hint := ""
		if sign == ':' && name == "" {
			hint = "write json_object(key, value, ...)"
		}
		s.fail(s.at, "a parameter is written ?, ?3, $3, :name or @name", hint)
		return
	}
	s.checkLetters(s.text[s.at:end])
	s.named(name, end)
}

func (s *scanner) positional(end int) {
	if len(s.params.names) > 0 {
		s.fail(s.at, "a statement takes named or positional parameters, not both")
	}
	index := s.params.count + 1
	if digits := s.text[s.at+1 : end]; digits != "" {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n > maxParam {
			s.fail(s.at, "a parameter's number is between 1 and 32766")
		}
		index = n
	}
	if index > maxParam {
		s.fail(s.at, "a statement takes at most 32766 parameters")
	}
	s.params.count = max(s.params.count, index)
	s.add(token{
		kind:  tokParam,
		text:  s.text[s.at:end],
		value: &Param{Pos: Pos(s.at), Index: index},
	}, end)
}

func (s *scanner) named(name string, end int) {
	if s.params.count > 0 {
		s.fail(s.at, "a statement takes named or positional parameters, not both")
	}
	if !slices.Contains(s.params.names, name) {
		if len(s.params.names) == maxNames {
			s.fail(s.at, "a statement takes at most 1000 named parameters")
		}
		s.params.names = append(s.params.names, name)
	}
	s.add(token{
		kind:  tokParam,
		text:  s.text[s.at:end],
		value: &Param{Pos: Pos(s.at), Name: name},
	}, end)
}

// marks are the operators and marks of the dialect, longer ones before their beginnings.
var marks = []string{
	"->>", "->", "||", "==", "<>", "<=", ">=", "!=", "<", ">", "=", "+", "-", "*", "/", "%", "(",
	")", ",", ".", ";",
}

// foreignOperators are those of other dialects that would otherwise be read as two of ours.
var foreignOperators = []string{
	"//", "<<", ">>", "<=>", "<->", "<@", "@>", "@@", "#>>", "#>", "&&", "~~*", "~~", "~*", "!~~", "!~*", "!~", "=>",
	"===", "**", "|>", ":=", "||/", "|/",
}

// operator scans an operator or a mark.
func (s *scanner) operator() {
	rest := s.text[s.at:]
	for _, op := range foreignOperators {
		if strings.HasPrefix(rest, op) {
			s.foreign(op)
			return
		}
	}
	for _, op := range marks {
		if strings.HasPrefix(rest, op) {
			s.mark(op)
			return
		}
	}
	s.foreign(rest[:1])
}

// mark adds an operator, and joins the parentheses that belong together.
func (s *scanner) mark(op string) {
	t := token{kind: tokOp, text: op, key: op}
	switch op {
	case "(":
		if len(s.open) == maxParens {
			s.fail(s.at, "parentheses are nested more than 150 deep")
		}
		s.open = append(s.open, len(s.toks))
	case ")":
		if len(s.open) == 0 {
			s.fail(s.at, "this ) was never opened")
			return
		}
		t.mate = s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		s.toks[t.mate].mate = len(s.toks)
	}
	s.add(t, s.at+len(op))
}

// foreign refuses an operator that the dialect does not have.
func (s *scanner) foreign(op string) {
	hint := foreignHints[op]
	if op == `\` && len(s.toks) == 0 {
		hint = shellTables
	}
	s.fail(s.at, "syntax error at "+strconv.Quote(op), hint)
}

// wantsBareName tells whether a table's name stands next, which may hold signs and begin with a
// digit without quotes.
func (s *scanner) wantsBareName() bool {
	n := len(s.toks)
	if n == 0 || n > 1 && s.toks[n-2].key == "." {
		return false
	}
	switch s.toks[n-1].key {
	case "INTO", "JOIN":
		return true
	case "FROM":
		return s.fromOfSelect(n - 1)
	case "DESCRIBE", "DESC", "EXPECT":
		return s.begins(n - 1)
	}
	return false
}

// begins tells whether the token is the first of its statement.
func (s *scanner) begins(i int) bool { return i == 0 || s.toks[i-1].key == ";" }

// fromOfSelect tells whether the word FROM introduces a table: not as in IS DISTINCT FROM or
// EXTRACT(... FROM ...).
func (s *scanner) fromOfSelect(i int) bool {
	if i > 0 && s.toks[i-1].is("DISTINCT") {
		return false
	}
	if len(s.open) == 0 {
		return true
	}
	first := s.open[len(s.open)-1] + 1
	return s.toks[first].is("SELECT", "WITH", "VALUES")
}

// bareName scans a table's name without quotes. It stops before a comment and before a dot that a
// quoted name follows.
func (s *scanner) bareName() {
	end := s.at
	for end < len(s.text) &&
		(isNameByte(s.text[end]) || strings.IndexByte("$-./:@#", s.text[end]) >= 0) {
		if rest := s.text[end:]; strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*") {
			break
		}
		end++
	}
	if s.text[end-1] == '.' && end < len(s.text) && (s.text[end] == '"' || s.text[end] == '`') {
		end--
	}
	text := s.text[s.at:end]
	s.checkLetters(text)
	if last := text[len(text)-1]; !isNameByte(last) && last != '$' {
		s.fail(end-1, "a name without quotes does not end with "+strconv.Quote(string(last)),
			`names with signs take double quotes: "..."`)
	}
	kind, key := tokName, keyOf(text)
	if key != "" {
		kind = tokWord // for the parser to refuse it or not
	}
	s.bareParts(text, kind, key, end)
}

// schemas are the words that may stand before a table's name.
var schemas = []string{"main", "eventfold", "information_schema", ViewsSchema}

// bareParts adds the token of a bare name, or three if it begins with a schema.
func (s *scanner) bareParts(text string, kind tokenKind, key string, end int) {
	first, rest, dotted := strings.Cut(text, ".")
	if dotted && rest != "" && slices.ContainsFunc(schemas, func(name string) bool {
		return strings.EqualFold(name, first)
	}) {
		s.add(token{kind: tokName, text: first}, s.at+len(first))
		s.mark(".")
		s.add(token{kind: tokName, text: rest}, end)
		return
	}
	s.add(token{kind: kind, text: text, key: key}, end)
}
