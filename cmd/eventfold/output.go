package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

// A column is one of a result.
type column struct {
	name string
	kind string // BIGINT, TEXT and so on, as the driver tells it
}

// A rowWriter writes the rows of one result, in one format.
type rowWriter interface {
	begin(columns []column) error
	row(values []any) error // values are the writer's own
	// settle writes what it has waited with, because no more rows come for now.
	settle() error
	// end writes what comes behind the rows; more says that there are others, which are not shown.
	end(more bool) error
}

// formats are what rows can be written as.
var formats = []struct {
	name string
	make func(o *output) rowWriter
	// told says that the outcome of a statement without rows belongs into the output as well.
	told bool
}{
	{"table", newTable, true},
	{"line", newLines, true},
	{"csv", newCSV, false},
	{"json", newJSONArray, false},
	{"ndjson", newNDJSON, false},
	{"markdown", newMarkdown, true},
}

// formatNames are the names of the formats, separated by a comma.
func formatNames() string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// outputFlags are the flags of commands that give rows: see newOutput.
func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT` of the rows: " + formatNames(), Value: "table",
		},
		&cli.BoolFlag{Name: "no-pager", Usage: "never show a long result in a pager"},
	}
}

// An output writes results where a command's results go.
type output struct {
	console *console
	format  int // of formats
	w       *bufio.Writer
	pager   *pager // nil for none
	maxRows int64  // of a result; 0 is all
	// special writes rows instead of the format; nil is the format.
	special func(o *output) rowWriter
}

// writer returns what writes the rows of a result.
func (o *output) writer() rowWriter {
	if o.special != nil {
		return o.special(o)
	}
	return formats[o.format].make(o)
}

// newOutput makes the output that the flags of a command ask for: -o FORMAT, --json and --no-pager.
// Whoever makes one closes it.
func newOutput(c *cli.Command) (*output, error) {
	name := c.String("output")
	if c.Bool("json") {
		if c.IsSet("output") && name != "ndjson" && name != "json" {
			return nil, usage("--json and --output %s exclude each other", name)
		}
		if !c.IsSet("output") {
			name = "ndjson"
		}
	}
	format := formatOf(name)
	if format < 0 {
		return nil, usage("there is no format %q; the formats are %s", name, formatNames())
	}
	return openOutput(consoleOf(c), format, !c.Bool("no-pager")), nil
}

// formatOf returns the number of a format, -1 if there is none of the name.
func formatOf(name string) int {
	for i, f := range formats {
		if f.name == name {
			return i
		}
	}
	return -1
}

// openOutput makes an output; paged says that what is longer than the terminal is for a pager.
func openOutput(c *console, format int, paged bool) *output {
	o := &output{console: c, format: format}
	if paged {
		o.pager = newPager(c)
	}
	if o.pager != nil {
		o.w = bufio.NewWriterSize(o.pager, 1<<16)
	} else {
		o.w = bufio.NewWriterSize(c.out, 1<<16)
	}
	return o
}

// unpaged makes what follows come at once, without a pager: for results that have no end.
func (o *output) unpaged() {
	if o.pager != nil && o.w.Buffered() == 0 && !o.pager.started() {
		o.pager = nil
		o.w = bufio.NewWriterSize(o.console.out, 1<<16)
	}
}

// close writes what is left, and waits until the pager has been left.
func (o *output) close() error {
	err := o.w.Flush()
	if o.pager != nil {
		err = errors.Join(err, o.pager.close())
	}
	return err
}

// tell writes a line that is no row, if the format has a place for it.
func (o *output) tell(text string) error {
	if !formats[o.format].told {
		return nil
	}
	_, err := o.w.WriteString(safeLines(text) + "\n")
	return err
}

// columnsOf returns the columns of a result.
func columnsOf(rows *sql.Rows) ([]column, error) {
	types, err := rows.ColumnTypes()
	columns := make([]column, len(types))
	for i, t := range types {
		columns[i] = column{t.Name(), t.DatabaseTypeName()}
	}
	return columns, err
}

// scanRow returns the values of the current row.
func scanRow(rows *sql.Rows, columns int) ([]any, error) {
	values, places := make([]any, columns), make([]any, columns)
	for i := range values {
		places[i] = &values[i]
	}
	return values, rows.Scan(places...)
}

// rows writes a result to its end, and closes it. began is called when the first row is there, or none.
func (o *output) rows(rows *sql.Rows, began func()) error {
	defer rows.Close()
	columns, err := columnsOf(rows)
	if err != nil {
		return err
	}
	found := len(columns) > 0 && rows.Next()
	began()
	if len(columns) == 0 { // of a statement without rows
		return rows.Err()
	}
	w := o.writer()
	if err := w.begin(columns); err != nil {
		return err
	}
	for n := int64(0); found; found = rows.Next() {
		if o.maxRows > 0 && n == o.maxRows {
			return w.end(true)
		}
		values, err := scanRow(rows, len(columns))
		if err == nil {
			err = w.row(values)
		}
		if err != nil {
			return err
		}
		n++
	}
	if err := rows.Err(); err != nil {
		_ = w.settle() // err is what matters
		return err
	}
	return w.end(false)
}

// settling is how long a result without an end is quiet before what there is of it is laid out.
const settling = 200 * time.Millisecond

// follow writes the rows of a query that may have no end, every row as soon as it comes. That its
// context ends is how it is meant to end, and no error.
func (o *output) follow(ctx context.Context, query func(context.Context) (*sql.Rows, error)) error {
	o.unpaged()
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := query(running)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := columnsOf(rows)
	if err != nil {
		return err
	}
	w := o.writer()
	if err := w.begin(columns); err != nil {
		return err
	}
	came := &arrivals{list: make(chan []any, 256)}
	go came.read(running, rows, len(columns)) // ended by cancel; list is closed when it has ended
	err = o.followed(w, came.list)
	cancel()
	for range came.list {
		continue
	}
	if ctx.Err() == nil && err == nil && came.err != nil {
		err = came.err
	}
	if err != nil {
		return err
	}
	return errors.Join(w.end(false), o.w.Flush())
}

// followed writes rows until no more come.
func (o *output) followed(w rowWriter, list <-chan []any) error {
	quiet := time.NewTimer(settling)
	defer quiet.Stop()
	for {
		select {
		case values, ok := <-list:
			if !ok {
				return nil
			}
			if err := w.row(values); err != nil {
				return err
			}
			if len(list) == 0 { // what was there already is written in large pieces
				if err := o.w.Flush(); err != nil {
					return err
				}
			}
			quiet.Reset(settling)
		case <-quiet.C:
			if err := errors.Join(w.settle(), o.w.Flush()); err != nil {
				return err
			}
		}
	}
}

// Arrivals are rows that another goroutine waits for.
type arrivals struct {
	list chan []any // closed when no more come
	err  error      // why, to be read when list is closed
}

func (a *arrivals) read(ctx context.Context, rows *sql.Rows, columns int) {
	defer close(a.list)
	for rows.Next() {
		values, err := scanRow(rows, columns)
		if err != nil {
			a.err = err
			return
		}
		select {
		case a.list <- values:
		case <-ctx.Done():
			return
		}
	}
	a.err = rows.Err()
}

// uniqueNames are the names of columns as keys of an object of JSON: a name that comes again gets a
// number.
func uniqueNames(columns []column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		name := c.name
		for n := 2; slices.Contains(names[:i], name); n++ {
			name = c.name + "_" + textOf(int64(n))
		}
		names[i] = name
	}
	return names
}
