package main

import (
	"errors"
	"os"
	"strings"
	"unicode"

	"github.com/reeflective/readline"
	"golang.org/x/term"

	"github.com/eventfold/eventfold/parser"
)

// An editor is a lineSource at a terminal.
type editor struct {
	line   *readline.Shell
	prompt string
}

var _ lineSource = (*editor)(nil)

// newEditor makes the editor of a shell, which keeps what is typed in a file if remember says so.
func newEditor(sh *shell, remember bool) *editor {
	e := &editor{line: readline.NewShell()}
	e.showProposals()
	e.takePastes()
	e.line.Prompt.Primary(func() string { return e.prompt })
	e.line.Prompt.Secondary(func() string { return pad(0, len(e.prompt)-4) + "..> " })
	e.line.AcceptMultiline = func(line []rune) bool { return wholeEntries(string(line)) }
	e.line.SyntaxHighlighter = func(line []rune) string {
		if sh.console.colour {
			return highlight(sh.console, string(line)) + roomBelow
		}
		return string(line) + roomBelow
	}
	c := &completer{session: sh.session}
	e.line.Completer = func(line []rune, cursor int) readline.Completions {
		e.askWhere(true) // what there is to choose from takes as much room as there is
		cursor = min(cursor, len(line))
		return c.complete(string(line[:cursor]), string(line[cursor:]))
	}
	if remember {
		if h, err := openHistory(historyFile()); err == nil { // it does without, otherwise
			e.line.History.Delete()
			e.line.History.Add("statements", h)
		}
	}
	return e
}

// showProposals has the first Tab write what all that may stand there begin with, and show what there is
// to choose from; each further one takes the next of them.
func (e *editor) showProposals() {
	_ = e.line.Config.Set("menu-complete-display-prefix", true)
	for _, mode := range []string{"emacs-standard", "vi-insert"} {
		_ = e.line.Config.Bind(mode, "\t", "menu-complete", false)
	}
}

// roomBelow moves the cursor two lines down, which scrolls at the bottom of the terminal, and back. The
// editor needs a line below the last one that it draws.
const roomBelow = "\x1bD\x1bD\x1b[2A"

// askWhere says whether the editor asks the terminal where the cursor is, whenever it draws. The answer
// comes among what is typed, and the editor drops the keys that it reads together with it: those of
// somebody who is quick, or what is pasted into a terminal that does not mark it. So it asks only where
// it cannot do without.
func (e *editor) askWhere(ask bool) { _ = e.line.Config.Set("cursor-position-probe", ask) }

// takePastes has the terminal mark what is pasted, so that it is one text, however many lines it has,
// and none of it is taken for keys: they would be a Tab that completes, or the terminal's answer to
// the editor's question where the cursor is.
func (e *editor) takePastes() {
	_ = e.line.Config.Set("enable-bracketed-paste", true)
	for _, mode := range []string{"emacs-standard", "vi-insert"} {
		_ = e.line.Config.Bind(mode, "\x1b[200~", "bracketed-paste-begin", false)
	}
	e.line.PasteTransformer = func(text string) string {
		return strings.Map(func(r rune) rune {
			if r != '\n' && r != '\t' && unicode.IsControl(r) {
				return -1 // it would do something to the terminal
			}
			return r
		}, text)
	}
}

// read returns what was typed.
func (e *editor) read(prompt string) (string, error) {
	e.prompt = prompt
	e.askWhere(false)
	text, err := e.line.Readline()
	if errors.Is(err, readline.ErrInterrupt) {
		return "", errCancelled
	}
	return text, err
}

// rememberTerminal returns a function that puts the terminal of the input into the state that it has
// now.
func rememberTerminal() func() {
	fd := int(os.Stdin.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(fd, state) }
}

// lexemeStyles are the colours of the pieces of a statement; others have none.
var lexemeStyles = map[parser.LexemeKind]style{
	parser.KeywordLexeme: blue, parser.StringLexeme: green, parser.NumberLexeme: cyan, parser.BlobLexeme: green,
	parser.ParamLexeme: magenta, parser.CommentLexeme: faint, parser.OpenLexeme: yellow,
}

// highlight colours the pieces of what is typed.
func highlight(c *console, text string) string {
	if isCommand(text) {
		return text
	}
	var b strings.Builder
	at := 0
	for _, x := range parser.Lexemes(text) {
		b.WriteString(text[at:x.Pos])
		piece := text[x.Pos:x.End]
		if s, ok := lexemeStyles[x.Kind]; ok {
			piece = c.paint(s, piece)
		}
		b.WriteString(piece)
		at = int(x.End)
	}
	return b.String() + text[at:]
}
