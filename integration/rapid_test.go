package integration

import (
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/eventfold/eventfold/internal/testenv"
)

// checkRapid is rapid.Check with the seed that other random tests have, too, unless -rapid.seed gives
// one.
func checkRapid(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	seed := flag.Lookup("rapid.seed")
	if seed.Value.String() == "0" {
		require.NoError(t, seed.Value.Set(fmt.Sprint(testenv.Seed(t))))
		defer func() { assert.NoError(t, seed.Value.Set("0")) }()
	}
	rapid.Check(t, property)
}
