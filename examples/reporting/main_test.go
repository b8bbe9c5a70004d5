package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRun makes the report in both forms.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), "", byMonth, "csv", &out))
	assert.Equal(t, "month,orders,total,change\n2026-01,4,60,\n2026-02,4,220,160\n2026-03,2,170,-50\n", out.String())
	out.Reset()
	require.NoError(t, run(t.Context(), "", `SELECT '<b>' AS mark, NULL AS nothing`, "html", &out))
	assert.Contains(t, out.String(), "<tr><th>mark</th><th>nothing</th></tr>\n<tr><td>&lt;b&gt;</td><td></td></tr>")
}
