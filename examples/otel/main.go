// Otel traces a program that uses eventfold: every call on the database is a span below the program's
// own, told to whatever exporter the program has. Nothing in eventfold knows of it; otelsql stands
// around the connector.
//
//	go run -C examples/otel .
package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/eventfold/eventfold"
)

func main() {
	dir, err := os.MkdirTemp("", "otel")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	spans := &printer{out: os.Stdout}
	if err := run(context.Background(), filepath.Join(dir, "store"), spans); err != nil {
		log.Fatal(err)
	}
}

// run does a little work in a span of its own, with spans of the database below it.
func run(ctx context.Context, path string, exporter sdktrace.SpanExporter) error {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)) // a service takes WithBatcher
	defer provider.Shutdown(context.WithoutCancel(ctx))
	db := open(path, provider)
	defer db.Close()

	ctx, span := provider.Tracer("shop").Start(ctx, "place an order")
	defer span.End()
	_, err := db.ExecContext(ctx, `INSERT INTO "order-1" (type, payload) VALUES (?, ?) EXPECTING NO STREAM`,
		"Placed", `{"total": 40}`)
	if err != nil {
		return err
	}
	var n int
	return db.QueryRowContext(ctx, `SELECT COUNT(*) FROM $all WHERE type = 'Placed'`).Scan(&n)
}

// open opens a store whose calls are traced. A span has the text of its statement, whose arguments
// are not part of it; rows that are read have no spans of their own.
func open(path string, provider trace.TracerProvider) *sql.DB {
	return otelsql.OpenDB(eventfold.NewConnector(eventfold.Config{Path: path}),
		otelsql.WithTracerProvider(provider),
		otelsql.WithAttributes(attribute.String("db.system.name", "eventfold")),
		otelsql.WithSpanOptions(otelsql.SpanOptions{OmitConnResetSession: true, OmitRows: true}))
}

// A printer is an exporter that writes a line for every span.
type printer struct{ out io.Writer }

// ExportSpans implements sdktrace.SpanExporter.
func (p *printer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		text := ""
		for _, a := range s.Attributes() {
			if key := string(a.Key); key == "db.statement" || key == "db.query.text" {
				text = strings.Join(strings.Fields(a.Value.AsString()), " ")
			}
		}
		fmt.Fprintf(p.out, "%-20s %8s %s\n", s.Name(), s.EndTime().Sub(s.StartTime()).Round(1000), text)
	}
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (p *printer) Shutdown(context.Context) error { return nil }
