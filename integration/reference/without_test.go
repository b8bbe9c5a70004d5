//go:build !cgo

package reference

import "testing"

// TestSameAnswersAsDuckDB says why it does not run.
func TestSameAnswersAsDuckDB(t *testing.T) {
	t.Skip("this machine lacks cgo (a C compiler, or CGO_ENABLED=1), which DuckDB needs")
}
