package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pagesOfGo are the pages whose Go code is taken from code that is compiled and run, and the file in
// which it stands where the block does not name another one behind the word go.
var pagesOfGo = map[string]string{"guide.md": "guide_test.go"}

var goBlock = regexp.MustCompile("(?ms)^```go(?: ([^\n]+))?\n(.*?)^```$")

// TestTheGoCodeOfPagesIsCompiled: every block of Go stands in a file that the tests compile, line for
// line, but for a tab in front of each where it is part of a function.
func TestTheGoCodeOfPagesIsCompiled(t *testing.T) {
	for page, usual := range pagesOfGo {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		blocks := goBlock.FindAllStringSubmatch(string(content), -1)
		require.NotEmpty(t, blocks, page)
		for _, m := range blocks {
			file, code := m[1], m[2]
			if file == "" {
				file = usual
			}
			source, err := os.ReadFile(file)
			if assert.NoError(t, err, page) {
				assert.True(t, standsIn(string(source), code), "%s: not in %s:\n%s", page, file, code)
			}
		}
	}
}

// standsIn reports whether lines stand in a source as they are, or a tab deeper.
func standsIn(source, lines string) bool {
	var deeper strings.Builder
	for line := range strings.Lines(lines) {
		if line != "\n" {
			deeper.WriteByte('\t')
		}
		deeper.WriteString(line)
	}
	return strings.Contains("\n"+source, "\n"+lines) || strings.Contains("\n"+source, "\n"+deeper.String())
}

// TestLinesThatDifferDoNotStandInASource is about the test above.
func TestLinesThatDifferDoNotStandInASource(t *testing.T) {
	source := "package p\n\nfunc f() {\n\tg()\n\n\th()\n}\n"
	assert.True(t, standsIn(source, "package p\n"))
	assert.True(t, standsIn(source, "g()\n\nh()\n"))
	assert.True(t, standsIn(source, "\tg()\n"))
	assert.False(t, standsIn(source, "g()\nh()\n"))
	assert.False(t, standsIn(source, "f() {\n"), "a part of a line")
	assert.False(t, standsIn(source, "\t\tg()\n"))
}
