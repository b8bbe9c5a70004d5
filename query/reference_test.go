package query

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// TestReferenceNamesEverything: docs/sql.md lists every function, aggregate, window function and
// column, and shows each in a sample, which its own tests run.
func TestReferenceNamesEverything(t *testing.T) {
	testenv.WithoutRace(t)
	content, err := os.ReadFile("../docs/sql.md")
	require.NoError(t, err)
	text := string(content)
	samples := strings.ToLower(strings.Join(regexp.MustCompile("(?s)```sql[a-z ]*\n.*?```").FindAllString(text, -1), "\n"))
	names := expr.Names()
	for name := range aggregates {
		names = append(names, name)
	}
	for name := range windowFuncs {
		names = append(names, name)
	}
	for _, c := range eventSchema {
		names = append(names, c.Name)
	}
	for _, table := range systemTables {
		for _, c := range table.columns {
			names = append(names, c.Name)
		}
	}
	for _, name := range names {
		word := regexp.MustCompile(`(?i)\b` + name + `\b`)
		assert.True(t, word.MatchString(samples), "no sample shows %s", name)
		assert.True(t, regexp.MustCompile("(?i)[`| ]"+name+"[`(]").MatchString(text), "no table names %s", name)
	}
}
