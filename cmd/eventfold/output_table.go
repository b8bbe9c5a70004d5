package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	windowRows  = 500     // of which the widths of a table are taken
	windowBytes = 4 << 20 // of text that waits for the widths
	// widest is the width of a column, where no terminal bounds it, for which shorter cells are
	// padded. What is longer is written whole.
	widest = 60
)

// A table writes rows below each other in columns, and how many they were. On a terminal it is as
// wide as that is, and what does not fit is cut; elsewhere nothing is.
type table struct {
	o       *output
	columns []column
	waiting [][]tableCell // the window, until the widths are known
	bytes   int           // of the texts that wait
	widths  []int         // nil until they are known
	rows    int64
	screen  int // columns of the terminal, 0 for none
}

// A tableCell is a value as a table shows it.
type tableCell struct {
	text   string // harmless
	width  int
	number bool
	null   bool
}

func newTable(o *output) rowWriter { return &table{o: o} }

func (t *table) begin(columns []column) error {
	t.columns = columns
	t.screen, _ = t.o.console.size()
	return nil
}

func (t *table) row(values []any) error {
	t.rows++
	cells := make([]tableCell, len(values))
	for i, v := range values {
		cells[i] = t.cell(v)
		t.bytes += len(cells[i].text)
	}
	if t.widths != nil {
		return t.write(cells)
	}
	t.waiting = append(t.waiting, cells)
	if len(t.waiting) < windowRows && t.bytes < windowBytes {
		return nil
	}
	return t.layOut()
}

// cell renders a value. Of a long text only so much is looked at as can be shown.
func (t *table) cell(v any) tableCell {
	text := textOf(v)
	if limit := t.screen * 4 * utf8.UTFMax; t.screen > 0 && len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	text = safe(text)
	c := tableCell{text: text, width: widthOf(text), null: v == nil}
	switch v.(type) {
	case int64, float64:
		c.number = true
	}
	return c
}

// settle lays out what there is, so that it can be seen.
func (t *table) settle() error {
	if len(t.waiting) == 0 {
		return nil
	}
	return t.layOut()
}

// layOut finds the widths, and writes the head and what has waited.
func (t *table) layOut() error {
	t.widths = make([]int, len(t.columns))
	for i, c := range t.columns {
		t.widths[i] = max(widthOf(safe(c.name)), len(c.kind))
		for _, cells := range t.waiting {
			if w := cells[i].width; t.screen > 0 || w <= widest {
				t.widths[i] = max(t.widths[i], w)
			}
		}
	}
	if t.screen > 0 {
		fit(t.widths, t.screen-3*len(t.widths)+1)
	}
	if err := t.head(); err != nil {
		return err
	}
	for _, cells := range t.waiting {
		if err := t.write(cells); err != nil {
			return err
		}
	}
	t.waiting = nil
	return nil
}

// narrowest is how narrow a column is made so that a table fits.
const narrowest = 6

// fit takes from the widest columns until all of them take no more than the room, if that can be.
func fit(widths []int, room int) {
	sum := 0
	for _, w := range widths {
		sum += w
	}
	for sum > room {
		first, second := 0, 0 // the greatest width, and the next below it
		for _, w := range widths {
			switch {
			case w > first:
				first, second = w, first
			case w < first && w > second:
				second = w
			}
		}
		if first <= narrowest {
			return
		}
		count := 0
		for _, w := range widths {
			if w == first {
				count++
			}
		}
		to := max(second, narrowest, first-(sum-room+count-1)/count)
		for i, w := range widths {
			if w == first {
				widths[i] = to
			}
		}
		sum -= count * (first - to)
	}
}

// head writes names, types and a line below them.
func (t *table) head() error {
	names, kinds := make([]tableCell, len(t.columns)), make([]tableCell, len(t.columns))
	var line strings.Builder
	for i, c := range t.columns {
		name := safe(c.name)
		number := c.kind == "BIGINT" || c.kind == "DOUBLE"
		names[i] = tableCell{text: name, width: widthOf(name), number: number}
		kinds[i] = tableCell{text: c.kind, width: len(c.kind), number: number, null: true}
		if i > 0 {
			line.WriteString("┼")
		}
		line.WriteString(strings.Repeat("─", t.widths[i]+2))
	}
	if err := t.write(names); err != nil {
		return err
	}
	if err := t.write(kinds); err != nil {
		return err
	}
	_, err := t.o.w.WriteString(line.String() + "\n")
	return err
}

// write writes a row.
func (t *table) write(cells []tableCell) error {
	var b strings.Builder
	for i, c := range cells {
		b.WriteString([]string{" ", " │ "}[min(i, 1)])
		if t.screen > 0 && c.width > t.widths[i] {
			c.text = shorten(c.text, t.widths[i])
			c.width = widthOf(c.text)
		}
		blanks := pad(c.width, t.widths[i])
		text := c.text
		if c.null {
			text = t.o.console.paint(faint, text)
		}
		switch {
		case c.number:
			text = blanks + text
		case i < len(cells)-1:
			text += blanks
		}
		b.WriteString(text)
	}
	_, err := t.o.w.WriteString(b.String() + "\n")
	return err
}

func (t *table) end(more bool) error {
	if t.widths == nil {
		if err := t.layOut(); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("(%s)", plural(t.rows, "row"))
	if more {
		text = fmt.Sprintf("(the first %s; there are more)", plural(t.rows, "row"))
	}
	_, err := t.o.w.WriteString(t.o.console.paint(faint, text) + "\n")
	return err
}

// A lines writer writes each column on a line of its own: for rows that are wide.
type lines struct {
	o     *output
	names []string // harmless
	width int      // of the longest
	rows  int64
}

func newLines(o *output) rowWriter { return &lines{o: o} }

func (l *lines) begin(columns []column) error {
	for _, c := range columns {
		name := safe(c.name)
		l.names = append(l.names, name)
		l.width = max(l.width, widthOf(name))
	}
	return nil
}

func (l *lines) row(values []any) error {
	l.rows++
	var b strings.Builder
	b.WriteString(l.o.console.paint(faint, fmt.Sprintf("─── row %d", l.rows)) + "\n")
	for i, v := range values {
		text := safe(textOf(v))
		if v == nil {
			text = l.o.console.paint(faint, text)
		}
		b.WriteString(pad(widthOf(l.names[i]), l.width) + l.names[i] + " │ " + text + "\n")
	}
	_, err := l.o.w.WriteString(b.String())
	return err
}

func (l *lines) settle() error { return nil }

func (l *lines) end(more bool) error {
	text := fmt.Sprintf("(%s)", plural(l.rows, "row"))
	if more {
		text = fmt.Sprintf("(the first %s; there are more)", plural(l.rows, "row"))
	}
	_, err := l.o.w.WriteString(l.o.console.paint(faint, text) + "\n")
	return err
}
