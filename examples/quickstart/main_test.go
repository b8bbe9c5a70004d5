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
	assert.Equal(t, `0 Opened {"owner": "Ada"}
1 Deposited {"amount": 40}
2 Deposited {"amount": 250}
3 Deposited {"amount": 10}
3 deposits, 300 in all
`, out.String())
}
