package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile("(?m)^#+ +(.*)$")
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	slugged = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestLinksOfDocumentsLeadSomewhere: what a document links to is there, and has the heading.
func TestLinksOfDocumentsLeadSomewhere(t *testing.T) {
	found, known := 0, map[string]map[string]bool{}
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			found++
			file, anchor, hasAnchor := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(target); !assert.NoError(t, err, "%s links to %s", page, m[1]) || !hasAnchor {
				continue
			}
			if known[target] == nil {
				known[target] = anchors(t, target)
			}
			assert.True(t, known[target][anchor], "%s links to %s, which has no such heading", page, m[1])
		}
	}
	require.Greater(t, found, 50)
}

// anchors are those of a page's headings, as GitHub makes them.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
		slug := strings.ReplaceAll(slugged.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		name := slug
		for n := 1; known[name]; n++ {
			name = slug + "-" + strconv.Itoa(n)
		}
		known[name] = true
	}
	return known
}
