package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// The report is SQL and nothing else: the program only prints what it gives.
var queries = []struct{ title, sql string }{
	{"Commits per author", `
		SELECT LAST(payload->>'$.name') AS author, COUNT(*) AS commits,
		       SUM(payload->>'$.added') AS added, SUM(payload->>'$.deleted') AS deleted
		FROM $all WHERE type = 'Committed'
		GROUP BY stream ORDER BY commits DESC, author LIMIT 15`},
	{"Lines per month", `
		SELECT substr(payload->>'$.date', 1, 7) AS month, COUNT(*) AS commits,
		       SUM(payload->>'$.added') AS added, SUM(payload->>'$.deleted') AS deleted
		FROM $all WHERE type = 'Committed'
		GROUP BY month ORDER BY month`},
	{"Busiest hours", `
		SELECT substr(payload->>'$.date', 12, 2) || ':00' AS hour, COUNT(*) AS commits
		FROM $all WHERE type = 'Committed'
		GROUP BY hour ORDER BY commits DESC, hour LIMIT 8`},
}

func report(ctx context.Context, db *sql.DB, out io.Writer) error {
	for _, q := range queries {
		fmt.Fprintf(out, "\n%s\n", q.title)
		rows, err := db.QueryContext(ctx, q.sql)
		if err != nil {
			return err
		}
		if err := printRows(rows, out); err != nil {
			return fmt.Errorf("%s: %w", q.title, err)
		}
	}
	return nil
}

func printRows(rows *sql.Rows, out io.Writer) error {
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(columns, "\t"))
	values := make([]string, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		fmt.Fprintln(table, strings.Join(values, "\t"))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return table.Flush()
}
