package filestore

import (
	"os"
	"runtime/debug"
	"testing"
)

// Thousands of stores in memory come and go. The collector otherwise lets the heap double, and the
// race detector takes five times that.
func TestMain(m *testing.M) {
	debug.SetMemoryLimit(512 << 20)
	os.Exit(m.Run())
}
