package main

import (
	"context"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// A tableUse is a table that a statement reads or writes: its name as it is written, and what the
// statement calls it.
type tableUse struct{ name, alias string }

// called reports whether the statement calls the table by a name.
func (u tableUse) called(name string) bool {
	return strings.EqualFold(u.name, name) || strings.EqualFold(u.alias, name)
}

// A statementPieces is a statement that is being typed, in pieces without comments.
type statementPieces struct {
	text   string
	pieces []parser.Lexeme
}

// statementAt returns the statement of a text that has a place in it.
func statementAt(text string, at int) *statementPieces {
	s := &statementPieces{text: text}
	for _, x := range parser.Lexemes(text) {
		switch {
		case x.Kind == parser.CommentLexeme:
		case x.Kind != parser.OperatorLexeme || text[x.Pos:x.End] != ";":
			s.pieces = append(s.pieces, x)
		case int(x.Pos) >= at:
			return s
		default:
			s.pieces = nil
		}
	}
	return s
}

// word returns a piece, "" behind the last one.
func (s *statementPieces) word(i int) string {
	if i >= len(s.pieces) {
		return ""
	}
	return s.text[s.pieces[i].Pos:s.pieces[i].End]
}

// tables returns the tables of the statement, those of its sub-queries too. open says that it ends
// where the name of a table is to come.
func (s *statementPieces) tables() (list []tableUse, open bool) {
	for i, x := range s.pieces {
		if !readsTable(s.text, x) {
			continue
		}
		for next := i + 1; ; next++ { // FROM a, b
			if next == len(s.pieces) {
				return list, true
			}
			var use tableUse
			use, next = s.table(next)
			if use.name != "" && !slices.Contains(list, use) {
				list = append(list, use)
			}
			if s.word(next) != "," {
				break
			}
		}
	}
	return list, false
}

// table reads a table's name and alias, and returns the number of the piece behind them. A sub-query
// has no name.
func (s *statementPieces) table(i int) (use tableUse, next int) {
	if s.word(i) == "(" {
		return use, i
	}
	from, to := s.pieces[i].Pos, s.pieces[i].End // a name such as order-1 is several pieces
	for i++; i < len(s.pieces) && s.pieces[i].Pos == to && !separates(s.word(i)); i++ {
		to = s.pieces[i].End
	}
	use.name = s.text[from:to]
	if strings.EqualFold(s.word(i), "AS") {
		i++
	}
	if i < len(s.pieces) && s.pieces[i].Kind == parser.NameLexeme {
		use.alias = s.word(i)
		i++
	}
	return use, i
}

// separates reports whether a piece ends a name, although nothing stands between them.
func separates(piece string) bool { return strings.Contains("(),", piece) }

// names returns what the statement itself has named behind AS: results, and columns of WITH.
func (s *statementPieces) names() (list []string) {
	for i := range s.pieces {
		if i > 0 && s.pieces[i].Kind == parser.NameLexeme && strings.EqualFold(s.word(i-1), "AS") {
			list = append(list, s.word(i))
		}
	}
	return list
}

// mostTables is how many tables of a statement are looked at.
const mostTables = 8

// columns are those of the tables of a statement, of events if it has none. of, if it is not "", is
// what stands before a point: then they are those of that table.
func (c *completer) columns(ctx context.Context, s *statementPieces, of string) (list []proposal) {
	add := func(name, kind string) {
		if p := (proposal{name, kind}); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	tables, _ := s.tables()
	for _, use := range tables[:min(len(tables), mostTables)] {
		if of != "" && !use.called(of) {
			continue
		}
		for _, p := range c.ask(ctx, "columns", "DESCRIBE "+use.name) {
			add(p.text, p.kind)
			if p.text == "recorded_at" { // a table of events, which has columns that * leaves out
				for _, name := range eventColumns {
					add(name, "columns")
				}
			}
		}
	}
	if of != "" {
		return list
	}
	for _, name := range s.names() {
		add(name, "names")
	}
	if len(tables) == 0 {
		for _, name := range eventColumns {
			add(name, "columns")
		}
	}
	return list
}
