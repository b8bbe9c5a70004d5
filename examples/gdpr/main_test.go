package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), t.TempDir(), &out))
	assert.Equal(t, `before: Ada Lovelace is in []
before: ada@example.com is in []
before: 12 Analytical Street is in [backup store]
before: Bob Babbage is in []
before: bob@example.com is in []
before: 7 Difference Road is in [backup store]
erased by dpo: 1 event, done: true
Registered customer-42: ?
Shipped parcel-for-customer-42: ?
Registered customer-7: Bob Babbage
Shipped parcel-for-customer-7: 7 Difference Road
$forgotten $erasures: Art. 17, ticket 114
after: Ada Lovelace is in []
after: ada@example.com is in []
after: 12 Analytical Street is in []
after: Bob Babbage is in []
after: bob@example.com is in []
after: 7 Difference Road is in [backup store]
`, out.String())
}
