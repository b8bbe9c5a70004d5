package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// safe makes a text harmless: what would move a terminal's cursor, change its colours or the order
// of its letters is written as an escape, and so is what ends a line. Payloads and names are what
// somebody else has written.
func safe(s string) string {
	at := strings.IndexFunc(s, harmful)
	if at < 0 {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:at])
	for i := at; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case harmful(r):
			b.WriteString(escape(r))
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

// safeLines is safe for a text of several lines: their ends and tabs stay.
func safeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		parts := strings.Split(line, "\t")
		for j := range parts {
			parts[j] = safe(parts[j])
		}
		lines[i] = strings.Join(parts, "\t")
	}
	return strings.Join(lines, "\n")
}

// harmful reports whether a character does something to a terminal, or is none.
func harmful(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7F
	}
	return r == utf8.RuneError || unicode.IsControl(r) ||
		r == 0x061C || r == 0x200E || r == 0x200F || // marks of the direction of writing
		r >= 0x2028 && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || // ends of lines, and embeddings
		r == 0xFEFF || r >= 0xE0000 && r <= 0xE007F // nothing to be seen
}

// escape writes a character with letters.
func escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r == '\r':
		return `\r`
	case r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, r)
	case r == utf8.RuneError: // which stood there as a character
		return string(r)
	case r > 0xFFFF:
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// widthOf returns how many columns of a terminal a text takes.
func widthOf(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return uniseg.StringWidth(s)
		}
	}
	return len(s)
}

// shorten returns a text that takes at most so many columns: the text itself, or its beginning and a
// mark that it goes on.
func shorten(s string, columns int) string {
	if len(s) <= columns || len(s) < 4*columns && widthOf(s) <= columns {
		return s
	}
	used, end := 0, 0
	for rest, state := s, -1; rest != ""; {
		var cluster string
		var width int
		cluster, rest, width, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used+width > columns-1 {
			if rest == "" && used+width == columns {
				return s
			}
			return s[:end] + "…"
		}
		used, end = used+width, end+len(cluster)
	}
	return s
}

// pad returns the blanks that make a text of a width take so many columns.
func pad(width, columns int) string { return strings.Repeat(" ", max(columns-width, 0)) }
