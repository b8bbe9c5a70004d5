package query

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/parser"
)

// TestNamedWindowsStandForNoMoreThanCouldBeWritten: a short statement whose names stand for a long
// window again and again is refused before it is written out.
func TestNamedWindowsStandForNoMoreThanCouldBeWritten(t *testing.T) {
	calls := func(n int) string {
		return "SELECT " + strings.Repeat("COUNT(*) OVER w + ", n) + "1 FROM $all WINDOW w AS (PARTITION BY version" +
			strings.Repeat(", version", 1000) + ")"
	}
	mustCompile(t, calls(10))
	parsed, err := parser.Parse(calls(1000))
	require.NoError(t, err)
	_, err = Compile(parsed)
	require.ErrorContains(t, err, "more than 100000 terms")
}
