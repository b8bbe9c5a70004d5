package parser

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEveryHintHasARow: no hint is without a text in query/testdata/hints that gets it, so that none
// is without a test. Package query holds where the errors stand, what they say, and that what they
// say to write can be run.
func TestEveryHintHasARow(t *testing.T) {
	files, err := filepath.Glob("../query/testdata/hints/*.txt")
	require.NoError(t, err)
	told := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, line := range strings.Split(string(content), "\n") {
			if _, err := Parse(line); err != nil && line != "" && line[0] != '\t' {
				told[err.(*SyntaxError).Hint] = true
			}
		}
	}
	hints := append(slices.Collect(maps.Values(foreignHints)), slices.Collect(maps.Values(foreignWords))...)
	hints = append(hints, slices.Collect(maps.Values(foreignStatements))...)
	for _, f := range foreignForms {
		hints = append(hints, f.hint)
	}
	for _, hint := range hints {
		assert.True(t, told[hint], "no row has the hint %q", hint)
	}
	assert.Greater(t, len(told), 100)
}

// TestAFormIsNotFoundWhereItDoesNotStand: words of forms are names where nothing else of the form is.
func TestAFormIsNotFoundWhereItDoesNotStand(t *testing.T) {
	for _, text := range []string{
		"SELECT top, mod, overlaps, format, sample, pivot, minus, asof, semi FROM t AS lock",
		"SELECT a.semi FROM t AS semi JOIN u ON 1", "SELECT 1 FROM t AS asof JOIN u USING (a)",
		"SELECT mod(7, 2), json('{}'), format('x'), time('x'), top(1) FROM settings",
		"SELECT ?||'a', ? || 'b', -?", "WITH ties AS (SELECT 1) SELECT * FROM ties",
	} {
		_, err := Parse(text)
		assert.NoError(t, err, text)
	}
	for text, hint := range map[string]string{
		"SELECT a FROM sample WHEER x = 1": "write WHERE",
		"SELECT a FROM t lock WHEER b = 1": "write WHERE",
		"SHOW TABELS":                      "write TABLES",
		"BEGIN TRANSACTOIN":                "write TRANSACTION",
	} {
		_, err := Parse(text)
		assert.ErrorContains(t, err, hint, text)
	}
}
