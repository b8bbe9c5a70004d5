package parser

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A SyntaxError reports text that is not a statement of the dialect. Nothing of it has been run.
type SyntaxError struct {
	Text   string // the whole text
	Pos    Pos    // of the offending place
	Line   int    // from 1
	Column int    // from 1, in characters
	Msg    string
	Hint   string // what to write instead, "" if there is nothing to say

	surprise bool // another word was expected at the place
}

func newSyntaxError(text string, pos Pos, msg string) *SyntaxError {
	line, column := Locate(text, pos)
	return &SyntaxError{Text: text, Pos: pos, Line: line, Column: column, Msg: msg}
}

// Error tells the place, the mistake and what to write instead, in one line.
func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Excerpt returns the line of the text that the error is in, shortened if it is long, and below it a caret under the place.
func (e *SyntaxError) Excerpt() string { return Excerpt(e.Text, e.Pos) }

// Locate returns the line and the column of a place in the text, both from 1. Columns count characters.
// A place behind the text is taken as its end.
func Locate(text string, pos Pos) (line, column int) {
	at := clamp(text, pos)
	before := text[:at]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}

const (
	excerptSide  = 60                              // characters shown on either side of the place
	excerptBytes = (excerptSide + 1) * utf8.UTFMax // more than so many characters take
)

// Excerpt returns the line that a place is in, shortened if it is long, and below it a caret under the place.
func Excerpt(text string, pos Pos) string {
	at := clamp(text, pos)
	start := strings.LastIndexByte(text[:at], '\n') + 1
	end := len(text)
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		end = at + i
	}
	start, end = max(start, at-excerptBytes), min(end, at+excerptBytes) // the line may have millions of characters
	for start < at && !utf8.RuneStart(text[start]) {
		start++
	}
	for end < len(text) && end > at && !utf8.RuneStart(text[end]) {
		end--
	}
	before, after := []rune(printable(text[start:at])), []rune(printable(text[at:end]))
	lead, tail := "", ""
	if len(before) > excerptSide {
		before, lead = before[len(before)-excerptSide:], "..."
	}
	if len(after) > excerptSide {
		after, tail = after[:excerptSide], "..."
	}
	return lead + string(before) + string(after) + tail + "\n" + strings.Repeat(" ", len(lead)+len(before)) + "^"
}

// printable replaces what would move the caret: tabs, other controls and invalid UTF-8.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

func clamp(text string, pos Pos) int { return min(max(int(pos), 0), len(text)) }
