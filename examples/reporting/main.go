// Reporting asks a store a question and writes the answer as CSV and as a page of HTML: any query,
// with nothing but the standard library.
//
//	go run ./examples/reporting [-store directory] [-query sql] [-format csv|html]
package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/csv"
	"flag"
	"html/template"
	"io"
	"log"
	"os"

	_ "github.com/eventfold/eventfold"
)

// byMonth is the report without -query: what was sold in each month, and how much more than before.
const byMonth = `WITH months AS (
	SELECT strftime('%Y-%m', payload->>'$.day') AS month, COUNT(*) AS orders, SUM(payload->>'$.total') AS total
	FROM $all WHERE type = 'Placed' GROUP BY 1)
SELECT month, orders, total, total - LAG(total) OVER (ORDER BY month) AS change FROM months ORDER BY month`

func main() {
	store := flag.String("store", "", "the `directory` of the store; without one, a store in memory with a few orders")
	query := flag.String("query", byMonth, "the `sql` of the report")
	format := flag.String("format", "csv", "csv or html")
	flag.Parse()
	if err := run(context.Background(), *store, *query, *format, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, store, query, format string, out io.Writer) error {
	db, err := sql.Open("eventfold", cmp.Or(store, ":memory:"))
	if err != nil {
		return err
	}
	defer db.Close()
	if store == "" {
		if err := sell(ctx, db); err != nil {
			return err
		}
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, cells, err := table(rows)
	if err != nil {
		return err
	}
	if format == "html" {
		return page.Execute(out, map[string]any{"Names": names, "Rows": cells})
	}
	return csv.NewWriter(out).WriteAll(append([][]string{names}, cells...))
}

// table returns the names of the columns and all cells as texts, NULL as "".
func table(rows *sql.Rows) (names []string, cells [][]string, err error) {
	if names, err = rows.Columns(); err != nil {
		return nil, nil, err
	}
	values, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, nil, err
		}
		line := make([]string, len(values))
		for i, v := range values {
			line[i] = v.String
		}
		cells = append(cells, line)
	}
	return names, cells, rows.Err()
}

var page = template.Must(template.New("page").Parse(`<!doctype html><meta charset="utf-8"><title>Report</title>
<table><tr>{{range .Names}}<th>{{.}}</th>{{end}}</tr>
{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</table>
`))
