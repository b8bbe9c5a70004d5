package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), t.TempDir()+"/store", &out))
	assert.Contains(t, out.String(), "10 withdrawn, 6 refused, balance 0 (")
}
