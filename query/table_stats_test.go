package query

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
)

// TestEveryFigureIsDocumented compares the names and kinds of $stats with the table of docs/sql.md,
// both ways.
func TestEveryFigureIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/sql.md")
	require.NoError(t, err)
	_, chapter, found := strings.Cut(string(page), "\n### Figures\n")
	require.True(t, found)
	chapter, _, _ = strings.Cut(chapter, "\n### ")
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| .").FindAllStringSubmatch(chapter, -1) {
		documented = append(documented, m[1]+" "+m[2])
	}

	s := &Session{Store: openStore(t, filestore.Options{}), Settings: Settings{
		Shared: NewMemory(DefaultStoreMemory), Spill: Spill{Space: NewSpillSpace()}}}
	exec(t, s, "INSERT INTO a (type) VALUES ('x')")
	given := rowsOf(t, s, "SELECT name || ' ' || kind AS x FROM $stats")
	for i := range given {
		given[i] = strings.Trim(given[i], `"`)
	}
	for _, f := range stats { // one that is not known has no row
		if name := f.name + " " + f.kind; !slices.Contains(given, name) {
			given = append(given, name)
		}
	}
	assert.ElementsMatch(t, documented, given)
}
