package docs

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSamplesWithStoresOfTheirOwn runs the blocks whose language is sql and a name: those of one name
// have a store together.
func TestSamplesWithStoresOfTheirOwn(t *testing.T) {
	content, err := os.ReadFile("sql.md")
	require.NoError(t, err)
	ran := map[string]bool{"erasing": true} // which TestSamplesOfErasing runs
	for _, m := range regexp.MustCompile("(?m)^```sql ([a-z]+)$").FindAllStringSubmatch(string(content), -1) {
		if name := m[1]; !ran[name] {
			ran[name] = true
			t.Run(name, func(t *testing.T) { runSamples(t, open(t), "sql "+name) })
		}
	}
}
