package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// kept is an exporter whose spans outlive the provider.
type kept struct{ *tracetest.InMemoryExporter }

// Shutdown keeps what there is.
func (k kept) Shutdown(context.Context) error { return nil }

// TestEveryCallIsASpanBelowTheProgramsOwn, and a call that fails says so.
func TestEveryCallIsASpanBelowTheProgramsOwn(t *testing.T) {
	spans := kept{tracetest.NewInMemoryExporter()}
	path := filepath.Join(t.TempDir(), "store")
	require.NoError(t, run(t.Context(), path, spans))
	named := map[string]tracetest.SpanStub{}
	for _, s := range spans.GetSpans() {
		named[s.Name] = s
	}
	own := named["place an order"]
	for _, name := range []string{"sql.conn.exec", "sql.conn.query"} {
		span, ok := named[name]
		require.True(t, ok, "no span %s among %v", name, named)
		assert.Equal(t, own.SpanContext.SpanID(), span.Parent.SpanID(), name)
		assert.Contains(t, span.Attributes, attribute.String("db.system.name", "eventfold"), name)
		assert.Equal(t, codes.Unset, span.Status.Code, name)
	}

	spans.Reset()
	require.Error(t, run(t.Context(), path, spans)) // the order is there already
	for _, s := range spans.GetSpans() {
		if s.Name == "sql.conn.exec" {
			assert.Equal(t, codes.Error, s.Status.Code)
			assert.Contains(t, fmt.Sprint(s.Events), "is at version 0")
		}
	}
}

// TestThePrinterHasALineForEachSpan, with the text of its statement.
func TestThePrinterHasALineForEachSpan(t *testing.T) {
	var out bytes.Buffer
	var exporter sdktrace.SpanExporter = &printer{out: &out}
	require.NoError(t, run(t.Context(), filepath.Join(t.TempDir(), "store"), exporter))
	assert.Contains(t, out.String(), `INSERT INTO "order-1" (type, payload) VALUES (?, ?) EXPECTING NO STREAM`)
	assert.Contains(t, out.String(), "place an order")
}
