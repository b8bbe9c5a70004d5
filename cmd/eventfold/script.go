package main

import (
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/parser"
)

// A piece is a statement of a script, and where it stands there.
type piece struct {
	text   string
	script string
	at     int            // byte of script at which text begins
	parsed *parser.Parsed // nil until it is read
}

// splitScript cuts a text into its statements, without the semicolons between them. closed says that
// there is a semicolon behind the last one.
func splitScript(text string) (list []*piece, closed bool) {
	from, to := -1, -1
	flush := func() {
		if from >= 0 {
			list = append(list, &piece{text: text[from:to], script: text, at: from})
		}
		from = -1
	}
	closed = true
	for _, x := range parser.Lexemes(text) {
		switch {
		case x.Kind == parser.CommentLexeme:
			continue
		case x.Kind == parser.OperatorLexeme && text[x.Pos:x.End] == ";":
			flush()
			closed = true
			continue
		case from < 0:
			from = int(x.Pos)
		}
		to, closed = int(x.End), false
	}
	flush()
	return list, closed
}

// read parses the statements of a script, so that nothing of it runs if one cannot be read.
func readScript(list []*piece) error {
	for _, p := range list {
		parsed, err := parser.Parse(p.text)
		var syntax *parser.SyntaxError
		switch {
		case errors.As(err, &syntax):
			return p.place(&eventfold.Error{
				Code: eventfold.ErrSyntax, Op: "prepare", Line: syntax.Line, Column: syntax.Column,
				SQL: syntax.Excerpt(), Err: err,
			})
		case err != nil:
			return err
		}
		p.parsed = parsed
	}
	return nil
}

// place makes an error that tells of a place in the statement one that tells of it in the script.
func (p *piece) place(err error) error {
	var known *eventfold.Error
	if !errors.As(err, &known) || known.Line == 0 || p.at == 0 {
		return err
	}
	moved := *known
	before := p.script[:p.at]
	if moved.Line == 1 {
		moved.Column += utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	}
	moved.Line += strings.Count(before, "\n")
	return &moved
}

// A supply is what the parameters of a script are given.
type supply struct {
	named      []sql.NamedArg
	positional []any
	used       map[string]bool
}

// newSupply reads arguments of the command line: NAME=VALUE for a parameter with a name, and values
// for those without, in their order.
func newSupply(named, positional []string) (*supply, error) {
	s := &supply{used: map[string]bool{}}
	for _, text := range named {
		name, value, ok := strings.Cut(text, "=")
		name = strings.TrimLeft(name, ":@$")
		if !ok || name == "" {
			return nil, usage("%q is no parameter: write NAME=VALUE, or --arg VALUE for a ?", text)
		}
		s.named = append(s.named, sql.Named(name, literal(value)))
	}
	for _, text := range positional {
		s.positional = append(s.positional, literal(text))
	}
	return s, nil
}

// deal gives a statement its arguments. Those without a name are consumed from left to right.
func (s *supply) deal(params parser.Params) ([]any, error) {
	var args []any
	if len(s.positional) < params.Count {
		return nil, usage("the statement has %s, and only %d are given with --arg",
			plural(int64(params.Count), "parameter"), len(s.positional))
	}
	args, s.positional = append(args, s.positional[:params.Count]...), s.positional[params.Count:]
	for _, name := range params.Names {
		found := false
		for _, arg := range s.named {
			if arg.Name == name {
				args, found = append(args, arg), true
			}
		}
		if !found {
			return nil, usage("the parameter %s has no value: say --param %s=VALUE", name, name)
		}
		s.used[name] = true
	}
	return args, nil
}

// check reports what no statement has a use for.
func (s *supply) check() error {
	if len(s.positional) > 0 {
		return usage("%s of --arg are used by no statement", plural(int64(len(s.positional)), "value"))
	}
	for _, arg := range s.named {
		if !s.used[arg.Name] {
			return usage("no statement has the parameter %s", arg.Name)
		}
	}
	return nil
}

// literal reads a value as it would stand in SQL: a number, NULL, TRUE, FALSE, or a text in single
// quotes. Anything else is a text as it is.
func literal(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	switch strings.ToUpper(text) {
	case "NULL":
		return nil
	case "TRUE":
		return int64(1)
	case "FALSE":
		return int64(0)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && strings.Trim(text, "0123456789.eE+-") == "" {
		return f
	}
	if n := len(text); n >= 2 && text[0] == '\'' && text[n-1] == '\'' {
		return strings.ReplaceAll(text[1:n-1], "''", "'")
	}
	return text
}
