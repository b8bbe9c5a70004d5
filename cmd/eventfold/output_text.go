package main

import (
	"strings"
)

// A csvWriter writes rows as RFC 4180 has them, with a line of names. NULL is nothing, an empty text
// is "". On a terminal what would do something to it is escaped.
type csvWriter struct {
	o        *output
	terminal bool
}

func newCSV(o *output) rowWriter { return &csvWriter{o, o.console.terminal()} }

func (c *csvWriter) begin(columns []column) error {
	names := make([]any, len(columns))
	for i, x := range columns {
		names[i] = x.name
	}
	return c.row(names)
}

func (c *csvWriter) row(values []any) error {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		if v != nil {
			b.WriteString(c.field(textOf(v)))
		}
	}
	_, err := c.o.w.WriteString(b.String() + "\n")
	return err
}

func (c *csvWriter) field(text string) string {
	if c.terminal {
		text = safe(text)
	}
	if text != "" && !strings.ContainsAny(text, ",\"\r\n") && strings.TrimSpace(text) == text {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}

func (c *csvWriter) settle() error { return nil }

func (c *csvWriter) end(bool) error { return nil }

// A jsonWriter writes each row as an object on a line: as they are, or as the elements of an array.
type jsonWriter struct {
	o     *output
	array bool
	keys  []string // of the objects, as JSON with a colon
	rows  int64
}

func newJSONArray(o *output) rowWriter { return &jsonWriter{o: o, array: true} }

func newNDJSON(o *output) rowWriter { return &jsonWriter{o: o} }

func (j *jsonWriter) begin(columns []column) error {
	for _, name := range uniqueNames(columns) {
		j.keys = append(j.keys, string(appendJSONText(nil, name))+":")
	}
	if j.array {
		return j.o.w.WriteByte('[')
	}
	return nil
}

func (j *jsonWriter) row(values []any) error {
	var b []byte
	if j.array && j.rows > 0 {
		b = append(b, ',')
	}
	if j.array {
		b = append(b, '\n')
	}
	j.rows++
	for i, v := range values {
		b = append(append(b, "{,"[min(i, 1)]), j.keys[i]...)
		b = appendJSON(b, v)
	}
	b = append(b, '}')
	if !j.array {
		b = append(b, '\n')
	}
	_, err := j.o.w.Write(b)
	return err
}

func (j *jsonWriter) settle() error { return nil }

func (j *jsonWriter) end(bool) error {
	if !j.array {
		return nil
	}
	_, err := j.o.w.WriteString("\n]\n")
	return err
}

// A markdown writer writes a table as GitHub has them.
type markdown struct {
	o *output
}

func newMarkdown(o *output) rowWriter { return &markdown{o} }

// markdownEscapes are for what would mean something in a cell.
var markdownEscapes = strings.NewReplacer(`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`,
	"[", `\[`, "]", `\]`, "<", "&lt;", "&", "&amp;")

func (m *markdown) begin(columns []column) error {
	var names, line strings.Builder
	for _, c := range columns {
		names.WriteString("| " + markdownEscapes.Replace(safe(c.name)) + " ")
		if c.kind == "BIGINT" || c.kind == "DOUBLE" {
			line.WriteString("|---:")
		} else {
			line.WriteString("|---")
		}
	}
	_, err := m.o.w.WriteString(names.String() + "|\n" + line.String() + "|\n")
	return err
}

func (m *markdown) row(values []any) error {
	var b strings.Builder
	for _, v := range values {
		b.WriteString("| ")
		if v != nil {
			b.WriteString(markdownEscapes.Replace(safe(textOf(v))))
		}
		b.WriteString(" ")
	}
	_, err := m.o.w.WriteString(b.String() + "|\n")
	return err
}

func (m *markdown) settle() error { return nil }

// end leaves a line free, so that another table may follow.
func (m *markdown) end(bool) error { return m.o.w.WriteByte('\n') }
