package parser

import (
	"slices"
	"strings"
)

// A LexemeKind tells what a Lexeme is.
type LexemeKind uint8

// The kinds of lexemes.
const (
	// KeywordLexeme is a word that means something in the grammar. Where it is not reserved it may
	// still be somebody's name.
	KeywordLexeme  LexemeKind = iota
	NameLexeme                // any other word, or a name in quotes, or one that begins with $
	StringLexeme              // '...'
	NumberLexeme              // 12, 1.5e3, 0xFF
	BlobLexeme                // x'...'
	ParamLexeme               // ?, ?3, $3, :name, @name
	OperatorLexeme            // an operator or a punctuation mark, the semicolon among them
	CommentLexeme             // -- to the end of the line, or /* ... */
	OpenLexeme                // all that is left behind a mistake, such as a string that is not closed
)

// A Lexeme is a piece of a text, from the byte Pos to the one before End. There are only blanks
// between two of them.
type Lexeme struct {
	Kind     LexemeKind
	Pos, End Pos
}

// Lexemes cuts a text of any number of statements into pieces, for those who colour it, complete it,
// or wait for the semicolon at its end. It never fails: what cannot be read is one OpenLexeme.
func Lexemes(text string) (list []Lexeme) {
	s := &scanner{text: text, script: true}
	defer func() {
		if recover() != nil { // a defect of this package must not take an editor down
			list = openFrom(list, text, 0)
		}
	}()
	if s.checkText(); s.err != nil {
		return openFrom(nil, text, 0)
	}
	for before := 0; s.next(); before = s.at {
		t := s.toks[len(s.toks)-1]
		list = append(comments(list, text, before, int(t.off)), Lexeme{lexemeKind(t), t.off, t.end})
		if t.key == ";" {
			s.toks, s.open, s.params = s.toks[:0], s.open[:0], paramCounter{}
		}
		s.checkCount()
	}
	end := 0
	if n := len(list); n > 0 {
		end = int(list[n-1].End)
	}
	if s.err == nil {
		return comments(list, text, end, len(text))
	}
	at := int(s.err.Pos)
	list = comments(list, text, end, at)
	if n := len(list); n > 0 {
		end = int(list[n-1].End)
	}
	for end < at && strings.IndexByte(" \t\n\v\f\r", text[end]) >= 0 {
		end++
	}
	return openFrom(list, text, Pos(min(end, at))) // the mistake may be in the middle of a word
}

// openFrom replaces what begins at a place or behind it by one piece that is open.
func openFrom(list []Lexeme, text string, at Pos) []Lexeme {
	for n := len(list); n > 0 && list[n-1].End > at; n-- {
		list, at = list[:n-1], min(at, list[n-1].Pos)
	}
	if int(at) == len(text) {
		return list
	}
	return append(list, Lexeme{OpenLexeme, at, Pos(len(text))})
}

// lexemeKind tells what a token is to an editor.
func lexemeKind(t token) LexemeKind {
	switch t.kind {
	case tokWord:
		if t.key != "" {
			return KeywordLexeme
		}
		return NameLexeme
	case tokName:
		return NameLexeme
	case tokString:
		return StringLexeme
	case tokNumber:
		return NumberLexeme
	case tokBlob:
		return BlobLexeme
	case tokParam:
		return ParamLexeme
	}
	return OperatorLexeme
}

// comments appends those that stand between two tokens.
func comments(list []Lexeme, text string, from, to int) []Lexeme {
	for at := from; at < to; {
		rest := text[at:to]
		switch {
		case strings.HasPrefix(rest, "--"):
			end := at + len(rest)
			if n := strings.IndexByte(rest, '\n'); n >= 0 {
				end = at + n
			}
			list, at = append(list, Lexeme{CommentLexeme, Pos(at), Pos(end)}), end
		case strings.HasPrefix(rest, "/*"):
			end := at + len(rest)
			if n := strings.Index(rest[2:], "*/"); n >= 0 {
				end = at + n + 4
			}
			list, at = append(list, Lexeme{CommentLexeme, Pos(at), Pos(end)}), end
		default:
			at++
		}
	}
	return list
}

// Keywords returns all words that mean something in the grammar, in upper case and sorted.
func Keywords() []string {
	list := make([]string, 0, len(keywords))
	for word := range keywords {
		list = append(list, word)
	}
	slices.Sort(list)
	return list
}
