package main

import "strings"

// An entry is what the shell runs at a time: a command of its own, or statements of which the last one
// has its semicolon. It is put together from lines.
type entry struct {
	text strings.Builder
}

// add takes a line, with its end, and reports whether the entry is whole.
func (e *entry) add(line string) bool {
	first := e.text.Len() == 0
	e.text.WriteString(line)
	if !first && !strings.Contains(line, ";") && !strings.Contains(line, "*/") {
		return false // it ends neither a statement nor a comment behind one
	}
	return whole(e.text.String())
}

// take returns the entry, and begins another one.
func (e *entry) take() string {
	text := e.text.String()
	e.text.Reset()
	return text
}

// whole reports whether an entry is one: a command of the shell, nothing, or statements of which the
// last one has its semicolon.
func whole(text string) bool {
	if strings.TrimSpace(text) == "" || isCommand(text) {
		return true
	}
	_, closed := splitScript(text)
	return closed
}

// wholeEntries reports whether a text is entries, of which the last one is whole.
func wholeEntries(text string) bool {
	var pending entry
	ended := true
	for line := range strings.Lines(text) {
		if ended = pending.add(line); ended {
			pending.take()
		}
	}
	return ended
}

// isCommand reports whether an entry is a command of the shell.
func isCommand(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, ".") || strings.HasPrefix(text, `\`)
}
